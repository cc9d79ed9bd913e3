"""What customers had bought, as it was known at the end of a day: lifetime values and groups of customers come from it.

Which lines are revenue is said by the transforms (intermediate.int_order_lines_versioned). Money is in base currency at
the rate of the business day as known on the as-of day, as in the reports, and cut to ten-thousandths before it is
summed, so that the order of rows does not show.
"""

from datetime import date

import duckdb
import pandas as pd

# The rates that one as-of day knew, directly quoted ones before the other way round.
KNOWN_RATES = """
    create or replace temp table purchase_rates as
    with quoted as (
        select
            case when to_currency = base then from_currency else to_currency end as currency,
            rate_on,
            to_currency <> base as is_inverse,
            case
                when to_currency = base then rate::decimal(28, 12)
                else (1 / rate::double)::decimal(28, 12)
            end::double as rate_to_base
        from intermediate.int_exchange_rates_versioned, (select base_currency as base from ops.company)
        where known_from <= $day and (known_to is null or known_to > $day) and rate_on <= $day
            and base in (from_currency, to_currency) and from_currency <> to_currency
    )
    select currency, rate_on, arg_min(rate_to_base, is_inverse) as rate_to_base from quoted group by all
    union all
    select base_currency, date '1900-01-01', 1 from ops.company
"""
KNOWN_CUSTOMERS = """
    with days as (
        select
            customer_id,
            ordered_on,
            bool_or(has_bought) as has_bought,
            sum((net * rate_to_base)::decimal(18, 4)) as net,
            sum((costed_net * rate_to_base)::decimal(18, 4)) as costed_net,
            sum((margin * rate_to_base)::decimal(18, 4)) as margin
        from purchases
        asof left join purchase_rates as rates
            on purchases.currency = rates.currency and purchases.ordered_on >= rates.rate_on
        where known_from <= $day and (known_to is null or known_to > $day) and ordered_on <= $until
        group by customer_id, ordered_on
    )
    select
        customer_id,
        count(*) filter (has_bought) as purchases,
        min(ordered_on) filter (has_bought) as first_on,
        max(ordered_on) filter (has_bought) as last_on,
        coalesce(sum(net), 0)::double as revenue,
        coalesce(sum(costed_net), 0)::double as costed_revenue,
        coalesce(sum(margin), 0)::double as margin
    from days
    group by customer_id
    having purchases > 0
    order by purchases, first_on, last_on, revenue, margin, customer_id
"""


class Purchases:
    """Reads the days on which customers bought once, into the temporary table `purchases`, and sums what a day knew."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, *, last: date) -> None:
        self._connection = connection
        self._known: dict[tuple[date, date], pd.DataFrame] = {}
        connection.execute(
            """
            create or replace temp table purchases as
            select
                customer_id, ordered_on, currency, known_from, known_to, bool_or(quantity > 0) as has_bought,
                sum(net_amount)::double as net,
                (sum(net_amount) filter (cost_amount is not null))::double as costed_net,
                sum(net_amount - cost_amount)::double as margin
            from intermediate.int_order_lines_versioned
            where is_revenue and customer_id is not null and ordered_on <= $last and known_from <= $last
            group by all
            """,
            {"last": last},
        )

    def known(self, day: date, until: date | None = None) -> pd.DataFrame:
        """The customers of whom a purchase was known at the end of `day`: the frame of `models_ml.customers`.

        Orders on the same day are one purchase; one that is only taken back is none. With `until`, only business days
        up to it count. The order of rows does not depend on how customers are called, but for those who are equal.
        """
        key = (day, until or day)
        if key not in self._known:
            self._connection.execute(KNOWN_RATES, {"day": day})
            self._known[key] = self._connection.execute(KNOWN_CUSTOMERS, {"day": day, "until": key[1]}).df()
        return self._known[key].copy()

    def between(self, day: date, after: date) -> pd.DataFrame:
        """Days with a purchase after `after`, up to `day` and as known then: customer_id and purchases."""
        return self._connection.execute(
            """
            select customer_id, count(distinct ordered_on) as purchases
            from purchases
            where known_from <= $day and (known_to is null or known_to > $day) and has_bought
                and ordered_on > $after and ordered_on <= $day
            group by customer_id
            """,
            {"day": day, "after": after},
        ).df()
