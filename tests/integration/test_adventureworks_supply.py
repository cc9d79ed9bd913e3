"""Suppliers of AdventureWorks: the tables of supply against pandas on the files.

What the file calls an approved order (status 2) has no day of receipt: its lines that came in full are neither on time
nor late, the others are open.
"""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from tests.integration.companies import AS_OF
from tests.integration.conftest import Home
from tests.integration.test_sales_tables import cells, table

TODAY = pd.Timestamp(AS_OF["adventureworks"])
YEAR_AGO = TODAY - timedelta(days=365)


@pytest.fixture(scope="module")
def bought(adventureworks: Home) -> pd.DataFrame:
    """Purchase lines ordered by the as-of day, as known then; what was received later has not come."""
    detail = cells(adventureworks, "Purchasing.PurchaseOrderDetail.csv")
    header = cells(adventureworks, "Purchasing.PurchaseOrderHeader.csv").set_index("PurchaseOrderID")
    offers = cells(adventureworks, "Purchasing.ProductVendor.csv").set_index(["ProductID", "BusinessEntityID"])
    supplier = detail["PurchaseOrderID"].map(header["VendorID"])
    # A pair that no offer names has no contract price.
    contract = pd.Series(
        offers["StandardPrice"].astype(float).reindex(pd.MultiIndex.from_arrays([detail["ProductID"], supplier])).values
    )
    received = pd.to_datetime(detail["ModifiedDate"]).dt.normalize()
    received = received.where(detail["PurchaseOrderID"].map(header["Status"]) != "2")
    lines = pd.DataFrame(
        {
            "supplier": supplier,
            "product": detail["ProductID"],
            "ordered_on": pd.to_datetime(detail["PurchaseOrderID"].map(header["OrderDate"])).dt.normalize(),
            "due_on": pd.to_datetime(detail["DueDate"]).dt.normalize(),
            "received_on": received.where(received <= TODAY),
            "units": detail["OrderQty"].astype(int),
            "came": detail["ReceivedQty"].astype(float),
            "refused": detail["RejectedQty"].astype(float),
            "price": detail["UnitPrice"].astype(float),
            "contract": contract,
        }
    )
    lines.loc[received > TODAY, ["came", "refused"]] = 0
    assert len(lines) == 8_845
    lines = lines[lines["ordered_on"] <= TODAY]
    year = {
        name: lines[f"{name}_on"].between(YEAR_AGO, TODAY, inclusive="right") for name in ("ordered", "due", "received")
    }
    undated = lines["received_on"].isna() & (lines["came"] >= lines["units"])
    return lines.assign(
        is_ordered=year["ordered"],
        is_due=year["due"] & ~undated,
        is_received=year["received"],
        is_open_late=lines["received_on"].isna() & ~undated & (lines["due_on"] <= TODAY),
        is_undated=undated,
        is_kept=(lines["received_on"] <= lines["due_on"]) & (lines["came"] >= lines["units"]),
        spend=lines["units"] * lines["price"],
        above=lines["units"] * (lines["price"] - lines["contract"]),
        agreed=lines["units"] * lines["contract"],
    )


@pytest.fixture(scope="module")
def scorecard(adventureworks: Home) -> pd.DataFrame:
    return table(adventureworks, "from reports.fct_supplier_scorecard_monthly").set_index("supplier_id").sort_index()


