"""Small generated panels with known truth, for the tests of the engine."""

import numpy as np
import pandas as pd

START = pd.Timestamp("2025-01-01")


def long_frame(values: np.ndarray, *, first: list[int] | None = None, names: list[str] | None = None) -> pd.DataFrame:
    """One series per row of `values`, from its first column on."""
    count, periods = values.shape
    begins = np.zeros(count, dtype=int) if first is None else np.asarray(first)
    rows, columns = np.nonzero(np.arange(periods)[None, :] >= begins[:, None])
    ids = np.array(names or [f"s{index:03d}" for index in range(count)], dtype=object)
    dates = pd.date_range(START, periods=periods)
    return pd.DataFrame(
        {"series_id": ids[rows], "date": dates[columns], "quantity": values[rows, columns].astype(float)}
    )


def weekly_panel(
    *, count: int = 30, periods: int = 240, seed: int = 3, growth: float = 0.0, noise: bool = True
) -> pd.DataFrame:
    """Demand with a weekly pattern and a daily growth rate; Poisson noise, or none at all."""
    rng = np.random.default_rng(seed)
    level = rng.uniform(5, 40, count)
    pattern = np.array([0.6, 0.8, 1.0, 1.1, 1.4, 1.6, 0.5])[np.arange(periods) % 7]
    mean = level[:, None] * pattern[None, :] * np.exp(growth * np.arange(periods))[None, :]
    return long_frame(rng.poisson(mean) if noise else mean)
