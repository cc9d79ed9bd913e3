"""Values that stand nowhere else in the world, and the search for them in every byte of a folder.

What is compressed or encoded is searched as it is and as it reads: Parquet and DuckDB column by column, archives member
by member.
"""

import hashlib
import re
import zipfile
from collections import defaultdict
from pathlib import Path

import duckdb

MARK = "zq7x"
CANARY = re.compile(rb"zq7x[0-9a-f]{12}")


def canary(*parts: object) -> str:
    """A text that these parts determine and that no other place holds."""
    return MARK + hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def found_below(folder: Path, *, without: tuple[str, ...] = ()) -> dict[str, set[str]]:
    """{canary: the files it stands in}, paths relative to the folder; names below `without` are left out."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not path.is_file() or name.startswith(without):
            continue
        for value in in_bytes(name.encode()) | in_file(path):
            found[value].add(name)
    return dict(found)


def in_file(path: Path) -> set[str]:
    content = path.read_bytes()
    found = in_bytes(content)
    if content[:4] == b"PAR1":
        with duckdb.connect() as connection:
            found |= in_rows(connection, f"read_parquet('{path}')")
    elif content[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(path) as archive:
            found |= {value for member in archive.namelist() for value in in_bytes(archive.read(member))}
    elif content[8:12] == b"DUCK":
        found |= in_tables(path).keys()
    return found


def in_bytes(content: bytes) -> set[str]:
    """Canaries in bytes, in letters of either case, also where every other byte is a zero, as in UTF-16."""
    lowered = content.lower()
    return {value.decode() for text in (lowered, lowered.translate(None, b"\0")) for value in CANARY.findall(text)}


def in_rows(connection: duckdb.DuckDBPyConnection, table: str) -> set[str]:
    """Canaries in any column of a table, as its values read."""
    rows = connection.execute(
        f"select t::varchar from {table} as t where contains(lower(t::varchar), ?)", [MARK]
    ).fetchall()
    return in_bytes("\n".join(text for (text,) in rows).encode())


def in_tables(path: Path) -> dict[str, set[str]]:
    """{canary: the tables it stands in} of a DuckDB file."""
    found: dict[str, set[str]] = defaultdict(set)
    with duckdb.connect(str(path), read_only=True) as connection:
        for schema, table in connection.execute("select schema_name, table_name from duckdb_tables()").fetchall():
            for value in in_rows(connection, f'"{schema}"."{table}"'):
                found[value].add(f"{schema}.{table}")
    return dict(found)
