"""Demand per product and channel as it was known at the end of a day: what forecasts are made of and graded against.

Which orders are demand is said by the transforms (intermediate.int_demand_daily_deltas).
"""

from datetime import date

import duckdb
import pandas as pd

from pipelines.modelling.stock_outs import HISTORY_DAYS, LocationDemand
from pipelines.settings import Settings

# Between product and channel in a series id; no delivered value can hold it, control characters are refused.
SEPARATOR = "\x1f"


class Demand:
    """Reads demand once, into the temporary table `demand`, and tells what of it was known on a day.

    `demand` has one row per product, channel, business day and day of knowledge: the change in quantity that became
    known on that day.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, settings: Settings, locations: LocationDemand, *, last: date
    ) -> None:
        self._connection = connection
        self._locations = locations
        self._settings = settings
        self._known: tuple[date, pd.DataFrame] | None = None
        connection.execute(
            """
            create or replace temp table demand as
            select product_id, channel_id, ordered_on, known_on, sum(quantity_delta) as quantity
            from intermediate.int_demand_daily_deltas
            where ordered_on <= $last and known_on <= $last
            group by all
            """,
            {"last": last},
        )

    def known(self, day: date) -> pd.DataFrame:
        """Demand as known at the end of `day`, see `_read`; the last day asked for is kept, as producers share it."""
        if self._known is None or self._known[0] != day:
            self._known = day, self._read(day)
        return self._known[1]

    def _read(self, day: date) -> pd.DataFrame:
        """Demand per series and business day as known at the end of `day`, with the attributes of the series.

        The frame is the engine's history frame: sales, and where stock ran out the demand behind them. Beyond
        `forecast_series` series, those with the most demand in the last year are kept.
        """
        self._locations.know_beyond_sales(day)
        return self._connection.execute(
            """
            with known as (
                select
                    product_id || $separator || channel_id as series_id,
                    product_id,
                    channel_id,
                    ordered_on as date,
                    sum(quantity)::double as quantity
                from demand
                where known_on <= $day and ordered_on <= $day and ordered_on > $day - $history
                group by all
                having sum(quantity) > 0
            ), largest as (
                select series_id
                from known
                where date > $day - 365
                group by series_id
                order by sum(quantity) desc, series_id
                limit $series
            ), products as (
                select product_id, coalesce(category, '(none)') as category
                from intermediate.int_products_versioned
                where known_from <= $day and (known_to is null or known_to > $day)
            ), sold as (
                from known semi join largest using (series_id)
            ), held_back as (
                select series_id, product_id, channel_id, date, held_back
                from (select series_id, product_id, channel_id, min(date) as first_on from sold group by all)
                inner join (select * rename (ordered_on as date) from beyond_sales) using (product_id, channel_id)
                where date > first_on
            )
            select
                series_id, product_id, channel_id, date,
                coalesce(quantity, 0) as quantity,
                held_back is not null as is_censored,
                coalesce(quantity, 0) + coalesce(held_back, 0) as unconstrained_quantity,
                coalesce(products.category, '(unknown)') as category
            from sold full join held_back using (series_id, product_id, channel_id, date)
            left join products using (product_id)
            order by series_id, date
            """,
            {"separator": SEPARATOR, "day": day, "history": HISTORY_DAYS, "series": self._settings.forecast_series},
        ).df()
