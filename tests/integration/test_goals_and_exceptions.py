"""Goals and the list of the night of the demo company, against the plan its generator wrote and the stock it kept."""

from collections import defaultdict
from datetime import date, timedelta
from typing import Any

import pytest

from pipelines.demo import load_truth
from pipelines.demo.goals import CHANGED, GOALS
from tests.integration.conftest import Demo, Home
from tests.integration.test_supply_tables import rows

Series = tuple[str, str]


@pytest.fixture(scope="module")
def scale(demo: Demo) -> float:
    size: float = load_truth(demo.landing).document["arguments"]["scale"]
    return size


@pytest.fixture(scope="module")
def goals(backfilled: Home) -> list[dict[str, Any]]:
    return rows(backfilled, "from reports.rpt_goal_progress where not is_default_target")


@pytest.fixture(scope="module")
def listed(backfilled: Home) -> list[dict[str, Any]]:
    return rows(backfilled, "from reports.rpt_exceptions")


@pytest.fixture(scope="module")
def stock(backfilled: Home) -> dict[Series, list[dict[str, Any]]]:
    """The counts of each product and location, oldest first."""
    series = defaultdict(list)
    for row in rows(backfilled, "from marts.fct_inventory_snapshot_daily order by measured_on"):
        series[row["product_id"], row["location_id"]].append(row)
    return series


def test_every_night_has_the_goals_of_the_plan(goals: list[dict[str, Any]], demo: Demo, scale: float) -> None:
    """June's goal is raised half-way: until then the old one holds, in the same table, for ever."""
    key = ("kpi_id", "segment_value", "period_start", "period_end")
    told = {(row["as_of"], *(row[name] for name in key)): row for row in goals}
    assert len(told) == len(goals) == len(GOALS) * len(demo.days)
    raised = set()
    for goal in GOALS:
        amount = scale if goal.is_amount else 1
        for day in demo.days:
            row = told[day, goal.kpi, goal.channel or "all", goal.first_on, goal.last_on]
            if row["target_value"] != pytest.approx(goal.target * amount):
                assert (goal.kpi, goal.first_on, goal.last_on) == (CHANGED.kpi, CHANGED.first_on, CHANGED.last_on)
                assert row["target_value"] == pytest.approx(CHANGED.target * amount)
                raised.add(day)
            assert row["owner"] == goal.owner
            assert (row["lower_value"], row["upper_value"]) == (goal.at_least, goal.at_most)
    assert raised == {day for day in demo.days if day >= min(raised)}
    assert 0 < len(raised) < len(demo.days)


def test_a_sum_to_date_is_what_the_generator_booked(goals: list[dict[str, Any]], demo: Demo) -> None:
    """On the last day everything that was sold is known but what is sold after it."""
    booked = load_truth(demo.landing).table("net_revenue_daily").to_pandas()
    today = demo.days[-1]
    sums = [row for row in goals if row["kpi_id"] == "SAL-01" and row["as_of"] == today]
    assert len(sums) == 5
    for row in sums:
        days = booked[(booked["business_on"] >= row["period_start"]) & (booked["business_on"] <= today)]
        if row["segment_type"] == "channel_id":
            days = days[days["channel_id"] == row["segment_value"]]
        assert row["actual_value"] == pytest.approx(float(days["net_eur"].sum()), abs=0.05)


def test_a_status_follows_from_its_shortfall(goals: list[dict[str, Any]]) -> None:
    seen = set()
    for row in goals:
        short, target, status = row["shortfall"], row["target_value"], row["status"]
        seen.add(status)
        if status in ("on_track", "at_risk", "off_track"):
            assert status == ("on_track" if short <= 0 else "at_risk" if short <= 0.05 * target + 1e-9 else "off_track")
    assert len(seen) >= 3


