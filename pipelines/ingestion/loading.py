"""One file into its raw table: rows in, refused records to quarantine, every record counted once.

Works inside the transaction of its caller and knows nothing of other files; `register` decides which file is loaded.
"""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.errors import FileRefusedError, ProfileError, WarehouseError
from pipelines.exhaustion import is_disk_trouble
from pipelines.ingestion.erased import NOBODY, ErasedPersons
from pipelines.sources.chunks import Reject
from pipelines.sources.conform import Conformed, Conformer
from pipelines.sources.contracts import Contract
from pipelines.sources.formats import read_records
from pipelines.sources.lookup_files import LookupTable
from pipelines.sources.profiles import Profile, Source

Item = TypeVar("Item")
Hashes = npt.NDArray[np.uint64]
# The columns of ops.quarantine, in its order: rows go in by position.
QUARANTINE_SCHEMA = pa.schema(
    [
        ("quarantine_id", pa.string()),
        ("file_id", pa.string()),
        ("feed", pa.string()),
        ("delivered_on", pa.date32()),
        ("record_no", pa.int64()),
        ("byte_offset", pa.int64()),
        ("reason_code", pa.string()),
        ("column_name", pa.string()),
        ("message", pa.string()),
        ("raw_text", pa.string()),
        ("mended_text", pa.string()),
        ("status", pa.string()),
        ("released_at", pa.timestamp("us")),
        ("released_by", pa.string()),
    ]
)
MANY_REFUSED = 100_000


@dataclass(frozen=True)
class Reading:
    """What is read: one landed file of one feed, under one source and contract."""

    file_id: str
    feed: Contract
    source: Source
    profile: Profile
    path: Path
    source_path: str
    delivered_on: date | None
    lookups: dict[str, LookupTable] = field(default_factory=dict)
    erased: ErasedPersons = NOBODY

    def conformer(self) -> Conformer:
        tables = {name: lookup.records for name, lookup in self.lookups.items()}
        return Conformer(self.source, self.feed, self.profile, tables)


@dataclass
class Loaded:
    """What became of a file's records. `first_business` maps each delivery day to the earliest business moment."""

    seen: int = 0
    loaded: int = 0
    duplicate: int = 0
    quarantined: int = 0
    filtered: int = 0
    amount_seen: Decimal | None = None
    amount_loaded: Decimal | None = None
    amount_duplicate: Decimal | None = None
    amount_quarantined: Decimal | None = None
    ignored_columns: tuple[str, ...] = ()
    missing_columns: tuple[str, ...] = ()
    touched: dict[date, date] = field(default_factory=dict)
    by_day: dict[date, int] = field(default_factory=dict)


