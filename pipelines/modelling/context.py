"""What every producer of one run shares: the connection, the installation, the span of days, and demand as it is known.

What a single producer needs besides belongs to that producer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import ClassVar, Protocol

import duckdb

from models_ml.engine import training_origin
from pipelines.modelling.demand import Demand
from pipelines.modelling.purchases import Purchases
from pipelines.modelling.stock_outs import LocationDemand
from pipelines.modelling.tables import MlTable
from pipelines.settings import Settings
from pipelines.sources.profiles import Profile


@dataclass(frozen=True)
class Context:
    """One run of the stage.

    Attributes:
        connection: to the warehouse; the stage holds a transaction open while producers write.
        settings: the installation's settings.
        profile: the company.
        first: oldest as-of day of the run.
        last: newest as-of day of the run. Nothing delivered after a day may show in what is written for it.
    """

    connection: duckdb.DuckDBPyConnection
    settings: Settings
    profile: Profile
    first: date
    last: date

    @cached_property
    def demand(self) -> Demand:
        """Demand, read once a run, for whoever asks first."""
        return Demand(self.connection, self.settings, self.location_demand, last=self.last)

    @cached_property
    def location_demand(self) -> LocationDemand:
        """Sales and demand per location, read once a run, for whoever asks first."""
        return LocationDemand(self.connection, first=self.first, last=self.last)

    @cached_property
    def purchases(self) -> Purchases:
        """What customers bought, read once a run, for whoever asks first."""
        return Purchases(self.connection, last=self.last)

    def training_day(self, day: date, is_known: Callable[[date], bool]) -> date:
        """The day whose model serves `day`; `day` itself for a company that knew nothing to learn from then."""
        origin = training_origin(day, self.profile.starts_on)
        return origin if is_known(origin) else day


class Producer(Protocol):
    """Writes the rows of some tables, day by day. Made once a run; days come oldest first."""

    tables: ClassVar[tuple[MlTable, ...]]

    def __init__(self, context: Context) -> None: ...

    def write(self, day: date) -> None:
        """Replace the rows as of `day`, inside the caller's transaction; what was not known then must not matter."""


def is_newest_of_month(connection: duckdb.DuckDBPyConnection, day: date) -> bool:
    """Whether no later as-of day of the same month was ever asked of this stage.

    Tables with a row per customer or product keep one as-of day a month, the newest: see `keep_newest_of_month`.
    """
    found = connection.execute(
        "select max(as_of) from ops.as_of_days where stage = 'ml' and date_trunc('month', as_of) = $month",
        {"month": day.replace(day=1)},
    ).fetchone()
    return found is None or found[0] is None or bool(found[0] <= day)


def keep_newest_of_month(connection: duckdb.DuckDBPyConnection, tables: Sequence[MlTable], day: date) -> bool:
    """Make room for a monthly snapshot: True, and the month's rows are gone, if `day` is the one its month keeps.

    Otherwise only what stood as of `day` itself goes, and nothing is to be written. Whatever the order in which the
    days of a month are computed, the rows of its newest day are left.
    """
    is_kept = is_newest_of_month(connection, day)
    condition = "date_trunc('month', as_of) = date_trunc('month', $day)" if is_kept else "as_of = $day"
    for table in tables:
        connection.execute(f"delete from {table.full_name} where {condition}", {"day": day})
    return is_kept
