"""Customers: who bought when, and how they are scored and grouped, against pandas on the files.

Most is asked of AdventureWorks: its dates are days, its currency is one, and no line is a return, so an order is one
purchase of one day. What it lacks, customers who took back, is asked of Online Retail.
"""

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.integration.companies import AS_OF
from tests.integration.conftest import Home
from tests.integration.test_sales_tables import cells, table

TODAY = AS_OF["adventureworks"]


def _scores(values: pd.Series) -> pd.Series:
    """1 to 5 by how many fifths of the customers lie below; equals are equal."""
    return (1 + np.floor(5 * (values.rank(method="min") - 1) / len(values))).astype(int)


@pytest.fixture(scope="module")
def purchases(adventureworks: Home) -> pd.DataFrame:
    """One row per order."""
    lines = cells(adventureworks, "Sales.SalesOrderLines.csv")
    amounts = lines.assign(
        day=pd.to_datetime(lines["OrderDate"]),
        net=lines["SalesAmount"].astype(float),
        cost=lines["OrderQty"].astype(int) * lines["ProductStandardCost"].astype(float),
    )
    orders = amounts.groupby("SalesOrderNumber").agg(
        customer=("CustomerAccount", "first"), channel=("Channel", "first"), day=("day", "first"),
        net=("net", "sum"), cost=("cost", "sum"),
    )  # fmt: skip
    return orders[orders["day"] <= pd.Timestamp(TODAY)]


@pytest.fixture(scope="module")
def buyers(purchases: pd.DataFrame) -> pd.DataFrame:
    """One row per customer who bought."""
    found = purchases.groupby("customer").agg(
        first=("day", "min"), last=("day", "max"), orders=("day", "size"), net=("net", "sum"), cost=("cost", "sum")
    )
    recent = purchases[purchases["day"] > pd.Timestamp(TODAY - timedelta(days=365))].groupby("customer")
    return found.assign(
        orders_year=recent.size().reindex(found.index, fill_value=0), net_year=recent["net"].sum(),
        recency=_scores(found["last"]), frequency=_scores(found["orders"]), monetary=_scores(found["net"].round(4)),
    )  # fmt: skip


def _segment(buyer: Any) -> str:
    """The rule of docs/kpis in the order in which it is told."""
    recency, frequency, monetary = buyer.recency, buyer.frequency, buyer.monetary
    rules = {
        "new": buyer.orders == 1 and recency >= 4,
        "champions": min(recency, frequency, monetary) >= 4,
        "loyal": min(recency, frequency) >= 3,
        "one_time_recent": recency >= 3 and buyer.orders == 1,
        "promising": recency >= 3,
        "cannot_lose": min(frequency, monetary) >= 4,
        "at_risk": frequency >= 3 or monetary >= 4,
        "about_to_sleep": recency == 2,
        "lost": True,
    }
    return next(name for name, holds in rules.items() if holds)


def test_scores_and_segments_are_a_count_on_the_files(adventureworks: Home, buyers: pd.DataFrame) -> None:
    published = table(adventureworks, "from reports.fct_customer_rfm_monthly").set_index("customer_id").sort_index()
    assert published.index.tolist() == buyers.index.tolist()
    assert len(published) == 19_119
    assert pd.to_datetime(published["first_ordered_on"]).tolist() == buyers["first"].tolist()
    assert published["recency_days"].tolist() == (pd.Timestamp(TODAY) - buyers["last"]).dt.days.tolist()
    assert published["frequency"].tolist() == buyers["orders"].tolist()
    np.testing.assert_allclose(published["net_revenue_amount_base"], buyers["net"], atol=0.05)
    np.testing.assert_allclose(published["margin_amount_base"], buyers["net"] - buyers["cost"], atol=0.05)
    assert published["recency_score"].tolist() == buyers["recency"].tolist()
    assert published["frequency_score"].tolist() == buyers["frequency"].tolist()
    # Amounts that differ in the fourth decimal may change places at the border of a fifth.
    assert (published["monetary_score"] != buyers["monetary"]).sum() <= 5
    segments = [_segment(buyer) for buyer in buyers.assign(monetary=published["monetary_score"]).itertuples()]
    assert published["segment"].tolist() == segments
    assert len(set(segments)) >= 8


