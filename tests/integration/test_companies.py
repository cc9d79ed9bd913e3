"""Three real companies through the command line: their published figures against the delivered files.

The expected figures are totals that the publishers of the data state, or are counted from the files by plain pandas and
SQL that share nothing with the pipeline.
"""

import json
from datetime import date
from decimal import Decimal

from tests.integration.companies import AS_OF, DEDUPLICATED, delivered, kpi, personal_values_published
from tests.integration.conftest import Home

PERSONAL_COLUMNS = {"full_name", "email", "phone", "postal_code", "comment_text", "contact_email"}


# Every company


def test_every_delivered_record_is_accounted_for(company: Home) -> None:
    assert company.query("select distinct status from ops.files") == [("loaded",)]
    assert (
        company.query(
            """
        select * from ops.files
        where records_seen <> records_loaded + records_duplicate + records_quarantined + records_filtered
            or amount_seen <> amount_loaded + amount_duplicate + amount_quarantined
        """
        )
        == []
    )
    ((stages, row_gap, amount_gap),) = company.query(
        "select count(*), sum(abs(row_gap)), coalesce(sum(abs(amount_gap)), 0) from ops.reconciliation"
    )
    assert stages > 0
    assert (row_gap, amount_gap) == (0, 0)


def test_every_blocking_check_passed(company: Home) -> None:
    judged = dict(
        company.query(
            """
            select stage, count(*) from ops.check_results
            where is_blocking group by stage having bool_and(passed)
            """
        )
    )
    assert set(judged) == {"raw", "marts", "ml", "reports"}
    manifest = json.loads((company.path / "published" / "current" / "manifest.json").read_text())
    assert manifest["as_of"] == str(AS_OF[company.profile])


def test_no_personal_column_is_published(company: Home) -> None:
    columns = company.query("select table_schema || '.' || table_name, column_name from information_schema.columns")
    assert [column for column in columns if column[1] in PERSONAL_COLUMNS] == []


def test_every_table_and_column_published_carries_a_comment(company: Home) -> None:
    assert (
        company.query(
            """
        select schema_name, table_name, '' from duckdb_tables() where comment is null
        union all
        select schema_name, table_name, column_name from duckdb_columns() where comment is null and not internal
        """
        )
        == []
    )


def test_forecasts_are_finite_ordered_and_one_per_series_and_day_stands(company: Home) -> None:
    ((forecasts, broken, first, last),) = company.query(
        """
        select
            count(*),
            count(*) filter (not (isfinite(mean) and 0 <= p10 and p10 <= p50 and p50 <= p90 and isfinite(p90)
                and mean >= 0)),
            min(target_on - as_of), max(target_on - as_of)
        from ml.demand_forecasts
        """
    )
    assert forecasts > 1000
    assert (broken, first, last) == (0, 1, 28)
    assert (
        company.query(
            """
        select product_id from ml.demand_forecasts
        group by as_of, product_id, channel_id, target_on having count(*) filter (is_selected) <> 1
        """
        )
        == []
    )


def test_shares_lie_between_nought_and_one(company: Home) -> None:
    values = company.query(
        """
        select kpi_id, value from reports.fct_kpi_values
        where kpi_id in ('CUS-02', 'FBK-02', 'FUL-02', 'SUP-01', 'INV-04', 'SAL-06', 'DAT-02')
            and value not between -1e-6 and 1
        """
    )
    assert values == []


# AdventureWorks


def test_adventureworks_sales(adventureworks: Home) -> None:
    assert adventureworks.query(
        """
        select count(*), count(distinct order_id), count(distinct customer_id), count(distinct product_id)
        from marts.fct_order_lines where is_revenue and not is_rate_missing
        """
    ) == [(121_253, 31_455, 19_119, 266)]
    revenue = "select channel_id, round(sum(net_amount_base), 2) from marts.fct_order_lines group by all order by all"
    assert adventureworks.query(revenue) == [
        ("internet", Decimal("29358677.22")),
        ("reseller", Decimal("80450596.98")),
    ]
    assert adventureworks.query("select count(*) from marts.dim_products where is_inferred and product_key <> -1") == [
        (0,)
    ]


