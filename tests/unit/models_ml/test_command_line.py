"""The engine from the command line, on files."""

from datetime import date
from pathlib import Path

import pandas as pd
from panels import weekly_panel
from typer.testing import CliRunner

from models_ml.__main__ import app, rolling_origins


def test_origins_are_a_horizon_apart_and_come_true() -> None:
    assert rolling_origins(date(2025, 3, 31), horizon=10, count=2, season=7) == [date(2025, 3, 11), date(2025, 3, 21)]
    assert rolling_origins(date(2025, 3, 1), horizon=2, count=2, season=12) == [date(2024, 11, 1), date(2025, 1, 1)]


def test_backtest_then_evaluate(tmp_path: Path) -> None:
    panel, forecasts, scores = (tmp_path / name for name in ("panel.parquet", "forecasts.parquet", "scores.parquet"))
    weekly_panel(count=3, periods=90).to_parquet(panel)
    runner = CliRunner()
    told = runner.invoke(
        app,
        ["backtest", "--panel", str(panel), "--out", str(forecasts), "--horizon", "7", "--origins", "2",
         "--quantiles", "0.05,0.95"],
        catch_exceptions=False,
    )  # fmt: skip
    assert told.exit_code == 0
    assert "3 series from 2 origins" in told.output
    frame = pd.read_parquet(forecasts)
    assert {"q0.05", "q0.95"} <= set(frame.columns)
    assert frame["date"].max() == weekly_panel(count=3, periods=90)["date"].max()
    told = runner.invoke(
        app,
        ["evaluate", "--forecasts", str(forecasts), "--panel", str(panel), "--out", str(scores)],
        catch_exceptions=False,
    )
    assert told.exit_code == 0
    assert "selected" in pd.read_parquet(scores)["model"].tolist()
