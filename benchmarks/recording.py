"""The SQL that dbt sends to DuckDB: taken down while dbt builds, and run again without dbt.

Only what reads or changes rows is run again, not dbt's questions to the catalogue: the replay is the least that the
same result costs.
"""

import re
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.measure import Cost
from pipelines.settings import DBT_PROJECT, Settings, export_for_dbt
from pipelines.transforms import PARSED, PARTIAL_PARSE, Transforms

COMMENT = re.compile(r"\A\s*/\*.*?\*/\s*", re.DOTALL)
QUESTIONS = ("select", "describe", "pragma", "show")


@dataclass(frozen=True)
class Statement:
    """One statement and the dbt node it was sent for, such as `model.opscope.fct_order_lines`."""

    node: str
    sql: str

    @property
    def kind(self) -> str:
        """`model` or `test`; empty for what dbt sends on its own account."""
        return self.node.partition(".")[0]

    @property
    def does_work(self) -> bool:
        """Models ask only the catalogue and write everything else; tests only ask, about rows."""
        is_question = self.sql.lower().startswith(QUESTIONS)
        return (self.kind == "model" and not is_question) or (self.kind == "test" and is_question)


def statement(node: str, sent: str) -> Statement:
    """A statement as dbt sent it, without dbt's comment and the last semicolon."""
    return Statement(node, COMMENT.sub("", sent).strip(" \n;"))


def parsed(settings: Settings) -> Any:
    """The project as dbt has parsed it, for a build of this process; only what changed since is parsed anew."""
    Transforms(settings).manifest()
    settings.dbt_target_path.mkdir(parents=True, exist_ok=True)
    if (PARSED / PARTIAL_PARSE).exists():
        shutil.copyfile(PARSED / PARTIAL_PARSE, settings.dbt_target_path / PARTIAL_PARSE)
    export_for_dbt(None)
    return _invoke(["parse"], settings.dbt_target_path).result


def record_build(settings: Settings, select: Sequence[str], *extra: str, manifest: Any = None) -> list[Statement]:
    """Build the selection with dbt as the product does, and return what did work, in order.

    Raises:
        RuntimeError: a node failed.
    """
    statements: list[Statement] = []

    def note(event: Any) -> None:
        if event.info.name == "SQLQuery":
            statements.append(statement(str(event.data.node_info.unique_id), event.data.sql))

    build = ["build", "--exclude-resource-type", "unit_test", "--select", *select, *extra]
    export_for_dbt(settings)
    _invoke(build, settings.dbt_target_path, manifest=manifest, callbacks=[note])
    return [each for each in statements if each.does_work]


def _invoke(command: list[str], target_path: Path, **given: Any) -> Any:
    from dbt.cli.main import dbtRunner

    folders = ["--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT)]
    target = ["--target-path", str(target_path), "--log-path", str(target_path)]
    quietly = ["--quiet", "--log-level-file", "none", "--no-write-json"]
    outcome = dbtRunner(**given).invoke([*quietly, *command, *folders, *target])
    if not outcome.success:
        raise RuntimeError(f"dbt {command[0]} failed: {outcome.exception or outcome.result}")
    return outcome


def replay(connection: duckdb.DuckDBPyConnection, statements: Sequence[Statement]) -> dict[str, Cost]:
    """Run the statements in order, fetching what they return; costs by node, without its kind and project."""
    costs: dict[str, Cost] = {}
    for each in statements:
        name = each.node.split(".")[-1]
        costs[name] = costs.get(name, Cost(0, 0)) + run_statement(connection, each.sql)
    return costs


def run_statement(connection: duckdb.DuckDBPyConnection, sql: str) -> Cost:
    """Run a statement, fetch what it returns, and say what it cost with all threads of this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    answered = connection.execute(sql)
    if answered.description:
        answered.fetchall()
    return Cost(time.perf_counter() - wall, time.process_time() - cpu)
