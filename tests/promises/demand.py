"""A warehouse that holds just what forecasting reads: demand as it became known, and products as they were known.

Made in milliseconds from a seed, so that a promise about forecasts can be tried from many origins.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from pipelines import ops
from pipelines.modelling.drift import Drift
from pipelines.modelling.forecasts import DemandForecasts
from pipelines.modelling.grades import ForecastGrades
from pipelines.modelling.stage import build_ml
from pipelines.modelling.unconstrained import UnconstrainedDemand
from pipelines.resources import Warehouse
from pipelines.settings import Settings
from pipelines.sources.profiles import Profile, load_profile

FIRST = date(2025, 9, 1)
DAYS = 330
LAST = FIRST + timedelta(days=DAYS - 1)
HORIZON = 7
PRODUCTS, CHANNELS = ("P1", "P2", "P3", "P4", "P5"), ("web", "store")
DEMAND = "intermediate.int_demand_daily_deltas"
VERSIONS = "intermediate.int_products_versioned"
LEVELS = "intermediate.int_inventory_levels_versioned"
# What forecasts and judges demand; customers and feedback have nothing here to read.
PRODUCERS = (DemandForecasts, ForecastGrades, UnconstrainedDemand, Drift)


@dataclass(frozen=True)
class Shop:
    """An installation whose warehouse was filled by hand."""

    settings: Settings
    profile: Profile

    @property
    def warehouse(self) -> Warehouse:
        return Warehouse(self.settings)

    def run(self, *statements: str) -> None:
        with self.warehouse.transaction() as connection:
            for statement in statements:
                connection.execute(statement)

    def forecast(self, days: Sequence[date]) -> None:
        build_ml(
            self.settings,
            self.profile,
            self.warehouse,
            days,
            run_id="run",
            progress=lambda *_: None,
            producers=PRODUCERS,
        )

    def as_of(self, day: date) -> dict[str, pd.DataFrame]:
        """What the forecast tables say as of the day; forecasts to six decimals."""
        found = {}
        with self.warehouse.read() as connection:
            for table in (table for producer in PRODUCERS for table in producer.tables):
                found[table.name] = rounded(
                    connection.execute(f"from {table.full_name} where as_of = ? order by all", [day]).df()
                )
        return found


def rounded(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with its numbers to six decimals."""
    return frame.assign(**frame.select_dtypes("number").round(6))


def open_shop(home: Path, demand: pd.DataFrame, *, series: int = 5) -> Shop:
    """A shop with this demand (product_id, channel_id, ordered_on, known_on, quantity_delta)."""
    settings = Settings.model_validate(
        {"home": home, "threads": 1, "horizon_days": HORIZON, "forecast_series": series, "memory_limit": "1GB"}
    )
    profile = load_profile("demo").model_copy(update={"starts_on": FIRST, "ends_on": None})
    with Warehouse(settings).write() as connection:
        ops.prepare(connection, profile)
        fill(connection, demand)
    return Shop(settings, profile)


def fill(connection: duckdb.DuckDBPyConnection, demand: pd.DataFrame) -> None:
    connection.register("given", demand)
    connection.execute(
        f"""
        create or replace table {DEMAND} as
        select product_id, channel_id, ordered_on::date as ordered_on, known_on::date as known_on,
            quantity_delta::decimal(18, 3) as quantity_delta
        from given
        """
    )
    connection.unregister("given")
    # Each channel sells from a stock of its own, which runs out every ninth day; some of that is told a day late.
    connection.execute(
        f"""
        create or replace view intermediate.int_order_lines_versioned as
        select product_id, channel_id, channel_id as location_id, ordered_on, quantity_delta as demand_quantity,
            known_on as known_from, null::date as known_to
        from {DEMAND}
        """
    )
    connection.execute(
        f"""
        create or replace table {LEVELS} as
        select product_id, channel_id as location_id, ordered_on as measured_on,
            if(day % 9 = 0, 0, 50)::decimal(18, 3) as quantity_on_hand, null::decimal(18, 3) as quantity_allocated,
            ordered_on + ((day + 1) % 2)::int as known_from, null::date as known_to
        from (
            select distinct product_id, channel_id, ordered_on,
                ordered_on - date '{FIRST}' + length(product_id) + ascii(channel_id) as day
            from {DEMAND}
        )
        """
    )
    # Every product changes its category once, each at another time.
    changes = [
        (product, category, known_from, known_to)
        for number, product in enumerate(PRODUCTS)
        for changed in [FIRST + timedelta(days=DAYS - 80 + 15 * number)]
        for category, known_from, known_to in (
            (f"category {number % 2}", FIRST, changed),
            (f"category {(number + 1) % 2}", changed, None),
        )
    ]
    connection.execute(
        f"create or replace table {VERSIONS} (product_id varchar, category varchar, known_from date, known_to date)"
    )
    connection.executemany(f"insert into {VERSIONS} values (?, ?, ?, ?)", changes)


def made_demand(seed: int) -> pd.DataFrame:
    """Weekly demand of ten series that grow or shrink, a quarter known late, some taken back three weeks later."""
    rng = np.random.default_rng(seed)
    rows = []
    for product in PRODUCTS:
        for channel in CHANNELS:
            level = rng.uniform(3, 40)
            week, growth = rng.uniform(0.4, 1.6, 7), rng.uniform(-0.006, 0.006)
            for number in range(DAYS):
                ordered_on = FIRST + timedelta(days=number)
                quantity = int(rng.poisson(level * week[number % 7] * np.exp(growth * number)))
                late = int(rng.integers(1, 6)) if rng.random() < 0.25 else 0
                rows.append((product, channel, ordered_on, ordered_on + timedelta(days=late), quantity))
                if quantity > 2 and rng.random() < 0.1:
                    rows.append((product, channel, ordered_on, ordered_on + timedelta(days=21), -2))
    return pd.DataFrame(rows, columns=["product_id", "channel_id", "ordered_on", "known_on", "quantity_delta"])


def poisons(day: date) -> dict[str, tuple[str, ...]]:
    """What can become of all that nobody knew on the day: demand, stock levels and versions of products known later."""
    later = f"known_on > date '{day}'"
    return {
        "x1000": (
            f"update {DEMAND} set quantity_delta = quantity_delta * 1000 where {later}",
            f"update {VERSIONS} set category = 'poison' where known_from > date '{day}'",
            f"update {LEVELS} set quantity_on_hand = 0 where known_from > date '{day}'",
        ),
        "shuffled": (
            f"""
            update {DEMAND} as d set quantity_delta = s.quantity_delta
            from (
                select mine.row, other.quantity_delta from
                    (select rowid as row, row_number() over (order by rowid) as n from {DEMAND} where {later}) as mine
                join (select quantity_delta, row_number() over (order by hash(rowid)) as n
                      from {DEMAND} where {later}) as other using (n)
            ) as s where d.rowid = s.row
            """,
            f"update {LEVELS} set quantity_on_hand = 50 - quantity_on_hand where known_from > date '{day}'",
            f"update {VERSIONS} set known_from = known_from + 5 where known_from > date '{day}'",
            f"update {VERSIONS} set known_to = known_to + 5 where known_to > date '{day}'",
        ),
        "deleted": (
            f"delete from {DEMAND} where {later}",
            f"delete from {LEVELS} where known_from > date '{day}'",
            f"delete from {VERSIONS} where known_from > date '{day}'",
            f"update {VERSIONS} set known_to = null where known_to > date '{day}'",
        ),
    }
