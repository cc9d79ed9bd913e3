"""Suppliers and stock of the demo company: the tables against its truth and against definitions in plain Python."""

import math
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from pipelines.demo import load_truth
from tests.integration.conftest import Demo, Home

PARTS = {"delivery": 0.40, "quality": 0.25, "lead_time": 0.15, "price": 0.15, "response": 0.05}


def rows(home: Home, sql: str) -> list[dict[str, Any]]:
    """Rows of a query on the pipeline's warehouse as dictionaries."""
    described = home.raw(f"describe {sql}")
    names = [column[0] for column in described]
    return [dict(zip(names, row, strict=True)) for row in home.raw(sql)]


@pytest.fixture(scope="module")
def scorecard(backfilled: Home) -> dict[str, dict[str, Any]]:
    return {row["supplier_id"]: row for row in rows(backfilled, "from reports.fct_supplier_scorecard_monthly")}


@pytest.fixture(scope="module")
def lines(backfilled: Home) -> list[dict[str, Any]]:
    return rows(backfilled, "from marts.fct_purchase_order_lines where not is_cancelled")


def test_the_month_has_one_as_of_day_the_newest(backfilled: Home, demo: Demo) -> None:
    for table in (
        "fct_supplier_scorecard_monthly",
        "fct_supplier_availability",
        "rpt_supplier_choice",
        "rpt_spend_cube",
        "rpt_spend_concentration",
        "rpt_sourcing_gaps",
        "rpt_price_variance",
        "rpt_lead_times",
        "rpt_inventory_rollforward",
        "rpt_inventory_health",
        "rpt_excess_obsolete",
    ):
        days = backfilled.query(f"select distinct month_start_on, as_of from reports.{table}")
        assert days == [(demo.days[-1].replace(day=1), demo.days[-1])], table


def test_the_scorecard_counts_what_the_generator_did(scorecard: dict[str, dict[str, Any]], demo: Demo) -> None:
    """The whole history lies inside the window. The clock of the lead time starts a day after the order."""
    truth = load_truth(demo.landing).document["suppliers"]
    assert set(scorecard) == {supplier["supplier_id"] for supplier in truth}
    for supplier in truth:
        row, counts = scorecard[supplier["supplier_id"]], supplier["counts"]
        assert row["lines_due"] == counts["due"]
        assert row["lines_otif_first"] == counts["otif"]
        assert row["lines_received"] == counts["received_lines"]
        assert row["units_received"] == counts["units_received"]
        assert row["units_rejected"] == counts["units_rejected"]
        days = counts["lead_days"] - counts["received_lines"]
        assert row["lead_time_mean_days"] == pytest.approx(days / counts["received_lines"], abs=1e-6)


def test_promises_that_move_to_the_day_of_delivery_look_kept(scorecard: dict[str, dict[str, Any]]) -> None:
    """The demo's suppliers promise late lines anew, so only short ones fail the last promise."""
    for row in scorecard.values():
        assert row["lines_otif_last"] >= row["lines_otif_first"]
    assert sum(row["lines_otif_last"] - row["lines_otif_first"] for row in scorecard.values()) > 0


def prior(counts: list[int], rates: list[float]) -> tuple[float, float]:
    """Kleinman's moments in plain Python: the average and how many observations it weighs."""
    total = sum(counts)
    weights = [count / total for count in counts]
    mean = sum(weight * rate for weight, rate in zip(weights, rates, strict=True))
    spread = sum(weight * (rate - mean) ** 2 for weight, rate in zip(weights, rates, strict=True))
    room = sum(weight * (1 - weight) for weight in weights)
    chance = sum(weight * (1 - weight) / count for weight, count in zip(weights, counts, strict=True))
    correlation = (spread - mean * (1 - mean) * chance) / (mean * (1 - mean) * (room - chance))
    return mean, min(max((1 - correlation) / correlation, 4), 200) if correlation > 0 else 200


