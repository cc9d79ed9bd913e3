"""A night leaves views and comments alone that stand as the project makes them, drops no test, and mends any other."""

import shutil
from pathlib import Path

import duckdb

from pipelines.resources import Warehouse
from pipelines.settings import Settings
from pipelines.stages import MARTS_SELECTION, MARTS_VIEWS, REPORTS_VIEWS, build_marts
from pipelines.transforms import DbtGraph, Transforms
from tests.integration.conftest import Home

VIEW = "intermediate.int_base_rates"
TABLE = "marts.fct_order_lines"


def views(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    found = connection.execute(
        "select schema_name || '.' || view_name, sql from duckdb_views() where not internal"
    ).fetchall()
    return dict(found)


def comments(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, ...]]:
    """What the marts say of themselves and of their columns."""
    return connection.execute(
        """
        select table_name, '', comment from duckdb_tables() where schema_name = 'marts'
        union all
        select table_name, column_name, comment from duckdb_columns() where schema_name = 'marts'
        order by all
        """
    ).fetchall()


def test_views_are_left_alone_until_one_is_touched(backfilled: Home, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(backfilled.path, home, symlinks=True)
    settings = Settings(home=home)
    warehouse, transforms = Warehouse(settings), Transforms(settings)
    graph = DbtGraph(transforms.manifest())
    made_of_views = {name for name, node in graph.manifest["nodes"].items() if node["config"]["materialized"] == "view"}
    with warehouse.transaction() as connection:
        assert MARTS_VIEWS.stand(connection, transforms.digest())
        assert REPORTS_VIEWS.stand(connection, transforms.digest())
        made, told = views(connection), comments(connection)
        assert all(comment for *_, comment in told)
        connection.execute(f"create or replace view {VIEW} as select * from ({made[VIEW].partition(' AS ')[2][:-1]})")
        connection.execute(f"comment on column {TABLE}.order_id is 'touched'")
    [(day,)] = backfilled.raw("select max(delivered_on) from ops.files")

    touched = build_marts(warehouse, transforms, graph, [day], run_id="touched")
    with warehouse.read() as connection:
        assert views(connection) == made
        assert comments(connection) == told
        assert MARTS_VIEWS.stand(connection, transforms.digest())
    left = {result.unique_id for result in transforms.build(MARTS_SELECTION, leave_standing=True)}
    assert set(touched.results) - left == made_of_views & set(touched.results) != set()
    with warehouse.read() as connection:
        assert comments(connection) == told
