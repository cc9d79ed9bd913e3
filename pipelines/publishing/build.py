"""Builds the files of one version beside the served one: the DuckDB file and its Parquet mirror.

What did not change is not encoded again. The DuckDB file starts as a copy of the served one; in it only tables with
another digest or other comments are written anew, large ones only for the days that differ. The Parquet files of
unchanged tables are the served ones under a second name. Bytes carried over are checked against the served manifest.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from pipelines.durable import sync
from pipelines.errors import WarehouseError
from pipelines.failpoints import reach
from pipelines.publishing.contents import Content, LogEntry, comments, log, write_comments
from pipelines.publishing.digest import Fingerprint, fingerprint, quoted, quoted_table
from pipelines.publishing.versions import DATABASE, Manifest, PublishedTable, StoredFile, sequence_of, stored_file

CANDIDATE = "candidate"
# What every DuckDB from 1.0 on reads; the warehouse itself is written for the pinned one alone.
STORAGE_VERSION = "v1.0.0"
# Of five million rows level 1 takes 7.7 CPU seconds, 7.1 of them for encoding; DuckDB's own level, 3, takes 10.8 and
# saves 3 % of the bytes.
PARQUET = "format parquet, compression zstd, compression_level 1, parquet_version v2"
# A table is brought up to date by days when it is large and at most this share of its rows is touched: comparing costs
# a fifth of writing (5 million rows and 24 columns: 3 against 17 CPU seconds).
PATCHED_FROM_ROWS = 100_000
PATCHED_UP_TO = 0.25
# Every so many versions the DuckDB file is written whole: patching leaves holes (a third more bytes after 40 nights).
REWRITTEN_EVERY = 30


@dataclass(frozen=True)
class Served:
    """The version that is served now, whose unchanged parts are carried over."""

    folder: Path
    manifest: Manifest

    def holds(self, stored: StoredFile) -> bool:
        """Whether the bytes of one of its files are still those that were published."""
        path = self.folder / stored.path
        return path.is_file() and stored_file(self.folder, path) == stored


def build(
    connection: duckdb.DuckDBPyConnection, folder: Path, entry: LogEntry, offered: Content, served: Served | None
) -> tuple[StoredFile, dict[str, PublishedTable]]:
    """Write all files of a version except its manifest, and force them to disk.

    Args:
        connection: The warehouse, open for writing.
        folder: Empty folder on the file system of the published versions.
        entry: The version's row of `ops.publications`.
        offered: What to publish.
        served: Where unchanged parts come from.

    Returns:
        The DuckDB file and the tables, for the manifest.
    """
    database = folder / f"analytics_{entry.version}.duckdb"
    is_due = (sequence_of(entry.version) or 0) % REWRITTEN_EVERY == 0
    copied = served if served is not None and not is_due and served.holds(served.manifest.database) else None
    if copied is not None:
        shutil.copyfile(copied.folder / copied.manifest.database.path, database)
    with _attached(connection, database):
        unchanged = _unchanged(connection, offered, copied)
        _write_tables(connection, offered, unchanged)
        log(connection, entry, CANDIDATE)
        tables = {
            table: _published(connection, folder, table, offered, served if table in unchanged else None)
            for table in offered.tables
        }
    # Readers open this name, so that the catalog is called `analytics` in every version: BI tools store that name.
    (folder / DATABASE).hardlink_to(database)
    for path in (database, *(folder / entry.parquet.path for entry in tables.values())):
        path.chmod(0o640)
        sync(path)
    for path in folder.iterdir():
        if path.is_dir():
            sync(path)
    return stored_file(folder, database), tables


@contextmanager
def _attached(connection: duckdb.DuckDBPyConnection, database: Path) -> Iterator[None]:
    """Attach the file for the block; afterwards everything is in it and nothing in a write-ahead log."""
    location = str(database).replace("'", "''")
    connection.execute(f"attach '{location}' as {CANDIDATE} (storage_version '{STORAGE_VERSION}')")
    try:
        yield
        connection.execute(f"checkpoint {CANDIDATE}")
    finally:
        connection.execute(f"detach {CANDIDATE}")
    log = database.with_name(database.name + ".wal")
    if log.exists():
        raise WarehouseError(str(log), "is left after a checkpoint", "Publish again; report this if it comes back.")
    reach("publish.checkpointed")


def _unchanged(connection: duckdb.DuckDBPyConnection, offered: Content, copied: Served | None) -> frozenset[str]:
    """The tables of the copied file that already say what is offered, comments included."""
    if copied is None:
        return frozenset()
    told = comments(connection, CANDIDATE)
    return frozenset(
        table
        for table, found in offered.fingerprints.items()
        if table in copied.manifest.tables
        and copied.manifest.tables[table].digest == found.digest
        and told.get(table) == offered.comments.get(table)
    )


def _write_tables(connection: duckdb.DuckDBPyConnection, offered: Content, unchanged: frozenset[str]) -> None:
    """Bring the attached file to what is offered: day by day where few days changed, else the whole table."""
    rows = connection.execute(
        "select schema_name || '.' || table_name from duckdb_tables() where database_name = ?", [CANDIDATE]
    ).fetchall()
    present = {table for (table,) in rows} - unchanged
    told = comments(connection, CANDIDATE)
    patches = {
        table: days
        for table in present & set(offered.fingerprints)
        if told.get(table) == offered.comments.get(table)
        and (days := _changed_days(connection, table, offered.fingerprints[table])) is not None
    }
    for table in sorted(present - set(patches)):
        connection.execute(f"drop table {_candidate(table)}")
    # Frees the blocks of the dropped tables, so that the new ones go there and the file does not grow.
    connection.execute(f"checkpoint {CANDIDATE}")
    for table in offered.tables:
        if table in patches:
            _patch(connection, table, offered.fingerprints[table].day_column or "", patches[table])
        elif table not in unchanged:
            connection.execute(f"create schema if not exists {_candidate(table.split('.')[0])}")
            connection.execute(f"create table {_candidate(table)} as from {quoted_table(table)}")
            write_comments(connection, _candidate(table), offered.comments.get(table, ()))


def _changed_days(connection: duckdb.DuckDBPyConnection, table: str, offered: Fingerprint) -> list[date | None] | None:
    """The days whose rows differ from the copied table's; None where writing the whole table costs less."""
    if offered.day_column is None or offered.rows < PATCHED_FROM_ROWS:
        return None
    if _columns(connection, quoted_table(table)) != _columns(connection, _candidate(table)):
        return None
    copied = fingerprint(connection, f"{CANDIDATE}.{table}")
    days = [day for day in offered.days.keys() | copied.days.keys() if offered.days.get(day) != copied.days.get(day)]
    touched = sum(found.days.get(day, (0, 0, 0))[0] for found in (offered, copied) for day in days)
    return days if touched < offered.rows * PATCHED_UP_TO else None


