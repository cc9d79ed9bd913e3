"""Groups of customers who buy alike, as of the newest as-of day of each month, and what each group is like.

The groups of a month follow from those of the month before as known at its end, and so on back to the first month with
enough customers: all of that is computed again, so it does not matter which months were ever run.
"""

from datetime import date, timedelta
from typing import ClassVar

import pandas as pd
import pyarrow as pa

from models_ml import customers_segments as segments
from models_ml.customers_segments import Grouping
from pipelines.modelling.context import Context, keep_newest_of_month
from pipelines.modelling.customer_values import AS_OF, MONTH
from pipelines.modelling.tables import MlTable

CUSTOMER_CLUSTERS = MlTable(
    "customer_clusters",
    "One row per month, as of its newest as-of day, and customer who had bought: the group of customers who buy alike "
    "(KMeans on recency, purchases and revenue). Empty while there are too few customers.",
    {
        "as_of": AS_OF,
        "month_start_on": MONTH,
        "customer_id": ("VARCHAR NOT NULL", "Customer number of the company."),
        "cluster_id": ("INTEGER NOT NULL", "Number of the group; it stays the same from month to month."),
        "cluster_name": ("VARCHAR NOT NULL", "The group in words."),
    },
    deps=("marts.fct_order_lines",),
    owner="team:marketing",
)
CUSTOMER_CLUSTER_PROFILES = MlTable(
    "customer_cluster_profiles",
    "One row per month, as of its newest as-of day, and group of customers: the group in figures and words, and how "
    "well the groups stand.",
    {
        "as_of": AS_OF,
        "month_start_on": MONTH,
        "cluster_id": ("INTEGER NOT NULL", "Number of the group."),
        "cluster_name": (
            "VARCHAR NOT NULL",
            (
                "Recency (recent, resting, lapsed: below 0.67, 1.5 times the median of all), purchases (one-time, "
                "occasional, regular: below 1.5, 4.5), revenue (small, medium, big, very big: below 0.5, 2, 10 times)."
            ),
        ),
        "description": ("VARCHAR NOT NULL", "The group in a sentence."),
        "customers": ("BIGINT NOT NULL", "Customers of the group."),
        "customer_share": ("DOUBLE NOT NULL", "Share of all customers, 0 to 1."),
        "median_recency_days": ("DOUBLE NOT NULL", "Median days since the last purchase."),
        "median_purchases": ("DOUBLE NOT NULL", "Median days with a purchase."),
        "mean_revenue_amount_base": ("DOUBLE NOT NULL", "Mean net revenue of a customer so far."),
        "revenue_amount_base": ("DECIMAL(24,4) NOT NULL", "Net revenue of the group so far."),
        "revenue_share": ("DOUBLE", "Share of all customers' revenue; null where that is not above zero."),
        "adjusted_rand_index": (
            "DOUBLE",
            (
                "Agreement with the groups at the end of the month before, over the customers of then: 1 nobody moved, "
                "0 as by chance; the same in all rows of a month, null in the first."
            ),
        ),
        "halves_agreement": (
            "DOUBLE NOT NULL",
            "The same index of two halves of the customers, when the number of groups was last chosen (once a year).",
        ),
    },
    deps=("marts.fct_order_lines",),
    owner="team:marketing",
)


