"""Grades in SQL equal `models_ml.metrics` on the same rows, and a backfill of vintages equals the engine's backtest."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models_ml import engine, metrics
from models_ml.frames import DATE, SERIES
from pipelines.modelling.grades import GRADED_DAYS, SEASON
from tests.promises.demand import FIRST, HORIZON, LAST, LEVELS, VERSIONS, Shop, made_demand, open_shop

pytestmark = pytest.mark.slow  # five weeks of vintages are computed for them

DAYS = [LAST - timedelta(days=back) for back in range(35, -1, -1)]
QUANTILES = (0.1, 0.5, 0.9)
KEY = ["series_id", "origin", "horizon", "model"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Demand of ten series known on its own day, and products that never change: one history to compare with."""
    demand = made_demand(7)
    prompt = demand[demand["quantity_delta"] > 0].assign(known_on=lambda rows: rows["ordered_on"])
    opened = open_shop(tmp_path_factory.mktemp("graded") / "home", prompt, series=50)
    opened.run(f"delete from {VERSIONS} where known_to is null", f"update {VERSIONS} set known_to = null")
    # Stock never runs out, as far as is told: demand is sales.
    opened.run(f"delete from {LEVELS}")
    opened.forecast(DAYS)
    return opened


@pytest.fixture(scope="module")
def history(shop: Shop) -> pd.DataFrame:
    with shop.warehouse.read() as connection:
        return connection.execute(
            """
            select product_id || chr(31) || channel_id as series_id, product_id, channel_id, ordered_on as date,
                sum(quantity_delta)::double as quantity, category
            from intermediate.int_demand_daily_deltas join intermediate.int_products_versioned using (product_id)
            group by all order by all
            """
        ).df()


@pytest.fixture(scope="module")
def vintages(shop: Shop) -> pd.DataFrame:
    """All vintages as the engine's forecast frame."""
    with shop.warehouse.read() as connection:
        return connection.execute(
            """
            select product_id || chr(31) || channel_id as series_id, as_of::timestamp_s as origin,
                target_on::timestamp_s as date, horizon_days as horizon, model, mean,
                p10 as "q0.1", p50 as "q0.5", p90 as "q0.9", is_selected
            from ml.demand_forecasts order by origin, series_id, horizon, model
            """
        ).df()


def query(shop: Shop, sql: str) -> pd.DataFrame:
    with shop.warehouse.read() as connection:
        return connection.execute(sql).df()


def graded_window(vintages: pd.DataFrame) -> pd.DataFrame:
    first = pd.Timestamp(LAST - timedelta(days=GRADED_DAYS - 1))
    return vintages[(vintages[DATE] >= first) & (vintages[DATE] <= pd.Timestamp(LAST))]


def test_a_backfill_of_vintages_is_a_backtest(shop: Shop, history: pd.DataFrame, vintages: pd.DataFrame) -> None:
    """Vintages of past days, made in one run with the future open, are what the engine says from those origins."""
    chosen = [DAYS[0], DAYS[10], DAYS[-1]]
    told = engine.backtest(
        history,
        chosen,
        training_origin=lambda day: engine.training_origin(day, FIRST),
        horizon=HORIZON,
        quantiles=QUANTILES,
        seed=shop.settings.seed,
        country=shop.profile.country,
    )
    found = vintages[vintages["origin"].isin([pd.Timestamp(day) for day in chosen])]
    merged = told.merge(found, on=KEY, suffixes=("", "_found"), validate="one_to_one")
    assert len(merged) == len(found) >= 3 * 10 * HORIZON * 3
    for name in ("mean", "q0.1", "q0.5", "q0.9"):
        np.testing.assert_allclose(merged[f"{name}_found"], merged[name], rtol=1e-9, atol=1e-9)
    assert (merged["is_selected"] == merged["is_selected_found"]).all()


def test_sums_and_ratios_are_those_of_the_metrics(shop: Shop, history: pd.DataFrame, vintages: pd.DataFrame) -> None:
    due = graded_window(vintages)
    told = metrics.evaluate(due, history, by=("model", "horizon")).set_index(["model", "horizon"])
    found = query(
        shop,
        f"""
        select model, horizon_days as horizon, sum(n) as rows, sum(actual_quantity)::double as actual,
            sum(abs_error_quantity) / sum(actual_quantity) as wape,
            sum(forecast_quantity - actual_quantity) / sum(actual_quantity) as bias,
            2 * sum(pinball_quantity) / 3 / sum(actual_quantity) as wql
        from ml.forecast_accuracy where as_of = '{LAST}' group by all
        """,
    ).set_index(["model", "horizon"])
    assert set(told.index.get_level_values("model")) >= {"selected", "trees", "seasonal_naive"}
    joined = told.join(found.add_suffix("_found"), how="outer")
    for name in found.columns:
        # A bias is the small rest of large sums, which are stored with so many decimals.
        np.testing.assert_allclose(joined[f"{name}_found"], joined[name], rtol=1e-6, atol=1e-9)


def test_quantiles_are_counted_below_and_up_to(shop: Shop, history: pd.DataFrame, vintages: pd.DataFrame) -> None:
    """By pandas; demand of whole units often lies on its quantile, which is in one count of the two."""
    due = metrics.with_actuals(graded_window(vintages), history)
    found = query(shop, f"select * from ml.forecast_accuracy where as_of = '{LAST}' and model <> 'selected'")
    for level in QUANTILES:
        told, name = due[f"q{level:g}"], f"p{round(100 * level)}"
        counts = [found[f"{place}_{name}_count"].sum() for place in ("below", "up_to")]
        assert counts == [(due["actual"] < told).sum(), (due["actual"] <= told).sum()]
        assert counts[0] < counts[1]
    inside = due["actual"].between(due["q0.1"], due["q0.9"]).sum()
    assert found["inside_interval_count"].sum() == inside


