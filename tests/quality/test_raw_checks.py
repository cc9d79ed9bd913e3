"""Every rule of the raw stage, proven: it alone catches the defect planted for it, and clean deliveries pass.

Each defect stands on a delivery day of its own, so that one run of the checks judges all of them, as a backfill does.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import duckdb
import pytest
from deliveries import deliver, file_id, settle

from pipelines import ops
from pipelines.quality.checks import CheckOutcome, run_checks
from pipelines.quality.raw_suites import raw_suites
from pipelines.resources import Warehouse
from pipelines.settings import Settings
from pipelines.sources.contracts import Column, Contract, contract, contracts
from pipelines.sources.profiles import load_profile

# Proven in test_volume: these days have no past that is worth comparing with.
VOLUME = {"volume_not_low", "volume_not_high"}
FIRST_DAY = date(2026, 1, 5)
# `{table}` and `{file}` stand for the raw table and the day's file.
LEDGER_DEFECTS = {
    "records_conserved": "update ops.files set records_seen = records_seen + 1 where file_id = '{file}'",
    "rows_as_ledger": "delete from {table} where _file_id = '{file}' and _record_no = 3",
    "quarantine_as_ledger": "update ops.files set records_quarantined = 1, records_seen = records_seen + 1, "
    "records_filtered = 200, status = 'loaded_with_quarantine' where file_id = '{file}';"
    "update ops.files set records_seen = records_seen + 200 where file_id = '{file}'",
    "records_once": "update {table} set _record_no = 1 where _file_id = '{file}' and _record_no = 2",
    "amounts_conserved": "update ops.files set amount_seen = amount_seen + 0.0001 where file_id = '{file}'",
    "amounts_as_ledger": "update {table} set {money} = {money} + 0.0001 where _file_id = '{file}' and _record_no = 1",
    "files_accepted": "insert into ops.files by name select * replace (file_id || '-2' as file_id, "
    "'refused' as status, 0 as records_seen, 0 as records_loaded, null as amount_seen, null as amount_loaded) "
    "from ops.files where file_id = '{file}'",
    "quarantine_rate": "update ops.files set records_quarantined = 1, records_seen = records_seen + 1 "
    "where file_id = '{file}'; insert into ops.quarantine by name select '{file}' as quarantine_id, "
    "'{file}' as file_id, '{feed}' as feed, 1 as record_no, 'not_a_date' as reason_code, 'm' as message, "
    "'open' as status",
}


@dataclass(frozen=True)
class Defect:
    feed: str
    rule: str
    label: str
    day: date
    sql: str
    settles: bool

    def __str__(self) -> str:
        return f"{self.feed}-{self.rule}-{self.label}"


def spoiled(column: Column, rule: str, label: str) -> str:
    """The assignment that breaks one rule of one column."""
    if rule == "required_filled":
        return f'"{label}" = null'
    if rule == "values_allowed":
        return f"\"{label}\" = 'nonsense'"
    if rule == "not_from_the_future":
        return f'"{label}" = "{label}" + interval 3 day'
    if rule == "form_as_declared":
        return f"\"{label}\" = '{'x' * ((column.max_length or 3) + 1)}'"
    if column.logical_type in ("date", "timestamp"):
        return f"\"{label}\" = '1970-01-01'"
    bound = column.minimum if column.minimum is not None else column.maximum
    return f'"{label}" = {bound} - 1' if column.minimum is not None else f'"{label}" = {bound} + 1'


def planned() -> list[Defect]:
    defects: list[Defect] = []

    def plan(feed: Contract, rule: str, label: str, sql: str, *, settles: bool) -> None:
        day = FIRST_DAY + timedelta(days=len(defects))
        defects.append(Defect(feed.feed, rule, label, day, sql, settles))

    for feed in contracts():
        for rule in raw_suites(feed.feed)[0].rules:
            for label in rule.violations:
                name = (feed.business_time or "") if rule.name == "not_from_the_future" else label
                assignment = spoiled(feed.column(name), rule.name, name)
                target = f"update {{table}} set {assignment} where _file_id = '{{file}}' and _record_no = 1"
                plan(feed, rule.name, label, target, settles=True)
    for feed in (contract("order_lines"), contract("feedback"), contract("purchase_order_lines")):
        for rule in (rule for suite in raw_suites(feed.feed) for rule in suite.rules if rule.name in LEDGER_DEFECTS):
            plan(feed, rule.name, "ledger", LEDGER_DEFECTS[rule.name], settles=False)
    return defects


DEFECTS = planned()
CLEAN_DAY = FIRST_DAY + timedelta(days=len(DEFECTS))


def plant(connection: duckdb.DuckDBPyConnection, defect: Defect) -> None:
    feed = contract(defect.feed)
    names = {"table": feed.table, "file": file_id(feed, defect.day), "feed": feed.feed, "money": "unit_price"}
    connection.execute(defect.sql.format(**names))
    if defect.settles:
        settle(connection, feed, defect.day)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, date], list[CheckOutcome]]:
    warehouse = Warehouse(Settings(home=tmp_path_factory.mktemp("raw"), memory_limit="1GB", threads=1))
    with warehouse.write() as connection:
        ops.prepare(connection, load_profile("online_retail"))
        connection.begin()
        for defect in DEFECTS:
            deliver(connection, contract(defect.feed), defect.day)
        for feed in contracts():
            deliver(connection, feed, CLEAN_DAY)
        for defect in DEFECTS:
            plant(connection, defect)
        connection.commit()
    days = [defect.day for defect in DEFECTS]
    found: dict[tuple[str, date], list[CheckOutcome]] = {}
    for outcome in run_checks(warehouse, "raw", [*days, CLEAN_DAY], run_id="run"):
        assert "could not be" not in outcome.message
        found.setdefault((outcome.asset, outcome.partition_on), []).append(outcome)
    return found


@pytest.mark.parametrize("defect", DEFECTS, ids=str)
def test_rule_alone_catches_its_defect(outcomes: dict[tuple[str, date], list[CheckOutcome]], defect: Defect) -> None:
    failed = [each for each in outcomes[f"raw.{defect.feed}", defect.day] if not each.passed]
    assert {each.check_name for each in failed} - VOLUME == {defect.rule}
    caught = next(each for each in failed if each.check_name == defect.rule)
    assert caught.message
    if defect.rule == "quarantine_rate":
        assert caught.observed == "25 %"
    if defect.label not in ("ledger", "rows"):
        assert caught.observed == f"{defect.label} 1"
        assert caught.failed_rows == 1


@pytest.mark.parametrize("feed", [feed.feed for feed in contracts()])
def test_clean_delivery_passes_every_rule(outcomes: dict[tuple[str, date], list[CheckOutcome]], feed: str) -> None:
    judged = outcomes[f"raw.{feed}", CLEAN_DAY]
    assert {each.check_name for each in judged} == {rule.name for suite in raw_suites(feed) for rule in suite.rules}
    assert {each.check_name for each in judged if not each.passed} <= VOLUME


def test_every_rule_has_a_planted_defect() -> None:
    planted = {defect.rule for defect in DEFECTS}
    assert {
        rule.name for feed in contracts() for suite in raw_suites(feed.feed) for rule in suite.rules
    } == planted | VOLUME
