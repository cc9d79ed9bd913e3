"""The volume rules against hand-computed bands around the median of the weekday."""

from datetime import date, timedelta

import pytest

from pipelines.quality.checks import run_checks
from pipelines.quality.measures import measure
from pipelines.quality.raw_suites import raw_suites
from pipelines.quality.versions import stamp_versions
from pipelines.resources import Warehouse

MONDAY = date(2026, 3, 9)
TABLE = "raw.suppliers"
VOLUME = raw_suites("suppliers")[2]


def deliver_mondays(warehouse: Warehouse, counts: list[int], rows: int) -> None:
    """So many rows on the Mondays before, the last of them a week ago, and `rows` on the Monday itself."""
    with warehouse.write() as connection:
        for weeks_ago, count in enumerate(reversed([*counts, rows])):
            connection.execute(
                """
                insert into raw.suppliers by name
                select cast(n as varchar) as supplier_id, 'x' as supplier_name, 'file' as _file_id, n as _record_no,
                    cast($day as date) as _delivered_on
                from range($count) as records(n)
                """,
                {"day": MONDAY - timedelta(days=7 * weeks_ago), "count": count},
            )
        stamp_versions(connection, [TABLE], [MONDAY], "run")


# The median is 200. Deviations are 0 0 20 20 0 0 40 0, their median 0; 30 % is 60, three roots are 42: 140 to 260.
STEADY = [200, 200, 220, 180, 200, 200, 240, 200]
# The median is 150, every deviation 50, and three of them more than 30 % or three roots: 0 to 300.
UNSTEADY = [100, 200, 100, 200, 100, 200, 100, 200]
# The median is 4 and no deviation; 30 % would be 1.2, but three times the root is 6: -2 to 10.
SMALL = [4] * 8
# Every second Monday brought nothing: the median is 5, the deviation 5, three of them 15.
FORTNIGHTLY = [10, 0, 10, 0, 10, 0, 10, 0]


@pytest.mark.parametrize(
    ("counts", "band"),
    [
        (STEADY, (140, 260)),
        (UNSTEADY, (0, 300)),
        (SMALL, (-2, 10)),
        (FORTNIGHTLY, (-10, 20)),
        ([999, *STEADY], (140, 260)),
    ],
    ids=["steady", "unsteady", "small", "fortnightly", "ninth week back"],
)
def test_band_of_usual_rows(warehouse: Warehouse, counts: list[int], band: tuple[float, float]) -> None:
    deliver_mondays(warehouse, counts, rows=7)
    with warehouse.read() as connection:
        [row] = measure(connection, VOLUME, [MONDAY]).to_dict("records")
    assert (row["volume_not_low_floor"], row["volume_not_high_value"]) == band
    assert row["volume_not_low_value"] == row["volume_not_high_floor"] == 7


@pytest.mark.parametrize(
    ("rows", "failed", "observed"),
    [
        (140, [], ""),
        (260, [], ""),
        (139, ["volume_not_low"], "139, which must not be below 140"),
        (261, ["volume_not_high"], "260, which must not be below 261"),
        (0, ["volume_not_low"], "0, which must not be below 140"),
    ],
)
def test_days_outside_the_band_are_warned_of(warehouse: Warehouse, rows: int, failed: list[str], observed: str) -> None:
    deliver_mondays(warehouse, STEADY, rows)
    outcomes = run_checks(warehouse, "raw", [MONDAY], run_id=None)
    volume = [each for each in outcomes if each.check_name.startswith("volume")]
    assert [each.check_name for each in volume if not each.passed] == failed
    assert not any(each.is_blocking for each in volume)
    assert [each.observed for each in volume if not each.passed] == ([observed] if failed else [])


@pytest.mark.parametrize("counts", [[], [10, 10, 10]])
def test_a_young_feed_is_not_compared(warehouse: Warehouse, counts: list[int]) -> None:
    deliver_mondays(warehouse, counts, rows=500)
    outcomes = run_checks(warehouse, "raw", [MONDAY], run_id=None)
    assert all(each.passed for each in outcomes if each.check_name.startswith("volume"))
