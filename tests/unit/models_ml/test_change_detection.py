"""PSI and CUSUM: hand-computed values, planted changes found on their day, and calm series left alone."""

import math

import numpy as np
import pytest

from models_ml import drift

DAYS, CURRENT = 420, 56
PHASE = np.arange(DAYS) % 7


def demand(series: int, level: float, seed: int = 5) -> np.ndarray:
    """Poisson demand with a week, without any change."""
    rng = np.random.default_rng(seed)
    week = rng.uniform(0.5, 1.5, (series, 7))
    return rng.poisson(level * week[:, PHASE]).astype(float)


def changes(values: np.ndarray) -> drift.Change:
    return drift.level_changes(values[:, :-CURRENT], values[:, -CURRENT:], PHASE)


def test_psi_by_hand() -> None:
    """Shares 0.5, 0.5 against 0.25, 0.75; half a count of 20 is 0.025, so they become 0.5 and 0.275 / 1.05."""
    told = drift.psi(np.array([10.0, 10.0]), np.array([10.0, 30.0]))
    low, high = 0.275 / 1.05, 0.775 / 1.05
    assert told == pytest.approx((low - 0.5) * math.log(low / 0.5) + (high - 0.5) * math.log(high / 0.5))
    assert drift.psi(np.array([3.0, 0.0]), np.array([3.0, 0.0])) == 0


def test_a_calm_series_gives_no_alarm() -> None:
    values = demand(400, 20)
    index = drift.psi_of_series(values[:, :-CURRENT], values[:, -CURRENT:])
    assert (index > drift.PSI_LIMIT).mean() < 0.03
    assert (changes(values).direction != 0).mean() < 0.01


@pytest.mark.parametrize(("factor", "direction"), [(1.5, 1), (0.6, -1)])
def test_a_planted_level_is_found_near_its_day(factor: float, direction: int) -> None:
    values = demand(200, 20)
    began = 26
    values[:, DAYS - CURRENT + began :] = np.round(values[:, DAYS - CURRENT + began :] * factor)
    found = changes(values)
    assert (found.direction == direction).mean() > 0.95
    assert np.abs(np.median(found.first[found.direction == direction]) - began) <= 2
    index = drift.psi_of_series(values[:, :-CURRENT], values[:, -CURRENT:])
    assert np.median(index) > drift.PSI_LIMIT


def test_one_outlier_is_no_new_level() -> None:
    values = demand(50, 20)
    values[:, -5] = 10_000
    assert (changes(values).direction != 0).mean() < 0.05


def test_series_of_zeros_and_constants_are_calm() -> None:
    values = np.vstack([np.zeros(DAYS), np.full(DAYS, 7.0)])
    assert changes(values).direction.tolist() == [0, 0]
    assert drift.psi_of_series(values[:, :-CURRENT], values[:, -CURRENT:]) == pytest.approx([0, 0], abs=1e-9)
