"""Sales per location and day, and the demand behind them where stock ran out, as known at the end of a day.

How demand is estimated is `models_ml.censoring`'s business. When stock ran out is read from the inventory levels as
known; of a company that delivers none nothing is told here, as nobody can say which of its sales were cut short.
"""

from datetime import date, timedelta

import duckdb
import pandas as pd
import pyarrow as pa

from models_ml import censoring

# As far back as forecasting looks: what they learn from is to be demand all along.
HISTORY_DAYS = 731
# The model that serves the first day of a run may have been trained on the last day of the month before.
TRAINING_AGE_DAYS = 31
# A product that was out of stock for longer than this is no longer asked for where it is kept: nobody is turned away.
REMEMBERED_DAYS = 28
# The days before this one are not told anew for each producer; a day's model may be of an earlier day.
KEPT_DAYS = 2


class LocationDemand:
    """Reads sales and stock levels per location once, and estimates demand as of whichever day is asked for."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, *, first: date, last: date) -> None:
        self._connection = connection
        self._known: dict[date, pd.DataFrame] = {}
        span = {"oldest": first - timedelta(days=TRAINING_AGE_DAYS + HISTORY_DAYS), "last": last}
        connection.execute(
            """
            create or replace temp table stock_levels as
            select
                product_id, location_id, measured_on, known_from, known_to,
                quantity_on_hand - coalesce(quantity_allocated, 0) <= 0 as is_out
            from intermediate.int_inventory_levels_versioned
            where measured_on between $oldest and $last and known_from <= $last
            """,
            span,
        )
        connection.execute(
            """
            create or replace temp table location_sales as
            with lines as (
                from intermediate.int_order_lines_versioned
                semi join (select distinct product_id, location_id from stock_levels) using (product_id, location_id)
                where ordered_on between $oldest and $last and known_from <= $last
            ), deltas as (
                select product_id, channel_id, location_id, ordered_on, known_from as known_on, demand_quantity
                from lines
                union all
                select product_id, channel_id, location_id, ordered_on, known_to, -demand_quantity
                from lines where known_to <= $last
            )
            select * exclude (demand_quantity), sum(demand_quantity) as quantity from deltas group by all
            """,
            span,
        )

    def known(self, day: date) -> pd.DataFrame:
        """Sales and demand per product, location and day: the frame of `models_ml.censoring.unconstrain`.

        Only products whose stock is told at a location are in it; days without sales are, if stock ran out on them, and
        the first with stock is: one that was on the shelf for months before its first sale is asked for seldom.
        """
        if day not in self._known:
            sales = self._read(day)
            demand = censoring.unconstrain(sales.drop(columns=["product_id", "location_id"]))
            # Both are in order of series and date.
            self._known[day] = sales.assign(unconstrained_quantity=demand["unconstrained_quantity"].round(6))
            for earlier in list(self._known)[:-KEPT_DAYS]:
                del self._known[earlier]
        return self._known[day]

    def _read(self, day: date) -> pd.DataFrame:
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
                select product_id, location_id, min(date) filter (not is_out) as first_on from levels group by all
            )
            select
                product_id || chr(31) || location_id as series_id, product_id, location_id, date,
                coalesce(sold.quantity, 0)::double as quantity, coalesce(levels.is_out, false) as is_censored
            from sold full join levels using (product_id, location_id, date)
            inner join told using (product_id, location_id)
            where sold.quantity is not null or levels.is_out or date = first_on
            order by series_id, date
            """,
            {"day": day, "history": HISTORY_DAYS},
        ).df()

    def know_beyond_sales(self, day: date) -> None:
        """Fill the temporary table `beyond_sales`: what stock-outs held back, as known at the end of the day.

        One row per product, sales channel and day on which stock ran out at a location of it: product_id, channel_id,
        ordered_on, held_back (units, 0 or more). What a location held back is shared among its channels as its sales of
        the product are. A product that has sold nothing at a location for `REMEMBERED_DAYS` is not held back there,
        however long it stays out.
        """
        self._connection.register("estimated", pa.Table.from_pandas(self.known(day), preserve_index=False))
        self._connection.execute(
            """
            create or replace temp table beyond_sales as
            with remembered as (
                select
                    product_id::varchar as product_id, location_id::varchar as location_id, date::date as ordered_on,
                    is_censored, unconstrained_quantity - quantity as held_back,
                    max(date::date) filter (quantity > 0)
                        over (partition by product_id, location_id order by date) as last_sold_on
                from estimated
            ), shares as (
                select
                    product_id, location_id, channel_id,
                    sum(quantity) / sum(sum(quantity)) over (partition by product_id, location_id) as share
                from location_sales
                where known_on <= $day and ordered_on <= $day and ordered_on > $day - $history
                group by product_id, location_id, channel_id having sum(quantity) > 0
            )
            select product_id, channel_id, ordered_on, sum((held_back * share)::decimal(24, 6))::double as held_back
            from remembered inner join shares using (product_id, location_id)
            where is_censored and ordered_on - last_sold_on <= $remembered
            group by all
            """,
            {"day": day, "history": HISTORY_DAYS, "remembered": REMEMBERED_DAYS},
        )
        self._connection.unregister("estimated")
