"""Builds the files of one version beside the served one: the DuckDB file and its Parquet mirror.

What did not change is not encoded again: the DuckDB file starts as a copy of the served one in which only tables with
another digest or other comments are written anew, and the Parquet files of the rest are the served ones under a second
name. The bytes that are carried over are checked against the served manifest first.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pipelines.errors import WarehouseError
from pipelines.publishing.contents import Content, LogEntry, comments, log, write_comments
from pipelines.publishing.digest import content_digest, quoted_table
from pipelines.publishing.versions import DATABASE, Manifest, PublishedTable, StoredFile, stored_file, sync

CANDIDATE = "candidate"
PARQUET = "format parquet, compression zstd, parquet_version v2"


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
    copied = served if served is not None and served.holds(served.manifest.database) else None
    if copied is not None:
        shutil.copyfile(copied.folder / copied.manifest.database.path, database)
    with _attached(connection, database):
        unchanged = _unchanged(connection, offered, copied)
        _write_tables(connection, offered, unchanged)
        log(connection, entry, CANDIDATE)
        tables = {
            table: PublishedTable(
                rows=_rows(connection, table),
                digest=offered.digests.get(table) or content_digest(connection, f"{CANDIDATE}.{table}"),
                parquet=_mirror(connection, folder, table, served if table in unchanged else None),
            )
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
    connection.execute(f"attach '{location}' as {CANDIDATE}")
    try:
        yield
        connection.execute(f"checkpoint {CANDIDATE}")
    finally:
        connection.execute(f"detach {CANDIDATE}")
    log = database.with_name(database.name + ".wal")
    if log.exists():
        raise WarehouseError(str(log), "is left after a checkpoint", "Publish again; report this if it comes back.")


def _unchanged(connection: duckdb.DuckDBPyConnection, offered: Content, copied: Served | None) -> frozenset[str]:
    """The tables of the copied file that already say what is offered, comments included."""
    if copied is None:
        return frozenset()
    told = comments(connection, CANDIDATE)
    return frozenset(
        table
        for table, digest in offered.digests.items()
        if table in copied.manifest.tables
        and copied.manifest.tables[table].digest == digest
        and told.get(table) == offered.comments.get(table)
    )


def _write_tables(connection: duckdb.DuckDBPyConnection, offered: Content, unchanged: frozenset[str]) -> None:
    present = connection.execute(
        "select schema_name || '.' || table_name from duckdb_tables() where database_name = ?", [CANDIDATE]
    ).fetchall()
    for (table,) in present:
        if table not in unchanged:
            connection.execute(f"drop table {_candidate(table)}")
    # Frees the blocks of the dropped tables, so that the new ones go there and the file does not grow.
    connection.execute(f"checkpoint {CANDIDATE}")
    for table in offered.tables:
        if table not in unchanged:
            connection.execute(f"create schema if not exists {_candidate(table.split('.')[0])}")
            connection.execute(f"create table {_candidate(table)} as from {quoted_table(table)}")
            write_comments(connection, _candidate(table), offered.comments.get(table, ()))


def _candidate(name: str) -> str:
    return quoted_table(f"{CANDIDATE}.{name}")


def _rows(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    row = connection.execute(f"select count(*) from {_candidate(table)}").fetchone()
    return int(row[0]) if row else 0


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
