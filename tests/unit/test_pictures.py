"""What the pictures of forecasts are drawn from."""

from collections.abc import Iterator
from datetime import date

import duckdb
import pytest

from pipelines.pictures import calibration

AS_OF = date(2024, 3, 10)


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        opened.execute(
            """
            create schema intermediate;
            create table intermediate.int_demand_daily_deltas (
                product_id varchar, channel_id varchar, ordered_on date, known_on date, quantity_delta decimal(18, 4)
            );
            create schema ml;
            create table ml.demand_forecasts (
                product_id varchar, channel_id varchar, target_on date, is_selected boolean,
                p10 double, p50 double, p90 double
            );
            """
        )
        yield opened


def test_calibration_counts_what_lies_below_and_up_to_each_quantile(connection: duckdb.DuckDBPyConnection) -> None:
    """Four forecasts of P10 0, P50 2, P90 5 met 0 (nothing was sold), 1, 2 and 7; a correction came later."""
    connection.execute(
        """
        insert into intermediate.int_demand_daily_deltas values
            ('A', 'web', date '2024-03-02', date '2024-03-02', 1),
            ('A', 'web', date '2024-03-03', date '2024-03-04', 1),
            ('A', 'web', date '2024-03-03', date '2024-03-05', 1),
            ('A', 'web', date '2024-03-04', date '2024-03-04', 7),
            ('A', 'web', date '2024-03-04', date '2024-03-11', -7);
        insert into ml.demand_forecasts
        select 'A', 'web', day::date, true, 0, 2, 5
        from generate_series(date '2024-03-01', date '2024-03-04', interval 1 day) as days (day)
        union all select 'A', 'web', date '2024-03-02', false, 9, 9, 9
        union all select 'A', 'web', date '2024-03-11', true, 9, 9, 9
        union all select 'A', 'web', date '2024-01-14', true, 9, 9, 9;
        """
    )
    assert list(calibration(connection, AS_OF).itertuples(index=False, name=None)) == [
        (0.1, 4, 0.0, 0.25),
        (0.5, 4, 0.5, 0.75),
        (0.9, 4, 0.75, 0.75),
    ]


def test_no_forecast_that_came_true_is_no_row(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("insert into ml.demand_forecasts values ('A', 'web', date '2024-03-11', true, 0, 2, 5)")
    assert calibration(connection, AS_OF).empty
