"""Quantiles from past errors: conformal calibration, conditional on the size and the irregularity of demand.

Errors of earlier origins are divided by the spread that demand of their size has and pooled in cells of like series
(Mondrian bins of scale by dispersion); a quantile is the mean plus the cell's empirical quantile times the spread. How
a mean is made does not belong here.

The spread of small demand grows with the root of its size, as counts do, and that of large demand in proportion, as
levels do (the variance of a negative binomial, mean + mean^2 / k). Few large series share a cell with many small ones
in a small company: in proportion throughout, they were told the spread of the small.

Demand in whole units is spread evenly over the unit below it before errors are pooled, and quantiles are rounded up:
the smallest whole number that demand stays at or below with at least the level's probability (Machado & Santos Silva
2005, quantiles for counts).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models_ml.periods import Floats, Ints

MOST_SCALE_BINS = 40
DISPERSION_BINS = 6
FEWEST_IN_CELL = 200
# A cell with fewer errors than this holds the outer quantiles by chance.
WANTED_IN_CELL = 500
# Where the two growths of the spread may be equal, in mean scales: from in proportion throughout to by the root.
CROSSINGS = (0.0, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
GROUPS_OF_SIZE = 30
# Every calibration knows these levels; it is asked for any between 0 and 1.
GRID = (
    0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5,
    0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.975, 0.99, 0.995,
)  # fmt: skip

Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Errors:
    """Forecasts that have come true; all arrays of one length.

    Attributes:
        actual: demand.
        mean: forecast mean.
        scale: the size of demand that the spread of the error depends on.
        dispersion: irregularity of the series.
        is_whole: whether the series' demand comes in whole units.
    """

    actual: Floats
    mean: Floats
    scale: Floats
    dispersion: Floats
    is_whole: Bools

    def where(self, taken: Bools) -> "Errors":
        """The errors taken."""
        return Errors(**{name: array[taken] for name, array in vars(self).items()})


@dataclass(frozen=True, eq=False)
class Calibration:
    """Quantiles of scaled errors per cell.

    Attributes:
        levels: quantile levels, ascending.
        crossing: the scale up to which the spread grows rather by the root of the scale, and then in proportion.
        scale_edges: inner borders of the bins of scale.
        dispersion_edges: inner borders of the bins of dispersion.
        scores: quantiles of (actual - mean) / spread; shape (scale bins, dispersion bins, levels).
    """

    levels: tuple[float, ...]
    crossing: float
    scale_edges: Floats
    dispersion_edges: Floats
    scores: Floats

    @classmethod
    def of(cls, errors: Errors, levels: Sequence[float] = GRID, *, seed: int = 0) -> "Calibration":
        """Learn from past errors. Cells with few errors take those of their neighbours.

        Without any error to learn from demand is taken as exponentially distributed: of all distributions on positive
        numbers with a known mean the one that claims to know least.
        """
        levels = tuple(sorted({*levels, *GRID}))
        usable = errors.scale > 0
        below = np.random.default_rng(seed).random(len(usable)) * errors.is_whole
        error = (errors.actual - below - errors.mean)[usable]
        if len(error) < FEWEST_IN_CELL:
            ignorance = -np.log1p(-np.asarray(levels)) - 1
            return cls(levels, 0.0, np.empty(0), np.empty(0), ignorance.reshape(1, 1, -1))
        scale, dispersion = errors.scale[usable], errors.dispersion[usable]
        crossing = _crossing(scale, error)
        bins = int(np.clip(len(error) // (WANTED_IN_CELL * DISPERSION_BINS), 1, MOST_SCALE_BINS))
        scale_edges = _scale_edges(scale, bins, WANTED_IN_CELL)
        dispersion_edges = np.unique(np.quantile(dispersion, np.arange(1, DISPERSION_BINS) / DISPERSION_BINS))
        rows, columns = np.searchsorted(scale_edges, scale), np.searchsorted(dispersion_edges, dispersion)
        score, shape = error / _spread(scale, crossing), (len(scale_edges) + 1, len(dispersion_edges) + 1)
        return cls(
            levels, crossing, scale_edges, dispersion_edges, _cell_quantiles(score, rows, columns, shape, levels)
        )

    def quantiles(
        self,
        mean: Floats,
        scale: Floats,
        dispersion: Floats,
        is_whole: Bools | bool = False,
        levels: Sequence[float] | None = None,
    ) -> Floats:
        """Quantiles of demand, never negative and never falling with the level; one more axis than `mean`.

        Args:
            mean: forecast mean.
            scale: as it was when the errors were pooled.
            dispersion: likewise.
            is_whole: whether demand comes in whole units: then so do its quantiles.
            levels: between 0 and 1 (default: all that are held); a level between two held ones lies between theirs.
        """
        rows, columns = np.searchsorted(self.scale_edges, scale), np.searchsorted(self.dispersion_edges, dispersion)
        error = self._at(levels)[rows, columns] * _spread(scale, self.crossing)[..., None]
        found = np.maximum.accumulate(np.maximum(mean[..., None] + error, 0.0), axis=-1)
        # What rounding errors leave above a whole number is not the next one.
        whole = np.ceil(found * (1 - 1e-12) - 1e-9)
        return np.where(np.broadcast_to(is_whole, mean.shape)[..., None], np.maximum(whole, 0.0), found)

    def losses(self, errors: Errors, levels: Sequence[float]) -> Floats:
        """Quantile loss of each forecast, summed over the levels."""
        told = self.quantiles(errors.mean, errors.scale, errors.dispersion, errors.is_whole, levels)
        short = errors.actual[:, None] - told
        weights = np.asarray(levels)
        return np.asarray(np.maximum(weights * short, (weights - 1) * short).sum(axis=1))

    def _at(self, levels: Sequence[float] | None) -> Floats:
        if levels is None:
            return self.scores
        held = np.asarray(self.levels)
        above = np.clip(np.searchsorted(held, levels), 1, len(held) - 1)
        share = np.clip((np.asarray(levels) - held[above - 1]) / (held[above] - held[above - 1]), 0.0, 1.0)
        return np.asarray(self.scores[..., above - 1] * (1 - share) + self.scores[..., above] * share)


def _spread(scale: Floats, crossing: float) -> Floats:
    """What an error is divided by, in units of demand: its standard deviation but for a factor."""
    return np.sqrt(scale * (scale + crossing))


def _crossing(scale: Floats, error: Floats) -> float:
    """The crossing with which errors of every size are alike: their mean sizes, over the spread, differ least.

    Sizes are compared in groups that weigh as much for their demand as for their number.
    """
    edges = _scale_edges(scale, GROUPS_OF_SIZE, FEWEST_IN_CELL // 2)
    groups = np.searchsorted(edges, scale)
    count, demand, size = (np.bincount(groups, weights) for weights in (None, scale, np.abs(error)))
    told = (count > 0) & (size > 0)
    if not told.any():
        return 0.0
    weights = (count / count.sum() + demand / demand.sum())[told]
    mean_scale, log_size = (demand[told] / count[told]), np.log(size[told] / count[told])

    def unevenness(crossing: float) -> float:
        left = log_size - np.log(_spread(mean_scale, crossing))
        return float(np.average((left - np.average(left, weights=weights)) ** 2, weights=weights))

    return min((float(crossing * scale.mean()) for crossing in CROSSINGS), key=unevenness)


def _scale_edges(scale: Floats, bins: int, fewest: int) -> Floats:
    """Inner borders of bins of like weight, where each error weighs half for itself and half for its demand.

    By number alone the series that sell most would share a bin with those that sell little. No bin has fewer errors
    than `fewest`, so there may be fewer bins than asked for.
    """
    ordered = np.sort(scale)
    weight = np.cumsum(0.5 + 0.5 * ordered / ordered.mean())
    borders = [0]
    for border in np.searchsorted(weight, weight[-1] * np.arange(1, bins) / bins):
        at = min(int(border), len(ordered) - fewest)
        if at - borders[-1] >= fewest:
            borders.append(at)
    return np.unique(ordered[borders[1:]])


def _cell_quantiles(
    score: Floats, rows: Ints, columns: Ints, shape: tuple[int, int], levels: tuple[float, ...]
) -> Floats:
    """Empirical quantiles per cell; a cell with too few errors borrows its bin of scale, then everything."""
    overall = np.quantile(score, levels)
    table = np.empty((*shape, len(levels)))
    order = np.lexsort((columns, rows))
    sorted_score, sorted_rows = score[order], rows[order]
    cells = sorted_rows * shape[1] + columns[order]
    for row in range(shape[0]):
        of_row = _quantiles(sorted_score, sorted_rows, row, levels, overall)
        for column in range(shape[1]):
            table[row, column] = _quantiles(sorted_score, cells, row * shape[1] + column, levels, of_row)
    return table


def _quantiles(score: Floats, keys: Ints, key: int, levels: tuple[float, ...], otherwise: Floats) -> Floats:
    """Quantiles of the scores with one of the ascending keys."""
    begin, end = np.searchsorted(keys, [key, key + 1])
    return np.asarray(np.quantile(score[begin:end], levels)) if end - begin >= FEWEST_IN_CELL else otherwise
