"""The dbt models that people read, as assets, and the dbt tests on them, as checks.

The specs come from the manifest. Staging, intermediate and KPI models are steps on the way: they are built with the
models that need them, and the graph shows a mart's lineage straight to the raw tables it comes from.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import dagster as dg

from pipelines.assets.checks import rule_check_results, rule_check_specs
from pipelines.assets.shell import Event, Installation, selected, step_assets
from pipelines.partitions import days_of
from pipelines.quality.rules import Stage
from pipelines.quality.suites import tables_of_stage
from pipelines.settings import DBT_PROJECT
from pipelines.stages import MARTS, REPORTS, Built, build_marts, build_reports
from pipelines.transforms import DbtGraph, DbtTest


@dataclass(frozen=True)
class DbtStep:
    """One of the two steps that dbt does: the schemas it writes, the stage of its checks, and what does the work."""

    name: str
    stage: Stage
    schemas: Sequence[str]
    build: Callable[..., Built]


TRANSFORM = DbtStep("transform", "marts", MARTS, build_marts)
REPORT = DbtStep("report", "reports", REPORTS, build_reports)


def dbt_assets(installation: Installation, graph: DbtGraph, step: DbtStep) -> dg.AssetsDefinition:
    """The models of one step: current knowledge for TRANSFORM, KPIs and reports as of each day for REPORT."""

    @step_assets(step.name, _model_specs(graph, step.schemas, installation.partitions), _check_specs(graph, step))
    def assets(context: dg.AssetExecutionContext) -> Iterator[Event]:
        days = days_of(context)
        with installation.step(step.name, context) as run_id:
            installation.progress(step.name, 0, 1)
            built = step.build(installation.warehouse, installation.transforms, graph, days, run_id=run_id)
            installation.progress(step.name, 1, 1)
        yield from selected(context, _events(graph, step, days, built))

    return assets


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


def _check_specs(graph: DbtGraph, step: DbtStep) -> list[dg.AssetCheckSpec]:
    """The declared rules of the stage, and one check per dbt data test; one of severity error blocks what follows."""
    tests = [
        dg.AssetCheckSpec(test.name, asset=_key(test.table), blocking=test.is_blocking, description=test.description)
        for test in graph.tests_of(step.schemas)
    ]
    return [*tests, *rule_check_specs(tables_of_stage(step.stage))]


def _events(graph: DbtGraph, step: DbtStep, days: Sequence[date], built: Built) -> Iterator[Event]:
    for table in graph.tables_of(step.schemas):
        yield dg.MaterializeResult(
            asset_key=_key(table),
            metadata={
                "dagster/row_count": built.rows[table],
                "data_through": max(days).isoformat(),
                "seconds": built.seconds.get(table, 0.0),
                "days_rebuilt": len(built.days),
            },
        )
    yield from (_test_result(test, built) for test in graph.tests_of(step.schemas))
    yield from rule_check_results(tables_of_stage(step.stage), built.outcomes)


def _test_result(test: DbtTest, built: Built) -> dg.AssetCheckResult:
    """The result on the newest day judged; a dbt test looks at its whole table, so all days say the same."""
    outcome = built.tests[test.name]
    return dg.AssetCheckResult(
        asset_key=_key(test.table),
        check_name=test.name,
        passed=outcome.passed,
        severity=dg.AssetCheckSeverity.ERROR if test.is_blocking else dg.AssetCheckSeverity.WARN,
        metadata={"failing_rows": outcome.failed_rows or 0, "observed": outcome.observed, "message": outcome.message},
    )


def _key(table: str) -> dg.AssetKey:
    return dg.AssetKey(table.split("."))
