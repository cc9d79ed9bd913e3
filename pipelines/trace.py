"""From a published row back to the deliveries it is made of: files, records and the text as it was sent.

A row of a fact or dimension leads to every delivered version of its record. A KPI value or a forecast leads to the
files whose rows were known on its as-of day, with how many rows and how much money each gave. Which rows a KPI counts
is read from the KPI's own model. Nothing here writes.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import duckdb

from pipelines.errors import FileRefusedError, OpscopeError
from pipelines.ingestion.loading import Reading, records_at
from pipelines.publishing.digest import quoted, quoted_table
from pipelines.resources import Warehouse
from pipelines.settings import DBT_PROJECT, Settings
from pipelines.sources.contracts import Contract, contract, contracts
from pipelines.sources.landed import LandedCopies
from pipelines.sources.landing import source_of
from pipelines.sources.profiles import load_profile

# Published table -> feed whose records its rows are; both have the key columns of the feed's contract.
RECORDS = {
    "marts.bridge_product_suppliers": "supplier_products",
    "marts.dim_customers": "customers",
    "marts.dim_products": "products",
    "marts.dim_suppliers": "suppliers",
    "marts.fct_feedback": "feedback",
    "marts.fct_inventory_snapshot_daily": "inventory_levels",
    "marts.fct_kpi_targets": "kpi_targets",
    "marts.fct_order_fulfilment": "order_lines",
    "marts.fct_order_lines": "order_lines",
    "marts.fct_purchase_order_lines": "purchase_order_lines",
}
KPI_VALUES = "reports.fct_kpi_values"
FORECASTS = "ml.demand_forecasts"
SUMS = {
    KPI_VALUES: ("kpi_id", "as_of", "period_grain", "period_start", "segment_type", "segment_value"),
    FORECASTS: ("as_of", "product_id", "channel_id"),
}
SHOWN_FILES = 20
# As pipelines.modelling.demand.HISTORY_DAYS; importing it would load the modelling libraries.
FORECAST_HISTORY_DAYS = 731

KNOWN_ROWS = re.compile(
    r"known_rows\(ref\('int_(?P<feed>\w+)_versioned'\), '(?P<day>\w+)', (?P<window>[^}]*?)\) \}\} as (?P<alias>\w+)"
    r"(?:\s+where (?P<where>[^{}]*?)\s*(?=group by|\n\)))?"
)
NUMBER = re.compile(r"set (?P<name>\w+) = (?P<value>\d+)")
# As comparable_year() of the KPI macros.
COMPARABLE_YEAR = timedelta(days=364)
# Segment of a KPI that is said of a member -> what was told of the members, and the column of the rows that names them.
MEMBERS = {
    "category": ("intermediate.int_products_versioned", "product_id"),
    "country_code": ("intermediate.int_customers_versioned", "customer_id"),
}


class TraceError(OpscopeError):
    """What was asked for cannot be traced, or is not there."""


@dataclass(frozen=True)
class Origin:
    """One delivered record, or one delivered file behind a sum.

    `record_no` is None for a file behind a sum, whose `rows` and `amount` (the feed's control amount, in `currency`)
    say what it gave; a file with rows in two currencies is there twice. `raw_text` is the record as delivered, None
    where the landed copy or its source is gone. `source_path` is None in the last lines of a sum, which hold the totals
    over all files, one per currency.
    """

    feed: str
    source_path: str | None
    delivered_on: date | None
    record_no: int | None = None
    rows: int = 1
    amount: Decimal | None = None
    currency: str = ""
    landed_path: str | None = None
    raw_text: str | None = None
    note: str = ""

    def __str__(self) -> str:
        money = f", amount {self.amount:,.4f} {self.currency}".rstrip() if self.amount is not None else ""
        note = f" ({self.note})" if self.note else ""
        if self.source_path is None:
            return f"{self.feed}: {self.rows:,} rows{money} in all{note}"
        where = f"{self.feed}, delivered {self.delivered_on}: {self.source_path}"
        if self.record_no is None:
            return f"{where}: {self.rows:,} rows{money}{note}"
        text = f"\n    {self.raw_text.rstrip()}" if self.raw_text else ""
        return f"{where}, record {self.record_no}{note}{text}\n    {self.landed_path}"


@dataclass(frozen=True)
class Share:
    """Rows of one feed behind a number: those whose `day` lies in [first, last] and that meet the condition."""

    feed: str
    day: str
    first: date
    last: date
    alias: str = "facts"
    condition: str = "true"


def trace(settings: Settings, table: str, key: Sequence[str] | Mapping[str, str]) -> list[Origin]:
    """The deliveries behind a published row, newest first.

    Args:
        settings: Of the installation.
        table: A published table, such as `marts.fct_order_lines`.
        key: `column=value` texts or a mapping, of any columns of the table that single out what is meant; or the values
            of its key in order.

    Returns:
        For facts and dimensions every delivered version of the record; for KPI values and forecasts at most SHOWN_FILES
        files per feed, and the total over all of them as the last line of the feed.

    Raises:
        TraceError: the table is not traceable, the key has another form, or there is no such row; the message shows
            what a key looks like.
    """
    if table not in RECORDS and table not in SUMS:
        known = ", ".join(sorted({*RECORDS, *SUMS}))
        raise TraceError(table, "is computed from other tables or unknown", f"Trace a row of one of: {known}.")
    with Warehouse(settings).read() as connection:
        given = _parsed(connection, table, key)
        if table in RECORDS:
            return _of_record(connection, settings, table, contract(RECORDS[table]), given)
        row = _single_row(connection, table, given)
        shares = _kpi_shares(row) if table == KPI_VALUES else [_forecast_share(row)]
        filters = _segment(row) if table == KPI_VALUES else {name: row[name] for name in ("product_id", "channel_id")}
        return [origin for share in shares for origin in _of_share(connection, settings, share, row["as_of"], filters)]


def _key_columns(table: str) -> tuple[str, ...]:
    return SUMS[table] if table in SUMS else contract(RECORDS[table]).key


def _parsed(
    connection: duckdb.DuckDBPyConnection, table: str, key: Sequence[str] | Mapping[str, str]
) -> dict[str, str]:
    names = _key_columns(table)
    if isinstance(key, Mapping):
        given = dict(key)
    elif key and all("=" in each for each in key):
        given = dict(each.split("=", 1) for each in key)
    else:
        if not key or len(key) > len(names):
            raise _bad_key(connection, table, f"{len(key)} values are no key")
        given = dict(zip(names, key, strict=False))
    known = {name for name, *_ in connection.execute(f"describe {quoted_table(table)}").fetchall()}
    unknown = sorted(set(given) - known)
    if unknown:
        raise _bad_key(connection, table, f"there is no column {', '.join(unknown)}")
    return given


def _bad_key(connection: duckdb.DuckDBPyConnection, table: str, cause: str) -> TraceError:
    """The error that shows what keys of this table look like, by an example from the table where there is one."""
    names = _key_columns(table)
    columns = ", ".join(quoted(name) for name in names)
    example = connection.execute(f"select {columns} from {quoted_table(table)} limit 1").fetchone()
    values = example or tuple(f"<{name}>" for name in names)
    shown = " ".join(f"{name}={value}" for name, value in zip(names, values, strict=True))
    return TraceError(table, cause, f"A key looks like: {shown}")


def _rows(
    connection: duckdb.DuckDBPyConnection, table: str, columns: Sequence[str], given: Mapping[str, str], limit: int
) -> list[tuple[Any, ...]]:
    conditions = " and ".join(f"cast({quoted(name)} as varchar) = ?" for name in given)
    listed = ", ".join(quoted(name) for name in columns)
    return connection.execute(
        f"select distinct {listed} from {quoted_table(table)} where {conditions} order by all limit {limit}",
        list(given.values()),
    ).fetchall()


def _single_row(connection: duckdb.DuckDBPyConnection, table: str, given: Mapping[str, str]) -> dict[str, Any]:
    names = [*SUMS[table], *(["period_end"] if table == KPI_VALUES else [])]
    found = _rows(connection, table, names, given, 2)
    if len(found) != 1:
        raise _bad_key(connection, table, "there is no such row" if not found else "more than one row has this key")
    return dict(zip(names, found[0], strict=True))


def _of_record(
    connection: duckdb.DuckDBPyConnection, settings: Settings, table: str, feed: Contract, given: Mapping[str, str]
) -> list[Origin]:
    keys = _rows(connection, table, feed.key, given, 2)
    if len(keys) > 1:
        raise _bad_key(connection, table, "more than one record has this key")
    # A withdrawn record has left the table, and its deliveries are still there.
    wanted = dict(zip(feed.key, map(str, keys[0]), strict=True)) if keys else dict(given)
    if not keys and set(wanted) != set(feed.key):
        raise _bad_key(connection, table, "there is no such row")
    found = _versions(connection, settings, feed, wanted) or _mentions(connection, settings, feed, wanted)
    if not found:
        raise _bad_key(connection, table, "there is no such row")
    return found


def _versions(
    connection: duckdb.DuckDBPyConnection, settings: Settings, feed: Contract, key: Mapping[str, str]
) -> list[Origin]:
    """Every delivered version of one record, newest knowledge first."""
    conditions = " and ".join(f"cast(r.{quoted(name)} as varchar) = ?" for name in key)
    amount = f"cast({feed.control_amount} as decimal(38, 8))" if feed.control_amount else "null"
    rows = connection.execute(
        f"""
        select f.file_id, f.source_path, f.content_sha256, f.delivered_on, r._delivered_on, r._record_no,
            {amount}, r.is_deleted
        from {feed.table} as r join ops.files as f on f.file_id = r._file_id
        where {conditions} order by r._delivered_on desc, f.source_path desc, r._record_no desc
        """,
        list(key.values()),
    ).fetchall()
    copies = LandedCopies(settings.landed_path)
    origins = []
    for position, (file_id, path, content, file_day, day, number, money, is_deleted) in enumerate(rows):
        landed = copies.path_of(content)
        state = "withdraws the record" if is_deleted else "current" if position == 0 else "replaced later"
        origin = Origin(feed.feed, path, day, number, 1, money, landed_path=str(landed), note=state)
        text = _record_text(settings, feed, origin, file_id, file_day)
        origins.append(replace(origin, raw_text=text))
    return origins


def _record_text(
    settings: Settings, feed: Contract, origin: Origin, file_id: str, delivered_on: date | None
) -> str | None:
    """The record as delivered, from the landed copy; None when its source or the copy is gone."""
    profile = load_profile(settings.profile)
    path, number = origin.source_path or "", origin.record_no or 0
    source = source_of(profile, feed.feed, path)
    landed = LandedCopies(settings.landed_path).folder / (origin.landed_path or "")
    if source is None or not landed.is_file():
        return None
    reading = Reading(file_id, feed, source, profile, landed, path, delivered_on)
    try:
        found = records_at(reading, {number})
    except FileRefusedError:
        return None
    return found[number][1] if number in found else None


def _mentions(
    connection: duckdb.DuckDBPyConnection, settings: Settings, feed: Contract, key: Mapping[str, str]
) -> list[Origin]:
    """Where the members of a dimension that has no record of its own are named: an inferred member comes from facts."""
    if len(key) != 1:
        return []
    ((name, value),) = key.items()
    others = [each for each in contracts() if each != feed and name in {column.name for column in each.columns}]
    found = []
    for other in others:
        condition = f"cast(r.{quoted(name)} as varchar) = $value"
        origins = _by_file(connection, settings, other, f"{other.table} as r", "r", condition, {"value": value})
        named = f"names {name} {value}"
        found += [replace(each, note=f"{named}; {each.note}" if each.note else named) for each in origins]
    return found


def _of_share(
    connection: duckdb.DuckDBPyConnection, settings: Settings, share: Share, as_of: date, filters: Mapping[str, Any]
) -> list[Origin]:
    """The files behind a number, as known at the end of the as-of day."""
    table = f"intermediate.int_{share.feed}_versioned"
    alias = quoted(share.alias)
    columns = {name for name, *_ in connection.execute(f"describe {table}").fetchall()}
    fitting = {name: value for name, value in filters.items() if name in columns}
    conditions = [
        f"{alias}.known_from <= $as_of and ({alias}.known_to is null or {alias}.known_to > $as_of)",
        f"{alias}.{quoted(share.day)} between $first_on and $last_on",
        f"({share.condition})",
        *(f"cast({alias}.{quoted(name)} as varchar) = ${name}" for name in fitting),
    ]
    for name in filters.keys() & MEMBERS.keys():
        conditions.append(_said_of_member(name, alias, share.day))
        fitting[name] = filters[name]
    named = {"as_of": as_of, "first_on": share.first, "last_on": share.last, **fitting}
    return _by_file(
        connection, settings, contract(share.feed), f"{table} as {alias}", alias, " and ".join(conditions), named
    )


def _said_of_member(segment: str, alias: str, day: str) -> str:
    """Condition: the member a row names was told to be in the segment on the row's day, or later for the first time."""
    versions, member = MEMBERS[segment]
    return f"""{alias}.{quoted(member)} in (
        select {member} from (
            select {member}, {segment}, known_from,
                lag(known_from) over (partition by {member} order by known_from) is null as is_first,
                lead(known_from) over (partition by {member} order by known_from) as next_from
            from {versions}
        ) as told
        where told.{segment} = ${segment} and told.known_from <= $as_of
            and (told.is_first or told.known_from <= {alias}.{quoted(day)})
            and (told.next_from is null or told.next_from > {alias}.{quoted(day)})
    )"""


def _by_file(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    feed: Contract,
    relation: str,
    alias: str,
    condition: str,
    named: Mapping[str, Any],
) -> list[Origin]:
    amount = f"cast(sum({feed.control_amount}) as decimal(38, 8))" if feed.control_amount else "null"
    has_currency = "currency" in {column.name for column in feed.columns}
    currency = f"coalesce({alias}.currency, '')" if has_currency else "''"
    day = f"{alias}._delivered_on" if relation.startswith("raw.") else f"{alias}.known_from"
    rows = connection.execute(
        f"""
        with given as (
            select
                {alias}._file_id as file_id, {day} as day, {currency} as currency,
                count(*) as row_count, {amount} as amount
            from {relation} where {condition} group by all
        )
        select f.source_path, given.day, f.content_sha256, given.row_count, given.amount, given.currency
        from given join ops.files as f using (file_id) order by given.day desc, f.source_path desc, given.currency
        """,
        dict(named),
    ).fetchall()
    if not rows:
        return []
    copies = LandedCopies(settings.landed_path)
    shown = [
        Origin(feed.feed, path, day, None, count, money, told, str(copies.path_of(content)))
        for path, day, content, count, money, told in rows[:SHOWN_FILES]
    ]
    files = len({row[:2] for row in rows})
    hidden = files - len({row[:2] for row in rows[:SHOWN_FILES]})
    note = f"{files} files, {hidden} of them not shown" if hidden else f"{files} files"
    return [*shown, *(_total(feed, [row for row in rows if row[5] == told], note) for told in _in_turn(rows))]


def _in_turn(rows: Sequence[tuple[Any, ...]]) -> list[str]:
    """The currencies, that of the most rows last, where a reader looks for the total."""
    counts: dict[str, int] = {}
    for *_, count, _, told in rows:
        counts[told] = counts.get(told, 0) + count
    return sorted(counts, key=lambda told: (counts[told], told))


def _total(feed: Contract, rows: Sequence[tuple[Any, ...]], note: str) -> Origin:
    moneys = [row[4] for row in rows if row[4] is not None]
    total = sum(moneys, Decimal(0)) if moneys else None
    return Origin(feed.feed, None, None, None, sum(row[3] for row in rows), total, rows[0][5], note=note)


def _segment(row: Mapping[str, Any]) -> dict[str, Any]:
    return {} if row["segment_type"] == "all" else {row["segment_type"]: row["segment_value"]}


def _forecast_share(row: Mapping[str, Any]) -> Share:
    as_of: date = row["as_of"]
    return Share("order_lines", "ordered_on", as_of - timedelta(days=FORECAST_HISTORY_DAYS - 1), as_of)


def _kpi_shares(row: Mapping[str, Any]) -> list[Share]:
    """The rows that the model of a KPI selects."""
    name = row["kpi_id"].lower().replace("-", "_")
    models = sorted((DBT_PROJECT / "models" / "kpis").glob(f"*/kpi_{name}_*.sql"))
    if not models:
        raise TraceError(row["kpi_id"], "has no model", "Take the id from reports.dim_kpis.")
    return kpi_shares(models[0].read_text(encoding="utf-8"), row["as_of"], row["period_start"], row["period_end"])


def kpi_shares(model: str, as_of: date, period_start: date, period_end: date) -> list[Share]:
    """The rows behind a KPI value, read from the SQL of its model.

    A model that grades forecasts counts the demand of its period; one that only looks at what came in counts all that
    was known.
    """
    numbers = {found["name"]: int(found["value"]) for found in NUMBER.finditer(model)}
    shares = []
    for found in KNOWN_ROWS.finditer(model):
        window = numbers.get(found["window"].strip(), 0)
        first = min(period_start, as_of - timedelta(days=window - 1)) if window else period_start
        condition = " ".join((found["where"] or "true").split())
        shares.append(Share(found["feed"], found["day"], first, period_end, found["alias"], condition))
    if "ref('known_sales')" in model:
        shares = [Share("order_lines", "ordered_on", period_start, period_end, "lines", "is_revenue")]
    if "comparable_year()" in model:
        shares += [
            replace(share, first=share.first - COMPARABLE_YEAR, last=share.last - COMPARABLE_YEAR) for share in shares
        ]
    if shares:
        return shares
    if "forecast_values(" in model:
        return [Share("order_lines", "ordered_on", period_start, period_end)]
    return [Share(feed.feed, "known_from", date.min, as_of) for feed in contracts()]
