"""Letting single refused records in: the file is conformed once more, and only the chosen records of it are kept.

Conforming the whole file keeps what depends on the neighbours (running numbers, duplicates) as it was. Selection and
bookkeeping of releases is done in `quarantine` and `register`.
"""

import csv
import io
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.errors import FileRefusedError
from pipelines.ingestion.loading import Reading, plus
from pipelines.sources.chunks import Chunk
from pipelines.sources.conform import Conformed
from pipelines.sources.formats import read_header, read_records


@dataclass(frozen=True)
class Release:
    """A wish to let one record in; `text` replaces the record as delivered when it is given."""

    quarantine_id: str
    record_no: int
    text: str | None
    released_by: str


@dataclass
class Judged:
    """What the second reading found: rows of the records that pass, and per other record number why it does not."""

    rows: list[pa.Table] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)


def judge(connection: duckdb.DuckDBPyConnection, reading: Reading, releases: list[Release]) -> Judged:
    """Conform the file again, with mended texts in place, and keep the chosen records.

    A record that passes but has the key of a loaded row of its file and day, or of another chosen record, is refused.
    Raises FileRefusedError when the file itself cannot be read any more.
    """
    chosen = {release.record_no: release for release in releases}
    judged = Judged()
    with closing(reading.conformer()) as conformer:
        for chunk in _mended_chunks(reading, chosen, judged):
            conformed = conformer.conform(chunk)
            screened = reading.erased.screened(reading.feed, conformed.rows)
            _keep(judged, replace(conformed, rows=screened), chosen)
    for number in chosen.keys() - _numbers(judged) - judged.refused.keys():
        judged.refused[number] = "It is a duplicate, or the profile's where leaves it out."
    _refuse_taken_keys(connection, reading, judged)
    return judged


def _keep(judged: Judged, conformed: Conformed, chosen: dict[int, Release]) -> None:
    wanted = pc.is_in(conformed.rows.column("_record_no"), value_set=pa.array(chosen, pa.int64()))
    rows = conformed.rows.filter(wanted)
    if rows.num_rows:
        judged.rows.append(rows)
    judged.refused |= {each.record_no: each.message for each in conformed.rejects if each.record_no in chosen}


def _numbers(judged: Judged) -> set[int]:
    return {number for table in judged.rows for number in table.column("_record_no").to_pylist()}


def _mended_chunks(reading: Reading, chosen: dict[int, Release], judged: Judged) -> Iterator[Chunk]:
    """The file's chunks with mended records in their place; those that were no records before come last."""
    mended = {number: release.text for number, release in chosen.items() if release.text is not None}
    records: dict[int, pa.Table] = {}
    for number, text in mended.items():
        try:
            records[number] = _record_of(reading, text)
        except FileRefusedError as error:
            judged.refused[number] = f"The mended text is not one sound record: {error.cause}."
    for chunk in read_records(reading.path, reading.source, (), reading.source_path):
        here = [number for number in chunk.record_no.to_pylist() if number in records]
        table = chunk.records
        for number in here:
            table = _replaced(table, chunk.record_no.index(number).as_py(), records.pop(number))
        rejects = [reject for reject in chunk.rejects if reject.record_no not in mended]
        yield replace(chunk, records=table, rejects=rejects)
    for number, record in sorted(records.items()):
        yield _single(record, number, mended[number])


def _single(record: pa.Table, number: int, text: str) -> Chunk:
    return Chunk(record, pa.array([number], pa.int64()), None, lambda _: text)


def _replaced(table: pa.Table, index: int, record: pa.Table) -> pa.Table:
    before, after = table.slice(0, index), table.slice(index + 1)
    return pa.concat_tables([before, record, after], promote_options="permissive")


def _record_of(reading: Reading, text: str) -> pa.Table:
    """The one record that a mended text holds, read as the file's own format reads it."""
    notation = reading.source.notation
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "record"
        if reading.source.file_format == "csv":
            line = io.StringIO()
            header = read_header(reading.path, reading.source, reading.source_path)
            csv.writer(line, delimiter=notation.delimiter, quotechar=notation.quote).writerow(header)
            path.write_bytes((line.getvalue() + text.rstrip("\r\n") + "\r\n").encode(notation.encoding))
            chunks = list(read_records(path, reading.source, (), "the mended text"))
        else:
            path.write_text(text.replace("\n", " ") + "\n", encoding="utf-8")
            as_lines = reading.source.model_copy(update={"format": "jsonl"})
            chunks = list(read_records(path, as_lines, (), "the mended text"))
    rejects = [reject.message for chunk in chunks for reject in chunk.rejects]
    found = sum(chunk.records.num_rows for chunk in chunks)
    if rejects or found != 1:
        cause = rejects[0] if rejects else f"it holds {found} records"
        raise FileRefusedError("wrong_format", "the mended text", cause, "Give one record.")
    return next(chunk.records for chunk in chunks if chunk.records.num_rows)


def _refuse_taken_keys(connection: duckdb.DuckDBPyConnection, reading: Reading, judged: Judged) -> None:
    if not judged.rows:
        return
    rows = pa.concat_tables(judged.rows, promote_options="permissive")
    day = "_delivered_on" if reading.delivered_on is None else f"date '{reading.delivered_on}'"
    key = ", ".join(f'"{name}"' for name in reading.feed.key)
    connection.register("chosen_rows", rows)
    try:
        taken = connection.execute(
            f"""
            with chosen as (select {key}, {day} as _delivered_on, _record_no from chosen_rows)
            select _record_no from chosen
            where exists (
                from {reading.feed.table} as loaded
                where loaded._file_id = '{reading.file_id}' and loaded._delivered_on = chosen._delivered_on
                    and {" and ".join(f'loaded."{name}" = chosen."{name}"' for name in reading.feed.key)}
            )
            union
            select _record_no from chosen qualify count(*) over (partition by {key}, _delivered_on) > 1
            """
        ).fetchall()
    finally:
        connection.unregister("chosen_rows")
    if reading.source.key_versions == "last_wins":
        taken = []
    numbers = [row[0] for row in taken]
    for number in numbers:
        judged.refused[number] = f"Another record of the file has the same {', '.join(reading.feed.key)}."
    if numbers:
        keep = pc.invert(pc.is_in(rows.column("_record_no"), value_set=pa.array(numbers, pa.int64())))
        rows = rows.filter(keep)
    judged.rows = [rows] if rows.num_rows else []


def delivered_amount(reading: Reading, numbers: set[int]) -> Decimal | None:
    """The control amount of those records as delivered, as far as it could be read."""
    total: Decimal | None = None
    with closing(reading.conformer()) as conformer:
        for chunk in read_records(reading.path, reading.source, (), reading.source_path):
            wanted = pc.is_in(chunk.record_no, value_set=pa.array(numbers, pa.int64()))
            if not pc.any(wanted).as_py():
                continue
            part = Chunk(chunk.records.filter(wanted), chunk.record_no.filter(wanted), None, lambda _: "")
            conformed = conformer.conform(part)
            total = plus(plus(total, conformed.amount_loaded), conformed.amount_quarantined)
    return total
