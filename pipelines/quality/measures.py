"""What is measured, in SQL: one row per partition with counts, gaps and rates; never a delivered value.

Each suite is one scan of its relation, restricted to the days that are judged. The relations of the raw stage, which
set a table against the ledger and against its own past, are here too.
"""

from collections.abc import Collection
from datetime import date

import duckdb
import pandas as pd

from pipelines.quality.rules import Rule, Suite
from pipelines.sources.contracts import Contract

PARTITION = "partition_on"
LOADED = "('loaded', 'loaded_with_quarantine')"
# A weekday is compared with itself over so many weeks, once there are so many of them.
VOLUME_WEEKS = 8
VOLUME_WEEKS_NEEDED = 4
VOLUME_SHARE = 0.3
VOLUME_DEVIATIONS = 3


def measure(connection: duckdb.DuckDBPyConnection, suite: Suite, partitions: Collection[date]) -> pd.DataFrame:
    """One row per partition: `partition_on` and a float column per measure, null where a value could not be had.

    Violations are also given per label (`label_column`). A partition without rows has 0 of everything.

    Raises:
        duckdb.Error: the relation cannot be read, for instance because the table was never built.
    """
    columns = {name: sql for rule in suite.rules for name, sql in _aggregates(rule).items()}
    selected = ",\n    ".join(f'cast({sql} as double) as "{name}"' for name, sql in columns.items())
    measured = ", ".join(f'if(m.{PARTITION} is null, 0, m."{name}") as "{name}"' for name in columns)
    sql = f"""
with judged_days as (select unnest($days) as {PARTITION}),
m as (
  select {suite.partition_column} as {PARTITION},
    {selected}
  from {suite.relation} as scanned
  where {suite.partition_column} in (select {PARTITION} from judged_days)
  group by 1
)
select d.{PARTITION}, {measured} from judged_days as d left join m on m.{PARTITION} = d.{PARTITION} order by 1"""
    frame = connection.execute(sql, {"days": sorted(partitions)}).df()
    frame[PARTITION] = pd.to_datetime(frame[PARTITION]).dt.date
    for rule in suite.rules:
        if rule.violations:
            frame[rule.name] = frame[[label_column(rule, label) for label in rule.violations]].sum(axis=1)
    return frame


def label_column(rule: Rule, label: str) -> str:
    """The measure that counts the violations of one label of a rule."""
    return f"{rule.name}: {label}"


def _aggregates(rule: Rule) -> dict[str, str]:
    counted = {label_column(rule, label): f"count(*) filter (where {sql})" for label, sql in rule.violations.items()}
    return {**rule.aggregates, **counted}


def ledger(feed: Contract) -> str:
    """One row per judged day and file: what the ledger, the quarantine and the table say of it.

    A file whose records carry their own delivery days counts on each of the days it has rows on, with its totals.
    """
    amount = f"sum({feed.control_amount})" if feed.control_amount else "null"
    return f"""(
  with touched as (
    select _delivered_on, _file_id, count(*) as rows_here, {amount} as amount_here
    from {feed.table} where _delivered_on in (select {PARTITION} from judged_days) group by all
  ),
  spread as (
    select file_id from ops.files
    where feed = '{feed.feed}' and delivered_on is null and file_id in (select _file_id from touched)
  ),
  whole as (
    select _file_id, count(*) as rows_here, {amount} as amount_here
    from {feed.table} where _file_id in (select file_id from spread) group by all
  ),
  refused as (
    select file_id, count(*) as records from ops.quarantine
    where feed = '{feed.feed}' and record_no is not null and status = 'open' group by all
  ),
  named as (
    select delivered_on as {PARTITION}, file_id from ops.files
    where feed = '{feed.feed}' and delivered_on in (select {PARTITION} from judged_days)
    union
    select _delivered_on, _file_id from touched
  )
  select n.{PARTITION}, f.*,
    coalesce(f.status in {LOADED}, false) as is_loaded,
    coalesce(w.rows_here, t.rows_here, 0) as rows_here,
    coalesce(w.amount_here, t.amount_here) as amount_here,
    coalesce(r.records, 0) as refused_here
  from named as n
  left join ops.files as f on f.file_id = n.file_id
  left join touched as t on t._file_id = n.file_id and t._delivered_on = n.{PARTITION}
  left join whole as w on w._file_id = n.file_id
  left join refused as r on r.file_id = n.file_id
)"""


def volumes(feed: Contract) -> str:
    """One row per judged day: its rows, and the rows its weekday usually has.

    Usual is the median of the same weekday in the weeks before, give or take 30 % of it or three median absolute
    deviations, whichever is more. A day without a delivery counts as none; days before the first one do not count.
    """
    weeks = f"range(1, {VOLUME_WEEKS + 1})"
    return f"""(
  with counts as (
    select _delivered_on as counted_on, count(*) as row_count from {feed.table}
    where _delivered_on between (select min({PARTITION}) from judged_days) - {7 * VOLUME_WEEKS}
      and (select max({PARTITION}) from judged_days)
    group by all
  ),
  past as (
    select d.{PARTITION}, coalesce(c.row_count, 0) as row_count
    from judged_days as d, unnest({weeks}) as weeks(week)
    left join counts as c on c.counted_on = cast(d.{PARTITION} - 7 * week as date)
    where d.{PARTITION} - 7 * week >= (select min(_delivered_on) from {feed.table})
  ),
  centred as (
    select {PARTITION}, median(row_count) as usual, mad(row_count) as deviation
    from past group by all having count(*) >= {VOLUME_WEEKS_NEEDED}
  )
  select d.{PARTITION}, coalesce(c.row_count, 0) as row_count,
    usual - greatest({VOLUME_SHARE} * usual, {VOLUME_DEVIATIONS} * deviation) as usual_from,
    usual + greatest({VOLUME_SHARE} * usual, {VOLUME_DEVIATIONS} * deviation) as usual_to
  from judged_days as d
  left join counts as c on c.counted_on = d.{PARTITION}
  left join centred using ({PARTITION})
)"""
