"""Which model speaks for which kind of series: segments, and the choice made from errors of earlier origins.

Segments: ABC by share of volume, XYZ by steadiness, and the demand classes of Syntetos and Boylan (2005). The choice
keeps the simplest model unless another is clearly better. Fitting models does not belong here.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models_ml.features import Snapshot
from models_ml.frames import SERIES
from models_ml.periods import Floats

# A model must beat a simpler one by this share of its loss to replace it.
MARGIN = 0.01
# Fewer past errors than this say nothing, about a segment or about all series.
FEWEST_ERRORS = 200
# Levels that models are compared at, for regular and for rare demand. The mean error would choose zero for the latter.
MIDDLE_LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
HIGH_LEVELS = (0.8, 0.9, 0.95, 0.975, 0.99)
DEAD = "dead"
ADI_LIMIT = 1.32
SQUARED_CV_LIMIT = 0.49

Texts = NDArray[np.object_]


def segments(snapshot: Snapshot) -> pd.DataFrame:
    """The segment of every series as known at the snapshot.

    Returns:
        `series_id`; `abc`: A for the series that make up the first 80 % of the last year's volume, B to 95 %, then C;
        `xyz`: X, Y, Z for a coefficient of variation up to 0.5, up to 1, above; `demand_class`: smooth, erratic,
        intermittent, lumpy, new (see `is_new`) or dead (no demand in the last year, or discontinued).
    """
    panel = snapshot.panel
    used = np.maximum(np.minimum(panel.cadence.year, snapshot.ages), 1)
    volume = panel.spans.last(snapshot.column, used)
    sold = panel.sold_spans.last(snapshot.column, used)
    size = volume / np.maximum(sold, 1)
    square = panel.square_spans.last(snapshot.column, used) / np.maximum(sold, 1)
    squared_cv = np.divide(square - size**2, size**2, out=np.zeros_like(size), where=size > 0)
    erratic, rare = squared_cv >= SQUARED_CV_LIMIT, used / np.maximum(sold, 1) >= ADI_LIMIT
    classes = np.array([["smooth", "erratic"], ["intermittent", "lumpy"]], dtype=object)
    demand_class: Texts = classes[rare.astype(int), erratic.astype(int)]
    demand_class[is_new(snapshot)] = "new"
    demand_class[(sold == 0) | snapshot.is_discontinued()] = DEAD
    spread = snapshot.dispersion()
    xyz = np.array(["X", "Y", "Z"], dtype=object)[(spread > 0.5).astype(int) + (spread > 1.0)]
    return pd.DataFrame({SERIES: panel.series, "abc": _abc(volume), "xyz": xyz, "demand_class": demand_class})


def is_new(snapshot: Snapshot) -> NDArray[np.bool_]:
    """Whether a series is too young for a choice of its own: younger than two seasons, at most 14 periods."""
    return np.asarray(snapshot.ages < min(2 * snapshot.panel.cadence.season, 14))


def _abc(volume: Floats) -> Texts:
    order = np.argsort(-volume, kind="stable")
    before = np.cumsum(volume[order]) - volume[order]
    share = np.empty(len(volume))
    share[order] = before / max(volume.sum(), np.finfo(float).tiny)
    labels: Texts = np.array(["A", "B", "C"], dtype=object)[(share >= 0.8).astype(int) + (share >= 0.95)]
    return labels


@dataclass(frozen=True)
class Choice:
    """The model chosen for each segment, and for those never judged.

    Attributes:
        default: the choice over all series together.
        by_segment: the choice for segments with enough past errors.
        fallback: the baseline that speaks for new and discontinued series and where another model gives no number.
    """

    default: str
    by_segment: dict[str, str]
    fallback: str

    @classmethod
    def of(cls, losses: pd.DataFrame, models: tuple[str, ...], fallback: str) -> "Choice":
        """Choose by the sum of losses on earlier origins.

        Where nothing was sold for a year the choice over all series holds: what little returns there teaches chance.

        Args:
            losses: one row per segment and earlier origin: `segment`, `origin`, the `rows` judged, and one column of
                summed loss per model.
            models: the naive one first, then from the simplest to the most complex. A later one needs a margin to win,
                and must have added value to the naive one at more than half of the origins.
            fallback: the baseline for what was never judged.
        """
        if losses["rows"].sum() < FEWEST_ERRORS:
            return cls(fallback, {}, fallback)
        names = list(models)
        default = _best(losses.groupby("origin", sort=True)[names].sum(), models)
        by_segment = {
            str(segment): _best(of_segment[names], models)
            for segment, of_segment in losses.groupby("segment", sort=True)
            if of_segment["rows"].sum() >= FEWEST_ERRORS and not str(segment).endswith(DEAD)
        }
        return cls(default, by_segment, fallback)

    def models(self, snapshot: Snapshot) -> Texts:
        """The model that speaks for each series at the snapshot."""
        labels = segment_labels(snapshot)
        chosen: Texts = np.array([self.by_segment.get(label, self.default) for label in labels], dtype=object)
        chosen[is_new(snapshot) | snapshot.is_discontinued()] = self.fallback
        return chosen


def segment_labels(snapshot: Snapshot) -> Texts:
    """Segment of each series in one word, for example `A smooth`."""
    found = segments(snapshot)
    labels: Texts = (found["abc"] + " " + found["demand_class"]).to_numpy(dtype=object)
    return labels


def is_rare(labels: Texts) -> NDArray[np.bool_]:
    """Whether segments are of rare demand, intermittent or lumpy, which stock is held against at high levels."""
    return np.array([label.endswith(("intermittent", "lumpy")) for label in labels], dtype=bool)


def _best(losses: pd.DataFrame, models: tuple[str, ...]) -> str:
    """The model with the least loss, one row an origin."""
    naive = best = models[0]
    for model in models[1:]:
        adds_value = (losses[model] < losses[naive]).mean() > 0.5
        if adds_value and losses[model].sum() < (1 - MARGIN) * losses[best].sum():
            best = model
    return best
