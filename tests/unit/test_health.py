"""What the doctor says of homes that are well and of homes that are not."""

import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path

import pytest

from pipelines.evidence import deliveries, readings, reconciliation
from pipelines.findings import Finding, by_name
from pipelines.health import diagnose, environment, warehouse
from pipelines.ingestion.register import mapping_digest
from pipelines.ops import prepare
from pipelines.publishing import publish
from pipelines.publishing.versions import rollback
from pipelines.resources import Warehouse
from pipelines.settings import Settings
from pipelines.sources.profiles import load_profile

PROFILE = "online_retail"
HOLD = """
import sys
from pipelines.lease import writer
from pipelines.settings import Settings
with writer(Settings.model_validate({"home": sys.argv[1]}), "transform of run x"):
    print("held", flush=True)
    sys.stdin.read()
"""
FILE = """
    insert into ops.files by name
    select 'f' || {number} as file_id, 'order_lines' as feed, 'day{number}.csv' as source_path,
        date '2011-12-{number:02d}' as delivered_on, 's' as content_sha256, 1 as delivered_bytes, '{status}' as status,
        '{reason}' as reason_code, {seen} as records_seen, {loaded} as records_loaded, 0 as records_duplicate,
        {refused} as records_quarantined, 0 as records_filtered, '1' as contract_version, 'm' as mapping_digest,
        timestamp '2026-01-01' as ingested_at
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "landing").mkdir()
    settings = Settings.model_validate({"home": tmp_path, "profile": PROFILE, "threads": 1})
    with Warehouse(settings).write() as connection:
        prepare(connection, load_profile(PROFILE))
    return settings


def run(settings: Settings, *statements: str) -> None:
    with Warehouse(settings).write() as connection:
        for statement in statements:
            connection.execute(statement)


def file(
    number: int, status: str = "loaded", reason: str = "", seen: int = 0, loaded: int = 0, refused: int = 0
) -> str:
    return FILE.format(number=number, status=status, reason=reason, seen=seen, loaded=loaded, refused=refused)


def release(settings: Settings) -> None:
    publish(
        settings, Warehouse(settings), as_of=date(2011, 12, 9), run_id="r", revision="", gate=lambda connection: None
    )


def of(found: list[Finding], name: str) -> Finding:
    (finding,) = [each for each in found if each.name == name]
    return finding


def test_a_new_home_needs_only_a_run(tmp_path: Path) -> None:
    settings = Settings.model_validate({"home": tmp_path / "new", "profile": PROFILE})
    found = diagnose(settings)
    assert not [finding for finding in found if finding.status == "fail"]
    assert of(found, "warehouse").remedy == "Run `opscope run`."
    assert not (tmp_path / "new").exists()


def test_every_finding_that_is_not_well_has_a_remedy(settings: Settings) -> None:
    run(
        settings,
        file(9, seen=2, loaded=1),
        "insert into ops.stale_days values ('order_lines', '2011-12-09', '2011-12-09')",
    )
    found = diagnose(settings)
    assert {finding.status for finding in found} == {"ok", "warn", "fail"}
    assert all(finding.remedy for finding in found if finding.status != "ok")


def test_the_installed_packages_are_compared_with_the_lock() -> None:
    lock = "duckdb==9.9.9 \\\n    --hash=sha256:0\nnot-there==1.0\nelsewhere==1.0 ; sys_platform == 'x' \\\n"
    finding = of(list(environment(lock)), "packages")
    assert finding.status == "fail"
    assert finding.detail.startswith("duckdb is ")
    assert finding.detail.endswith("locked is 9.9.9, not-there is missing")


def test_an_unknown_profile_does_not_hide_the_rest(settings: Settings) -> None:
    found = diagnose(settings.model_copy(update={"profile": "no-such"}))
    assert of(found, "profile").status == "fail"
    assert of(found, "reconciliation").status == "ok"


def test_a_home_is_not_judged_by_another_company(settings: Settings) -> None:
    run(settings, file(9))
    finding = of(diagnose(settings.model_copy(update={"profile": "demo"})), "company")
    assert finding.status == "fail"
    assert finding.detail == "warehouse holds the company online_retail in GBP, the profile is of demo in EUR"
    assert "OPSCOPE_PROFILE" in finding.remedy
    found = diagnose(settings.model_copy(update={"profile": "demo"}))
    assert not [each for each in found if each.name in ("readings", "feeds")]
    assert not [each for each in diagnose(settings) if each.name == "company"]


def test_records_that_do_not_add_up_are_a_failure(settings: Settings) -> None:
    run(settings, file(1, seen=3, loaded=1, refused=1))
    with Warehouse(settings).read() as connection:
        (finding,) = reconciliation(connection, load_profile(PROFILE))
    assert finding.status == "fail"
    assert "day1.csv does not add up" in finding.detail
    assert "raw.order_lines has 0 rows, the ledger 1" in finding.detail


@pytest.mark.parametrize(
    ("today", "status"), [(date(2011, 12, 9), "ok"), (date(2011, 12, 10), "ok"), (date(2026, 1, 1), "ok")]
)
def test_a_company_that_ended_is_not_late(settings: Settings, today: date, status: str) -> None:
    run(settings, file(9))
    with Warehouse(settings).read() as connection:
        found = list(deliveries(connection, load_profile(PROFILE), today))
    assert of(found, "deliveries").status == status


def test_a_silent_sender_and_refused_files_are_named(settings: Settings) -> None:
    run(settings, file(1), file(2, "refused", "empty_file"))
    with Warehouse(settings).read() as connection:
        found = list(deliveries(connection, load_profile(PROFILE), date(2011, 12, 9)))
    assert of(found, "deliveries").detail == "the last is of 2011-12-01, 8 days before 2011-12-09"
    assert of(found, "refused files").detail == "1: day2.csv (empty_file)"


def test_files_in_a_folder_of_no_day_are_named(settings: Settings) -> None:
    landing = settings.model_copy(update={"landing": str(settings.root / "landing")})
    assert not [each for each in diagnose(landing) if each.name == "misdated files"]
    lost = settings.root / "landing" / "2011-13-01.csv"
    lost.write_text("InvoiceNo\n")
    (found,) = [each for each in diagnose(landing) if each.name == "misdated files"]
    assert found.status == "warn"
    assert lost.name in found.detail


def test_the_quarantine_rate_counts_by_reason(settings: Settings) -> None:
    run(
        settings,
        file(1, seen=100, loaded=97, refused=3),
        "insert into ops.quarantine by name select 'q' || i as quarantine_id, 'f1' as file_id, 'order_lines' as feed, "
        "i as record_no, case when i = 0 then 'not_a_date' else 'field_count' end as reason_code, 'm' as message, "
        "'open' as status from range(3) as r(i)",
    )
    finding = of(warehouse(settings, None), "quarantine")
    assert (finding.status, finding.detail) == (
        "warn",
        "3 of 100 records (3.00%): field_count 2 (2.00%), not_a_date 1 (1.00%)",
    )


@pytest.mark.parametrize(("is_blocking", "status"), [(True, "fail"), (False, "warn")])
def test_failed_checks_are_named(settings: Settings, *, is_blocking: bool, status: str) -> None:
    run(
        settings,
        "insert into ops.check_results by name select 'marts.x' as asset, 'unique_id' as check_name, "
        f"date '2011-12-01' as partition_on, 'marts' as stage, 'gx' as source, {is_blocking} as is_blocking, "
        "false as passed, '1' as table_version, timestamp '2026-01-01' as checked_at",
    )
    finding = of(warehouse(settings, None), "checks")
    assert finding.status == status
    assert "marts.x.unique_id on 2011-12-01" in finding.detail


def test_equal_warnings_of_many_days_are_one() -> None:
    days = [("raw.a.rate", date(2026, 3, number)) for number in (1, 3, 2)]
    assert by_name([*days, ("raw.b.rate", date(2026, 3, 4))]) == [
        "raw.b.rate on 2026-03-04",
        "raw.a.rate on 2026-03-03 and 2 days before",
    ]


@pytest.mark.parametrize(("change", "status"), [({}, "ok"), ({"time_zone": "America/New_York"}, "warn")])
def test_files_that_the_profile_reads_in_another_way_now_are_named(
    settings: Settings, change: dict[str, str], status: str
) -> None:
    profile = load_profile(PROFILE)
    path = "online_retail_2011-12-09.csv"
    source = profile.feeds["order_lines"][0].model_copy(update={"path": "online_retail_*.csv", "lookups": {}})
    profile = profile.model_copy(update={"feeds": {"order_lines": [source]}})
    digest = mapping_digest("order_lines", source, profile, {})
    run(settings, file(9), f"update ops.files set source_path = '{path}', mapping_digest = '{digest}'")
    with Warehouse(settings).read() as connection:
        (finding,) = readings(connection, profile.model_copy(update=change))
    assert finding.status == status
    if status == "warn":
        assert "1 file of order_lines" in finding.detail
        assert "`opscope run --from 2010-12-01 --to 2011-12-09`" in finding.remedy


def test_money_that_does_not_add_up_is_a_failure(settings: Settings) -> None:
    run(settings, file(1), "update ops.files set amount_seen = 2, amount_loaded = 1.5")
    with Warehouse(settings).read() as connection:
        (finding,) = reconciliation(connection, load_profile(PROFILE))
    assert finding.detail == "day1.csv does not add up, raw.order_lines adds up to 0.00, the ledger to 1.50"


def test_who_writes_now_is_named(settings: Settings) -> None:
    assert of(diagnose(settings), "writer").detail == "nobody writes now"
    # Another process, as a lock does not hold out its own.
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(settings.root)], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert of(diagnose(settings), "writer").detail == f"process {holder.pid} transform of run x writes now"
        holder.communicate("")
    assert of(diagnose(settings), "writer").detail == "nobody writes now"


def test_a_version_gone_back_to_is_a_warning(settings: Settings) -> None:
    for number in (1, 2):
        run(settings, f"create or replace table marts.t as select {number} as x")
        release(settings)
    newer = of(diagnose(settings), "published")
    assert (newer.status, "by run r" in newer.detail) == ("ok", True)
    rollback(settings)
    finding = of(diagnose(settings), "published")
    assert finding.status == "warn"
    assert finding.detail.startswith("v000001")
    assert "rolled back from v000002" in finding.detail


def test_a_warehouse_that_is_none_is_a_failure(settings: Settings) -> None:
    settings.warehouse_path.write_bytes(b"not a database" * 1000)
    (finding,) = warehouse(settings, load_profile(PROFILE))
    assert finding.status == "fail"
    assert "`opscope run --from 2010-12-01 --to 2011-12-09`" in finding.remedy


def test_damage_to_what_is_served_is_a_failure(settings: Settings) -> None:
    run(settings, "create table marts.t as select 1 as x")
    release(settings)
    assert of(diagnose(settings), "published").status == "ok"
    path = settings.published_path / "current" / "marts" / "t.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    finding = of(diagnose(settings), "published")
    assert finding.status == "fail"
    assert "t.parquet: differs" in finding.detail


def test_leftovers_are_named(settings: Settings) -> None:
    (settings.published_path / ".building-v000001_20111209_00000000").mkdir(parents=True)
    assert ".building-v000001" in of(diagnose(settings), "leftovers").detail


@pytest.mark.parametrize(("mode", "status"), [(0o755, "warn"), (0o750, "ok")])
def test_a_warehouse_that_strangers_can_read_is_named(mode: int, status: str) -> None:
    # Not under tmp_path, which lies in a folder that only its owner enters.
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings.model_validate({"home": folder, "profile": PROFILE, "threads": 1})
        run(settings, "select 1")
        settings.warehouse_path.chmod(0o644)
        Path(folder).chmod(mode)
        assert of(diagnose(settings), "permissions").status == status
