"""When the demo company lives and how big it is. Days are numbered 0.. from the first day of its history."""

from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

import holidays
import numpy as np
import numpy.typing as npt

from pipelines.errors import OpscopeError

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

ENDS_ON = date(2026, 6, 30)
ZONE = ZoneInfo("Europe/Berlin")
COUNTRY = "DE"
# Longest time from an order to the last thing that can happen to it, and then some.
AFTERMATH_DAYS = 60


@dataclass(frozen=True)
class Plan:
    """Arguments of one generation.

    `days` delivery days end on ENDS_ON; the `history_days` before them arrive as one export on the first of them.
    `scale` 1 is about 150 order lines a day.
    """

    seed: int
    days: int
    scale: float
    history_days: int
    dirty: bool

    def __post_init__(self) -> None:
        for name, is_right, remedy in (
            ("days", 1 <= self.days <= 3650, "Use 1 to 3650."),
            ("history_days", 0 <= self.history_days <= 3650, "Use 0 to 3650."),
            ("scale", 0 < self.scale <= 10_000, "Use more than 0 and at most 10000; 1 is about 150 lines a day."),
            ("seed", self.seed >= 0, "Use a whole number from 0."),
        ):
            if not is_right:
                raise OpscopeError(f"demo data, {name}", f"cannot be {getattr(self, name)}", remedy)

    @property
    def arguments(self) -> dict[str, int | float | bool]:
        """What makes the generation what it is."""
        return asdict(self)

    @property
    def first(self) -> int:
        """Number of the first delivery day."""
        return self.history_days

    @property
    def total(self) -> int:
        return self.history_days + self.days

    @property
    def last(self) -> int:
        return self.total - 1

    @property
    def starts_on(self) -> date:
        return self.on(self.first)

    def on(self, day: int) -> date:
        return ENDS_ON - timedelta(days=self.last - int(day))

    def delivery_day(self, day: int) -> int:
        """The day on which what happened on `day` is told."""
        return max(day, self.first)

    @cached_property
    def midnights(self) -> Ints:
        """UTC epoch second of each day's local midnight, offset taken at noon.

        Only moments after 05:00 are built from it, so a day on which the clocks change has one offset that matters.
        """
        return np.array([self._midnight(day) for day in range(self.total + AFTERMATH_DAYS)], dtype=np.int64)

    def _midnight(self, day: int) -> int:
        noon = datetime.combine(self.on(day), time(12), tzinfo=ZONE).astimezone(UTC)
        return int(noon.timestamp()) - 12 * 3600

    @cached_property
    def epoch_days(self) -> Ints:
        """Days since 1970-01-01 of each day."""
        first = (self.on(0) - date(1970, 1, 1)).days
        return np.arange(first, first + self.total + AFTERMATH_DAYS, dtype=np.int64)

    @cached_property
    def holidays(self) -> frozenset[date]:
        """Sundays apart, the days on which German shops are shut in all states."""
        years = range(self.on(0).year, ENDS_ON.year + 1)
        return frozenset(holidays.country_holidays(COUNTRY, years=years))

    def shops_open(self, day: int) -> bool:
        on = self.on(day)
        return on.weekday() != 6 and on not in self.holidays
