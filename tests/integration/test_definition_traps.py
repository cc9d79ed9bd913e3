"""The traps of KPI definitions, one test each, on the demo company: what a figure must not be defines it too.

The other side of each comparison is the generator's truth, or a plain query on the facts that shares nothing with the
KPI models.
"""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from pipelines.demo import load_truth
from tests.integration.conftest import Demo, Home


def kpi(home: Home, kpi_id: str, grain: str, segment: str = "all") -> list[dict[str, Any]]:
    """The values of a KPI as of the newest day, of one grain and kind of segment."""
    columns = ("period_start", "period_end", "segment_value", "value", "numerator", "denominator", "n", "low", "high")
    rows = home.query(
        """
        select period_start, period_end, segment_value, value, numerator, denominator, n, ci_low, ci_high
        from reports.fct_kpi_values
        where kpi_id = $kpi_id and period_grain = $grain and segment_type = $segment
            and as_of = (select max(as_of) from reports.fct_kpi_values)
        order by all
        """,
        {"kpi_id": kpi_id, "grain": grain, "segment": segment},
    )
    return [dict(zip(columns, row, strict=True)) for row in rows]


def only(home: Home, kpi_id: str, grain: str) -> dict[str, Any]:
    (row,) = kpi(home, kpi_id, grain)
    return row


@pytest.mark.parametrize("grain", ["day", "week", "month", "month_to_date", "quarter_to_date", "year_to_date"])
def test_money_is_worth_what_it_was_on_the_day_and_refunds_count_when_they_are_paid(
    backfilled: Home, demo: Demo, grain: str
) -> None:
    books = load_truth(demo.landing).table("net_revenue_daily").to_pylist()
    values = kpi(backfilled, "SAL-01", grain)
    assert values
    for value in values:
        expected = sum(
            (row["net_eur"] for row in books if value["period_start"] <= row["business_on"] <= value["period_end"]),
            Decimal(0),
        )
        assert abs(value["numerator"] - expected) < Decimal("0.01"), value


def test_segments_of_a_sum_add_up_to_it(backfilled: Home) -> None:
    total = only(backfilled, "SAL-01", "month_to_date")
    parts = kpi(backfilled, "SAL-01", "month_to_date", "channel_id")
    assert len(parts) > 1
    assert sum(part["numerator"] for part in parts) == total["numerator"]


def test_a_margin_of_segments_is_no_mean_of_margins(backfilled: Home) -> None:
    total = only(backfilled, "SAL-02", "month_to_date")
    parts = kpi(backfilled, "SAL-02", "month_to_date", "channel_id")
    again = sum(part["numerator"] for part in parts) / sum(part["denominator"] for part in parts)
    assert total["value"] == pytest.approx(float(again))


def test_otif_counts_lines_due_and_open_ones_as_failures(backfilled: Home, demo: Demo) -> None:
    suppliers = {each["supplier_id"]: each["counts"] for each in load_truth(demo.landing).document["suppliers"]}
    expected = [(name, counts["otif"], counts["due"]) for name, counts in sorted(suppliers.items()) if counts["due"]]
    found = kpi(backfilled, "SUP-01", "trailing_365d", "supplier_id")
    assert sorted((row["segment_value"], row["numerator"], row["denominator"]) for row in found) == expected


def test_defects_are_units_over_units_not_a_mean_of_lines(backfilled: Home, demo: Demo) -> None:
    counts = [each["counts"] for each in load_truth(demo.landing).document["suppliers"]]
    value = only(backfilled, "SUP-04", "trailing_365d")
    rejected, received = (sum(each[name] for each in counts) for name in ("units_rejected", "units_received"))
    assert (value["numerator"], value["denominator"]) == (rejected * 1_000_000, received)


def test_scores_of_segments_combine_by_their_counts(backfilled: Home) -> None:
    total = only(backfilled, "FBK-01", "trailing_90d")
    parts = kpi(backfilled, "FBK-01", "trailing_90d", "feedback_channel")
    assert sum(part["numerator"] for part in parts) == total["numerator"]
    assert sum(part["n"] for part in parts) == total["n"]
    ((promoters, detractors, answers),) = backfilled.query(
        """
        select count(*) filter (score >= 9), count(*) filter (score <= 6), count(*)
        from marts.fct_feedback
        where scale = 'nps_0_10' and score between 0 and 10 and submitted_on between $start and $end
        """,
        {"start": total["period_start"], "end": total["period_end"]},
    )
    assert (total["numerator"], total["n"]) == (100 * (promoters - detractors), answers)
    assert total["low"] < total["value"] < total["high"]


