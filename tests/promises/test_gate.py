"""The gate: on a finished warehouse every blocking check refuses the defect planted for it, and nothing else does.

The checks are those the product itself says it has, so a new one without a planted defect fails here.
"""

import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from pipelines.assets.publish import published_assets
from pipelines.definitions import installation_of
from pipelines.errors import PublishRefusedError
from pipelines.instance import open_instance
from pipelines.publishing.versions import current_version, verify
from pipelines.quality.checks import DbtOutcome, expected_checks, record_dbt_results, run_checks
from pipelines.quality.gate import refusals
from pipelines.quality.rules import Stage
from pipelines.quality.versions import stamp_versions
from pipelines.release import computed_days
from pipelines.transforms import SHOWN_SCHEMAS, DbtTest, NodeResult
from tests.promises.defects import STAGES, Defect, dbt_defects, declared_defects
from tests.promises.installed import Installed

SEED = 20260101
Checks = set[tuple[str, str]]


@dataclass(frozen=True)
class Served:
    """What readers have: the version, and the digest of every table, its bytes verified."""

    version: str | None
    digests: dict[str, str]

    @classmethod
    def of(cls, company: Installed) -> "Served":
        version = current_version(company.settings)
        assert version is not None
        return cls(version, {name: table.digest for name, table in verify(company.settings, version).tables.items()})


@pytest.fixture(scope="module")
def expected(company: Installed) -> dict[str, frozenset[str]]:
    return expected_checks(company.graph.tests_of(SHOWN_SCHEMAS))


@pytest.fixture(scope="module")
def blocking_tests(company: Installed) -> list[DbtTest]:
    return [test for test in company.graph.tests_of(SHOWN_SCHEMAS) if test.is_blocking]


@pytest.fixture(scope="module")
def defects(company: Installed, blocking_tests: list[DbtTest]) -> tuple[list[Defect], list[Defect]]:
    """Of the declared rules, and of dbt's tests."""
    with company.warehouse.read() as connection:
        return list(declared_defects(connection)), list(dbt_defects(connection, company.graph, blocking_tests))


@pytest.fixture
def spoiled(company: Installed, tmp_path: Path) -> Installed:
    """A copy of the company, to be spoiled."""
    return company.copy(tmp_path / "home")


def plant(connection: duckdb.DuckDBPyConnection, planted: list[Defect]) -> None:
    for defect in planted:
        for statement in defect.sql.split("; "):
            (changed,) = connection.execute(statement).fetchone() or (0,)
            assert changed > 0, f"{defect} changes nothing: {statement}"


def refused(company: Installed, expected: dict[str, frozenset[str]]) -> dict[tuple[str, str], str]:
    """Why the gate refuses, by table and check."""
    with company.warehouse.read() as connection:
        found = refusals(connection, computed_days(connection), expected)
    return {(each.asset, each.check_name): each.problem for each in found}


def assert_refused_to_publish(company: Installed, before: Served) -> None:
    with pytest.raises(PublishRefusedError):
        company.publish("after")
    assert Served.of(company) == before


def judge(company: Installed) -> dict[tuple[str, str], bool]:
    """Have every declared rule judged on every day as the steps of a run do; whether it held on all of them."""
    held: dict[tuple[str, str], bool] = {}
    for stage in STAGES:
        for outcome in run_checks(company.warehouse, stage, company.days, run_id="judge"):
            if outcome.is_blocking:
                check = (outcome.asset, outcome.check_name)
                held[check] = held.get(check, True) and outcome.passed
    return held


# ---------------------------------------------------------------- every check, its defect, and clean data


def test_every_blocking_check_has_a_planted_defect(
    defects: tuple[list[Defect], list[Defect]], expected: dict[str, frozenset[str]]
) -> None:
    planted = {(defect.table, defect.name) for found in defects for defect in found}
    assert planted == {(table, name) for table, names in expected.items() for name in names}


def test_clean_data_passes_every_blocking_check(
    company: Installed, expected: dict[str, frozenset[str]], evidence: Callable[..., None]
) -> None:
    """The company's own run judged everything; its version could not have been published otherwise."""
    assert current_version(company.settings) is not None
    assert refused(company, expected) == {}
    with company.warehouse.read() as connection:
        (judged, failed) = connection.execute(
            "select count(*), count(*) filter (not passed) from ops.check_results where is_blocking"
        ).fetchone() or (0, 0)
    assert failed == 0
    evidence("P10", "clean data of five days passes every blocking check on every day it is judged for", trials=judged)


