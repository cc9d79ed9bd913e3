"""How checks are run and kept: every outcome stored, nothing passes by accident, and what was cured is let through."""

from dataclasses import replace
from datetime import date, timedelta

import pandas as pd
import pytest
from deliveries import deliver, file_id

from pipelines.errors import PublishRefusedError
from pipelines.modelling.stage import TABLES
from pipelines.quality.checks import DbtOutcome, expected_checks, record_dbt_results, run_checks
from pipelines.quality.gate import refusals, require_publishable
from pipelines.quality.gx import Verdict, failures
from pipelines.quality.rules import Rule, at_least, at_most, none_where
from pipelines.quality.suites import suites
from pipelines.quality.versions import UNWRITTEN, stamp_versions, standing_versions
from pipelines.resources import Warehouse
from pipelines.sources.contracts import contract
from pipelines.transforms import DbtTest, NodeResult

MONDAY, TUESDAY = date(2026, 3, 9), date(2026, 3, 10)
SUPPLIERS = contract("suppliers")
EXPECTED = {"raw.suppliers": expected_checks()["raw.suppliers"]}


def load(warehouse: Warehouse, *days: date) -> None:
    with warehouse.transaction() as connection:
        for day in days:
            deliver(connection, SUPPLIERS, day)
        stamp_versions(connection, [SUPPLIERS.table], days, "run")


def execute(warehouse: Warehouse, sql: str) -> None:
    with warehouse.write() as connection:
        connection.execute(sql)


def problems(warehouse: Warehouse) -> set[tuple[str, date | None, str]]:
    with warehouse.read() as connection:
        return {(each.problem, each.partition_on, each.check_name) for each in refusals(connection, [], EXPECTED)}


def test_every_outcome_is_stored_with_the_version_it_judged(warehouse: Warehouse) -> None:
    load(warehouse, MONDAY, TUESDAY)
    outcomes = run_checks(warehouse, "raw", [MONDAY, TUESDAY], run_id="night")
    with warehouse.read() as connection:
        versions = standing_versions(connection)
        stored = connection.execute(
            "select asset, check_name, partition_on, table_version, passed, stage, source, run_id "
            "from ops.check_results"
        ).fetchall()
    names = {rule.name for suite in suites("raw") if suite.asset == "raw.suppliers" for rule in suite.rules}
    assert {row[:5] for row in stored} == {
        ("raw.suppliers", name, day, versions["raw.suppliers", day], True)
        for name in names
        for day in (MONDAY, TUESDAY)
    }
    assert {row[5:] for row in stored} == {("raw", "gx", "night")}
    assert len(outcomes) == len(stored)


def test_a_day_without_a_file_is_judged_too(warehouse: Warehouse) -> None:
    load(warehouse, MONDAY)
    outcomes = run_checks(warehouse, "raw", [TUESDAY], run_id=None)
    assert {each.table_version for each in outcomes if each.partition_on == TUESDAY} == {UNWRITTEN}
    assert all(each.passed for each in outcomes)


def test_a_feed_that_never_delivered_is_not_judged(warehouse: Warehouse) -> None:
    load(warehouse, MONDAY)
    assert {each.asset for each in run_checks(warehouse, "raw", [MONDAY], run_id=None)} == {"raw.suppliers"}


def test_judging_again_replaces_the_outcome(warehouse: Warehouse) -> None:
    load(warehouse, MONDAY)
    first = run_checks(warehouse, "raw", [MONDAY], run_id="one")
    execute(warehouse, "update raw.suppliers set supplier_name = null")
    second = run_checks(warehouse, "raw", [MONDAY], run_id="two")
    assert len(first) == len(second)
    with warehouse.read() as connection:
        stored = connection.execute("select check_name, run_id from ops.check_results where not passed").fetchall()
        total = connection.execute("select count(*) from ops.check_results").fetchone()
    assert stored == [("required_filled", "two")]
    assert total == (len(first),)


