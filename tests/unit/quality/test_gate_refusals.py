"""The gate: what it lets through, and each reason for which it refuses. No check is run here; outcomes are written."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import pytest

from pipelines import ops
from pipelines.errors import PublishRefusedError
from pipelines.quality.gate import Refusal, refusals, require_publishable
from pipelines.quality.versions import stamp_versions, standing_versions
from pipelines.sources.profiles import load_profile

MONDAY, TUESDAY = date(2026, 3, 9), date(2026, 3, 10)
EXPECTED = {
    "raw.order_lines": {"rows_as_ledger"},
    "marts.fct_order_lines": {"amounts_add_up", "unique_key"},
    "ml.demand_forecasts": {"finite"},
}


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A warehouse in which Monday was written and every check of it passed."""
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as opened:
        ops.prepare(opened, load_profile("online_retail"))
        opened.execute("create table ml.demand_forecasts (as_of date, mean double)")
        write(opened, MONDAY)
        yield opened


def write(connection: duckdb.DuckDBPyConnection, day: date, run_id: str = "night") -> None:
    """What a whole run leaves: rows, versions and passed outcomes of the day."""
    connection.execute("delete from ml.demand_forecasts where as_of = ?", [day])
    connection.execute("insert into ml.demand_forecasts values (?, 1.0)", [day])
    stamp_versions(connection, EXPECTED, [day], run_id)
    for asset, names in EXPECTED.items():
        for name in names:
            judge(connection, asset, name, day)


def judge(
    connection: duckdb.DuckDBPyConnection,
    asset: str,
    name: str,
    day: date,
    *,
    passed: bool = True,
    observed: str = "",
    message: str = "",
) -> None:
    connection.execute(
        """
        insert or replace into ops.check_results
        values ($asset, $name, $day, 'x', 'gx', true, $passed, null, $observed, $message, $version, 'run', '2026-03-11')
        """,
        {
            "asset": asset,
            "name": name,
            "day": day,
            "passed": passed,
            "observed": observed,
            "message": message,
            "version": standing_versions(connection)[asset, day],
        },
    )


def test_lets_through_what_passed_on_the_version_that_stands(connection: duckdb.DuckDBPyConnection) -> None:
    require_publishable(connection, [MONDAY], EXPECTED)


def test_old_outcomes_stay_good_for_days_that_a_night_does_not_touch(connection: duckdb.DuckDBPyConnection) -> None:
    before = standing_versions(connection)
    write(connection, TUESDAY)
    assert {key: version for key, version in standing_versions(connection).items() if key[1] == MONDAY} == before
    assert refusals(connection, [MONDAY, TUESDAY], EXPECTED) == []


