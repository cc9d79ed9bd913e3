"""Mean demand by every model, side by side. How one of them works, and which of them speaks, do not belong here."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models_ml import baselines, levels, smoothing, trees
from models_ml.features import Snapshot
from models_ml.levels import NO_LEVEL, Level
from models_ml.periods import Floats, Ints

SEASONAL_NAIVE = "seasonal_naive"
MOVING_AVERAGE = "moving_average"
WEEKDAY_MEAN = "weekday_mean"
SES = "ses"
SEASONAL_ES = "seasonal_es"
CROSTON = "croston"
SBA = "sba"
TSB = "tsb"
TREES = "trees"
COMBINATION = "combination"
# From the simplest to the most complex: a later one must be better by a margin to be chosen.
MODELS = (
    SEASONAL_NAIVE,
    MOVING_AVERAGE,
    WEEKDAY_MEAN,
    SES,
    SEASONAL_ES,
    CROSTON,
    SBA,
    TSB,
    TREES,
    COMBINATION,
)
# Their means are the same for every period ahead.
FLAT = (MOVING_AVERAGE, SES, CROSTON, SBA, TSB)
# The baseline that suits a cadence; two years say too little of one week or month of a single series.
BASELINES = {7: WEEKDAY_MEAN, 52: MOVING_AVERAGE, 12: MOVING_AVERAGE}


@dataclass(frozen=True)
class Plan:
    """What to forecast: the questions every part of the engine must answer alike."""

    horizon: int
    season: int
    quantiles: tuple[float, ...]
    seed: int
    country: str | None

    @property
    def baseline(self) -> str:
        """The model that speaks where no other may."""
        return BASELINES[self.season]

    @property
    def unfitted(self) -> tuple[str, ...]:
        """The models that need no fitting, from the simplest on."""
        return tuple(name for name in MODELS[:-2] if name != WEEKDAY_MEAN or self.baseline == WEEKDAY_MEAN)


@dataclass(frozen=True, eq=False)
class Means:
    """How the models' means are made.

    Attributes:
        plan: what is forecast.
        trees: the global model; None where history was too short.
        level: how the trees are drawn to the level of totals, see `models_ml.levels`.
        members: the models whose mean is the combination; none, no combination.
    """

    plan: Plan
    trees: trees.Trees | None
    level: Level = NO_LEVEL
    members: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The models that can speak, from the simplest on."""
        fitted = (TREES,) if self.trees is not None else ()
        return self.plan.unfitted + fitted + ((COMBINATION,) if self.members else ())

    def at(self, snapshot: Snapshot) -> dict[str, Floats]:
        """Mean demand by each model that can speak, each of shape (series, horizon); 0 for discontinued series."""
        alive = ~snapshot.is_discontinued()[:, None]
        means = {name: self.unfitted(name, snapshot) * alive for name in self.plan.unfitted}
        if self.trees is not None:
            plain = self.trees.forecast(snapshot, self.plan.horizon) * alive
            means[TREES] = levels.corrected(plain, snapshot, self.level, self.plan.country)
        if self.members:
            means[COMBINATION] = self.combined(means)
        return means

    def combined(self, means: dict[str, Floats]) -> Floats:
        """The mean of the members' means: what each gets wrong in its own way, the others halve."""
        return np.asarray(np.mean([means[name] for name in self.members], axis=0))

    def unfitted(self, name: str, snapshot: Snapshot) -> Floats:
        """Mean demand by one of the models that need no fitting, of shape (series, horizon)."""
        horizon = self.plan.horizon
        if name == SEASONAL_NAIVE:
            return baselines.seasonal_naive(snapshot, horizon)
        if name == WEEKDAY_MEAN:
            return baselines.weekday_mean(snapshot, horizon)
        if name == SEASONAL_ES:
            return self._seasonal_es(snapshot)
        level = snapshot.base() if name == MOVING_AVERAGE else _smoothed(name, snapshot)
        return np.broadcast_to(level[:, None], (len(level), horizon))

    def _seasonal_es(self, snapshot: Snapshot) -> Floats:
        season = self.plan.season
        values, first = snapshot.recent(snapshot.panel.cadence.smoothed)
        means = smoothing.seasonal(values, first, season, self.plan.horizon)
        return np.where(np.isfinite(means), means, snapshot.base()[:, None])


def _smoothed(name: str, snapshot: Snapshot) -> Floats:
    """A method without season; a young series keeps to its base level, which knows analogues."""
    methods: dict[str, Callable[[Floats, Ints], Floats]] = {
        SES: smoothing.simple,
        CROSTON: smoothing.croston,
        SBA: smoothing.sba,
        TSB: smoothing.tsb,
    }
    cadence = snapshot.panel.cadence
    values, first = snapshot.recent(cadence.smoothed)
    level = methods[name](values, first)
    return np.where(snapshot.ages < 2 * cadence.base_windows[0][0], snapshot.base(), level)
