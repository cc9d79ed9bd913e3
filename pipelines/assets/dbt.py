"""The dbt models that people read, as assets, and the dbt tests on them, as checks.

The specs come from the manifest. Staging, intermediate and KPI models are steps on the way: they are built with the
models that need them, and the graph shows a mart's lineage straight to the raw tables it comes from.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import dagster as dg

from pipelines.settings import DBT_PROJECT
from pipelines.transforms import NodeResult

# Schemas whose models are assets; the others are steps on the way.
SHOWN_SCHEMAS = ("marts", "ops", "reports")


@dataclass(frozen=True)
class DbtGraph:
    """The parts of a dbt manifest that the orchestrator shows."""

    manifest: dict[str, Any]

    @cached_property
    def models(self) -> dict[str, dict[str, Any]]:
        return {
            unique_id: node
            for unique_id, node in self.manifest["nodes"].items()
            if node["resource_type"] in ("model", "seed") and node["schema"] in SHOWN_SCHEMAS
        }

    @cached_property
    def tests(self) -> dict[str, dict[str, Any]]:
        """Data tests by unique id. A test belongs to the model it is attached to, or else to the first it reads."""
        return {
            unique_id: node for unique_id, node in self.manifest["nodes"].items() if node["resource_type"] == "test"
        }

    def key(self, unique_id: str) -> dg.AssetKey:
        node = self.manifest["nodes"].get(unique_id) or self.manifest["sources"][unique_id]
        return dg.AssetKey([node["schema"], node["name"]])

    def tested_model(self, test: dict[str, Any]) -> str | None:
        """The shown model a test is about; a test of a hidden model is shown at the first shown model after it."""
        candidates = [test.get("attached_node"), *test["depends_on"]["nodes"]]
        for unique_id in filter(None, candidates):
            if unique_id in self.models:
                return str(unique_id)
        for unique_id in filter(None, candidates):
            shown = self._first_shown_descendant(str(unique_id))
            if shown:
                return shown
        return None

    def upstream_keys(self, unique_id: str) -> set[dg.AssetKey]:
        """The nearest assets a model is built from, hidden models skipped. Evidence sources are no assets."""
        keys: set[dg.AssetKey] = set()
        for parent in self.manifest["nodes"][unique_id]["depends_on"]["nodes"]:
            if parent in self.models:
                keys.add(self.key(parent))
            elif parent.startswith("source."):
                if self.manifest["sources"][parent]["schema"] != "ops":
                    keys.add(self.key(parent))
            elif parent in self.manifest["nodes"]:
                keys |= self.upstream_keys(parent)
        return keys

    def _first_shown_descendant(self, unique_id: str) -> str | None:
        queue = list(self.manifest["child_map"].get(unique_id, ()))
        seen: set[str] = set()
        while queue:
            child = queue.pop(0)
            if child in self.models:
                return str(child)
            if child not in seen:
                seen.add(child)
                queue += self.manifest["child_map"].get(child, ())
        return None


def model_specs(graph: DbtGraph, schemas: tuple[str, ...], partitions: dg.PartitionsDefinition) -> list[dg.AssetSpec]:
    """One spec per shown model of the schemas: description, owner, columns, lineage, place of its SQL."""
    return [
        _model_spec(graph, unique_id, node, partitions)
        for unique_id, node in sorted(graph.models.items())
        if node["schema"] in schemas
    ]


def _model_spec(
    graph: DbtGraph, unique_id: str, node: dict[str, Any], partitions: dg.PartitionsDefinition
) -> dg.AssetSpec:
    meta = node["config"].get("meta") or node.get("meta") or {}
    columns = [
        dg.TableColumn(name=name, type=column.get("data_type") or "", description=column.get("description"))
        for name, column in node["columns"].items()
    ]
    sql = DBT_PROJECT / node["original_file_path"]
    return dg.AssetSpec(
        key=graph.key(unique_id),
        deps=sorted(graph.upstream_keys(unique_id)),
        description=node["description"],
        group_name=node["schema"],
        kinds={"dbt", "duckdb"},
        owners=[f"team:{meta['owner']}"] if "owner" in meta else ["team:data-engineering"],
        tags={"materialized": node["config"]["materialized"]},
        metadata={
            "dagster/column_schema": dg.TableSchema(columns=columns),
            "dagster/table_name": f"{node['schema']}.{node['name']}",
            "dagster/code_references": dg.CodeReferencesMetadataValue(
                code_references=[dg.LocalFileCodeReference(file_path=str(sql))]
            ),
        },
        partitions_def=partitions,
    )


def test_specs(graph: DbtGraph, schemas: tuple[str, ...]) -> list[dg.AssetCheckSpec]:
    """One check per dbt data test; a test of severity error blocks what comes after."""
    return [
        dg.AssetCheckSpec(
            name=test["name"],
            asset=graph.key(model),
            description=test.get("description") or None,
            blocking=is_blocking(test),
            additional_deps=None,
        )
        for test, model in _tests_of(graph, schemas)
    ]


def is_blocking(test: dict[str, Any]) -> bool:
    return str(test["config"].get("severity", "error")).lower() == "error"


def test_results(
    graph: DbtGraph, schemas: tuple[str, ...], results: Iterable[NodeResult]
) -> Iterator[dg.AssetCheckResult]:
    """What Dagster is told of each data test. A test that dbt skipped did not run, so it did not pass."""
    by_id = {result.unique_id: result for result in results}
    for test, model in _tests_of(graph, schemas):
        result = by_id.get(test["unique_id"])
        yield dg.AssetCheckResult(
            asset_key=graph.key(model),
            check_name=test["name"],
            passed=result is not None and result.passed,
            severity=dg.AssetCheckSeverity.ERROR if is_blocking(test) else dg.AssetCheckSeverity.WARN,
            metadata={
                "failing_rows": (result.failures or 0) if result else 0,
                "message": (result.message or "") if result else "skipped: a model before it failed",
            },
        )


def _tests_of(graph: DbtGraph, schemas: tuple[str, ...]) -> list[tuple[dict[str, Any], str]]:
    pairs = [(test, graph.tested_model(test)) for _, test in sorted(graph.tests.items())]
    return [(test, model) for test, model in pairs if model is not None and graph.models[model]["schema"] in schemas]
