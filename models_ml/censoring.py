"""Demand behind sales: on days when stock ran out, sales say only what demand was at least.

`unconstrain` puts the expected demand, given that, beside sales, and leaves sales as they are. Both series are kept:
sales are what happened, demand is what to forecast. Finding out when stock ran out does not belong here.

The method is expectation-maximisation (Dempster, Laird & Rubin 1977) of a negative binomial (of a gamma for demand that
does not come in whole units). Its mean is the series' local level times the profile of the weekday, week or month and
the effect of a promotion; its variance is the mean times the series' index of dispersion.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models_ml.frames import DATE, IS_CENSORED, QUANTITY, SERIES, UNCONSTRAINED, FrameError, known_numbers, validated
from models_ml.panel import Panel
from models_ml.periods import Floats, Ints

ROUNDS = 60
# Rounds stop when the total moves by less than this share.
TOLERANCE = 1e-5
# Periods of the series' overall level that its local level is drawn towards, and of its sales that the former is: of a
# series that sold out on nearly all of its few days any level, however high, would be likely.
PRIOR_PERIODS = 4.0
# Periods of the panel's profile that a series' own profile is drawn towards, per phase.
PROFILE_PRIOR = 8.0
LEAST_DISPERSION = 1.02
MOST_DISPERSION = 100.0
# Below this probability of what has happened its expectation is no longer computed, but set to just above sales.
LEAST_CHANCE = 1e-10

Bools = NDArray[np.bool_]


def unconstrain(history: pd.DataFrame, *, season: int = 7, strictly_above: bool = False) -> pd.DataFrame:
    """Demand beside sales.

    Args:
        history: long frame with `is_censored` for every row: whether stock ran out, so that demand may have been more
            than the quantity. A period of a stock-out without sales needs a row too: absent rows are demand of 0.
            `promotion`, if there, is taken into account.
        season: 7 (days), 52 (weeks) or 12 (months).
        strictly_above: what the flag says: that demand was above sales, or only that it was at least as high, as when
            the last unit was sold to the last customer.

    Returns:
        The history in order of series and date, with `unconstrained_quantity`: the quantity where it was not censored,
        the expected demand (never less than the quantity) where it was.

    Raises:
        FrameError: as `frames.validated` raises it; `is_censored` is missing or null.
    """
    rows = validated(history.drop(columns=UNCONSTRAINED, errors="ignore"))
    if IS_CENSORED not in rows.columns:
        raise FrameError("is_censored is missing. Say for every row whether stock ran out.")
    if rows.empty or not rows[IS_CENSORED].any():
        return rows.assign(**{UNCONSTRAINED: rows[QUANTITY]})
    panel = Panel.of(rows, rows[DATE].max().date(), season, whole=True)
    cells = _cells(panel, rows)
    sales = panel.values
    censored = np.zeros(sales.shape, dtype=bool)
    censored[cells] = rows[IS_CENSORED].to_numpy(dtype=bool)
    promotion = np.zeros(sales.shape, dtype=bool)
    if "promotion" in rows.columns:
        promotion[cells] = known_numbers(rows["promotion"]).fillna(0).to_numpy() > 0
    demand = _Demand(panel, sales, censored, promotion, strictly_above).fitted()
    return rows.assign(**{UNCONSTRAINED: demand[cells]})


def _cells(panel: Panel, rows: pd.DataFrame) -> tuple[Ints, Ints]:
    codes = pd.Index(panel.series).get_indexer(pd.Index(rows[SERIES].to_numpy(dtype=object)))
    periods = pd.Index(panel.dates(np.arange(panel.last + 1)).astype("datetime64[s]"))
    return np.asarray(codes), np.asarray(periods.get_indexer(pd.Index(rows[DATE])))


@dataclass(frozen=True, eq=False)
class _Demand:
    """What is known of demand; every matrix has one row per series, one column per period."""

    panel: Panel
    sales: Floats
    censored: Bools
    promotion: Bools
    strictly_above: bool

    def fitted(self) -> Floats:
        """Sales, and where they were censored the expectation of demand."""
        columns = np.arange(self.sales.shape[1])
        inside = columns[None, :] >= self.panel.first[:, None]
        told = inside & ~self.censored
        # Without sales a stock-out says nothing of demand, unless there was some: only its expectation is of use.
        mute = self.censored & (self.sales == 0) & (not self.strictly_above)
        demand, weights = self.sales.copy(), told.astype(np.float64)
        total = demand.sum()
        at = np.nonzero(self.censored)
        for _ in range(ROUNDS):
            mean = self._mean(demand, weights)
            dispersion = self._dispersion(mean, told)
            above = self.sales[at] - (0 if self.strictly_above else 1)
            expected = _expected_above(mean[at], above, dispersion[at[0]], self.panel.is_whole[at[0]])
            demand[at] = np.maximum(expected, self.sales[at])
            weights = (inside & ~mute).astype(np.float64)
            moved, total = abs(demand.sum() - total), demand.sum()
            if moved <= TOLERANCE * total:
                break
        return demand

    def _mean(self, demand: Floats, weights: Floats) -> Floats:
        """Local level times profile times promotion, each fitted given the others, twice around."""
        phase = self._phases()
        profile = np.ones((len(demand), int(phase.max()) + 1))
        lift = 1.0
        mean = np.ones_like(demand)
        for _ in range(2):
            shape = profile[:, phase] * np.where(self.promotion, lift, 1.0)
            level = _local_level(demand, self.sales, weights, shape, self._half_width())
            profile = _profile(demand, weights, level * np.where(self.promotion, lift, 1.0), phase)
            mean = level * profile[:, phase]
            on, off = weights * self.promotion, weights * ~self.promotion
            ratios = [(demand * each).sum() / max((mean * each).sum(), 1e-12) for each in (on, off)]
            lift = float(np.clip(ratios[0] / ratios[1], 1.0, 10.0)) if on.any() and ratios[1] > 0 else 1.0
        return np.asarray(mean * np.where(self.promotion, lift, 1.0))

    def _phases(self) -> Ints:
        columns = np.arange(self.sales.shape[1])
        return np.asarray(columns % self.panel.cadence.season)

    def _half_width(self) -> int:
        """Of the window of the local level: four weeks of days, a quarter of weeks, half a year of months."""
        return {"D": 28, "W": 13, "M": 6}[self.panel.cadence.unit]

    def _dispersion(self, mean: Floats, told: Bools) -> Floats:
        """Variance over mean of each series, drawn to that of all; from the periods that were not censored."""
        squares = np.where(told, (self.sales - mean) ** 2 / np.maximum(mean, 1e-9), 0.0)
        squares[mean < 1e-6] = 0.0
        count = told.sum(axis=1)
        overall = squares.sum() / max(count.sum(), 1)
        own = (squares.sum(axis=1) + 20 * overall) / (count + 20)
        return np.asarray(np.clip(own, LEAST_DISPERSION, MOST_DISPERSION))


def _local_level(demand: Floats, sales: Floats, weights: Floats, shape: Floats, half_width: int) -> Floats:
    """Demand over shape in a window around each period, drawn to the series' own ratio over all periods."""
    wanted, expected = demand * weights, shape * weights
    total = expected.sum(axis=1, keepdims=True)
    sold = (sales * weights).sum(axis=1, keepdims=True) / np.maximum(total, 1e-9)
    overall = (wanted.sum(axis=1, keepdims=True) + PRIOR_PERIODS * sold) / (total + PRIOR_PERIODS)
    near_wanted, near_expected = (_window_sums(each, half_width) for each in (wanted, expected))
    return np.asarray((near_wanted + PRIOR_PERIODS * overall) / (near_expected + PRIOR_PERIODS))