def load(connection: duckdb.DuckDBPyConnection, reading: Reading) -> Loaded:
    """Read the file, insert its rows and its quarantine, and return the balanced counts.

    Raises:
        FileRefusedError: the file cannot be trusted as a whole; the caller rolls back.
        WarehouseError: the counts do not balance, which is a defect of this program.
    """
    result = Loaded()
    hashes: list[Hashes] = []
    for seen, conformed in ahead(conformed_chunks(reading, result)):
        result.seen += seen
        _count(result, conformed)
        if conformed.rows.num_rows:
            hashes.append(insert_rows(connection, reading, conformed.rows, result))
        insert_quarantine(connection, reading, conformed.rejects)
        _refuse_hopeless(reading, result)
    _settle_keys(connection, reading, hashes, result)
    _assert_balanced(reading, result)
    return result


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items; the next one is made in a thread while the caller works on the last.

    Reading and inserting leave the interpreter to others most of the time, so a large file takes the longer of the two.
    """
    with ThreadPoolExecutor(max_workers=1) as worker:
        coming = worker.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = worker.submit(next, items, None)
            yield item


def conformed_chunks(reading: Reading, result: Loaded) -> Iterator[tuple[int, Conformed]]:
    """(records seen, what became of them) per chunk; notes which columns are ignored or missing.

    Whatever goes wrong in a reader is a refusal of this file alone. Raises FileRefusedError.
    """
    try:
        with closing(reading.conformer()) as conformer:
            required = conformer.required_columns
            for chunk in read_records(reading.path, reading.source, required, reading.source_path):
                delivered = chunk.records.column_names
                result.ignored_columns = tuple(name for name in delivered if name not in conformer.used_columns)
                result.missing_columns = tuple(conformer.missing_columns(delivered))
                conformed = conformer.conform(chunk)
                screened = reading.erased.screened(reading.feed, conformed.rows)
                yield chunk.records_seen, replace(conformed, rows=screened)
    except FileRefusedError:
        raise
    except ProfileError as error:
        raise FileRefusedError(
            "reader_failed", reading.source_path, f"{error.place}: {error.cause}", error.remedy
        ) from error
    except Exception as error:
        if is_disk_trouble(error):
            raise
        raise FileRefusedError(
            "reader_failed",
            reading.source_path,
            f"the reader failed with {type(error).__name__}: {error}",
            "This is a defect of Opscope: keep the file and report it.",
        ) from error


def _refuse_hopeless(reading: Reading, result: Loaded) -> None:
    """A file of millions of records of which hardly one is sound is one refusal, not millions."""
    sound = result.seen - result.quarantined
    if result.quarantined > MANY_REFUSED and result.quarantined > 9 * sound:
        raise FileRefusedError(
            "wrong_format",
            reading.source_path,
            f"{result.quarantined:,} of its first {result.seen:,} records are refused",
            "Compare a few of its records with the profile: delimiter, formats, order of columns.",
        )


def _count(result: Loaded, conformed: Conformed) -> None:
    result.duplicate += conformed.duplicates
    result.filtered += conformed.filtered
    result.quarantined += len(conformed.rejects)
    result.amount_duplicate = plus(result.amount_duplicate, conformed.amount_duplicate)
    result.amount_quarantined = plus(result.amount_quarantined, conformed.amount_quarantined)
    for amount in (conformed.amount_loaded, conformed.amount_duplicate, conformed.amount_quarantined):
        result.amount_seen = plus(result.amount_seen, amount)


def plus(left: Decimal | None, right: Decimal | None) -> Decimal | None:
    """The sum of two amounts, None where there is neither."""
    if left is None or right is None:
        return left if right is None else right
    return left + right


def insert_rows(connection: duckdb.DuckDBPyConnection, reading: Reading, rows: pa.Table, result: Loaded) -> Hashes:
    """Insert contract rows, count them, and return a hash of each one's delivery day and key.

    A registered name would keep its rows until the transaction ends, and with them all of a large file.
    """
    day = "_delivered_on" if reading.delivered_on is None else f"date '{reading.delivered_on}'"
    columns = ", ".join(f'"{column.name}"' for column in reading.feed.columns)
    key = ", ".join(f'"{name}"' for name in reading.feed.key)
    arrived = connection.from_arrow(rows)
    try:
        arrived.project(f"{columns}, '{reading.file_id}', _record_no, {day}").insert_into(reading.feed.table)
        hashes = arrived.project(f"hash({key}, {day})").to_arrow_table()
        _note_days(result, reading, day_facts(arrived, reading.feed, day))
    except (duckdb.DataError, duckdb.IntegrityError) as error:
        raise FileRefusedError(
            "reader_failed", reading.source_path, f"its rows do not fit the table ({error})", "Report this defect."
        ) from error
    found: Hashes = hashes.column(0).to_numpy()
    return found


@dataclass(frozen=True)
class DayFacts:
    """Rows of one delivery day: how many, their control amount, their earliest business moment."""

    delivered_on: date
    rows: int
    amount: Decimal | None
    first_business: date | datetime | None


def day_facts(rows: duckdb.DuckDBPyRelation, feed: Contract, day: str = "_delivered_on") -> list[DayFacts]:
    """What rows of a feed are, per delivery day (`day` is its SQL)."""
    amount = f"sum({feed.control_amount})" if feed.control_amount else "null"
    business = f'min("{feed.business_time}")' if feed.business_time else "null"
    found = rows.aggregate(f"{day}, count(*), {amount}, {business}", day).fetchall()
    return [DayFacts(*row) for row in found]


def business_from(facts: DayFacts, profile: Profile) -> date:
    """The earliest business day that rows of a delivery day can touch."""
    moment = facts.first_business
    if isinstance(moment, datetime):
        return moment.replace(tzinfo=UTC).astimezone(profile.zone).date()
    return moment or facts.delivered_on


def _note_days(result: Loaded, reading: Reading, found: list[DayFacts]) -> None:
    for facts in found:
        first = business_from(facts, reading.profile)
        result.touched[facts.delivered_on] = min(first, result.touched.get(facts.delivered_on, first))
        result.by_day[facts.delivered_on] = result.by_day.get(facts.delivered_on, 0) + facts.rows
        result.loaded += facts.rows
        result.amount_loaded = plus(result.amount_loaded, facts.amount)


def insert_quarantine(connection: duckdb.DuckDBPyConnection, reading: Reading, rejects: list[Reject]) -> None:
    """Write refused records to ops.quarantine; a registered name would keep them until the transaction ends."""
    if not rejects:
        return
    rejects = reading.erased.screened_rejects(reading.feed, reading.source, rejects)
    rows = [
        {
            "quarantine_id": quarantine_id(reading.file_id, reject.record_no),
            "file_id": reading.file_id,
            "feed": reading.feed.feed,
            "delivered_on": reading.delivered_on,
            "record_no": reject.record_no,
            "byte_offset": reject.byte_offset,
            "reason_code": reject.reason_code,
            "column_name": reject.column_name,
            "message": reject.message,
            "raw_text": reject.raw_text,
            "status": "open",
        }
        for reject in rejects
    ]
    connection.from_arrow(pa.Table.from_pylist(rows, QUARANTINE_SCHEMA)).insert_into("ops.quarantine")


def quarantine_id(file_id: str, record_no: int | None) -> str:
    """The identity of a refused record, or of a refused file (record None): 32 hex digits."""
    return hashlib.sha256(f"{file_id}\0{record_no}".encode()).hexdigest()[:32]


def _settle_keys(connection: duckdb.DuckDBPyConnection, reading: Reading, hashes: list[Hashes], result: Loaded) -> None:
    """Take out of the rows just inserted what has the key of another row of the same day and file."""
    repeated = _repeated(hashes)
    if not len(repeated):
        return
    connection.register("repeated_hashes", pa.table({"hashed": repeated}))
    try:
        connection.execute(_twins_sql(reading))
    finally:
        connection.unregister("repeated_hashes")
    _remove_duplicates(connection, reading, result)
    if reading.source.key_versions == "refuse":
        _quarantine_conflicts(connection, reading, result)
    connection.execute("drop table twins")


def _repeated(hashes: list[Hashes]) -> Hashes:
    joined = np.sort(np.concatenate(hashes)) if hashes else np.empty(0, np.uint64)
    return np.unique(joined[1:][joined[1:] == joined[:-1]])


def _twins_sql(reading: Reading) -> str:
    """The inserted rows that share day and key; each says whether it repeats the one before it."""
    feed = reading.feed
    content = "row(" + ", ".join(f'"{column.name}"' for column in feed.columns) + ")"
    key = ", ".join(f'"{name}"' for name in (*feed.key, "_delivered_on"))
    return f"""
        create temp table twins as
        with suspects as (
            select *, {content} as content from {feed.table}
            where _file_id = '{reading.file_id}' and hash({key}) in (select hashed from repeated_hashes)
        )
        select
            * exclude (content),
            content is not distinct from lag(content) over versions and row_number() over versions > 1 as is_repeat,
            count(*) over (partition by {key}) as key_count,
            count(distinct content) over (partition by {key}) as content_count
        from suspects
        window versions as (partition by {key} order by _record_no)
    """


def _remove_duplicates(connection: duckdb.DuckDBPyConnection, reading: Reading, result: Loaded) -> None:
    """A row that repeats its key's row word for word is a duplicate; where versions differ, of its predecessor only."""
    condition = "is_repeat" if reading.source.key_versions == "last_wins" else "is_repeat and content_count = 1"
    removed, amount = _take_out(connection, reading, condition, result)
    result.duplicate += removed
    result.amount_duplicate = plus(result.amount_duplicate, amount)


