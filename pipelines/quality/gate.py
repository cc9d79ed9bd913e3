"""The gate: nothing is published unless every blocking check passed on the very version of the data that stands.

One rule serves all stages. `ops.table_versions` holds, per table and partition (delivery day, or as-of day), the
version that a step wrote last. A blocking check must have a passed outcome for each of these, and the outcome must name
that version. A night stamps only the partitions it writes, so older outcomes stay good for partitions that nobody
touched; a write that nobody judged leaves a version that no outcome names.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

import duckdb
import pyarrow as pa

from pipelines.errors import PublishRefusedError
from pipelines.publishing.contents import SCHEMAS

Problem = Literal["missing", "failed", "stale", "unwritten", "unstamped", "unwatched", "behind"]
REMEDIES: Mapping[Problem, str] = {
    "missing": "The check never ran on this partition: run the step that writes the table again, its checks with it.",
    "failed": "Look at what was observed, correct delivery or rule, and run the day again: `opscope run --date DAY`.",
    "stale": "The table was written after it was checked: run its step again, and it is checked as it stands.",
    "unwritten": "No step ever wrote the table for this partition: `opscope run --date DAY` does.",
    "unstamped": "Rows stand in the table that no step vouched for: run the day again, `opscope run --date DAY`.",
    "unwatched": "No blocking check looks at the table: drop it if its model is gone, else give the model a test.",
    "behind": "Deliveries came in that the table does not hold yet: `opscope run --date DAY` takes them in.",
}
SHOWN_REFUSALS = 20
# Tables whose rows carry their partition; others are judged by the partitions their steps stamped.
PARTITION_COLUMNS = ("_delivered_on", "as_of")


@dataclass(frozen=True)
class Refusal:
    """One reason not to publish. `check_name` is empty where the table itself is the matter."""

    problem: Problem
    asset: str
    partition_on: date | None
    check_name: str = ""
    observed: str = ""

    def __str__(self) -> str:
        subject = f"{self.asset}.{self.check_name}" if self.check_name else self.asset
        day = f" on {self.partition_on}" if self.partition_on else ""
        observed = f" ({self.observed})" if self.observed else ""
        return f"{self.problem}: {subject}{day}{observed}"


def require_publishable(
    connection: duckdb.DuckDBPyConnection, as_of_days: Iterable[date], expected: Mapping[str, Iterable[str]]
) -> None:
    """Let a publication pass or refuse it.

    Args:
        connection: To the warehouse.
        as_of_days: The as-of days the publication stands for; every as-of table must have been written for them.
        expected: The closed list of blocking checks per table (`checks.expected_checks`).

    Raises:
        PublishRefusedError: a blocking check is missing, failed or stale, or a table is not what was judged. The
            message names each with table, partition, observation and remedy; the version served before stays.
    """
    found = refusals(connection, as_of_days, expected)
    if not found:
        return
    shown = [str(refusal) for refusal in found[:SHOWN_REFUSALS]]
    if len(found) > SHOWN_REFUSALS:
        shown.append(f"and {len(found) - SHOWN_REFUSALS} more")
    remedies = dict.fromkeys(REMEDIES[refusal.problem] for refusal in found)
    raise PublishRefusedError(
        "publication", f"refused for {len(found)} reason(s)\n  " + "\n  ".join(shown), " ".join(remedies)
    )


def refusals(
    connection: duckdb.DuckDBPyConnection, as_of_days: Iterable[date], expected: Mapping[str, Iterable[str]]
) -> list[Refusal]:
    """All reasons not to publish, in the order of table, partition and check; empty when there are none."""
    days = sorted(set(as_of_days))
    checks = [(asset, check) for asset, names in sorted(expected.items()) for check in sorted(names)]
    listed = pa.table({"asset": [asset for asset, _ in checks], "check_name": [check for _, check in checks]})
    connection.register("expected_checks", listed)
    try:
        found = [
            *_unjudged(connection),
            *_unwritten(connection, days),
            *_unstamped(connection),
            *_unwatched(connection),
            *_behind(connection),
        ]
    finally:
        connection.unregister("expected_checks")
    return sorted(found, key=lambda each: (each.asset, each.partition_on or date.min, each.check_name))


def _unjudged(connection: duckdb.DuckDBPyConnection) -> list[Refusal]:
    rows = connection.execute(
        """
        select
            case when r.passed is null then 'missing' when r.table_version <> v.version then 'stale' else 'failed' end,
            e.asset, v.partition_on, e.check_name, concat_ws(': ', nullif(r.observed, ''), nullif(r.message, ''))
        from expected_checks as e
        join ops.table_versions as v on v.table_name = e.asset
        left join ops.check_results as r
            on r.asset = e.asset and r.check_name = e.check_name and r.partition_on = v.partition_on
        where r.passed is null or r.table_version <> v.version or not r.passed
        """
    ).fetchall()
    return [Refusal(*row) for row in rows]


def _unwritten(connection: duckdb.DuckDBPyConnection, as_of_days: list[date]) -> list[Refusal]:
    """Tables that no step wrote at all, and as-of tables that lack a day the publication stands for.

    A raw table is never written where the company has no such feed.
    """
    never = connection.execute(
        """
        select distinct asset from expected_checks
        where asset not like 'raw.%' and asset not in (select table_name from ops.table_versions)
        """
    ).fetchall()
    lacking = connection.execute(
        """
        select tables.asset, d.as_of
        from (select distinct asset from expected_checks) as tables, unnest(cast($days as date[])) as d(as_of)
        where tables.asset in (select table_schema || '.' || table_name from information_schema.columns
                               where column_name = 'as_of' and table_schema <> 'ops')
          and tables.asset in (select table_name from ops.table_versions)
          and not exists (from ops.table_versions as v where v.table_name = tables.asset and v.partition_on = d.as_of)
        """,
        {"days": as_of_days},
    ).fetchall()
    return [*(Refusal("unwritten", row[0], None) for row in never), *(Refusal("unwritten", *row) for row in lacking)]


def _unstamped(connection: duckdb.DuckDBPyConnection) -> list[Refusal]:
    """Rows of a partition that no step stamped: what wrote them went past the checks."""
    partitioned = connection.execute(
        """
        select distinct e.asset, c.column_name
        from expected_checks as e
        join information_schema.columns as c
            on c.table_schema || '.' || c.table_name = e.asset and list_contains($columns, c.column_name)
        join information_schema.tables as t
            on t.table_schema = c.table_schema and t.table_name = c.table_name and t.table_type = 'BASE TABLE'
        """,
        {"columns": list(PARTITION_COLUMNS)},
    ).fetchall()
    found = []
    for asset, column in partitioned:
        rows = connection.execute(
            f"""
            select distinct "{column}" from {asset}
            where "{column}" is null
               or "{column}" not in (select partition_on from ops.table_versions where table_name = $asset)
            """,
            {"asset": asset},
        ).fetchall()
        found += [Refusal("unstamped", asset, day) for (day,) in rows]
    return found


def _unwatched(connection: duckdb.DuckDBPyConnection) -> list[Refusal]:
    """Tables that readers would get and no blocking check looks at, such as one whose model was deleted."""
    rows = connection.execute(
        """
        select table_schema || '.' || table_name as name from information_schema.tables
        where list_contains($schemas, table_schema) and name not in (select asset from expected_checks)
        """,
        {"schemas": list(SCHEMAS)},
    ).fetchall()
    return [Refusal("unwatched", name, None) for (name,) in rows]


def _behind(connection: duckdb.DuckDBPyConnection) -> list[Refusal]:
    """Deliveries that the transforms, and as-of days that the forecasts or reports, have not taken up yet."""
    waiting = connection.execute("select 'raw.' || feed, delivered_on from ops.stale_days").fetchall()
    outdated = connection.execute("select stage, as_of from ops.as_of_days where is_stale").fetchall()
    return [Refusal("behind", *row) for row in [*waiting, *outdated]]
