"""dbt, run inside this process: parse, build a selection, and say what came of every node.

A dbt command started as a process of its own costs seconds of imports each time, and twice that beside Dagster; one
import serves all calls of a run here. Nothing in this module knows Dagster or a table name.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import OpscopeError
from pipelines.settings import DBT_PROJECT, Settings, export_for_dbt


class TransformError(OpscopeError):
    """dbt could not parse or run the project."""


@dataclass(frozen=True)
class NodeResult:
    """What came of one dbt node. `failures` counts the rows a test found."""

    unique_id: str
    status: str
    seconds: float
    failures: int | None
    message: str | None

    @property
    def passed(self) -> bool:
        return self.status in ("success", "pass")


class Transforms:
    """The dbt project on one warehouse."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._target = settings.dbt_target_path
        self._parsed: Any = None

    @property
    def manifest_path(self) -> Path:
        return self._target / "manifest.json"

    def manifest(self) -> dict[str, Any]:
        """The parsed project; parsed anew only when a file of it changed."""
        if not self._is_manifest_current():
            self.parse()
        loaded: dict[str, Any] = json.loads(self.manifest_path.read_text(encoding="utf-8"))
        return loaded

    def parse(self) -> None:
        """Parse the project and keep the result for the builds of this process."""
        self._parsed = self._invoke(["parse"]).result

    def build(self, select: Sequence[str]) -> list[NodeResult]:
        """Run and test the selected models, in the order of their dependencies.

        A failing node or test is a result, not an error; its children are skipped.

        Raises:
            TransformError: dbt could not start or stopped half-way.
        """
        if self._parsed is None:
            self.parse()
        outcome = self._invoke(["build", "--select", *select])
        if outcome.result is None:
            raise TransformError("dbt build", f"stopped ({outcome.exception})", "See dbt.log in the home's dbt folder.")
        return [
            NodeResult(
                unique_id=result.node.unique_id,
                status=str(result.status),
                seconds=float(result.execution_time),
                failures=result.failures,
                message=result.message,
            )
            for result in outcome.result.results
        ]

    def _is_manifest_current(self) -> bool:
        if not self.manifest_path.exists():
            return False
        parsed_at = self.manifest_path.stat().st_mtime_ns
        sources = (path for path in DBT_PROJECT.rglob("*") if path.suffix in (".sql", ".yml", ".csv"))
        return all(path.stat().st_mtime_ns <= parsed_at for path in sources if "target" not in path.parts)

    def _invoke(self, command: list[str]) -> Any:
        from dbt.cli.main import dbtRunner

        export_for_dbt(self._settings)
        self._target.mkdir(parents=True, exist_ok=True)
        arguments = [
            "--quiet",
            "--log-level-file",
            "info",
            "--log-path",
            str(self._target),
            *command,
            "--project-dir",
            str(DBT_PROJECT),
            "--profiles-dir",
            str(DBT_PROJECT),
            "--target-path",
            str(self._target),
        ]
        outcome = dbtRunner(manifest=self._parsed).invoke(arguments)
        if outcome.exception is not None:
            raise TransformError(
                f"dbt {command[0]}", str(outcome.exception), "Mend the model it names; `dbt debug` checks the set-up."
            )
        return outcome
