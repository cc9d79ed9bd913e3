"""The checks: measure, have it judged, and keep every outcome per check, table and partition.

Outcomes of dbt's own tests are kept in the same place and form. Which rules there are is `suites`' business.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa

from pipelines.quality.gx import Verdict, failures
from pipelines.quality.measures import PARTITION, label_column, measure
from pipelines.quality.rules import Rule, Stage, Suite
from pipelines.quality.suites import suites
from pipelines.quality.versions import UNWRITTEN, Versions, standing_versions
from pipelines.resources import Warehouse
from pipelines.settings import audit_time
from pipelines.transforms import DbtTest, NodeResult


@dataclass(frozen=True)
class CheckOutcome:
    """What came of one check on one partition of one table (`asset`), of the version it had then.

    `failed_rows` counts violating rows where the check is about rows. `observed` says what was measured; it holds
    counts, rates and column names, never a delivered value.
    """

    asset: str
    check_name: str
    partition_on: date
    stage: Stage
    source: str
    is_blocking: bool
    passed: bool
    failed_rows: int | None
    observed: str
    message: str
    table_version: str


@dataclass(frozen=True)
class DbtOutcome:
    """What came of one dbt data test, and the table it is about; no result when it was not run."""

    name: str
    asset: str
    is_blocking: bool
    result: NodeResult | None


# ---------------------------------------------------------------- declared rules


def run_checks(
    warehouse: Warehouse, stage: Stage, partitions: Iterable[date], *, run_id: str | None
) -> list[CheckOutcome]:
    """Judge the partitions by every rule of the stage, keep the outcomes and return them.

    Partitions of earlier runs whose blocking rules do not stand as passed (failed then, interrupted, or a rule is new)
    are judged with them, so a cured table is let through without anybody naming its days. A rule that cannot be
    measured or judged is an outcome that did not pass, never an exception.
    """
    requested = set(partitions)
    measured: list[tuple[Suite, pd.DataFrame]] = []
    outcomes: list[CheckOutcome] = []
    with warehouse.read() as connection:
        versions = standing_versions(connection)
        for suite in _applicable(connection, stage):
            judged = requested | _unsettled(connection, suite.asset, [rule.name for rule in suite.rules], "gx")
            if not judged:
                continue
            try:
                measured.append((suite, measure(connection, suite, judged)))
            except duckdb.Error as error:
                outcomes += _unmeasurable(suite, judged, error, versions)
    outcomes += _judged(measured, versions)
    _keep(warehouse, outcomes, run_id)
    return outcomes


def _applicable(connection: duckdb.DuckDBPyConnection, stage: Stage) -> list[Suite]:
    """The suites of the stage; those of a feed that never delivered a file have nothing to judge."""
    delivered = {row[0] for row in connection.execute("select distinct feed from ops.files").fetchall()}
    written = {row[0] for row in connection.execute("select distinct table_name from ops.table_versions").fetchall()}
    return [suite for suite in suites(stage) if not suite.feed or suite.feed in delivered or suite.asset in written]


def _judged(measured: Sequence[tuple[Suite, pd.DataFrame]], versions: Versions) -> list[CheckOutcome]:
    """One validation for all frames together: its cost is per rule, not per table or partition."""
    rules = [rule for suite, _ in measured for rule in suite.rules]
    verdicts = iter(failures(pd.concat([frame for _, frame in measured], ignore_index=True), rules) if measured else [])
    outcomes, offset = [], 0
    for suite, frame in measured:
        rows = frame.to_dict("records")
        for rule in suite.rules:
            verdict = next(verdicts)
            for position, row in enumerate(rows):
                version = versions.get((suite.asset, row[PARTITION]), UNWRITTEN)
                outcomes.append(_outcome(suite, rule, row, verdict, offset + position, version))
        offset += len(frame)
    return outcomes


def _outcome(
    suite: Suite, rule: Rule, row: Mapping[Any, Any], verdict: Verdict, position: int, version: str
) -> CheckOutcome:
    lacking = not rule.may_lack_measure and any(pd.isna(row[column]) for column in rule.columns)
    error = verdict.error or ("a measure has no value" if lacking else None)
    passed = error is None and position not in verdict.failed_rows
    return CheckOutcome(
        asset=suite.asset,
        check_name=rule.name,
        partition_on=row[PARTITION],
        stage=suite.stage,
        source="gx",
        is_blocking=rule.is_blocking,
        passed=passed,
        failed_rows=int(row[rule.name]) if rule.violations else None,
        observed=_observed(rule, row),
        message=f"could not be judged: {error}" if error else "" if passed else rule.reason,
        table_version=version,
    )


def _observed(rule: Rule, row: Mapping[Any, Any]) -> str:
    if rule.violations:
        counted = {label: row[label_column(rule, label)] for label in rule.violations}
        found = [f"{label} {_number(count)}" for label, count in counted.items() if count]
        return ", ".join(found) or "0"
    if len(rule.columns) == 1:
        return _number(row[rule.columns[0]])
    larger, smaller = (_number(row[column]) for column in rule.columns)
    return f"{larger}, which must not be below {smaller}"


def _number(value: float) -> str:
    return "no value" if pd.isna(value) else f"{value:,.4f}".rstrip("0").rstrip(".")


def _unmeasurable(
    suite: Suite, partitions: Collection[date], error: duckdb.Error, versions: Versions
) -> list[CheckOutcome]:
    cause = str(error).splitlines()[0]
    return [
        CheckOutcome(
            asset=suite.asset,
            check_name=rule.name,
            partition_on=day,
            stage=suite.stage,
            source="gx",
            is_blocking=rule.is_blocking,
            passed=False,
            failed_rows=None,
            observed="no value",
            message=f"could not be measured: {cause}",
            table_version=versions.get((suite.asset, day), UNWRITTEN),
        )
        for rule in suite.rules
        for day in sorted(partitions)
    ]


# ---------------------------------------------------------------- dbt tests


def record_dbt_results(
    warehouse: Warehouse, stage: Stage, tests: Iterable[DbtOutcome], partitions: Iterable[date], *, run_id: str | None
) -> list[CheckOutcome]:
    """Keep the outcomes of dbt's data tests for every partition of the run, and return them.

    A dbt test looks at its whole table, so its verdict also settles partitions of earlier runs for which it does not
    stand as passed. A test that was skipped or not run did not pass.
    """
    requested = set(partitions)
    outcomes = []
    with warehouse.read() as connection:
        versions = standing_versions(connection)
        for test in tests:
            days = requested | _unsettled(connection, test.asset, [test.name], "dbt")
            outcomes += [_dbt_outcome(test, stage, day, versions) for day in sorted(days)]
    _keep(warehouse, outcomes, run_id)
    return outcomes


def _dbt_outcome(test: DbtOutcome, stage: Stage, day: date, versions: Versions) -> CheckOutcome:
    status = test.result.status if test.result else "not run"
    failures_found = test.result.failures if test.result else None
    # A test of severity error that dbt only warns of is within the bound its author set with error_if.
    passed = status == "pass" or (status == "warn" and test.is_blocking)
    return CheckOutcome(
        asset=test.asset,
        check_name=test.name,
        partition_on=day,
        stage=stage,
        source="dbt",
        is_blocking=test.is_blocking,
        passed=passed,
        failed_rows=failures_found,
        observed=status if failures_found is None else f"{failures_found} failing rows",
        message="" if passed else (test.result.message if test.result else None) or status,
        table_version=versions.get((test.asset, day), UNWRITTEN),
    )


# ---------------------------------------------------------------- what must exist, what is kept


def expected_checks(tests: Iterable[DbtTest] = ()) -> dict[str, frozenset[str]]:
    """The closed list of blocking checks per table: the declared rules, and the given dbt data tests."""
    stages: tuple[Stage, ...] = ("raw", "marts", "ml", "reports")
    expected: dict[str, set[str]] = {}
    for suite in (suite for stage in stages for suite in suites(stage)):
        expected.setdefault(suite.asset, set()).update(rule.name for rule in suite.rules if rule.is_blocking)
    for test in tests:
        if test.is_blocking:
            expected.setdefault(test.table, set()).add(test.name)
    return {asset: frozenset(names) for asset, names in expected.items()}


def _unsettled(connection: duckdb.DuckDBPyConnection, asset: str, names: list[str], source: str) -> set[date]:
    """Partitions of a table for which one of the checks has no outcome for the version that stands, or failed."""
    rows = connection.execute(
        """
        select v.partition_on
        from ops.table_versions as v
        left join ops.check_results as r
            on r.asset = v.table_name and r.partition_on = v.partition_on and r.table_version = v.version
            and r.source = $source and list_contains($names, r.check_name) and (r.passed or not r.is_blocking)
        where v.table_name = $asset
        group by all
        having count(r.check_name) < len($names)
        """,
        {"asset": asset, "names": names, "source": source},
    ).fetchall()
    return {day for (day,) in rows}


def _keep(warehouse: Warehouse, outcomes: Sequence[CheckOutcome], run_id: str | None) -> None:
    if not outcomes:
        return
    kept = pa.Table.from_pylist([asdict(outcome) for outcome in outcomes])
    with warehouse.transaction() as connection:
        connection.register("outcomes", kept)
        connection.execute(
            """
            insert or replace into ops.check_results by name
            select *, cast($run_id as varchar) as run_id, cast($checked_at as timestamp) as checked_at from outcomes
            """,
            {"run_id": run_id, "checked_at": audit_time()},
        )
        connection.unregister("outcomes")
