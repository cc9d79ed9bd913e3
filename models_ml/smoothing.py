"""Exponential smoothing for all series at once: plain, seasonal, and the methods for intermittent demand.

Every function takes `values`, one row per period and one column per series, and `first`, the row of each series' first
period; rows before it are never read. A series is smoothed over its own periods only, so that it does not matter which
others stand beside it. What to do with series too short for a method does not belong here.
"""

import numpy as np
from numpy.typing import NDArray

from models_ml.periods import Floats, Ints

# The usual choice for intermittent demand: smoothing hard follows noise.
ALPHA = 0.1
# Tried for each series; the one with the least squared error one period ahead within its history is used.
ALPHAS = (0.05, 0.1, 0.2, 0.4)
SEASONAL_GRID = ((0.02, 0.05), (0.05, 0.05), (0.1, 0.05), (0.2, 0.1), (0.1, 0.2))

Bools = NDArray[np.bool_]


def simple(values: Floats, first: Ints, alphas: tuple[float, ...] = ALPHAS) -> Floats:
    """Simple exponential smoothing (Brown 1959): level += alpha (y - level), from the first value on.

    Returns:
        The level of each series after the last row.
    """
    levels = np.zeros((len(alphas), values.shape[1]))
    losses = np.zeros_like(levels)
    rates = np.asarray(alphas)[:, None]
    for row, observed in enumerate(values):
        error = np.where(row > first, observed - levels, 0.0)
        losses += error**2
        levels += rates * error
        levels[:, row == first] = observed[row == first]
    return _best(levels, losses)


def seasonal(
    values: Floats, first: Ints, season: int, horizon: int, grid: tuple[tuple[float, float], ...] = SEASONAL_GRID
) -> Floats:
    """Seasonal exponential smoothing without trend, additive: ETS(A,N,A) of Hyndman et al. (2008).

    error = y - level - season[phase]; level += alpha error; season[phase] += gamma error. The first season gives the
    level, its mean, and the seasonal terms, what is left of it.

    Returns:
        Means of shape (series, horizon), never negative; NaN for a series younger than two seasons.
    """
    rows, count = values.shape
    states = [_seasonal_run(values, first, season, alpha, gamma) for alpha, gamma in grid]
    phases = (rows + np.arange(horizon)) % season
    means = np.stack([level[:, None] + terms[phases].T for level, terms, _ in states])
    losses = np.stack([loss for _, _, loss in states])
    best = _best(means, np.broadcast_to(losses[:, :, None], means.shape)) if count else np.zeros((0, horizon))
    best[rows - first < 2 * season] = np.nan
    return np.maximum(best, 0.0)


def _seasonal_run(
    values: Floats, first: Ints, season: int, alpha: float, gamma: float
) -> tuple[Floats, Floats, Floats]:
    rows, count = values.shape
    opening = np.minimum(first + np.arange(season)[:, None], rows - 1)
    taken = np.take_along_axis(values, opening, axis=0)
    level = taken.mean(axis=0)
    terms = np.zeros((season, count))
    np.put_along_axis(terms, opening % season, taken - level, axis=0)
    loss = np.zeros(count)
    begins = first + season
    for row in range(int(begins.min(initial=rows)), rows):
        phase = row % season
        error = np.where(row >= begins, values[row] - level - terms[phase], 0.0)
        loss += error**2
        level += alpha * error
        terms[phase] += gamma * error
    return level, terms, loss


def croston(values: Floats, first: Ints, alpha: float = ALPHA) -> Floats:
    """Croston (1972): demand sizes and the intervals between them are smoothed apart; the mean is size over interval.

    Both are updated in periods with demand only. The first demand gives the first size, and the periods from the
    series' start up to and including it the first interval. A series without demand has mean 0.
    """
    size, interval = _sizes_and_intervals(values, first, alpha)
    return np.asarray(np.divide(size, interval, out=np.zeros_like(size), where=interval > 0))


def sba(values: Floats, first: Ints, alpha: float = ALPHA) -> Floats:
    """Syntetos & Boylan (2005): Croston's mean times 1 - alpha / 2, which takes out its bias."""
    return np.asarray((1 - alpha / 2) * croston(values, first, alpha))


def tsb(values: Floats, first: Ints, alpha: float = ALPHA, beta: float = ALPHA) -> Floats:
    """Teunter, Syntetos & Babai (2011): size times the probability of demand, which falls while nothing is sold.

    The probability is updated every period, the size in periods with demand. Both begin at the first demand: its size,
    and one over the periods up to and including it.
    """
    count = values.shape[1]
    size, chance = np.zeros(count), np.zeros(count)
    for row, observed in enumerate(values):
        sold = (observed > 0) & (row >= first)
        begins = sold & (chance == 0)
        chance = np.where(begins, 1.0 / np.maximum(row - first + 1, 1), chance + beta * (sold - chance))
        size = np.where(begins, observed, size + alpha * sold * (observed - size))
    return np.asarray(size * chance)


def _sizes_and_intervals(values: Floats, first: Ints, alpha: float) -> tuple[Floats, Floats]:
    count = values.shape[1]
    size, interval, since = np.zeros(count), np.zeros(count), np.zeros(count)
    for row, observed in enumerate(values):
        since += row >= first
        sold = (observed > 0) & (row >= first)
        begins = sold & (interval == 0)
        size = np.where(begins, observed, size + alpha * sold * (observed - size))
        interval = np.where(begins, since, interval + alpha * sold * (since - interval))
        since[sold] = 0
    return size, interval


def _best(candidates: Floats, losses: Floats) -> Floats:
    """Along the first axis the candidate with the least loss, the earliest on a tie."""
    chosen = losses.argmin(axis=0)[None]
    return np.asarray(np.take_along_axis(candidates, chosen, axis=0)[0])
