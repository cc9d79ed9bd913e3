"""What a version holds: which tables, their digests and comments, and that nothing personal is among them."""

import hashlib
from dataclasses import asdict, dataclass
from datetime import date, datetime

import duckdb

from pipelines.errors import PublishRefusedError
from pipelines.publishing.digest import Fingerprint, fingerprint, quoted, quoted_table
from pipelines.resources import in_transaction
from pipelines.sources.contracts import contracts

SCHEMAS = ("marts", "ml", "reports")
EVIDENCE = ("ops.check_results", "ops.files", "ops.publications", "ops.reconciliation")
# Grows with every publication and so says nothing about whether the content changed.
LOG = "ops.publications"


# Of one table: (column, text), the column None for the table itself.
Comments = tuple[tuple[str | None, str], ...]


@dataclass(frozen=True)
class Content:
    """The tables to publish: their fingerprints (the log has none), their comments, and the digest of it all."""

    tables: tuple[str, ...]
    fingerprints: dict[str, Fingerprint]
    comments: dict[str, Comments]
    digest: str


@dataclass(frozen=True)
class LogEntry:
    """One row of `ops.publications`."""

    version: str
    as_of: date
    content_digest: str
    published_at: datetime
    run_id: str


def content(connection: duckdb.DuckDBPyConnection, as_of: date) -> Content:
    """What the warehouse holds for readers.

    Raises:
        PublishRefusedError: there is nothing to publish, or a table has a personal column.
    """
    tables = published_tables(connection)
    _refuse_personal_columns(connection, tables)
    fingerprints = {table: fingerprint(connection, table) for table in tables if table != LOG}
    digests = sorted((table, found.digest) for table, found in fingerprints.items())
    told = {table: text for table, text in comments(connection, "warehouse").items() if table in tables}
    whole = hashlib.sha256(repr((as_of, digests, sorted(told.items()))).encode()).hexdigest()
    return Content(tables, fingerprints, told, whole)


def published_tables(connection: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    """`schema.table` of every table and view that readers get, sorted."""
    rows = connection.execute(
        """
        select schema_name || '.' || table_name as name, schema_name in (select unnest($schemas)) as is_for_readers
        from (
            select schema_name, table_name from duckdb_tables() where database_name = current_database()
            union all
            select schema_name, view_name from duckdb_views() where database_name = current_database() and not internal
        )
        order by name
        """,
        {"schemas": list(SCHEMAS)},
    ).fetchall()
    if not any(is_for_readers for _, is_for_readers in rows):
        raise PublishRefusedError("warehouse", "holds no table for readers yet", "Run the transforms first.")
    return tuple(name for name, is_for_readers in rows if is_for_readers or name in EVIDENCE)


def _refuse_personal_columns(connection: duckdb.DuckDBPyConnection, tables: tuple[str, ...]) -> None:
    personal = sorted({name for feed in contracts() for name in feed.personal_columns})
    found = connection.execute(
        """
        select schema_name || '.' || table_name || '.' || column_name as place from duckdb_columns()
        where database_name = current_database() and list_contains($tables, schema_name || '.' || table_name)
            and list_contains($personal, lower(column_name))
        order by place
        """,
        {"tables": list(tables), "personal": personal},
    ).fetchall()
    if found:
        raise PublishRefusedError(
            ", ".join(place for (place,) in found),
            "has the name of a personal column of a contract",
            "Leave the column out of the model, or hash it under another name.",
        )


def comments(connection: duckdb.DuckDBPyConnection, catalog: str) -> dict[str, Comments]:
    """The comments of the tables and views of a catalog and of their columns, by `schema.table`."""
    rows = connection.execute(
        """
        select schema_name || '.' || table_name as name, null as column_name, comment, -1 as position
        from duckdb_tables() where database_name = $catalog
        union all
        select schema_name || '.' || view_name, null, comment, -1
        from duckdb_views() where database_name = $catalog and not internal
        union all
        select schema_name || '.' || table_name, column_name, comment, column_index
        from duckdb_columns() where database_name = $catalog and not internal
        order by name, position
        """,
        {"catalog": catalog},
    ).fetchall()
    found: dict[str, Comments] = {}
    for table, column, text, _ in rows:
        if text is not None:
            found[table] = (*found.get(table, ()), (column, text))
    return found


def write_comments(connection: duckdb.DuckDBPyConnection, target: str, told: Comments) -> None:
    """Comment a table, given as SQL, and its columns, in one transaction: one for each costs four times as much."""
    statements = []
    for column, text in told:
        place = f"table {target}" if column is None else f"column {target}.{quoted(column)}"
        literal = text.replace("'", "''")
        statements.append(f"comment on {place} is '{literal}'")
    if not statements:
        return
    with in_transaction(connection):
        connection.execute("; ".join(statements))


def log(connection: duckdb.DuckDBPyConnection, entry: LogEntry, catalog: str) -> None:
    """Add a version to the `ops.publications` of a catalog."""
    connection.execute(
        f"""
        insert into {quoted(catalog)}.{LOG} (version, as_of, content_digest, published_at, run_id)
        values ($version, $as_of, $content_digest, $published_at, $run_id)
        """,
        asdict(entry),
    )


def data_through(connection: duckdb.DuckDBPyConnection, as_of: date) -> date | None:
    """The last delivery day up to `as_of` of which raw rows are there."""
    days = " union all ".join(
        f"select max(_delivered_on) as day from {quoted_table(feed.table)} where _delivered_on <= $as_of"
        for feed in contracts()
    )
    row = connection.execute(f"select max(day) from ({days})", {"as_of": as_of}).fetchone()
    return row[0] if row else None


def check_summary(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """How many stored check outcomes passed, warned and failed."""
    row = connection.execute(
        """
        select count(*) filter (passed), count(*) filter (not passed and not is_blocking),
            count(*) filter (not passed and is_blocking)
        from ops.check_results
        """
    ).fetchone()
    return dict(zip(("passed", "warned", "failed"), row or (0, 0, 0), strict=True))
