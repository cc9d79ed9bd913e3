"""A very small warehouse to publish: every table says the same generation, so that a mix would show."""

from datetime import date
from pathlib import Path

import duckdb

from pipelines.ops import prepare
from pipelines.publishing import Publication, publish
from pipelines.resources import Warehouse
from pipelines.settings import Settings
from pipelines.sources.profiles import load_profile

AS_OF = date(2026, 3, 31)
TABLES = ("marts.fct_order_lines", "ml.demand_forecasts", "reports.fct_kpi_values")


def settings_at(home: Path, **given: object) -> Settings:
    return Settings.model_validate({"home": home, "threads": 1, "memory_limit": "1GB", **given})


def fill(settings: Settings, generation: int) -> Warehouse:
    """A warehouse whose three tables hold this generation; `dim_dates` is the same in all of them."""
    warehouse = Warehouse(settings)
    is_fresh = not warehouse.path.exists()
    with warehouse.write() as connection:
        if is_fresh:
            prepare(connection, load_profile("online_retail"))
        for table in TABLES:
            connection.execute(
                f"create or replace table {table} as select i as id, {generation} as generation from range(50) as r(i)"
            )
        connection.execute("comment on table marts.fct_order_lines is 'Order lines; the company''s own'")
        connection.execute("comment on column marts.fct_order_lines.generation is 'Which filling'")
        connection.execute(
            "create table if not exists marts.dim_dates as "
            "select date '2026-01-01' + i::int as date_on from range(90) as r(i)"
        )
    return warehouse


def allow(connection: duckdb.DuckDBPyConnection) -> None:
    """A gate that lets everything pass."""


def published(settings: Settings, generation: int, *, as_of: date = AS_OF) -> Publication:
    return publish(
        settings, fill(settings, generation), as_of=as_of, run_id=f"run-{generation}", revision="0" * 40, gate=allow
    )


def generations(path: Path) -> set[int]:
    """The generations a reader sees over all tables, read in one connection."""
    connection = duckdb.connect(str(path), read_only=True, config={"threads": 1})
    try:
        return {
            generation
            for table in TABLES
            for (generation,) in connection.execute(f"select distinct generation from {table}").fetchall()
        }
    finally:
        connection.close()