def _window_sums(values: Floats, half_width: int) -> Floats:
    running = np.zeros((values.shape[0], values.shape[1] + 1))
    np.cumsum(values, axis=1, out=running[:, 1:])
    columns = np.arange(values.shape[1])
    ends = np.minimum(columns + half_width + 1, values.shape[1])
    return np.asarray(running[:, ends] - running[:, np.maximum(columns - half_width, 0)])


def _profile(demand: Floats, weights: Floats, level: Floats, phase: Ints) -> Floats:
    """Demand of each phase over its level, of shape (series, phases), drawn to the profile of all series."""
    member = np.eye(int(phase.max()) + 1)[phase]
    sold, expected = (demand * weights) @ member, (level * weights) @ member
    overall = sold.sum(axis=0) / np.maximum(expected.sum(axis=0), 1e-9)
    typical = level.mean(axis=1, keepdims=True) * PROFILE_PRIOR
    return np.asarray((sold + typical * overall) / np.maximum(expected + typical, 1e-12))


def _expected_above(mean: Floats, above: Floats, dispersion: Floats, is_whole: Bools) -> Floats:
    """E[demand | demand > above] for a negative binomial of whole units, or for a gamma.

    For a negative binomial of size r, k pmf(k; r) = mean pmf(k - 1; r + 1), so that the partial mean is the mean times
    the survival of the one with size r + 1; likewise for the gamma with shape a and a + 1.
    """
    from scipy import stats

    mean = np.maximum(mean, 1e-9)
    chance = 1 / dispersion
    size = mean / (dispersion - 1)
    partial = np.where(
        is_whole,
        stats.nbinom.sf(above - 1, size + 1, chance),
        stats.gamma.sf(above, mean / dispersion + 1, scale=dispersion),
    )
    whole = np.where(
        is_whole, stats.nbinom.sf(above, size, chance), stats.gamma.sf(above, mean / dispersion, scale=dispersion)
    )
    likely = whole > LEAST_CHANCE
    return np.where(likely, mean * partial / np.where(likely, whole, 1.0), above + 1)
