"""Whether demand has changed: its distribution (PSI) and its level (CUSUM), for many series at once.

The newest periods are set against those before them. What is watched, and what to do about an alarm, is the caller's.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models_ml.periods import Floats, Ints

# A population stability index above this is a change (Siddiqi 2006: below 0.1 none, up to 0.2 slight).
PSI_LIMIT = 0.2
BINS = 5
# Page's (1954) CUSUM in standard deviations: drift that is let pass, and the sum that is an alarm. With these a series
# without a change gives a false alarm in fewer than 1 of 1,000 days, and a shift by one deviation shows in 16.
CUSUM_SLACK = 0.5
CUSUM_LIMIT = 8.0
# No day may add more than this, so that one outlier is not a new level.
CUSUM_STEP = 3.0


@dataclass(frozen=True, eq=False)
class Change:
    """What CUSUM found, one entry per series.

    Attributes:
        first: column of the first period of the new level within the current periods; -1 without an alarm.
        direction: 1 up, -1 down, 0 without an alarm.
    """

    first: Ints
    direction: Ints


def psi(expected: Floats, found: Floats) -> Floats:
    """Population stability index sum (f - e) ln(f / e) of the shares e and f in the last axis's bins.

    Every share gets half a count of the smaller side, as an empty bin would make the index infinite.

    Args:
        expected: counts (or quantities) per bin, shape (..., bins).
        found: counts per bin of what is compared, of the same shape.
    """
    whole, part = (np.maximum(each.sum(axis=-1, keepdims=True), 1.0) for each in (expected, found))
    least = 0.5 / np.minimum(whole, part)
    share, other = expected / whole + least, found / part + least
    scale = 1 + least[..., 0] * expected.shape[-1]
    return np.asarray(((other - share) * np.log(other / share)).sum(axis=-1) / scale)


def psi_of_series(reference: Floats, current: Floats, bins: int = BINS) -> Floats:
    """PSI of each row's values, in bins that hold equal shares of its reference; shape (series,)."""
    edges = np.quantile(reference, np.arange(1, bins) / bins, axis=1).T
    return psi(_binned(reference, edges), _binned(current, edges))


def _binned(values: Floats, edges: Floats) -> Floats:
    """Values per bin of their row; a value on an edge is in the bin below it, so that many zeros share one."""
    bins = (values[:, :, None] > edges[:, None, :]).sum(axis=2)
    return np.stack([(bins == number).sum(axis=1) for number in range(edges.shape[1] + 1)], axis=1).astype(float)


def level_changes(reference: Floats, current: Floats, phase: Ints, season: int = 7) -> Change:
    """The change of level within the current periods, by a two-sided CUSUM of seasonal residuals.

    Args:
        reference: demand before, shape (series, periods), at least two seasons.
        current: the newest demand, shape (series, periods).
        phase: phase in the season of every period, reference first; shape (periods of both,).
        season: number of phases.
    """
    width = reference.shape[1]
    expected = np.stack([reference[:, phase[:width] == each].mean(axis=1) for each in range(season)], axis=1)
    spread = (reference - expected[:, phase[:width]]).std(axis=1, ddof=season)
    residual = current - expected[:, phase[width:]]
    scaled = np.divide(residual, spread[:, None], out=np.zeros_like(residual), where=spread[:, None] > 0)
    steps = np.clip(scaled, -CUSUM_STEP, CUSUM_STEP)
    up, down = _cusum(steps), _cusum(-steps)
    direction = np.where(up >= 0, 1, np.where(down >= 0, -1, 0))
    # Where both sides sounded, the one whose level began later stands.
    both = (up >= 0) & (down >= 0)
    direction = np.where(both, np.where(up >= down, 1, -1), direction)
    return Change(np.where(direction > 0, up, np.where(direction < 0, down, -1)), direction)


def _cusum(steps: Floats) -> Ints:
    """Column at which the sum that is above the limit at the end began to grow; -1 where it is not."""
    total = np.zeros(len(steps))
    began: NDArray[np.intp] = np.zeros(len(steps), dtype=np.intp)
    for column in range(steps.shape[1]):
        grown = total + steps[:, column] - CUSUM_SLACK
        began = np.where(total <= 0, column, began)
        total = np.maximum(grown, 0.0)
    return np.where(total > CUSUM_LIMIT, began, -1)
