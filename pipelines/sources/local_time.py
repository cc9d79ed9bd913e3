"""Local time to UTC, for whole columns.

One rule for clock changes: an hour that comes twice is the first of the two, an hour that is skipped never was.
"""

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

Micros = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

SECOND = 1_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
YEAR = 31_556_952 * SECOND  # the mean Gregorian year
YEAR_1, YEAR_9999 = 1, 9999
FIRST = -62_135_596_800 * SECOND  # 0001-01-01, in microseconds
LAST = 253_402_300_800 * SECOND - 1  # the end of 9999
# Tables of clock changes are made for these years only: a table up to 9999 would take ten seconds for one odd stamp.
NEAR = (-2_208_988_800 * SECOND, 4_133_980_800 * SECOND)  # 1900 to 2101


def to_utc(local: Micros, zone: str) -> tuple[Micros, Flags]:
    """UTC microseconds of local wall-clock microseconds (both since 1970), and which of them never were."""
    never = np.zeros(len(local), np.bool_)
    if zone in ("UTC", "Etc/UTC") or len(local) == 0:
        return local, never
    near = (local >= NEAR[0]) & (local < NEAR[1])
    if near.all():
        return _by_table(local, zone)
    moved = np.empty_like(local)
    if near.any():
        moved[near], never[near] = _by_table(local[near], zone)
    moved[~near], never[~near] = _one_by_one(local[~near], zone)
    return moved, never


def _one_by_one(local: Micros, zone: str) -> tuple[Micros, Flags]:
    info = ZoneInfo(zone)
    stamps, places = np.unique(local, return_inverse=True)
    offsets, never = np.zeros(len(stamps), np.int64), np.zeros(len(stamps), np.bool_)
    for at, stamp in enumerate(stamps.tolist()):
        if FIRST <= stamp <= LAST:
            moment = (EPOCH + timedelta(microseconds=stamp)).replace(tzinfo=info)
            first, second = (moment.replace(fold=fold).utcoffset() or timedelta() for fold in (0, 1))
            offsets[at], never[at] = round(first.total_seconds()) * SECOND, first < second
    return local - offsets[places], never[places]


def _by_table(local: Micros, zone: str) -> tuple[Micros, Flags]:
    moments, offsets = _transitions(zone, *_years_around(int(local.min()), int(local.max())))
    last_local = moments + offsets[:-1]  # from this wall-clock reading on, the new offset counts
    index = np.searchsorted(last_local, local, side="right")
    never = np.zeros(len(local), np.bool_)
    passed = index > 0
    never[passed] = local[passed] < (moments + offsets[1:])[index[passed] - 1]
    return local - offsets[index], never


def _years_around(first: int, last: int) -> tuple[int, int]:
    """Whole score years that hold these moments with room on both sides, so that few spans are ever asked for."""
    earliest = 1970 + first // YEAR - 2
    latest = 1970 + last // YEAR + 2
    return max(YEAR_1, earliest // 20 * 20), min(YEAR_9999, (latest // 20 + 1) * 20)


@cache
def _transitions(zone: str, from_year: int, to_year: int) -> tuple[Micros, Micros]:
    """UTC moments in these years when the offset changes, and the offsets around them (one more than moments)."""
    info = ZoneInfo(zone)

    def offset(moment: datetime) -> int:
        return round((moment.astimezone(info).utcoffset() or timedelta()).total_seconds())

    begin = max(datetime(from_year, 1, 1, tzinfo=UTC), datetime(1, 1, 2, tzinfo=UTC))
    end = datetime(to_year, 12, 30, tzinfo=UTC)
    moments: list[int] = []
    offsets = [offset(begin)]
    step = timedelta(days=1)
    while begin < end:
        after = begin + step
        if offset(after) != offsets[-1]:
            moments.append(_first_with(info, begin, after, offsets[-1]))
            offsets.append(offset(after))
        begin = after
    return np.array(moments, np.int64) * SECOND, np.array(offsets, np.int64) * SECOND


def _first_with(info: ZoneInfo, before: datetime, after: datetime, old: int) -> int:
    """The second since 1970 at which the offset is no longer `old`."""
    low = round((before - EPOCH).total_seconds())
    high = round((after - EPOCH).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        moment = (EPOCH + timedelta(seconds=middle)).astimezone(info)
        if round((moment.utcoffset() or timedelta()).total_seconds()) == old:
            low = middle
        else:
            high = middle
    return high
