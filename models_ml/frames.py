"""The two frames the engine exchanges, long history and long forecasts, and the one validator of history.

Models, features and metrics do not belong here.

History, one row per series and period:
    series_id   text, never null
    date        the day, the first day of the week's label, or the first of the month
    quantity    demand, finite and not negative; a period without a row is a period without demand
    price, promotion, holiday   optional numbers, see below
    is_censored, unconstrained_quantity     optional, see `models_ml.censoring`: whether stock ran out, so that quantity
                is only what demand was at least, and what it is estimated to have been. The engine learns from the
                estimate, and judges neither itself nor forecasts by such a period
    any other column            a static attribute of the series (text); its last value counts

Known ahead, a frame of its own because it may reach past the origin while demand may not: `series_id`, `date` and any
of `price`, `promotion`, `holiday`, numbers or null. Within history the same columns speak of its own periods only, and
a known-ahead frame overrides them. A price holds until the next one is known; no promotion or holiday known is none.

Forecasts, one row per series, period and model: `FORECAST_COLUMNS`, then one column `q<level>` per quantile, then
`is_selected`, true for exactly one model of each series and period.
"""

from collections.abc import Iterable, Sequence
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

SERIES = "series_id"
DATE = "date"
QUANTITY = "quantity"
KNOWN_AHEAD = ("price", "promotion", "holiday")
IS_CENSORED = "is_censored"
UNCONSTRAINED = "unconstrained_quantity"
CENSORING = (IS_CENSORED, UNCONSTRAINED)
FORECAST_COLUMNS = ("series_id", "origin", "date", "horizon", "model", "mean")
IS_SELECTED = "is_selected"


class FrameError(ValueError):
    """A frame that is not what the engine reads; the message names column, cause and remedy."""


def quantile_column(level: float) -> str:
    """Name of the column that holds the quantile of `level`, for example `q0.1`."""
    return f"q{level:g}"


def quantile_levels(forecasts: pd.DataFrame) -> list[float]:
    """Levels of the quantile columns of a forecast frame, ascending."""
    names = [str(name) for name in forecasts.columns]
    return sorted(float(name[1:]) for name in names if name[:1] == "q" and name[1:2].isdigit())


def checked_levels(levels: Iterable[float]) -> tuple[float, ...]:
    """Quantile levels, ascending and without repeats.

    Raises:
        FrameError: a level is not strictly between 0 and 1.
    """
    wanted = tuple(sorted(set(levels)))
    if any(not 0.0 < level < 1.0 for level in wanted):
        raise FrameError(
            f"quantiles {wanted}: a level must lie strictly between 0 and 1. Give for example 0.1 0.5 0.9."
        )
    return wanted


def static_attributes(history: pd.DataFrame) -> list[str]:
    """Names of the static attribute columns, in alphabetical order."""
    return sorted(str(name) for name in set(history.columns) - {SERIES, DATE, QUANTITY, *KNOWN_AHEAD, *CENSORING})


def validated(history: pd.DataFrame, origin: date | None = None) -> pd.DataFrame:
    """History up to and including `origin` (all of it when None), typed, in order of series and date.

    Rows after the origin are dropped before anything else is looked at, so nothing of them can matter.

    Raises:
        FrameError: a column is missing; a date or id is null; a quantity is negative, null or infinite; two rows share
            series and date; a static attribute is not text.
    """
    kept = known_rows(history, origin)
    kept = kept.assign(series_id=kept[SERIES].astype("str"))
    kept = kept.sort_values([SERIES, DATE], kind="stable", ignore_index=True)
    refuse_repeats(kept, kept.duplicated([SERIES, DATE]).to_numpy())
    return kept