def test_kpis_and_exceptions_judge_a_supplier_by_the_lines_of_the_scorecard(
    adventureworks: Home, scorecard: pd.DataFrame
) -> None:
    """Lines whose units came on a day nobody wrote down are in none of them: six suppliers have no others."""
    kpis = table(
        adventureworks,
        "select segment_value as supplier_id, numerator, denominator from reports.fct_kpi_values "
        "where kpi_id = 'SUP-01' and segment_type = 'supplier_id' and period_grain = 'trailing_365d' "
        f"and as_of = '{TODAY}'",
    ).set_index("supplier_id")
    due = scorecard[scorecard["lines_due"] > 0]
    assert scorecard["lines_undated"].sum() == 52
    assert set(scorecard.index[scorecard["lines_undated"] > 0]) == set(scorecard.index) - set(due.index)
    pd.testing.assert_frame_equal(
        kpis.sort_index().astype(int),
        due[["lines_otif_first", "lines_due"]].astype(int).set_axis(["numerator", "denominator"], axis=1),
    )
    shown = table(adventureworks, f"from reports.rpt_supplier_performance where as_of = '{TODAY}'").set_index(
        "supplier_id"
    )
    assert (shown.loc[due.index, "lines_due"] == due["lines_due"]).all()
    assert shown.loc[shown.index.difference(due.index), "otif"].isna().all()


def test_the_scorecard_is_a_count_on_the_files(scorecard: pd.DataFrame, bought: pd.DataFrame) -> None:
    def count(rows: pd.Series, column: str | None = None) -> list[float]:
        chosen = bought[rows].groupby("supplier")
        found = chosen.size() if column is None else chosen[column].sum()
        return found.reindex(scorecard.index, fill_value=0).tolist()

    assert len(scorecard) == 86
    assert scorecard["lines_ordered"].tolist() == count(bought["is_ordered"])
    assert scorecard["lines_due"].tolist() == count(bought["is_due"])
    assert scorecard["lines_otif_first"].tolist() == count(bought["is_due"] & bought["is_kept"])
    assert scorecard["lines_open_late"].tolist() == count(bought["is_open_late"])
    assert scorecard["lines_received"].tolist() == count(bought["is_received"])
    assert scorecard["units_received"].tolist() == count(bought["is_received"], "came")
    assert scorecard["units_rejected"].tolist() == count(bought["is_received"], "refused")
    np.testing.assert_allclose(scorecard["spend_base"].fillna(0), count(bought["is_ordered"], "spend"), atol=0.01)
    np.testing.assert_allclose(
        scorecard["price_variance_base"].fillna(0), count(bought["is_ordered"], "above"), atol=0.01
    )
    np.testing.assert_allclose(scorecard["contract_base"].fillna(0), count(bought["is_ordered"], "agreed"), atol=0.01)
    assert scorecard["units_rejected"].sum() > 10_000


def test_a_booking_rule_is_no_lead_time(adventureworks: Home, scorecard: pd.DataFrame, bought: pd.DataFrame) -> None:
    """Everything came exactly seven days after its order, which tells of the file and not of the suppliers."""
    came = bought[bought["is_received"]]
    assert set((came["received_on"] - came["ordered_on"]).dt.days) == {7}
    judged = scorecard[scorecard["lines_received"] > 0]
    assert judged["lead_time_mean_days"].eq(7).all()
    assert judged["is_lead_time_constant"].all()
    assert judged["lead_time_points"].isna().all()
    told = "from reports.fct_kpi_values where kpi_id in ('SUP-02', 'SUP-03')"
    assert table(adventureworks, told).empty


def test_few_lines_never_outrank_many(scorecard: pd.DataFrame) -> None:
    ranked = scorecard[scorecard["supplier_rank"].notna()].sort_values("supplier_rank")
    assert ranked["lines_due"].min() >= 20
    assert scorecard.loc[scorecard["lines_due"] < 20, "grade"].isna().all()
    assert ranked["score_low"].is_monotonic_decreasing


def test_spend_is_cut_in_the_same_ways_as_the_files(adventureworks: Home, bought: pd.DataFrame) -> None:
    year = bought[bought["is_ordered"]]
    spend = year.groupby("supplier")["spend"].sum()
    shares = (spend / spend.sum()).sort_values(ascending=False)
    (whole,) = table(adventureworks, "from reports.rpt_spend_concentration where segment_type = 'all'").itertuples()
    assert whole.suppliers == len(spend)
    assert whole.spend_base == pytest.approx(spend.sum(), abs=0.01)
    assert whole.largest_supplier_id == shares.index[0]
    assert (whole.largest_share, whole.largest_5_share, whole.hhi) == pytest.approx(
        (shares.iloc[0], shares.iloc[:5].sum(), (shares**2).sum()), abs=2e-6
    )
    months = table(
        adventureworks,
        "select price_month_on, sum(lines_ordered) as lines, sum(spend_base) as spend, "
        "sum(lines_above_contract) as above from reports.rpt_price_variance group by all order by all",
    )
    by_month = year.groupby(year["ordered_on"].dt.to_period("M"))
    assert months["lines"].tolist() == by_month.size().tolist()
    np.testing.assert_allclose(months["spend"], by_month["spend"].sum(), atol=0.01)
    assert months["above"].sum() == (year["price"] > year["contract"]).sum()