def test_scores_are_the_weighted_parts_of_shrunken_rates(scorecard: dict[str, dict[str, Any]]) -> None:
    suppliers = list(scorecard.values())
    due = [row["lines_due"] for row in suppliers]
    otif, otif_lines = prior(due, [row["lines_otif_first"] / row["lines_due"] for row in suppliers])
    rejected, rejected_lines = prior(
        [row["lines_received"] for row in suppliers],
        [float(row["units_rejected"] / row["units_received"]) for row in suppliers],
    )
    for row in suppliers:
        kept = (row["lines_otif_first"] + otif_lines * otif) / (row["lines_due"] + otif_lines)
        share = float(row["units_rejected"] / row["units_received"])
        bad = (row["lines_received"] * share + rejected_lines * rejected) / (row["lines_received"] + rejected_lines)
        points = {
            "delivery": 100 * kept,
            "quality": 100 * (1 - min(bad / 0.05, 1)),
            "lead_time": 100 * (1 - min(row["lead_time_cv"], 1)) if row["lines_received"] >= 10 else None,
            "price": 100 * (1 - min(max(float(row["price_variance_base"] / row["contract_base"]), 0) / 0.10, 1)),
            "response": 100 * (1 - row["days_to_confirm"] / 7),
        }
        known = {part: value for part, value in points.items() if value is not None}
        weight = sum(PARTS[part] for part in known)
        score = sum(PARTS[part] * value for part, value in known.items()) / weight
        assert row["otif_shrunken"] == pytest.approx(kept, abs=2e-6)
        assert row["score"] == pytest.approx(score, abs=2e-3)
        assert row["weight_known"] == pytest.approx(weight)


def test_ranks_follow_the_lower_bound_and_few_lines_have_none(scorecard: dict[str, dict[str, Any]]) -> None:
    ranked = sorted((row for row in scorecard.values() if row["supplier_rank"]), key=lambda row: row["supplier_rank"])
    assert [row["supplier_rank"] for row in ranked] == list(range(1, len(ranked) + 1))
    bounds = [row["score_low"] for row in ranked]
    assert bounds == sorted(bounds, reverse=True)
    assert all(row["lines_due"] >= 20 for row in ranked)
    assert all(row["grade"] is None for row in scorecard.values() if row["lines_due"] < 20)


def kaplan_meier(events: list[tuple[int, bool]], share: float) -> int | None:
    """Days by which `share` of the lines came; events are (days, came)."""
    remaining = 1.0
    for day in sorted({day for day, _ in events}):
        waiting = sum(other >= day for other, _ in events)
        remaining *= 1 - sum(came for other, came in events if other == day) / waiting
        if remaining <= 1 - share + 1e-9:
            return day
    return None


def test_percentiles_of_lead_times_count_the_open_late_lines(
    scorecard: dict[str, dict[str, Any]], lines: list[dict[str, Any]], demo: Demo
) -> None:
    as_of = demo.days[-1]
    events: dict[str, list[tuple[int, bool]]] = defaultdict(list)
    for line in lines:
        start = line["confirmed_on"] or line["ordered_on"]
        if line["received_on"]:
            events[line["supplier_id"]].append(((line["received_on"] - start).days, True))
        elif line["promised_on"] <= as_of:
            events[line["supplier_id"]].append(((as_of - start).days, False))
    assert any(not came for supplier in events.values() for _, came in supplier)
    for supplier_id, row in scorecard.items():
        assert row["lead_time_p50_days"] == kaplan_meier(events[supplier_id], 0.5)
        assert row["lead_time_p90_days"] == kaplan_meier(events[supplier_id], 0.9)
        assert row["lines_open_late"] == sum(not came for _, came in events[supplier_id])


def test_spend_is_the_same_in_every_table(backfilled: Home, scorecard: dict[str, dict[str, Any]]) -> None:
    """Each sums the same amounts; the marts round every line to four decimals, the reports their sums."""
    ((booked,),) = backfilled.query(
        "select sum(ordered_amount_base) from marts.fct_purchase_order_lines where not is_cancelled"
    )
    sums = {
        "scorecard": sum(row["spend_base"] for row in scorecard.values()),
        **{
            table: backfilled.query(f"select sum(spend_base) from reports.{table} {where}")[0][0]
            for table, where in (
                ("rpt_spend_cube", ""),
                ("rpt_spend_concentration", "where segment_type = 'all'"),
                ("rpt_sourcing_gaps", ""),
                ("rpt_price_variance", ""),
            )
        },
    }
    assert booked > 1000
    for table, total in sums.items():
        assert float(total) == pytest.approx(float(booked), abs=0.1), table


def test_concentration_is_the_sum_of_squared_shares(backfilled: Home, scorecard: dict[str, dict[str, Any]]) -> None:
    spend = [float(row["spend_base"]) for row in scorecard.values() if row["spend_base"]]
    ((hhi, largest),) = backfilled.query(
        "select hhi, largest_share from reports.rpt_spend_concentration where segment_type = 'all'"
    )
    assert hhi == pytest.approx(sum((amount / sum(spend)) ** 2 for amount in spend), abs=2e-6)
    assert largest == pytest.approx(max(spend) / sum(spend), abs=2e-6)