def known_rows(history: pd.DataFrame, origin: date | None = None) -> pd.DataFrame:
    """As `validated`, but in the order they came, and two rows may share series and date."""
    _require(history, (SERIES, DATE, QUANTITY))
    kept = _dated(history, origin)
    if kept[SERIES].isna().any():
        raise FrameError("series_id: some rows have none. Give every row the series it belongs to.")
    _require_text(kept, static_attributes(history))
    kept = kept.assign(quantity=_quantities(kept[QUANTITY]))
    _require_told(kept)
    return kept


def known_ahead_rows(known_ahead: pd.DataFrame) -> pd.DataFrame:
    """A known-ahead frame, typed: its columns of `KNOWN_AHEAD` as numbers, one row a series and period.

    Raises:
        FrameError: series, date or all of the known columns are missing; a value is infinite; rows repeat.
    """
    _require(known_ahead, (SERIES, DATE))
    names = [name for name in KNOWN_AHEAD if name in known_ahead.columns]
    if not names:
        raise FrameError(f"known ahead: none of {', '.join(KNOWN_AHEAD)} is there. Give at least one, or no frame.")
    kept = _dated(known_ahead[[SERIES, DATE, *names]], None)
    refuse_repeats(kept, kept.duplicated([SERIES, DATE]).to_numpy())
    return kept.assign(**{name: known_numbers(kept[name]) for name in names})


def known_numbers(column: "pd.Series[float]") -> "pd.Series[float]":
    """A known-ahead column as numbers; null where nothing is known.

    Raises:
        FrameError: a value is infinite.
    """
    numbers = pd.to_numeric(column).astype("float64")
    if np.isinf(numbers.to_numpy()).any():
        raise FrameError(f"{column.name}: some values are infinite. Leave unknown values null.")
    return numbers


def refuse_repeats(rows: pd.DataFrame, is_repeated: NDArray[np.bool_]) -> None:
    """Raise `FrameError` naming the first of the rows that repeat a series and date."""
    if is_repeated.any():
        culprit = rows.loc[is_repeated, [SERIES, DATE]].iloc[0]
        raise FrameError(
            f"series {culprit[SERIES]} has several rows on {culprit[DATE]:%Y-%m-%d}. Sum them to one row a period."
        )


def _dated(rows: pd.DataFrame, origin: date | None) -> pd.DataFrame:
    dates = pd.to_datetime(rows[DATE]).astype("datetime64[s]")
    if dates.isna().any():
        raise FrameError("date: some rows have none. Give every row of the history its date.")
    kept = rows.assign(date=dates)
    return kept if origin is None else kept[kept[DATE] <= pd.Timestamp(origin)]


def _require(rows: pd.DataFrame, names: Sequence[str]) -> None:
    missing = [name for name in names if name not in rows.columns]
    if missing:
        raise FrameError(f"history lacks {', '.join(missing)}. Give it the columns {', '.join(names)}.")


def _quantities(column: "pd.Series[float]") -> "pd.Series[float]":
    numbers = pd.to_numeric(column).astype("float64")
    if not np.isfinite(numbers.to_numpy()).all() or (numbers < 0).any():
        raise FrameError(
            "quantity: null, infinite or negative values. Give demand: returns belong elsewhere, unknown periods out."
        )
    return numbers


def _require_told(history: pd.DataFrame) -> None:
    if IS_CENSORED in history.columns and history[IS_CENSORED].isna().any():
        raise FrameError("is_censored: null in some rows. Say for every row whether stock ran out, or leave it out.")
    if UNCONSTRAINED in history.columns:
        demand = pd.to_numeric(history[UNCONSTRAINED]).to_numpy(dtype=np.float64)
        if not np.isfinite(demand).all() or (demand < history[QUANTITY].to_numpy()).any():
            raise FrameError("unconstrained_quantity: null, infinite or below quantity. Give the demand behind sales.")


def _require_text(history: pd.DataFrame, names: Sequence[str]) -> None:
    for name in names:
        if pd.api.types.is_numeric_dtype(history[name]) or pd.api.types.is_datetime64_any_dtype(history[name]):
            raise FrameError(f"{name}: a static attribute must be text. Cast it, or drop the column.")
