"""The level of the whole: totals of all series are easier to forecast than each series, and correct their sum.

A ridge regression on the calendar gives the pattern of the total, a recent weighted mean its height. The forecasts of
the series are scaled towards it, by as much as earlier origins show to help. Series models do not belong here.
"""

import numpy as np
from numpy.typing import NDArray

from models_ml.panel import Panel
from models_ml.periods import Floats, calendar_features

# Periods after which an observation counts half: for the pattern and for the height.
PATTERN_HALF_LIFE = 90.0
HEIGHT_HALF_LIFE = 10.0
RIDGE = 1.0
# A total forecast never moves a series by more than this factor.
REACH = 3.0
STRENGTHS = (0.0, 0.5, 1.0)
FEWEST_SEASONS = 4


def total_forecast(panel: Panel, column: int, horizon: int, country: str | None) -> Floats | None:
    """Total demand of the `horizon` periods after `column`, from the columns up to it; None where these are too few."""
    season, past = panel.cadence.season, column + 1
    total = panel.values[:, :past].sum(axis=0)
    if past < min(FEWEST_SEASONS * season, panel.cadence.year) or not total.any():
        return None
    pattern = _pattern(panel, past + horizon, country)
    behind = np.arange(past)[::-1]
    logs = np.log(total + 0.02 * total.mean())
    fitted = pattern @ _ridge(pattern[:past], logs, 0.5 ** (behind / PATTERN_HALF_LIFE))
    recent = 0.5 ** (behind / HEIGHT_HALF_LIFE)
    height = (recent @ total) / (recent @ np.exp(fitted[:past]))
    return np.asarray(height * np.exp(fitted[past:]))


def corrected(mean: Floats, total: Floats | None, strength: float) -> Floats:
    """Means of all series, drawn towards the total of their period: by `strength` 0 not at all, by 1 wholly."""
    if total is None or strength == 0:
        return mean
    summed = mean.sum(axis=0)
    factor = np.divide(total[: len(summed)], summed, out=np.ones_like(summed), where=summed > 0)
    return np.asarray(mean * np.clip(factor, 1 / REACH, REACH) ** strength)


def best_strength(means: list[Floats], totals: list[Floats | None], actuals: list[Floats]) -> float:
    """The strength that would have served best at earlier origins, by Poisson deviance; no correction on a tie."""
    losses = {
        strength: sum(
            _deviance(corrected(mean, total, strength), actual)
            for mean, total, actual in zip(means, totals, actuals, strict=True)
        )
        for strength in STRENGTHS
    }
    return min(losses, key=lambda strength: losses[strength])


def _pattern(panel: Panel, columns: int, country: str | None) -> Floats:
    """Indicators of the phase of the calendar, and of month ends and holidays for days, one row a column."""
    calendar = calendar_features(panel.dates(np.arange(columns)), panel.cadence, country)
    if panel.cadence.unit != "D":
        return np.asarray(np.eye(12)[calendar[:, 0].astype(int)])
    weekday, since_start, to_end = calendar[:, 0].astype(int), calendar[:, 1], calendar[:, 2]
    marks = [since_start < 3, to_end <= 3, *calendar[:, 4:5].T]
    return np.column_stack([np.eye(7)[weekday], *marks]).astype(np.float64)


def _ridge(rows: Floats, target: Floats, weights: Floats) -> Floats:
    share = weights / weights.sum()
    centred, response = rows - share @ rows, target - share @ target
    gram = (centred * share[:, None]).T @ centred
    penalty = RIDGE / len(rows) * np.eye(rows.shape[1])
    return np.asarray(np.linalg.solve(gram + penalty, (centred * share[:, None]).T @ response))


def _deviance(mean: Floats, actual: Floats) -> float:
    floor: NDArray[np.float64] = np.maximum(mean, 0.02 * max(float(actual.mean()), np.finfo(float).tiny))
    sold = actual > 0
    return float(2 * ((actual[sold] * np.log(actual[sold] / floor[sold])).sum() - (actual - floor).sum()))