def test_cohorts_are_a_count_on_the_files(adventureworks: Home, purchases: pd.DataFrame, buyers: pd.DataFrame) -> None:
    month = purchases["day"].dt.to_period("M")
    cohort = purchases["customer"].map(buyers["first"]).dt.to_period("M")
    since = (month - cohort).map(lambda offset: offset.n)
    active = purchases.groupby([cohort, since])["customer"].nunique()
    revenue = purchases.groupby([cohort, since])["net"].sum()
    sizes = buyers["first"].dt.to_period("M").value_counts()
    published = table(adventureworks, "from reports.fct_customer_cohorts_monthly")
    assert len(published) == len(sizes) * 25
    assert set(published.groupby("cohort_month_on")["cohort_size"].nunique()) == {1}
    for row in published.itertuples():
        first = pd.Period(row.cohort_month_on, "M")
        assert row.cohort_size == sizes[first]
        ends = (first + row.months_since).end_time.date()
        # The last day with sales is the last but one of June, and so is its month not over.
        assert row.is_mature == (ends <= TODAY)
        if not row.is_mature:
            assert pd.isna(row.active_customers)
            assert pd.isna(row.retention_rate)
            continue
        expected = active.get((first, row.months_since), 0)
        assert row.active_customers == expected
        assert row.retention_rate == pytest.approx(expected / sizes[first], abs=1e-6)
        assert row.net_revenue_amount_base == pytest.approx(revenue.get((first, row.months_since), 0), abs=1)
    assert published["is_mature"].sum() > 300
    assert published.loc[published["months_since"] == 0, "retention_rate"].dropna().eq(1).all()


def test_every_customer_is_seen_from_all_sides(
    adventureworks: Home, purchases: pd.DataFrame, buyers: pd.DataFrame
) -> None:
    """Those of the masters who never bought are there too, with nothing to tell but that."""
    people = cells(adventureworks, "Sales.Customers.csv")
    people = people[people["DateFirstPurchase"].str[:10] <= f"{TODAY}"]["CustomerAccount"]
    resellers = cells(adventureworks, "Sales.Resellers.csv")["CustomerAccount"]
    published = table(adventureworks, "from reports.rpt_customer_360").set_index("customer_id").sort_index()
    assert set(published.index) == set(people) | set(resellers) | set(buyers.index)
    assert set(published.loc[resellers, "customer_type"]) == {"business"}
    bought = published.loc[buyers.index]
    assert bought["orders"].tolist() == buyers["orders"].tolist()
    assert bought["orders_365d"].tolist() == buyers["orders_year"].tolist()
    np.testing.assert_allclose(bought["net_revenue_amount_base"], buyers["net"], atol=0.05)
    np.testing.assert_allclose(
        bought["net_revenue_365d_amount_base"].fillna(0), buyers["net_year"].fillna(0), atol=0.05
    )
    channel = purchases.groupby("customer")["channel"].nunique()
    assert channel.eq(1).all()
    assert bought["preferred_channel_id"].tolist() == purchases.groupby("customer")["channel"].first().tolist()
    silent = published.drop(index=buyers.index)
    assert len(silent) > 0
    assert set(silent["orders"]) == {0}
    assert set(published["return_orders"]) == {0}
    assert set(silent["next_best_action"]) == {"activate"}
    assert silent[["first_ordered_on", "rfm_segment", "clv_365d_amount_base"]].isna().all(axis=None)
    assert set(bought["next_best_action"]) >= {"reward_loyalty", "cross_sell", "win_back_offer", "leave_in_peace"}


