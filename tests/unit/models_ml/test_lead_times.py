"""Demand over a lead time against simulation: sums of known distributions, certain and random lead times."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from panels import START, long_frame, weekly_panel
from scipy import stats

from models_ml import engine
from models_ml.calibration import GRID
from models_ml.frames import FrameError, quantile_column
from models_ml.lead_times import correlation_of, lead_time_demand

WANTED = (0.1, 0.5, 0.9, 0.95, 0.99)


def forecasts_of(distributions: list[object], horizon: int = 14) -> pd.DataFrame:
    """A forecast frame whose quantiles are those of one distribution per series, for every period."""
    rows = []
    for number, each in enumerate(distributions):
        quantiles = {quantile_column(level): each.ppf(level) for level in GRID}
        rows += [
            {
                "series_id": f"s{number}",
                "origin": START,
                "horizon": step,
                "model": "one",
                "mean": each.mean(),
                **quantiles,
            }
            for step in range(1, horizon + 1)
        ]
    return pd.DataFrame(rows).assign(is_selected=True)


def told(frame: pd.DataFrame) -> np.ndarray:
    return frame[[quantile_column(level) for level in WANTED]].to_numpy()


@pytest.mark.parametrize("periods", [1, 5, 14])
def test_sums_of_independent_demand(periods: int) -> None:
    means = [0.1, 0.7, 4.0, 60.0]
    found = lead_time_demand(forecasts_of([stats.poisson(mean) for mean in means]), periods, quantiles=WANTED)
    for row, mean in enumerate(means):
        total = stats.poisson(mean * periods)
        assert found["mean"][row] == pytest.approx(mean * periods)
        assert told(found)[row] == pytest.approx(total.ppf(WANTED), abs=max(1.0, 0.15 * total.std()))


def test_sums_of_skewed_demand() -> None:
    sizes = [(0.05, 0.05), (0.5, 0.1), (3.0, 0.2)]
    found = lead_time_demand(forecasts_of([stats.nbinom(*each) for each in sizes]), 10, quantiles=WANTED)
    for row, (size, chance) in enumerate(sizes):
        total = stats.nbinom(10 * size, chance)
        assert told(found)[row, 1:4] == pytest.approx(total.ppf(WANTED)[1:4], abs=max(1.0, 0.2 * total.std()))


def test_demand_that_varies_together_needs_more_stock() -> None:
    """Normal demand of correlation 0.4: the sum of 9 periods has the variance 9 (1 + 8 * 0.4)."""
    found = lead_time_demand(forecasts_of([stats.norm(100, 10)]), 9, quantiles=WANTED, correlation=0.4)
    total = stats.norm(900, 10 * np.sqrt(9 * (1 + 8 * 0.4)))
    assert told(found)[0] == pytest.approx(total.ppf(WANTED), abs=0.1 * total.std())
    apart = lead_time_demand(forecasts_of([stats.norm(100, 10)]), 9, quantiles=WANTED)
    assert apart["q0.99"][0] < found["q0.99"][0]


def test_a_random_lead_time_against_simulation() -> None:
    lead_times = pd.DataFrame({"series_id": "s0", "periods": [2, 5, 12], "probability": [2.0, 5.0, 3.0]})
    forecasts = forecasts_of([stats.poisson(8), stats.poisson(1)])
    found = lead_time_demand(forecasts, lead_times, quantiles=WANTED)
    assert found["series_id"].tolist() == ["s0"]
    rng = np.random.default_rng(1)
    simulated = rng.poisson(8 * rng.choice([2, 5, 12], 400_000, p=[0.2, 0.5, 0.3]))
    assert found["lead_time_mean"][0] == pytest.approx(6.5)
    assert found["mean"][0] == pytest.approx(52.0)
    assert told(found)[0] == pytest.approx(np.quantile(simulated, WANTED), abs=0.08 * simulated.std())


def test_past_the_horizon_the_last_season_repeats() -> None:
    forecasts = forecasts_of([stats.norm(100, 10)], horizon=8)
    forecasts["mean"] = [100.0, 1, 2, 3, 4, 5, 6, 7]
    found = lead_time_demand(forecasts, 10, quantiles=WANTED)
    assert found["mean"][0] == pytest.approx(128 + 1 + 2)


def test_a_lead_time_of_nothing_needs_nothing() -> None:
    found = lead_time_demand(forecasts_of([stats.poisson(8)]), 0, quantiles=WANTED)
    assert found["mean"][0] == 0
    assert (told(found) == 0).all()


@given(st.floats(0.05, 50), st.integers(1, 20), st.floats(0, 0.8))
@settings(max_examples=15, deadline=None)
def test_quantiles_are_whole_ordered_and_grow_with_the_lead_time(mean: float, periods: int, correlation: float) -> None:
    forecasts = forecasts_of([stats.poisson(mean), stats.poisson(3)])
    short, long = (
        lead_time_demand(forecasts, each, quantiles=WANTED, correlation=correlation, paths=300)
        for each in (periods, periods + 1)
    )
    for found in (short, long):
        assert (np.diff(told(found), axis=1) >= 0).all()
        assert (told(found) == np.floor(told(found))).all()
    assert (long["mean"] > short["mean"]).all()


def test_series_do_not_depend_on_each_other() -> None:
    both = lead_time_demand(forecasts_of([stats.poisson(2), stats.poisson(30)]), 5)
    alone = lead_time_demand(forecasts_of([stats.poisson(2)]), 5)
    pd.testing.assert_frame_equal(both[:1], alone)


def test_correlation_is_that_of_the_errors() -> None:
    rng = np.random.default_rng(2)
    common, own = rng.normal(size=(4_000, 1)), rng.normal(size=(4_000, 12))
    assert correlation_of([np.sqrt(0.3) * common + np.sqrt(0.7) * own]) == pytest.approx(0.3, abs=0.03)
    assert correlation_of([own]) == pytest.approx(0.0, abs=0.01)
    assert correlation_of([]) == 0.0
    assert correlation_of([own[:, :1]]) == 0.0


def test_a_models_own_correlation_covers_the_sums_of_drifting_demand() -> None:
    """Series whose level wanders: with the learnt correlation nine of ten sums stay below their 0.9 quantile."""
    rng = np.random.default_rng(3)
    level = 20 * np.exp(np.cumsum(rng.normal(0, 0.05, (150, 300)), axis=1))
    history = long_frame(rng.poisson(level))
    origin = START + pd.Timedelta(days=285)
    model = engine.fit(history, origin=origin.date(), horizon=14, quantiles=GRID)
    assert model.correlation > 0.1
    forecasts = model.forecast(history, origin.date())
    actual = history[history["date"] > origin].groupby("series_id")["quantity"].sum().to_numpy()

    def covered(correlation: float) -> float:
        found = lead_time_demand(forecasts, 14, quantiles=(0.9,), correlation=correlation)
        return float((actual <= found["q0.9"]).mean())

    assert covered(model.correlation) == pytest.approx(0.9, abs=0.06)
    assert covered(0.0) < covered(model.correlation)


def test_steady_demand_is_hardly_correlated() -> None:
    steady = weekly_panel(count=60, periods=250)
    assert engine.fit(steady, origin=(START + pd.Timedelta(days=240)).date(), horizon=7).correlation < 0.1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"periods": [1.5]}, "not whole"),
        ({"periods": [-1]}, "negative"),
        ({"probability": [-0.1]}, "probability"),
    ],
)
def test_a_flaw_is_named(change: dict[str, list[float]], message: str) -> None:
    lead_times = pd.DataFrame({"series_id": ["s0"], "periods": [3]}).assign(**change)
    with pytest.raises(FrameError, match=message):
        lead_time_demand(forecasts_of([stats.poisson(8)]), lead_times)


def test_forecasts_must_be_of_one_origin_with_two_quantiles() -> None:
    forecasts = forecasts_of([stats.poisson(8)])
    with pytest.raises(FrameError, match="several origins"):
        lead_time_demand(pd.concat([forecasts, forecasts.assign(origin=START + pd.Timedelta(days=1))]), 3)
    with pytest.raises(FrameError, match="two quantiles"):
        lead_time_demand(forecasts[["series_id", "origin", "horizon", "mean", "q0.5"]], 3)
    with pytest.raises(FrameError, match="correlation"):
        lead_time_demand(forecasts, 3, correlation=1.0)
