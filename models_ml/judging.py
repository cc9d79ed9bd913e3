"""What earlier origins teach: how far actuals fell from each model's mean, and which model served each segment best.

Every origin here lies far enough back for its targets to be known, and its forecasts see nothing after it. How a mean,
a quantile or a choice is made does not belong here.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models_ml import metrics, selection
from models_ml.calibration import Calibration, Errors
from models_ml.features import Snapshot
from models_ml.lead_times import correlation_of
from models_ml.levels import best_level, corrected
from models_ml.means import COMBINATION, SEASONAL_NAIVE, TREES, Means
from models_ml.periods import Floats, Ints
from models_ml.selection import Choice

# More errors than this do not make a calibration better; an even share of them is kept.
MOST_ERRORS = 600_000
# The bias of a segment counts as one more quantile loss, that of its sum at the median.
BIAS_WEIGHT = 0.5
# Fraction of the golden ratio: its multiples are spread evenly, whatever the number of periods in a row.
GOLDEN = 0.6180339887498949


@dataclass(frozen=True, eq=False)
class Judgement:
    """What earlier origins taught.

    Attributes:
        means: the models' means, drawn to the level and combined as served best.
        calibrations: how far actuals fell from each model's mean.
        choice: the model per segment.
        scores: per model: WAPE, bias and quantile loss over the earlier origins.
        correlation: of the errors of any two periods of a series, of the model chosen over all.
    """

    means: Means
    calibrations: dict[str, Calibration]
    choice: Choice
    scores: pd.DataFrame
    correlation: float


@dataclass(frozen=True, eq=False)
class _Kept:
    """The targets of one earlier origin that are kept to learn from."""

    snapshot: Snapshot
    labels: selection.Texts
    series: Ints
    steps: Ints
    actual: Floats

    def errors(self, name: str, mean: Floats) -> Errors:
        scale, dispersion = spread_of(name, self.snapshot, mean)
        cells = self.series, self.steps
        whole = self.snapshot.panel.is_whole[self.series]
        return Errors(self.actual, mean[cells], scale[cells], dispersion[cells], whole)


def judged(means: Means, snapshots: list[Snapshot]) -> Judgement:
    """Compare the models on earlier origins, and learn their errors.

    Args:
        means: the models, fitted on nothing later than the first snapshot.
        snapshots: the earlier origins; may be none.
    """
    made = [means.at(snapshot) for snapshot in snapshots]
    if means.trees is not None and snapshots:
        actuals = [came_true(snapshot, means.plan.horizon) for snapshot in snapshots]
        level = best_level([each[TREES] for each in made], snapshots, actuals, means.plan.country)
        means = replace(means, level=level)
        for each, snapshot in zip(made, snapshots, strict=True):
            each[TREES] = corrected(each[TREES], snapshot, level, means.plan.country)
    kept = _kept(snapshots, means.plan.horizon)
    singles = {name: _model(name, means, made, kept) for name in means.names}
    means = replace(means, members=_members({name: each.total for name, each in singles.items()}))
    if means.members:
        made = [each | {COMBINATION: means.combined(each)} for each in made]
        singles[COMBINATION] = _model(COMBINATION, means, made, kept)
    losses = pd.DataFrame({name: each.losses for name, each in singles.items()}).reset_index()
    choice = Choice.of(losses, means.names, means.plan.baseline)
    scores = pd.DataFrame([{"model": name, **each.scores} for name, each in singles.items()])
    calibrations = {name: each.calibration for name, each in singles.items()}
    scaled = [_scaled_errors(snapshot, each[choice.default]) for snapshot, each in zip(snapshots, made, strict=True)]
    return Judgement(means, calibrations, choice, scores, correlation_of(scaled))


def spread_of(name: str, snapshot: Snapshot, mean: Floats) -> tuple[Floats, Floats]:
    """Scale and dispersion that a model's errors are measured by, of the shape of `mean`.

    The seasonal naive's mean is one past value, often 0, and says little about its error; its scale is the base level.
    """
    scale = np.broadcast_to(snapshot.base()[:, None], mean.shape) if name == SEASONAL_NAIVE else mean
    return scale, np.broadcast_to(snapshot.dispersion()[:, None], mean.shape)


def came_true(snapshot: Snapshot, horizon: int) -> Floats:
    """Demand after the snapshot, as far as the panel knows it."""
    return snapshot.panel.values[:, snapshot.column + 1 : snapshot.column + 1 + horizon]


def _scaled_errors(snapshot: Snapshot, mean: Floats) -> Floats:
    """Errors over the root of the mean, for which a Poisson's have the same spread at any mean."""
    actual = came_true(snapshot, mean.shape[1])
    alive = (snapshot.ages > 0) & (mean > 0).all(axis=1)
    expected = mean[alive, : actual.shape[1]]
    return np.asarray((actual[alive] - expected) / np.sqrt(expected))