def test_availability_lists_every_line_still_to_come(backfilled: Home, lines: list[dict[str, Any]], demo: Demo) -> None:
    as_of = demo.days[-1]
    expected = {
        (line["po_id"], line["line_no"]): max((as_of - line["promised_on"]).days, 0)
        for line in lines
        if not line["received_on"]
    }
    listed = backfilled.query("select po_id, line_no, days_past_promise from reports.fct_supplier_availability")
    assert {(po_id, line_no): late for po_id, line_no, late in listed} == expected
    assert any(expected.values())


def test_lead_time_buckets_hold_every_receipt_once(backfilled: Home, scorecard: dict[str, dict[str, Any]]) -> None:
    held = backfilled.query(
        "select supplier_id, sum(lines_received), sum(lines_still_open), max(cumulative_share) "
        "from reports.rpt_lead_times group by all"
    )
    assert {row[0]: row[1:] for row in held} == {
        supplier_id: (row["lines_received"], row["lines_open_late"], 1.0)
        for supplier_id, row in scorecard.items()
        if row["lines_received"]
    }


def costs(home: Home) -> Iterator[dict[str, Any]]:
    yield from rows(home, "from reports.rpt_supplier_choice order by product_id, supplier_rank nulls last")


def test_a_unit_costs_its_price_and_what_comes_with_it(backfilled: Home) -> None:
    offers = list(costs(backfilled))
    assert len({offer["product_id"] for offer in offers}) < len(offers), "no product has two offers"
    for offer in offers:
        price = float(offer["unit_price_base"])
        holding = price * 0.25 / 365 * (offer["planned_lead_time_days"] + 7)
        late = price * 0.05 * (1 - offer["otif_shrunken"])
        defects = price * 0.5 * offer["rejected_share_shrunken"]
        assert offer["unit_total_cost_base"] == pytest.approx(price + holding + late + defects, abs=2e-5)
    for product_id in {offer["product_id"] for offer in offers}:
        ranked = [offer for offer in offers if offer["product_id"] == product_id]
        assert [offer["supplier_rank"] for offer in ranked] == list(range(1, len(ranked) + 1))
        totals = [offer["unit_total_cost_base"] for offer in ranked]
        assert totals == sorted(totals)
        assert ranked[-1]["above_cheapest"] == pytest.approx(totals[-1] / totals[0] - 1, abs=2e-6)


def test_lead_time_variation_is_that_of_the_receipts(backfilled: Home, lines: list[dict[str, Any]], demo: Demo) -> None:
    first = demo.days[-1] - timedelta(364)
    days = [
        (line["received_on"] - (line["confirmed_on"] or line["ordered_on"])).days
        for line in lines
        if line["received_on"] and line["received_on"] >= first
    ]
    mean = sum(days) / len(days)
    deviation = math.sqrt(sum((day - mean) ** 2 for day in days) / (len(days) - 1))
    ((value,),) = backfilled.query(
        "select value from reports.fct_kpi_values where kpi_id = 'SUP-03' and segment_type = 'all' "
        "and period_grain = 'trailing_365d' and as_of = (select max(as_of) from reports.fct_kpi_values)"
    )
    assert value == pytest.approx(deviation / mean, abs=1e-6)


# Stock


@pytest.fixture(scope="module")
def health(backfilled: Home) -> dict[tuple[str, str], dict[str, Any]]:
    stock = rows(backfilled, "from reports.rpt_inventory_health")
    return {(row["product_id"], row["location_id"]): row for row in stock}


@pytest.fixture(scope="module")
def counts(backfilled: Home, demo: Demo) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """The counts of the 365 days up to the last day, oldest first, per product and location."""
    first = demo.days[-1] - timedelta(364)
    series = defaultdict(list)
    for row in rows(backfilled, "from marts.fct_inventory_snapshot_daily order by measured_on"):
        if row["measured_on"] >= first:
            series[row["product_id"], row["location_id"]].append(row)
    return series