def _columns(connection: duckdb.DuckDBPyConnection, table: str) -> list[tuple[str, str]]:
    described = connection.execute(f"describe select * from {table}").fetchall()
    return [(name, kind) for name, kind, *_ in described]


def _patch(connection: duckdb.DuckDBPyConnection, table: str, day_column: str, days: list[date | None]) -> None:
    """Replace the rows of these days by the warehouse's."""
    condition = f"{quoted(day_column)} in (select unnest($days::date[]))"
    if None in days:
        condition = f"({condition} or {quoted(day_column)} is null)"
    named = {"days": [day for day in days if day is not None]}
    connection.execute(f"delete from {_candidate(table)} where {condition}", named)
    connection.execute(f"insert into {_candidate(table)} from {quoted_table(table)} where {condition}", named)


def _published(
    connection: duckdb.DuckDBPyConnection, folder: Path, table: str, offered: Content, served: Served | None
) -> PublishedTable:
    found = offered.fingerprints.get(table) or fingerprint(connection, f"{CANDIDATE}.{table}")
    row = connection.execute(f"select count(*) from {_candidate(table)}").fetchone()
    if row != (found.rows,):
        raise WarehouseError(f"{table} of the new version", f"has {row} rows instead of {found.rows}", "Publish again.")
    return PublishedTable(rows=found.rows, digest=found.digest, parquet=_mirror(connection, folder, table, served))


def _candidate(name: str) -> str:
    return quoted_table(f"{CANDIDATE}.{name}")


def _mirror(connection: duckdb.DuckDBPyConnection, folder: Path, table: str, served: Served | None) -> StoredFile:
    """The table as Parquet: the served file under a second name where it still holds, else written."""
    schema, name = table.split(".")
    path = folder / schema / f"{name}.parquet"
    path.parent.mkdir(exist_ok=True, mode=0o750)
    if served is not None and served.holds(carried := served.manifest.tables[table].parquet):
        path.hardlink_to(served.folder / carried.path)
        return carried
    location = str(path).replace("'", "''")
    connection.execute(f"copy {_candidate(table)} to '{location}' ({PARQUET})")
    return stored_file(folder, path)
