"""Metrics against sums done by hand."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from models_ml import metrics

FORECAST = np.array([12.0, 8.0, 0.0, 5.0])
ACTUAL = np.array([10.0, 10.0, 0.0, 0.0])


def test_wape_is_a_ratio_of_sums() -> None:
    assert metrics.wape(FORECAST, ACTUAL) == pytest.approx(9 / 20)


def test_bias_is_positive_when_too_much_was_forecast() -> None:
    assert metrics.bias(FORECAST, ACTUAL) == pytest.approx(5 / 20)


def test_nothing_sold_gives_no_percentage() -> None:
    assert np.isnan(metrics.wape(np.array([1.0]), np.array([0.0])))
    assert np.isnan(metrics.bias(np.array([1.0]), np.array([0.0])))


def test_mase_and_rmsse_pool_errors_over_scales() -> None:
    scale = np.array([2.0, 2.0, 1.0, 1.0])
    assert metrics.mase(FORECAST, ACTUAL, scale) == pytest.approx(9 / 6)
    assert metrics.rmsse(FORECAST, ACTUAL, scale) == pytest.approx(np.sqrt(33 / 6))


def test_pinball_weighs_shortage_by_the_level() -> None:
    # 10 - 8 short at 0.9 costs 1.8; 10 - 12 over costs 0.2.
    assert metrics.pinball(np.array([8.0, 12.0]), np.array([10.0, 10.0]), 0.9) == pytest.approx(2.0)


def test_weighted_quantile_loss_of_the_median_is_wape() -> None:
    assert metrics.weighted_quantile_loss(FORECAST[:, None], ACTUAL, [0.5]) == pytest.approx(9 / 20)


def test_weighted_quantile_loss_is_the_mean_over_levels() -> None:
    quantiles = np.array([[8.0, 12.0]])
    # 0.1: short by 2 costs 0.2; 0.9: over by 2 costs 0.2; 2 x 0.2 / 10 each.
    assert metrics.weighted_quantile_loss(quantiles, np.array([10.0]), [0.1, 0.9]) == pytest.approx(0.04)


def test_coverage_counts_actuals_at_or_below() -> None:
    assert metrics.coverage(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 3.0, 3.0, 4.5])) == 0.5


def history() -> pd.DataFrame:
    """Two weeks of 1..14, then the day that is forecast."""
    dates = pd.date_range("2025-03-01", periods=15)
    return pd.DataFrame({"series_id": "a", "date": dates, "quantity": [*map(float, range(1, 15)), 10.0]})


def forecasts() -> pd.DataFrame:
    shared = {
        "series_id": "a",
        "origin": pd.Timestamp("2025-03-14"),
        "date": pd.Timestamp("2025-03-15"),
        "horizon": 1,
    }
    return pd.DataFrame(
        [
            shared | {"model": "one", "mean": 12.0, "q0.1": 8.0, "q0.9": 9.0, "is_selected": True},
            shared | {"model": "two", "mean": 7.0, "q0.1": 7.0, "q0.9": 11.0, "is_selected": False},
        ]
    )


def test_scales_are_mean_seasonal_differences() -> None:
    scales = metrics.seasonal_scales(history(), date(2025, 3, 14))
    assert scales.to_dict("records") == [{"series_id": "a", "absolute_scale": 7.0, "square_scale": 49.0}]


def test_a_short_history_is_scaled_by_its_last_period() -> None:
    rows = pd.DataFrame({"series_id": "a", "date": pd.date_range("2025-03-03", periods=4), "quantity": [1.0, 3, 3, 7]})
    assert np.isnan(metrics.seasonal_scales(rows, date(2025, 3, 6))["absolute_scale"]).all()
    scales = metrics.seasonal_scales(rows, date(2025, 3, 6), lag=1)
    assert scales.to_dict("records") == [{"series_id": "a", "absolute_scale": 2.0, "square_scale": (4 + 0 + 16) / 3}]


def test_without_quantiles_there_is_no_quantile_loss() -> None:
    assert np.isnan(metrics.weighted_quantile_loss(np.empty((4, 0)), ACTUAL, []))


def test_evaluate_judges_each_model_and_the_forecast_in_force() -> None:
    scores = metrics.evaluate(forecasts(), history()).set_index("model")
    assert list(scores.index) == ["one", "selected", "two"]
    assert scores.loc["one", "wape"] == pytest.approx(0.2)
    assert scores.loc["two", "bias"] == pytest.approx(-0.3)
    assert scores.loc["one", "mase"] == pytest.approx(2 / 7)
    assert scores.loc["two", "rmsse"] == pytest.approx(3 / 7)
    # 0.1: short by 2 costs 0.2; 0.9: short by 1 costs 0.9.
    assert scores.loc["one", "wql"] == pytest.approx((2 * 0.2 / 10 + 2 * 0.9 / 10) / 2)
    assert scores.loc["selected"].equals(scores.loc["one"])
    assert scores.loc["two", "coverage_0.9"] == 1.0


def test_periods_that_have_not_come_are_not_judged_and_absent_rows_are_zero_demand() -> None:
    known = history().iloc[:14]
    assert metrics.evaluate(forecasts(), known).empty
    judged = metrics.with_actuals(forecasts(), known, known_through=date(2025, 3, 15))
    assert judged["actual"].tolist() == [0.0, 0.0]
