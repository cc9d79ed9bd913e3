"""The engine: fit once, forecast often, backtest over past origins. Frames and their shapes are `models_ml.frames`.

A fitted `Model` holds what changes slowly (trees, calibration, the choice of model per segment). Forecasting from a
later origin reads the newest history for levels and features and so costs little. How a single model works does not
belong here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models_ml import selection, trees
from models_ml.calibration import Calibration
from models_ml.cards import ModelCard, Source
from models_ml.features import Snapshot
from models_ml.frames import DATE, IS_SELECTED, SERIES, checked_levels, quantile_column
from models_ml.judging import judged, spread_of
from models_ml.levels import CROSSED
from models_ml.means import MOVING_AVERAGE, SEASONAL_NAIVE, TREES, WEEKDAY_MEAN, Means, Plan
from models_ml.panel import Panel
from models_ml.periods import Floats
from models_ml.selection import Choice

__all__ = [
    "MOVING_AVERAGE",
    "SEASONAL_NAIVE",
    "TREES",
    "WEEKDAY_MEAN",
    "Model",
    "backtest",
    "fit",
    "training_origin",
]

CALIBRATION_ORIGINS = 3


@dataclass(frozen=True, eq=False)
class Model:
    """What was learnt at one origin and stays good for some weeks.

    Attributes:
        means: the models' means.
        calibrations: how far actuals fell from each model's mean.
        choice: the model per segment.
        scores: per model: how it did at the earlier origins that the choice was made from.
        correlation: of any two periods of a series, see `models_ml.lead_times`.
        learnt_from: the data the model was learnt from, for its card.
    """

    means: Means
    calibrations: dict[str, Calibration]
    choice: Choice
    scores: pd.DataFrame
    correlation: float
    learnt_from: Source

    def card(self) -> ModelCard:
        """What a registry keeps of the model."""
        plan, chosen = self.means.plan, self.choice
        return ModelCard(
            data=self.learnt_from,
            parameters={
                "horizon": plan.horizon,
                "season": plan.season,
                "quantiles": plan.quantiles,
                "country": plan.country,
            },
            seed=plan.seed,
            metrics={
                "level_by": self.means.level.by.replace(CROSSED, "*"),
                "level_strength": self.means.level.strength,
                "combination": self.means.members,
                "chosen": chosen.default,
                "chosen_by_segment": chosen.by_segment,
                "correlation": self.correlation,
                "scores": self.scores.set_index("model").to_dict("index"),
            },
        )

    def forecast(
        self,
        history: pd.DataFrame,
        origin: date,
        *,
        known_ahead: pd.DataFrame | None = None,
        every_model: bool = False,
    ) -> pd.DataFrame:
        """Forecast every series of `history` from `origin`, with levels and features as of that day.

        Args:
            history: long frame; rows after the origin are ignored.
            origin: the last known period; may be later than the one the model was fitted at.
            known_ahead: known-ahead frame, see `models_ml.frames`; what it says of periods after the origin counts.
            every_model: tell every model's forecast of every series. Otherwise the naive model, the cadence's baseline
                and the trees are told wholly, and the others where they are in force.

        Returns:
            A forecast frame, in order of series, date and model.
        """
        plan = self.means.plan
        panel = Panel.of(history, origin, plan.season, known_ahead=known_ahead, reach=plan.horizon)
        snapshot = Snapshot.at(panel, panel.last)
        means = self.means.at(snapshot)
        speakers = _speakers(self.choice.models(snapshot), means, plan.baseline)
        told_wholly = means if every_model else {SEASONAL_NAIVE, plan.baseline, TREES}
        blocks = [
            self._block(snapshot, name, means[name], speakers == name, wholly=name in told_wholly)
            for name in sorted(means)
        ]
        return _in_order(blocks, panel.series)

    def _block(
        self, snapshot: Snapshot, name: str, mean: Floats, is_selected: NDArray[np.bool_], *, wholly: bool
    ) -> dict[str, NDArray[Any]]:
        panel, plan = snapshot.panel, self.means.plan
        series, steps = np.nonzero(is_selected | wholly)
        scale, dispersion = spread_of(name, snapshot, mean)
        cells = series, steps
        quantiles = self.calibrations[name].quantiles(
            mean[cells], scale[cells], dispersion[cells], panel.is_whole[series], plan.quantiles
        )
        columns = {
            SERIES: series,
            "origin": np.full(len(series), np.datetime64(panel.origin, "s")),
            DATE: panel.dates(panel.last + 1 + steps).astype("datetime64[s]"),
            "horizon": steps + 1,
            "model": np.full(len(series), name, dtype=object),
            "mean": mean[cells],
        }
        columns |= {quantile_column(level): quantiles[:, index].copy() for index, level in enumerate(plan.quantiles)}
        return columns | {IS_SELECTED: is_selected[cells]}


def fit(
    history: pd.DataFrame,
    *,
    origin: date,
    horizon: int = 28,
    season: int = 7,
    quantiles: Sequence[float] = (0.1, 0.5, 0.9),
    seed: int = 0,
    country: str | None = None,
    known_ahead: pd.DataFrame | None = None,
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
        known_ahead: known-ahead frame. A model fitted with one must be asked with one of the same columns.

    Raises:
        FrameError: the history, the season or a quantile is not usable; the message says why.
    """
    plan = Plan(horizon, season, checked_levels(quantiles), seed, country)
    panel = Panel.of(history, origin, season, known_ahead=known_ahead, reach=horizon)
    past = _past_origins(panel, horizon)
    trial = _fit_trees(panel, past[0], plan) if past else None
    judgement = judged(Means(plan, trial), [Snapshot.at(panel, column) for column in past])
    fitted = trial if trial is None or _stays_good(panel, past[0]) else _fit_trees(panel, panel.last, plan)
    means = replace(judgement.means, trees=fitted)
    return Model(
        means, judgement.calibrations, judgement.choice, judgement.scores, judgement.correlation, Source.of_panel(panel)
    )


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
    known_ahead: pd.DataFrame | None = None,
    every_model: bool = True,
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
        known_ahead: see `fit`.
        every_model: see `Model.forecast`.
    """
    fitted: dict[date, Model] = {}
    forecasts = []
    for origin in origins:
        trained = training_origin(origin) if training_origin else origin
        if trained not in fitted:
            fitted[trained] = fit(
                history,
                origin=trained,
                horizon=horizon,
                season=season,
                quantiles=quantiles,
                seed=seed,
                country=country,
                known_ahead=known_ahead,
            )
        told = fitted[trained].forecast(history, origin, known_ahead=known_ahead, every_model=every_model)
        forecasts.append(told)
    return pd.concat(forecasts, ignore_index=True)


def training_origin(as_of: date, first_as_of: date | None = None) -> date:
    """The day whose model serves `as_of`: the last day of the month before, so that a month shares one model.

    Args:
        as_of: the day to forecast from.
        first_as_of: the first day anything is known; a month that began earlier uses the model of this day.
    """
    month_end = as_of.replace(day=1) - timedelta(days=1)
    return month_end if first_as_of is None else min(max(month_end, first_as_of), as_of)


def _in_order(blocks: list[dict[str, NDArray[Any]]], series: NDArray[np.object_]) -> pd.DataFrame:
    """The blocks of columns, which come by model and number the series, as one frame by series, horizon and model.

    Emptied column by column: with all of them beside the frame a forecast of 30,000 series would take twice the memory.
    """
    order = np.lexsort(tuple(np.concatenate([block[name] for block in blocks]) for name in ("horizon", SERIES)))
    columns: dict[str, Any] = {}
    for name in list(blocks[0]):
        columns[name] = np.concatenate([block.pop(name) for block in blocks])[order]
    columns[SERIES] = pd.array(series[columns[SERIES]], dtype="str")
    return pd.DataFrame(columns)


def _fit_trees(panel: Panel, column: int, plan: Plan) -> trees.Trees | None:
    return trees.fit(panel, column, horizon=plan.horizon, seed=plan.seed, country=plan.country)


def _stays_good(panel: Panel, column: int) -> bool:
    """Whether trees learnt up to a column, years behind it and weeks ahead, are as good as new: their features are.

    Measured on 30,000 series: trees eight weeks old err no more than new ones, and calibration fits them exactly.
    """
    year = panel.cadence.year
    return column >= 2 * year and panel.last - column <= year // 4


def _past_origins(panel: Panel, horizon: int) -> list[int]:
    """Columns to calibrate at, a horizon apart, the earliest first; fewer and nearer where history is short."""
    earliest = min(2 * panel.cadence.season, 14)
    columns = [panel.last - horizon * back for back in range(CALIBRATION_ORIGINS, 0, -1)]
    kept = [column for column in columns if column >= earliest]
    return kept or [column for column in (panel.last - panel.cadence.season,) if column >= earliest]


def _speakers(chosen: selection.Texts, means: dict[str, Floats], baseline: str) -> selection.Texts:
    """The model in force for each series and period: the chosen one where it gives a number, else the baseline."""
    speakers: selection.Texts = np.full(means[baseline].shape, baseline, dtype=object)
    for name, mean in means.items():
        speakers[(chosen == name)[:, None] & np.isfinite(mean)] = name
    return speakers
