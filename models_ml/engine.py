"""The engine: fit once, forecast often, backtest over past origins. Frames and their shapes are `models_ml.frames`.

A fitted `Model` holds what changes slowly (trees, calibration, the choice of model per segment). Forecasting from a
later origin reads the newest history for levels and features and so costs little. How a single model works does not
belong here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models_ml import baselines, levels, selection, trees
from models_ml.calibration import Calibration
from models_ml.features import Snapshot
from models_ml.frames import DATE, IS_SELECTED, SERIES, checked_levels, quantile_column
from models_ml.panel import Panel
from models_ml.periods import Floats
from models_ml.selection import Choice

SEASONAL_NAIVE = "seasonal_naive"
WEEKDAY_MEAN = "weekday_mean"
MOVING_AVERAGE = "moving_average"
TREES = "trees"
# From the simplest to the most complex: a later one must be better by a margin to be chosen.
MODELS = (SEASONAL_NAIVE, WEEKDAY_MEAN, MOVING_AVERAGE, TREES)
# The baseline that suits a cadence; two years say too little of one week or month of a single series.
BASELINES = {7: WEEKDAY_MEAN, 52: MOVING_AVERAGE, 12: MOVING_AVERAGE}
CALIBRATION_ORIGINS = 3


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


@dataclass(frozen=True, eq=False)
class Means:
    """How the models' means are made.

    Attributes:
        plan: what is forecast.
        trees: the global model; None where history was too short.
        strength: how far the trees are drawn to the level of the total, see `models_ml.levels`.
    """

    plan: Plan
    trees: trees.Trees | None
    strength: float = 0.0

    def at(self, snapshot: Snapshot) -> dict[str, Floats]:
        """Mean demand by each model that can speak, each of shape (series, horizon); 0 for discontinued series."""
        horizon = self.plan.horizon
        baseline = baselines.weekday_mean if self.plan.baseline == WEEKDAY_MEAN else baselines.moving_average
        means = {
            SEASONAL_NAIVE: baselines.seasonal_naive(snapshot, horizon),
            self.plan.baseline: baseline(snapshot, horizon),
        }
        alive = ~snapshot.is_discontinued()[:, None]
        if self.trees is not None:
            total = self.total(snapshot) if self.strength else None
            means[TREES] = levels.corrected(self.trees.forecast(snapshot, horizon) * alive, total, self.strength)
        return {name: mean * alive for name, mean in means.items()}

    def total(self, snapshot: Snapshot) -> Floats | None:
        """Total demand expected, of shape (horizon)."""
        return levels.total_forecast(snapshot.panel, snapshot.column, self.plan.horizon, self.plan.country)


@dataclass(frozen=True, eq=False)
class Model:
    """What was learnt at one origin and stays good for some weeks.

    Attributes:
        means: the models' means.
        calibrations: how far actuals fell from each model's mean.
        choice: the model per segment.
    """

    means: Means
    calibrations: dict[str, Calibration]
    choice: Choice

    def forecast(self, history: pd.DataFrame, origin: date) -> pd.DataFrame:
        """Forecast every series of `history` from `origin`, with levels and features as of that day.

        Args:
            history: long frame; rows after the origin are ignored.
            origin: the last known period; may be later than the one the model was fitted at.

        Returns:
            A forecast frame, in order of series, date and model.
        """
        panel = Panel.of(history, origin, self.means.plan.season)
        snapshot = Snapshot.at(panel, panel.last)
        means = self.means.at(snapshot)
        speakers = _speakers(self.choice.models(snapshot), means, self.means.plan.baseline)
        blocks = [self._block(snapshot, name, means[name], speakers == name) for name in sorted(means)]
        forecasts = pd.concat(blocks, ignore_index=True)
        return forecasts.sort_values([SERIES, "horizon", "model"], kind="stable", ignore_index=True)

    def _block(self, snapshot: Snapshot, name: str, mean: Floats, is_selected: NDArray[np.bool_]) -> pd.DataFrame:
        panel, plan = snapshot.panel, self.means.plan
        horizon = plan.horizon
        count = len(panel.series)
        quantiles = self.calibrations[name].quantiles(mean, *spread_of(name, snapshot, mean))
        steps = np.tile(np.arange(1, horizon + 1), count)
        columns = {
            SERIES: np.repeat(panel.series, horizon),
            "origin": np.datetime64(panel.origin, "s"),
            DATE: panel.dates(panel.last + steps).astype("datetime64[s]"),
            "horizon": steps,
            "model": name,
            "mean": mean.ravel(),
        }
        columns |= {
            quantile_column(level): quantiles[:, :, index].ravel() for index, level in enumerate(plan.quantiles)
        }
        return pd.DataFrame(columns | {IS_SELECTED: is_selected.ravel()})


def fit(
    history: pd.DataFrame,
    *,
    origin: date,
    horizon: int = 28,
    season: int = 7,
    quantiles: Sequence[float] = (0.1, 0.5, 0.9),
    seed: int = 0,
    country: str | None = None,
) -> Model:
    """Learn from everything known at `origin`.

    Args:
        history: long frame, see `models_ml.frames`; rows after the origin are ignored.
        origin: last known period.
        horizon: periods to forecast.
        season: 7 (days), 52 (weeks) or 12 (months).
        quantiles: levels between 0 and 1.
        seed: of all drawing; equal seeds give equal forecasts.
        country: ISO code of the country whose public holidays matter, for example `DE`.

    Raises:
        FrameError: the history, the season or a quantile is not usable; the message says why.
    """
    plan = Plan(horizon, season, checked_levels(quantiles), seed, country)
    panel = Panel.of(history, origin, season)
    past = _past_origins(panel, horizon)
    trial = _fit_trees(panel, past[0], plan) if past else None
    snapshots = [Snapshot.at(panel, column) for column in past]
    strength = _level_strength(Means(plan, trial), snapshots) if trial else 0.0
    calibrations, choice = _judged(Means(plan, trial, strength), snapshots)
    fitted = _fit_trees(panel, panel.last, plan) if trial else None
    return Model(Means(plan, fitted, strength), calibrations, choice)


def backtest(
    history: pd.DataFrame,
    origins: Sequence[date],
    *,
    training_origin: Callable[[date], date] | None = None,
    horizon: int = 28,
    season: int = 7,
    quantiles: Sequence[float] = (0.1, 0.5, 0.9),
    seed: int = 0,
    country: str | None = None,
) -> pd.DataFrame:
    """Forecast from each of several past origins as if it were the present, and stack the forecast frames.

    Args:
        history: long frame.
        origins: the days to stand on.
        training_origin: from an origin to the origin whose model it uses (default: a model of its own each).
        horizon: see `fit`, as the other arguments.
        season: see `fit`.
        quantiles: see `fit`.
        seed: see `fit`.
        country: see `fit`.
    """
    fitted: dict[date, Model] = {}
    forecasts = []
    for origin in origins:
        trained = training_origin(origin) if training_origin else origin
        if trained not in fitted:
            fitted[trained] = fit(
                history, origin=trained, horizon=horizon, season=season, quantiles=quantiles, seed=seed, country=country
            )
        forecasts.append(fitted[trained].forecast(history, origin))
    return pd.concat(forecasts, ignore_index=True)


def training_origin(as_of: date, first_as_of: date | None = None) -> date:
    """The day whose model serves `as_of`: the last day of the month before, so that a month shares one model.

    Args:
        as_of: the day to forecast from.
        first_as_of: the first day anything is known; a month that began earlier uses the model of this day.
    """
    month_end = as_of.replace(day=1) - timedelta(days=1)
    return month_end if first_as_of is None else min(max(month_end, first_as_of), as_of)


def spread_of(name: str, snapshot: Snapshot, mean: Floats) -> tuple[Floats, Floats]:
    """Scale and dispersion that a model's errors are measured by, of the shape of `mean`.

    The seasonal naive's mean is one past value, often 0, and says little about its error; its scale is the base level.
    """
    scale = np.broadcast_to(snapshot.base()[:, None], mean.shape) if name == SEASONAL_NAIVE else mean
    return scale, np.broadcast_to(snapshot.dispersion()[:, None], mean.shape)


def _fit_trees(panel: Panel, column: int, plan: Plan) -> trees.Trees | None:
    return trees.fit(panel, column, horizon=plan.horizon, seed=plan.seed, country=plan.country)


def _past_origins(panel: Panel, horizon: int) -> list[int]:
    """Columns to calibrate at, a horizon apart, the earliest first; fewer and nearer where history is short."""
    earliest = min(2 * panel.cadence.season, 14)
    columns = [panel.last - horizon * back for back in range(CALIBRATION_ORIGINS, 0, -1)]
    kept = [column for column in columns if column >= earliest]
    return kept or [column for column in (panel.last - panel.cadence.season,) if column >= earliest]


def _came_true(snapshot: Snapshot, horizon: int) -> Floats:
    """Demand after the snapshot, as far as the panel knows it."""
    return snapshot.panel.values[:, snapshot.column + 1 : snapshot.column + 1 + horizon]


def _level_strength(means: Means, snapshots: list[Snapshot]) -> float:
    """How far the trees should be drawn to the level of the total, from what came true after past origins."""
    actuals = [_came_true(snapshot, means.plan.horizon) for snapshot in snapshots]
    forecasts = [means.at(snapshot)[TREES] for snapshot in snapshots]
    known = [forecast[:, : actual.shape[1]] for forecast, actual in zip(forecasts, actuals, strict=True)]
    return levels.best_strength(known, [means.total(snapshot) for snapshot in snapshots], actuals)


def _judged(means: Means, snapshots: list[Snapshot]) -> tuple[dict[str, Calibration], Choice]:
    """Calibration of each model and the choice among them, from what came true after past origins."""
    plan = means.plan
    names = tuple(name for name in MODELS if name in (SEASONAL_NAIVE, plan.baseline) or (name == TREES and means.trees))
    errors: dict[str, list[tuple[Floats, ...]]] = {name: [] for name in names}
    labels = []
    for snapshot in snapshots:
        alive = np.flatnonzero(snapshot.ages > 0)
        actual = _came_true(snapshot, plan.horizon)[alive]
        known = actual.shape[1]
        labels.append(np.repeat(selection.segment_labels(snapshot)[alive], known))
        for name, mean in means.at(snapshot).items():
            arrays = (mean, *spread_of(name, snapshot, mean))
            errors[name].append((actual.ravel(), *(array[alive, :known].ravel() for array in arrays)))
    stacked = {name: _stacked(parts) for name, parts in errors.items()}
    calibrations = {name: Calibration.of(*arrays, plan.quantiles) for name, arrays in stacked.items()}
    losses = {name: calibrations[name].losses(*arrays) for name, arrays in stacked.items()}
    table = pd.DataFrame({"segment": np.concatenate(labels) if labels else [], **losses})
    return calibrations, Choice.of(table, names, plan.baseline)


def _stacked(parts: list[tuple[Floats, ...]]) -> tuple[Floats, Floats, Floats, Floats]:
    if not parts:
        return (np.empty(0),) * 4
    actual, mean, scale, dispersion = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return actual, mean, scale, dispersion


def _speakers(chosen: selection.Texts, means: dict[str, Floats], baseline: str) -> selection.Texts:
    """The model in force for each series and period: the chosen one where it gives a number, else the baseline."""
    speakers: selection.Texts = np.full(means[baseline].shape, baseline, dtype=object)
    for name, mean in means.items():
        speakers[(chosen == name)[:, None] & np.isfinite(mean)] = name
    return speakers
