"""dbt, run inside this process: parse, build a selection, and say what came of every node.

A dbt command started as a process of its own costs seconds of imports each time, and twice that beside Dagster; one
import serves all calls of a run here. Nothing in this module knows Dagster or a table name.
"""

import gc
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipelines.durable import put_whole
from pipelines.errors import OpscopeError
from pipelines.garbage import spare_imported
from pipelines.settings import DBT_PROJECT, Settings, export_for_dbt

PARSED = DBT_PROJECT / "target"
MANIFEST = "manifest.json"
PARTIAL_PARSE = "partial_parse.msgpack"
# Schemas whose models people read; the others are steps on the way.
SHOWN_SCHEMAS = ("marts", "ops", "reports")


class TransformError(OpscopeError):
    """dbt could not parse or run the project."""


@dataclass(frozen=True)
class NodeResult:
    """What came of one dbt node. `failures` counts the rows a test found; `sql` is the query of a test that ran."""

    unique_id: str
    status: str
    seconds: float
    failures: int | None
    message: str | None
    sql: str | None = None

    @property
    def passed(self) -> bool:
        return self.status in ("success", "pass")


class Transforms:
    """The dbt project on one warehouse."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._target = settings.dbt_target_path
        self._shared = PARSED if os.access(DBT_PROJECT, os.W_OK) else self._target / "parsed"
        self._parsed: Any = None

    def manifest(self) -> dict[str, Any]:
        """The parsed project; parsed anew only when a file of it changed."""
        if not _is_parse_current(self._shared):
            self.parse()
        loaded: dict[str, Any] = json.loads((self._shared / MANIFEST).read_text(encoding="utf-8"))
        return loaded

    def parse(self) -> None:
        """Parse the project, or what changed of it, and keep the result for the builds of this process.

        A whole parse takes many seconds, so all homes share one result, beside the project if that can be
        written. dbt would parse anew for each warehouse path it sees; parsing sees a neutral one.
        """
        self._target.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=self._target) as folder:
            if (self._shared / PARTIAL_PARSE).exists():
                shutil.copyfile(self._shared / PARTIAL_PARSE, Path(folder) / PARTIAL_PARSE)
                parsed_before = (Path(folder) / PARTIAL_PARSE).stat().st_mtime_ns
            else:
                parsed_before = None
            export_for_dbt(None)
            self._parsed = self._invoke(["--no-write-json", "parse"], target=Path(folder)).result
            # dbt writes this file when anything had to be parsed; the manifest takes as long to write as all to read.
            if (Path(folder) / PARTIAL_PARSE).stat().st_mtime_ns == parsed_before and _is_parse_current(self._shared):
                return
            self._parsed.write(str(Path(folder) / MANIFEST))
            self._shared.mkdir(exist_ok=True)
            for name in (PARTIAL_PARSE, MANIFEST):
                put_whole(self._shared / name, (Path(folder) / name).read_bytes())

    def digest(self) -> str:
        """What the parsed project is: another one when any file of it, or dbt itself, changed."""
        if self._parsed is None:
            self.parse()
        files = sorted((name, file.checksum.checksum) for name, file in self._parsed.files.items())
        project = (DBT_PROJECT / "dbt_project.yml").read_text(encoding="utf-8")
        told = repr((self._parsed.metadata.dbt_version, project, files))
        return hashlib.sha256(told.encode()).hexdigest()

    def build(self, select: Sequence[str], *, leave_standing: bool = False) -> list[NodeResult]:
        """Run and test the selected models, in the order of their dependencies.

        With `leave_standing`, what rows do not change is left as it is: views, and the comments of tables that are
        kept. A failing node or test is a result, not an error; its children are skipped. Unit tests judge the SQL, not
        the data; they run in the test suite.

        Raises:
            TransformError: dbt could not start or stopped half-way.
        """
        if self._parsed is None:
            self.parse()
        export_for_dbt(self._settings)
        try:
            outcome = self._invoke(
                # The artefacts would name the arguments of this process, whatever they hold; nothing reads them.
                [
                    "--no-write-json",
                    "build",
                    "--exclude-resource-type",
                    "unit_test",
                    "--select",
                    *(self._without_views(select) if leave_standing else select),
                    *("--vars", json.dumps({"leave_comments": leave_standing})),
                ],
                target=self._target,
            )
        finally:
            free_the_warehouse()
        if outcome.result is None:
            raise TransformError(
                "dbt build",
                f"stopped ({outcome.exception})",
                "Run the same day again; `dbt debug` checks the set-up.",
            )
        return [
            NodeResult(
                unique_id=result.node.unique_id,
                status=str(result.status),
                seconds=float(result.execution_time),
                failures=result.failures,
                message=result.message,
                sql=getattr(result.node, "compiled_code", None),
            )
            for result in outcome.result.results
        ]

    def _without_views(self, select: Sequence[str]) -> list[str]:
        """The selected paths without their views: to exclude these would exclude every test that looks at one."""
        criteria = []
        for path in select:
            kinds = self._kinds_below(path.removeprefix("path:"))
            if "view" in kinds:
                others = [f"config.materialized:{kind}" for kind in sorted(kinds - {"view"})]
                criteria += [f"{path},{other}" for other in (*others, "resource_type:test")]
            else:
                criteria.append(path)
        return criteria

    def _kinds_below(self, folder: str) -> set[str]:
        nodes = [node for node in self._parsed.nodes.values() if node.resource_type in ("model", "seed")]
        return {node.config.materialized for node in nodes if node.original_file_path.startswith(f"{folder}/")}

    def _invoke(self, command: list[str], target: Path) -> Any:
        from dbt.cli.main import dbtRunner

        from pipelines.dbt_events import only_warnings

        spare_imported("dbt")
        arguments = [
            "--quiet",
            # dbt leaves its log file open from one call to the next; what went wrong is in the results.
            *("--log-level-file", "none"),
            *("--log-path", str(target)),
            *command,
            *("--project-dir", str(DBT_PROJECT)),
            *("--profiles-dir", str(DBT_PROJECT)),
            *("--target-path", str(target)),
        ]
        with only_warnings():
            outcome = dbtRunner(manifest=self._parsed).invoke(arguments)
        if outcome.exception is not None:
            raise TransformError(
                f"dbt {command[0]}", str(outcome.exception), "Mend the model it names; `dbt debug` checks the set-up."
            )
        return outcome


def _is_parse_current(folder: Path) -> bool:
    if not (folder / MANIFEST).exists():
        return False
    parsed_at = (folder / MANIFEST).stat().st_mtime_ns
    # Of a file that was taken away, only its folder's time tells.
    sources = (path for path in DBT_PROJECT.rglob("*") if path.suffix in (".sql", ".yml", ".csv") or path.is_dir())
    return all(path.stat().st_mtime_ns <= parsed_at for path in sources if PARSED not in (path, *path.parents))


def free_the_warehouse() -> None:
    """Close dbt's connection; it stays open between models, as opening it for each costs a third of the build."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    manager: Any = DuckDBConnectionManager
    manager.close_all_connections()
    # A cycle of dbt's own objects may still hold the connection, and with it the file.
    gc.collect()


