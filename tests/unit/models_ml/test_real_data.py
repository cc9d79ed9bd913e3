"""Published benchmarks, on data that is not ours to keep: run where OPSCOPE_REAL_DATA names its folder."""

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from models_ml import engine, metrics

NINE = [level / 10 for level in range(1, 10)]


@pytest.mark.slow
def test_car_parts_beat_what_was_published(real_data: Path) -> None:
    """WQL of the last 12 of 51 months: zero 1.0, seasonal naive 1.600, the best foundation model 0.975."""
    history = pd.read_parquet(real_data / "car-parts" / "car_parts_monthly.parquet").fillna({"quantity": 0.0})
    forecasts = engine.backtest(history, [date(2001, 3, 1)], horizon=12, season=12, quantiles=NINE)
    scores = metrics.evaluate(forecasts, history, season=12).set_index("model")
    assert scores.loc["selected", "rows"] == 2_674 * 12
    assert scores.loc["selected", "wql"] <= 0.87
    assert scores.loc["trees", "wql"] < scores.loc["seasonal_naive", "wql"]
    # Forecasting a quarter too much or too little would show here, not in the quantiles of mostly zeros.
    assert abs(scores.loc["selected", "bias"]) < 0.10
    assert scores.loc["selected", "wape"] < scores.loc["moving_average", "wape"]
