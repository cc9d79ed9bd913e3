"""Which as-of days a stage computes, in whatever order they are asked for."""

from collections.abc import Iterator
from datetime import date

import duckdb
import pytest

from pipelines import scope
from pipelines.ops import TABLES
from pipelines.scope import close_scope, in_parts, narrow_scope, open_scope, settle_days

D1, D2, D3 = date(2026, 6, 1), date(2026, 6, 2), date(2026, 6, 3)


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        opened.execute("create schema ops")
        for table in ("as_of_days", "build_scope", "stale_days"):
            opened.execute(f"create table ops.{table} ({TABLES[table]})")
        yield opened


def compute(connection: duckdb.DuckDBPyConnection, stage: str, *days: date) -> list[date]:
    computed = open_scope(connection, stage, days)
    close_scope(connection, stage, computed)
    return computed


def test_a_night_computes_its_own_day(connection: duckdb.DuckDBPyConnection) -> None:
    assert compute(connection, "ml", D1) == [D1]
    assert compute(connection, "ml", D2) == [D2]


def test_an_old_day_computed_for_the_first_time_restates_the_later_ones(connection: duckdb.DuckDBPyConnection) -> None:
    compute(connection, "ml", D1)
    compute(connection, "ml", D3)
    assert compute(connection, "ml", D2) == [D2, D3]


def test_a_day_computed_again_leaves_the_others_alone(connection: duckdb.DuckDBPyConnection) -> None:
    compute(connection, "ml", D1, D2, D3)
    assert compute(connection, "ml", D2) == [D2]


def test_new_vintages_make_reports_stale_from_their_day_on(connection: duckdb.DuckDBPyConnection) -> None:
    for stage in ("ml", "reports"):
        compute(connection, stage, D1, D3)
    compute(connection, "ml", D2)
    assert compute(connection, "reports", D2) == [D2, D3]


def test_days_made_stale_by_a_late_delivery_are_computed_with_the_next_night(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    compute(connection, "ml", D1, D2)
    connection.execute("update ops.as_of_days set is_stale = true where as_of >= ?", [D2])
    assert compute(connection, "ml", D3) == [D2, D3]


def test_a_crash_leaves_the_days_to_the_next_run(connection: duckdb.DuckDBPyConnection) -> None:
    open_scope(connection, "ml", [D1, D2])
    close_scope(connection, "ml", [D1])
    assert compute(connection, "ml", D3) == [D2, D3]


def test_dbt_is_told_exactly_the_days_computed(connection: duckdb.DuckDBPyConnection) -> None:
    compute(connection, "ml", D1, D2)
    compute(connection, "reports", D1, D2)
    open_scope(connection, "reports", [D2])
    assert connection.execute("select as_of from ops.build_scope").fetchall() == [(D2,)]


def test_a_day_that_is_forecast_waits_for_its_reports(connection: duckdb.DuckDBPyConnection) -> None:
    """Another run that published meanwhile would show forecasts of a day without its KPIs."""
    compute(connection, "ml", D1)
    compute(connection, "reports", D1)
    compute(connection, "ml", D2)
    assert connection.execute("select stage, as_of from ops.as_of_days where is_stale").fetchall() == [("reports", D2)]
    assert compute(connection, "reports", D1) == [D1, D2]


def test_days_computed_before_the_transforms_took_a_delivery_up_are_computed_again(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    for stage in ("ml", "reports"):
        compute(connection, stage, D1, D2, D3)
    connection.execute("insert into ops.stale_days values ('order_lines', ?, ?), ('products', ?, ?)", [D2, D2, D3, D1])
    # A reforecast over the transforms' old tables, with the new delivery already in raw.
    connection.execute("update ops.as_of_days set is_stale = true where as_of >= ?", [D2])
    for stage in ("ml", "reports"):
        compute(connection, stage, D3)
    settle_days(connection, [("order_lines", D2)])
    assert compute(connection, "ml", D3) == [D2, D3]
    assert compute(connection, "reports", D3) == [D2, D3]
    assert connection.execute("select feed from ops.stale_days").fetchall() == [("products",)]


def test_nothing_taken_up_leaves_every_day_as_it_is(connection: duckdb.DuckDBPyConnection) -> None:
    compute(connection, "ml", D1, D2)
    settle_days(connection, [])
    assert compute(connection, "ml", D2) == [D2]


@pytest.mark.parametrize(
    ("at_once", "parts"), [(1, [[D1], [D2], [D3]]), (8, [[D1, D2], [D3]]), (12, [[D1, D2, D3]]), (99, [[D1, D2, D3]])]
)
def test_days_are_computed_in_parts_that_fit(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch, at_once: int, parts: list[list[date]]
) -> None:
    """Four rows are known: a part has as many days as keep rows times days below the limit, and never none."""
    monkeypatch.setattr(scope, "ROWS_AT_ONCE", at_once)
    connection.execute("create schema intermediate")
    connection.execute("create table intermediate.int_order_lines_versioned as from range(3)")
    connection.execute("create table intermediate.int_inventory_levels_versioned as from range(1)")
    assert in_parts(connection, [D1, D2, D3]) == parts
    assert in_parts(connection, []) == [[]]


def test_a_part_is_all_that_dbt_is_told_of_and_the_rest_stays_stale(connection: duckdb.DuckDBPyConnection) -> None:
    open_scope(connection, "reports", [D1, D2, D3])
    narrow_scope(connection, [D1, D2])
    assert connection.execute("select as_of from ops.build_scope order by 1").fetchall() == [(D1,), (D2,)]
    close_scope(connection, "reports", [D1, D2])
    assert open_scope(connection, "reports", []) == [D3]
