"""What `opscope doctor` looks at: the environment, the home, the warehouse and what is published. Changes nothing.

Each function gives findings of one matter and needs only its arguments; `diagnose` puts them together, so that one
broken matter does not hide the others. Whether data is good enough to publish is decided by the gate, not here.
"""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Literal

import duckdb

from pipelines.errors import OpscopeError
from pipelines.publishing.versions import BUILDING, current_version, verify, versions, versions_path
from pipelines.settings import REPOSITORY, Settings, audit_time
from pipelines.sources.profiles import Profile, load_profile

Status = Literal["ok", "warn", "fail"]

LOCK = REPOSITORY / "requirements.lock"
PIN = re.compile(r"^(?P<name>[a-z0-9][a-z0-9._-]*)(?:\[[^]]*\])?==(?P<version>[^\s;\\]+)(?P<marker> ;)?", re.MULTILINE)
LOWEST_PYTHON, FIRST_PYTHON_NOT_TRIED = (3, 11), (3, 14)
# A night may write a new version and let the warehouse grow; what is free should be a multiple of both together.
FREE_MULTIPLE = 2.5
LEAST_ESTIMATE_BYTES = 200 * 2**20
SILENT_DAYS = 2
QUARANTINE_RATE = 0.01
SHOWN = 5


@dataclass(frozen=True)
class Finding:
    """One matter: what was looked at, how it stands, and what to do where it is not well."""

    name: str
    status: Status
    detail: str
    remedy: str = ""


def diagnose(settings: Settings) -> list[Finding]:
    """Everything an operator can put right, in the order it should be looked at."""
    found = [*environment(LOCK.read_text(encoding="utf-8")), *home(settings), *landing(settings)]
    profile = None
    try:
        profile = load_profile(settings.profile)
        found.append(Finding("profile", "ok", f"{profile.company}, {len(profile.feeds)} feeds"))
    except OpscopeError as error:
        found.append(Finding("profile", "fail", f"{error.place}: {error.cause}", error.remedy))
    return [*found, *warehouse(settings, profile), *published(settings), *leftovers(settings)]


def environment(lock: str) -> Iterator[Finding]:
    """Python and the installed packages against the lock."""
    running = ".".join(map(str, sys.version_info[:3]))
    is_tried = LOWEST_PYTHON <= sys.version_info[:2] < FIRST_PYTHON_NOT_TRIED
    yield Finding(
        "python", "ok" if is_tried else "fail", running, "" if is_tried else "Use Python 3.11 to 3.13: `make setup`."
    )
    pins: dict[str, set[str]] = {}
    conditional = set()
    for pin in PIN.finditer(lock):
        pins.setdefault(pin["name"], set()).add(pin["version"])
        if pin["marker"]:
            conditional.add(pin["name"])
    differing = []
    for name, allowed in sorted(pins.items()):
        try:
            version = installed_version(name)
        except PackageNotFoundError:
            if name not in conditional:
                differing.append(f"{name} is missing")
            continue
        if version not in allowed:
            differing.append(f"{name} is {version}, locked is {' or '.join(sorted(allowed))}")
    if differing:
        yield Finding("packages", "fail", _listed(differing), "Run `make setup`.")
    else:
        yield Finding("packages", "ok", f"{len(pins)} as locked")


def home(settings: Settings) -> Iterator[Finding]:
    """Whether the home can be written, who else can read it, and whether there is room for the next run."""
    existing = next(path for path in (settings.root, *settings.root.parents) if path.exists())
    if not os.access(existing, os.W_OK | os.X_OK):
        yield Finding("home", "fail", f"{existing} cannot be written", "Give this user the right, or choose --home.")
        return
    is_new = existing != settings.root
    yield Finding("home", "ok", f"{settings.root}{' will be made by the first run' if is_new else ''}")
    private = (settings.warehouse_path, settings.landed_path)
    open_to_all = [str(path) for path in private if path.exists() and _is_open_to_all(path)]
    if open_to_all:
        yield Finding(
            "permissions",
            "warn",
            f"every user of this machine can read {_listed(open_to_all)}, which hold personal data",
            f"Run `chmod o-rwx {settings.root}`.",
        )
    else:
        yield Finding("permissions", "ok", "no other user reads the warehouse or the landed copies")
    yield _room(settings, existing)
    if (settings.dagster_home / "dagster.yaml").is_file():
        yield Finding("dagster home", "ok", str(settings.dagster_home))
    else:
        yield Finding("dagster home", "warn", "is not there yet", "The first `opscope run` or `make dev` makes it.")


def _is_open_to_all(path: Path) -> bool:
    """Whether a stranger passes every folder above the path and may read it."""
    passable = all(folder.stat().st_mode & 0o001 for folder in path.parents)
    return passable and bool(path.stat().st_mode & 0o004)


