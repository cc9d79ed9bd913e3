"""Forecasts that learn from the demand behind stock-outs, and are judged only by what was seen."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from panels import START, long_frame, weekly_panel

from models_ml import engine, metrics
from models_ml.censoring import unconstrain
from models_ml.frames import FrameError
from models_ml.panel import Panel
from pipelines.demo.company import generate

WEEK = np.array([0.6, 0.8, 1.0, 1.1, 1.4, 1.6, 0.5])


def test_fractions_of_whole_goods_are_carried_on_until_they_make_one() -> None:
    history = long_frame(np.array([[2.0, 0.0, 0.0, 1.0], [1.5, 0.0, 2.0, 3.0]])).assign(
        is_censored=[True, True, True, False, True, False, False, False],
        unconstrained_quantity=[2.4, 0.3, 0.4, 1.0, 1.75, 0.0, 2.0, 3.0],
    )
    panel = Panel.of(history, date(2025, 1, 4), 7)
    assert panel.values.tolist() == [[2, 0, 1, 1], [1.75, 0, 2, 3]]
    assert panel.is_whole.tolist() == [True, False]
    assert panel.censored is not None
    assert panel.censored[:, 0].tolist() == [True, True]


@pytest.mark.parametrize("demand", [None, np.inf, 0.5], ids=["null", "infinite", "less than sales"])
def test_demand_that_cannot_be_is_refused(demand: float | None) -> None:
    history = long_frame(np.ones((1, 3))).assign(is_censored=True, unconstrained_quantity=[1.0, 1.0, demand])
    with pytest.raises(FrameError, match="unconstrained_quantity"):
        Panel.of(history, date(2025, 1, 3), 7)


def test_without_a_stock_out_nothing_changes() -> None:
    history = weekly_panel(periods=120)
    told = history.assign(is_censored=False, unconstrained_quantity=history["quantity"])
    origin = history["date"].max().date()
    one, other = (engine.fit(each, origin=origin, horizon=7) for each in (history, told))
    assert one.card() == other.card()
    pd.testing.assert_frame_equal(other.forecast(told, origin), one.forecast(history, origin))


def test_the_engine_is_not_judged_by_days_without_stock() -> None:
    """Three earlier origins of a week each; the last day of all, sold out everywhere, says nothing."""
    history = weekly_panel(periods=120)
    last = history["date"] == history["date"].max()
    sold_out = history.assign(
        quantity=history["quantity"].where(~last, 0.0),
        is_censored=last,
        unconstrained_quantity=history["quantity"],
    )
    origin = history["date"].max().date()
    rows = engine.fit(history, origin=origin, horizon=7).scores["rows"].unique().tolist()
    fewer = engine.fit(sold_out, origin=origin, horizon=7).scores["rows"].unique().tolist()
    assert rows == [3 * 7 * 30]
    assert fewer == [(3 * 7 - 1) * 30]


def test_forecasts_are_not_judged_by_days_without_stock() -> None:
    actuals = long_frame(np.array([[5.0, 5.0, 5.0, 2.0]])).assign(is_censored=[False, False, False, True])
    origin = START + pd.Timedelta(days=1)
    forecasts = pd.DataFrame(
        {"series_id": "s000", "origin": origin, "date": pd.date_range(START, periods=4)[2:], "model": "m"}
    ).assign(horizon=[1, 2], mean=[6.0, 6.0], is_selected=True)
    (found,) = metrics.evaluate(forecasts, actuals, season=7, by=("horizon",)).itertuples()
    assert (found.rows, found.wape, found.bias) == (1, pytest.approx(0.2), pytest.approx(0.2))


@pytest.mark.parametrize("stock", [(0, 1), (0, 12)], ids=["none at all", "too little"])
def test_forecasts_are_of_demand_where_sales_were_cut_short(stock: tuple[int, int]) -> None:
    """Every third day only so much stock as is drawn: what is sold is a fifth less than what is wanted."""
    rng = np.random.default_rng(5)
    level = rng.uniform(4, 30, (40, 1))
    demand = rng.poisson(level * np.resize(WEEK, 210))
    on_hand = np.where(rng.random(demand.shape) < 1 / 3, rng.integers(*stock, demand.shape), 10_000)
    history = long_frame(np.minimum(demand, on_hand)).assign(is_censored=(demand >= on_hand).ravel())
    history = history[(history["quantity"] > 0) | history["is_censored"]]
    origin, wanted = history["date"].max().date(), (level * np.resize(WEEK, 14)).ravel()
    biases, errors = {}, {}
    for name, learnt_from in (("sales", history[["series_id", "date", "quantity"]]), ("demand", unconstrain(history))):
        told = engine.fit(learnt_from, origin=origin, horizon=14).forecast(learnt_from, origin)
        forecast = told[told["is_selected"]].sort_values(["series_id", "horizon"])["mean"].to_numpy()
        biases[name], errors[name] = metrics.bias(forecast, wanted), metrics.wape(forecast, wanted)
    assert biases["sales"] < -0.15
    assert abs(biases["demand"]) < 0.03
    assert errors["demand"] < 0.5 * errors["sales"]


@pytest.mark.slow
def test_the_generators_demand_is_forecast_better_than_from_its_sales(tmp_path: Path) -> None:
    """Where a twentieth and more of demand was lost in the half year before, against the mean that demand came from."""
    truth = generate(tmp_path / "demo", days=3, history_days=400, dirty=False).table("demand").to_pandas()
    truth = truth.assign(
        series_id=truth["product_id"] + "|" + truth["location_id"], date=pd.to_datetime(truth["business_on"])
    )
    told = truth[["series_id", "date"]].assign(
        quantity=truth["sales_units"].astype(float), is_censored=truth["closing_units"] == 0
    )
    # A row where there is something to tell, as the pipeline has them.
    first_kept = told["series_id"].map(told[~told["is_censored"]].groupby("series_id")["date"].min())
    told = told[(told["quantity"] > 0) | told["is_censored"] | (told["date"] == first_kept)]
    origin = truth["date"].max() - pd.Timedelta(days=112)
    known = told[told["date"] <= origin]
    half = truth[(truth["date"] <= origin) & (truth["date"] > origin - pd.Timedelta(days=182))]
    summed = half.groupby("series_id")[["sales_units", "demand_units"]].sum()
    affected = summed.index[summed["sales_units"] < 0.95 * summed["demand_units"]]
    biases, errors = {}, {}
    sales = known.loc[known["quantity"] > 0, ["series_id", "date", "quantity"]]
    for name, learnt_from in (("sales", sales), ("demand", unconstrain(known))):
        model = engine.fit(learnt_from, origin=origin.date(), horizon=14)
        forecasts = model.forecast(learnt_from, origin.date()).merge(truth, on=["series_id", "date"], how="left")
        chosen = forecasts[forecasts["is_selected"] & forecasts["series_id"].isin(affected)]
        mean, expected = chosen["mean"].to_numpy(), chosen["expected_units"].fillna(0).to_numpy()
        biases[name], errors[name] = metrics.bias(mean, expected), metrics.wape(mean, expected)
    assert len(affected) > 30
    assert abs(biases["demand"]) < 0.5 * abs(biases["sales"])
    assert errors["demand"] < 0.9 * errors["sales"]