def test_every_declared_rule_catches_its_defects_and_the_gate_refuses(
    company: Installed,
    tmp_path: Path,
    defects: tuple[list[Defect], list[Defect]],
    expected: dict[str, frozenset[str]],
    evidence: Callable[..., None],
) -> None:
    """Round by round one defect per table and stage, so that rounds are few and defects do not meet."""
    before = Served.of(company)
    declared, _ = defects
    alone: Checks = set()
    spoiled = company.copy(tmp_path / "home")
    for stage, planted in rounds(declared):
        shutil.copyfile(company.warehouse.path, spoiled.warehouse.path)
        with spoiled.warehouse.write() as connection:
            plant(connection, planted)
        outcomes = run_checks(spoiled.warehouse, stage, spoiled.days, run_id="judge")
        failed = [each for each in outcomes if each.is_blocking and not each.passed]
        for defect in planted:
            days = {defect.day} if defect.day else set(spoiled.days)
            caught = {each.check_name for each in failed if each.asset == defect.table and each.partition_on in days}
            assert defect.name in caught, str(defect)
            if caught == {defect.name}:
                alone.add((defect.table, defect.name))
        found = {(each.asset, each.check_name) for each in failed}
        assert {table for table, _ in found} == {defect.table for defect in planted}
        assert set(refused(spoiled, expected).items()) == {(check, "failed") for check in found}
        assert_refused_to_publish(spoiled, before)
    assert {(defect.table, defect.name) for defect in declared} - alone == set()
    evidence(
        "P10",
        "a defect planted in a finished warehouse is caught by the declared rule it is meant for and refused by the "
        f"gate, with pointer and digests unchanged; each of the {len(alone)} blocking rules catches one that no other "
        "rule of its stage sees",
        trials=len(declared),
    )


def rounds(declared: list[Defect]) -> Iterator[tuple[Stage, list[Defect]]]:
    """Of each stage the defects in turn, at most one per table, or per table and day where it stands on a day."""
    for stage in STAGES:
        queues: dict[tuple[str, date | None], list[Defect]] = {}
        for defect in (each for each in declared if each.table.startswith(f"{stage}.")):
            queues.setdefault((defect.table, defect.day), []).append(defect)
        for number in range(max(map(len, queues.values()))):
            yield stage, [queue[number] for queue in queues.values() if number < len(queue)]


# ---------------------------------------------------------------- dbt's tests


def run_dbt_tests(company: Installed) -> dict[str, NodeResult]:
    """Run dbt's data tests alone, and keep their outcomes as a run does."""
    results = {result.unique_id: result for result in company.transforms.build(["test_type:data"])}
    for stage, schemas in (("marts", ("marts", "ops")), ("reports", ("reports",))):
        outcomes = [DbtOutcome(test, results.get(test.unique_id)) for test in company.graph.tests_of(schemas)]
        record_dbt_results(company.warehouse, stage, outcomes, company.days, run_id="tests")
    return results


def test_every_dbt_test_catches_its_defects_and_the_gate_refuses(
    company: Installed,
    spoiled: Installed,
    blocking_tests: list[DbtTest],
    defects: tuple[list[Defect], list[Defect]],
    expected: dict[str, frozenset[str]],
    evidence: Callable[..., None],
) -> None:
    before = Served.of(company)
    clean = run_dbt_tests(spoiled)
    assert {test.name for test in blocking_tests if not clean[test.unique_id].passed} == set()
    assert refused(spoiled, expected) == {}

    alone = {}
    queries = {(test.table, test.name): clean[test.unique_id].sql or "" for test in blocking_tests}
    _, planted = defects
    with spoiled.warehouse.write() as connection:
        for defect in planted:
            connection.begin()
            plant(connection, [defect])
            caught = {check for check, sql in queries.items() if connection.execute(sql).fetchone() is not None}
            connection.rollback()
            assert (defect.table, defect.name) in caught, str(defect)
            alone[defect.table, defect.name] = alone.get((defect.table, defect.name), False) or len(caught) == 1
        once = {(defect.table, defect.name): defect for defect in planted}
        plant(connection, list(once.values()))
    assert {check for check, is_alone in alone.items() if not is_alone} == set()

    results = run_dbt_tests(spoiled)
    # dbt does not run what comes behind a failed test; what did not run has not passed.
    assert {results[test.unique_id].status for test in blocking_tests} == {"fail", "skipped"}
    assert refused(spoiled, expected) == {(test.table, test.name): "failed" for test in blocking_tests}
    assert_refused_to_publish(spoiled, before)
    evidence(
        "P10",
        "a defect planted in a finished warehouse is caught by the dbt test it is meant for; each of the "
        f"{len(alone)} blocking tests catches one that no other dbt test sees, and after a run of dbt with one planted "
        "for each the gate refuses for all of them",
        trials=len(planted),
    )


# ---------------------------------------------------------------- failed, missing, stale, raised, interrupted


CHANGES = {
    "failed": "update ops.check_results set passed = false where {check}",
    "missing": "delete from ops.check_results where {check}",
    "stale": "update ops.check_results set table_version = 'an older one' where {check}",
}


