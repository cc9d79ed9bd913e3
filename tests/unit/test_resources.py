"""The warehouse's one way in: what is opened is closed, whatever happens in between."""

from pathlib import Path

import duckdb
import pytest

from pipelines.errors import WarehouseError
from pipelines.resources import Warehouse
from pipelines.settings import Settings


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    made = Warehouse(Settings(home=tmp_path))
    with made.write() as connection:
        connection.execute("create table orders (order_id integer)")
    return made


def orders(warehouse: Warehouse) -> list[int]:
    with warehouse.read() as connection:
        return [order for (order,) in connection.execute("from orders order by all").fetchall()]


def is_open(warehouse: Warehouse) -> bool:
    """Whether this process holds the file: DuckDB opens no file twice with different settings."""
    try:
        duckdb.connect(str(warehouse.path), config={"threads": 7}).close()
    except duckdb.ConnectionException:
        return True
    return False


def test_what_is_read_and_written_in_a_hold_shares_one_opened_file(warehouse: Warehouse) -> None:
    with warehouse.held():
        with warehouse.transaction() as connection:
            connection.execute("insert into orders values (1)")
        assert is_open(warehouse)
        assert orders(warehouse) == [1]
        with warehouse.transaction() as connection:
            connection.execute("insert into orders values (2)")
    assert not is_open(warehouse)
    assert orders(warehouse) == [1, 2]


def test_a_hold_that_fails_keeps_what_was_committed_and_lets_go(warehouse: Warehouse) -> None:
    def insert(*values: str) -> None:
        with warehouse.held():
            for value in values:
                with warehouse.transaction() as connection:
                    connection.execute("insert into orders values (?)", [value])

    with pytest.raises(duckdb.ConversionException):
        insert("1", "two", "3")
    assert not is_open(warehouse)
    assert orders(warehouse) == [1]


def test_each_part_of_a_hold_has_a_connection_of_its_own(warehouse: Warehouse) -> None:
    with warehouse.held():
        with warehouse.write() as connection:
            connection.execute("create temporary table seen as select 1 as order_id")
            assert connection.execute("select current_setting('TimeZone')").fetchone() == ("UTC",)
        with warehouse.write() as connection, pytest.raises(duckdb.CatalogException):
            connection.execute("from seen")


def test_a_file_that_another_holds_is_waited_for_and_then_told(warehouse: Warehouse) -> None:
    with (
        duckdb.connect(str(warehouse.path), config={"threads": 7}),
        pytest.raises(WarehouseError, match="cannot be opened"),
        warehouse.read(patience_seconds=0),
    ):
        pytest.fail("the file was opened")
