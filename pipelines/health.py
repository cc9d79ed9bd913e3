"""What `opscope doctor` looks at: the environment, the home, who writes, and what is published. Changes nothing.

Each function gives findings of one matter and needs only its arguments; `diagnose` puts them together, so that one
broken matter does not hide the others. What the warehouse's own records say is in `evidence`.
"""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from datetime import date
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path

import duckdb

from pipelines import evidence, lease
from pipelines.errors import OpscopeError, WarehouseError
from pipelines.findings import Finding, listed
from pipelines.ops import require_company
from pipelines.publishing.versions import (
    BUILDING,
    current_version,
    read_manifest,
    verify,
    versions,
    versions_path,
)
from pipelines.settings import REPOSITORY, Settings, audit_time
from pipelines.sources.landing import misdated
from pipelines.sources.profiles import Profile, load_profile

LOCK = REPOSITORY / "requirements.lock"
PIN = re.compile(r"^(?P<name>[a-z0-9][a-z0-9._-]*)(?:\[[^]]*\])?==(?P<version>[^\s;\\]+)(?P<marker> ;)?", re.MULTILINE)
LOWEST_PYTHON, FIRST_PYTHON_NOT_TRIED = (3, 11), (3, 14)
# A night may write a new version and let the warehouse grow; what is free should be a multiple of both together.
FREE_MULTIPLE = 2.5
LEAST_ESTIMATE_BYTES = 200 * 2**20


def diagnose(settings: Settings) -> list[Finding]:
    """Everything an operator can put right, in the order it should be looked at."""
    found = [*environment(LOCK.read_text(encoding="utf-8")), *home(settings), *landing(settings)]
    profile = None
    try:
        profile = load_profile(settings.profile)
        found.append(Finding("profile", "ok", f"{profile.company}, {len(profile.feeds)} feeds"))
        found.extend(dated(settings, profile))
    except OpscopeError as error:
        found.append(Finding("profile", "fail", f"{error.place}: {error.cause}", error.remedy))
    return [
        *found,
        *writing(settings),
        *warehouse(settings, profile),
        *published(settings),
        *leftovers(settings),
    ]


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
        yield Finding("packages", "fail", listed(differing), "Run `make setup`.")
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
            f"every user of this machine can read {listed(open_to_all)}, which hold personal data",
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


def dated(settings: Settings, profile: Profile) -> Iterator[Finding]:
    """Whether a local landing has files that no run takes up for the day in their path; silent where there are none."""
    lost = misdated(profile, settings.landing_url)
    if lost:
        detail = f"{len(lost)} in paths that name no day, or one to come: {listed(lost)}"
        yield Finding("misdated files", "warn", detail, "Move them to the day they were delivered.")


def warehouse(settings: Settings, profile: Profile | None) -> list[Finding]:
    """What the evidence tables say; one finding alone when the warehouse cannot be read."""
    path = settings.warehouse_path
    if not path.exists():
        return [Finding("warehouse", "warn", "is not there yet", "Run `opscope run`.")]
    again = evidence.run_all_days(profile, _published_through(settings))
    rebuild = f"Move it away and run {again}: everything in it comes from the landing."
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            found = [Finding("warehouse", "ok", f"{path}, {path.stat().st_size / 2**20:.0f} MiB")]
            try:
                if profile is not None:
                    require_company(connection, profile)
            except WarehouseError as error:
                found.append(Finding("company", "fail", f"{error.place} {error.cause}", error.remedy))
                # Another company's profile says nothing of this one's deliveries.
                profile = None
            return [*found, *evidence.findings(connection, profile, audit_time().date())]
    except duckdb.IOException as error:
        holder = re.search(r"held in (.+?) \(PID (\d+)\)", str(error))
        if holder:
            detail = f"is in use by {holder[1]}, process {holder[2]}"
            return [Finding("warehouse", "warn", detail, "Wait for the run; BI tools belong on current.duckdb.")]
        return [Finding("warehouse", "fail", f"cannot be opened: {error}", rebuild)]
    except duckdb.Error as error:
        return [Finding("warehouse", "fail", f"cannot be read: {error}", rebuild)]


def _published_through(settings: Settings) -> date | None:
    """The last delivery day of what is served, for when the warehouse itself cannot say."""
    served = current_version(settings)
    try:
        return read_manifest(versions_path(settings) / served).data_through if served else None
    except OpscopeError:
        return None


def writing(settings: Settings) -> Iterator[Finding]:
    """Who holds the write lease now."""
    holder = lease.holder(settings)
    yield Finding("writer", "ok", f"process {holder} writes now" if holder else "nobody writes now")


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
    detail = (
        f"{served} as of {manifest.as_of}, at {manifest.published_at:%Y-%m-%d %H:%M} UTC by run {manifest.run_id}, "
        f"{len(manifest.tables)} tables, {size / 2**20:.0f} MiB, bytes verified"
    )
    kept = versions(settings)
    newer = [other.version for other in kept if other.sequence > manifest.sequence]
    if newer:
        remedy = "The next run publishes forward again: stop schedule and sensor while the newer one must stay away."
        yield Finding("published", "warn", f"{detail}; rolled back from {listed(newer)}", remedy)
    else:
        yield Finding("published", "ok", detail)
    others = [other.version for other in kept if other.version != served]
    yield Finding("rollback", "ok", f"possible to {listed(others)}" if others else "not yet: no other version is kept")


def leftovers(settings: Settings) -> Iterator[Finding]:
    """Files of runs that died; the next run removes them."""
    found = [
        *settings.published_path.glob(f"{BUILDING}*"),
        *settings.published_path.glob(".current*.new"),
        *(settings.landed_path / "unfinished").glob("*"),
    ]
    if found:
        remedy = "A run is going on, or one died; the next run removes them."
        yield Finding("leftovers", "warn", listed([str(path) for path in found]), remedy)
    else:
        yield Finding("leftovers", "ok", "none")
