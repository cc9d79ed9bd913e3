"""Content digests: whether two tables say the same, whatever order, file or run they came from.

The oracle behind "any order of backfills gives the same tables", and what decides whether a publication changes
anything. Digests compare content; tampering and bit rot are the business of the file hashes in the manifest.
"""

import hashlib

import duckdb

# Columns that say when and by whom a row was written. They differ between two runs that agree on everything else, so
# no digest covers them. This is the only list.
AUDIT_COLUMNS = frozenset(
    {"run_id", "ingested_at", "checked_at", "published_at", "written_at", "released_at", "table_version"}
)
FLOAT_DECIMALS = 6


def quoted(name: str) -> str:
    """The name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def quoted_table(table: str) -> str:
    """`schema.table` or `catalog.schema.table` as SQL identifiers."""
    return ".".join(quoted(part) for part in table.split("."))


def content_digest(connection: duckdb.DuckDBPyConnection, table: str, exclude: frozenset[str] = AUDIT_COLUMNS) -> str:
    """Digest of a table's column names, types and multiset of rows, as 64 hex digits.

    Row and column order do not matter; how often an equal row occurs does. Floats count to FLOAT_DECIMALS decimals,
    everything else exactly. Each row gives two 64-bit hashes over its columns, in name order and in reverse; the digest
    is the SHA-256 of the header and of both sums over all rows. It holds for one major version of DuckDB, which may
    hash differently in the next.

    Args:
        connection: Any connection that sees the table.
        table: `schema.table` or `catalog.schema.table`.
        exclude: Columns left out.
    """
    columns = digested_columns(connection, table, exclude)
    rows = connection.execute(f"select {row_sums(columns)} from {quoted_table(table)}").fetchone()
    return hashlib.sha256(repr((columns, rows)).encode()).hexdigest()


def digests(connection: duckdb.DuckDBPyConnection, schemas: tuple[str, ...]) -> dict[str, str]:
    """`content_digest` of every table and view of these schemas of the current catalog, by `schema.table`."""
    tables = connection.execute(
        """
        select schema_name || '.' || table_name from duckdb_tables() where database_name = current_database()
            and list_contains($schemas, schema_name)
        union all
        select schema_name || '.' || view_name from duckdb_views() where database_name = current_database()
            and list_contains($schemas, schema_name) and not internal
        order by 1
        """,
        {"schemas": list(schemas)},
    ).fetchall()
    return {table: content_digest(connection, table) for (table,) in tables}


def digested_columns(
    connection: duckdb.DuckDBPyConnection, table: str, exclude: frozenset[str] = AUDIT_COLUMNS
) -> list[tuple[str, str]]:
    """(name, type) of the columns a digest covers, by name."""
    described = connection.execute(f"describe select * from {quoted_table(table)}").fetchall()
    return sorted((name, kind) for name, kind, *_ in described if name not in exclude)


def row_sums(columns: list[tuple[str, str]]) -> str:
    """SQL of (rows, sum of hashes, sum of reverse hashes), to be selected from the table."""
    values = [_canonical(name, kind) for name, kind in columns]
    forward, backward = ", ".join(values), ", ".join(reversed(values))
    if not values:
        return "count(*), 0, 0"
    return f"count(*), coalesce(sum(hash({forward})), 0), coalesce(sum(hash(1, {backward})), 0)"


def _canonical(name: str, kind: str) -> str:
    # Adding zero turns -0.0 into 0.0.
    return f"round({quoted(name)}, {FLOAT_DECIMALS}) + 0" if kind in ("DOUBLE", "FLOAT") else quoted(name)
