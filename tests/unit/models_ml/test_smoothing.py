"""Smoothing methods against recursions done by hand, and what must hold of any demand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from models_ml import smoothing

FROM_START = np.array([0])


def column(*values: float) -> np.ndarray:
    return np.array(values)[:, None]


def test_simple_smoothing_by_hand() -> None:
    # 10; 10 + .5 (20 - 10) = 15; 15 + .5 (5 - 15) = 10.
    assert smoothing.simple(column(10, 20, 5), FROM_START, (0.5,)).tolist() == [10.0]


def test_simple_smoothing_takes_the_rate_that_erred_least() -> None:
    steps = np.repeat([5.0, 50.0, 20.0], 30)[:, None]
    assert smoothing.simple(steps, FROM_START, (0.05, 0.4)) == smoothing.simple(steps, FROM_START, (0.4,))
    noise = np.random.default_rng(1).poisson(20, 400).astype(float)[:, None]
    assert smoothing.simple(noise, FROM_START, (0.05, 0.4)) == smoothing.simple(noise, FROM_START, (0.05,))


def test_croston_by_hand() -> None:
    # First demand 4 after 2 periods: size 4, interval 2. Then 8 after 3: size 4 + .1 * 4 = 4.4, interval 2 + .1 = 2.1.
    assert smoothing.croston(column(0, 4, 0, 0, 8, 0), FROM_START) == pytest.approx(4.4 / 2.1)
    assert smoothing.sba(column(0, 4, 0, 0, 8, 0), FROM_START) == pytest.approx(0.95 * 4.4 / 2.1)


def test_tsb_by_hand_falls_while_nothing_is_sold() -> None:
    # Chance 1/2 at the first demand, .45, .405, then .405 + .1 (1 - .405) = .4645, then .41805; size 4, then 4.4.
    assert smoothing.tsb(column(0, 4, 0, 0, 8), FROM_START) == pytest.approx(4.4 * 0.4645)
    assert smoothing.tsb(column(0, 4, 0, 0, 8, 0), FROM_START) == pytest.approx(4.4 * 0.41805)


def test_seasonal_smoothing_by_hand() -> None:
    # First season 2, 4: level 3, terms -1, +1. 4: error 2, level 4, term -1 + .25 * 2 = -.5.
    # 3: error 3 - 4 - 1 = -2, level 3, term 1 - .5 = .5. So 2.5 and 3.5 follow.
    told = smoothing.seasonal(column(2, 4, 4, 3), FROM_START, 2, 3, ((0.5, 0.25),))
    assert told.tolist() == [[2.5, 3.5, 2.5]]


def test_seasonal_smoothing_needs_two_seasons() -> None:
    assert np.isnan(smoothing.seasonal(column(2, 4, 4), FROM_START, 2, 2)).all()


def test_seasonal_smoothing_repeats_a_steady_week() -> None:
    week = np.array([1.0, 2, 3, 4, 5, 6, 7])
    told = smoothing.seasonal(np.tile(week, 9)[:, None], FROM_START, 7, 10)
    np.testing.assert_allclose(told[0], np.resize(week, 10))


METHODS = (smoothing.simple, smoothing.croston, smoothing.sba, smoothing.tsb)
demand = hnp.arrays(np.float64, st.tuples(st.integers(1, 30), st.just(3)), elements=st.integers(0, 50).map(float))


@given(demand, st.integers(0, 10))
def test_means_lie_within_what_was_seen_and_the_past_of_others_is_never_read(values: np.ndarray, begin: int) -> None:
    first = np.array([0, min(begin, len(values)), 0])
    poisoned = values.copy()
    poisoned[: first[1], 1] = 1e9
    for method in METHODS:
        told = method(values, first)
        assert (told >= 0).all()
        assert (told <= values.max() + 1e-9).all()
        np.testing.assert_array_equal(method(poisoned, first), told)
        alone = method(values[:, :1], first[:1])
        np.testing.assert_array_equal(alone, told[:1])


@given(st.floats(0.5, 100), st.integers(2, 40))
def test_steady_demand_is_forecast_as_it_is(level: float, periods: int) -> None:
    steady = np.full((periods, 1), level)
    for method in (smoothing.simple, smoothing.croston, smoothing.tsb):
        assert method(steady, FROM_START) == pytest.approx(level)
