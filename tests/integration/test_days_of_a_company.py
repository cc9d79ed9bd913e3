"""A range of days of a real company: each as-of day knows what was delivered up to it, files or not."""

from datetime import date
from pathlib import Path

import pytest

from tests.integration.companies import DEDUPLICATED, delivered
from tests.integration.conftest import FOLDERS, Home


@pytest.fixture(scope="module")
def first_week(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Online Retail over its first week, a Saturday without a file in it."""
    home = Home(tmp_path_factory.mktemp("first_week"), "online_retail", real_data / FOLDERS["online_retail"])
    home.run("--from", "2010-12-01", "--to", "2010-12-07")
    return home


def test_each_day_of_a_range_knows_its_own_past(first_week: Home) -> None:
    """Seven as-of days; a Saturday without a file repeats what the Friday knew."""
    expected = delivered(
        first_week,
        f"""
        select as_of::date, sum(quantity * price), count(*)
        from range(date '2010-12-01', date '2010-12-08', interval 1 day) as days (as_of)
        join ({DEDUPLICATED}) on left(file, 10) <= as_of::date::varchar
        group by all order by all
        """,
        lines="2010-12-0[1-7].csv",
    )
    month_to_date = first_week.query(
        """
        select as_of, numerator, n from reports.fct_kpi_values
        where kpi_id = 'SAL-01' and period_grain = 'month_to_date' and segment_type = 'all' order by as_of
        """
    )
    assert month_to_date == expected
    assert len(month_to_date) == 7
    saturday = [row for row in month_to_date if row[0].day in (3, 4)]
    assert saturday[0][1:] == saturday[1][1:]
    assert first_week.query("select count(*) from ops.files") == [(6,)]
    assert first_week.query(
        "select count(*) from reports.fct_kpi_values where kpi_id = 'SAL-01' and period_start = date '2010-12-04'"
    ) == [(0,)]


def test_forecasts_of_a_range_are_graded_as_their_days_come(first_week: Home) -> None:
    grades = first_week.query(
        """
        select as_of, sum(n), min(wape), bool_and(isfinite(wape)) from ml.forecast_accuracy
        where model = 'selected' group by as_of order by as_of
        """
    )
    assert grades
    assert all(finite for *_, finite in grades)
    assert grades[-1][0] == date(2010, 12, 7)
