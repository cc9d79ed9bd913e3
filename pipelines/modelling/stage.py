"""The stage of the models: which producers there are, and how their as-of days are written.

What a producer computes does not belong here.
"""

from collections.abc import Callable, Sequence
from datetime import date

import duckdb

from models_ml.threads import one_thread
from pipelines.failpoints import reach
from pipelines.modelling import tables
from pipelines.modelling.context import Context, Producer
from pipelines.modelling.customer_groups import CustomerGroups
from pipelines.modelling.customer_values import CustomerValues
from pipelines.modelling.cx_drivers import CxDrivers
from pipelines.modelling.drift import Drift
from pipelines.modelling.feedback import FeedbackTexts
from pipelines.modelling.forecasts import DemandForecasts
from pipelines.modelling.grades import ForecastGrades
from pipelines.modelling.unconstrained import UnconstrainedDemand
from pipelines.quality.versions import stamp_versions
from pipelines.resources import Warehouse, in_transaction
from pipelines.scope import close_scope, open_scope
from pipelines.settings import Settings
from pipelines.sources.profiles import Profile

# In the order in which they write a day: a later one may read what an earlier one wrote.
PRODUCERS: tuple[type[Producer], ...] = (
    DemandForecasts,
    ForecastGrades,
    UnconstrainedDemand,
    Drift,
    CustomerValues,
    CustomerGroups,
    FeedbackTexts,
    CxDrivers,
)
TABLES = tuple(table for producer in PRODUCERS for table in producer.tables)


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the tables of all producers with their comments.

    Days computed before a table was there, or had another shape, are computed anew with the next: a table holds every
    as-of day that was ever asked for, whichever release computed it first. All in one transaction: after a crash no
    table is there without its comments, nor without the days that are due for it.
    """
    with in_transaction(connection):
        if tables.prepare(connection, TABLES):
            connection.execute("update ops.as_of_days set is_stale = true where stage = 'ml' and not is_stale")


def build_ml(
    settings: Settings,
    profile: Profile,
    warehouse: Warehouse,
    requested: Sequence[date],
    *,
    run_id: str,
    progress: Callable[[str, int, int], None],
    producers: Sequence[type[Producer]] = PRODUCERS,
) -> list[date]:
    """Write the producers' tables of the requested days and of the stale ones; return the days written.

    Each day is one transaction: a crash leaves whole days, and the others stale for the next run.
    """
    with warehouse.write() as connection:
        prepare(connection)
        days = open_scope(connection, "ml", requested)
        first, last = (days[0], days[-1]) if days else (profile.starts_on, profile.starts_on)
        context = Context(connection, settings, profile, first=first, last=last)
        writers = [producer(context) for producer in producers]
        for done, day in enumerate(days):
            progress("forecast", done, len(days))
            with in_transaction(connection), one_thread():
                for writer in writers:
                    writer.write(day)
                stamp_versions(connection, [table.full_name for table in TABLES], [day], run_id)
                close_scope(connection, "ml", [day])
                reach("forecast.before_commit")
        progress("forecast", len(days), len(days))
    return days
