"""The published versions on disk: their manifests, which one is served, the switch, rollback and retention.

    <home>/published/current         -> versions/<version>             the one link that ever changes
    <home>/published/current.duckdb  -> current/analytics.duckdb       constant
    <home>/published/versions/<version>/                               never changed once it has this name

Building a version belongs to `publish`; what is in one to `contents`.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from pipelines.durable import sync
from pipelines.errors import OpscopeError
from pipelines.failpoints import reach
from pipelines.settings import Settings

DATABASE = "analytics.duckdb"
MANIFEST = "manifest.json"
BUILDING = ".building"


SEQUENCE = re.compile(r"v(\d{6,})_\d{8}_[0-9a-f]{8}")


class VersionError(OpscopeError):
    """A published version is missing or is not what its manifest says."""


class StoredFile(BaseModel):
    """One file of a version: its path inside the version's folder and the hash of its bytes."""

    model_config = ConfigDict(frozen=True)

    path: str
    size_bytes: int
    sha256: str


class PublishedTable(BaseModel):
    """One table of a version."""

    model_config = ConfigDict(frozen=True)

    rows: int
    digest: str
    parquet: StoredFile


class Manifest(BaseModel):
    """What a version holds and where it comes from; `manifest.json` in its folder."""

    model_config = ConfigDict(frozen=True)

    version: str
    as_of: date
    data_through: date | None
    content_digest: str
    product_version: str
    revision: str
    run_id: str
    published_at: datetime
    checks: dict[str, int]
    database: StoredFile
    tables: dict[str, PublishedTable]

    @property
    def sequence(self) -> int:
        """Its place in the order of publications."""
        return sequence_of(self.version) or 0

    @property
    def files(self) -> tuple[StoredFile, ...]:
        return (self.database, *(table.parquet for table in self.tables.values()))

    @property
    def text(self) -> str:
        """What lies in the folder, sealed with a hash of itself so that rot in it shows."""
        said = self.model_dump(mode="json")
        seal = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
        return json.dumps(said | {"seal": seal}, indent=2) + "\n"


def sequence_of(version: str) -> int | None:
    """The running number in a version's name; None when it is not such a name."""
    match = SEQUENCE.fullmatch(version)
    return int(match.group(1)) if match else None