def test_an_empty_shelf_is_on_the_list_since_the_day_it_emptied(
    listed: list[dict[str, Any]], stock: dict[Series, list[dict[str, Any]]], demo: Demo
) -> None:
    """Nothing available by the newest count, and somebody bought it in four weeks: all of those and no other."""
    today = demo.days[-1]
    told = {
        tuple(row["entity_id"].split(" @ ")): row
        for row in listed
        if row["exception_type"] == "stock_out" and row["as_of"] == today
    }
    sold = defaultdict(int)
    for row in load_truth(demo.landing).table("demand").to_pylist():
        if row["business_on"] > today - timedelta(days=28):
            sold[row["product_id"], row["location_id"]] += row["sales_units"]
    empty = {
        series: counts
        for series, counts in stock.items()
        if counts[-1]["is_stockout"] and counts[-1]["measured_on"] > today - timedelta(days=7)
    }
    assert set(told) <= set(empty)
    # Sales that were cancelled later are sold by the books and wanted by nobody.
    assert len({series for series in empty if sold[series] > 0} - set(told)) <= 1
    assert told
    for series, row in told.items():
        full = [count["measured_on"] for count in stock[series] if not count["is_stockout"]]
        begun = min(count["measured_on"] for count in stock[series] if not full or count["measured_on"] > max(full))
        assert row["first_seen_on"] == begun
        assert row["nights_open"] == (today - begun).days + 1
        assert row["severity"] == "critical"


def test_excess_is_that_of_the_stock_table(backfilled: Home, listed: list[dict[str, Any]], demo: Demo) -> None:
    today = demo.days[-1]
    told = {
        row["entity_id"]: row["value_at_stake_base"]
        for row in listed
        if row["exception_type"] == "excess_stock" and row["as_of"] == today
    }
    health = rows(
        backfilled,
        "select product_id || ' @ ' || location_id as entity_id, excess_value_base + obsolete_value_base as at_stake "
        "from reports.rpt_inventory_health where excess_value_base + obsolete_value_base > 0 order by 2 desc, 1",
    )
    assert told
    assert told == {row["entity_id"]: row["at_stake"] for row in health[:25]}


def test_late_suppliers_are_on_the_list_with_what_they_owe(
    backfilled: Home, listed: list[dict[str, Any]], demo: Demo
) -> None:
    today = demo.days[-1]
    owed: dict[str, list[tuple[date, Any]]] = defaultdict(list)
    for line in rows(backfilled, "from marts.fct_purchase_order_lines where not is_cancelled and received_on is null"):
        if line["promised_on"] < today:
            owed[line["supplier_id"]].append((line["promised_on"], line["ordered_amount_base"]))
    told = {
        row["entity_id"]: row
        for row in listed
        if row["exception_type"] == "late_purchase_orders" and row["as_of"] == today
    }
    assert set(told) == set(owed) != set()
    for supplier, lines in owed.items():
        row = told[supplier]
        assert float(row["value_at_stake_base"]) == pytest.approx(float(sum(amount for _, amount in lines)), abs=0.01)
        assert row["first_seen_on"] == min(day for day, _ in lines) + timedelta(days=1)
        assert row["title"] == f"Supplier {supplier}: {len(lines)} order lines past their promise"


def test_the_supplier_that_is_late_by_design_keeps_fewest_promises(backfilled: Home, demo: Demo) -> None:
    suppliers = load_truth(demo.landing).document["suppliers"]
    latest = max(suppliers, key=lambda supplier: float(supplier["late_share"]))["supplier_id"]
    kept = rows(backfilled, "from reports.fct_supplier_scorecard_monthly")
    assert min(kept, key=lambda row: float(row["otif_first"]))["supplier_id"] == latest


def test_a_night_lists_each_thing_once_and_the_dearest_first(listed: list[dict[str, Any]], demo: Demo) -> None:
    assert {row["as_of"] for row in listed} == set(demo.days)
    for day in demo.days:
        night = sorted((row for row in listed if row["as_of"] == day), key=lambda row: row["value_rank"])
        assert [row["value_rank"] for row in night] == list(range(1, len(night) + 1))
        things = [(row["exception_type"], row["entity_type"], row["entity_id"], row["kpi_id"]) for row in night]
        assert len(set(things)) == len(things) <= night[0]["exceptions_tonight"]
        worth = [row["value_at_stake_base"] or 0 for row in night]
        assert worth == sorted(worth, reverse=True)