def _quarantine_conflicts(connection: duckdb.DuckDBPyConnection, reading: Reading, result: Loaded) -> None:
    """Rows with one key and different content: none of them is trusted."""
    found = connection.execute("select _record_no from twins where content_count > 1").fetchall()
    numbers = {row[0] for row in found}
    if not numbers:
        return
    removed, amount = _take_out(connection, reading, "content_count > 1", result)
    originals = records_at(reading, numbers)
    message = f"another record of this file has the same {', '.join(reading.feed.key)} and differs"
    rejects = [
        Reject(number, offset, "duplicate_key", reading.feed.key[0], message, text)
        for number, (offset, text) in sorted(originals.items())
    ]
    insert_quarantine(connection, reading, rejects)
    result.quarantined += removed
    result.amount_quarantined = plus(result.amount_quarantined, amount)


def _take_out(
    connection: duckdb.DuckDBPyConnection, reading: Reading, condition: str, result: Loaded
) -> tuple[int, Decimal | None]:
    """Delete those twins from the raw table; (how many, their control amount)."""
    facts = day_facts(connection.table("twins").filter(condition), reading.feed)
    if not facts:
        return 0, None
    connection.execute(
        f"delete from {reading.feed.table} where _file_id = '{reading.file_id}' "
        f"and _record_no in (select _record_no from twins where {condition})"
    )
    amount: Decimal | None = None
    for day in facts:
        result.by_day[day.delivered_on] -= day.rows
        result.loaded -= day.rows
        amount = plus(amount, day.amount)
    if amount is not None and result.amount_loaded is not None:
        result.amount_loaded -= amount
    return sum(day.rows for day in facts), amount


