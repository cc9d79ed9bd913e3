"""The engine's parts: calendar, features, calibration, level and choice, each against what a reader can work out."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from panels import long_frame

from models_ml import engine, judging, levels, periods, selection, trees
from models_ml.calibration import Calibration, Errors
from models_ml.features import Snapshot, series_features, target_features
from models_ml.panel import Panel

DAYS = np.array(["2025-12-24", "2025-12-25", "2025-12-26", "2025-12-27"], dtype="datetime64[D]")


def panel_of(values: np.ndarray, *, first: list[int] | None = None) -> Panel:
    history = long_frame(values, first=first)
    return Panel.of(history, history["date"].max().date(), 7)


def test_calendar_knows_weekday_month_end_and_holidays() -> None:
    told = periods.calendar_features(DAYS, periods.DAILY, "DE")
    assert told[:, 0].tolist() == [2, 3, 4, 5]
    assert told[:, 1].tolist() == [23, 24, 25, 26]
    assert told[:, 2].tolist() == [8, 7, 6, 5]
    assert told[:, 4].tolist() == [0, 1, 1, 0]
    assert told[:, 5].tolist() == [1, 0, 0, 5]
    assert told[:, 6].tolist() == [7, 0, 0, 1]


def test_without_the_time_of_year_the_calendar_knows_week_and_month_only() -> None:
    whole, short = (periods.calendar_features(DAYS, periods.DAILY, "DE", of_year=known) for known in (True, False))
    assert (whole[:, 3] == 11).all()
    assert (short[:, 3] == 0).all()
    np.testing.assert_array_equal(np.delete(whole, 3, axis=1), np.delete(short, 3, axis=1))
    assert not periods.calendar_features(DAYS[:1], periods.MONTHLY, None, of_year=False).any()


def test_one_closed_christmas_does_not_empty_the_next_december() -> None:
    """Steady demand, but for a fortnight closed at the end of the only December known."""
    days = pd.date_range("2025-12-01", "2026-11-28")
    values = np.random.default_rng(2).poisson(20.0, (20, len(days))).astype(float)
    values[:, (days >= "2025-12-18") & (days <= "2025-12-31")] = 0.0
    rows = pd.DataFrame(values, index=[f"s{each:02d}" for each in range(20)], columns=days)
    history = rows.rename_axis("series_id").reset_index().melt("series_id", var_name="date", value_name="quantity")
    panel = Panel.of(history, date(2026, 11, 28), 7, reach=14)
    fitted = trees.fit(panel, panel.last, horizon=14, seed=0, country=None)
    assert fitted is not None
    daily = fitted.forecast(Snapshot.at(panel, panel.last), 14).mean(axis=0)
    assert daily == pytest.approx(np.full(14, 20.0), rel=0.1)


def test_means_use_no_more_than_the_series_age() -> None:
    panel = panel_of(np.array([[0.0, 0, 0, 6, 2, 4]]), first=[3])
    snapshot = Snapshot.at(panel, panel.last)
    assert snapshot.mean(28).tolist() == [4.0]
    assert snapshot.mean(2).tolist() == [3.0]


def test_phase_mean_takes_the_same_weekday_only() -> None:
    panel = panel_of(np.arange(21.0)[None, :])
    snapshot = Snapshot.at(panel, 20)
    assert snapshot.phase_mean(21, 2).tolist() == [(14 + 7) / 2]
    assert snapshot.phase_mean(21, 9).tolist() == [7.0]
    assert snapshot.phase_mean(28, 1).tolist() == [14.0]
    assert snapshot.phase_count(21, 9).tolist() == [3]


def test_features_of_a_past_origin_do_not_see_later_columns() -> None:
    values = np.random.default_rng(1).poisson(3, (6, 120)).astype(float)
    poisoned = values.copy()
    poisoned[:, 91:] = 1e9
    told = []
    for numbers in (values, poisoned):
        snapshot = Snapshot.at(panel_of(numbers), 90)
        base = snapshot.base()
        told.append(np.column_stack([series_features(snapshot, base), target_features(snapshot, base, 100)]))
    np.testing.assert_array_equal(told[0], told[1])


def test_segments_by_volume_and_demand_pattern() -> None:
    values = np.zeros((4, 200))
    values[0] = 10
    values[1, ::5] = 5
    values[2, ::5] = np.resize([1.0, 9.0], 40)
    values[3, :10] = 1
    found = selection.segments(Snapshot.at(panel_of(values), 199))
    assert found["abc"].tolist() == ["A", "B", "B", "C"]
    assert found["demand_class"].tolist() == ["smooth", "intermittent", "lumpy", "dead"]
    assert found["xyz"].tolist()[:2] == ["X", "Z"]


def losses(simple: float, complex_: float, rows: int = 500) -> pd.DataFrame:
    return pd.DataFrame({"segment": "A smooth", "origin": [0], "rows": rows, "simple": simple, "complex": complex_})


@pytest.mark.parametrize(("complex_loss", "chosen"), [(0.98, "complex"), (0.995, "simple"), (1.1, "simple")])
def test_a_complex_model_needs_a_margin(complex_loss: float, chosen: str) -> None:
    choice = selection.Choice.of(losses(1.0, complex_loss), ("simple", "complex"), "simple")
    assert choice.default == chosen
    assert choice.by_segment == {"A smooth": chosen}


def test_too_few_errors_choose_the_fallback() -> None:
    choice = selection.Choice.of(losses(1.0, 0.1, rows=20), ("simple", "complex"), "simple")
    assert choice.default == "simple"
    assert not choice.by_segment


def test_a_model_must_add_value_at_more_than_half_of_the_origins() -> None:
    lucky_once = pd.concat([losses(1.0, 1.1), losses(1.0, 1.1), losses(9.0, 1.0)]).assign(origin=[0, 1, 2])
    assert selection.Choice.of(lucky_once, ("simple", "complex"), "simple").default == "simple"
    lucky_twice = pd.concat([losses(1.0, 1.1), losses(1.0, 0.9), losses(9.0, 1.0)]).assign(origin=[0, 1, 2])
    assert selection.Choice.of(lucky_twice, ("simple", "complex"), "simple").default == "complex"


def test_what_has_not_sold_for_a_year_gets_the_choice_over_all() -> None:
    dead = losses(0.1, 0.2).assign(segment="C dead")
    choice = selection.Choice.of(pd.concat([losses(9.0, 1.0), dead]), ("simple", "complex"), "simple")
    assert choice.default == "complex"
    assert choice.by_segment == {"A smooth": "complex"}


def test_a_bias_counts_where_the_quantiles_do_not_show_it() -> None:
    """Two models, one with every mean a third too low: calibration gives both the same quantiles."""
    snapshot = Snapshot.at(panel_of(np.full((1, 40), 9.0)), 20)
    cells = np.zeros(300, dtype=np.int64)
    actual = np.tile([8.0, 10.0], 150)
    kept = judging._Kept(snapshot, np.array(["A smooth"], dtype=object), cells, cells, actual)
    found = {}
    for mean in (9.0, 6.0):
        means = np.full(300, mean)
        errors = Errors(actual, means, np.full(300, 9.0), np.zeros(300), np.zeros(300, dtype=bool))
        found[mean] = judging._segment_losses(kept, Calibration.of(errors), errors).iloc[0]
    assert found[6.0]["loss"] == pytest.approx(found[9.0]["loss"])
    assert found[9.0]["bias"] == 0
    assert found[6.0]["bias"] == 900


def test_where_the_chosen_model_gives_no_number_the_baseline_speaks() -> None:
    chosen = np.array(["trees", "trees", "gone"], dtype=object)
    means = {"weekday_mean": np.ones((3, 2)), "trees": np.array([[1.0, np.nan], [2.0, 2.0], [3.0, 3.0]])}
    speakers = engine._speakers(chosen, means, "weekday_mean")
    assert speakers.tolist() == [["trees", "weekday_mean"], ["trees", "trees"], ["weekday_mean", "weekday_mean"]]


def test_calibration_finds_the_quantiles_of_each_bin() -> None:
    rng = np.random.default_rng(8)
    mean = np.repeat([2.0, 50.0], 20_000)
    actual = rng.poisson(mean).astype(float)
    learnt = Calibration.of(Errors(actual, mean, mean, np.zeros(len(mean)), np.zeros(len(mean), dtype=bool)))
    at = np.array([2.0, 50.0])
    told = learnt.quantiles(at, at, np.zeros(2), levels=(0.1, 0.5, 0.9))
    assert told == pytest.approx(np.array([[0, 2, 4], [41, 50, 59]]), abs=1e-6)
    between = learnt.quantiles(at, at, np.zeros(2), levels=(0.925,))[1, 0]
    assert told[1, 2] < between < learnt.quantiles(at, at, np.zeros(2), levels=(0.95,))[1, 0]


@pytest.mark.parametrize("mean", [0.3, 2.0, 9.0])
def test_whole_demand_has_the_quantiles_of_its_own_distribution(mean: float) -> None:
    """The smallest whole number that a Poisson stays at or below with at least the level's probability."""
    stats = pytest.importorskip("scipy.stats")
    known = np.full(100_000, mean)
    actual = np.random.default_rng(8).poisson(known).astype(float)
    errors = Errors(actual, known, known, np.zeros(len(known)), np.ones(len(known), dtype=bool))
    levels = (0.05, 0.3, 0.72, 0.9, 0.975)
    one = np.array([mean])
    told = Calibration.of(errors).quantiles(one, one, np.zeros(1), is_whole=True, levels=levels)[0]
    np.testing.assert_array_equal(told, stats.poisson.ppf(levels, mean))