def test_adventureworks_purchasing(adventureworks: Home) -> None:
    published = adventureworks.query(
        """
        select
            count(*), count(distinct po_id), count(distinct supplier_id),
            sum(quantity_received), sum(quantity_rejected),
            count(*) filter (quantity_rejected > 0), count(*) filter (is_received and not is_in_full)
        from marts.fct_purchase_order_lines
        """
    )
    # Of the 380 short receipts three are of approved orders, which nobody knows to be received for good.
    assert published == [(8_845, 4_012, 86, 2_327_299, 72_700, 563, 377)]
    assert adventureworks.query("select count(*) from marts.dim_suppliers where supplier_key <> -1") == [(104,)]
    assert adventureworks.query("select count(*) from marts.bridge_product_suppliers") == [(460,)]


def test_adventureworks_stock(adventureworks: Home) -> None:
    """Of the versions of a product's day the last delivered stands; all of them stay in raw."""
    expected = delivered(
        adventureworks,
        """
        with numbered as (
            select *, row_number() over (partition by ProductID, MovementDate order by record_no desc) as recency
            from levels
        )
        select count(*), count(*) filter (UnitsBalance < 0), sum(UnitsBalance) from numbered where recency = 1
        """,
        levels="Inventory.ProductInventoryDaily.parquet",
    )
    published = adventureworks.query(
        "select count(*), count(*) filter (is_negative), sum(quantity_on_hand) from marts.fct_inventory_snapshot_daily"
    )
    assert published == expected
    assert adventureworks.query(
        """
        select sum(records_seen), sum(records_loaded), sum(records_duplicate)
        from ops.files where feed = 'inventory_levels'
        """
    ) == [(776_286, 776_255, 31)]
    assert adventureworks.raw(
        """
        select count(*), sum(negative)
        from (
            select count(*) as versions, count(*) filter (quantity_on_hand < 0) as negative
            from raw.inventory_levels group by product_id, measured_on
        )
        """
    ) == [(645_624, 3_319)]
    warned = adventureworks.query(
        """
        select count(*) from ops.check_results
        where asset = 'marts.fct_inventory_snapshot_daily' and not is_blocking and not passed
        """
    )
    assert warned[0][0] > 0


def test_adventureworks_kpis_equal_a_count_on_the_files(adventureworks: Home) -> None:
    lines = {"lines": "Sales.SalesOrderLines.csv"}
    ((net, orders),) = delivered(
        adventureworks,
        """
        select sum(round(SalesAmount::decimal(18, 6), 4)), count(distinct SalesOrderNumber)
        from lines where OrderDate between '2025-06-01' and '2025-06-29'
        """,
        **lines,
    )
    assert kpi(adventureworks, "SAL-03", "month_to_date")[:2] == (net, orders)
    ((on_time, due, rejected, received),) = delivered(
        adventureworks,
        """
        with known as (
            select
                OrderQty::int as ordered,
                ReceivedQty::decimal(18, 2) as received,
                RejectedQty::decimal(18, 2) as rejected,
                left(DueDate, 10)::date as due_on,
                case when Status <> '2' then left(lines.ModifiedDate, 10)::date end as received_on
            from lines join headers using (PurchaseOrderID)
            where left(OrderDate, 10) <= '2025-06-29'
        )
        select
            count(*) filter (
                due_on between '2024-06-30' and '2025-06-29' and received_on <= due_on and received >= ordered
            ),
            count(*) filter (
                due_on between '2024-06-30' and '2025-06-29' and (received_on is not null or received < ordered)
            ),
            sum(rejected) filter (received_on between '2024-06-30' and '2025-06-29'),
            sum(received) filter (received_on between '2024-06-30' and '2025-06-29')
        from known
        """,
        lines="Purchasing.PurchaseOrderDetail.csv",
        headers="Purchasing.PurchaseOrderHeader.csv",
    )
    assert kpi(adventureworks, "SUP-01", "trailing_365d")[:2] == (on_time, due)
    assert kpi(adventureworks, "SUP-04", "trailing_365d")[:2] == (rejected * 1_000_000, received)