def _is_seen(snapshot: Snapshot, periods: int) -> NDArray[np.bool_]:
    """Whether demand was seen: of series that had begun, in the periods after the snapshot with stock left."""
    begun = np.broadcast_to((snapshot.ages > 0)[:, None], (len(snapshot.ages), periods))
    censored = snapshot.panel.censored
    return begun if censored is None else begun & ~censored[:, snapshot.column + 1 : snapshot.column + 1 + periods]


def _kept(snapshots: list[Snapshot], horizon: int) -> list[_Kept]:
    known = [came_true(snapshot, horizon) for snapshot in snapshots]
    seen = [_is_seen(snapshot, actual.shape[1]) for snapshot, actual in zip(snapshots, known, strict=True)]
    share = min(1.0, MOST_ERRORS / max(sum(int(np.count_nonzero(each)) for each in seen), 1))
    kept = []
    for snapshot, actual, is_seen in zip(snapshots, known, seen, strict=True):
        series, steps = np.nonzero(is_seen)
        taken = (np.arange(len(series)) * GOLDEN) % 1.0 < share
        series, steps = series[taken], steps[taken]
        kept.append(_Kept(snapshot, selection.segment_labels(snapshot), series, steps, actual[series, steps]))
    return kept


@dataclass(frozen=True, eq=False)
class _Judged:
    """One model on the earlier origins: `losses` per segment and origin, `total` of them, and its scores.

    A loss is the quantile loss and the bias, see `_segment_losses`.
    """

    calibration: Calibration
    losses: "pd.Series[float]"
    total: float
    scores: dict[str, float]


def _model(name: str, means: Means, made: list[dict[str, Floats]], kept: list[_Kept]) -> _Judged:
    parts = [each.errors(name, mean[name]) for each, mean in zip(kept, made, strict=True)]
    calibration = Calibration.of(_stacked(parts), means.plan.quantiles, seed=means.plan.seed)
    tables = [
        _segment_losses(each, calibration, errors).assign(origin=number)
        for number, (each, errors) in enumerate(zip(kept, parts, strict=True))
    ]
    losses = pd.concat(tables) if tables else pd.DataFrame(columns=["segment", "origin", "rows", "loss", "bias"])
    indexed = losses.set_index(["segment", "origin", "rows"])
    judged = indexed["loss"] + BIAS_WEIGHT * indexed["bias"]
    return _Judged(calibration, judged, float(judged.sum()), _scores(_stacked(parts), float(indexed["loss"].sum())))


def _segment_losses(kept: _Kept, calibration: Calibration, errors: Errors) -> pd.DataFrame:
    """Quantile loss and absolute bias by segment; intermittent demand is judged at high levels, as its stock is.

    Calibration takes a bias out of the quantiles but leaves it in the mean: of models with like quantiles the loss
    alone would choose the simplest, were its mean a sixth off (measured: last year's week of growing demand).
    """
    codes, names = pd.factorize(kept.labels, sort=True)
    codes, is_rare = codes[kept.series], selection.is_rare(kept.labels)[kept.series]
    losses = np.empty(len(codes))
    for at, levels in ((is_rare, selection.HIGH_LEVELS), (~is_rare, selection.MIDDLE_LEVELS)):
        losses[at] = calibration.losses(errors.where(at), levels)
    rows = np.bincount(codes, minlength=len(names))
    sums = np.bincount(codes, losses, minlength=len(names))
    bias = np.abs(np.bincount(codes, errors.mean - errors.actual, minlength=len(names)))
    return pd.DataFrame({"segment": names, "rows": rows, "loss": sums, "bias": bias})[rows > 0]


def _members(totals: dict[str, float]) -> tuple[str, ...]:
    """The two models that served best, the naive one aside: it is what the others must beat."""
    ranked = sorted((total, name) for name, total in totals.items() if name != SEASONAL_NAIVE)
    return tuple(name for _, name in ranked[:2]) if len(ranked) > 1 and ranked[0][0] > 0 else ()


def _scores(errors: Errors, loss: float) -> dict[str, float]:
    return {
        "rows": len(errors.actual),
        "wape": metrics.wape(errors.mean, errors.actual),
        "bias": metrics.bias(errors.mean, errors.actual),
        "quantile_loss": loss / errors.actual.sum() if errors.actual.sum() > 0 else float("nan"),
    }


def _stacked(parts: list[Errors]) -> Errors:
    nothing = Errors(np.empty(0), np.empty(0), np.empty(0), np.empty(0), np.empty(0, dtype=bool))
    every = [nothing, *parts]
    return Errors(**{name: np.concatenate([vars(part)[name] for part in every]) for name in vars(nothing)})