def test_the_few_large_series_of_a_small_company_have_quantiles_of_their_own() -> None:
    """120 series of up to three units a day and four of 25, which share their errors with some of the others.

    Over ten companies, as 336 errors leave much to chance. What the cell shares bends the median by four points.
    """
    levels = np.array([0.1, 0.5, 0.9])
    below, up_to = [], []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        means = np.repeat(np.concatenate([rng.uniform(0.1, 3, 120), np.full(4, 25.0)]), 3 * 28)
        dispersion, whole = np.repeat(rng.random(124), 3 * 28), np.ones(len(means), dtype=bool)
        learnt = Calibration.of(Errors(rng.poisson(means).astype(float), means, means, dispersion, whole))
        large, held_out = np.full(2_000, 25.0), rng.poisson(25.0, (2_000, 1))
        told = learnt.quantiles(large, large, rng.random(2_000), is_whole=True, levels=levels)
        below.append((held_out < told).mean(axis=0))
        up_to.append((held_out <= told).mean(axis=0))
    assert (np.mean(below, axis=0) - 0.05 <= levels).all()
    assert (levels <= np.mean(up_to, axis=0) + 0.05).all()


@pytest.mark.parametrize("overdispersion", [0.0, 0.5])
def test_quantiles_are_of_the_unit_that_demand_is_counted_in(overdispersion: float) -> None:
    rng = np.random.default_rng(8)
    mean = rng.gamma(1, 10, 3_000)
    actual = rng.normal(mean, np.sqrt(mean + overdispersion * mean**2)).clip(0)
    dispersion, is_whole = rng.random(3_000), np.zeros(3_000, dtype=bool)
    told = [
        Calibration.of(Errors(actual * unit, mean * unit, mean * unit, dispersion, is_whole)).quantiles(
            mean * unit, mean * unit, dispersion
        )
        for unit in (1, 1024)
    ]
    np.testing.assert_allclose(told[1], told[0] * 1024, rtol=1e-9)


