"""A prepared warehouse, and the few lines that fill its raw and evidence tables by hand."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines import ops
from pipelines.resources import Warehouse
from pipelines.settings import Settings
from pipelines.sources.profiles import load_profile


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    prepared = Warehouse(Settings(home=tmp_path, memory_limit="1GB", threads=1))
    with prepared.write() as connection:
        ops.prepare(connection, load_profile("online_retail"))
    return prepared


@pytest.fixture
def execute(warehouse: Warehouse) -> Callable[..., list[tuple[object, ...]]]:
    def run(sql: str, parameters: object = None) -> list[tuple[object, ...]]:
        with warehouse.write() as connection:
            return connection.execute(sql, parameters).fetchall()

    return run