def test_a_table_that_cannot_be_read_fails_every_rule(warehouse: Warehouse) -> None:
    outcomes = run_checks(warehouse, "ml", [MONDAY], run_id=None)
    assert {each.asset for each in outcomes} == {table.full_name for table in TABLES}
    assert not any(each.passed for each in outcomes)
    assert all(
        "demand_forecasts does not exist" in each.message for each in outcomes if "demand_forecasts" in each.asset
    )


def test_gate_lets_a_checked_load_through_and_refuses_one_that_crashed_before_its_checks(warehouse: Warehouse) -> None:
    load(warehouse, MONDAY)
    assert ("missing", MONDAY, "required_filled") in problems(warehouse)
    run_checks(warehouse, "raw", [MONDAY], run_id=None)
    assert problems(warehouse) == set()
    with warehouse.transaction() as connection:
        connection.execute("update raw.suppliers set supplier_name = null")
        stamp_versions(connection, ["raw.suppliers"], [MONDAY], "run")
    assert ("stale", MONDAY, "required_filled") in problems(warehouse)
    run_checks(warehouse, "raw", [MONDAY], run_id=None)
    assert problems(warehouse) == {("failed", MONDAY, "required_filled")}
    with warehouse.read() as connection, pytest.raises(PublishRefusedError, match="supplier_name 3"):
        require_publishable(connection, [], EXPECTED)


@pytest.mark.parametrize("is_checked", [True, False])
def test_a_later_night_also_judges_days_that_do_not_stand_as_passed(warehouse: Warehouse, is_checked: bool) -> None:
    """A failed or unjudged Monday, cured by hand, must not refuse publication for ever."""
    load(warehouse, MONDAY)
    if is_checked:
        execute(warehouse, "update raw.suppliers set supplier_name = null")
        run_checks(warehouse, "raw", [MONDAY], run_id=None)
        execute(warehouse, "update raw.suppliers set supplier_name = 'again'")
    load(warehouse, TUESDAY)
    assert {each.partition_on for each in run_checks(warehouse, "raw", [TUESDAY], run_id=None)} == {MONDAY, TUESDAY}
    assert problems(warehouse) == set()
    wednesday = TUESDAY + timedelta(days=1)
    load(warehouse, wednesday)
    assert {each.partition_on for each in run_checks(warehouse, "raw", [wednesday], run_id=None)} == {wednesday}


def test_rows_of_a_file_the_ledger_does_not_know_are_caught(warehouse: Warehouse) -> None:
    load(warehouse, MONDAY)
    execute(warehouse, f"delete from ops.files where file_id = '{file_id(SUPPLIERS, MONDAY)}'")
    failed = [each for each in run_checks(warehouse, "raw", [MONDAY], run_id=None) if not each.passed]
    assert [(each.check_name, each.observed) for each in failed] == [("rows_as_ledger", "3")]


@pytest.mark.parametrize("lost", [0, 1])
def test_a_file_whose_records_carry_their_own_days_is_counted_as_a_whole(warehouse: Warehouse, lost: int) -> None:
    """One file with three rows on Monday and two on Tuesday; judged on Tuesday alone."""
    with warehouse.transaction() as connection:
        deliver(connection, SUPPLIERS, MONDAY, rows=5)
        connection.execute("update raw.suppliers set _delivered_on = date '2026-03-10' where _record_no > 3")
        connection.execute("update ops.files set delivered_on = null")
        connection.execute("delete from raw.suppliers where _record_no <= ?", [lost])
    failed = [each for each in run_checks(warehouse, "raw", [TUESDAY], run_id=None) if not each.passed]
    assert [(each.check_name, each.observed) for each in failed] == ([("rows_as_ledger", "1")] if lost else [])


def test_outcomes_hold_no_delivered_value(warehouse: Warehouse) -> None:
    with warehouse.transaction() as connection:
        deliver(connection, SUPPLIERS, MONDAY)
        connection.execute("update raw.suppliers set contact_email = repeat('a', 500) || '@secret.example'")
    outcomes = run_checks(warehouse, "raw", [MONDAY], run_id=None)
    failed = [each for each in outcomes if not each.passed]
    assert [each.observed for each in failed] == ["contact_email 3"]
    assert not any("secret" in f"{each.observed}{each.message}" for each in outcomes)


