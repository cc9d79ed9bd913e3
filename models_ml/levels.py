"""The level of the whole: totals of many series are easier to forecast than each series, and correct their sum.

A ridge regression on the calendar gives the pattern of a total, a recent weighted mean its height. The forecasts of the
series are scaled towards it, by as much as earlier origins show to help. The totals are those of all series, of the
values of one static attribute, or of all attributes crossed; earlier origins choose. Series models do not belong here.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models_ml.features import Snapshot
from models_ml.panel import Panel
from models_ml.periods import Floats, Ints, calendar_features

# Periods after which an observation counts half: for the pattern and for the height.
PATTERN_HALF_LIFE = 90.0
HEIGHT_HALF_LIFE = 10.0
RIDGE = 1.0
# A total forecast never moves a series by more than this factor.
REACH = 3.0
STRENGTHS = (0.5, 1.0)
FEWEST_SEASONS = 4
# All attributes together, joined by what no value holds.
CROSSED = "\x1f"
# Totals of fewer series than this, on average, are hardly steadier than the series.
FEWEST_SERIES = 8


@dataclass(frozen=True)
class Level:
    """How means are drawn to totals.

    Attributes:
        by: the static attribute whose values have a total each; "" for one total, `CROSSED` for all attributes crossed.
        strength: 0 not at all, 1 wholly.
    """

    by: str = ""
    strength: float = 0.0


NO_LEVEL = Level()


def candidates(panel: Panel) -> list[Level]:
    """The levels worth trying, the simplest first: none, the total, each attribute, all attributes crossed."""
    names = [str(name) for name in panel.attributes.columns]
    tried = ["", *names, *([CROSSED] if len(names) > 1 else [])]
    enough = [by for by in tried if not by or len(panel.series) >= FEWEST_SERIES * (_members(panel, by).max() + 1)]
    return [Level(), *(Level(by, strength) for by in enough for strength in STRENGTHS)]


def total_forecasts(panel: Panel, column: int, horizon: int, country: str | None, by: str = "") -> Floats | None:
    """Demand expected of each total in the `horizon` periods after `column`, of shape (totals, horizon).

    Read from the columns up to `column` and from what is known ahead; None where these are too few.
    """
    season, past = panel.cadence.season, column + 1
    if past < min(FEWEST_SEASONS * season, panel.cadence.year):
        return None
    totals = _totals(panel, by)[:, :past]
    if not totals.any():
        return None
    pattern = _pattern(panel, past + horizon, country)
    behind = np.arange(past)[::-1]
    floor = 0.02 * np.maximum(totals.mean(axis=1, keepdims=True), np.finfo(float).tiny)
    fitted = pattern @ _ridge(pattern[:past], np.log(totals + floor).T, 0.5 ** (behind / PATTERN_HALF_LIFE))
    recent = 0.5 ** (behind / HEIGHT_HALF_LIFE)
    height = (totals @ recent) / (recent @ np.exp(fitted[:past]))
    return np.asarray(height[:, None] * np.exp(fitted[past:].T))


def corrected(mean: Floats, snapshot: Snapshot, level: Level, country: str | None) -> Floats:
    """Means of all series, of shape (series, horizon), drawn towards the totals that `level` names."""
    if not level.strength or not len(mean):
        return mean
    totals = total_forecasts(snapshot.panel, snapshot.column, mean.shape[1], country, level.by)
    return drawn(mean, totals, _members(snapshot.panel, level.by), level.strength)


def drawn(mean: Floats, totals: Floats | None, members: Ints, strength: float) -> Floats:
    """Means drawn towards the total each belongs to: by `strength` 0 not at all, by 1 wholly, as far as `REACH`."""
    if totals is None or not strength:
        return mean
    summed = np.column_stack([np.bincount(members, step, len(totals)) for step in mean.T])
    totals = totals[:, : mean.shape[1]]
    factor = np.divide(totals, summed, out=np.ones_like(summed), where=summed > 0)
    return np.asarray(mean * (np.clip(factor, 1 / REACH, REACH) ** strength)[members])


def best_level(means: list[Floats], snapshots: list[Snapshot], actuals: list[Floats], country: str | None) -> Level:
    """The level that would have served best at earlier origins, by Poisson deviance; the simplest on a tie.

    Args:
        means: means at each snapshot, not drawn to any level.
        snapshots: the earlier origins.
        actuals: demand after each, as far as known.
        country: whose holidays shape the totals.
    """

    def loss(level: Level) -> float:
        drawn_means = [corrected(*pair, level, country) for pair in zip(means, snapshots, strict=True)]
        return sum(
            deviance(mean[:, : actual.shape[1]], actual) for mean, actual in zip(drawn_means, actuals, strict=True)
        )

    return least(candidates(snapshots[0].panel), loss)


def least(levels: list[Level], loss: Callable[[Level], float]) -> Level:
    """The level with the least loss, the first on a tie."""
    losses = [loss(level) for level in levels]
    return levels[int(np.argmin(losses))]


def deviance(mean: Floats, actual: Floats) -> float:
    """Poisson deviance, summed; a mean counts as at least 2 % of the mean demand."""
    floor: NDArray[np.float64] = np.maximum(mean, 0.02 * max(float(actual.mean()), np.finfo(float).tiny))
    sold = actual > 0
    return float(2 * ((actual[sold] * np.log(actual[sold] / floor[sold])).sum() - (actual - floor).sum()))


def _members(panel: Panel, by: str) -> Ints:
    """Total each series belongs to."""
    if by in panel.groups:
        return panel.groups[by].codes
    joined = pd.Series([CROSSED.join(map(str, row)) for row in panel.attributes.to_numpy()], dtype=object)
    return np.asarray(pd.factorize(joined, sort=True)[0], dtype=np.int64)


def _totals(panel: Panel, by: str) -> Floats:
    if by in panel.groups:
        return panel.groups[by].values
    members = _members(panel, by)
    return np.column_stack([np.bincount(members, column) for column in panel.values.T])


def _pattern(panel: Panel, columns: int, country: str | None) -> Floats:
    """What the calendar and the known-ahead numbers say about each of the first `columns` columns, one row a column.

    Indicators of the phase, for days of month ends and holidays too; the panel's mean promotion and holiday.
    """
    calendar = calendar_features(panel.dates(np.arange(columns)), panel.cadence, country)
    planned = [numbers[:, :columns].mean(axis=0) for name, numbers in panel.known.items() if name != "price"]
    if panel.cadence.unit != "D":
        return np.column_stack([np.eye(12)[calendar[:, 0].astype(int)], *planned]).astype(np.float64)
    weekday, since_start, to_end = calendar[:, 0].astype(int), calendar[:, 1], calendar[:, 2]
    marks = [since_start < 3, to_end <= 3, *calendar[:, 4:5].T, *planned]
    return np.column_stack([np.eye(7)[weekday], *marks]).astype(np.float64)


def _ridge(rows: Floats, targets: Floats, weights: Floats) -> Floats:
    """Coefficients of shape (columns of rows, targets); the intercept is left out."""
    share = weights / weights.sum()
    centred, response = rows - share @ rows, targets - share @ targets
    gram = (centred * share[:, None]).T @ centred
    penalty = RIDGE / len(rows) * np.eye(rows.shape[1])
    return np.asarray(np.linalg.solve(gram + penalty, (centred * share[:, None]).T @ response))
