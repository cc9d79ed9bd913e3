"""No clock change, leap day or odd week loses, doubles or shifts a record or a partition (P13).

How single stamps are read is tested where they are read (tests/unit/sources); here they go from a file to the published
sums. The oracle is the standard library's zoneinfo.
"""

import itertools
import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster import DagsterRunStatus
from dagster._utils.schedules import schedule_execution_time_iterator

from pipelines import lease, settings
from pipelines.assets.shell import Installation
from pipelines.automation import NIGHTLY_AT, nightly_schedule
from pipelines.errors import WarehouseError
from pipelines.instance import PROCESS_TAG, open_instance, process_tags, reap
from pipelines.partitions import delivery_days
from pipelines.publishing.versions import current_version
from pipelines.settings import Settings
from pipelines.sources.landing import find_deliveries
from pipelines.sources.profiles import Profile
from tests.promises.corrections import STARTS_ON, Shop, write
from tests.promises.corrections import profile as corrected_profile
from tests.promises.replayed import Recording, Replayed, settings_at

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC")
SEED = 13
TOLD_ON = date(2027, 1, 10)
# Leap day, the ends of a leap and a common year, and ISO week 53 of 2026, which ends in 2027.
ODD_DAYS = [date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1), date(2024, 12, 31), date(2025, 1, 1)]
ODD_DAYS += [date(2026, 12, 27) + timedelta(days=number) for number in range(9)]
HALF_HOURS = [timedelta(minutes=30 * number) for number in range(48)]
HEADER = "order_id,line_no,ordered_at,product_id,channel_id,quantity,unit_price,currency\n"


def clock_changes(zone: ZoneInfo, year: int) -> Iterator[date]:
    """The days of the year on which the clocks change."""
    for number in range(366):
        day = date(year, 1, 1) + timedelta(days=number)
        offsets = {datetime.combine(each, time(), zone).utcoffset() for each in (day, day + timedelta(days=1))}
        if len(offsets) == 2:
            yield day


def critical_days(zone: ZoneInfo) -> list[date]:
    changes = [*clock_changes(zone, 2025), *clock_changes(zone, 2026)]
    around = {day + timedelta(days=number) for day in changes for number in (-1, 0, 1)}
    return sorted({*around, *ODD_DAYS})


@dataclass(frozen=True)
class Stamp:
    """How a moment is written, and which it is: None when it never was."""

    text: str
    moment: datetime | None


def stamps(zone: ZoneInfo) -> list[Stamp]:
    """Every half hour of the critical days: as local time without a zone, and as each of the forms that name one."""
    found = []
    forms = itertools.cycle([UTC, timezone(timedelta(hours=2)), timezone(timedelta(hours=-4)), zone])
    for day in critical_days(zone):
        for naive in (datetime.combine(day, time()) + since for since in HALF_HOURS):
            # fold=0 is the first of two equal local times; a time that was skipped does not come back as it was.
            moment = naive.replace(tzinfo=zone).astimezone(UTC)
            exists = moment.astimezone(zone).replace(tzinfo=None) == naive
            found.append(Stamp(naive.isoformat(sep=" "), moment if exists else None))
        midnight = datetime.combine(day, time(), zone).astimezone(UTC)
        for since in HALF_HOURS:
            written = (midnight + since).astimezone(next(forms))
            text = written.isoformat().replace("+00:00", "Z")
            found.append(Stamp(text, midnight + since))
    return found


