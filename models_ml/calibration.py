"""Quantiles from past errors: conformal calibration, conditional on the size and the irregularity of demand.

Errors of earlier origins are scaled and pooled in cells of like series (Mondrian bins of scale by dispersion); a
quantile is the mean plus the cell's empirical quantile times the scale. How a mean is made does not belong here.

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
        scale: what the error is measured by.
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
        scale_edges: inner borders of the bins of scale.
        dispersion_edges: inner borders of the bins of dispersion.
        scores: quantiles of (actual - mean) / scale; shape (scale bins, dispersion bins, levels).
    """

    levels: tuple[float, ...]
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
        spread = np.random.default_rng(seed).random(len(usable)) * errors.is_whole
        score = ((errors.actual - spread - errors.mean) / np.where(usable, errors.scale, 1.0))[usable]
        if len(score) < FEWEST_IN_CELL:
            ignorance = -np.log1p(-np.asarray(levels)) - 1
            return cls(levels, np.empty(0), np.empty(0), ignorance.reshape(1, 1, -1))
        scale, dispersion = errors.scale[usable], errors.dispersion[usable]
        bins = int(np.clip(len(score) // (WANTED_IN_CELL * DISPERSION_BINS), 1, MOST_SCALE_BINS))
        scale_edges = _edges(scale, bins)
        dispersion_edges = _edges(dispersion, DISPERSION_BINS)
        rows, columns = np.searchsorted(scale_edges, scale), np.searchsorted(dispersion_edges, dispersion)
        scores = _cell_quantiles(score, rows, columns, (len(scale_edges) + 1, len(dispersion_edges) + 1), levels)
        return cls(levels, scale_edges, dispersion_edges, scores)

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
        spread = self._at(levels)[rows, columns] * scale[..., None]
        found = np.maximum.accumulate(np.maximum(mean[..., None] + spread, 0.0), axis=-1)
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


def _edges(values: Floats, bins: int) -> Floats:
    return np.unique(np.quantile(values, np.arange(1, bins) / bins))


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
