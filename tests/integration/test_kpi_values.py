"""KPI values of a small random company against the same definitions written down in plain Python.

The company corrects and withdraws lines, delivers late, sells in two currencies and learns rates late: whatever it knew
on a day must decide that day's values.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from pipelines import ops
from pipelines.modelling.stage import prepare as prepare_ml
from pipelines.resources import Warehouse
from pipelines.settings import Settings
from pipelines.transforms import Transforms

# dbt drops its log file without closing it when it is called a second time in one process.
pytestmark = pytest.mark.filterwarnings("ignore:.*dbt[.]log:pytest.PytestUnraisableExceptionWarning")

FIRST = date(2026, 1, 20)
DAYS = 55
AS_OFS = [date(2026, 2, 28), date(2026, 3, 1), *(date(2026, 3, 5) + timedelta(days) for days in range(8))]
BASE = "EUR"
VALUES = ("path:models/kpis,+fct_kpi_values", "dim_kpis", "fct_kpi_values")
Values = dict[tuple[str, date, str, date, date, str, str], tuple[Decimal, Decimal | None, int]]


@dataclass(frozen=True)
class Line:
    """One delivery of an order line."""

    order_id: str
    line_no: int
    ordered_on: date
    customer_id: str | None
    channel_id: str
    quantity: int
    unit_price: Decimal
    discount: Decimal
    currency: str
    status: str
    is_deleted: bool
    delivered_on: date

    @property
    def net(self) -> Decimal:
        return self.quantity * self.unit_price - self.discount

    @property
    def is_revenue(self) -> bool:
        return not (self.quantity > 0 and self.status in ("cancelled", "returned"))


@dataclass(frozen=True)
class Rate:
    rate_on: date
    rate: Decimal
    delivered_on: date


def random_lines(chance: random.Random) -> list[Line]:
    lines = []
    for number in range(160):
        ordered_on = FIRST + timedelta(chance.randrange(DAYS))
        shared = {
            "order_id": f"O{number}",
            "ordered_on": ordered_on,
            "customer_id": chance.choice([*(f"C{n}" for n in range(30)), None]),
            "channel_id": chance.choice(["web", "store"]),
            "currency": chance.choice([BASE, BASE, "USD"]),
        }
        for line_no in range(1, chance.randint(2, 4)):
            line = Line(
                line_no=line_no,
                quantity=chance.choice([1, 2, 3, -1]),
                unit_price=Decimal(chance.randint(100, 9999)) / 100,
                discount=Decimal(chance.choice([0, 0, 50])) / 100,
                status="shipped",
                is_deleted=False,
                delivered_on=ordered_on + timedelta(chance.choice([0, 0, 1, 5])),
                **shared,  # type: ignore[arg-type]
            )
            lines.append(line)
            while chance.random() < 0.4:
                line = corrected(chance, line)
                lines.append(line)
    return lines


def corrected(chance: random.Random, line: Line) -> Line:
    changed: dict[str, Any] = chance.choice(
        [
            {"unit_price": line.unit_price + 1},
            {"status": "cancelled"},
            {"status": "shipped", "quantity": 5},
            {"is_deleted": not line.is_deleted},
            {"customer_id": "C1"},
        ]
    )
    return replace(line, delivered_on=line.delivered_on + timedelta(chance.randint(1, 9)), **changed)


def random_rates(chance: random.Random) -> list[Rate]:
    return [
        Rate(day, Decimal(chance.randint(80, 99)) / 100, day + timedelta(chance.choice([0, 0, 4])))
        for day in (FIRST - timedelta(9) + timedelta(days) for days in range(0, DAYS, 3))
    ]


def known_lines(lines: Iterable[Line], as_of: date) -> list[Line]:
    newest: dict[tuple[str, int], Line] = {}
    for line in lines:
        key = (line.order_id, line.line_no)
        if line.delivered_on <= as_of and (key not in newest or line.delivered_on >= newest[key].delivered_on):
            newest[key] = line
    return [line for line in newest.values() if not line.is_deleted]


def rate_of(rates: Iterable[Rate], line: Line, as_of: date) -> Decimal | None:
    if line.currency == BASE:
        return Decimal(1)
    known = [rate for rate in rates if rate.delivered_on <= as_of and rate.rate_on <= line.ordered_on]
    return max(known, key=lambda rate: rate.rate_on).rate if known else None


def months_before(day: date, count: int) -> date:
    month = day.year * 12 + day.month - 1 - count
    return date(month // 12, month % 12 + 1, 1)


def sales_periods(as_of: date) -> Iterator[tuple[str, date, date]]:
    tomorrow = as_of + timedelta(1)
    for back in range(28):
        yield "day", as_of - timedelta(back), as_of - timedelta(back)
    for back in (1, 2, 3, 4):
        monday = tomorrow - timedelta(tomorrow.weekday() + 7 * back)
        yield "week", monday, monday + timedelta(6)
    for back in (1, 2):
        yield "month", months_before(tomorrow, back), months_before(tomorrow, back - 1) - timedelta(1)
    quarter = months_before(tomorrow, (tomorrow.month - 1) % 3)
    yield "quarter", months_before(quarter, 3), quarter - timedelta(1)
    yield "month_to_date", as_of.replace(day=1), as_of
    yield "quarter_to_date", months_before(as_of, (as_of.month - 1) % 3), as_of
    yield "year_to_date", date(as_of.year, 1, 1), as_of


def expected_sales(lines: list[Line], rates: list[Rate]) -> Values:
    """SAL-01 and SAL-03."""
    values: Values = {}
    for as_of in AS_OFS:
        known = [(line, rate_of(rates, line, as_of)) for line in known_lines(lines, as_of) if line.is_revenue]
        for grain, start, end in sales_periods(as_of):
            segments: dict[tuple[str, str], list[tuple[Line, Decimal]]] = defaultdict(list)
            for line, rate in known:
                if start <= line.ordered_on <= end and rate is not None:
                    segments["all", "all"].append((line, rate))
                    segments["channel_id", line.channel_id].append((line, rate))
            for (kind, segment), members in segments.items():
                net = sum((line.net * rate for line, rate in members), Decimal(0))
                orders = len({line.order_id for line, _ in members if line.quantity > 0})
                place = (as_of, grain, start, end, kind, segment)
                values["SAL-01", *place] = (net, None, len(members))
                if grain != "year_to_date":
                    values["SAL-03", *place] = (net, Decimal(orders), orders)
    return values


def expected_customers(lines: list[Line]) -> Values:
    """CUS-01 and CUS-02."""
    values: Values = {}
    for as_of in AS_OFS:
        for kpi, days in (("CUS-01", 90), ("CUS-02", 365)):
            start = as_of - timedelta(days - 1)
            orders: dict[str, set[str]] = defaultdict(set)
            for line in known_lines(lines, as_of):
                if line.customer_id and line.is_revenue and line.quantity > 0 and start <= line.ordered_on <= as_of:
                    orders[line.customer_id].add(line.order_id)
            repeat = sum(len(of_customer) > 1 for of_customer in orders.values())
            place = (as_of, f"trailing_{days}d", start, as_of, "all", "all")
            buyers = Decimal(len(orders))
            values[kpi, *place] = (
                (buyers, None, len(orders)) if kpi == "CUS-01" else (Decimal(repeat), buyers, len(orders))
            )
    return values


@dataclass(frozen=True)
class Company:
    warehouse: Warehouse
    transforms: Transforms
    lines: list[Line]
    rates: list[Rate]

    def build(self, as_ofs: Iterable[date], *selection: str) -> None:
        with self.warehouse.write() as connection:
            connection.execute("delete from ops.build_scope")
            connection.executemany("insert into ops.build_scope values (?)", [[day] for day in as_ofs])
        results = self.transforms.build(selection)
        assert not [result for result in results if not result.passed and result.status != "no-op"]

    def values(self, *kpis: str) -> Values:
        with self.warehouse.read() as connection:
            rows = connection.execute(
                """
                select
                    kpi_id, as_of, period_grain, period_start, period_end, segment_type, segment_value,
                    numerator, denominator, n
                from reports.fct_kpi_values
                where kpi_id in (select unnest(?))
                """,
                [list(kpis)],
            ).fetchall()
        return {row[:7]: row[7:] for row in rows}

    def everything(self) -> list[tuple[Any, ...]]:
        with self.warehouse.read() as connection:
            return connection.execute("select * from reports.fct_kpi_values order by all").fetchall()


def deliver(warehouse: Warehouse, lines: list[Line], rates: list[Rate]) -> None:
    """Put the records where ingestion puts them, and note their days as stale."""
    profile: Any = SimpleNamespace(
        company="random", title="Random", base_currency=BASE, time_zone="UTC", country="DE", starts_on=FIRST
    )
    with warehouse.write() as connection:
        ops.prepare(connection, profile)
        prepare_ml(connection)
    with warehouse.transaction() as connection:
        connection.executemany(
            """
            insert into raw.order_lines by name
            select
                ? as order_id, ? as line_no, ? as ordered_at, 'P' as product_id, ? as customer_id, ? as channel_id,
                ? as quantity, ? as unit_price, ? as discount_amount, ? as currency, ? as status, ? as is_deleted,
                ? as _delivered_on, 'lines' as _file_id, ? as _record_no
            """,
            [
                [
                    line.order_id, line.line_no, datetime.combine(line.ordered_on, time(12)), line.customer_id,
                    line.channel_id, line.quantity, line.unit_price, line.discount, line.currency, line.status,
                    line.is_deleted, line.delivered_on, number,
                ]
                for number, line in enumerate(lines, start=1)
            ],
        )  # fmt: skip
        connection.executemany(
            """
            insert into raw.exchange_rates by name
            select
                'USD' as from_currency, 'EUR' as to_currency, ? as rate_on, ? as rate, ? as _delivered_on,
                'rates' as _file_id, 1 as _record_no
            """,
            [[rate.rate_on, rate.rate, rate.delivered_on] for rate in rates],
        )
        for feed, amount in (("order_lines", sum(line.net for line in lines)), ("exchange_rates", None)):
            connection.execute(
                f"insert into ops.stale_days select distinct '{feed}', _delivered_on, date '2026-01-01' from raw.{feed}"
            )
            connection.execute(
                f"""
                insert into ops.files by name
                select
                    _file_id as file_id, '{feed}' as feed, _file_id as source_path, '' as content_sha256,
                    0 as delivered_bytes, 'loaded' as status, count(*) as records_seen, count(*) as records_loaded,
                    0 as records_duplicate, 0 as records_quarantined, 0 as records_filtered, ? as amount_loaded,
                    '1' as contract_version, '' as mapping_digest, timestamp '2026-01-01' as ingested_at
                from raw.{feed}
                group by _file_id
                """,
                [amount],
            )


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    chance = random.Random(20260101)
    lines, rates = random_lines(chance), random_rates(chance)
    settings = Settings(home=tmp_path_factory.mktemp("random_company"))
    warehouse = Warehouse(settings)
    deliver(warehouse, lines, rates)
    built = Company(warehouse, Transforms(settings), lines, rates)
    built.build(AS_OFS, "path:seeds", "path:models")
    return built


@pytest.mark.parametrize(
    ("kpis", "expected"),
    [
        (("SAL-01", "SAL-03"), lambda company: expected_sales(company.lines, company.rates)),
        (("CUS-01", "CUS-02"), lambda company: expected_customers(company.lines)),
    ],
)
def test_values_are_what_was_known(
    company: Company, kpis: tuple[str, ...], expected: Callable[[Company], Values]
) -> None:
    wanted = expected(company)
    assert len(wanted) >= 2 * len(AS_OFS)
    assert company.values(*kpis) == wanted


def test_days_computed_again_and_alone_have_the_same_values(company: Company) -> None:
    together = company.everything()
    company.build(AS_OFS[3:4], *VALUES)
    assert company.everything() == together


def test_the_catalogue_says_which_periods_and_segments_there_are(company: Company) -> None:
    with company.warehouse.read() as connection:
        unsaid = connection.execute(
            """
            select distinct kpi_id, period_grain, segment_type
            from reports.fct_kpi_values
            inner join reports.dim_kpis using (kpi_id)
            where not list_contains(string_split(period_grains, ', '), period_grain)
               or not list_contains(string_split(segment_types, ', '), segment_type)
            """
        ).fetchall()
    assert not unsaid