def versions_path(settings: Settings) -> Path:
    return settings.published_path / "versions"


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a version's folder.

    Raises:
        VersionError: there is none, it cannot be read, or a byte of it changed since it was written.
    """
    try:
        content = (folder / MANIFEST).read_bytes()
        manifest = Manifest.model_validate_json(content)
    except (OSError, ValidationError) as error:
        raise VersionError(
            str(folder), f"has no readable manifest ({error})", "Roll back to another version."
        ) from error
    if manifest.text.encode() != content:
        raise VersionError(str(folder / MANIFEST), "differs from what was published", _OTHER)
    return manifest


def versions(settings: Settings) -> tuple[Manifest, ...]:
    """The versions kept, oldest publication first; folders without a readable manifest are left out."""
    found = []
    for folder in sorted(versions_path(settings).glob("*")):
        try:
            found.append(read_manifest(folder))
        except VersionError:
            continue
    return tuple(sorted(found, key=lambda manifest: manifest.sequence))


def current_version(settings: Settings) -> str | None:
    """The name of the version served, None before the first publication."""
    try:
        return (settings.published_path / "current").readlink().name
    except OSError:
        return None


def stored_file(folder: Path, path: Path) -> StoredFile:
    with path.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
        return StoredFile(
            path=str(path.relative_to(folder)), size_bytes=os.fstat(opened.fileno()).st_size, sha256=digest
        )


def verify(settings: Settings, version: str) -> Manifest:
    """Read every byte of a version and compare with its manifest.

    Raises:
        VersionError: a file is missing or differs.
    """
    folder = versions_path(settings) / version
    manifest = read_manifest(folder)
    for expected in manifest.files:
        try:
            found = stored_file(folder, folder / expected.path)
        except OSError as error:
            raise VersionError(str(folder / expected.path), f"cannot be read ({error})", _OTHER) from error
        if found != expected:
            raise VersionError(str(folder / expected.path), "differs from what was published", _OTHER)
    return manifest


_OTHER = "Roll back to another version, or publish again."


@contextmanager
def pointer_lock(settings: Settings) -> Iterator[None]:
    """Keep the switch, rollback and retention of two processes apart; freed by the kernel when its holder dies."""
    settings.published_path.mkdir(parents=True, exist_ok=True, mode=0o750)
    descriptor = os.open(settings.published_path / ".lock", os.O_RDWR | os.O_CREAT, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def point_to(settings: Settings, version: str) -> None:
    """Serve this version from now on: one rename of one link. Hold `pointer_lock`."""
    published = settings.published_path
    constant = published / "current.duckdb"
    if not constant.is_symlink():
        _link(constant, f"current/{DATABASE}")
    _link(published / "current", f"versions/{version}")
    sync(published)


def _link(path: Path, target: str) -> None:
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    reach("switch.linked")
    fresh.replace(path)


def rollback(settings: Settings, version: str | None = None) -> Manifest:
    """Serve an earlier version again, after checking all of its bytes.

    Args:
        settings: Of the installation.
        version: Its name; None means the one published before the served one.

    Returns:
        The manifest of the version now served.

    Raises:
        VersionError: there is no such version, or it is damaged; what was served stays.
    """
    with pointer_lock(settings):
        target = version if version is not None else _previous(settings)
        if sequence_of(target) is None or not (versions_path(settings) / target).is_dir():
            kept = ", ".join(manifest.version for manifest in versions(settings)) or "none"
            raise VersionError(f"version {target!r}", "is not kept", f"Kept are: {kept}.")
        manifest = verify(settings, target)
        point_to(settings, target)
    return manifest


def _previous(settings: Settings) -> str:
    current = current_version(settings)
    kept = versions(settings)
    served = next((manifest.sequence for manifest in kept if manifest.version == current), None)
    earlier = [manifest.version for manifest in kept if served is None or manifest.sequence < served]
    if not earlier:
        others = ", ".join(manifest.version for manifest in kept if manifest.version != current) or "none"
        raise VersionError(
            str(settings.published_path),
            f"holds no earlier version than {current or 'none'}",
            f"Versions to go to by name: {others}. OPSCOPE_KEEP_VERSIONS, now {settings.keep_versions}, keeps more.",
        )
    return earlier[-1]


def clean(settings: Settings) -> None:
    """Remove what a crashed publication left. Hold `pointer_lock`."""
    for leftover in (*settings.published_path.glob(f"{BUILDING}*"), *settings.published_path.glob(".current*.new")):
        if leftover.is_dir() and not leftover.is_symlink():
            shutil.rmtree(leftover)
        else:
            leftover.unlink()


def prune(settings: Settings, *, replaced: str | None, keep: int) -> None:
    """Keep the served version and the newest of those served before it, `keep` in all. Hold `pointer_lock`.

    Versions newer than `replaced`, the one served until now, go too: they were rolled back from, or a crash came
    before they were served. A later rollback must not land on them.
    """
    served = current_version(settings)
    kept = {manifest.version: manifest.sequence for manifest in versions(settings)}
    newest = sequence_of(replaced or "") or -1
    earlier = [version for version, sequence in kept.items() if version != served and sequence <= newest]
    room = keep - 1
    staying = {served, *(earlier[-room:] if room else [])}
    for folder in versions_path(settings).glob("*"):
        if folder.name not in staying:
            # First what makes it a version: one half removed must not be rolled back to.
            (folder / MANIFEST).unlink(missing_ok=True)
            reach("prune.begun")
            shutil.rmtree(folder)
