"""Demand behind sales, as of each day: what would have been sold on days when stock ran out.

How it is found is said in `stock_outs`; demand forecasts learn from the same estimate.
"""

from datetime import date
from typing import ClassVar

import pyarrow as pa

from pipelines.modelling.context import Context, keep_newest_of_month
from pipelines.modelling.tables import MlTable

# What is told, at least; the whole month up to the as-of day where that is longer, so that months leave no gap.
TOLD_DAYS = 28

UNCONSTRAINED_DEMAND = MlTable(
    "unconstrained_demand",
    "One row per month (as of its newest as-of day), day, product and location with sales or without stock: sales, and "
    "the demand behind them. Days without a row had neither sales nor a stock-out.",
    {
        "as_of": ("DATE NOT NULL", "Day from whose knowledge the demand was estimated."),
        "month_start_on": ("DATE NOT NULL", "First day of the month whose newest as-of day this is."),
        "demand_on": ("DATE NOT NULL", "Day of the demand: the month up to as_of, and at least 28 days."),
        "product_id": ("VARCHAR NOT NULL", "Product."),
        "location_id": ("VARCHAR NOT NULL", "Location that holds the stock."),
        "sales_quantity": ("DECIMAL(18,3) NOT NULL", "Units ordered and not cancelled, as known."),
        "demand_quantity": (
            "DOUBLE NOT NULL",
            "Sales, or on days without stock the expected demand given them; units.",
        ),
        "is_censored": ("BOOLEAN NOT NULL", "True when nothing was left at the close: demand may have been more."),
    },
    deps=("marts.fct_order_lines", "marts.fct_inventory_snapshot_daily"),
    owner="team:demand-planning",
)


class UnconstrainedDemand:
    """Tells sales and demand per location as of the newest day of each month."""

    tables: ClassVar[tuple[MlTable, ...]] = (UNCONSTRAINED_DEMAND,)

    def __init__(self, context: Context) -> None:
        self._context = context
        self._connection = context.connection

    def write(self, day: date) -> None:
        if not keep_newest_of_month(self._connection, self.tables, day):
            return
        demand = self._context.location_demand.known(day)
        self._connection.register("estimated", pa.Table.from_pandas(demand, preserve_index=False))
        self._connection.execute(
            f"""
            insert into ml.unconstrained_demand by name
            select
                $day as as_of, date_trunc('month', $day)::date as month_start_on, date::date as demand_on,
                product_id, location_id, quantity::decimal(18, 3) as sales_quantity,
                unconstrained_quantity as demand_quantity, is_censored
            from estimated
            where date::date >= least(date_trunc('month', $day)::date, $day - {TOLD_DAYS - 1})
                and (quantity > 0 or is_censored)
            order by demand_on, product_id, location_id
            """,
            {"day": day},
        )
        self._connection.unregister("estimated")