# ---------------------------------------------------------------- the judge


def test_judge_names_the_rows_that_break_each_rule_in_the_order_of_the_rules() -> None:
    frame = pd.DataFrame({"gap": [0.0, 2.0, 0.0], "a_value": [5.0, 5.0, None], "a_floor": [4.0, 6.0, 9.0]})
    verdicts = failures(frame, [at_least("a", "", "", "r"), none_where("gap", "", "r"), at_most("gap", "", 1, "r")])
    assert verdicts == [Verdict(frozenset({1})), Verdict(frozenset({1})), Verdict(frozenset({1}))]


def test_judge_counts_infinity_as_broken() -> None:
    assert failures(pd.DataFrame({"gap": [float("inf")]}), [none_where("gap", "", "r")]) == [Verdict(frozenset({0}))]


def test_a_rule_that_cannot_be_evaluated_is_an_error_and_others_stand() -> None:
    missing, sound = failures(pd.DataFrame({"gap": [1.0]}), [none_where("other", "", "r"), at_most("gap", "", 1, "r")])
    assert missing.error is not None
    assert "other" in missing.error
    assert sound == Verdict()


def test_an_expectation_of_a_wrong_type_is_an_error() -> None:
    rule = Rule("text", "ExpectColumnValuesToBeBetween", ("text",), "r", kwargs={"max_value": 0})
    [verdict] = failures(pd.DataFrame({"text": ["a"]}), [rule])
    assert verdict.error is not None


def test_judging_nothing_needs_no_judge() -> None:
    assert failures(pd.DataFrame(), []) == []
    assert failures(pd.DataFrame({"gap": []}), [none_where("gap", "", "r")]) == [Verdict()]


def test_a_measure_without_a_value_does_not_pass(warehouse: Warehouse) -> None:
    """The ledger lost a count: the gap is unknown, and unknown is not none."""
    load(warehouse, MONDAY)
    execute(warehouse, "alter table ops.files alter records_loaded drop not null")
    execute(warehouse, "update ops.files set records_loaded = null")
    failed = {
        each.check_name: each.message for each in run_checks(warehouse, "raw", [MONDAY], run_id=None) if not each.passed
    }
    assert "no value" in failed["rows_as_ledger"]


# ---------------------------------------------------------------- dbt's tests


def dbt_outcome(status: str | None, *, is_blocking: bool = True, failures: int | None = 0) -> DbtOutcome:
    message = "Binder Error" if failures is None else "Got 2 results, configured to fail if != 0"
    result = NodeResult("test.x", status, 0.1, failures, message, "select 1 as rule") if status else None
    return DbtOutcome(DbtTest("test.x", "unique_key", "marts.dim_dates", is_blocking, "One row per day."), result)


@pytest.mark.parametrize(
    ("outcome", "passed", "observed"),
    [
        (dbt_outcome("pass"), True, "0 failing rows"),
        (dbt_outcome("fail", failures=2), False, "2 failing rows"),
        (dbt_outcome("fail", failures=1), False, "1 failing row"),
        (dbt_outcome("error", failures=None), False, "error"),
        (dbt_outcome("skipped", failures=None), False, "skipped"),
        (dbt_outcome(None), False, "not run"),
        (dbt_outcome("warn", failures=2, is_blocking=False), False, "2 failing rows"),
        (dbt_outcome("warn", failures=2), False, "2 failing rows"),
    ],
    ids=["pass", "fail", "one", "error", "skipped", "not run", "warn of a warning", "warn of a blocking test"],
)
def test_dbt_outcomes_are_kept_for_every_partition(
    warehouse: Warehouse, outcome: DbtOutcome, passed: bool, observed: str
) -> None:
    kept = record_dbt_results(warehouse, "marts", [outcome], [MONDAY, TUESDAY], run_id="night")
    with warehouse.read() as connection:
        stored = connection.execute(
            "select asset, check_name, partition_on, source, passed, observed "
            "from ops.check_results order by partition_on"
        ).fetchall()
    assert stored == [("marts.dim_dates", "unique_key", day, "dbt", passed, observed) for day in (MONDAY, TUESDAY)]
    said = {True: "", False: {"error": "Binder Error", "skipped": "Binder Error"}.get(observed, "One row per day.")}
    assert {each.message for each in kept} == {said[passed]}