@pytest.mark.parametrize("name", ZONES)
def test_each_moment_counts_on_its_local_day_and_none_is_lost(
    recording: Recording, tmp_path: Path, evidence: Callable[..., None], name: str
) -> None:
    zone = ZoneInfo(name)
    written = stamps(zone)
    lines = [
        f"{number},1,{stamp.text},P1,web,1,{number % 97 + 1}.{number % 100:02},EUR\n"
        for number, stamp in enumerate(written)
    ]
    prices = [Decimal(line.split(",")[6]) for line in lines]
    company = Profile(
        company="shop", base_currency="EUR", time_zone=name, starts_on=TOLD_ON,
        feeds={"order_lines": {"path": "{delivered_on}/orders.csv"}},
    )  # fmt: skip
    home = Replayed(settings_at(tmp_path / "home", tmp_path / "landing"), company, recording).open()
    folder = tmp_path / "landing" / str(TOLD_ON)
    folder.mkdir(parents=True)
    (folder / "orders.csv").write_text(HEADER + "".join(lines))
    home.ingest((TOLD_ON, TOLD_ON))
    home.transform()
    home.report([TOLD_ON])

    known = {number: stamp.moment for number, stamp in enumerate(written) if stamp.moment is not None}
    skipped = {number for number, stamp in enumerate(written) if stamp.moment is None}
    loaded = home.rows("select order_id::int, ordered_at, ordered_on from marts.fct_order_lines")
    assert {number: at for number, at, _ in loaded} == {n: at.replace(tzinfo=None) for n, at in known.items()}
    assert {number: on for number, _, on in loaded} == {n: at.astimezone(zone).date() for n, at in known.items()}
    assert len(loaded) == len(known)
    refused = home.rows("select record_no, reason_code from ops.quarantine")
    assert sorted(refused) == [(number + 1, "nonexistent_local_time") for number in sorted(skipped)]
    assert bool(skipped) == bool([*clock_changes(zone, 2025)])

    per_day: dict[date, Decimal] = defaultdict(Decimal)
    for number, moment in known.items():
        per_day[moment.astimezone(zone).date()] += prices[number]
    published = home.rows("select ordered_on, net_amount_base, iso_year_week from reports.rpt_sales_daily")
    assert {day: net for day, net, _ in published} == per_day
    assert all(week == f"{day.isocalendar().year}-W{day.isocalendar().week:02}" for day, _, week in published)
    assert sum(net for _, net, _ in published) == sum(prices[number] for number in known)
    evidence(
        "P13",
        f"half-hourly stamps around clock changes, leap day, year ends and week 53 in {name}, naive and zoned, are in "
        "the sums of their local day or, where the clocks skipped them, in quarantine",
        trials=len(written),
    )


def test_the_day_of_arrival_is_the_local_day_of_the_file(tmp_path: Path, evidence: Callable[..., None]) -> None:
    """Files written just before and after each local midnight around the critical days."""
    file = tmp_path / "orders.csv"
    file.write_text(HEADER)
    looked_at = 0
    for name in ZONES:
        zone = ZoneInfo(name)
        company = Profile(
            company="shop", base_currency="EUR", time_zone=name, starts_on=TOLD_ON,
            feeds={"order_lines": {"path": "*.csv", "delivered_on": "arrival"}},
        )  # fmt: skip
        for day in critical_days(zone):
            midnight = datetime.combine(day, time(), zone).astimezone(UTC)
            for written in (midnight - timedelta(seconds=1), midnight, midnight + timedelta(hours=2)):
                os.utime(file, (written.timestamp(), written.timestamp()))
                (delivery,) = find_deliveries(company, str(tmp_path))
                assert delivery.delivered_on == written.astimezone(zone).date()
                looked_at += 1
    evidence("P13", "a file that arrives about midnight has the local day of its writing", trials=looked_at)


FIRST, LAST = date(2024, 1, 1), date(2027, 12, 31)


def company_in(zone: str) -> Profile:
    return Profile(
        company="shop", base_currency="EUR", time_zone=zone, starts_on=FIRST, ends_on=LAST,
        feeds={"order_lines": {"path": "{delivered_on}/*.csv"}},
    )  # fmt: skip


def all_days() -> list[date]:
    return [FIRST + timedelta(days=number) for number in range((LAST - FIRST).days + 1)]


def test_each_day_is_one_partition_and_they_meet(evidence: Callable[..., None]) -> None:
    lengths: dict[str, Counter[timedelta]] = {}
    for zone in ZONES:
        partitions = delivery_days(company_in(zone))
        keys = partitions.get_partition_keys(current_time=datetime(2030, 1, 1, tzinfo=UTC))
        assert keys == [day.isoformat() for day in all_days()]
        windows = [partitions.time_window_for_partition_key(key) for key in keys]
        assert all(before.end == after.start for before, after in itertools.pairwise(windows))
        assert all(window.start.astimezone(ZoneInfo(zone)).time() == time() for window in windows)
        lengths[zone] = Counter(window.end.astimezone(UTC) - window.start.astimezone(UTC) for window in windows)
    years = LAST.year - FIRST.year + 1
    hour, usual = timedelta(hours=1), timedelta(hours=24)
    for zone, shift in (("Europe/Berlin", hour), ("America/New_York", hour), ("Australia/Lord_Howe", hour / 2)):
        assert lengths[zone] == {usual - shift: years, usual + shift: years, usual: len(all_days()) - 2 * years}
    for zone in ("Asia/Kathmandu", "UTC"):
        assert lengths[zone] == {usual: len(all_days())}
    evidence("P13", "partitions are the calendar's days, each once, and meet", trials=len(ZONES) * len(all_days()))


