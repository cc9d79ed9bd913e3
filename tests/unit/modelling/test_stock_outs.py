"""Demand behind stock-outs, from locations to channels: shares, memory and knowledge by hand; and their grades."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest

from pipelines.modelling.context import Context
from pipelines.modelling.stock_outs import REMEMBERED_DAYS
from tests.promises.demand import FIRST, HORIZON, LAST, LEVELS, Shop, made_demand, open_shop

SOLD_DAYS = 100
OUT_ON = FIRST + timedelta(days=SOLD_DAYS)
LINES = "intermediate.int_order_lines_versioned"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """One product at one location, 6 units a day on the web and 2 in the store, until stock runs out for good."""
    days = [FIRST + timedelta(days=number) for number in range(SOLD_DAYS)]
    rows = [("P1", channel, day, day, units) for day in days for channel, units in (("web", 6), ("store", 2))]
    demand = pd.DataFrame(rows, columns=["product_id", "channel_id", "ordered_on", "known_on", "quantity_delta"])
    opened = open_shop(tmp_path_factory.mktemp("stock") / "home", demand)
    opened.run(
        f"create or replace view {LINES} as select 'P1' as product_id, channel_id, 'L' as location_id, ordered_on, "
        "quantity_delta as demand_quantity, known_on as known_from, null::date as known_to "
        "from intermediate.int_demand_daily_deltas",
        f"""
        create or replace table {LEVELS} as
        select
            'P1' as product_id, 'L' as location_id, day::date as measured_on,
            if(day < date '{OUT_ON}', 50, 0)::decimal(18, 3) as quantity_on_hand,
            null::decimal(18, 3) as quantity_allocated, day::date + 1 as known_from, null::date as known_to
        from generate_series(date '{FIRST}', date '{FIRST}' + {SOLD_DAYS + 60}, interval 1 day) as days(day)
        """,
    )
    return opened


@pytest.fixture
def context(shop: Shop) -> Iterator[Context]:
    with shop.warehouse.write() as connection:
        yield Context(connection, shop.settings, shop.profile, first=FIRST, last=LAST)


def censored(context: Context, day: date) -> pd.DataFrame:
    known = context.demand.known(day)
    return known[known["is_censored"]].reset_index(drop=True)


def test_a_stock_out_counts_from_the_day_it_was_told(context: Context) -> None:
    assert censored(context, OUT_ON).empty
    found = censored(context, OUT_ON + timedelta(days=1))
    assert found["date"].dt.date.unique().tolist() == [OUT_ON]


def test_what_a_location_held_back_is_shared_as_its_channels_sell(context: Context) -> None:
    found = censored(context, OUT_ON + timedelta(days=1)).set_index("channel_id")
    assert (found["quantity"] == 0).all()
    # Eight units every day: without stock as many are to be expected.
    assert found["unconstrained_quantity"].sum() == pytest.approx(8, rel=0.02)
    assert found.loc["web", "unconstrained_quantity"] == pytest.approx(3 * found.loc["store", "unconstrained_quantity"])


def test_what_stays_out_is_forgotten(context: Context) -> None:
    """The last sale was the day before; later days still have their row in ml.unconstrained_demand."""
    day = OUT_ON + timedelta(days=50)
    found = censored(context, day)["date"].dt.date
    assert found.max() == OUT_ON - timedelta(days=1) + timedelta(days=REMEMBERED_DAYS)
    assert len(found) == 2 * REMEMBERED_DAYS
    at_location = context.location_demand.known(day)
    assert at_location["is_censored"].sum() == 50


def test_sales_stay_sales(context: Context) -> None:
    known = context.demand.known(OUT_ON + timedelta(days=20))
    open_days = known[~known["is_censored"]]
    assert open_days["quantity"].sum() == 8 * SOLD_DAYS
    assert (open_days["unconstrained_quantity"] == open_days["quantity"]).all()


def test_a_company_that_tells_no_stock_has_sales_alone(tmp_path: Path) -> None:
    opened = open_shop(tmp_path / "home", made_demand(3))
    opened.run(f"delete from {LEVELS}")
    with opened.warehouse.write() as connection:
        known = Context(connection, opened.settings, opened.profile, first=FIRST, last=LAST).demand.known(LAST)
    assert len(known) > 0
    assert not known["is_censored"].any()
    assert known["unconstrained_quantity"].equals(known["quantity"])


@pytest.mark.slow
def test_targets_without_stock_are_counted_and_not_graded(tmp_path: Path) -> None:
    """Of 28 target days of ten series those with stock left, as far as is known, are graded; the others counted."""
    opened = open_shop(tmp_path / "home", made_demand(3), series=50)
    days = [LAST - timedelta(days=back) for back in range(28 + HORIZON, -1, -1)]
    opened.forecast([days[0], days[HORIZON], LAST])
    with opened.warehouse.read() as connection:
        found = connection.execute(
            f"""
            with due as (
                select target_on, product_id, channel_id, horizon_days
                from ml.demand_forecasts
                where is_selected and as_of < date '{LAST}' and target_on between date '{LAST}' - 27 and date '{LAST}'
            ), outs as (
                select product_id, location_id as channel_id, measured_on as target_on from {LEVELS}
                where quantity_on_hand = 0 and known_from <= date '{LAST}'
            )
            select
                (select count(*) from due),
                (select count(*) from due semi join outs using (product_id, channel_id, target_on)),
                (select (sum(n), sum(out_of_stock_count)) from ml.forecast_accuracy
                    where as_of = date '{LAST}' and model = 'selected'),
                (select (sum(n), sum(out_of_stock_count)) from ml.forecast_accuracy_series
                    where as_of = date '{LAST}')
            """
        ).fetchone()
    assert found is not None
    due, out, graded, graded_by_series = found
    assert out > 0
    assert graded == graded_by_series == (due - out, out)