def _room(settings: Settings, existing: Path) -> Finding:
    version = current_version(settings)
    stored = [settings.warehouse_path, *(versions_path(settings) / version).rglob("*")] if version else []
    used = sum(path.stat().st_size for path in stored if path.is_file() and not path.is_symlink())
    needed = FREE_MULTIPLE * max(used, LEAST_ESTIMATE_BYTES)
    free = shutil.disk_usage(existing).free
    detail = f"{free / 2**30:.1f} GiB free, {needed / 2**30:.1f} GiB asked for"
    if free < needed:
        return Finding("disk", "fail", detail, "Free some, lower OPSCOPE_KEEP_VERSIONS, or move the home.")
    return Finding("disk", "ok", detail)


def landing(settings: Settings) -> Iterator[Finding]:
    """Whether a local landing is there; a remote one is only tried by a run."""
    if "://" in settings.landing_url:
        yield Finding("landing", "ok", f"{settings.landing_url} (remote, not tried)")
    elif Path(settings.landing_url).is_dir():
        yield Finding("landing", "ok", settings.landing_url)
    else:
        yield Finding(
            "landing", "warn", f"{settings.landing_url} is not a folder", "Give --landing, or set OPSCOPE_LANDING."
        )


def warehouse(settings: Settings, profile: Profile | None) -> list[Finding]:
    """What the evidence tables say; one finding alone when the warehouse cannot be read."""
    path = settings.warehouse_path
    if not path.exists():
        return [Finding("warehouse", "warn", "is not there yet", "Run `opscope run`.")]
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            return [
                Finding("warehouse", "ok", f"{path}, {path.stat().st_size / 2**20:.0f} MiB"),
                *pending(connection),
                *deliveries(connection, profile, audit_time().date()),
                *quarantine(connection),
                *reconciliation(connection),
                *checks(connection),
            ]
    except duckdb.IOException as error:
        holder = re.search(r"held in (.+?) \(PID (\d+)\)", str(error))
        if holder:
            detail = f"is in use by {holder[1]}, process {holder[2]}"
            return [Finding("warehouse", "warn", detail, "Wait for the run; BI tools belong on current.duckdb.")]
        return [Finding("warehouse", "fail", f"cannot be opened: {error}", _REBUILD)]
    except duckdb.Error as error:
        return [Finding("warehouse", "fail", f"cannot be read: {error}", _REBUILD)]


_REBUILD = "Move it away and run `opscope run --all`: everything in it comes from the landing."


