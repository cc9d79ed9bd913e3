"""The dbt models that people read, as assets, and the dbt tests on them, as checks.

The specs come from the manifest. Staging, intermediate and KPI models are steps on the way: they are built with the
models that need them, and the graph shows a mart's lineage straight to the raw tables it comes from.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import dagster as dg

from pipelines.assets.checks import rule_check_results, rule_check_specs
from pipelines.assets.shell import RETRIES, SINGLE_RUN, WAREHOUSE_POOL, Event, Installation, selected
from pipelines.partitions import days_of
from pipelines.quality.rules import Stage
from pipelines.quality.suites import tables_of_stage
from pipelines.settings import DBT_PROJECT
from pipelines.stages import MARTS, REPORTS, Built, build_marts, build_reports
from pipelines.transforms import DbtGraph, DbtTest


def marts_assets(installation: Installation, graph: DbtGraph) -> dg.AssetsDefinition:
    """Staging, intermediate and marts: current knowledge, rebuilt for the keys delivered on stale days."""

    @dg.multi_asset(
        name="transform",
        specs=_model_specs(graph, MARTS, installation.partitions),
        check_specs=_check_specs(graph, MARTS, "marts"),
        backfill_policy=SINGLE_RUN,
        pool=WAREHOUSE_POOL,
        retry_policy=RETRIES,
        can_subset=True,
    )
    def transform(context: dg.AssetExecutionContext) -> Iterator[Event]:
        days = days_of(context)
        with installation.step("transform", context):
            installation.progress("transform", 0, 1)
            built = build_marts(installation.warehouse, installation.transforms, graph, days, run_id=context.run_id)
            installation.progress("transform", 1, 1)
        yield from selected(context, _events(graph, MARTS, "marts", days, built))

    return transform


def reports_assets(installation: Installation, graph: DbtGraph) -> dg.AssetsDefinition:
    """KPIs and report tables, as of each day."""

    @dg.multi_asset(
        name="report",
        specs=_model_specs(graph, REPORTS, installation.partitions),
        check_specs=_check_specs(graph, REPORTS, "reports"),
        backfill_policy=SINGLE_RUN,
        pool=WAREHOUSE_POOL,
        retry_policy=RETRIES,
        can_subset=True,
    )
    def report(context: dg.AssetExecutionContext) -> Iterator[Event]:
        days = days_of(context)
        with installation.step("report", context):
            installation.progress("report", 0, 1)
            built = build_reports(installation.warehouse, installation.transforms, graph, days, run_id=context.run_id)
            installation.progress("report", 1, 1)
        yield from selected(context, _events(graph, REPORTS, "reports", days, built))

    return report


def _model_specs(graph: DbtGraph, schemas: Sequence[str], partitions: dg.PartitionsDefinition) -> list[dg.AssetSpec]:
    return [
        _model_spec(graph, unique_id, node, partitions)
        for unique_id, node in sorted(graph.models.items())
        if node["schema"] in schemas
    ]


def _model_spec(
    graph: DbtGraph, unique_id: str, node: dict[str, Any], partitions: dg.PartitionsDefinition
) -> dg.AssetSpec:
    meta = node["config"].get("meta") or {}
    columns = [
        dg.TableColumn(name=name, type=column.get("data_type") or "", description=column.get("description"))
        for name, column in node["columns"].items()
    ]
    sql = dg.LocalFileCodeReference(file_path=str(DBT_PROJECT / node["original_file_path"]))
    return dg.AssetSpec(
        key=_key(graph.table(unique_id)),
        deps=sorted(_key(table) for table in graph.upstream_tables(unique_id)),
        description=node["description"],
        group_name=node["schema"],
        kinds={"dbt", "duckdb"},
        owners=[f"team:{meta.get('owner', 'data-engineering')}"],
        tags={"materialized": node["config"]["materialized"]},
        metadata={
            "dagster/column_schema": dg.TableSchema(columns=columns),
            "dagster/table_name": graph.table(unique_id),
            "dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[sql]),
        },
        partitions_def=partitions,
    )


def _check_specs(graph: DbtGraph, schemas: Sequence[str], stage: Stage) -> list[dg.AssetCheckSpec]:
    """The declared rules of the stage, and one check per dbt data test; one of severity error blocks what follows."""
    tests = [
        dg.AssetCheckSpec(test.name, asset=_key(test.table), blocking=test.is_blocking, description=test.description)
        for test in graph.tests_of(schemas)
    ]
    return [*tests, *rule_check_specs(tables_of_stage(stage))]


def _events(
    graph: DbtGraph,
    schemas: Sequence[str],
    stage: Stage,
    days: Sequence[date],
    built: Built,
) -> Iterator[Event]:
    for table in graph.tables_of(schemas):
        yield dg.MaterializeResult(
            asset_key=_key(table),
            metadata={
                "dagster/row_count": built.rows[table],
                "data_through": max(days).isoformat(),
                "seconds": built.seconds.get(table, 0.0),
                "days_rebuilt": len(built.days),
            },
        )
    yield from (_test_result(test, built) for test in graph.tests_of(schemas))
    yield from rule_check_results(tables_of_stage(stage), built.outcomes)


def _test_result(test: DbtTest, built: Built) -> dg.AssetCheckResult:
    result = built.results.get(test.unique_id)
    return dg.AssetCheckResult(
        asset_key=_key(test.table),
        check_name=test.name,
        # A test that dbt skipped did not run, so it did not pass.
        passed=result is not None and result.passed,
        severity=dg.AssetCheckSeverity.ERROR if test.is_blocking else dg.AssetCheckSeverity.WARN,
        metadata={
            "failing_rows": (result.failures or 0) if result else 0,
            "message": (result.message or "") if result else "skipped: a model before it failed",
        },
    )


def _key(table: str) -> dg.AssetKey:
    return dg.AssetKey(table.split("."))