sizes = hnp.arrays(np.float64, st.integers(1, 60), elements=st.floats(0, 1e6))


@given(sizes, st.integers(0, 99))
def test_quantiles_never_cross_nor_turn_negative(mean: np.ndarray, seed: int) -> None:
    rng = np.random.default_rng(seed)
    past = rng.gamma(1, 10, 900)
    whole = rng.random(900) < 0.5
    learnt = Calibration.of(Errors(rng.poisson(past).astype(float), past, past, rng.random(900), whole))
    is_whole = rng.random(len(mean)) < 0.5
    told = learnt.quantiles(mean, mean, rng.random(len(mean)), is_whole)
    assert (told >= 0).all()
    assert (np.diff(told, axis=-1) >= 0).all()
    assert (told[is_whole] == np.floor(told[is_whole])).all()


@pytest.mark.parametrize("told", [None, "toys"], ids=["of no series", "of one series in one row"])
def test_an_attribute_may_be_unknown(told: str | None) -> None:
    history = long_frame(np.ones((2, 20)))
    category = np.full(len(history), None, dtype=object)
    category[3] = told
    panel = Panel.of(history.assign(category=category), history["date"].max().date(), 7)
    assert [None if pd.isna(category) else category for category in panel.attributes["category"]] == [told, None]