def test_who_only_took_back_is_neither_a_buyer_nor_to_be_won(online_retail: Home) -> None:
    """Their purchases are older than the data: no table about buyers has them, the one of all customers says why."""
    lines = cells(online_retail, "*.csv")
    lines = lines[lines["CustomerID"] != ""]
    lines = lines.assign(
        customer=lines["CustomerID"].str.removesuffix(".0"),
        is_bought=lines["Quantity"].astype(int) > 0,
        net=lines["Quantity"].astype(int) * lines["UnitPrice"].astype(float),
    )
    orders = lines.groupby(["customer", "InvoiceNo"]).agg(is_bought=("is_bought", "any"), net=("net", "sum"))
    people = orders.groupby("customer").agg(
        orders=("is_bought", "sum"), returns=("is_bought", lambda bought: (~bought).sum()), net=("net", "sum")
    )
    published = table(online_retail, "from reports.rpt_customer_360").set_index("customer_id").sort_index()
    assert published.index.tolist() == people.index.tolist()
    assert published["orders"].tolist() == people["orders"].tolist()
    assert published["return_orders"].tolist() == people["returns"].tolist()
    only_back = people[people["orders"] == 0]
    assert len(only_back) == 33
    told = published[published["next_best_action"] == "clarify_returns"]
    # Who bought too is asked as well once all of it came back: no offer is due to them.
    all_back = people[(people["returns"] > 0) & (people["net"].round(2) <= 0)]
    assert len(all_back) > len(only_back)
    assert told.index.tolist() == all_back.index.tolist()
    np.testing.assert_allclose(told["net_revenue_amount_base"], all_back["net"], atol=0.01)
    assert published.loc[only_back.index, "rfm_segment"].isna().all()
    assert "activate" not in set(published["next_best_action"])
    for buyers in ("reports.fct_customer_rfm_monthly", "ml.customer_ltv", "ml.customer_clusters"):
        known = table(online_retail, f"from {buyers}").query("as_of == as_of.max()")["customer_id"]
        assert set(known) == set(people.index) - set(only_back.index), buyers


def test_lifetime_values_hold_out_what_came(
    adventureworks: Home, buyers: pd.DataFrame, purchases: pd.DataFrame
) -> None:
    """What came of the held-out days is counted here; values of all customers are bounded by what they may mean."""
    values = table(adventureworks, "from ml.customer_ltv").set_index("customer_id").sort_index()
    assert values.index.tolist() == buyers.index.tolist()
    days = purchases.drop_duplicates(["customer", "day"])
    assert values["purchases"].tolist() == days.groupby("customer").size().tolist()
    assert values["p_alive"].between(0, 1).all()
    assert (values["expected_orders_365d"] >= 0).all()
    graded = table(adventureworks, "from ml.customer_ltv_accuracy")
    ((trained_on,),) = graded[["trained_on"]].drop_duplicates().to_numpy()
    (whole,) = graded[graded["repeat_group"] == "all"].itertuples()
    known = days[days["day"] <= pd.Timestamp(_day(trained_on))]
    later = days[
        (days["day"] > pd.Timestamp(_day(trained_on)))
        & (days["day"] <= pd.Timestamp(_day(trained_on) + timedelta(days=int(whole.holdout_days))))
    ]
    assert whole.customers == known["customer"].nunique()
    assert whole.actual_purchases == later["customer"].isin(set(known["customer"])).sum()
    parts = graded[graded["repeat_group"] != "all"]
    assert parts["actual_purchases"].sum() == whole.actual_purchases
    assert parts["customers"].sum() == whole.customers


def test_the_models_behind_the_values_are_registered(adventureworks: Home, purchases: pd.DataFrame) -> None:
    """One row per night that had a model, and what it learnt from is counted here."""
    registered = table(adventureworks, "from ml.model_registry where purpose = 'customer_base' order by as_of")
    base = table(adventureworks, "from ml.customer_base order by as_of")
    assert len(base) > 0
    assert registered[["as_of", "trained_on"]].to_numpy().tolist() == base[["as_of", "trained_on"]].to_numpy().tolist()
    for row in registered.itertuples():
        known = purchases[purchases["day"] <= pd.Timestamp(_day(row.trained_on))]
        assert row.data_rows == known["customer"].nunique()


def _day(value: Any) -> date:
    return pd.Timestamp(value).date()