def pending(connection: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
    """Work that the next run has to do."""
    rows = connection.execute("select feed, count(*) from ops.stale_days group by feed order by feed").fetchall()
    days = connection.execute(
        "select stage, count(*) from ops.as_of_days where is_stale group by stage order by stage"
    ).fetchall()
    waiting = [f"{count} delivery days of {feed}" for feed, count in rows]
    waiting += [f"{count} as-of days of {stage}" for stage, count in days]
    if waiting:
        yield Finding("pending work", "warn", _listed(waiting), "The next run takes it up; run one day to do it now.")
    else:
        yield Finding("pending work", "ok", "none")


def deliveries(connection: duckdb.DuckDBPyConnection, profile: Profile | None, today: date) -> Iterator[Finding]:
    """When each feed was last delivered, and which files were refused."""
    last = dict(
        connection.execute(
            "select feed, max(delivered_on) from ops.files where status <> 'refused' group by feed"
        ).fetchall()
    )
    newest = max((day for day in last.values() if day is not None), default=None)
    expected = today if profile is None or profile.ends_on is None else min(today, profile.ends_on)
    if newest is None:
        yield Finding("deliveries", "warn", "no dated file came yet", "Run `opscope run`.")
    elif expected - newest > timedelta(days=SILENT_DAYS):
        detail = f"the last is of {newest}, {(expected - newest).days} days before {expected}"
        yield Finding("deliveries", "warn", detail, "Ask the sender, or check --landing and the profile's paths.")
    else:
        yield Finding("deliveries", "ok", f"the last is of {newest}")
    never = sorted(set(profile.feeds) - set(last)) if profile else []
    if never:
        remedy = "See `opscope profile check`, or take the feeds out of the profile."
        yield Finding("feeds", "warn", f"never delivered: {_listed(never)}", remedy)
    refused = connection.execute(
        "select source_path || ' (' || coalesce(reason_code, '') || ')' from ops.files where status = 'refused' "
        "order by delivered_on desc, source_path"
    ).fetchall()
    if refused:
        detail = f"{len(refused)}: {_listed([path for (path,) in refused])}"
        yield Finding("refused files", "warn", detail, "See `opscope quarantine list`; have them sent again.")
    else:
        yield Finding("refused files", "ok", "none")


def quarantine(connection: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
    """The share of records refused, and why."""
    row = connection.execute("select sum(records_seen) from ops.files where status <> 'superseded'").fetchone()
    reasons = connection.execute(
        "select reason_code, count(*) from ops.quarantine where status = 'open' and record_no is not null "
        "group by reason_code order by 2 desc, 1"
    ).fetchall()
    seen, refused = int(row[0] or 0) if row else 0, sum(count for _, count in reasons)
    rate = refused / seen if seen else 0.0
    detail = f"{refused:,} of {seen:,} records ({rate:.2%})"
    if reasons:
        detail += ": " + _listed([f"{reason} {count:,}" for reason, count in reasons])
    if rate > QUARANTINE_RATE:
        yield Finding("quarantine", "warn", detail, "Look at `opscope quarantine list`; release what is mended.")
    else:
        yield Finding("quarantine", "ok", detail)


def reconciliation(connection: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
    """Whether every record is accounted for, file by file and against the raw tables."""
    gaps = connection.execute(
        """
        select source_path from ops.files
        where status not in ('refused', 'superseded', 'duplicate')
            and records_seen <> records_loaded + records_duplicate + records_quarantined + records_filtered
        order by source_path
        """
    ).fetchall()
    wrong = [f"{path} does not add up" for (path,) in gaps]
    ledger = connection.execute(
        "select feed, sum(records_loaded) from ops.files where status in ('loaded', 'loaded_with_quarantine') "
        "group by feed order by feed"
    ).fetchall()
    for feed, loaded in ledger:
        (rows,) = connection.execute(f'select count(*) from raw."{feed}"').fetchall()[0]
        if rows != loaded:
            wrong.append(f"raw.{feed} has {rows:,} rows, the ledger {loaded:,}")
    if wrong:
        yield Finding("reconciliation", "fail", _listed(wrong), "Keep the warehouse for a report, then: " + _REBUILD)
    else:
        yield Finding("reconciliation", "ok", "every record is accounted for")


def checks(connection: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
    """The stored outcomes of all checks."""
    rows = connection.execute(
        "select asset || '.' || check_name || ' on ' || partition_on, is_blocking from ops.check_results "
        "where not passed order by partition_on desc, 1"
    ).fetchall()
    (total, newest) = connection.execute("select count(*), max(checked_at) from ops.check_results").fetchall()[0]
    blocking = [name for name, is_blocking in rows if is_blocking]
    warning = [name for name, is_blocking in rows if not is_blocking]
    if not total:
        yield Finding("checks", "warn", "none ran yet", "Run `opscope run`.")
    elif blocking:
        remedy = "Nothing is published until they pass; the check report says what was observed."
        yield Finding("checks", "fail", f"{len(blocking)} blocking checks failed: {_listed(blocking)}", remedy)
    elif warning:
        yield Finding("checks", "warn", f"{len(warning)} warnings: {_listed(warning)}", "See the check report.")
    else:
        yield Finding("checks", "ok", f"{total:,} outcomes, all passed, the last at {newest:%Y-%m-%d %H:%M} UTC")


def published(settings: Settings) -> Iterator[Finding]:
    """What is served, whether its bytes are those that were published, and what can be rolled back to."""
    served = current_version(settings)
    if served is None:
        yield Finding("published", "warn", "nothing yet", "Run `opscope run`.")
        return
    try:
        manifest = verify(settings, served)
    except OpscopeError as error:
        yield Finding("published", "fail", f"{error.place}: {error.cause}", "Run `opscope rollback`, then publish.")
        return
    size = sum(stored.size_bytes for stored in manifest.files)
    detail = f"{served} as of {manifest.as_of}, {len(manifest.tables)} tables, {size / 2**20:.0f} MiB, bytes verified"
    yield Finding("published", "ok", detail)
    others = [kept.version for kept in versions(settings) if kept.version != served]
    yield Finding("rollback", "ok", f"possible to {_listed(others)}" if others else "not yet: no other version is kept")


def leftovers(settings: Settings) -> Iterator[Finding]:
    """Files of runs that died; the next run removes them."""
    found = [
        *settings.published_path.glob(f"{BUILDING}*"),
        *settings.published_path.glob(".current*.new"),
        *(settings.landed_path / "unfinished").glob("*"),
    ]
    if found:
        remedy = "A run is going on, or one died; the next run removes them."
        yield Finding("leftovers", "warn", _listed([str(path) for path in found]), remedy)
    else:
        yield Finding("leftovers", "ok", "none")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
