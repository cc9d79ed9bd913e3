"""Demand behind sales, as of each day: what would have been sold on days when stock ran out.

How it is estimated is `models_ml.censoring`'s business. When stock ran out is read from the inventory levels as known;
a company that delivers none has no rows here, as nobody can say which of its sales were cut short.
"""

from datetime import date, timedelta
from typing import ClassVar

import pandas as pd
import pyarrow as pa

from models_ml import censoring
from models_ml.frames import UNCONSTRAINED
from pipelines.modelling.context import Context, keep_newest_of_month
from pipelines.modelling.demand import SEPARATOR
from pipelines.modelling.tables import MlTable

# What is told, at least; the whole month up to the as-of day where that is longer, so that months leave no gap.
TOLD_DAYS = 28
# Half a year of sales tells the level and the week of a series.
HISTORY_DAYS = 182

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
    """Reads sales and stock-outs per location once, and estimates demand as of the newest day of each month."""

    tables: ClassVar[tuple[MlTable, ...]] = (UNCONSTRAINED_DEMAND,)

    def __init__(self, context: Context) -> None:
        self._connection = context.connection
        span = {"first": context.first - timedelta(days=HISTORY_DAYS), "last": context.last}
        self._connection.execute(
            """
            create or replace temp table location_sales as
            with lines as (
                from intermediate.int_order_lines_versioned
                where ordered_on between $first and $last and known_from <= $last and location_id is not null
            )
            select product_id, location_id, ordered_on, known_from as known_on, demand_quantity as quantity from lines
            union all
            select product_id, location_id, ordered_on, known_to, -demand_quantity from lines where known_to <= $last
            """,
            span,
        )
        self._connection.execute(
            """
            create or replace temp table stock_levels as
            select
                product_id, location_id, measured_on, known_from, known_to,
                quantity_on_hand - coalesce(quantity_allocated, 0) <= 0 as is_out
            from intermediate.int_inventory_levels_versioned
            where measured_on between $first and $last and known_from <= $last
            """,
            span,
        )

    def write(self, day: date) -> None:
        if not keep_newest_of_month(self._connection, self.tables, day):
            return
        sales = self.known_sales(day)
        if sales.empty:
            return
        estimated = censoring.unconstrain(sales.drop(columns=["product_id", "location_id"]))
        demand = estimated[["series_id", "date", UNCONSTRAINED]].merge(sales, on=["series_id", "date"])
        self._connection.register("estimated", pa.Table.from_pandas(demand, preserve_index=False))
        self._connection.execute(
            f"""
            insert into ml.unconstrained_demand by name
            select
                $day as as_of, date_trunc('month', $day)::date as month_start_on, date::date as demand_on,
                product_id, location_id, quantity::decimal(18, 3) as sales_quantity,
                round({UNCONSTRAINED}, 6) as demand_quantity, is_censored
            from estimated
            where date::date >= least(date_trunc('month', $day)::date, $day - {TOLD_DAYS - 1})
                and (quantity > 0 or is_censored)
            order by demand_on, product_id, location_id
            """,
            {"day": day},
        )
        self._connection.unregister("estimated")

    def known_sales(self, day: date) -> pd.DataFrame:
        """Sales and stock-outs per product, location and day as known, as the frame `models_ml.censoring` reads.

        Only products whose stock is told at a location are in it; days without sales are, if stock ran out on them.
        """
        return self._connection.execute(
            """
            with sold as (
                select product_id, location_id, ordered_on as date, sum(quantity) as quantity
                from location_sales
                where known_on <= $day and ordered_on <= $day and ordered_on > $day - $history
                group by all having sum(quantity) > 0
            ), levels as (
                select product_id, location_id, measured_on as date, is_out
                from stock_levels
                where known_from <= $day and (known_to is null or known_to > $day)
                    and measured_on <= $day and measured_on > $day - $history
            ), told as (
                select distinct product_id, location_id from levels
            )
            select
                product_id || $separator || location_id as series_id, product_id, location_id, date,
                coalesce(sold.quantity, 0)::double as quantity, coalesce(levels.is_out, false) as is_censored
            from sold full join levels using (product_id, location_id, date)
            semi join told using (product_id, location_id)
            where sold.quantity is not null or levels.is_out
            order by series_id, date
            """,
            {"separator": SEPARATOR, "day": day, "history": HISTORY_DAYS},
        ).df()
