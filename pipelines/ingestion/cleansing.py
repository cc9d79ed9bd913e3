"""Taking erased persons out of landed copies. The records stay where they are, so that their numbers stay theirs.

A copy is written anew in its own format: cells that a kept contract column reads stay, the person's number becomes the
pseudonym, everything else of the record goes. The new copy must load as the old one does; where it would not, or the
format cannot be written, the copy is set aside and goes with the run.
"""

import csv
import io
import json
import mmap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.errors import FileRefusedError
from pipelines.ingestion.erased import PERSON, ErasedPersons, knows_persons, lost_columns
from pipelines.ingestion.loading import Loaded, Reading, conformed_chunks, plus
from pipelines.sources.formats import read_header, read_records
from pipelines.sources.landed import LandedCopies
from pipelines.sources.plan import Plan
from pipelines.sources.sql import without_kinds
from pipelines.sources.transcoding import Utf8Stream

TEXT_FORMATS = ("csv", "jsonl")


@dataclass
class _Found:
    """The records of a copy that speak of erased persons, by number, and which of them no cell of may be kept."""

    persons: dict[int, str] = field(default_factory=dict)
    bare: set[int] = field(default_factory=set)


def cleanse(copies: LandedCopies, content_sha256: str, readings: Sequence[Reading], erased: ErasedPersons) -> bool:
    """Take erased persons out of one copy; whether there were any in it.

    Args:
        copies: The landed copies.
        content_sha256: Names the copy; it keeps this name.
        readings: Everything that the profile reads from it.
        erased: Who was erased.
    """
    path = copies.path_of(content_sha256)
    readings = [replace(each, path=path, erased=erased) for each in readings]
    try:
        found = _found(readings, erased)
        if not found.persons:
            copies.keep(content_sha256)
            return False
        fresh = copies.unfinished(content_sha256, "cleansed")
        is_written = _write_anew(path, fresh, readings, found)
        if is_written and all(_outcome(each) == _outcome(replace(each, path=fresh)) for each in readings):
            copies.replace(content_sha256, fresh)
            return True
        fresh.unlink(missing_ok=True)
    except FileRefusedError:
        # Whom it speaks of cannot be known.
        pass
    copies.set_aside(content_sha256)
    return True


def may_name(reading: Reading, identifier: str) -> bool:
    """Whether the copy can speak of the identifier at all; cheap, and true wherever it takes reading to know."""
    filling = Plan(reading.source, reading.feed).fillings[PERSON] if knows_persons(reading.feed) else None
    is_plain = filling is None or (filling.kind == "source" and "." not in (filling.source or ""))
    if reading.source.file_format not in TEXT_FORMATS or not is_plain or not identifier.isalnum():
        return True
    if not identifier.isascii() or reading.path.stat().st_size == 0:
        return True
    with reading.path.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
        wide = Utf8Stream(opened, reading.source_path, reading.source.notation.encoding).encoding
        return content.find(identifier.encode(wide)) >= 0


# ------------------------------------------------------------------------------------------------ who is in the copy


def _found(readings: Iterable[Reading], erased: ErasedPersons) -> _Found:
    found = _Found()
    for reading in readings:
        if knows_persons(reading.feed):
            with closing(reading.conformer()) as conformer:
                named = Plan(reading.source, reading.feed).reads(PERSON)
                for chunk in read_records(reading.path, reading.source, conformer.required_columns, ""):
                    for name in named & set(chunk.records.column_names):
                        _note(found, chunk.record_no, erased.persons_of(chunk.records.column(name)))
                    conformed = conformer.conform(chunk)
                    _note(found, conformed.rows.column("_record_no"), erased.persons_of(conformed.rows.column(PERSON)))
                    unread = {each.record_no for each in chunk.rejects}
                    for each in conformed.rejects:
                        person = erased.named_in(each.raw_text, reading.source.notation.delimiter)
                        if person is not None:
                            found.persons[each.record_no] = person
                        if each.record_no in found.persons and (
                            each.record_no in unread or reading.feed.key == (PERSON,)
                        ):
                            found.bare.add(each.record_no)
    return found


def _note(found: _Found, numbers: pa.Array, persons: pa.Array) -> None:
    is_erased = persons.is_valid()
    if pc.any(is_erased).as_py():
        pairs = zip(numbers.filter(is_erased).to_pylist(), persons.filter(is_erased).to_pylist(), strict=True)
        found.persons.update(pairs)


@dataclass
class _Outcome:
    """What one reading makes of a copy; equal for copies that load alike."""

    rows: pa.Table | None = None
    refused: list[int] = field(default_factory=list)
    filtered: int = 0
    duplicates: int = 0
    amounts: list[Decimal | None] = field(default_factory=lambda: [None, None, None])


def _outcome(reading: Reading) -> _Outcome:
    outcome, tables = _Outcome(), []
    for _, conformed in conformed_chunks(reading, Loaded()):
        tables.append(conformed.rows)
        outcome.refused += [each.record_no for each in conformed.rejects]
        outcome.filtered += conformed.filtered
        outcome.duplicates += conformed.duplicates
        parts = (conformed.amount_loaded, conformed.amount_duplicate, conformed.amount_quarantined)
        outcome.amounts = [plus(total, part) for total, part in zip(outcome.amounts, parts, strict=True)]
    outcome.rows = pa.concat_tables(tables).combine_chunks() if tables else None
    return outcome


# --------------------------------------------------------------------------------------------------- writing it anew