def test_stock_of_several_days_is_not_added(backfilled: Home) -> None:
    value = only(backfilled, "INV-02", "as_of")
    ((newest, all_days),) = backfilled.query(
        """
        select
            sum(greatest(quantity_on_hand, 0)) filter (recency = 1), sum(greatest(quantity_on_hand, 0))
        from (
            select *, row_number() over (partition by product_id, location_id order by measured_on desc) as recency
            from marts.fct_inventory_snapshot_daily
        )
        """
    )
    assert 0 < value["numerator"] <= newest < all_days


def test_growth_without_a_comparable_year_is_null_and_says_so(backfilled: Home) -> None:
    rows = backfilled.query(
        "select value, is_insufficient_data, denominator from reports.fct_kpi_values where kpi_id = 'SAL-04'"
    )
    assert set(rows) == {(None, True, Decimal(0))}


def test_returns_wait_until_their_sale_is_ninety_days_old(backfilled: Home, demo: Demo) -> None:
    matured = demo.days[-1] - timedelta(days=90)
    ends = [
        row["period_end"] for grain in ("month", "quarter", "trailing_365d") for row in kpi(backfilled, "SAL-05", grain)
    ]
    assert all(end <= matured for end in ends)


def test_forecast_error_is_a_ratio_of_sums_and_bias_is_forecast_less_actual(backfilled: Home) -> None:
    ((error, bias, actual),) = backfilled.query(
        """
        select sum(abs_error_quantity), sum(forecast_quantity - actual_quantity), sum(actual_quantity)
        from ml.forecast_accuracy
        where model = 'selected' and as_of = (select max(as_of) from ml.forecast_accuracy)
        """
    )
    assert only(backfilled, "FCS-01", "trailing_28d")["value"] == pytest.approx(float(error / actual))
    assert only(backfilled, "FCS-02", "trailing_28d")["value"] == pytest.approx(float(bias / actual))


def test_few_observations_are_called_so(backfilled: Home) -> None:
    rows = backfilled.query(
        "select n, min_n, is_insufficient_data from reports.fct_kpi_values join reports.dim_kpis using (kpi_id)"
    )
    assert {n < least for n, least, _ in rows} == {True, False}
    assert all((n < least) == is_insufficient for n, least, is_insufficient in rows)


def test_the_interval_of_a_ratio_is_that_of_a_bootstrap(backfilled: Home) -> None:
    """Of the average order value of a month: orders drawn again with Poisson weights, 4,000 times."""
    value = only(backfilled, "SAL-03", "month_to_date")
    orders = np.array(
        backfilled.query(
            """
            select sum(net_amount_base)::double, (sum((quantity > 0)::int) > 0)::double
            from marts.fct_order_lines
            where is_revenue and not is_rate_missing and ordered_on between $start and $end
            group by order_id, ordered_on, currency, channel_id order by all
            """,
            {"start": value["period_start"], "end": value["period_end"]},
        )
    )
    weights = np.random.default_rng(20260101).poisson(1.0, (4_000, len(orders)))
    sums = weights @ orders
    low, high = np.quantile(sums[:, 0] / sums[:, 1], [0.025, 0.975])
    width = high - low
    assert value["low"] == pytest.approx(low, abs=0.15 * width)
    assert value["high"] == pytest.approx(high, abs=0.15 * width)


def test_values_by_day_that_go_further_back_are_those_of_the_ledger(backfilled: Home) -> None:
    """Goals and control limits rest on a table of their own, of more days than the ledger keeps."""
    differing = backfilled.raw(
        """
        select * from (
            select kpi_id, segment_type, segment_value, period_start as business_on, numerator, denominator, n
            from reports.fct_kpi_values
            where period_grain = 'day' and kpi_id in ('SAL-01', 'SAL-02', 'SAL-06')
                and segment_type in ('all', 'channel_id') and as_of = (select max(as_of) from reports.fct_kpi_values)
        ) as ledger
        left join kpis.known_daily_values as further
            on further.as_of = (select max(as_of) from reports.fct_kpi_values)
            and ledger.kpi_id = further.kpi_id and ledger.segment_type = further.segment_type
            and ledger.segment_value = further.segment_value and ledger.business_on = further.business_on
        where further.numerator is distinct from ledger.numerator
            or further.denominator is distinct from ledger.denominator or further.n is distinct from ledger.n
        """
    )
    assert differing == []
    (compared,) = backfilled.raw("select count(distinct kpi_id) from kpis.known_daily_values")
    assert compared == (4,)
