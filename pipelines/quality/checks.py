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

# Columns of dbt tests that count what they found by name (dbt_project/tests/generic); the names are ours.
COUNTED_BY_NAME = (["rule_name", "broken_rows"], ["column_name", "orphaned_rows"], ["key_columns", "repeated"])


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
    """What came of one dbt data test; no result when it was not run."""

    test: DbtTest
    result: NodeResult | None

    @property
    def passed(self) -> bool:
        """Only what dbt ran and found nothing with has passed."""
        return self.result is not None and self.result.passed


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
    known = [(suite.asset, rule.name) for suite in suites(stage) for rule in suite.rules]
    _keep(warehouse, stage, "gx", known, outcomes, run_id)
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
        value = row[rule.columns[0]]
        return f"{_number(100 * value)} %" if rule.is_share and not pd.isna(value) else _number(value)
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
    requested, given = set(partitions), list(tests)
    outcomes = []
    with warehouse.read() as connection:
        versions = standing_versions(connection)
        for each in given:
            days = requested | _unsettled(connection, each.test.table, [each.test.name], "dbt")
            observed = _dbt_observed(connection, each)
            outcomes += [_dbt_outcome(each, observed, stage, day, versions) for day in sorted(days)]
    _keep(warehouse, stage, "dbt", [(each.test.table, each.test.name) for each in given], outcomes, run_id)
    return outcomes


def _dbt_outcome(each: DbtOutcome, observed: str, stage: Stage, day: date, versions: Versions) -> CheckOutcome:
    test, result = each.test, each.result
    # dbt's own message of a failed test only counts the rows again; the test's description says what they mean.
    said = result.message if result and result.failures is None else test.description
    return CheckOutcome(
        asset=test.table,
        check_name=test.name,
        partition_on=day,
        stage=stage,
        source="dbt",
        is_blocking=test.is_blocking,
        passed=each.passed,
        failed_rows=result.failures if result else None,
        observed=observed,
        message="" if each.passed else said or observed,
        table_version=versions.get((test.table, day), UNWRITTEN),
    )


def _dbt_observed(connection: duckdb.DuckDBPyConnection, each: DbtOutcome) -> str:
    """What a test found: how many rows, and of which of its rules, keys or columns where its SQL counts them by name.

    A test whose SQL gives the rows themselves is only counted: they hold delivered values.
    """
    if each.result is None or each.result.failures is None:
        return each.result.status if each.result else "not run"
    found = each.result.failures
    rows = f"{found:,} failing {'row' if found == 1 else 'rows'}"
    if each.passed or not each.result.sql:
        return rows
    counted = connection.execute(each.result.sql)
    if [column[0] for column in counted.description or ()] not in COUNTED_BY_NAME:
        return rows
    return f"{rows}: " + ", ".join(f"{name} {count:,}" for name, count in counted.fetchall())


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


def _keep(
    warehouse: Warehouse,
    stage: Stage,
    source: str,
    known: Sequence[tuple[str, str]],
    outcomes: Sequence[CheckOutcome],
    run_id: str | None,
) -> None:
    """Store the outcomes, and forget those of checks that the stage has no more: nobody would ever cure them."""
    kept = pa.Table.from_pylist([asdict(outcome) for outcome in outcomes])
    with warehouse.transaction() as connection:
        connection.execute(
            """
            delete from ops.check_results
            where stage = $stage and source = $source and not list_contains($known, asset || ':' || check_name)
            """,
            {"stage": stage, "source": source, "known": [f"{asset}:{name}" for asset, name in known]},
        )
        if not outcomes:
            return
        connection.register("outcomes", kept)
        connection.execute(
            """
            insert or replace into ops.check_results by name
            select *, cast($run_id as varchar) as run_id, cast($checked_at as timestamp) as checked_at from outcomes
            """,
            {"run_id": run_id, "checked_at": audit_time()},
        )
        connection.unregister("outcomes")