def test_the_scale_is_of_the_history_before_the_graded_days(
    shop: Shop, history: pd.DataFrame, vintages: pd.DataFrame
) -> None:
    before = LAST - timedelta(days=GRADED_DAYS)
    scales = metrics.seasonal_scales(history, before, season=SEASON).set_index(SERIES)
    due = graded_window(vintages)
    due = due[due["is_selected"]].merge(
        history.rename(columns={"quantity": "actual"})[["series_id", "date", "actual"]], how="left"
    )
    error = due["mean"] - due["actual"].fillna(0)
    ones = due["series_id"].map(scales["absolute_scale"]), due["series_id"].map(scales["square_scale"])
    told = {"mase": error.abs().sum() / ones[0].sum(), "rmsse": float(np.sqrt((error**2).sum() / ones[1].sum()))}
    found = query(
        shop,
        f"""
        select sum(scaled_abs_error_quantity) / sum(abs_scale_quantity) as mase,
            sqrt(sum(scaled_square_error) / sum(square_scale)) as rmsse
        from ml.forecast_accuracy where as_of = '{LAST}' and model = 'selected'
        """,
    ).iloc[0]
    assert found["mase"] == pytest.approx(told["mase"], rel=1e-5)
    assert found["rmsse"] == pytest.approx(told["rmsse"], rel=1e-4)


def test_value_added_compares_the_same_rows(shop: Shop) -> None:
    """These models forecast every series, so the difference of the models' own grades is the value added."""
    found = query(
        shop,
        f"""
        with graded as (
            select model, horizon_days, sum(abs_error_quantity) as error, sum(pinball_quantity) as loss, sum(n) as n
            from ml.forecast_accuracy where as_of = '{LAST}' group by all
        )
        select sum(v.naive_abs_error_quantity) - any_value(naive.error) as errors,
            sum(v.naive_pinball_quantity) - any_value(naive.loss) as losses, sum(v.n) - any_value(naive.n) as rows,
            sum(v.abs_error_quantity) - any_value(mine.error) as own
        from ml.forecast_value_added as v
        join graded as naive on naive.model = 'seasonal_naive' and naive.horizon_days = v.horizon_days
        join graded as mine on mine.model = v.model and mine.horizon_days = v.horizon_days
        where v.as_of = '{LAST}' and v.model in ('selected', 'trees', 'weekday_mean') group by v.model, v.horizon_days
        """,
    )
    assert len(found) == 3 * HORIZON
    assert (found == 0).all().all()


def test_the_tracking_signal_nets_series_within_a_day(
    shop: Shop, history: pd.DataFrame, vintages: pd.DataFrame
) -> None:
    due = graded_window(vintages)
    due = due[due["is_selected"] & (due["horizon"] == 7)]
    actual = history.groupby("date")["quantity"].sum()
    error = due.groupby("date")["mean"].sum() - actual.reindex(due["date"].unique()).fillna(0)
    (found,) = query(
        shop,
        f"from ml.forecast_tracking where as_of = '{LAST}' and model = 'selected' and horizon_days = 7",
    ).to_dict("records")
    assert found["days"] == GRADED_DAYS
    assert float(found["error_quantity"]) == pytest.approx(error.sum(), abs=1e-3)
    assert found["tracking_signal"] == pytest.approx(error.sum() / error.abs().mean(), rel=1e-4)


def test_series_are_graded_once_a_month_and_add_up_to_the_whole(shop: Shop) -> None:
    found = query(shop, "select distinct as_of::varchar as day from ml.forecast_accuracy_series order by 1")
    assert found["day"].tolist() == ["2026-06-30", str(LAST)]
    found = query(
        shop,
        f"""
        select sum(mine.abs_error_quantity) = any_value(whole.error) and sum(mine.n) = any_value(whole.n)
        from ml.forecast_accuracy_series as mine, (
            select sum(abs_error_quantity) as error, sum(n) as n from ml.forecast_accuracy
            where as_of = '{LAST}' and model = 'selected'
        ) as whole
        where mine.as_of = '{LAST}'
        """,
    )
    assert bool(found.iloc[0, 0])


def test_a_company_without_a_past_learns_every_night_of_its_first_month(tmp_path: Path) -> None:
    """Its profile starts before anything is delivered: no model of nothing serves the rest of the month."""
    begun = FIRST + timedelta(days=3)
    demand = made_demand(7)
    opened = open_shop(tmp_path / "home", demand[demand["known_on"] >= begun])
    opened.forecast([FIRST, begun, begun + timedelta(days=1)])
    told = query(opened, "select as_of, trained_on, data_rows > 0 as has_learnt from ml.model_registry order by as_of")
    assert told["as_of"].dt.date.tolist() == [begun, begun + timedelta(days=1)]
    assert told["trained_on"].tolist() == told["as_of"].tolist()
    assert told["has_learnt"].all()
    assert query(opened, "select distinct as_of, trained_on from ml.demand_forecasts order by as_of").equals(
        told[["as_of", "trained_on"]]
    )
