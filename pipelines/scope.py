"""Which as-of days a stage computes: those asked for, and those whose knowledge changed since they were computed.

A late delivery for an old day changes what was known on every later day, so those days are computed again with it.
That makes the as-of tables independent of the order in which days are loaded.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Literal

import duckdb

Stage = Literal["ml", "reports"]


def open_scope(connection: duckdb.DuckDBPyConnection, stage: Stage, requested: Sequence[date]) -> list[date]:
    """Write the stage's as-of days to `ops.build_scope` and return them, oldest first.

    Grades look back at the vintages of earlier days, and KPIs at both, so a day that is computed for the first time, or
    anew because knowledge changed, makes the stage's later days and all reports from that day on stale too. Days stay
    stale until `close_scope`, so a crash in between leaves them to the next run.
    """
    connection.executemany(
        "insert into ops.as_of_days select ?, ?, true on conflict do nothing", [[stage, day] for day in requested]
    )
    connection.execute(
        """
        update ops.as_of_days set is_stale = true
        where (stage = $stage or stage = 'reports')
          and as_of >= (select min(as_of) from ops.as_of_days where stage = $stage and is_stale)
        """,
        {"stage": stage},
    )
    connection.execute("delete from ops.build_scope")
    connection.execute(
        """
        insert into ops.build_scope
        select as_of from ops.as_of_days where stage = $stage and (is_stale or list_contains($requested, as_of))
        """,
        {"stage": stage, "requested": list(requested)},
    )
    return [row[0] for row in connection.execute("select as_of from ops.build_scope order by as_of").fetchall()]


def close_scope(connection: duckdb.DuckDBPyConnection, stage: Stage, computed: Iterable[date]) -> None:
    """Note that the stage stands for the computed days."""
    connection.executemany(
        "update ops.as_of_days set is_stale = false where stage = ? and as_of = ?",
        [[stage, day] for day in computed],
    )