class CustomerGroups:
    """Follows the groups from month to month, each month once a run."""

    tables: ClassVar[tuple[MlTable, ...]] = (CUSTOMER_CLUSTERS, CUSTOMER_CLUSTER_PROFILES)

    def __init__(self, context: Context) -> None:
        self._context = context
        self._connection = context.connection
        self._groupings: dict[date, Grouping | None] = {}

    def write(self, day: date) -> None:
        if not keep_newest_of_month(self._connection, self.tables, day):
            return
        members = self._customers(day)
        grouping = self._grouping(day)
        if grouping is None or members.empty:
            return
        members["number"] = grouping.numbers_of(segments.features_of(members))
        profiles = segments.profiles(members)
        stamps = {"as_of": day, "month_start_on": day.replace(day=1)}
        names = profiles.set_index("number")["name"]
        self._insert(
            CUSTOMER_CLUSTERS,
            pd.DataFrame(
                {
                    "customer_id": members["customer_id"],
                    "cluster_id": members["number"],
                    "cluster_name": members["number"].map(names),
                }
            ).assign(**stamps),
        )
        rows = _profile_rows(profiles, members).assign(**stamps, halves_agreement=grouping.agreement)
        rows["adjusted_rand_index"] = self._agreement(members, day)
        self._insert(CUSTOMER_CLUSTER_PROFILES, rows.astype({"adjusted_rand_index": float}))

    def _customers(self, day: date) -> pd.DataFrame:
        known = self._context.purchases.known(day)
        known["recency_days"] = (pd.Timestamp(day) - known["last_on"]).dt.days
        return known

    def _grouping(self, day: date) -> Grouping | None:
        """The groups as of the day: those of the end of the month before, moved to where its customers are."""
        pending = [day]
        while pending[-1] not in self._groupings:
            before = pending[-1].replace(day=1) - timedelta(1)
            if self._context.purchases.known(before).empty:
                self._groupings[before] = None
            pending.append(before)
        for each in reversed(pending[:-1]):
            before = each.replace(day=1) - timedelta(1)
            features = segments.features_of(self._customers(each))
            self._groupings[each] = segments.next_month(self._groupings[before], features)
        return self._groupings[day]

    def _agreement(self, members: pd.DataFrame, day: date) -> float | None:
        before = day.replace(day=1) - timedelta(1)
        grouping = self._groupings[before]
        if grouping is None:
            return None
        then = self._customers(before)
        then["number"] = grouping.numbers_of(segments.features_of(then))
        both = then.merge(members, on="customer_id", suffixes=("_then", ""))
        return round(segments.agreement(both["number_then"].to_numpy(), both["number"].to_numpy()), 6)

    def _insert(self, table: MlTable, rows: pd.DataFrame) -> None:
        self._connection.register("group_rows", pa.Table.from_pandas(rows, preserve_index=False))
        self._connection.execute(f"insert into {table.full_name} by name select * from group_rows")
        self._connection.unregister("group_rows")


def _profile_rows(profiles: pd.DataFrame, members: pd.DataFrame) -> pd.DataFrame:
    # Sums of whole ten-thousandths do not depend on their order.
    cents = (members["revenue"] * 1e4).round().astype("int64").groupby(members["number"]).sum()
    revenue = profiles["number"].map(cents) / 1e4
    total = int(cents.sum()) / 1e4
    shares = profiles["customers"] / len(members)
    revenue_shares = revenue / total if total > 0 else pd.Series(float("nan"), index=profiles.index)
    return pd.DataFrame(
        {
            "cluster_id": profiles["number"],
            "cluster_name": profiles["name"],
            "description": [
                f"{count:,} customers ({share:.0%}); the median one bought on {purchases:,.0f} "
                f"{'day' if purchases == 1 else 'days'}, last {recency:,.0f} days ago. {mean:,.0f} of net revenue each "
                f"so far, {part:.0%} of that of all."
                for count, share, recency, purchases, mean, part in zip(
                    profiles["customers"],
                    shares,
                    profiles["recency_days"],
                    profiles["purchases"],
                    revenue / profiles["customers"],
                    revenue_shares.fillna(0),
                    strict=True,
                )
            ],
            "customers": profiles["customers"],
            "customer_share": shares.round(6),
            "median_recency_days": profiles["recency_days"],
            "median_purchases": profiles["purchases"],
            "mean_revenue_amount_base": (revenue / profiles["customers"]).round(4),
            "revenue_amount_base": revenue.round(4),
            "revenue_share": revenue_shares.round(6),
        }
    )
