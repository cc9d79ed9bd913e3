"""Content digests: whether two tables say the same, whatever order, file or run they came from.

The oracle behind "any order of backfills gives the same tables", and what decides whether a publication changes
anything. Digests compare content; tampering and bit rot are the business of the file hashes in the manifest.
"""

import hashlib
from dataclasses import dataclass
from datetime import date

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


@dataclass(frozen=True)
class Fingerprint:
    """What a table says, in sums per day.

    `columns` are (name, type) of what is covered, by name; `day_column` is the table's first DATE column, None where it
    has none; `days` maps each of its days to (rows, sum of hashes, sum of hashed hashes).
    """

    columns: tuple[tuple[str, str], ...]
    day_column: str | None
    days: dict[date | None, tuple[int, int, int]]

    @property
    def rows(self) -> int:
        return sum(rows for rows, _, _ in self.days.values())

    @property
    def digest(self) -> str:
        totals = [sum(sums) for sums in zip(*self.days.values(), strict=True)]
        return hashlib.sha256(repr((self.columns, totals)).encode()).hexdigest()


def fingerprint(
    connection: duckdb.DuckDBPyConnection, table: str, exclude: frozenset[str] = AUDIT_COLUMNS
) -> Fingerprint:
    """The fingerprint of `schema.table` or `catalog.schema.table`, without the columns to exclude."""
    described = connection.execute(f"describe select * from {quoted_table(table)}").fetchall()
    columns = tuple(sorted((name, kind) for name, kind, *_ in described if name not in exclude))
    day_column = next((name for name, kind, *_ in described if kind == "DATE"), None)
    values = [_canonical(name, kind) for name, kind in columns]
    day = quoted(day_column) if day_column else "null"
    rows = connection.execute(
        f"""
        select day, count(*), sum(hashed), sum(hash(hashed, 1))
        from (select {day} as day, hash({", ".join(values)}) as hashed from {quoted_table(table)})
        group by day
        """
    ).fetchall()
    return Fingerprint(columns, day_column, {day: tuple(sums) for day, *sums in rows})


def content_digest(connection: duckdb.DuckDBPyConnection, table: str, exclude: frozenset[str] = AUDIT_COLUMNS) -> str:
    """Digest of a table's column names, types and multiset of rows, as 64 hex digits.

    Row and column order do not matter; how often an equal row occurs does. Floats count to FLOAT_DECIMALS decimals,
    everything else exactly. Each row gives a 64-bit hash over its columns in name order; the digest is the SHA-256 of
    the header, the number of rows and two sums over all rows, of the hashes and of their hashes, so that no two changes
    even out. It holds for one version of DuckDB; the next may hash differently.

    Args:
        connection: Any connection that sees the table.
        table: `schema.table` or `catalog.schema.table`.
        exclude: Columns left out.
    """
    return fingerprint(connection, table, exclude).digest


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


def _canonical(name: str, kind: str) -> str:
    # Adding zero turns -0.0 into 0.0.
    return f"round({quoted(name)}, {FLOAT_DECIMALS}) + 0" if kind in ("DOUBLE", "FLOAT") else quoted(name)