def test_adventureworks_publishes_nobody(adventureworks: Home) -> None:
    customers = delivered(adventureworks, "select distinct Name from c order by 1 limit 60", c="Sales.Customers.csv")
    reviewers = delivered(adventureworks, "select EmailAddress from r", r="Production.ProductReview.csv")
    assert personal_values_published(adventureworks, *customers, *reviewers) == set()


# Olist


def test_olist_orders_reviews_and_sellers_are_joined(olist: Home) -> None:
    ((orders, with_items, net),) = delivered(
        olist,
        """
        select count(distinct orders.order_id), count(distinct items.order_id), sum(price::decimal(18, 4))
        from orders left join items using (order_id)
        """,
        orders="olist_orders_dataset.csv",
        items="olist_order_items_dataset.csv",
    )
    assert (orders, with_items) == (3_000, 2_976)
    # An order without items has no line; its customer and its review are there all the same.
    assert olist.query("select count(distinct order_id), sum(net_amount) from marts.fct_order_lines") == [
        (with_items, net)
    ]
    assert olist.query("select sum(records_seen) from ops.files where feed = 'customers'") == [(orders,)]
    # Fourteen orders were reviewed twice.
    assert olist.query("select count(*), count(distinct order_id) from marts.fct_feedback") == [(2_993, 2_979)]
    assert olist.query(
        "select count(*) from marts.fct_feedback semi join marts.fct_order_lines using (order_id)"
    ) == delivered(
        olist,
        "select count(*) from reviews semi join items using (order_id)",
        reviews="olist_order_reviews_dataset.csv",
        items="olist_order_items_dataset.csv",
    )


def test_olist_reconciles_the_days_of_a_dump(olist: Home) -> None:
    """The dump is one file; its records are told day by day, and those of a month are reconciled in that month."""
    ((amount, items),) = delivered(
        olist,
        """
        select sum(price::decimal(18, 4)), count(*) from items join orders using (order_id)
        where order_purchase_timestamp[:10] between '2018-08-04' and '2018-08-31'
        """,
        items="olist_order_items_dataset.csv",
        orders="olist_orders_dataset.csv",
    )
    assert kpi(olist, "DAT-03", "trailing_28d") == (0, amount, items)


def test_olist_every_line_finds_its_seller(olist: Home) -> None:
    assert olist.query(
        """
        select count(*), count(suppliers.supplier_id), count(offers.supplier_id)
        from marts.fct_order_lines as lines
        left join marts.dim_suppliers as suppliers on suppliers.supplier_id = lines.location_id and suppliers.is_current
        left join marts.bridge_product_suppliers as offers
            on offers.supplier_id = lines.location_id and offers.product_id = lines.product_id
        """
    ) == [(3_397, 3_397, 3_397)]
    assert olist.query("select count(*) from marts.dim_suppliers where supplier_key <> -1 and not is_inferred") == [
        (938,)
    ]


