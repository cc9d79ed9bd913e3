"""The dense panel: one row of numbers per series, one column per period, and sums over its spans in constant time.

Building it from a history frame belongs here; what is made of it (features, baselines) does not.
"""

from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models_ml.frames import (
    DATE,
    IS_CENSORED,
    KNOWN_AHEAD,
    QUANTITY,
    SERIES,
    UNCONSTRAINED,
    known_ahead_rows,
    known_numbers,
    known_rows,
    refuse_repeats,
    static_attributes,
)
from models_ml.periods import Cadence, Days, Floats, Ints, cadence_of, period_dates, period_numbers


class Spans:
    """Sums over spans of the columns of a matrix, each answered from running sums in constant time.

    Args:
        values: numbers, one row per series, one column per period, in column order (Fortran) to be quick.
        season: periods after which a phase repeats.
    """

    def __init__(self, values: NDArray[Any], season: int) -> None:
        rows, columns = values.shape
        kind = np.float64 if values.dtype.kind == "f" else np.int32
        self._running = np.zeros((columns + 1, rows), dtype=kind)
        np.cumsum(values.T, axis=0, out=self._running[1:])
        self._values = values
        self._season = season
        self._rows = np.arange(rows)

    def last(self, column: int, widths: Ints | int) -> Floats:
        """Sum of the `widths` columns that end with `column`, for every row; columns before the first count as 0."""
        starts = np.broadcast_to(np.maximum(column + 1 - np.asarray(widths), 0), self._rows.shape)
        return np.asarray(self._running[column + 1] - self._running[starts, self._rows], dtype=np.float64)

    def between(self, first: int, last: int) -> Floats:
        """Sum of the columns `first` to `last`, both included, for every row."""
        return np.asarray(self._running[last + 1] - self._running[max(first, 0)], dtype=np.float64)

    def phase(self, column: int, counts: Ints | int) -> Floats:
        """Sum of `column` and the columns one season, two seasons, ... before it, `counts` in all, for every row."""
        counts = np.broadcast_to(np.asarray(counts), self._rows.shape)
        total = np.zeros(len(self._rows))
        most = min(int(counts.max(initial=0)), column // self._season + 1)
        for back in range(most):
            total += self._values[:, column - back * self._season] * (counts > back)
        return total


@dataclass(frozen=True, eq=False)
class Panel:
    """Demand of all series up to an origin.

    Attributes:
        series: ids in alphabetical order.
        values: demand, one row per series, one column per period; 0 where no row was delivered. Where stock ran out,
            the estimate if there is one, in whole units for a series that sells in such.
        first: column of each series' first row.
        attributes: static attributes, one row per series.
        origin: date of the last column.
        cadence: the rhythm of the columns.
        known: what is known ahead, by name of `frames.KNOWN_AHEAD`: as `values`, with columns past the origin.
        censored: as `values`, whether stock ran out; None where it never did, as far as is told.
    """

    series: NDArray[np.object_]
    values: Floats
    first: Ints
    attributes: pd.DataFrame
    origin: date
    cadence: Cadence
    known: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    censored: NDArray[np.bool_] | None = None

    @classmethod
    def of(
        cls,
        history: pd.DataFrame,
        origin: date,
        season: int,
        *,
        known_ahead: pd.DataFrame | None = None,
        reach: int = 0,
        whole: bool = False,
    ) -> "Panel":
        """The panel of what `history` says up to and including `origin`.

        Args:
            history: long frame, see `models_ml.frames`.
            origin: the last period.
            season: names the cadence.
            known_ahead: known-ahead frame, may reach past the origin.
            reach: periods past the origin to take from it.
            whole: keep all periods, not only the cadence's memory.

        Raises:
            FrameError: as `frames.known_rows`, `frames.known_ahead_rows` and `period_numbers` raise it.
        """
        rows = known_rows(history, origin)
        cadence = cadence_of(season)
        numbers = period_numbers(rows[DATE], origin, cadence)
        codes, series = _coded(rows[SERIES])
        offset = int(-numbers.min()) if len(rows) else 0
        offset = offset if whole else min(offset, cadence.memory - 1)
        columns = numbers + offset
        _refuse_repeats(rows, codes, numbers, len(series))
        first = np.full(len(series), offset, dtype=np.int64)
        np.minimum.at(first, codes, np.maximum(columns, 0))
        inside = columns >= 0
        values = _matrix(len(series), offset + 1)
        cells = codes[inside], columns[inside]
        values[cells] = rows[QUANTITY].to_numpy()[inside]
        if UNCONSTRAINED in rows.columns:
            _add_beyond_sales(values, cells, rows[UNCONSTRAINED].to_numpy(dtype=np.float64)[inside])
        censored = None
        if IS_CENSORED in rows.columns and rows[IS_CENSORED].any():
            censored = _matrix(len(series), offset + 1, kind=np.bool_)
            censored[cells] = rows[IS_CENSORED].to_numpy(dtype=bool)[inside]
        newest = _newest_rows(codes, numbers, len(series))
        attributes = pd.DataFrame(
            {name: _last_values(rows[name], codes, numbers, newest) for name in static_attributes(rows)},
            index=range(len(series)),
        )
        panel = cls(series, values, first, attributes, origin, cadence, censored=censored)
        known = _known(panel, rows, known_ahead, reach)
        return replace(panel, known=known)

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
        return Spans(self.values > 0, self.cadence.season)

    @cached_property
    def square_spans(self) -> Spans:
        """Sums of squared demand."""
        return Spans(self.values**2, self.cadence.season)

    @cached_property
    def last_sold(self) -> NDArray[np.int32]:
        """Column of the latest period with demand at or before each column, -1 where there was none."""
        rows, columns = self.values.shape
        latest = _matrix(rows, columns, kind=np.int32)
        before = np.full(len(self.series), -1, dtype=np.int32)
        for column in range(columns):
            before[self.values[:, column] > 0] = column
            latest[:, column] = before
        return latest

    @cached_property
    def is_whole(self) -> NDArray[np.bool_]:
        """Whether all demand of a series comes in whole units, up to the origin."""
        return _is_whole(self.values)

    @cached_property
    def groups(self) -> dict[str, "Group"]:
        """Sums over all series (under the name ""), and over each value of each static attribute."""
        codes = {"": np.zeros(len(self.series), dtype=np.int64)}
        codes |= {str(name): pd.factorize(self.attributes[name], sort=True)[0] for name in self.attributes.columns}
        return {name: Group.of(self, code) for name, code in codes.items() if len(self.series)}


def _matrix(rows: int, columns: int, kind: Any = np.float64) -> NDArray[Any]:
    """Zeros in column order: whoever reads the periods of all series one after the other reads memory in order."""
    return np.zeros((columns, rows), dtype=kind).T


def _is_whole(values: Floats) -> NDArray[np.bool_]:
    fractional = np.zeros(len(values), dtype=bool)
    for column in values.T:
        fractional |= column != np.floor(column)
    return ~fractional


def _add_beyond_sales(values: Floats, cells: tuple[Ints, Ints], demand: Floats) -> None:
    """Raise sales to demand. Of a series in whole units fractions are carried on until they make one.

    A twentieth of a unit on each of many days is not what is demanded of rare goods: one unit on one of them is.
    """
    beyond = demand - values[cells]
    touched = np.unique(cells[0][beyond > 0])
    if not len(touched):
        return
    place = np.searchsorted(touched, cells[0]).clip(max=len(touched) - 1)
    inside = touched[place] == cells[0]
    added = np.zeros((len(touched), values.shape[1]))
    added[place[inside], cells[1][inside]] = beyond[inside]
    whole = np.diff(np.floor(np.cumsum(added, axis=1) + 1e-9), axis=1, prepend=0.0)
    values[touched] += np.where(_is_whole(values[touched])[:, None], whole, added)


def _coded(ids: "pd.Series[str]") -> tuple[Ints, NDArray[np.object_]]:
    """Ids as numbers of the sorted ids, and the sorted ids."""
    codes, found = pd.factorize(ids)
    names = np.asarray(found.astype("str"), dtype=object)
    order = np.argsort(names, kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank[codes], names[order]


def _refuse_repeats(rows: pd.DataFrame, codes: Ints, numbers: Ints, count: int) -> None:
    width = int(-numbers.min(initial=0)) + 1
    cells = codes * width + (numbers + width - 1)
    seen = np.zeros(count * width, dtype=bool)
    seen[cells] = True
    if np.count_nonzero(seen) < len(cells):
        refuse_repeats(rows, pd.Series(cells).duplicated().to_numpy())


def _newest_rows(codes: Ints, numbers: Ints, count: int) -> Ints:
    """The row of each series' latest period; every series has one."""
    latest = np.full(count, np.iinfo(np.int64).min)
    np.maximum.at(latest, codes, numbers)
    rows = np.flatnonzero(numbers == latest[codes])
    newest = np.zeros(count, dtype=np.int64)
    newest[codes[rows]] = rows
    return newest


def _last_values(column: "pd.Series[str]", codes: Ints, numbers: Ints, newest: Ints) -> NDArray[np.object_]:
    """Each series' last value that is not null; None without any."""
    # A copy: pandas lends its own values of a column of objects, to be read only.
    values = np.array(column.iloc[newest].to_numpy(dtype=object))
    null = pd.isna(values)
    values[null] = None
    if null.any():
        # The newest row says nothing: look through the older rows of these series.
        told = np.flatnonzero(null[codes] & column.notna().to_numpy())
        told = told[np.argsort(numbers[told], kind="stable")]
        values[codes[told]] = column.iloc[told].to_numpy(dtype=object)
    return values


def _known(
    panel: Panel, rows: pd.DataFrame, known_ahead: pd.DataFrame | None, reach: int
) -> dict[str, NDArray[np.float32]]:
    """The known-ahead columns of history, overridden by the known-ahead frame, without holes where that makes sense."""
    frames = [rows]
    if known_ahead is not None:
        frames.append(known_ahead_rows(known_ahead))
    known = {}
    for name in KNOWN_AHEAD:
        told = [frame for frame in frames if name in frame.columns]
        if told:
            matrix = np.full((panel.last + 1 + reach, len(panel.series)), np.nan, dtype=np.float32).T
            for frame in told:
                _tell(matrix, panel, frame, name)
            known[name] = _filled(matrix) if name == "price" else np.nan_to_num(matrix)
    return known


def _tell(matrix: NDArray[np.float32], panel: Panel, frame: pd.DataFrame, name: str) -> None:
    """Write what a frame knows into the matrix; other series and periods are passed over."""
    told = frame[frame[name].notna()]
    codes = pd.Index(panel.series).get_indexer(pd.Index(told[SERIES].astype("str").to_numpy(dtype=object)))
    columns = period_numbers(told[DATE], panel.origin, panel.cadence) + panel.last
    kept = (codes >= 0) & (columns >= 0) & (columns < matrix.shape[1])
    matrix[codes[kept], columns[kept]] = known_numbers(told[name]).to_numpy()[kept]


def _filled(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """Holes take the value before them; those before the first value take that one."""
    by_period = matrix.T
    for periods in (range(1, len(by_period)), range(len(by_period) - 2, -1, -1)):
        step = 1 if periods.step > 0 else -1
        for period in periods:
            hole = np.isnan(by_period[period])
            by_period[period, hole] = by_period[period - step, hole]
    return matrix


@dataclass(frozen=True, eq=False)
class Group:
    """Sums of a panel over groups of its series.

    Attributes:
        codes: group of each series.
        values: demand, one row per group, one column per period.
        spans: its sums over spans.
        count: number of groups.
    """

    codes: Ints
    values: Floats
    spans: Spans
    count: int

    @classmethod
    def of(cls, panel: Panel, codes: Ints) -> "Group":
        """Group `panel` by `codes`; a missing code (-1) is a group of its own."""
        codes = np.where(codes < 0, codes.max(initial=-1) + 1, codes)
        count = int(codes.max(initial=-1)) + 1
        values = _matrix(count, panel.values.shape[1])
        for column, demand in enumerate(panel.values.T):
            values[:, column] = np.bincount(codes, demand, count)
        return cls(codes, values, Spans(values, panel.cadence.season), count)


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
    panel = Panel.of(history, origin, season, whole=True)
    columns = np.arange(panel.last + 1)
    alive = columns[None, :] >= panel.first[:, None]
    rows, periods = np.nonzero(alive)
    dates = panel.dates(columns)[periods].astype("datetime64[s]")
    return pd.DataFrame({SERIES: panel.series[rows], DATE: dates, QUANTITY: panel.values[rows, periods]})
