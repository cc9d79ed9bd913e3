"""The volume rules against hand-computed bands: median of the weekday, give or take 30 % or three median deviations."""

from datetime import date, timedelta

import pytest
from deliveries import deliver

from pipelines.quality.checks import run_checks
from pipelines.quality.measures import measure
from pipelines.quality.raw_suites import raw_suites
from pipelines.resources import Warehouse
from pipelines.sources.contracts import contract

MONDAY = date(2026, 3, 9)
FEED = contract("suppliers")
VOLUME = raw_suites("suppliers")[2]


def deliver_mondays(warehouse: Warehouse, counts: list[int], rows: int = 0) -> None:
    """So many rows on the Mondays before, the last of them a week ago, and `rows` on the Monday itself."""
    with warehouse.write() as connection:
        connection.begin()
        for weeks_ago, count in enumerate(reversed(counts), start=1):
            if count:
                deliver(connection, FEED, MONDAY - timedelta(days=7 * weeks_ago), count)
        if rows:
            deliver(connection, FEED, MONDAY, rows)
        connection.commit()


# Deviations from 10 are 0 0 2 2 0 0 4 0, their median 0: the band is 30 %, from 7 to 13.
STEADY = [10, 10, 12, 8, 10, 10, 14, 10]
# The median is 15 and every deviation 5: three times that is more than 30 %, so the band reaches from 0 to 30.
UNSTEADY = [10, 20, 10, 20, 10, 20, 10, 20]


@pytest.mark.parametrize(("counts", "band"), [(STEADY, (7, 13)), (UNSTEADY, (0, 30)), ([9, *STEADY], (7, 13))])
def test_band_of_usual_rows(warehouse: Warehouse, counts: list[int], band: tuple[float, float]) -> None:
    deliver_mondays(warehouse, counts, rows=1)
    with warehouse.read() as connection:
        [row] = measure(connection, VOLUME, [MONDAY]).to_dict("records")
    assert (row["volume_not_low_floor"], row["volume_not_high_value"]) == band
    assert row["volume_not_low_value"] == 1


@pytest.mark.parametrize(
    ("rows", "failed"),
    [(7, set()), (13, set()), (6, {"volume_not_low"}), (14, {"volume_not_high"}), (0, {"volume_not_low"})],
)
def test_days_outside_the_band_are_warned_of(warehouse: Warehouse, rows: int, failed: set[str]) -> None:
    deliver_mondays(warehouse, STEADY, rows)
    outcomes = [each for each in run_checks(warehouse, "raw", [MONDAY], run_id=None) if each.asset == FEED.table]
    assert {each.check_name for each in outcomes if not each.passed} == failed
    assert not any(each.is_blocking for each in outcomes if each.check_name.startswith("volume"))
    if failed:
        wanted = f"{rows}, at least 7 wanted" if rows < 7 else f"13, at least {rows} wanted"
        assert next(each.observed for each in outcomes if not each.passed) == wanted


@pytest.mark.parametrize("counts", [[], [10, 10, 10]])
def test_a_young_feed_is_not_compared(warehouse: Warehouse, counts: list[int]) -> None:
    deliver_mondays(warehouse, counts, rows=1)
    outcomes = run_checks(warehouse, "raw", [MONDAY], run_id=None)
    assert [each.check_name for each in outcomes if not each.passed] == []


def test_weeks_without_a_delivery_count_as_none(warehouse: Warehouse) -> None:
    """Four of eight Mondays brought nothing: the median of 10 0 10 0 10 0 10 0 is 5, the deviation 5."""
    deliver_mondays(warehouse, [10, 0, 10, 0, 10, 0, 10, 0], rows=20)
    with warehouse.read() as connection:
        [row] = measure(connection, VOLUME, [MONDAY]).to_dict("records")
    assert (row["volume_not_low_floor"], row["volume_not_high_value"]) == (-10, 20)