def test_refuses_a_missing_outcome(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("delete from ops.check_results where check_name = 'unique_key'")
    assert refusals(connection, [MONDAY], EXPECTED) == [
        Refusal("missing", "marts.fct_order_lines", MONDAY, "unique_key")
    ]


def test_refuses_a_failed_outcome_and_says_what_was_observed(connection: duckdb.DuckDBPyConnection) -> None:
    judge(connection, "ml.demand_forecasts", "finite", MONDAY, passed=False, observed="mean 3")
    with pytest.raises(PublishRefusedError) as refused:
        require_publishable(connection, [MONDAY], EXPECTED)
    assert "failed: ml.demand_forecasts.finite on 2026-03-09 (mean 3)" in str(refused.value)
    assert "`opscope run --date DAY`" in refused.value.remedy


def test_refuses_a_check_that_raised_and_says_how(connection: duckdb.DuckDBPyConnection) -> None:
    raised = {"passed": False, "observed": "no value", "message": "could not be measured: no such column"}
    judge(connection, "raw.order_lines", "rows_as_ledger", MONDAY, **raised)
    [refusal] = refusals(connection, [MONDAY], EXPECTED)
    assert refusal.problem == "failed"
    assert "no such column" in refusal.observed


def test_refuses_an_outcome_of_an_older_version(connection: duckdb.DuckDBPyConnection) -> None:
    """A crash between write and check: the table was written again, and nobody judged what stands now."""
    stamp_versions(connection, ["marts.fct_order_lines"], [MONDAY], "night")
    assert [(each.problem, each.check_name) for each in refusals(connection, [MONDAY], EXPECTED)] == [
        ("stale", "amounts_add_up"),
        ("stale", "unique_key"),
    ]


def test_a_failure_of_an_older_version_is_stale_first(connection: duckdb.DuckDBPyConnection) -> None:
    judge(connection, "raw.order_lines", "rows_as_ledger", MONDAY, passed=False)
    stamp_versions(connection, ["raw.order_lines"], [MONDAY], "night")
    assert [each.problem for each in refusals(connection, [MONDAY], EXPECTED)] == ["stale"]


def test_every_stamp_is_a_new_version_also_under_one_run_id(connection: duckdb.DuckDBPyConnection) -> None:
    stamp_versions(connection, ["raw.order_lines"], [MONDAY], "retry")
    first = standing_versions(connection)["raw.order_lines", MONDAY]
    stamp_versions(connection, ["raw.order_lines"], [MONDAY], "retry")
    assert standing_versions(connection)["raw.order_lines", MONDAY] != first
    assert first.startswith("retry/")


def test_refuses_an_as_of_day_that_was_never_computed(connection: duckdb.DuckDBPyConnection) -> None:
    assert refusals(connection, [MONDAY, TUESDAY], EXPECTED) == [Refusal("unwritten", "ml.demand_forecasts", TUESDAY)]


def test_refuses_a_table_that_was_never_written(connection: duckdb.DuckDBPyConnection) -> None:
    expected = {**EXPECTED, "marts.dim_dates": {"unique_key"}}
    assert refusals(connection, [MONDAY], expected) == [Refusal("unwritten", "marts.dim_dates", None)]


def test_a_feed_the_company_lacks_is_no_reason_to_refuse(connection: duckdb.DuckDBPyConnection) -> None:
    require_publishable(connection, [MONDAY], {**EXPECTED, "raw.suppliers": {"rows_as_ledger"}})


def test_refuses_rows_that_no_step_vouched_for(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("insert into ml.demand_forecasts values (?, 2.0), (null, 3.0)", [TUESDAY])
    assert refusals(connection, [MONDAY], EXPECTED) == [
        Refusal("unstamped", "ml.demand_forecasts", None),
        Refusal("unstamped", "ml.demand_forecasts", TUESDAY),
    ]


def test_refuses_a_table_for_readers_that_no_check_looks_at(connection: duckdb.DuckDBPyConnection) -> None:
    """A deleted model leaves its table; it would be served, older each day, for ever."""
    connection.execute("create table marts.gone as select 1 as x")
    connection.execute("create view reports.by_hand as select 1 as x")
    connection.execute("create table staging.step as select 1 as x")
    assert refusals(connection, [MONDAY], EXPECTED) == [
        Refusal("unwatched", "marts.gone", None),
        Refusal("unwatched", "reports.by_hand", None),
    ]


@pytest.mark.parametrize(
    ("statement", "asset"),
    [
        ("insert into ops.stale_days values ('order_lines', '2026-03-10', '2026-03-01')", "raw.order_lines"),
        ("insert into ops.as_of_days values ('reports', '2026-03-10', true)", "reports"),
    ],
)
def test_refuses_while_deliveries_wait_to_be_taken_up(
    connection: duckdb.DuckDBPyConnection, statement: str, asset: str
) -> None:
    connection.execute(statement)
    assert refusals(connection, [MONDAY], EXPECTED) == [Refusal("behind", asset, TUESDAY)]


def test_a_long_list_is_shown_in_part_and_counted_whole(connection: duckdb.DuckDBPyConnection) -> None:
    expected = {**EXPECTED, "ml.demand_forecasts": {f"rule_{number:02d}" for number in range(30)}}
    with pytest.raises(PublishRefusedError, match=r"30 reason\(s\)") as refused:
        require_publishable(connection, [MONDAY], expected)
    assert "and 10 more" in refused.value.cause


def test_refusals_name_table_check_and_day() -> None:
    refusal = Refusal("failed", "ml.demand_forecasts", MONDAY, "finite", "mean 3")
    assert str(refusal) == "failed: ml.demand_forecasts.finite on 2026-03-09 (mean 3)"
    assert str(replace(refusal, check_name="", observed="", partition_on=None)) == "failed: ml.demand_forecasts"