def test_olist_kpis_equal_a_count_on_the_files(olist: Home) -> None:
    ((happy, answers),) = delivered(
        olist,
        """
        select count(*) filter (review_score::int >= 4), count(*)
        from reviews where left(review_answer_timestamp, 10) between '2018-06-03' and '2018-08-31'
        """,
        reviews="olist_order_reviews_dataset.csv",
    )
    assert kpi(olist, "FBK-02", "trailing_90d") == (happy, answers, answers)
    ((net, count),) = delivered(
        olist,
        """
        select sum(price::decimal(18, 4)), count(distinct order_id)
        from orders join items using (order_id)
        where left(order_purchase_timestamp, 7) = '2018-08' and order_status not in ('canceled', 'unavailable')
        """,
        orders="olist_orders_dataset.csv",
        items="olist_order_items_dataset.csv",
    )
    assert kpi(olist, "SAL-03", "month")[:2] == (net, count)
    ((on_time, due, median, arrived),) = delivered(
        olist,
        """
        with lines as (
            select
                order_purchase_timestamp[:10]::date as ordered,
                order_estimated_delivery_date[:10]::date as promised,
                nullif(order_delivered_customer_date, '')[:10]::date as arrived
            from orders join items using (order_id)
            where order_status not in ('canceled', 'unavailable')
        )
        select
            count(*) filter (promised between '2018-06-03' and '2018-08-31' and arrived <= promised),
            count(*) filter (promised between '2018-06-03' and '2018-08-31'),
            median(arrived - ordered) filter (arrived between '2018-06-03' and '2018-08-31'),
            count(*) filter (arrived between '2018-06-03' and '2018-08-31')
        from lines
        """,
        orders="olist_orders_dataset.csv",
        items="olist_order_items_dataset.csv",
    )
    assert kpi(olist, "FUL-02", "trailing_90d") == (on_time, due, due)
    assert kpi(olist, "FUL-03", "trailing_90d") == (Decimal(str(median)), None, arrived)


def test_olist_publishes_no_comment(olist: Home) -> None:
    comments = delivered(
        olist,
        "select review_comment_message from r where length(review_comment_message) > 40 order by 1 limit 60",
        r="olist_order_reviews_dataset.csv",
    )
    assert personal_values_published(olist, *comments) == set()


# Online Retail


def test_online_retail_rows_and_money_are_accounted_for(online_retail: Home) -> None:
    assert online_retail.query(
        """
        select
            count(*), sum(records_seen), sum(records_loaded), sum(records_duplicate), sum(records_quarantined),
            round(sum(amount_seen), 2), round(sum(amount_loaded), 2), round(sum(amount_duplicate), 2)
        from ops.files
        """
    ) == [(305, 541_909, 536_641, 5_268, 0, Decimal("9747747.93"), Decimal("9726006.95"), Decimal("21740.98"))]
    published = "select count(*), sum(net_amount), sum(net_amount_base) from marts.fct_order_lines where is_revenue"
    ((rows, net),) = delivered(
        online_retail, f"select count(*), sum(quantity * price) from ({DEDUPLICATED})", lines="*.csv"
    )
    assert online_retail.query(published) == [(rows, net, net)]


def test_online_retail_cancellations_returns_and_strangers(online_retail: Home) -> None:
    expected = delivered(
        online_retail,
        f"""
        select
            count(*) filter (InvoiceNo like 'C%'), count(*) filter (quantity < 0 and InvoiceNo not like 'C%'),
            count(*) filter (CustomerID = ''), count(distinct nullif(CustomerID, '')), count(distinct StockCode)
        from ({DEDUPLICATED})
        """,
        lines="*.csv",
    )
    assert expected[0][3:] == (4_372, 4_070)
    assert (
        online_retail.query(
            """
        select
            count(*) filter (is_cancelled), count(*) filter (is_return), count(*) filter (customer_key = -1),
            count(distinct customer_id), count(distinct product_id)
        from marts.fct_order_lines
        """
        )
        == expected
    )
    assert online_retail.query("select count(*) from marts.fct_order_lines where customer_id like '%.0'") == [(0,)]


def test_online_retail_kpis_equal_a_count_on_the_files(online_retail: Home) -> None:
    ((net, orders, customers),) = delivered(
        online_retail,
        f"""
        select
            sum(quantity * price) filter (InvoiceDate like '2011-11%'),
            count(distinct InvoiceNo) filter (InvoiceDate like '2011-11%' and quantity > 0),
            count(distinct CustomerID) filter (InvoiceDate >= '2011-09-11' and quantity > 0 and CustomerID <> '')
        from ({DEDUPLICATED})
        """,
        lines="*.csv",
    )
    november = date(2011, 11, 30)
    assert kpi(online_retail, "SAL-01", "month", november)[0] == net
    assert kpi(online_retail, "SAL-03", "month", november)[1] == orders
    assert kpi(online_retail, "CUS-01", "trailing_90d")[0] == customers
