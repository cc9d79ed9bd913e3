"""The demo's truth: what its files add up to when other code reads them, and planted effects found again."""

from collections import Counter, defaultdict
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipelines.demo import Truth, load_truth
from tests.unit.demo import exports


@pytest.fixture(scope="module")
def lines(company: Truth) -> dict[tuple[str, str], dict[str, Any]]:
    return exports.order_lines_known(company.root)


def test_truth_can_be_loaded_again(company: Truth) -> None:
    assert load_truth(company.root).document == company.document


def test_final_order_lines_add_up_to_the_truth(company: Truth, lines: dict[Any, dict[str, Any]]) -> None:
    standing = [line for line in lines.values() if not line["is_deleted"]]
    revenue: defaultdict[tuple[date, str, str], list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 3)
    for line in standing:
        place = (line["business_on"], line["channel"], line["currency"])
        count, units, net = revenue[place]
        revenue[place] = [count + 1, units + line["quantity"], net + line["net"]]

    told = {
        (row["business_on"], row["channel_id"], row["currency"]): [row["lines"], row["units"], row["net"]]
        for row in company.table("net_revenue_daily").to_pylist()
    }
    assert told == revenue
    feed = company.document["feeds"]["order_lines"]
    assert feed["current"] == company.document["order_lines_current"] == len(standing)
    assert feed["withdrawn"] == len(lines) - len(standing) > 0


def test_totals_by_channel_and_currency_are_exact_text(company: Truth, lines: dict[Any, dict[str, Any]]) -> None:
    net: Counter[tuple[str, str]] = Counter()
    for line in lines.values():
        if not line["is_deleted"]:
            net[line["channel"], line["currency"]] += line["net"]
    told = {(row["channel_id"], row["currency"]): Decimal(row["net"]) for row in company.document["net_revenue"]}
    assert told == net
    assert set(told) == {("store", "EUR"), ("web", "EUR"), ("web", "GBP"), ("web", "CHF"), ("web", "USD")}


def test_revenue_in_euro_takes_the_last_rate_published_by_the_day(company: Truth) -> None:
    published = {}
    for path in sorted(company.root.glob("*/rates.csv")):
        for row in exports.sound_records(path):
            published[row["currency"], date.fromisoformat(row["day"])] = Decimal(row["euro"])
    for row in company.table("net_revenue_daily").to_pylist():
        dated = [(on, rate) for (name, on), rate in published.items() if name == row["currency"]]
        rate = (
            Decimal(1) if row["currency"] == "EUR" else max(each for each in dated if each[0] <= row["business_on"])[1]
        )
        assert row["net_eur"] == row["net"] * rate


def test_what_is_known_at_the_end_of_each_delivery_day(company: Truth) -> None:
    told = {(row["delivered_on"], row["currency"]): row for row in company.table("known_daily").to_pylist()}
    for day in exports.days(company.root)[::4]:
        on = date.fromisoformat(day.name)
        standing = [line for line in exports.order_lines_known(company.root, on).values() if not line["is_deleted"]]
        for currency in ("EUR", "GBP"):
            of_currency = [line["net"] for line in standing if line["currency"] == currency]
            assert told[on, currency]["lines"] == len(of_currency)
            assert told[on, currency]["net"] == sum(of_currency)


def test_corrections_happen_in_every_way(lines: dict[Any, dict[str, Any]], company: Truth) -> None:
    states = Counter(line["state"] for line in lines.values())
    assert all(states[state] for state in ("open", "shipped", "delivered", "cancelled", "returned"))
    assert all(line["quantity"] == line["net"] == 0 for line in lines.values() if line["state"] == "cancelled")
    assert all(line["quantity"] < 0 for line in lines.values() if line["state"] == "returned")
    told = Counter(record["key"] for day in exports.days(company.root) for record in exports.order_line_records(day))
    feed = company.document["feeds"]["order_lines"]
    again = sum(count - 1 for count in told.values()) - feed["records"]["duplicate"]
    assert feed["corrections"] == again > 0


def test_stock_rolls_forward_and_limits_sales(company: Truth) -> None:
    closing: dict[tuple[str, str], int] = {}
    for row in company.table("demand").to_pylist():
        series = (row["product_id"], row["location_id"])
        if series in closing:
            available = closing[series] + row["received_units"]
            assert row["sales_units"] == min(row["demand_units"], available)
            assert row["closing_units"] == available - row["sales_units"]
        assert row["is_censored"] == (row["sales_units"] < row["demand_units"])
        closing[series] = row["closing_units"]


def test_delivered_inventory_is_the_stock_but_for_planted_negatives(company: Truth) -> None:
    true = {(r["product_id"], r["location_id"], r["business_on"]): r for r in company.table("demand").to_pylist()}
    negative = 0
    for row in exports.inventory(company.root):
        truth = true[row["product_id"], row["location_id"], row["measured_on"]]
        assert row["quantity_issued"] == truth["sales_units"]
        assert row["quantity_received"] == truth["received_units"]
        negative += row["quantity_on_hand"] < 0
        assert row["quantity_on_hand"] in (truth["closing_units"], -3)
    assert negative == company.document["feeds"]["inventory_levels"]["planted"]["negative_stock"] == 3


def test_units_issued_are_the_units_first_ordered(company: Truth) -> None:
    """Sales of a product and day are the sum of its first records, returns apart."""
    first: dict[Any, dict[str, Any]] = {}
    for day in exports.days(company.root)[1:]:
        for record in exports.order_line_records(day):
            first.setdefault(record["key"], record)
    sold: Counter[tuple[str, date]] = Counter()
    last = exports.days(company.root)[-1]
    on = date.fromisoformat(last.name)
    for record in first.values():
        if record["business_on"] == on and record["quantity"] > 0:
            sold[record["product"], on] += int(record["quantity"])
    issued: Counter[tuple[str, date]] = Counter()
    for row in company.table("demand").to_pylist():
        if row["business_on"] == on and row["sales_units"]:
            issued[row["product_id"], on] += row["sales_units"]
    assert sold == issued


