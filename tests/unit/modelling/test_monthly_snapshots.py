"""A snapshot of entities keeps the newest as-of day of each month, whatever the order in which days are computed."""

from collections.abc import Iterator
from datetime import date
from itertools import permutations

import duckdb
import pytest

from pipelines.modelling.context import is_newest_of_month, keep_newest_of_month
from pipelines.modelling.stage import TABLES as ML_TABLES
from pipelines.modelling.stage import prepare as prepare_ml
from pipelines.modelling.tables import MlTable, prepare
from pipelines.ops import TABLES

SNAPSHOT = MlTable(
    "things", "One row.", {"as_of": ("DATE NOT NULL", "It's a day."), "n": ("BIGINT", "N.")}, (), "team:x"
)
DAYS = [date(2026, 3, 1), date(2026, 3, 31), date(2026, 4, 2)]


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        opened.execute(f"create schema ops; create schema ml; create table ops.as_of_days ({TABLES['as_of_days']})")
        prepare(opened, [SNAPSHOT])
        yield opened


def ask(connection: duckdb.DuckDBPyConnection, day: date) -> None:
    """Ask for a day as `open_scope` does: the later days are computed with it."""
    connection.execute("insert into ops.as_of_days values ('ml', ?, true) on conflict do nothing", [day])
    days = connection.execute("select as_of from ops.as_of_days where as_of >= ? order by 1", [day]).fetchall()
    for (each,) in days:
        if keep_newest_of_month(connection, [SNAPSHOT], each):
            connection.execute("insert into ml.things values (?, ?)", [each, each.toordinal()])


@pytest.mark.parametrize("order", list(permutations(DAYS)), ids=str)
def test_any_order_of_days_leaves_the_newest_of_each_month(
    connection: duckdb.DuckDBPyConnection, order: tuple[date, ...]
) -> None:
    for day in (*order, order[0]):
        ask(connection, day)
    assert connection.execute("select as_of from ml.things order by 1").fetchall() == [(DAYS[1],), (DAYS[2],)]


def test_days_of_other_stages_do_not_count(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("insert into ops.as_of_days values ('reports', date '2026-03-31', false)")
    connection.execute("insert into ops.as_of_days values ('ml', date '2026-03-30', false)")
    assert is_newest_of_month(connection, date(2026, 3, 30))
    assert not is_newest_of_month(connection, date(2026, 3, 29))


def test_tables_that_are_there_are_left_alone_and_no_day_is_due(connection: duckdb.DuckDBPyConnection) -> None:
    """A type that DuckDB spells in another way made three tables anew each night, and every day with them."""
    prepare_ml(connection)
    connection.execute("insert into ops.as_of_days values ('ml', date '2026-03-30', false)")
    assert [table.name for table in ML_TABLES if table.create(connection)] == []
    prepare_ml(connection)
    assert connection.execute("select is_stale from ops.as_of_days").fetchall() == [(False,)]


def test_a_type_may_be_declared_with_a_blank(connection: duckdb.DuckDBPyConnection) -> None:
    declared = MlTable("amounts", "One row.", {"amount": ("DECIMAL(18, 4) NOT NULL", "An amount.")}, (), "team:x")
    assert declared.create(connection)
    assert not declared.create(connection)


def test_a_table_says_what_it_holds(connection: duckdb.DuckDBPyConnection) -> None:
    found = connection.execute("select column_name, comment from duckdb_columns() where table_name = 'things'")
    assert found.fetchall() == [("as_of", "It's a day."), ("n", "N.")]
    assert SNAPSHOT.type_of("as_of") == "DATE"


def test_what_a_table_lost_of_its_comments_is_said_again(connection: duckdb.DuckDBPyConnection) -> None:
    """As a release left it that was killed while it made the table, or that described it in other words."""
    connection.execute(f"insert into {SNAPSHOT.full_name} values (date '2026-03-29', 1)")
    connection.execute(f"comment on column {SNAPSHOT.full_name}.n is null")
    connection.execute(f"comment on table {SNAPSHOT.full_name} is 'in other words'")
    assert not SNAPSHOT.create(connection)
    said = connection.execute("select comment from duckdb_columns() where table_name = 'things'").fetchall()
    assert said == [("It's a day.",), ("N.",)]
    assert connection.execute("select comment from duckdb_tables() where table_name = 'things'").fetchall() == [
        (SNAPSHOT.description,)
    ]
    assert connection.execute(f"select count(*) from {SNAPSHOT.full_name}").fetchall() == [(1,)]
