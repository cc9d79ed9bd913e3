"""The versions of what stands in the warehouse: every write of a partition of a table gives it a new one.

A check outcome names the version it judged; the gate (`gate`) compares.
"""

from collections.abc import Iterable
from datetime import date
from uuid import uuid4

import duckdb

from pipelines.settings import audit_time

# The version of a partition that no step ever wrote, such as a day without a file.
UNWRITTEN = "unwritten"
Versions = dict[tuple[str, date], str]


def stamp_versions(
    connection: duckdb.DuckDBPyConnection, tables: Iterable[str], partitions: Iterable[date], version: str
) -> None:
    """Note that the partitions of the tables (schema.table) get a new version now.

    Call it in the transaction that writes, or before a write that has no transaction of ours (dbt), so that no crash
    can leave new rows under an old verdict. `version` names the writer, as a run id does; a suffix makes every call a
    new version, so a retry under the same run id is one too.
    """
    connection.execute(
        """
        insert into ops.table_versions
        select table_name, partition_on, $version, $written_at
        from unnest(cast($tables as varchar[])) as t(table_name), unnest(cast($partitions as date[])) as p(partition_on)
        on conflict do update set version = excluded.version, written_at = excluded.written_at
        """,
        {
            "tables": sorted(set(tables)),
            "partitions": sorted(set(partitions)),
            "version": f"{version}/{uuid4().hex[:12]}",
            "written_at": audit_time(),
        },
    )


def standing_versions(connection: duckdb.DuckDBPyConnection) -> Versions:
    """The version that stands, per table and partition."""
    rows = connection.execute("select table_name, partition_on, version from ops.table_versions").fetchall()
    return {(table, day): version for table, day, version in rows}