def test_purchases_by_supplier_equal_the_counts_and_follow_the_parameters(company: Truth) -> None:
    last = date.fromisoformat(company.document["ends_on"])
    lines_of: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
    for line in exports.purchase_order_lines(company.root).values():
        lines_of[line["supplier"]].append(line)

    for supplier in company.document["suppliers"]:
        lines, counts = lines_of[supplier["supplier_id"]], supplier["counts"]
        received = [line for line in lines if line["received"]]
        leads = [_day(line["received"]) - _day(line["ordered"]) for line in received]
        due = [line for line in lines if date.fromisoformat(line["promised"]) <= last]
        on_time = [line for line in due if line["received"] and line["received"][:10] <= line["promised"]]
        in_full = [line for line in due if line["received"] and int(line["qty_received"]) >= int(line["qty"])]
        otif = [line for line in on_time if line in in_full]
        assert counts["lines"] == len(lines)
        assert (counts["due"], counts["on_time"], counts["in_full"]) == (len(due), len(on_time), len(in_full))
        assert counts["otif"] == len(otif)
        assert counts["lead_days"] == sum(lead.days for lead in leads)
        assert counts["units_rejected"] == sum(int(line["qty_rejected"]) for line in lines)


def _day(stamp: str) -> date:
    return date.fromisoformat(stamp[:10])


def test_lead_times_have_the_mean_and_spread_of_the_formula(company: Truth) -> None:
    ordered_before = date.fromisoformat(company.document["ends_on"]).toordinal() - 40
    leads: defaultdict[str, list[int]] = defaultdict(list)
    for line in exports.purchase_order_lines(company.root).values():
        # Orders old enough that none is still open: the open ones are the late ones.
        if _day(line["ordered"]).toordinal() <= ordered_before:
            leads[line["supplier"]].append((_day(line["received"]) - _day(line["ordered"])).days)
    for supplier in company.document["suppliers"]:
        observed = np.array(leads[supplier["supplier_id"]])
        error = supplier["lead_days_sd"] / len(observed) ** 0.5
        assert abs(observed.mean() - supplier["lead_days_mean"]) < 4 * error


def test_late_effect_on_nps_is_found_by_regression(company: Truth, lines: dict[Any, dict[str, Any]]) -> None:
    orders = {order: line for (order, _), line in lines.items() if line["delivered_on"]}
    answers = [each for each in exports.feedback(company.root) if each["scale"] == "nps_0_10"]
    late = [max((orders[a["order"]]["delivered_on"] - orders[a["order"]]["promised_on"]).days, 0) for a in answers]
    design = np.column_stack([np.ones(len(late)), late])
    scores = np.array([each["score"] for each in answers], dtype=float)

    estimate, residuals, *_ = np.linalg.lstsq(design, scores, rcond=None)
    variance = residuals[0] / (len(late) - 2) * np.linalg.inv(design.T @ design)[1, 1]

    planted = company.document["late_orders"]["nps_points_per_late_day"]
    assert abs(estimate[1] - planted) < 3 * variance**0.5 < 0.4
    nps = company.document["nps"]
    assert nps["responses"] == len(answers)
    assert nps["promoters"] == sum(score >= 9 for score in scores)
    assert nps["detractors"] == sum(score <= 6 for score in scores)


def test_promotion_uplift_is_in_the_expected_demand(company: Truth) -> None:
    category = {row["product_id"]: row["category"] for row in company.table("products").to_pylist()}
    demand = company.table("demand").to_pylist()
    drawn = sum(row["demand_units"] for row in demand)
    expected = sum(row["expected_units"] for row in demand)
    assert abs(drawn / expected - 1) < 0.1

    change_days = {change["from"] for change in company.document["price_changes"]}
    for promotion in company.document["promotions"]:
        first = date.fromisoformat(promotion["from"])
        # The same weekday a week before, when no promotion of the group ran; prices must not have moved between.
        if any(first.toordinal() - 7 < date.fromisoformat(day).toordinal() <= first.toordinal() for day in change_days):
            continue
        by_day: Counter[date] = Counter()
        for row in demand:
            if category[row["product_id"]] == promotion["category"] and row["location_id"] == "WH1":
                by_day[row["business_on"]] += row["expected_units"]
        before = by_day[date.fromordinal(first.toordinal() - 7)]
        assert by_day[first] / before == pytest.approx(promotion["uplift"], rel=0.15)


def test_orphans_are_sold_but_not_in_the_masters(company: Truth, lines: dict[Any, dict[str, Any]]) -> None:
    products = company.table("products").to_pylist()
    (orphan,) = [row["product_id"] for row in products if not row["is_in_master"]]
    delivered = "".join(path.read_text(encoding="utf-8") for path in company.root.glob("*/products.jsonl"))
    assert orphan not in delivered
    assert orphan in {line["product"] for line in lines.values()}
    assert {row["demand_class"] for row in products} == {"smooth", "erratic", "intermittent", "lumpy"}


def test_parquet_feeds_count_what_they_hold(company: Truth) -> None:
    for feed, pattern in (("inventory_levels", "*/inventory.parquet"), ("supplier_products", "*/price_list.parquet")):
        rows = sum(pq.read_metadata(path).num_rows for path in company.root.glob(pattern))
        assert company.document["feeds"][feed]["records"]["seen"] == rows
