"""When views and comments are left alone: only while neither they nor what they were made of has changed."""

from collections.abc import Iterator

import duckdb
import pytest

from pipelines.ops import TABLES
from pipelines.standing_views import Views

VIEWS = Views("marts", schemas=("staging",), sources=("raw",), described=("marts",))


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        for schema in ("raw", "staging", "ops", "marts"):
            opened.execute(f"create schema {schema}")
        opened.execute(f"create table ops.standing_views ({TABLES['standing_views']})")
        opened.execute("create table raw.orders (order_id varchar, amount decimal(18, 2))")
        opened.execute("create view staging.orders as select * from raw.orders")
        opened.execute("create table marts.days as select date '2026-01-01' as day_on")
        opened.execute("comment on table marts.days is 'Calendar days.'")
        VIEWS.note(opened, "project")
        yield opened


def test_nothing_noted_is_nothing_standing(connection: duckdb.DuckDBPyConnection) -> None:
    assert not Views("reports", VIEWS.schemas, VIEWS.sources, VIEWS.described).stand(connection, "project")


def test_rows_and_tables_that_dbt_makes_change_no_view(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("insert into raw.orders values ('a', 1)")
    connection.execute("create table marts.orders as from staging.orders")
    assert VIEWS.stand(connection, "project")


@pytest.mark.parametrize(
    "change",
    [
        "create or replace view staging.orders as select * from raw.orders where amount > 0",
        "create view staging.refunds as select * from raw.orders where amount < 0",
        "drop view staging.orders",
        "alter table raw.orders add column currency varchar",
        "alter table raw.orders alter amount type double",
        "comment on table marts.days is 'Days.'",
        "comment on column marts.days.day_on is 'The day.'",
        "create or replace table marts.days as select date '2026-01-01' as day_on",
        "delete from ops.standing_views",
    ],
)
def test_what_touched_a_view_or_its_source_is_noticed(connection: duckdb.DuckDBPyConnection, change: str) -> None:
    connection.execute(change)
    assert not VIEWS.stand(connection, "project")


def test_views_of_another_project_are_made_anew_until_they_are_noted(connection: duckdb.DuckDBPyConnection) -> None:
    assert not VIEWS.stand(connection, "changed project")
    VIEWS.note(connection, "changed project")
    assert VIEWS.stand(connection, "changed project")
    assert not VIEWS.stand(connection, "project")
