"""Products, baskets, returns, margin and fulfilment of four companies against counts that share no code with them.

The real companies' figures are counted from their files by pandas and numpy, the demo's are its generator's truth.
"""

from datetime import date, timedelta
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipelines.demo import load_truth
from tests.integration.companies import AS_OF
from tests.integration.conftest import Demo, Home

SNAPSHOTS = (
    "fct_product_abc_xyz", "fct_basket_rules", "rpt_product_performance", "rpt_margin_bridge", "rpt_returns",
    "rpt_fulfilment",
)  # fmt: skip


def table(home: Home, sql: str) -> pd.DataFrame:
    """A query on what is published, decimals as floats."""
    names = [column[0] for column in home.query(f"describe {sql}")]
    frame = pd.DataFrame(home.query(sql), columns=names)
    return frame.apply(lambda column: pd.to_numeric(column) if column.map(_is_number).all() else column)


def _is_number(value: object) -> bool:
    return value is None or type(value).__name__ in ("Decimal", "int", "float")


def cells(home: Home, pattern: str) -> pd.DataFrame:
    """All files of a pattern, cells as text, rows that repeat another of their file left out."""
    files = sorted(home.landing.glob(pattern))
    read = [pd.read_csv(file, dtype=str, keep_default_na=False, encoding="utf-8-sig") for file in files]
    return pd.concat([frame.drop_duplicates() for frame in read], ignore_index=True)


# Online Retail


@pytest.fixture(scope="module")
def invoices(online_retail: Home) -> pd.DataFrame:
    """The lines of Online Retail; amounts in whole ten-thousandths of a pound, so that sums are exact."""
    lines = cells(online_retail, "*.csv")
    return pd.DataFrame(
        {
            "order": lines["InvoiceNo"],
            "product": lines["StockCode"],
            "customer": lines["CustomerID"],
            "at": pd.to_datetime(lines["InvoiceDate"]),
            "quantity": lines["Quantity"].astype("int64"),
            "amount": (lines["UnitPrice"].astype(float) * 10_000).round().astype("int64")
            * lines["Quantity"].astype("int64"),
        }
    ).assign(day=lambda frame: frame["at"].dt.date)


@pytest.fixture(scope="module")
def year(invoices: pd.DataFrame) -> pd.DataFrame:
    """Its last 365 days."""
    return invoices[invoices["day"] > AS_OF["online_retail"] - timedelta(days=365)]


def test_online_retail_basket_rules_equal_a_count_of_pairs(online_retail: Home, year: pd.DataFrame) -> None:
    sold = year[year["quantity"] > 0][["order", "product"]].drop_duplicates()
    orders = sold["order"].nunique()
    fewest = max(int(np.ceil(0.005 * orders)), 5)
    counts = sold["product"].value_counts()
    frequent = sorted(counts[counts >= fewest].index)
    sold = sold[sold["product"].isin(frequent)]
    baskets = np.zeros((sold["order"].nunique(), len(frequent)), dtype=np.float32)
    baskets[pd.factorize(sold["order"])[0], pd.Categorical(sold["product"], categories=frequent).codes] = 1
    together = (baskets.T @ baskets).round().astype(int)
    pairs = [
        (int(together[i, j] * orders - counts[frequent[i]] * counts[frequent[j]]), frequent[i], frequent[j])
        for i, j in combinations(range(len(frequent)), 2)
        if together[i, j] >= fewest
    ]
    best = sorted((pair for pair in pairs if pair[0] > 0), key=lambda pair: (-pair[0], *pair[1:]))[:500]
    index = {product: number for number, product in enumerate(frequent)}
    expected = {
        (lhs, rhs): (rank, int(together[index[lhs], index[rhs]]), int(counts[lhs]), int(counts[rhs]))
        for rank, (_, one, other) in enumerate(best, start=1)
        for lhs, rhs in ((one, other), (other, one))
    }
    rules = table(online_retail, "from reports.fct_basket_rules")
    published = {
        (row.lhs_product_id, row.rhs_product_id): (
            row.pair_rank, row.orders_with_both, row.orders_with_lhs, row.orders_with_rhs
        )
        for row in rules.itertuples()
    }  # fmt: skip
    assert len(published) == 1000
    assert published == expected
    assert set(rules["orders_of_all"]) == {orders}
    both, lhs, rhs = (rules[f"orders_with_{name}"] for name in ("both", "lhs", "rhs"))
    np.testing.assert_allclose(rules["support"], both / orders, atol=1e-9)
    np.testing.assert_allclose(rules["confidence"], both / lhs, atol=1e-9)
    np.testing.assert_allclose(rules["lift"], both * orders / (lhs * rhs), atol=1e-6)
    np.testing.assert_allclose(rules["leverage"], both / orders - lhs * rhs / orders**2, atol=1e-9)


