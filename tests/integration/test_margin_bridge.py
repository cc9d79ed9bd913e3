"""The bridge of reports.rpt_margin_bridge adds up to the last digit, whatever was sold.

The compiled model runs on sales that hypothesis draws: products that come and go, channels that end, returns that
exceed the sales of a month, lines without a cost, several currencies at rates that move.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.settings import DBT_PROJECT, Settings, export_for_dbt
from pipelines.transforms import free_the_warehouse

AS_OF = date(2026, 3, 5)
EFFECTS = (
    "volume", "mix", "price", "cost", "currency", "channel", "new_product", "discontinued_product", "one_period_only"
)  # fmt: skip
TABLES = """
    attach ':memory:' as warehouse;
    use warehouse;
    create schema ops; create schema kpis;
    create table ops.build_scope as select date '2026-03-05' as as_of;
    create table ops.as_of_days as select 'reports' as stage, date '2026-03-05' as as_of, false as is_stale;
    create table ops.company as select 'EUR' as base_currency;
    create table kpis.known_product_lives (
        as_of date, product_id varchar, category varchar, discontinued_on date, first_sold_on date, last_sold_on date,
        company_first_sold_on date
    );
    create table kpis.known_sales_daily (
        as_of date, product_id varchar, channel_id varchar, currency varchar, business_on date,
        rate_to_base decimal(28, 12), lines_with_cost bigint, units_sold decimal(38, 3), units_returned decimal(38, 3),
        units_with_cost decimal(38, 3), net_amount decimal(38, 4), net_amount_with_cost decimal(38, 4),
        cost_amount decimal(38, 4)
    );
    alter table kpis.known_sales_daily add column net_amount_base decimal(38, 16);
    alter table kpis.known_sales_daily add column net_amount_with_cost_base decimal(38, 16);
    alter table kpis.known_sales_daily add column cost_amount_base decimal(38, 16);
"""


@dataclass(frozen=True)
class Sold:
    """What was sold of a product through a channel on a day, and what came back."""

    product: str
    channel: str
    currency: str
    day: date
    rate: Decimal
    sold: int
    returned: int
    price: Decimal
    cost: Decimal | None

    @property
    def row(self) -> tuple[Any, ...]:
        units, rate = self.sold - self.returned, Decimal(1) if self.currency == "EUR" else self.rate
        net = units * self.price
        costed = self.cost is not None
        return (
            AS_OF, self.product, self.channel, self.currency, self.day, rate, int(costed), self.sold, self.returned,
            units if costed else 0, net, net if costed else 0, units * (self.cost or 0),
        )  # fmt: skip


amounts = st.decimals(min_value="0.01", max_value="99999.9999", places=4)
sales = st.lists(
    st.builds(
        Sold,
        product=st.sampled_from("ABCDE"),
        channel=st.sampled_from(["web", "store"]),
        currency=st.sampled_from(["EUR", "USD"]),
        day=st.dates(date(2025, 12, 1), date(2026, 2, 28)),
        rate=st.decimals(min_value="0.5", max_value="2", places=6),
        sold=st.integers(0, 1000),
        returned=st.integers(0, 1200),
        price=amounts,
        cost=st.none() | amounts,
    ),
    min_size=1,
    max_size=25,
)


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The model's SQL as dbt compiles it for a first build."""
    from dbt.cli.main import dbtRunner

    home = tmp_path_factory.mktemp("bridge")
    export_for_dbt(Settings(home=home))
    folders = ("--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT), "--target-path", str(home))
    outcome = dbtRunner().invoke(
        ["--quiet", "--log-level-file", "none", "compile", "--select", "rpt_margin_bridge", *folders]
    )
    free_the_warehouse()
    assert outcome.success, outcome.exception
    (sql,) = (result.node.compiled_code for result in outcome.result.results if result.node.name == "rpt_margin_bridge")
    assert isinstance(sql, str)
    return sql


@pytest.fixture(scope="module")
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute(TABLES)
        yield connection


def fill(connection: duckdb.DuckDBPyConnection, sold: list[Sold]) -> None:
    connection.execute("truncate kpis.known_sales_daily; truncate kpis.known_product_lives")
    connection.executemany(
        "insert into kpis.known_sales_daily values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0)",
        [each.row for each in sold],
    )
    connection.execute(
        """
        update kpis.known_sales_daily set
            net_amount_base = net_amount * rate_to_base,
            net_amount_with_cost_base = net_amount_with_cost * rate_to_base,
            cost_amount_base = cost_amount * rate_to_base;
        insert into kpis.known_product_lives
        select
            any_value(as_of), product_id, case when product_id < 'C' then 'Tea' end,
            case when product_id = 'B' then date '2026-01-31' end, min(business_on), max(business_on), date '2025-12-01'
        from kpis.known_sales_daily group by product_id;
        """
    )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(sold=sales)
def test_the_effects_sum_to_the_change_exactly(
    bridge: str, warehouse: duckdb.DuckDBPyConnection, sold: list[Sold]
) -> None:
    fill(warehouse, sold)
    table = f"({bridge}) as bridge"
    effects = [f"{effect}_effect_base" for effect in EFFECTS]
    rows = warehouse.execute(
        f"""
        select comparison, period_start, measure, segment_type, segment_value, compared_amount_base, period_amount_base,
            {", ".join(effects)}
        from {table}
        """
    ).fetchall()
    for row in rows:
        assert sum(row[7:], row[5]) == row[6], row
    totals: dict[tuple[Any, ...], list[Decimal]] = {}
    for row in rows:
        parts = totals.setdefault((*row[:4],), [Decimal(0)] * (len(effects) + 2))
        totals[(*row[:4],)] = [part + value for part, value in zip(parts, row[5:], strict=True)]
    for (comparison, start, measure, _), values in totals.items():
        assert values == totals[comparison, start, measure, "all"]


def test_months_end_and_begin_with_what_was_sold(bridge: str, warehouse: duckdb.DuckDBPyConnection) -> None:
    """January 10 x 2 and 5 x 4, February 10 x 2 and nothing of the other, which the master discontinued."""
    january, february = date(2026, 1, 10), date(2026, 2, 10)
    fill(
        warehouse,
        [
            Sold("A", "web", "EUR", january, Decimal(1), 10, 0, Decimal(2), Decimal(1)),
            Sold("B", "web", "EUR", january, Decimal(1), 5, 0, Decimal(4), Decimal(1)),
            Sold("A", "web", "EUR", february, Decimal(1), 10, 0, Decimal(2), Decimal(1)),
        ],
    )
    (row,) = warehouse.execute(
        f"""
        select compared_amount_base, discontinued_product_effect_base, change_base, period_amount_base, products_in_both
        from ({bridge}) as bridge
        where period_start = date '2026-02-01' and measure = 'net_revenue' and segment_type = 'all'
        """
    ).fetchall()
    assert row == (Decimal(40), Decimal(-20), Decimal(-20), Decimal(20), 1)