def test_the_schedule_asks_for_each_day_once_after_it_has_ended(tmp_path: Path, evidence: Callable[..., None]) -> None:
    """02:00 is skipped on one night a year in most zones and comes twice on another."""
    for zone in ZONES:
        company = company_in(zone)
        installation = Installation(Settings(home=tmp_path), company, delivery_days(company))
        schedule = nightly_schedule(installation)
        assert schedule.execution_timezone == zone
        start = datetime.combine(FIRST, time(3), ZoneInfo(zone)).timestamp()
        ticks = schedule_execution_time_iterator(start, NIGHTLY_AT, zone)
        asked = []
        for tick in itertools.islice(ticks, len(all_days())):
            context = dg.build_schedule_context(scheduled_execution_time=tick)
            request = schedule(context)
            assert isinstance(request, dg.RunRequest)
            asked.append(request.partition_key)
            ended = date.fromisoformat(str(request.partition_key)) + timedelta(days=1)
            assert tick.timestamp() >= datetime.combine(ended, time(), ZoneInfo(zone)).timestamp()
        assert asked == [day.isoformat() for day in all_days()]
    evidence("P13", "the nightly schedule asks for each day once, after its end", trials=len(ZONES) * len(all_days()))


class MovedClock(datetime):
    """A clock that somebody keeps setting: two hours back, a day on, and so on."""

    _steps = itertools.cycle([timedelta(hours=-2), timedelta(days=1), timedelta(hours=-2), timedelta(days=-400)])

    @classmethod
    def now(cls, tz: Any = None) -> datetime:
        return datetime.now(tz) + next(cls._steps)


def nights(recording: Recording, folder: Path) -> tuple[dict[str, str], list[tuple]]:
    """Digests and publications after a few nights with corrections."""
    shop = Shop(SEED)
    home = Replayed(settings_at(folder / "home", folder / "landing"), corrected_profile(), recording).open()
    for number in range(3):
        day = STARTS_ON + timedelta(days=number)
        for file in shop.night(day, 3) if number else shop.history():
            write(folder / "landing", file)
        home.ingest((day, day))
        home.transform()
        home.report([day])
        published = home.publish(day)
        assert current_version(home.settings) == published.version
    versions = home.rows("select version, as_of, content_digest from ops.publications order by version")
    assert [as_of for _, as_of, _ in versions] == sorted(as_of for _, as_of, _ in versions)
    return home.digests(), versions


def test_a_moved_clock_changes_no_table_and_no_order_of_versions(
    recording: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, evidence: Callable[..., None]
) -> None:
    right = nights(recording, tmp_path / "right")
    monkeypatch.setattr(settings, "datetime", MovedClock)
    assert nights(recording, tmp_path / "moved") == right
    evidence(
        "P13", "nights under a clock that is set back and forth give the same tables and versions", trials=3, seed=SEED
    )


ALIVE, GONE = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"


def test_a_moved_clock_frees_no_lease_and_kills_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, evidence: Callable[..., None]
) -> None:
    monkeypatch.setattr(settings, "datetime", MovedClock)
    monkeypatch.setattr(lease, "PATIENCE_SECONDS", 0.0)
    home = Settings(home=tmp_path)
    living = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = Path(f"/proc/{living.pid}/stat").read_text().rpartition(")")[2].split()[19]
    ours, _, _ = process_tags("any")[PROCESS_TAG].partition("@")
    with lease.writer(home, "a night"), open_instance(home) as instance:
        for _ in range(4):
            with pytest.raises(WarehouseError, match="has been writing"), lease.writer(home, "another"):
                pass
        for run_id, process in ((ALIVE, f"{living.pid}@{started}"), (GONE, f"{ours}@1")):
            tags = {PROCESS_TAG: f"{process}/{run_id}"}
            instance.add_run(
                dg.DagsterRun(job_name="nightly", run_id=run_id, tags=tags, status=DagsterRunStatus.STARTED)
            )
        assert reap(instance) == [GONE]
        assert reap(instance) == []
    living.communicate(b"\n")
    evidence("P13", "under a clock that is set back and forth no lease is lost and only a dead run is reaped", trials=4)
