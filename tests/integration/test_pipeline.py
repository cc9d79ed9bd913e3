"""The main job on the demo company: from deliveries to published tables, in any order, beside readers."""

import json
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from pipelines.demo import load_truth
from tests.integration.conftest import Demo, Home
from tests.integration.reader import reading


@dataclass(frozen=True)
class Nights:
    """The demo company after all its nights, and what it was on the way.

    Attributes:
        home: where it ended.
        lines_of_none: rows of `marts.fct_order_lines` after the night on which nothing had been delivered.
    """

    home: Home
    lines_of_none: int


@pytest.fixture(scope="module")
def nights(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Nights:
    """Night by night: before the files of the first day have come, two beside one another, and the first once more."""
    folder = tmp_path_factory.mktemp("nightly")
    home = Home(folder / "home", demo.profile, folder / "landing")
    first, second, third, fourth, fifth = map(str, demo.days)
    home.landing.mkdir()
    home.run("--date", first)
    ((lines_of_none,),) = home.query("select count(*) from marts.fct_order_lines")
    shutil.copytree(demo.landing, home.landing, dirs_exist_ok=True)
    with reading(home), ThreadPoolExecutor() as launched:
        beside = [("--from", second, "--to", third), ("--from", fourth, "--to", fifth)]
        refused = [said for said in launched.map(lambda days: _refusal(home, days), beside) if said]
        # What one run has delivered and not yet computed keeps the other from publishing it half done.
        assert len(refused) < len(beside)
        assert all("behind: " in said for said in refused), refused
        home.run("--date", first)
    return Nights(home, lines_of_none)


@pytest.fixture
def nightly(nights: Nights) -> Home:
    return nights.home


def _refusal(home: Home, days: Sequence[str]) -> str:
    """What a run of the days said if it did not end well."""
    try:
        home.run(*days)
    except AssertionError as error:
        return str(error)
    return ""


def test_nights_in_any_order_end_in_the_tables_of_one_backfill(backfilled: Home, nightly: Home) -> None:
    assert nightly.digests() == backfilled.digests()


def _copied(home: Home, folder: Path) -> Home:
    """What the home says, to be changed."""
    shutil.copytree(home.path, folder / "home", symlinks=True)
    return replace(home, path=folder / "home")


def test_running_a_day_again_computes_that_day_alone_and_changes_nothing(
    backfilled: Home, demo: Demo, tmp_path: Path
) -> None:
    again = _copied(backfilled, tmp_path)
    again.run("--date", str(demo.days[1]))
    versions = "select table_name, partition_on, version from ops.table_versions"
    written = set(again.raw(versions)) - set(backfilled.raw(versions))
    assert {day for _, day, _ in written} == {demo.days[1]}
    assert {table.partition(".")[0] for table, _, _ in written} >= {"ml", "reports"}
    assert again.digests() == backfilled.digests()
    manifests = [home.path / "published" / "current" / "manifest.json" for home in (again, backfilled)]
    assert manifests[0].read_text() == manifests[1].read_text()


def test_every_delivered_record_is_accounted_for_as_the_generator_knows(backfilled: Home, demo: Demo) -> None:
    truth = load_truth(demo.landing).table("files").to_pylist()
    known = {row["path"]: (row["status"], row["loaded"], row["quarantined"], row["duplicates"]) for row in truth}
    ledger = backfilled.raw(
        "select source_path, status, records_loaded, records_quarantined, records_duplicate from ops.files"
    )
    # A file sent again under another name is a duplicate as a whole: its records count there and nowhere else.
    assert {row[0]: row[1:] for row in ledger if row[1] != "duplicate"} == {
        path: about for path, about in known.items() if about[0] != "duplicate"
    }
    assert {row[0] for row in ledger if row[1] == "duplicate"} == {
        path for path, about in known.items() if about[0] == "duplicate"
    }


def test_net_revenue_equals_the_truth(backfilled: Home, demo: Demo) -> None:
    """Final revenue per channel and currency, to the cent."""
    truth = json.loads((demo.landing / "truth.json").read_text())["net_revenue"]
    published = backfilled.query(
        "select channel_id, currency, count(*), sum(net_amount) from marts.fct_order_lines group by all order by all"
    )
    assert [(channel, currency, net) for channel, currency, _, net in published] == [
        (row["channel_id"], row["currency"], Decimal(row["net"])) for row in truth
    ]


def test_each_as_of_day_knows_what_the_company_knew_then(backfilled: Home, demo: Demo) -> None:
    """Lines and revenue known at the end of each delivery day, from the versions, against the generator's books."""
    truth = load_truth(demo.landing).table("known_daily").to_pylist()
    versions = backfilled.raw(
        f"""
        select d.as_of, v.currency, count(*), sum(v.net_amount)
        from (select unnest({[str(day) for day in demo.days]})::date as as_of) as d
        join intermediate.int_order_lines_versioned as v
            on v.known_from <= d.as_of and (v.known_to is null or v.known_to > d.as_of)
        group by all order by all
        """
    )
    books = sorted((row["delivered_on"], row["currency"], row["lines"], row["net"]) for row in truth)
    assert versions == books


def test_no_personal_value_is_published(backfilled: Home, demo: Demo) -> None:
    names = [name for (name,) in backfilled.raw("select distinct full_name from raw.customers where full_name <> ''")]
    mails = [mail for (mail,) in backfilled.raw("select distinct email from raw.customers where email <> ''")]
    assert names
    assert mails
    served = Path(backfilled.path / "published" / "current").resolve()
    for file in (path for path in served.rglob("*") if path.is_file()):
        content = file.read_bytes()
        found = [value for value in mails if value.encode() in content]
        assert not found, f"{file.name} holds {found[:3]}"


def test_published_files_agree_with_their_parquet_mirror(backfilled: Home) -> None:
    folder = backfilled.path / "published" / "current"
    manifest = json.loads((folder / "manifest.json").read_text())
    for table, about in manifest["tables"].items():
        schema, name = table.split(".")
        mirrored = duckdb.sql(f"select count(*) from '{folder}/{schema}/{name}.parquet'").fetchone()
        assert mirrored == (about["rows"],), table
        assert backfilled.query(f"select count(*) from {table}") == [(about["rows"],)]


def test_a_published_row_is_traced_to_its_line(backfilled: Home) -> None:
    ((order_id, line_no),) = backfilled.query(
        "select order_id, line_no from marts.fct_order_lines where is_revenue order by order_id, line_no limit 1"
    )
    said = backfilled.opscope("trace", "marts.fct_order_lines", order_id, str(line_no))
    assert "order_lines, delivered" in said
    assert str(order_id) in said


def test_rollback_serves_the_version_before(nightly: Home) -> None:
    newest = nightly.query("select max(version) from ops.publications")
    nightly.opscope("rollback")
    assert nightly.query("select max(version) from ops.publications") < newest
    nightly.opscope("rollback", newest[0][0])
    assert nightly.query("select max(version) from ops.publications") == newest


def test_quarantined_records_can_be_seen_and_mended(backfilled: Home, demo: Demo, tmp_path: Path) -> None:
    home = _copied(backfilled, tmp_path)
    ((quarantine_id, raw_text),) = home.raw(
        """
        select quarantine_id, raw_text from ops.quarantine
        where feed = 'order_lines' and reason_code = 'not_a_number' order by 1 limit 1
        """
    )
    assert raw_text in home.opscope("quarantine", "show", quarantine_id)
    assert "stays" in home.opscope("quarantine", "release", quarantine_id, "--profile", demo.profile, expect=1)
    mended = raw_text.rstrip("\r\n").replace("1O.5", "10").replace("1O,5", "10")
    home.opscope(
        *("quarantine", "release", quarantine_id, "--profile", demo.profile, "--landing", str(demo.landing)),
        *("--text", mended),
    )
    assert home.raw(f"select status from ops.quarantine where quarantine_id = '{quarantine_id}'") == [("released",)]
    assert home.raw("select count(*) from ops.stale_days") == [(1,)]


def test_a_day_without_files_still_publishes_its_as_of_day(nights: Nights) -> None:
    assert nights.lines_of_none == 0


def test_a_day_outside_the_profile_is_refused_with_its_range(demo: Demo, tmp_path: Path) -> None:
    said = Home(tmp_path, demo.profile, demo.landing).run("--date", "1999-01-01", expect=1)
    assert "lie outside the delivery days of demo" in said


def test_a_goal_is_compared_with_the_night_computed_before(nightly: Home) -> None:
    """Whatever night ran first: the status before is that of the as-of day before, and only another one is a change."""
    nights = nightly.query(
        """
        select
            (kpi_id, segment_type, segment_value, is_default_target,
                case when not is_default_target then (period_start, period_end) end) as goal,
            as_of, status, previous_as_of, previous_status, status_changed
        from reports.rpt_goal_progress order by as_of
        """
    )
    before: dict[str, tuple[date, str]] = {}
    changes = 0
    for goal, as_of, status, previous_as_of, previous_status, changed in nights:
        assert (previous_as_of, previous_status) == before.get(str(goal), (None, None))
        assert changed == (previous_status not in (None, status))
        before[str(goal)] = (as_of, status)
        changes += changed
    assert changes > 0