def test_stock_rolls_forward_but_where_a_count_was_spoiled(backfilled: Home, demo: Demo) -> None:
    """In the generated company close = open + received - issued, always. What does not close is a planted count."""
    kept = {
        (row["product_id"], row["location_id"], row["business_on"]): row["closing_units"]
        for row in load_truth(demo.landing).table("demand").to_pylist()
    }
    spoiled = {
        (product_id, location_id)
        for product_id, location_id, day, quantity in backfilled.query(
            "select product_id, location_id, measured_on, quantity_on_hand from marts.fct_inventory_snapshot_daily"
        )
        if quantity != kept[product_id, location_id, day]
    }
    rolled = rows(backfilled, "from reports.rpt_inventory_rollforward")
    assert {(row["product_id"], row["location_id"]) for row in rolled if row["days_with_gap"]} == spoiled
    assert sum(row["days_checked"] for row in rolled) > 1000
    for row in rolled:
        if row["is_closed"] is not None:
            assert row["is_closed"] == (row["quantity_unexplained"] == 0)


def test_stock_is_what_was_kept_and_issued(
    health: dict[tuple[str, str], dict[str, Any]], counts: dict[tuple[str, str], list[dict[str, Any]]]
) -> None:
    assert set(health) == set(counts)
    for series, row in health.items():
        held = counts[series]
        assert (row["measured_on"], row["quantity_on_hand"]) == (held[-1]["measured_on"], held[-1]["quantity_on_hand"])
        assert row["days_counted_365d"] == len(held)
        assert row["quantity_issued_365d"] == sum(count["quantity_issued"] for count in held)
        last = held[-1]["measured_on"] - timedelta(27)
        assert row["stockout_days_28d"] == sum(count["is_stockout"] for count in held if count["measured_on"] >= last)
        value = sum(max(count["quantity_on_hand"], 0) * count["unit_cost"] for count in held)
        assert float(row["average_value_base"]) == pytest.approx(float(value) / len(held), abs=1e-3)


def test_what_is_too_much_is_what_no_demand_will_use(health: dict[tuple[str, str], dict[str, Any]]) -> None:
    for row in health.values():
        bound = max(row["daily_demand"] * 180, float(row["quantity_issued_365d"]) / 365 * 180, row["policy_quantity"])
        stock = max(float(row["quantity_on_hand"]), 0)
        if row["demand_basis"] != "none":
            assert float(row["excess_quantity"]) == pytest.approx(max(stock - bound, 0), abs=2e-3)
        if row["is_obsolete"]:
            assert row["quantity_issued_365d"] == row["quantity_demanded_365d"] == row["quantity_bought_365d"] == 0
    assert any(row["excess_quantity"] for row in health.values())


def test_excess_and_obsolete_are_the_kpi(backfilled: Home) -> None:
    newest = "as_of = (select max(as_of) from reports.fct_kpi_values)"
    ((numerator, denominator),) = backfilled.query(
        "select numerator, denominator from reports.fct_kpi_values "
        f"where kpi_id = 'INV-05' and segment_type = 'all' and {newest}"
    )
    assert backfilled.query("select sum(value_at_stake_base) from reports.rpt_excess_obsolete") == [(numerator,)]
    assert backfilled.query("select sum(inventory_value_base) from reports.rpt_inventory_health") == [(denominator,)]


def test_turns_are_a_years_cost_over_average_stock(
    backfilled: Home, counts: dict[tuple[str, str], list[dict[str, Any]]], demo: Demo
) -> None:
    as_of = demo.days[-1]
    values: dict[Any, float] = defaultdict(float)
    for series in counts.values():
        for count in series:
            values[count["measured_on"]] += float(max(count["quantity_on_hand"], 0) * count["unit_cost"])
    average = sum(values.values()) / len(values)
    cost, margin = (
        float(amount)
        for amount in backfilled.query(
            """
            select sum(cost_amount * rate_to_base), sum((net_amount - cost_amount) * rate_to_base)
            from marts.fct_order_lines where is_revenue and not is_rate_missing and ordered_on between $first and $last
            """,
            {"first": min(values), "last": as_of},
        )[0]
    )
    year = 365 / ((as_of - min(values)).days + 1)
    found = dict(
        backfilled.query(
            "select kpi_id, value from reports.fct_kpi_values where kpi_id in ('INV-01', 'INV-02B', 'INV-06') "
            "and as_of = (select max(as_of) from reports.fct_kpi_values)"
        )
    )
    assert found["INV-01"] == pytest.approx(cost * year / average, rel=1e-6)
    assert found["INV-02B"] == pytest.approx(365 / found["INV-01"], rel=1e-6)
    assert found["INV-06"] == pytest.approx(margin * year / average, rel=1e-6)