@dataclass(frozen=True)
class DbtTest:
    """One dbt data test and the shown table it is about."""

    unique_id: str
    name: str
    table: str
    is_blocking: bool
    description: str


def _in_words(test: Mapping[str, Any]) -> str:
    """What a test of a common kind holds, from its arguments."""
    arguments = (test.get("test_metadata") or {}).get("kwargs", {})
    if "keys" in arguments:
        keys = " or the same ".join(", ".join(key) for key in arguments["keys"])
        return f"No two rows have the same {keys}."
    if "rules" in arguments:
        return f"In every row: {', '.join(name.replace('_', ' ') for name in arguments['rules'])}."
    return ""


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

    def tests_of(self, schemas: Iterable[str]) -> list["DbtTest"]:
        """The data tests shown with the models of the schemas, in a fixed order."""
        tests = [node for _, node in sorted(self.manifest["nodes"].items()) if node["resource_type"] == "test"]
        shown = [(test, self._tested_model(test)) for test in tests]
        return [
            DbtTest(
                unique_id=test["unique_id"],
                name=test["name"],
                table=self.table(model),
                is_blocking=str(test["config"].get("severity", "error")).lower() == "error",
                description=test.get("description") or _in_words(test),
            )
            for test, model in shown
            if model is not None and self.models[model]["schema"] in set(schemas)
        ]

    def tables_of(self, schemas: Iterable[str]) -> list[str]:
        """The shown tables of the schemas, each after those it is built from."""
        wanted = set(schemas)
        parents = {self.table(name): sorted(self.upstream_tables(name)) for name in sorted(self.models)}
        return [
            table
            for table in TopologicalSorter(parents).static_order()
            if table in parents and _schema(table) in wanted
        ]

    def table(self, unique_id: str) -> str:
        """schema.table of a model or source."""
        node = self.manifest["nodes"].get(unique_id) or self.manifest["sources"][unique_id]
        return f"{node['schema']}.{node['name']}"

    def _tested_model(self, test: dict[str, Any]) -> str | None:
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

    def upstream_tables(self, unique_id: str) -> set[str]:
        """The nearest shown tables a model is built from, hidden models skipped; evidence tables are left out."""
        tables: set[str] = set()
        # A seed depends on nothing, and has no list to say so.
        for parent in self.manifest["nodes"][unique_id]["depends_on"].get("nodes", ()):
            if parent in self.models:
                tables.add(self.table(parent))
            elif parent.startswith("source."):
                if self.manifest["sources"][parent]["schema"] != "ops":
                    tables.add(self.table(parent))
            elif parent in self.manifest["nodes"]:
                tables |= self.upstream_tables(parent)
        return tables

    def _first_shown_descendant(self, unique_id: str) -> str | None:
        """The nearest mart built from a model, or else the nearest shown table.

        A hidden model is built and tested with the marts, so its tests must not be asked of a report that reads it.
        """
        queue = list(self.manifest["child_map"].get(unique_id, ()))
        seen: set[str] = set()
        nearest = None
        while queue:
            child = queue.pop(0)
            if child in self.models:
                if self.models[child]["schema"] == SHOWN_SCHEMAS[0]:
                    return str(child)
                nearest = nearest or str(child)
            elif child not in seen:
                seen.add(child)
                queue += self.manifest["child_map"].get(child, ())
        return nearest


def _schema(table: str) -> str:
    return table.partition(".")[0]
