"""What is measured, in SQL: one row per partition with counts, gaps and rates; never a delivered value.

Each suite is one scan of its relation, restricted to the days that are judged. The relations of the raw stage, which
set a table against the ledger and against its own past, are here too.
"""

from collections.abc import Collection, Mapping
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

    Usual is the median of the same weekday in the weeks before, give or take the largest of: 30 % of it, three median
    absolute deviations, and three times its square root, which is what chance alone does to counts: small feeds stay
    quiet. A day without a delivery counts as none; days before the first one do not count.
    """
    band = (
        f"greatest({VOLUME_SHARE} * usual, {VOLUME_DEVIATIONS} * deviation, "
        f"{VOLUME_DEVIATIONS} * sqrt(greatest(usual, 1)))"
    )
    return f"""(
  with counts as (
    select _delivered_on as counted_on, count(*) as row_count from {feed.table}
    where _delivered_on between (select min({PARTITION}) from judged_days) - {7 * VOLUME_WEEKS}
      and (select max({PARTITION}) from judged_days)
    group by all
  ),
  past as (
    select d.{PARTITION}, coalesce(c.row_count, 0) as row_count
    from (
      select {PARTITION}, {PARTITION} - 7 * cast(week as integer) as past_on
      from judged_days, range(1, {VOLUME_WEEKS + 1}) as weeks(week)
    ) as d
    left join counts as c on c.counted_on = d.past_on
    where d.past_on >= (select min(_delivered_on) from {feed.table})
  ),
  centred as (
    select {PARTITION}, median(row_count) as usual, mad(row_count) as deviation
    from past group by all having count(*) >= {VOLUME_WEEKS_NEEDED}
  )
  select d.{PARTITION}, coalesce(c.row_count, 0) as row_count,
    usual - {band} as usual_from, usual + {band} as usual_to
  from judged_days as d
  left join counts as c on c.counted_on = d.{PARTITION}
  left join centred using ({PARTITION})
)"""


def with_record(fact: str, feed: Contract, figures: Mapping[str, str]) -> str:
    """The fact's rows whose newest version was delivered on a judged day, each beside the raw record it cites.

    Facts hold current knowledge, so a day's rows are those that nothing delivered later has corrected. `record_file`
    is null when there is no such record; `delivered_<name>` are the figures (name -> SQL over the raw row `r`).
    """
    delivered = "".join(f", {sql} as delivered_{name}" for name, sql in figures.items())
    return f"""(
  select f.known_from, {", ".join(f"f.{name}" for name in figures)}, r._file_id as record_file{delivered}
  from {fact} as f
  left join {feed.table} as r
    on r._delivered_on = f.known_from and r._file_id = f.file_id and r._record_no = f.record_no
    and r._delivered_on in (select {PARTITION} from judged_days)
  where f.known_from in (select {PARTITION} from judged_days)
)"""


def unreached(table: str, feed: Contract, key: tuple[str, ...]) -> str:
    """The raw records of judged days whose key is not in the table, though no delivery since has withdrawn it."""
    same = " and ".join(f"t.{name} = {_trimmed(feed, name)}" for name in key)
    withdrawn = " and ".join(f'w."{name}" = r."{name}"' for name in key)
    return f"""(
  select r._delivered_on
  from {feed.table} as r
  where r._delivered_on in (select {PARTITION} from judged_days) and not coalesce(r.is_deleted, false)
    and not exists (select 1 from {table} as t where {same})
    and not exists (
      select 1 from {feed.table} as w where w.is_deleted and w._delivered_on >= r._delivered_on and {withdrawn}
    )
)"""


def _trimmed(feed: Contract, name: str) -> str:
    return f'trim(r."{name}")' if feed.column(name).logical_type == "string" else f'r."{name}"'


def whole(table: str, aggregates: str) -> str:
    """Aggregates over the whole table, once per judged day, for tables that no day is a slice of."""
    return f"(select {PARTITION}, figures.* from judged_days, (select {aggregates} from {table}) as figures)"


def forecast_targets() -> str:
    """The forecasts of the judged as-of days, one row per series and target day."""
    return f"""(
  select as_of, product_id, channel_id, target_on, max(horizon_days) as horizon_days,
    count(*) as rows_here, count(distinct model) as models, count(*) filter (where is_selected) as selected_models
  from ml.demand_forecasts where as_of in (select {PARTITION} from judged_days)
  group by all
)"""


def kpi_values() -> str:
    """The KPI values of the judged as-of days with what the catalogue says of each."""
    return f"""(
  select v.*, k.kpi_id as catalogue_id, k.interval_method
  from reports.fct_kpi_values as v left join reports.dim_kpis as k on k.kpi_id = v.kpi_id
  where v.as_of in (select {PARTITION} from judged_days)
)"""


def members(table: str, member: str) -> str:
    """One row per judged as-of day: its distinct members, and those of the as-of day before it in the table."""
    return f"""(
  with counts as (
    select as_of, count(distinct {member}) as members
    from {table}
    where as_of <= (select max({PARTITION}) from judged_days) and as_of >= (
      select coalesce(max(as_of), date '0001-01-01') from {table}
      where as_of < (select min({PARTITION}) from judged_days)
    )
    group by all
  )
  select d.{PARTITION}, coalesce(c.members, 0) as members, b.members as members_before
  from judged_days as d
  left join counts as c on c.as_of = d.{PARTITION}
  asof left join counts as b on b.as_of < d.{PARTITION}
)"""


def vintages() -> str:
    """`members` of the forecasts, and of days without any whether anything sold in the year before, as known then."""
    counted = members("ml.demand_forecasts", "(product_id, channel_id)")
    return f"""(
  with judged as (
    from {counted}
  ), sold as (
    select j.{PARTITION}, d.product_id, d.channel_id, d.ordered_on
    from judged as j
    inner join intermediate.int_demand_daily_deltas as d
      on d.known_on <= j.{PARTITION} and d.ordered_on <= j.{PARTITION} and d.ordered_on > j.{PARTITION} - 365
    where j.members = 0
    group by all having sum(d.quantity_delta) > 0
  )
  select judged.*, {PARTITION} in (select {PARTITION} from sold) as has_sold
  from judged
)"""