def test_one_outcome_alone_refuses(
    spoiled: Installed,
    expected: dict[str, frozenset[str]],
    trials: Callable[[int, int], int],
    evidence: Callable[..., None],
) -> None:
    """Of each check the outcome of one day; in the small tier one of the three problems each, in turn."""
    checks = [(table, name) for table, names in sorted(expected.items()) for name in sorted(names)]
    tried = 0
    with spoiled.warehouse.write() as connection:
        days = computed_days(connection)
        for number, (table, name) in enumerate(checks):
            partitions = connection.execute(
                "select partition_on from ops.table_versions where table_name = ? order by 1", [table]
            ).fetchall()
            (day,) = partitions[number % len(partitions)]
            check = f"asset = '{table}' and check_name = '{name}' and partition_on = '{day}'"
            for problem in list(CHANGES) if trials(0, 1) else [list(CHANGES)[number % len(CHANGES)]]:
                connection.begin()
                connection.execute(CHANGES[problem].format(check=check))
                found = refusals(connection, days, expected)
                connection.rollback()
                assert [(each.problem, each.asset, each.check_name, each.partition_on) for each in found] == [
                    (problem, table, name, day)
                ]
                tried += 1
    evidence(
        "P10",
        f"of each of the {len(checks)} blocking checks one outcome on one day, failed, missing or of an older version "
        "of the table, refuses on its own and is named",
        trials=tried,
    )


def test_checks_that_cannot_be_measured_refuse(
    company: Installed, spoiled: Installed, expected: dict[str, frozenset[str]], evidence: Callable[..., None]
) -> None:
    """Every table that a rule looks at is another table now: every rule and every dbt test raises."""
    before = Served.of(company)
    with spoiled.warehouse.write() as connection:
        for table in expected:
            schema, _, name = table.partition(".")
            connection.execute(f"alter table {table} rename to {name}_away")
            connection.execute(f"create table {table} as select date '2026-06-30' as as_of, 1 as nothing")
            assert schema
    held = judge(spoiled)
    assert not any(held.values())
    results = run_dbt_tests(spoiled)
    raised = [test for test in company.graph.tests_of(SHOWN_SCHEMAS) if results[test.unique_id].status == "error"]
    assert raised
    failed = {check for check, problem in refused(spoiled, expected).items() if problem == "failed"}
    assert failed >= {check for check, is_held in held.items() if not is_held}
    assert failed >= {(test.table, test.name) for test in raised if test.is_blocking}
    assert_refused_to_publish(spoiled, before)
    evidence("P10", "a blocking check that raises is a failed one and refuses", trials=len(held) + len(raised))


def test_a_judge_killed_at_any_moment_leaves_nothing_to_publish(
    company: Installed,
    spoiled: Installed,
    expected: dict[str, frozenset[str]],
    trials: Callable[[int, int], int],
    evidence: Callable[..., None],
) -> None:
    """The tables of a stage are new versions; the process that judges them is killed after a random time."""
    before, moments = Served.of(company), random.Random(SEED)
    killed = 0
    for number in range(trials(8, 100)):
        stage = STAGES[number % len(STAGES)]
        tables = [table for table in expected if table.startswith(f"{stage}.")]
        with spoiled.warehouse.transaction() as connection:
            stamp_versions(connection, tables, spoiled.days, "night")
        child = os.fork()
        if child == 0:
            run_checks(spoiled.warehouse, stage, spoiled.days, run_id="killed")
            os._exit(0)
        time.sleep(moments.uniform(0.01, 0.4))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        killed += os.WIFSIGNALED(status)
        found = refused(spoiled, expected)
        assert set(found.values()) <= {"stale", "missing"}
        if found:
            assert_refused_to_publish(spoiled, before)
        run_checks(spoiled.warehouse, stage, spoiled.days, run_id="again")
    assert killed
    evidence("P10", "checks killed while they judge leave what they had not judged stale", trials=killed, seed=SEED)


def test_the_publish_asset_launched_alone_asks_the_gate(
    company: Installed, spoiled: Installed, evidence: Callable[..., None]
) -> None:
    """From the UI somebody materializes `published/analytics` and nothing else.

    The check report cannot be written meanwhile, which must not hide why the step failed.
    """
    before = Served.of(company)
    installation = installation_of(spoiled.settings)
    spoiled.settings.reports_path.write_text("a file where the folder should be")

    def failure() -> str:
        with open_instance(spoiled.settings) as instance:
            result = dg.materialize(
                [published_assets(installation, spoiled.graph)],
                partition_key=str(spoiled.days[-1]),
                instance=instance,
                raise_on_error=False,
            )
        failed = [event.step_failure_data for event in result.all_events if event.is_step_failure]
        return "".join(each.user_failure_data.description or "" for each in failed if each.user_failure_data)

    assert failure() == ""
    with spoiled.warehouse.transaction() as connection:
        connection.execute("delete from marts.dim_products where product_key = -1")
        stamp_versions(connection, ["marts.dim_products"], spoiled.days, "by hand")
    assert "stale: marts.dim_products.unknown_member_once" in failure()
    run_checks(spoiled.warehouse, "marts", spoiled.days, run_id="judge")
    assert "failed: marts.dim_products.unknown_member_once" in failure()
    assert Served.of(spoiled) == before
    evidence("P10", "the publish asset launched alone in Dagster is refused on unjudged and on failed tables", trials=2)
