"""Demand forecasts and their grades, as of each delivery day."""

from collections.abc import Iterator
from itertools import chain

import dagster as dg

from pipelines.assets.checks import rule_check_results, rule_check_specs
from pipelines.assets.shell import Event, Installation, selected, step_assets
from pipelines.forecasting import COMMENTS, TABLES, forecast
from pipelines.partitions import days_of
from pipelines.pictures import forecast_against_actuals
from pipelines.quality.checks import run_checks

ML_TABLES = [f"ml.{table}" for table in TABLES]


def ml_assets(installation: Installation) -> dg.AssetsDefinition:
    @step_assets("forecast", [_spec(table, installation) for table in TABLES], rule_check_specs(ML_TABLES))
    def ml(context: dg.AssetExecutionContext) -> Iterator[Event]:
        days = days_of(context)
        with installation.step("forecast", context) as run_id:
            written = forecast(
                installation.settings,
                installation.profile,
                installation.warehouse,
                days,
                run_id=run_id,
                progress=installation.progress,
            )
            outcomes = run_checks(installation.warehouse, "ml", written, run_id=run_id)
            picture = forecast_against_actuals(installation.warehouse, max(written))
            rows = _row_counts(installation)
        about = {
            "data_through": dg.MetadataValue.text(max(days).isoformat()),
            "days_computed": dg.MetadataValue.int(len(written)),
        }
        results: list[Event] = [
            dg.MaterializeResult(
                asset_key=dg.AssetKey(table.split(".")),
                metadata=about
                | {
                    "dagster/row_count": rows[table],
                    "forecast_against_actuals": dg.MetadataValue.md(picture or "none yet"),
                },
            )
            for table in ML_TABLES
        ]
        yield from selected(context, chain(results, rule_check_results(ML_TABLES, outcomes)))

    return ml


def _spec(table: str, installation: Installation) -> dg.AssetSpec:
    comments = COMMENTS[table]
    deps = {"demand_forecasts": [["marts", "fct_order_lines"]], "forecast_accuracy": [["ml", "demand_forecasts"]]}
    columns = [
        dg.TableColumn(name=name, type=kind, description=comments[name])
        for name, kind in (definition.split()[:2] for definition in TABLES[table].split(","))
    ]
    return dg.AssetSpec(
        key=["ml", table],
        deps=deps[table],
        description=comments[""],
        group_name="ml",
        kinds={"scikitlearn", "duckdb"},
        owners=["team:demand-planning"],
        metadata={"dagster/column_schema": dg.TableSchema(columns=columns), "dagster/table_name": f"ml.{table}"},
        partitions_def=installation.partitions,
    )


def _row_counts(installation: Installation) -> dict[str, int]:
    with installation.warehouse.read() as connection:
        counted = {table: connection.execute(f"select count(*) from {table}").fetchone() for table in ML_TABLES}
    return {table: int(row[0]) if row else 0 for table, row in counted.items()}
