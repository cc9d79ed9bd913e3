"""Periods: how dates become whole numbers, and the spans that suit daily, weekly and monthly demand.

Also what the calendar says about a period (weekday, month, public holidays). Demand does not belong here.
"""

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models_ml.frames import FrameError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Days = NDArray[np.datetime64]

HOLIDAY_REACH = 7


@dataclass(frozen=True)
class Cadence:
    """The spans, in periods, that suit one rhythm of demand.

    Attributes:
        season: periods after which the pattern repeats; also names the cadence.
        unit: the calendar unit of one period.
        windows: spans of the means that describe the past.
        base_windows: spans of the means that make up the base level, with their weights.
        season_counts: how many seasons back the means of the same phase reach; the middle one is the baseline's.
        year: periods in a year of whole seasons.
        spacing: periods between two training origins.
        dead_after: periods without demand after which a series counts as discontinued.
        smoothed: periods that smoothing methods run over.
        memory: periods that are kept; older ones say nothing that these do not.
    """

    season: int
    unit: Literal["D", "W", "M"]
    windows: tuple[int, ...]
    base_windows: tuple[tuple[int, float], ...]
    season_counts: tuple[int, ...]
    baseline_seasons: int
    year: int
    spacing: int
    dead_after: int
    smoothed: int
    memory: int


DAILY = Cadence(
    7, "D", (7, 14, 28, 56, 91, 182, 364), ((28, 0.6), (56, 0.3), (182, 0.1)), (4, 8, 16), 8, 364, 14, 182, 546, 1092
)
WEEKLY = Cadence(52, "W", (1, 2, 4, 8, 13, 26, 52), ((4, 0.4), (8, 0.4), (26, 0.2)), (1, 2), 2, 52, 2, 52, 156, 520)
MONTHLY = Cadence(12, "M", (1, 2, 3, 6, 12, 24), ((6, 0.3), (12, 0.4), (24, 0.3)), (1, 2, 3), 3, 12, 1, 24, 60, 240)
CADENCES = {cadence.season: cadence for cadence in (DAILY, WEEKLY, MONTHLY)}


def cadence_of(season: int) -> Cadence:
    """The cadence whose pattern repeats after `season` periods: 7 daily, 52 weekly, 12 monthly.

    Raises:
        FrameError: no cadence has this season.
    """
    if season not in CADENCES:
        raise FrameError(f"season {season} is not known. Use 7 (days), 52 (weeks) or 12 (months).")
    return CADENCES[season]


def period_numbers(dates: "pd.Series[pd.Timestamp]", origin: date, cadence: Cadence) -> Ints:
    """Periods between each date and the origin: 0 at the origin, negative before it.

    Raises:
        FrameError: a weekly or monthly date is not the label of a period.
    """
    days = dates.to_numpy().astype("datetime64[D]")
    at = np.datetime64(origin, "D")
    if cadence.unit == "D":
        return np.asarray((days - at).astype(np.int64))
    if cadence.unit == "W":
        behind = (days - at).astype(np.int64)
        if (behind % 7).any():
            raise FrameError(
                "date: not all weeks fall on the origin's weekday. Label every week with the same weekday."
            )
        return np.asarray(behind // 7)
    months = days.astype("datetime64[M]")
    if (months.astype("datetime64[D]") != days).any():
        raise FrameError("date: not all months are dated the first. Label every month with its first day.")
    return np.asarray((months - at.astype("datetime64[M]")).astype(np.int64))


def period_dates(numbers: Ints, origin: date, cadence: Cadence) -> Days:
    """The labels of periods counted from the origin: the inverse of `period_numbers`."""
    at = np.datetime64(origin, "D")
    if cadence.unit == "M":
        labels: Days = (at.astype("datetime64[M]") + numbers).astype("datetime64[D]")
        return labels
    return np.asarray(at + numbers * (7 if cadence.unit == "W" else 1))


def calendar_features(dates: Days, cadence: Cadence, country: str | None, *, of_year: bool = True) -> Floats:
    """What the calendar says about each period, one row a period.

    `dates` ascend. Columns of days: weekday, day of month, days to the month's end, month and, given a country, whether
    it is a holiday and the days until the next and since the last one, cut at `HOLIDAY_REACH`. Weeks and months only
    have the month and the day of the year. Unless `of_year`, what only a year repeats (month, day of the year) is 0.
    """
    months = dates.astype("datetime64[M]")
    month = months.astype(np.int64) % 12
    if cadence.unit != "D":
        day_of_year = (dates - dates.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64)
        return np.column_stack([month, day_of_year]).astype(np.float64) * of_year
    weekday = (dates.astype(np.int64) + 3) % 7
    since_start = (dates - months.astype("datetime64[D]")).astype(np.int64)
    to_end = ((months + 1).astype("datetime64[D]") - dates).astype(np.int64)
    columns = [weekday, since_start, to_end, month * of_year]
    if country:
        columns += _holiday_distances(dates, country)
    return np.column_stack(columns).astype(np.float64)


def _holiday_distances(dates: Days, country: str) -> list[Ints]:
    years = dates[[0, -1]].astype("datetime64[Y]").astype(np.int64) + 1970
    days = _holidays(country, int(years.min()) - 1, int(years.max()) + 1)
    until = (days[np.searchsorted(days, dates, side="left")] - dates).astype(np.int64)
    since = (dates - days[np.searchsorted(days, dates, side="right") - 1]).astype(np.int64)
    return [(until == 0).astype(np.int64), np.minimum(until, HOLIDAY_REACH), np.minimum(since, HOLIDAY_REACH)]


@lru_cache(maxsize=64)
def _holidays(country: str, first_year: int, last_year: int) -> Days:
    """The public holidays of whole years, ascending; deriving them costs more than all else about a calendar."""
    import holidays

    known = holidays.country_holidays(country, years=range(first_year, last_year + 1))
    return np.array(sorted(known), dtype="datetime64[D]")