def records_at(reading: Reading, numbers: set[int]) -> dict[int, tuple[int | None, str]]:
    """Records of a landed file as delivered: {record number: (byte offset, text)}. Reads the file once more."""
    found: dict[int, tuple[int | None, str]] = {}
    for chunk in read_records(reading.path, reading.source, (), reading.source_path):
        for reject in chunk.rejects:
            if reject.record_no in numbers:
                found[reject.record_no] = (reject.byte_offset, reject.raw_text)
        wanted = np.flatnonzero(np.isin(chunk.record_no.to_numpy(), list(numbers)))
        for index in wanted.tolist():
            offset = chunk.byte_offset[index].as_py() if chunk.byte_offset is not None else None
            found[chunk.record_no[index].as_py()] = (offset, chunk.raw_text(index))
    return found


def _assert_balanced(reading: Reading, result: Loaded) -> None:
    parts = result.loaded + result.duplicate + result.quarantined + result.filtered
    if result.seen != parts:
        raise WarehouseError(
            reading.source_path, f"{result.seen} records were seen and {parts} accounted for: {result}", "Report this."
        )
    amounts = (result.amount_loaded, result.amount_duplicate, result.amount_quarantined)
    total = sum((amount for amount in amounts if amount is not None), Decimal(0))
    if result.amount_seen is not None and result.amount_seen != total:
        raise WarehouseError(
            reading.source_path, f"amounts of {result.amount_seen} were seen and {total} accounted for", "Report this."
        )
