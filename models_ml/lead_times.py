"""Demand over a lead time: the distribution of a sum, which is not the sum of quantiles.

Sample paths: every path draws a level for each period, reads the period's quantile function there, and adds up over as
many periods as the lead time lasts, which may itself be drawn. The levels of one path are correlated alike between any
two periods (a Gaussian copula), because a series that sells above its forecast today mostly does so tomorrow. Between
the quantiles of a forecast its quantile function is a straight line, beyond them the tail of an exponential through the
outer two. Paths are scaled to the forecast's mean. All series share the draws, so results do not depend on each other.

How a forecast is made, and what stock follows from the sum, do not belong here.
"""

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models_ml.frames import (
    IS_SELECTED,
    SERIES,
    FrameError,
    checked_levels,
    quantile_column,
    quantile_levels,
)
from models_ml.periods import Floats, Ints

PERIODS = "periods"
PROBABILITY = "probability"
# A series' paths are scaled to its forecast mean by no more than this.
SCALING_REACH = 2.0
SERIES_AT_ONCE = 2_000


def lead_time_demand(
    forecasts: pd.DataFrame,
    lead_times: int | pd.DataFrame,
    *,
    quantiles: Sequence[float] = (0.5, 0.9, 0.95, 0.99),
    correlation: float = 0.0,
    season: int = 7,
    paths: int = 2_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Demand over the lead time that begins with the first period forecast.

    Args:
        forecasts: forecast frame of one origin with at least two quantiles; of several models those in force count.
            Best asked for with many levels, 0.005 to 0.995.
        lead_times: periods, for all series alike; or `series_id`, `periods` and, where a lead time is not certain, its
            `probability` (they are divided by their sum): one row per series and possible lead time. Series without a
            row are left out. Periods past the horizon repeat the last season.
        quantiles: levels asked for.
        correlation: of any two periods of a series, see `Model.correlation`.
        season: periods after which the pattern repeats, 7, 52 or 12.
        paths: sample paths. 2,000 know the 0.99 quantile to about 3 % of the standard deviation times ten.
        seed: of all drawing.

    Returns:
        `series_id`, `lead_time_mean` (periods), `mean` and `q<level>`, in order of series; quantiles of series whose
        forecast quantiles are all whole are whole.

    Raises:
        FrameError: a lead time is negative or not whole, a probability is negative, forecasts have fewer than two
            quantiles or several origins, or the correlation is not at least 0 and below 1.
    """
    wanted = checked_levels(quantiles)
    if not 0 <= correlation < 1:
        raise FrameError(f"correlation {correlation}: must be at least 0 and below 1.")
    series, means, known = _marginals(forecasts)
    levels = np.asarray(quantile_levels(forecasts))
    members, periods, shares = _lead_times(lead_times, series)
    longest = int(periods.max(initial=0))
    rng = np.random.default_rng(seed)
    weights = [_weights(levels, each) for each in _uniforms(rng, paths, longest, correlation).T]
    draws = (rng.permutation(paths) + 0.5) / paths
    kept = np.flatnonzero(np.bincount(members, minlength=len(series)) > 0)
    steps = _steps(means.shape[1], longest, season)
    blocks = []
    for begin in range(0, len(kept), SERIES_AT_ONCE):
        chosen = kept[begin : begin + SERIES_AT_ONCE]
        durations = _durations(chosen, members, periods, shares, draws)
        blocks.append(_summed(series[chosen], means[chosen], known[chosen], steps, weights, durations, wanted))
    columns = [SERIES, "lead_time_mean", "mean", *map(quantile_column, wanted)]
    return pd.concat(blocks, ignore_index=True) if blocks else pd.DataFrame(columns=columns)


def correlation_of(errors: list[Floats]) -> float:
    """Correlation of any two periods' errors of a series, from scaled errors of shape (series, periods) per origin.

    The variance of a sum of n equally correlated errors is n (1 + (n - 1) correlation) times that of one.
    """
    sums = squares = terms = 0.0
    for error in errors:
        if error.shape[1] > 1:
            low, high = np.quantile(error, (0.005, 0.995)) if error.size else (0.0, 0.0)
            clipped = np.clip(error, low, high)
            sums += float((clipped.sum(axis=1) ** 2).sum())
            squares += float((clipped**2).sum())
            terms = error.shape[1] - 1.0
    return float(np.clip((sums / squares - 1) / terms, 0.0, 0.9)) if squares > 0 and terms else 0.0


def _marginals(forecasts: pd.DataFrame) -> tuple[NDArray[np.object_], Floats, Floats]:
    """Series in order, means of shape (series, horizon), quantiles of shape (series, horizon, levels)."""
    levels = quantile_levels(forecasts)
    if len(levels) < 2:
        raise FrameError("forecasts: at least two quantiles are needed. Ask for more, 0.005 to 0.995.")
    spoken = forecasts[forecasts[IS_SELECTED].astype(bool)] if IS_SELECTED in forecasts.columns else forecasts
    if spoken["origin"].nunique() > 1:
        raise FrameError("forecasts: several origins. Give the forecasts of one.")
    spoken = spoken.sort_values([SERIES, "horizon"], kind="stable")
    series = spoken[SERIES].unique()
    shape = (len(series), len(spoken) // max(len(series), 1))
    if shape[0] * shape[1] != len(spoken):
        raise FrameError("forecasts: not every series has the same periods, or a period several models in force.")
    numbers = spoken[[quantile_column(level) for level in levels]].to_numpy(dtype=np.float64)
    return np.asarray(series, dtype=object), spoken["mean"].to_numpy().reshape(shape), numbers.reshape(*shape, -1)


def _lead_times(lead_times: int | pd.DataFrame, series: NDArray[np.object_]) -> tuple[Ints, Ints, Floats]:
    """For each possible lead time: number of the series, periods, probability; in order of series and periods."""
    if not isinstance(lead_times, pd.DataFrame):
        lead_times = pd.DataFrame({SERIES: series, PERIODS: lead_times})
    shares = lead_times[PROBABILITY] if PROBABILITY in lead_times.columns else pd.Series(1.0, index=lead_times.index)
    periods = lead_times[PERIODS].to_numpy(dtype=np.float64)
    weights = shares.to_numpy(dtype=np.float64)
    if not (np.isfinite(periods).all() and (periods >= 0).all() and (periods == np.floor(periods)).all()):
        raise FrameError("periods: a lead time is negative, null or not whole. Round it up to whole periods.")
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise FrameError("probability: negative or null values. Give each possible lead time its probability.")
    members = pd.Index(series).get_indexer(pd.Index(lead_times[SERIES].astype("str").to_numpy(dtype=object)))
    told = np.flatnonzero((members >= 0) & (weights > 0))
    order = told[np.lexsort((periods[told], members[told]))]
    return np.asarray(members[order]), periods[order].astype(np.int64), weights[order]


def _uniforms(rng: np.random.Generator, paths: int, periods: int, correlation: float) -> Floats:
    """Levels of shape (paths, periods), correlated alike within a path."""
    normal = NormalDist()
    common = np.array([normal.inv_cdf((rank + 0.5) / paths) for rank in range(paths)])
    own = np.column_stack([common[rng.permutation(paths)] for _ in range(periods)]) if periods else np.empty((paths, 0))
    mixed = np.sqrt(correlation) * common[:, None] + np.sqrt(1 - correlation) * own
    return np.asarray(np.vectorize(normal.cdf, otypes=[float])(mixed))


def _weights(levels: Floats, at: Floats) -> Floats:
    """What a quantile function at the levels `at` is of its known quantiles: a matrix of shape (known, asked)."""
    last = len(levels) - 1
    above = np.clip(np.searchsorted(levels, at), 1, last)
    share = (at - levels[above - 1]) / (levels[above] - levels[above - 1])
    weights = np.zeros((len(levels), len(at)))
    columns = np.arange(len(at))
    low, high = at < levels[0], at > levels[-1]
    share[low] = -np.log(levels[0] / at[low]) / np.log(levels[1] / levels[0])
    share[high] = 1 + np.log((1 - levels[-1]) / (1 - at[high])) / np.log((1 - levels[-2]) / (1 - levels[-1]))
    weights[above - 1, columns] = 1 - share
    weights[above, columns] += share
    return weights


def _steps(horizon: int, longest: int, season: int) -> Ints:
    """The period of the forecast that each period of the lead time reads; past the horizon the last season again."""
    steps = np.arange(longest)
    back = min(season, horizon)
    return np.where(steps < horizon, steps, horizon - back + (steps - horizon) % back)


def _durations(chosen: Ints, members: Ints, periods: Ints, shares: Floats, draws: Floats) -> Ints:
    """Lead times of shape (series, paths): each series' own distribution, read at the same draws."""
    drawn = np.empty((len(chosen), len(draws)), dtype=np.int64)
    begins, ends = np.searchsorted(members, chosen), np.searchsorted(members, chosen, side="right")
    for row, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        running = np.cumsum(shares[begin:end])
        drawn[row] = periods[begin:end][np.searchsorted(running / running[-1], draws)]
    return drawn


def _summed(
    series: NDArray[np.object_],
    means: Floats,
    known: Floats,
    steps: Ints,
    weights: list[Floats],
    durations: Ints,
    wanted: tuple[float, ...],
) -> pd.DataFrame:
    is_whole = (known == np.floor(known)).all(axis=(1, 2))
    total, expected = np.zeros(durations.shape), np.zeros(durations.shape)
    for period, step in enumerate(steps):
        demand = np.maximum(known[:, step] @ weights[period], 0.0)
        demand = np.where(is_whole[:, None], np.rint(demand), demand)
        is_on = period < durations
        total += demand * is_on
        expected += means[:, [step]] * is_on
    mean, drawn = expected.mean(axis=1), total.mean(axis=1)
    factor = np.clip(np.divide(mean, drawn, out=np.ones_like(mean), where=drawn > 0), 1 / SCALING_REACH, SCALING_REACH)
    found = np.quantile(total * factor[:, None], wanted, axis=1).T
    found = np.where(is_whole[:, None], np.ceil(found * (1 - 1e-12) - 1e-9), found)
    columns = {SERIES: series, "lead_time_mean": durations.mean(axis=1), "mean": mean}
    named = {quantile_column(level): np.maximum(found[:, index], 0.0) for index, level in enumerate(wanted)}
    return pd.DataFrame(columns | named)