def test_products_with_one_source_are_those_of_the_files(adventureworks: Home, bought: pd.DataFrame) -> None:
    """A vendor flagged inactive is barred; the others qualify by an offer or by having sold in the year."""
    vendors = cells(adventureworks, "Purchasing.Vendor.csv").set_index("BusinessEntityID")
    offers = cells(adventureworks, "Purchasing.ProductVendor.csv")
    year = bought[bought["is_ordered"]]
    sold = set(zip(year["product"], year["supplier"], strict=True))
    pairs = pd.DataFrame(
        sorted(sold | set(zip(offers["ProductID"], offers["BusinessEntityID"], strict=True))),
        columns=["product", "supplier"],
    )
    pairs["is_qualified"] = pairs["supplier"].map(vendors["ActiveFlag"]) == "1"
    pairs["is_bought"] = [pair in sold for pair in zip(pairs["product"], pairs["supplier"], strict=True)]
    published = table(adventureworks, "from reports.rpt_sourcing_gaps").set_index("product_id").sort_index()
    qualified = pairs.groupby("product")["is_qualified"].sum().sort_index()
    assert published.index.tolist() == qualified.index.tolist()
    assert published["n_qualified_suppliers"].tolist() == qualified.tolist()
    assert published["is_single_source"].tolist() == (qualified <= 1).tolist()
    barred = pairs[pairs["is_bought"] & ~pairs["is_qualified"]]["product"].unique()
    assert set(published.index[published["is_bought_unqualified"].astype(bool)]) == set(barred)
    spend = year.groupby("product")["spend"].sum().reindex(published.index, fill_value=0)
    np.testing.assert_allclose(published["spend_base"].fillna(0), spend, atol=0.01)


def test_open_orders_are_those_without_a_receipt(adventureworks: Home, bought: pd.DataFrame) -> None:
    listed = table(adventureworks, "from reports.fct_supplier_availability")
    open_lines = bought[bought["received_on"].isna() & ~bought["is_undated"]]
    assert len(listed) == len(open_lines)
    late = (TODAY - open_lines["due_on"]).dt.days.clip(lower=0)
    assert sorted(listed["days_past_promise"]) == sorted(late)
    overdue = table(adventureworks, "from reports.rpt_exceptions where exception_type = 'late_purchase_orders'")
    missed = open_lines[(open_lines["due_on"] < TODAY) & (open_lines["due_on"] > TODAY - timedelta(days=366))]
    # The list is cut after a hundred: what is on it is right, and what is not is worth less.
    worth = missed.groupby("supplier")["spend"].sum()
    for row in overdue.itertuples():
        assert row.value_at_stake_base == pytest.approx(worth[row.entity_id], abs=0.01)


def test_stock_without_sales_of_its_own_place_loses_nobody_knows_what(adventureworks: Home) -> None:
    """Sales are booked by region and stock at one site, so what empty shelves cost is not known; it is not 0."""
    health = table(adventureworks, "from reports.rpt_inventory_health")
    assert health["stockout_days_28d"].sum() > 50
    assert health[["lost_quantity_28d", "lost_margin_28d_base"]].isna().all(axis=None)
    sold = set(cells(adventureworks, "Sales.SalesOrderLines.csv")["ProductID"])
    assert set(health.loc[health["abc"].notna(), "product_id"]) == set(health["product_id"]) & sold
