"""Quantiles from past errors: conformal calibration, conditional on the size and the irregularity of demand.

Errors of earlier origins are scaled and pooled in cells of like series (Mondrian bins of scale by dispersion); a
quantile is the mean plus the cell's empirical quantile times the scale. How a mean is made does not belong here.
"""

from dataclasses import dataclass

import numpy as np

from models_ml.periods import Floats, Ints

SCALE_BINS = 20
DISPERSION_BINS = 4
FEWEST_IN_CELL = 200


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
    def of(
        cls, actual: Floats, mean: Floats, scale: Floats, dispersion: Floats, levels: tuple[float, ...]
    ) -> "Calibration":
        """Learn from past errors; all arrays of one length. Cells with few errors take those of their neighbours.

        Without any error to learn from demand is taken as exponentially distributed: of all distributions on positive
        numbers with a known mean the one that claims to know least.
        """
        usable = scale > 0
        score = (actual[usable] - mean[usable]) / scale[usable]
        if len(score) < FEWEST_IN_CELL:
            ignorance = -np.log1p(-np.asarray(levels)) - 1
            return cls(levels, np.empty(0), np.empty(0), ignorance.reshape(1, 1, -1))
        scale, dispersion = scale[usable], dispersion[usable]
        scale_edges = _edges(scale, min(SCALE_BINS, len(score) // FEWEST_IN_CELL))
        dispersion_edges = _edges(dispersion, DISPERSION_BINS)
        rows, columns = np.searchsorted(scale_edges, scale), np.searchsorted(dispersion_edges, dispersion)
        scores = _cell_quantiles(score, rows, columns, (len(scale_edges) + 1, len(dispersion_edges) + 1), levels)
        return cls(levels, scale_edges, dispersion_edges, scores)

    def quantiles(self, mean: Floats, scale: Floats, dispersion: Floats) -> Floats:
        """Quantiles of demand, never negative and never falling with the level; one more axis than `mean`."""
        rows, columns = np.searchsorted(self.scale_edges, scale), np.searchsorted(self.dispersion_edges, dispersion)
        spread = self.scores[rows, columns] * scale[..., None]
        return np.maximum.accumulate(np.maximum(mean[..., None] + spread, 0.0), axis=-1)

    def losses(self, actual: Floats, mean: Floats, scale: Floats, dispersion: Floats) -> Floats:
        """Quantile loss of each forecast, summed over the levels."""
        short = actual[:, None] - self.quantiles(mean, scale, dispersion)
        levels = np.asarray(self.levels)
        return np.asarray(np.maximum(levels * short, (levels - 1) * short).sum(axis=1))


def _edges(values: Floats, bins: int) -> Floats:
    return np.unique(np.quantile(values, np.arange(1, bins) / bins))


def _cell_quantiles(
    score: Floats, rows: Ints, columns: Ints, shape: tuple[int, int], levels: tuple[float, ...]
) -> Floats:
    """Empirical quantiles per cell; a cell with too few errors borrows its bin of scale, then everything."""
    overall = np.quantile(score, levels)
    table = np.empty((*shape, len(levels)))
    for row in range(shape[0]):
        in_row = rows == row
        of_row = np.quantile(score[in_row], levels) if in_row.sum() >= FEWEST_IN_CELL else overall
        for column in range(shape[1]):
            cell = score[in_row & (columns == column)]
            table[row, column] = np.quantile(cell, levels) if len(cell) >= FEWEST_IN_CELL else of_row
    return table