def test_level_follows_the_totals_and_moves_their_series_alike() -> None:
    mean = np.array([[5.0, 5.0], [10.0, 15.0], [1.0, 1.0]])
    members = np.array([0, 0, 1])
    totals = np.array([[30.0, 10.0], [2.0, 99.0]])
    drawn = levels.drawn(mean, totals, members, 1.0)
    np.testing.assert_allclose(drawn[:2].sum(axis=0), totals[0])
    np.testing.assert_allclose(drawn[2], [2.0, 1.0 * levels.REACH])
    np.testing.assert_allclose(levels.drawn(mean, totals, members, 0.5)[:2, 0], mean[:2, 0] * np.sqrt(2))
    np.testing.assert_array_equal(levels.drawn(mean, totals, members, 0.0), mean)
    np.testing.assert_array_equal(levels.drawn(mean, None, members, 1.0), mean)


def shops(periods: int = 140) -> Panel:
    """Two shops of eight series; the second sells twice as much for the last week."""
    week = np.array([1.0, 2, 3, 4, 5, 6, 7])
    values = np.tile(week, (16, periods // 7))
    values[8:, -21:] *= 2
    history = long_frame(values)
    history["shop"] = np.where(history["series_id"] < "s008", "one", "two")
    return Panel.of(history, history["date"].max().date(), 7)


def test_the_level_is_the_one_that_would_have_served() -> None:
    panel = shops()
    snapshot = Snapshot.at(panel, panel.last - 7)
    actual = panel.values[:, -7:]
    stale = actual / np.where(np.arange(16) < 8, 1.0, 2.0)[:, None]
    assert levels.best_level([stale], [snapshot], [actual], None) == levels.Level("shop", 1.0)
    assert levels.best_level([actual], [snapshot], [actual], None) == levels.NO_LEVEL


def test_total_forecast_repeats_a_steady_week() -> None:
    week = np.array([1.0, 2, 3, 4, 5, 6, 7])
    panel = panel_of(np.tile(week, 20)[None, :])
    told = levels.total_forecasts(panel, panel.last, 7, None)
    assert told is not None
    assert told[0] == pytest.approx(week, rel=0.15)
    assert levels.total_forecasts(panel, 20, 7, None) is None


def test_totals_of_one_attribute_and_of_all_crossed() -> None:
    panel = shops()
    by_shop = levels.total_forecasts(panel, panel.last, 7, None, "shop")
    assert by_shop is not None
    assert by_shop.shape == (2, 7)
    assert by_shop[1].sum() == pytest.approx(2 * by_shop[0].sum(), rel=0.3)
    np.testing.assert_allclose(levels.total_forecasts(panel, panel.last, 7, None, levels.CROSSED), by_shop)


@given(st.dates(date(2020, 1, 1), date(2030, 1, 1)))
def test_training_origin_precedes_its_month(as_of: date) -> None:
    trained = engine.training_origin(as_of)
    assert trained < as_of
    assert (trained - as_of.replace(day=1)).days == -1