def test_online_retail_classes_of_value_and_demand(
    online_retail: Home, invoices: pd.DataFrame, year: pd.DataFrame
) -> None:
    """Every class of every product ever sold, from its definition."""
    today = AS_OF["online_retail"]
    published = table(online_retail, "from reports.fct_product_abc_xyz").set_index("product_id").sort_index()
    sales = invoices[invoices["quantity"] > 0]
    assert set(published.index) == set(sales["product"])
    value = year.groupby("product")["amount"].sum().reindex(published.index, fill_value=0)
    order = sorted(published.index, key=lambda product: (-value[product], product))
    positive = value[order].clip(lower=0)
    before = (positive.cumsum() - positive) / positive.sum()
    abc = np.where(value[order] <= 0, "C", np.select([before < 0.8, before < 0.95], ["A", "B"], "C"))
    assert published.loc[order, "revenue_rank"].tolist() == list(range(1, len(order) + 1))
    assert published.loc[order, "abc"].tolist() == abc.tolist()
    np.testing.assert_allclose(published["net_revenue_base"], value / 10_000, atol=1e-6)

    age = sales.groupby("product")["day"].min().map(lambda day: min((today - day).days // 7 + 1, 52))
    ago = invoices["day"].map(lambda day: (today - day).days // 7)
    # A negative line that is no cancellation does not undo that the goods were wanted.
    is_return = (invoices["quantity"] < 0) & ~invoices["order"].str.startswith("C")
    wanted = invoices.assign(week=ago, quantity=invoices["quantity"].mask(is_return, 0))[ago < 52]
    weekly = wanted.pivot_table("quantity", "product", "week", "sum").clip(lower=0).reindex(published.index)
    checked = published[~published["is_insufficient_data"]]
    assert len(checked) > 3000
    for product, row in checked.iterrows():
        sizes = weekly.loc[product].to_numpy()
        sizes = sizes[sizes > 0]
        units = np.append(sizes, np.zeros(age[product] - len(sizes)))
        assert row["weeks_observed"] == len(units)
        if not len(sizes):
            assert row["demand_class"] == "dead"
            continue
        cv = units.std(ddof=1) / units.mean()
        interval, squared = len(units) / len(sizes), (sizes.std() / sizes.mean()) ** 2
        assert row["weekly_cv"] == pytest.approx(cv, abs=2e-6)
        assert row["demand_interval_weeks"] == pytest.approx(interval, abs=2e-6)
        assert row["squared_cv_of_demand"] == pytest.approx(squared, abs=2e-6)
        assert row["xyz"] == ("X" if row["weekly_cv"] <= 0.5 else "Y" if row["weekly_cv"] <= 1 else "Z")
        names = {(0, 0): "smooth", (0, 1): "erratic", (1, 0): "intermittent", (1, 1): "lumpy"}
        rare, uneven = row["demand_interval_weeks"] >= 1.32, row["squared_cv_of_demand"] >= 0.49
        assert row["demand_class"] == names[int(rare), int(uneven)]


def test_online_retail_returns_in_cash_and_by_cohort(online_retail: Home, invoices: pd.DataFrame) -> None:
    """Of each negative line the newest earlier sale, large enough, of its customer (or its own invoice) and product."""
    back = invoices[invoices["quantity"] < 0]
    sales = invoices[invoices["quantity"] > 0]
    of_customer = back[back["customer"] != ""].reset_index().merge(sales, on=["customer", "product"])
    of_order = back.reset_index().merge(sales, on=["order", "product"])
    own = pd.concat([of_customer, of_order])
    own = own[(own["at_y"] <= own["at_x"]) & (own["quantity_y"] >= -own["quantity_x"])]
    sold_at = own.groupby("index")["at_y"].max()
    matched = back.assign(month=back["at"].dt.strftime("%Y-%m"), sold=sold_at.dt.strftime("%Y-%m"))
    units = -matched["quantity"]
    cash, cohort = units.groupby(matched["month"]).sum(), units.groupby(matched["sold"]).sum()
    published = table(online_retail, "from reports.rpt_returns where segment_type = 'all'")
    published["month"] = published["period_start"].map(lambda day: f"{day:%Y-%m}")
    for basis, expected in (("cash", cash), ("sale_cohort", cohort)):
        rows = published[published["basis"] == basis].set_index("month")
        assert rows["units_returned"].to_dict() == expected.reindex(rows.index, fill_value=0).to_dict(), basis
    rows = published[published["basis"] == "cash"].set_index("month")
    known = units[matched["sold"].notna()].groupby(matched["month"]).sum()
    assert rows["units_matched"].to_dict() == known.reindex(rows.index, fill_value=0).to_dict()
    young = published[(published["basis"] == "sale_cohort") & (published["month"] >= "2011-09")]
    assert young["return_rate"].isna().all()
    assert not young["is_mature"].any()


# AdventureWorks


@pytest.fixture(scope="module")
def bicycles(adventureworks: Home) -> pd.DataFrame:
    """The sales lines of AdventureWorks with the category of the product."""
    lines = cells(adventureworks, "Sales.SalesOrderLines.csv")
    product = cells(adventureworks, "Production.Product.csv").set_index("ProductID")
    group = cells(adventureworks, "Production.ProductSubcategory.csv").set_index("ProductSubcategoryID")
    category = cells(adventureworks, "Production.ProductCategory.csv").set_index("ProductCategoryID")["Name"]
    names = lines["ProductID"].map(product["ProductSubcategoryID"]).map(group["ProductCategoryID"]).map(category)
    units = lines["OrderQty"].astype(int)
    return pd.DataFrame(
        {
            "order": lines["SalesOrderNumber"],
            "product": lines["ProductID"],
            "category": names,
            "channel": lines["Channel"],
            "day": pd.to_datetime(lines["OrderDate"]).dt.date,
            "units": units,
            "net": lines["SalesAmount"].astype(float),
            "cost": units * lines["ProductStandardCost"].astype(float),
        }
    ).assign(month=lambda frame: frame["day"].map(lambda day: f"{day:%Y-%m}"))


@pytest.mark.parametrize(("period", "compared"), [("2025-04", "2024-04"), ("2025-05", "2025-04")])
def test_adventureworks_margin_bridge_from_the_formulas(
    adventureworks: Home, bicycles: pd.DataFrame, period: str, compared: str
) -> None:
    """Volume, mix, price and cost of what sold in both months, product by product; May 2025 has no resellers."""
    both = {
        name: bicycles[bicycles["month"] == month]
        .groupby(["product", "channel", "category"])[["units", "net", "cost"]]
        .sum()
        for name, month in (("old", compared), ("new", period))
    }
    items = both["old"].join(both["new"], suffixes=("_old", "_new"), how="inner")
    old_margin = items["net_old"] - items["cost_old"]
    growth = items["units_new"] / items["units_old"]
    totals = items.groupby("category")[["units_old", "units_new"]].transform("sum")
    of_category = totals["units_new"] / totals["units_old"]
    channels = {name: frame.index.get_level_values("channel") for name, frame in both.items()}
    ended = both["old"][~channels["old"].isin(channels["new"])]
    expected = {
        "compared_amount_base": (both["old"]["net"] - both["old"]["cost"]).sum(),
        "period_amount_base": (both["new"]["net"] - both["new"]["cost"]).sum(),
        "volume_effect_base": (old_margin * (of_category - 1)).sum(),
        "mix_effect_base": (old_margin * (growth - of_category)).sum(),
        "price_effect_base": (items["net_new"] - items["net_old"] * growth).sum(),
        "cost_effect_base": (items["cost_old"] * growth - items["cost_new"]).sum(),
        "channel_effect_base": (ended["cost"] - ended["net"]).sum(),
        "currency_effect_base": 0.0,
        "products_in_both": len(items),
    }
    comparison = "previous_month" if compared == "2025-04" else "same_month_last_year"
    (row,) = table(
        adventureworks,
        f"""
        from reports.rpt_margin_bridge
        where measure = 'margin' and segment_type = 'all' and comparison = '{comparison}'
            and period_start = date '{period}-01'
        """,
    ).to_dict("records")
    # Amounts of lines are kept with four decimals, so a month of thousands may be off by some cents.
    assert {name: row[name] for name in expected} == pytest.approx(expected, abs=0.5)
    assert (expected["channel_effect_base"] != 0) == (period == "2025-05")


def test_adventureworks_product_performance_is_a_count_on_the_files(
    adventureworks: Home, bicycles: pd.DataFrame
) -> None:
    today = AS_OF["adventureworks"]
    published = table(adventureworks, "from reports.rpt_product_performance").set_index("product_id")
    for grain, days in (("trailing_28d", 28), ("trailing_91d", 91), ("trailing_365d", 365)):
        rows = published[published["period_grain"] == grain]
        now = bicycles[bicycles["day"] > today - timedelta(days=days)]
        then = bicycles[(bicycles["day"] > today - timedelta(days=2 * days)) & ~bicycles.index.isin(now.index)]
        margin = [
            (frame["net"] - frame["cost"]).groupby(frame["product"]).sum().reindex(rows.index, fill_value=0)
            for frame in (now, then)
        ]
        sums = now.groupby("product").agg(units=("units", "sum"), net=("net", "sum"), orders=("order", "nunique"))
        sums = sums.reindex(rows.index, fill_value=0)
        assert set(rows.index) == set(now["product"]) | set(then["product"])
        assert rows["orders"].tolist() == sums["orders"].tolist()
        assert rows["units_sold"].tolist() == sums["units"].tolist()
        np.testing.assert_allclose(rows["net_revenue_base"], sums["net"], atol=0.5)
        np.testing.assert_allclose(rows["contribution_change_base"], margin[0] - margin[1], atol=0.5)
        tenth = len(rows) // 10
        ranked = rows.sort_values("contribution_change_base")["mover_class"]
        assert set(ranked[:tenth]) == {"loser"}
        assert (rows["mover_class"] == "loser").sum() == tenth
        assert (rows["mover_class"] == "winner").sum() <= tenth


def test_adventureworks_trends_are_medians_of_slopes(adventureworks: Home, bicycles: pd.DataFrame) -> None:
    today = AS_OF["adventureworks"]
    published = table(
        adventureworks, "from reports.rpt_product_performance where period_grain = 'trailing_365d'"
    ).set_index("product_id")
    ago = bicycles["day"].map(lambda day: (today - day).days // 7)
    weekly = bicycles.assign(week=ago).pivot_table("units", "product", "week", "sum", fill_value=0)
    weekly = weekly.reindex(columns=range(104), fill_value=0)
    first = bicycles.groupby("product")["day"].min().map(lambda day: min((today - day).days // 7 + 1, 104))
    seen = {"seasonal": 0, "plain": 0}
    for product, row in published.iterrows():
        units, weeks = weekly.loc[product].to_numpy(), first[product]
        if weeks >= 65:
            method, pairs = "seasonal", [(week, week + 52) for week in range(weeks - 52)]
        else:
            method, pairs = "plain", list(combinations(range(min(weeks, 26)), 2))
        slopes = [(units[later] - units[earlier]) / (earlier - later) for later, earlier in pairs]
        assert (row["trend_method"], row["trend_pairs"]) == (method, len(pairs))
        assert row["trend_units_per_week"] == pytest.approx(float(np.median(slopes)), abs=2e-6)
        seen[method] += 1
    assert min(seen.values()) > 20


def test_adventureworks_tells_of_shipments_but_not_of_deliveries(adventureworks: Home) -> None:
    ((weeks, judged, shipped, due),) = adventureworks.query(
        """
        select count(*), sum(lines_judged), sum(lines_shipped_by_promise), sum(lines_due)
        from reports.rpt_fulfilment where segment_type = 'all' and on_time_rate is null
        """
    )
    assert weeks == 26
    assert judged == 0
    assert shipped == due > 0
    assert adventureworks.query("select count(*) from reports.rpt_returns") == [(0,)]


# Olist


def test_olist_promises_week_by_week(olist: Home) -> None:
    """An order that no courier had brought by the as-of day is late, whatever the file says of the days after it."""
    today = pd.Timestamp(AS_OF["olist"])
    lines = cells(olist, "olist_order_items_dataset.csv").merge(cells(olist, "olist_orders_dataset.csv"), on="order_id")
    day = {name: pd.to_datetime(lines[column]).dt.normalize() for name, column in (
        ("ordered", "order_purchase_timestamp"), ("promised", "order_estimated_delivery_date"),
        ("delivered", "order_delivered_customer_date"),
    )}  # fmt: skip
    lines = lines.assign(**day)[day["ordered"] <= today]
    lines.loc[lines["delivered"] > today, "delivered"] = pd.NaT
    lines = lines[~lines["order_status"].isin(["canceled", "unavailable"])]

    def monday(days: pd.Series) -> pd.Series:
        return (days - pd.to_timedelta(days.dt.day_of_week, unit="D")).dt.date

    due = lines[lines["promised"] <= today]
    by_week = due.assign(week=monday(due["promised"]), met=due["delivered"] <= due["promised"]).groupby("week")
    arrived = lines[lines["delivered"].notna()]
    took = (arrived["delivered"] - arrived["ordered"]).dt.days.groupby(monday(arrived["delivered"]))
    published = table(olist, "from reports.rpt_fulfilment where segment_type = 'all'").set_index("week_start_on")
    assert len(published) == 26
    for week, row in published.iterrows():
        assert row["lines_due"] == row["lines_judged"] == by_week.size()[week]
        assert row["lines_on_time"] == by_week["met"].sum()[week]
        assert row["lines_open_late"] == by_week["delivered"].apply(lambda days: days.isna().sum())[week]
        assert row["on_time_rate_low"] < row["on_time_rate"] < row["on_time_rate_high"] or row["on_time_rate"] == 1
        assert row["lines_delivered"] == took.size()[week]
        assert row["days_to_deliver_p50"] == pytest.approx(took.median()[week])
        assert row["days_to_deliver_p90"] == pytest.approx(took.quantile(0.9)[week])
        days = np.sort(took.get_group(week))
        for name, quantile in (("p50", 0.5), ("p90", 0.9)):
            reach = 1.959964 * np.sqrt(len(days) * quantile * (1 - quantile))
            ranks = (np.floor(len(days) * quantile - reach), np.ceil(1 + len(days) * quantile + reach))
            for bound, rank in zip(("low", "high"), ranks, strict=True):
                told = row[f"days_to_deliver_{name}_{bound}"]
                assert told == days[int(rank) - 1] if 1 <= rank <= len(days) else pd.isna(told)


# Demo


def test_snapshots_keep_the_newest_day_of_the_month(backfilled: Home, demo: Demo) -> None:
    newest = {day.replace(day=1): day for day in demo.days}
    for name in SNAPSHOTS:
        days = backfilled.query(f"select distinct month_start_on, as_of from reports.{name}")
        assert dict(days) == newest, name


def test_demo_bridge_ends_with_the_truth(backfilled: Home, demo: Demo) -> None:
    """What a month brought, as known at the end, is what the generator booked."""
    booked = load_truth(demo.landing).table("net_revenue_daily").to_pandas()
    months = booked.groupby(booked["business_on"].map(lambda day: day.replace(day=1)))["net_eur"].sum()
    rows = backfilled.query(
        """
        select period_start, period_amount_base, compared_amount_base from reports.rpt_margin_bridge
        where measure = 'net_revenue' and segment_type = 'all' and comparison = 'previous_month'
            and as_of = (select max(as_of) from reports.rpt_margin_bridge)
        """
    )
    assert rows
    for start, amount, compared in rows:
        assert float(amount) == pytest.approx(float(months[start]), abs=0.01)
        assert float(compared) == pytest.approx(float(months[_month_before(start)]), abs=0.01)


def _month_before(day: date) -> date:
    return (day - timedelta(days=1)).replace(day=1)


@pytest.fixture(scope="module")
def returned(backfilled: Home) -> list[tuple[Any, ...]]:
    return backfilled.raw(
        """
        select back.units, back.days_to_return, back.match_method, sales.quantity, back.sale_order_id = back.order_id
        from kpis.known_returns as back
        left join marts.fct_order_lines as sales
            on sales.order_id = back.sale_order_id and sales.line_no = back.sale_line_no
        """
    )


def test_demo_returns_find_the_lines_they_undo(returned: list[tuple[Any, ...]]) -> None:
    """The generator sends whole lines back, 4 to 14 days after delivery, under their own order's number."""
    assert len(returned) > 10
    for units, days, method, quantity, is_own_order in returned:
        assert method == "same_order"
        assert is_own_order
        assert units == quantity
        assert 4 <= days <= 30
