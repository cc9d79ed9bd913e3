"""What the pictures of forecasts are drawn from."""

from collections.abc import Iterator
from datetime import date

import duckdb
import pytest

from pipelines.modelling.grade_tables import FORECAST_ACCURACY
from pipelines.pictures import calibration

AS_OF = date(2024, 3, 10)


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        counts = ", ".join(f"{name} {FORECAST_ACCURACY.type_of(name)}" for name in FORECAST_ACCURACY.columns)
        opened.execute(f"create schema ml; create table ml.forecast_accuracy ({counts})")
        yield opened


def test_calibration_counts_what_lies_below_and_up_to_each_quantile(connection: duckdb.DuckDBPyConnection) -> None:
    """Four forecasts of P10 0, P50 2, P90 5 met 0, 1, 2 and 7, one of them in another segment."""
    connection.execute(
        """
        insert into ml.forecast_accuracy by name
        select date '2024-03-10' as as_of, * from (values
            ('selected', 'A', 3, 0, 1, 2, 3, 3, 3),
            ('selected', 'B', 1, 0, 0, 0, 0, 0, 0),
            ('trees', 'A', 3, 3, 3, 3, 3, 3, 3)
        ) as grades (
            model, abc, n, below_p10_count, up_to_p10_count, below_p50_count, up_to_p50_count, below_p90_count,
            up_to_p90_count
        )
        union all by name
        select date '2024-03-09' as as_of, 'selected' as model, 'A' as abc, 9 as n, 9 as below_p10_count
        """
    )
    assert list(calibration(connection, AS_OF).itertuples(index=False, name=None)) == [
        (0.1, 4, 0.0, 0.25),
        (0.5, 4, 0.5, 0.75),
        (0.9, 4, 0.75, 0.75),
    ]


def test_no_forecast_that_came_true_is_no_row(connection: duckdb.DuckDBPyConnection) -> None:
    assert calibration(connection, AS_OF).empty