@dataclass(frozen=True)
class _Cells:
    """Which delivered columns of a person's record stay, and which hold the person's number."""

    kept: frozenset[str]
    numbers: frozenset[str]

    @classmethod
    def of(cls, readings: Iterable[Reading]) -> "_Cells":
        kept: set[str] = set()
        numbers: set[str] = set()
        personal: set[str] = set()
        for reading in readings:
            plan, lost = Plan(reading.source, reading.feed), lost_columns(reading.feed)
            source = reading.source
            kept |= {name for lookup in source.lookups.values() for name in lookup.key.values()}
            kept |= plan.where.names if plan.where else frozenset()
            kept |= {source.delivered_on.column} if source.delivered_on.column else set()
            for column in reading.feed.columns:
                reads = plan.reads(column.name)
                if column.name == PERSON:
                    numbers |= reads
                    # What looks the person up is another number of the person.
                    looked_up = {plan.lookup_of(name) for name in reads} - {None}
                    personal |= {each for name in looked_up for each in source.lookups[name or ""].key.values()}
                elif column.is_personal:
                    personal |= reads
                elif column.name not in lost:
                    kept |= reads
        return cls(frozenset(kept - numbers - personal), frozenset(numbers))

    def of_record(self, record: dict[str, str | None], person: str) -> dict[str, str | None]:
        return {
            name: person if name in self.numbers else value if name in self.kept else None
            for name, value in record.items()
        }


def _write_anew(path: Path, fresh: Path, readings: Sequence[Reading], found: _Found) -> bool:
    """Write the copy without the persons; False where its format cannot be written, or is not one."""
    source = readings[0].source
    if any(
        (each.source.file_format, each.source.notation.encoding, each.source.notation.delimiter)
        != (source.file_format, source.notation.encoding, source.notation.delimiter)
        for each in readings
    ):
        return False
    if source.file_format in TEXT_FORMATS:
        _write_text(path, fresh, readings, found)
    elif source.file_format in ("parquet", "sql"):
        _write_parquet(path, fresh, readings, found)
    else:
        return False
    return True


def _write_text(path: Path, fresh: Path, readings: Sequence[Reading], found: _Found) -> None:
    reading = readings[0]
    with path.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
        encoding = Utf8Stream(opened, reading.source_path, reading.source.notation.encoding).encoding
        if reading.source.file_format == "jsonl":
            encoding = reading.source.notation.encoding
        with fresh.open("wb") as copy:
            written = 0
            for start, end, text in _new_records(reading, _Cells.of(readings), found, len(content)):
                delivered = content[start:end].decode(encoding, "replace")
                line_end = delivered[len(delivered.rstrip("\r\n")) :]
                copy.write(content[written:start])
                copy.write((text + line_end).encode(encoding))
                written = end
            copy.write(content[written:])


def _new_records(reading: Reading, cells: _Cells, found: _Found, size: int) -> Iterator[tuple[int, int, str]]:
    """(start, end, new text without line end) of each record to change, in file order."""
    before: tuple[int, str] | None = None
    for start, text in _records_in_order(reading, cells, found):
        if before is not None:
            yield before[0], start, before[1]
        before = None if text is None else (start, text)
    if before is not None:
        yield before[0], size, before[1]


def _records_in_order(reading: Reading, cells: _Cells, found: _Found) -> Iterator[tuple[int, str | None]]:
    """(byte offset, new text or None where it stays) of every record of the file."""
    for chunk in read_records(reading.path, reading.source, (), reading.source_path):
        offsets = {} if chunk.byte_offset is None else chunk.byte_offset.to_pylist()
        numbers = chunk.record_no.to_pylist()
        places = [(offsets[index], numbers[index], index) for index in range(len(numbers))]
        places += [(each.byte_offset or 0, each.record_no, -1) for each in chunk.rejects]
        for offset, number, index in sorted(places):
            person = found.persons.get(number)
            if person is None:
                yield offset, None
            elif index < 0 or number in found.bare:
                yield offset, _bare(reading, person)
            else:
                record = chunk.records.slice(index, 1).to_pylist()[0]
                yield offset, _line(reading, cells.of_record(record, person))


def _bare(reading: Reading, person: str) -> str:
    """A record that no reader accepts and that says who it is of."""
    return json.dumps(person) if reading.source.file_format == "jsonl" else person


def _line(reading: Reading, record: dict[str, str | None]) -> str:
    if reading.source.file_format == "jsonl":
        return json.dumps(record, ensure_ascii=False)
    line = io.StringIO()
    notation = reading.source.notation
    csv.writer(line, delimiter=notation.delimiter, quotechar=notation.quote, lineterminator="").writerow(
        [value or "" for value in record.values()]
    )
    return line.getvalue()


def _write_parquet(path: Path, fresh: Path, readings: Sequence[Reading], found: _Found) -> None:
    cells = _Cells.of(readings)
    with pq.ParquetFile(path) as file:
        table, metadata = file.read(), file.metadata.metadata
    names = read_header(path, readings[0].source, "")
    numbers = range(1, table.num_rows + 1)
    persons = pa.array([found.persons.get(number) for number in numbers], pa.string())
    is_erased = persons.is_valid()
    for place, name in enumerate(names):
        column = table.column(place)
        if name in cells.numbers:
            told = pc.if_else(is_erased, persons, pc.cast(column, pa.string()))
            table = table.set_column(place, name, told)
        elif name not in cells.kept:
            field_ = table.schema.field(place).with_nullable(True)
            table = table.set_column(place, field_, pc.if_else(is_erased, pa.scalar(None, column.type), column))
    with pq.ParquetWriter(fresh, table.schema, compression="zstd") as writer:
        writer.write_table(table)
        writer.add_key_value_metadata(without_kinds(metadata, cells.numbers))