def test_a_dbt_test_that_counts_by_name_says_what_it_found(warehouse: Warehouse) -> None:
    sql = "select * from (values ('in_order', 70), ('is_known', 1)) as t(rule_name, broken_rows)"
    result = NodeResult("test.x", "fail", 0.1, 71, "Got 71 results", sql)
    test = DbtTest("test.x", "rules_hold", "marts.dim_dates", True, "All is well.")
    [kept] = record_dbt_results(warehouse, "marts", [DbtOutcome(test, result)], [MONDAY], run_id=None)
    assert (kept.observed, kept.message) == ("71 failing rows: in_order 70, is_known 1", "All is well.")


def test_outcomes_of_checks_that_are_no_more_are_forgotten(warehouse: Warehouse) -> None:
    """A failure of a deleted test or rule could never be cured."""
    load(warehouse, MONDAY)
    gone = replace(dbt_outcome("fail", failures=2), test=DbtTest("test.y", "gone", "marts.old", True, None))
    record_dbt_results(warehouse, "marts", [gone, dbt_outcome("fail", failures=2)], [MONDAY], run_id=None)
    record_dbt_results(warehouse, "reports", [], [MONDAY], run_id=None)
    run_checks(warehouse, "raw", [MONDAY], run_id=None)
    execute(warehouse, "update ops.check_results set check_name = 'old_rule' where check_name = 'required_filled'")
    record_dbt_results(warehouse, "marts", [dbt_outcome("pass")], [TUESDAY], run_id=None)
    run_checks(warehouse, "raw", [TUESDAY], run_id=None)
    with warehouse.read() as connection:
        kept = connection.execute("select distinct source, check_name from ops.check_results").fetchall()
    assert {name for source, name in kept if source == "dbt"} == {"unique_key"}
    assert {name for source, name in kept if source == "gx"} == {
        rule.name for suite in suites("raw") if suite.asset == "raw.suppliers" for rule in suite.rules
    }


def test_a_dbt_test_that_holds_again_settles_the_days_it_failed_on(warehouse: Warehouse) -> None:
    expected = {"marts.dim_dates": {"unique_key"}}
    for day, outcome in ((MONDAY, dbt_outcome("fail", failures=2)), (TUESDAY, dbt_outcome("pass"))):
        with warehouse.write() as connection:
            stamp_versions(connection, ["marts.dim_dates"], [day], "night")
        record_dbt_results(warehouse, "marts", [outcome], [day], run_id=None)
        with warehouse.read() as connection:
            found = refusals(connection, [], expected)
        assert [each.problem for each in found] == (["failed"] if day == MONDAY else [])


def test_expected_checks_are_the_blocking_rules_and_tests_of_every_table() -> None:
    test = DbtTest("test.x", "unique_key", "marts.fct_order_lines", True, None)
    declared = expected_checks()
    with_dbt = expected_checks([test, replace(test, name="plausible", is_blocking=False)])
    assert with_dbt["marts.fct_order_lines"] - declared["marts.fct_order_lines"] == {"unique_key"}
    assert {asset for asset in declared if asset.startswith("raw.")} == {f"raw.{suite.feed}" for suite in suites("raw")}
    assert "volume_not_low" not in declared["raw.order_lines"]
    assert {"values_finite", "one_selected", "horizon_complete"} <= declared["ml.demand_forecasts"]
