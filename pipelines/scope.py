"""Which as-of days a stage computes: those asked for, and those whose knowledge changed since they were computed.

A late delivery for an old day changes what was known on every later day, so those days are computed again with it.
That makes the as-of tables independent of the order in which days are loaded.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Literal

import duckdb

Stage = Literal["ml", "reports"]
# Reports meet every as-of day with all rows known then. A year of as-of days at once took 0.9 GB more than one of them
# where it was 46 million such rows, and nothing more where it was 11 million.
ROWS_AT_ONCE = 12_000_000


def mark_stale(connection: duckdb.DuckDBPyConnection, first_on: date) -> None:
    """Note that what was known from this delivery day on has changed."""
    connection.execute("update ops.as_of_days set is_stale = true where as_of >= ? and not is_stale", [first_on])


def settle_days(connection: duckdb.DuckDBPyConnection, taken_up: Sequence[tuple[str, date]]) -> None:
    """Clear the marks of stale (feed, delivery day)s that the transforms have taken up.

    As-of days may have been computed, and called current, between the delivery and now: by a run of the later stages
    alone, or beside this one. They did not know these days, so they are marked once more.
    """
    if not taken_up:
        return
    mark_stale(connection, min(day for _, day in taken_up))
    feeds, days = zip(*taken_up, strict=True)
    connection.execute(
        """
        delete from ops.stale_days where (feed, delivered_on) in (
            select (unnest(cast($feeds as varchar[])), unnest(cast($days as date[])))
        )
        """,
        {"feeds": list(feeds), "days": list(days)},
    )


def open_scope(connection: duckdb.DuckDBPyConnection, stage: Stage, requested: Sequence[date]) -> list[date]:
    """Write the stage's as-of days to `ops.build_scope` and return them, oldest first.

    Grades look back at the vintages of earlier days, and KPIs at both, so a day that is computed for the first time, or
    anew because knowledge changed, makes the stage's later days and all reports from that day on stale too. A day that
    is forecast is reported as well: until then nothing may be published, not by another run either. Days stay stale
    until `close_scope`, so a crash in between leaves them to the next run.
    """
    connection.execute(
        """
        insert into ops.as_of_days
        select distinct stages.stage, days.as_of, true
        from unnest([$stage, 'reports']) as stages (stage), unnest(cast($requested as date[])) as days (as_of)
        on conflict do nothing
        """,
        {"stage": stage, "requested": list(requested)},
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


def in_parts(connection: duckdb.DuckDBPyConnection, days: Sequence[date]) -> list[Sequence[date]]:
    """The days of an open scope, oldest first, in parts that may be computed at once; at least one, if without a day.

    A company of millions of order lines computes day by day what a small one computes at once. Every day reads what the
    days before it left, never what comes after it, so parts in this order end in the same tables.
    """
    known = connection.execute(
        """
        select
            (select count(*) from intermediate.int_order_lines_versioned)
            + (select count(*) from intermediate.int_inventory_levels_versioned)
        """
    ).fetchone()
    size = max(1, ROWS_AT_ONCE // max(1, known[0] if known else 1))
    return [days[start : start + size] for start in range(0, len(days), size)] or [days]


def narrow_scope(connection: duckdb.DuckDBPyConnection, days: Sequence[date]) -> None:
    """Leave only these days in `ops.build_scope`: those of the part that is computed next."""
    connection.execute("delete from ops.build_scope")
    connection.execute("insert into ops.build_scope select unnest(cast($days as date[]))", {"days": list(days)})


def close_scope(connection: duckdb.DuckDBPyConnection, stage: Stage, computed: Iterable[date]) -> None:
    """Note that the stage stands for the computed days."""
    connection.execute(
        "update ops.as_of_days set is_stale = false "
        "where stage = $stage and list_contains(cast($days as date[]), as_of)",
        {"stage": stage, "days": list(computed)},
    )
