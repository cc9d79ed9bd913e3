"""What the models compute (`pipelines.modelling`), as of each delivery day."""

from collections.abc import Iterator
from itertools import chain

import dagster as dg

from pipelines.assets.checks import rule_check_results, rule_check_specs
from pipelines.assets.shell import Event, Installation, selected, step_assets
from pipelines.modelling.report import write_forecast_report
from pipelines.modelling.stage import TABLES, build_ml
from pipelines.modelling.tables import MlTable
from pipelines.partitions import days_of
from pipelines.pictures import as_markdown, forecast_against_actuals, forecast_pictures
from pipelines.quality.checks import run_checks

ML_TABLES = [table.full_name for table in TABLES]


def ml_assets(installation: Installation) -> dg.AssetsDefinition:
    @step_assets("forecast", [_spec(table, installation) for table in TABLES], rule_check_specs(ML_TABLES))
    def ml(context: dg.AssetExecutionContext) -> Iterator[Event]:
        days = days_of(context)
        with installation.step("forecast", context) as run_id:
            written = build_ml(
                installation.settings,
                installation.profile,
                installation.warehouse,
                days,
                run_id=run_id,
                progress=installation.progress,
            )
            with installation.warehouse.held():
                outcomes = run_checks(installation.warehouse, "ml", written, run_id=run_id)
                picture = forecast_against_actuals(installation.warehouse, max(written))
                drawn = forecast_pictures(installation.warehouse, max(written))
                rows = _row_counts(installation)
            page = write_forecast_report(installation.settings, installation.profile.title, max(written), drawn)
        about: dict[str, dg.MetadataValue] = {
            "data_through": dg.MetadataValue.text(max(days).isoformat()),
            "days_computed": dg.MetadataValue.int(len(written)),
        }
        pictured: dict[str, dict[str, dg.MetadataValue]] = {
            "ml.demand_forecasts": {
                "forecast_against_actuals": dg.MetadataValue.md(picture or "none yet"),
                "report": dg.MetadataValue.path(str(page)),
            },
            "ml.forecast_accuracy": {
                "forecast_against_actuals": dg.MetadataValue.md(picture or "none yet"),
                "accuracy_by_horizon": dg.MetadataValue.md(as_markdown(drawn.accuracy)),
            },
            "ml.forecast_value_added": {"by_segment": dg.MetadataValue.md(as_markdown(drawn.value_added))},
        }
        results: list[Event] = [
            dg.MaterializeResult(
                asset_key=dg.AssetKey(table.split(".")),
                metadata=about | {"dagster/row_count": dg.MetadataValue.int(rows[table])} | pictured.get(table, {}),
            )
            for table in ML_TABLES
        ]
        yield from selected(context, chain(results, rule_check_results(ML_TABLES, outcomes)))

    return ml


def _spec(table: MlTable, installation: Installation) -> dg.AssetSpec:
    columns = [
        dg.TableColumn(name=name, type=table.type_of(name), description=comment)
        for name, (_, comment) in table.columns.items()
    ]
    return dg.AssetSpec(
        key=["ml", table.name],
        deps=[dep.split(".") for dep in table.deps],
        description=table.description,
        group_name="ml",
        kinds={"scikitlearn", "duckdb"},
        owners=[table.owner],
        metadata={"dagster/column_schema": dg.TableSchema(columns=columns), "dagster/table_name": table.full_name},
        partitions_def=installation.partitions,
    )


def _row_counts(installation: Installation) -> dict[str, int]:
    with installation.warehouse.read() as connection:
        counted = {table: connection.execute(f"select count(*) from {table}").fetchone() for table in ML_TABLES}
    return {table: int(row[0]) if row else 0 for table, row in counted.items()}
