"""The dense panel: one row of numbers per series, one column per period, and sums over its spans in constant time.

Building it from a history frame belongs here; what is made of it (features, baselines) does not.
"""

from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models_ml.frames import DATE, QUANTITY, SERIES, static_attributes, validated
from models_ml.periods import Cadence, Days, Floats, Ints, cadence_of, period_dates, period_numbers


class Spans:
    """Sums over spans of the columns of a matrix, each answered from running sums in constant time.

    Args:
        values: numbers, one row per series, one column per period.
        season: periods after which a phase repeats.
    """

    def __init__(self, values: Floats, season: int) -> None:
        rows, columns = values.shape
        self._running = np.zeros((rows, columns + 1))
        np.cumsum(values, axis=1, out=self._running[:, 1:])
        seasons = -(-columns // season)
        padded = np.zeros((rows, (seasons + 1) * season))
        padded[:, season : season + columns] = values
        by_phase = padded.reshape(rows, seasons + 1, season)
        np.cumsum(by_phase, axis=1, out=by_phase)
        self._by_phase = padded
        self._season = season
        self._rows = np.arange(rows)

    def last(self, column: int, widths: Ints | int) -> Floats:
        """Sum of the `widths` columns that end with `column`, for every row; columns before the first count as 0."""
        starts = np.broadcast_to(np.maximum(column + 1 - np.asarray(widths), 0), self._rows.shape)
        return np.asarray(self._running[:, column + 1] - self._running[self._rows, starts])

    def between(self, first: int, last: int) -> Floats:
        """Sum of the columns `first` to `last`, both included, for every row."""
        total: Floats = self._running[:, last + 1] - self._running[:, max(first, 0)]
        return total

    def phase(self, column: int, counts: Ints | int) -> Floats:
        """Sum of `column` and the columns one season, two seasons, ... before it, `counts` in all, for every row."""
        season = self._season
        starts = np.broadcast_to(np.asarray(column + season - np.asarray(counts) * season), self._rows.shape)
        return np.asarray(
            self._by_phase[:, column + season] - self._by_phase[self._rows, np.maximum(starts, column % season)]
        )


@dataclass(frozen=True, eq=False)
class Panel:
    """Demand of all series up to an origin.

    Attributes:
        series: ids in alphabetical order.
        values: demand, one row per series, one column per period; 0 where no row was delivered.
        first: column of each series' first row.
        attributes: static attributes, one row per series.
        origin: date of the last column.
        cadence: the rhythm of the columns.
    """

    series: NDArray[np.object_]
    values: Floats
    first: Ints
    attributes: pd.DataFrame
    origin: date
    cadence: Cadence

    @classmethod
    def of(cls, history: pd.DataFrame, origin: date, season: int) -> "Panel":
        """The panel of everything in `history` up to and including `origin`.

        Raises:
            FrameError: as `validated` and `period_numbers` raise it.
        """
        rows = validated(history, origin)
        cadence = cadence_of(season)
        numbers = period_numbers(rows[DATE], origin, cadence)
        codes, series = pd.factorize(rows[SERIES])
        offset = int(-numbers.min()) if len(rows) else 0
        values = np.zeros((len(series), offset + 1))
        values[codes, numbers + offset] = rows[QUANTITY].to_numpy()
        first = np.full(len(series), offset, dtype=np.int64)
        np.minimum.at(first, codes, numbers + offset)
        attributes = rows.groupby(SERIES, sort=True)[static_attributes(rows)].last().reset_index(drop=True)
        return cls(np.asarray(series, dtype=object), values, first, attributes, origin, cadence)

    @property
    def last(self) -> int:
        """The origin's column."""
        return int(self.values.shape[1]) - 1

    def dates(self, columns: Ints) -> Days:
        """The dates of columns; columns past the last one are periods after the origin."""
        return period_dates(columns - self.last, self.origin, self.cadence)

    def ages(self, column: int) -> Ints:
        """Periods from each series' first row to `column`, both included; 0 for a series that begins later."""
        return np.maximum(column + 1 - self.first, 0)

    @cached_property
    def spans(self) -> Spans:
        """Sums of demand."""
        return Spans(self.values, self.cadence.season)

    @cached_property
    def sold_spans(self) -> Spans:
        """Counts of periods with demand."""
        return Spans((self.values > 0).astype(np.float64), self.cadence.season)

    @cached_property
    def square_spans(self) -> Spans:
        """Sums of squared demand."""
        return Spans(self.values**2, self.cadence.season)

    @cached_property
    def last_sold(self) -> Ints:
        """Column of the latest period with demand at or before each column, -1 where there was none."""
        columns = np.where(self.values > 0, np.arange(self.values.shape[1]), -1)
        latest: Ints = np.maximum.accumulate(columns, axis=1)
        return latest

    @cached_property
    def groups(self) -> dict[str, "Group"]:
        """Sums over all series (under the name ""), and over each value of each static attribute."""
        codes = {"": np.zeros(len(self.series), dtype=np.int64)}
        codes |= {str(name): pd.factorize(self.attributes[name], sort=True)[0] for name in self.attributes.columns}
        return {name: Group.of(self, code) for name, code in codes.items() if len(self.series)}


@dataclass(frozen=True, eq=False)
class Group:
    """Sums of a panel over groups of its series.

    Attributes:
        codes: group of each series.
        spans: sums over spans of the groups' demand, one row per group.
        count: number of groups.
    """

    codes: Ints
    spans: Spans
    count: int

    @classmethod
    def of(cls, panel: Panel, codes: Ints) -> "Group":
        """Group `panel` by `codes`; a missing code (-1) is a group of its own."""
        codes = np.where(codes < 0, codes.max(initial=-1) + 1, codes)
        count = int(codes.max(initial=-1)) + 1
        values = np.zeros((count, panel.values.shape[1]))
        np.add.at(values, codes, panel.values)
        return cls(codes, Spans(values, panel.cadence.season), count)


def densify(history: pd.DataFrame, origin: date, *, season: int = 7) -> pd.DataFrame:
    """History with one row for every period from each series' first row to the origin; absent periods have demand 0.

    Args:
        history: long frame, see `models_ml.frames`.
        origin: the last period to fill; later rows are dropped.
        season: 7 (days), 52 (weeks) or 12 (months).

    Returns:
        `series_id`, `date`, `quantity`, in order of series and date.

    Raises:
        FrameError: as `models_ml.frames.validated` raises it.
    """
    panel = Panel.of(history, origin, season)
    columns = np.arange(panel.last + 1)
    alive = columns[None, :] >= panel.first[:, None]
    rows, periods = np.nonzero(alive)
    dates = panel.dates(columns)[periods].astype("datetime64[s]")
    return pd.DataFrame({SERIES: panel.series[rows], DATE: dates, QUANTITY: panel.values[rows, periods]})
