"""The engine as a whole: no peeking, reproducible, one forecast in force, and planted truths found."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from panels import START, long_frame, weekly_panel
from threadpoolctl import threadpool_limits

from models_ml import engine, metrics


def day(number: int) -> date:
    """The date of a column of a generated panel."""
    return (START + pd.Timedelta(days=number)).date()


@pytest.fixture(scope="module")
def panel() -> pd.DataFrame:
    return weekly_panel()


@pytest.fixture(scope="module")
def model(panel: pd.DataFrame) -> engine.Model:
    return engine.fit(panel, origin=day(210), horizon=14)


def poisoned(history: pd.DataFrame, origin: date) -> list[pd.DataFrame]:
    """History whose future is shuffled, multiplied, deleted."""
    future = history["date"] > pd.Timestamp(origin)
    shuffled, multiplied = history.copy(), history.copy()
    shuffled.loc[future, "quantity"] = np.random.default_rng(0).permutation(history.loc[future, "quantity"])
    multiplied.loc[future, "quantity"] *= 1e9
    return [shuffled, multiplied, history[~future]]


@pytest.mark.slow
def test_the_future_cannot_change_a_forecast(panel: pd.DataFrame) -> None:
    for number in (150, 190):
        told = engine.backtest(panel, [day(number)], horizon=7)
        for future in poisoned(panel, day(number)):
            pd.testing.assert_frame_equal(engine.backtest(future, [day(number)], horizon=7), told)


@pytest.mark.slow
def test_the_future_cannot_change_a_forecast_of_a_fitted_model(panel: pd.DataFrame, model: engine.Model) -> None:
    for number in range(211, 231):
        told = model.forecast(panel, day(number))
        for future in poisoned(panel, day(number)):
            pd.testing.assert_frame_equal(model.forecast(future, day(number)), told)


def test_row_order_does_not_matter(panel: pd.DataFrame, model: engine.Model) -> None:
    shuffled = panel.sample(frac=1, random_state=1)
    again = engine.fit(shuffled, origin=day(210), horizon=14)
    pd.testing.assert_frame_equal(again.forecast(shuffled, day(210)), model.forecast(panel, day(210)))


def test_the_number_of_threads_does_not_matter(panel: pd.DataFrame, model: engine.Model) -> None:
    with threadpool_limits(limits=3):
        again = engine.fit(panel, origin=day(210), horizon=14).forecast(panel, day(215))
    pd.testing.assert_frame_equal(again, model.forecast(panel, day(215)), rtol=0, atol=1e-6)


def test_the_seed_matters(panel: pd.DataFrame, model: engine.Model) -> None:
    other = engine.fit(panel, origin=day(210), horizon=14, seed=1).forecast(panel, day(215))
    assert not other["mean"].equals(model.forecast(panel, day(215))["mean"])


def test_frame_is_complete_monotone_and_one_model_speaks(panel: pd.DataFrame, model: engine.Model) -> None:
    forecasts = model.forecast(panel, day(220))
    assert list(forecasts.columns) == [
        "series_id", "origin", "date", "horizon", "model", "mean", "q0.1", "q0.5", "q0.9", "is_selected",
    ]  # fmt: skip
    assert len(forecasts) == 30 * 14 * 3
    assert (forecasts.groupby(["series_id", "date"])["is_selected"].sum() == 1).all()
    assert (forecasts["date"] == forecasts["origin"] + pd.to_timedelta(forecasts["horizon"], unit="D")).all()
    quantiles = forecasts[["q0.1", "q0.5", "q0.9"]].to_numpy()
    assert (quantiles >= 0).all()
    assert (np.diff(quantiles, axis=1) >= 0).all()
    assert np.isfinite(forecasts["mean"]).all()


def test_planted_week_is_found(panel: pd.DataFrame, model: engine.Model) -> None:
    forecasts = model.forecast(panel, day(210))
    trees = forecasts[forecasts["model"] == "trees"]
    by_phase = trees.groupby((trees["date"] - START).dt.days % 7)["mean"].mean()
    planted = np.array([0.6, 0.8, 1.0, 1.1, 1.4, 1.6, 0.5])
    assert by_phase.to_numpy() / by_phase.mean() == pytest.approx(planted, abs=0.08)


def test_planted_growth_is_followed_better_than_by_any_baseline() -> None:
    growing = weekly_panel(growth=0.01)
    scores = metrics.evaluate(engine.backtest(growing, [day(210)]), growing).set_index("model")
    assert abs(scores.loc["trees", "bias"]) < 0.5 * abs(scores.loc["weekday_mean", "bias"])
    assert scores.loc["selected", "wape"] <= scores.loc["weekday_mean", "wape"]


@pytest.mark.slow
def test_the_planted_best_model_wins() -> None:
    rng = np.random.default_rng(4)
    weeks = np.exp(np.cumsum(rng.normal(0, 0.4, (40, 30)), axis=1))
    wandering = long_frame(10 * np.repeat(weeks, 7, axis=1))
    assert engine.fit(wandering, origin=day(202), horizon=7).choice.default == "seasonal_naive"
    own_weeks = np.tile(np.exp(rng.normal(3, 1.5, (40, 7))), 30)
    steady = long_frame(rng.poisson(own_weeks))
    assert engine.fit(steady, origin=day(200), horizon=7).choice.default == "weekday_mean"
    growing = weekly_panel(growth=0.01)
    assert engine.fit(growing, origin=day(200), horizon=28).choice.default == "trees"


def held_out(history: pd.DataFrame) -> pd.DataFrame:
    """Forecasts in force from three origins after the one the model was fitted at, with what came true."""
    forecasts = engine.backtest(
        history,
        [day(number) for number in (248, 276, 302)],
        training_origin=lambda _: day(248),
        quantiles=LEVELS,
        every_model=False,
    )
    return metrics.with_actuals(forecasts[forecasts["is_selected"]], history)


LEVELS = (0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975)


def test_quantiles_cover_what_they_promise_within_two_points() -> None:
    """Demand that is no whole number, so that a quantile can cover just its level."""
    whole = weekly_panel(count=80, periods=331)
    noise = np.random.default_rng(1).gamma(4, 1 / 4, len(whole))
    judged = held_out(whole.assign(quantity=(whole["quantity"] + 1) * noise))
    for level in LEVELS:
        covered = metrics.coverage(judged[f"q{level}"].to_numpy(), judged["actual"].to_numpy())
        assert covered == pytest.approx(level, abs=0.02), level


def test_quantiles_of_rare_whole_demand_are_whole_and_hold_their_level() -> None:
    """Less than the quantile is rarer than its level, and up to it more frequent, within two points."""
    rng = np.random.default_rng(9)
    rate = rng.uniform(0.05, 0.6, (120, 1))
    demand = (rng.random((120, 331)) < rate) * rng.integers(1, 6, (120, 331))
    judged = held_out(long_frame(demand.astype(float)))
    for level in LEVELS:
        quantile, actual = judged[f"q{level}"].to_numpy(), judged["actual"].to_numpy()
        assert (quantile == np.floor(quantile)).all()
        assert (actual < quantile).mean() - 0.02 <= level <= (actual <= quantile).mean() + 0.02, level


def test_a_planted_year_is_found_by_months() -> None:
    rng = np.random.default_rng(7)
    months = np.arange(72)
    mean = rng.uniform(20, 80, (40, 1)) * (1 + 0.6 * np.cos(2 * np.pi * (months - 6) / 12))
    dates = pd.date_range("2019-01-01", periods=72, freq="MS")
    history = pd.DataFrame(
        {
            "series_id": np.repeat([f"s{index:02d}" for index in range(40)], 72),
            "date": np.tile(dates, 40),
            "quantity": rng.poisson(mean).ravel().astype(float),
        }
    )
    forecasts = engine.backtest(history, [date(2023, 12, 1)], horizon=12, season=12)
    scores = metrics.evaluate(forecasts, history, season=12).set_index("model")["wape"]
    assert scores["selected"] < 0.5 * scores["moving_average"]
    assert scores["selected"] < scores["seasonal_naive"]


def test_a_planted_drift_of_the_level_is_followed_by_smoothing() -> None:
    rng = np.random.default_rng(12)
    level = 50 * np.exp(np.cumsum(rng.normal(0, 0.08, (40, 260)), axis=1))
    history = long_frame(level * rng.gamma(30, 1 / 30, level.shape))
    scores = engine.fit(history, origin=day(259), horizon=7).scores.set_index("model")["quantile_loss"]
    assert scores["ses"] < 0.9 * scores["moving_average"]
    assert scores["ses"] < 0.9 * scores["weekday_mean"]


def test_the_combination_is_the_mean_of_its_members(panel: pd.DataFrame, model: engine.Model) -> None:
    told = model.forecast(panel, day(215), every_model=True)
    means = told.pivot_table(index=["series_id", "date"], columns="model", values="mean")
    first, second = model.means.members
    assert means["combination"].to_numpy() == pytest.approx((means[first] + means[second]).to_numpy() / 2)


def test_only_what_matters_is_told_unless_asked(panel: pd.DataFrame, model: engine.Model) -> None:
    few, every = (model.forecast(panel, day(215), every_model=each) for each in (False, True))
    assert set(few["model"]) >= {"seasonal_naive", "weekday_mean", "trees"}
    assert (every.groupby("model").size() == 30 * 14).all()
    pd.testing.assert_frame_equal(
        few[few["is_selected"]].reset_index(drop=True), every[every["is_selected"]].reset_index(drop=True)
    )


def test_degenerate_series_behave_as_declared() -> None:
    values = np.random.default_rng(5).poisson(10, (12, 400)).astype(float)
    values[0] = 0
    values[1, :-1] = 0
    values[2, 150:] = 0
    values[3, -20:] *= 1e6
    names = ["zero", "one_row", "discontinued", "exploding", *[f"plain{index}" for index in range(8)]]
    first = [0, 399, *[0] * 10]
    history = long_frame(values, first=first, names=names)
    forecasts = engine.backtest(history, [day(399)], horizon=14)
    spoken = forecasts[forecasts["is_selected"]].set_index("series_id")
    assert (spoken.loc[["zero", "discontinued"], ["mean", "q0.9"]] == 0).all(axis=None)
    assert 0 < spoken.loc["one_row", "mean"].mean() < 20
    assert spoken.loc["exploding", "mean"].max() <= 6 * 1e6 * values[3, :-20].max()
    assert np.isfinite(forecasts[["mean", "q0.1", "q0.9"]]).all(axis=None)


def test_gaps_are_periods_without_demand(panel: pd.DataFrame) -> None:
    gappy = panel.assign(quantity=np.where(np.arange(len(panel)) % 5 == 0, 0.0, panel["quantity"]))
    assert len(gappy[gappy["quantity"] > 0]) < len(gappy)
    firsts = gappy["date"] == START
    absent = gappy[(gappy["quantity"] > 0) | firsts]
    told = engine.backtest(gappy, [day(200)], horizon=7)
    pd.testing.assert_frame_equal(engine.backtest(absent, [day(200)], horizon=7), told)


def test_a_new_series_starts_as_its_analogues_do() -> None:
    rng = np.random.default_rng(2)
    values = np.vstack([rng.poisson(20, (10, 200)), rng.poisson(2, (10, 200)), np.zeros((2, 200))])
    values[20:, -1] = 1
    history = long_frame(values, first=[0] * 20 + [199] * 2)
    kinds = ["fast"] * 10 + ["slow"] * 10 + ["fast", "slow"]
    labels = dict(zip(sorted(history["series_id"].unique()), kinds, strict=True))
    history["kind"] = history["series_id"].map(labels)
    forecasts = engine.backtest(history, [day(199)], horizon=7)
    means = forecasts[forecasts["is_selected"]].groupby("series_id")["mean"].mean()
    assert means["s020"] > 10
    assert means["s021"] < 4


@pytest.mark.parametrize("rows", [0, 1, 5, 20])
def test_a_short_panel_is_forecast_by_the_baseline(rows: int) -> None:
    history = weekly_panel(count=2, periods=20)
    history = history[history["date"] < START + timedelta(days=rows)]
    forecasts = engine.backtest(history, [day(19)], horizon=3)
    assert len(forecasts) == (2 * 3 * forecasts["model"].nunique() if rows else 0)
    assert forecasts.loc[forecasts["is_selected"].astype(bool), "model"].isin(["weekday_mean"]).all()


def test_without_evidence_quantiles_are_exponential() -> None:
    history = long_frame(np.full((1, 3), 10.5))
    spoken = engine.backtest(history, [day(2)], horizon=1, quantiles=[0.5])
    spoken = spoken[spoken["is_selected"]]
    assert spoken["q0.5"].item() == pytest.approx(10.5 * np.log(2))
