"""The order of events of one publication.

Gate, compare, build beside the served version, force to disk, gate again, switch, log, retire. A crash at any point
leaves the old version served or the new one; the next publication starts by removing what was left and by logging
what was not.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from importlib.metadata import version as installed_version
from pathlib import Path

from duckdb import DuckDBPyConnection

from pipelines.durable import sync
from pipelines.failpoints import reach
from pipelines.publishing.build import Served, build
from pipelines.publishing.contents import Content, LogEntry, check_summary, content, data_through, log
from pipelines.publishing.versions import (
    BUILDING,
    MANIFEST,
    Manifest,
    VersionError,
    clean,
    current_version,
    point_to,
    pointer_lock,
    prune,
    read_manifest,
    sequence_of,
    verify,
    versions_path,
)
from pipelines.resources import Warehouse
from pipelines.settings import Settings, audit_time

WAREHOUSE = "warehouse"
Gate = Callable[[DuckDBPyConnection], None]


@dataclass(frozen=True)
class Publication:
    """The version served after a call of `publish`; `is_new` is false when nothing had changed."""

    version: str
    path: Path
    tables: dict[str, int]
    digest: str
    as_of: date
    is_new: bool


def publish(
    settings: Settings,
    warehouse: Warehouse,
    *,
    as_of: date,
    run_id: str,
    revision: str,
    gate: Gate,
    anew: bool = False,
) -> Publication:
    """Serve what the warehouse holds now, if the gate lets it.

    The warehouse stays open for writing from the first gate to the switch, so nothing changes between them. Content
    equal to what is served (same as-of day, digests and comments) is not published twice.

    Args:
        settings: Of the installation.
        warehouse: The pipeline's own file.
        as_of: The day the content is knowledge of; part of the version's name.
        run_id: Of the run that publishes.
        revision: Git revision of the product.
        gate: Called with the warehouse's connection, before building and again just before the switch; raises
            PublishRefusedError to stop.
        anew: Write every byte of the version, also where nothing changed, and keep no version before it: what was
            erased must not stay in them.

    Raises:
        PublishRefusedError: the gate refused, a table has a personal column, or there is nothing to publish.
    """
    with warehouse.write() as connection:
        gate(connection)
        served = _recovered(settings, connection)
        offered = content(connection, as_of)
        if served is not None and served.manifest.content_digest == offered.digest and not anew:
            return _publication(settings, served.manifest, is_new=False)
        sequence = _next_sequence(settings, connection)
        entry = LogEntry(
            version=f"v{sequence:06d}_{as_of:%Y%m%d}_{offered.digest[:8]}",
            as_of=as_of,
            content_digest=offered.digest,
            published_at=audit_time(),
            run_id=run_id,
        )
        folder = _built(settings, connection, entry, offered, None if anew else served, revision)
        gate(connection)
        with pointer_lock(settings):
            replaced = current_version(settings)
            manifest = _switched(settings, folder, entry.version)
            log(connection, entry, WAREHOUSE)
            reach("publish.logged")
            prune(settings, replaced=replaced, keep=1 if anew else settings.keep_versions)
    return _publication(settings, manifest, is_new=True)


def _recovered(settings: Settings, connection: DuckDBPyConnection) -> Served | None:
    """Remove what a crash left and log the served version if a crash came before that; give the served version."""
    with pointer_lock(settings):
        clean(settings)
        version = current_version(settings)
        if version is None:
            return None
        folder = versions_path(settings) / version
        try:
            manifest = read_manifest(folder)
        except VersionError:
            return None
    logged = connection.execute("select 1 from ops.publications where version = ?", [version]).fetchone()
    if logged is None:
        log(connection, _entry(manifest), WAREHOUSE)
    return Served(folder, manifest)


def _entry(manifest: Manifest) -> LogEntry:
    return LogEntry(manifest.version, manifest.as_of, manifest.content_digest, manifest.published_at, manifest.run_id)


def _next_sequence(settings: Settings, connection: DuckDBPyConnection) -> int:
    logged = [version for (version,) in connection.execute("select version from ops.publications").fetchall()]
    kept = [folder.name for folder in versions_path(settings).glob("*")]
    return max((sequence_of(name) or 0 for name in (*logged, *kept)), default=0) + 1


def _built(
    settings: Settings,
    connection: DuckDBPyConnection,
    entry: LogEntry,
    offered: Content,
    served: Served | None,
    revision: str,
) -> Path:
    folder = settings.published_path / f"{BUILDING}-{entry.version}"
    folder.mkdir(mode=0o750)
    database, tables = build(connection, folder, entry, offered, served)
    manifest = Manifest(
        **asdict(entry),
        data_through=data_through(connection, entry.as_of),
        product_version=installed_version("opscope"),
        revision=revision,
        checks=check_summary(connection),
        database=database,
        tables=tables,
    )
    path = folder / MANIFEST
    path.write_text(manifest.text, encoding="utf-8")
    path.chmod(0o640)
    sync(path)
    sync(folder)
    reach("publish.synced")
    return folder


def _switched(settings: Settings, folder: Path, version: str) -> Manifest:
    """Give the built folder its final name, check that every byte arrived, and serve it."""
    home = versions_path(settings)
    home.mkdir(exist_ok=True, mode=0o750)
    folder.rename(home / version)
    sync(home)
    sync(settings.published_path)
    reach("publish.named")
    manifest = verify(settings, version)
    point_to(settings, version)
    reach("publish.switched")
    return manifest


def _publication(settings: Settings, manifest: Manifest, *, is_new: bool) -> Publication:
    return Publication(
        version=manifest.version,
        path=versions_path(settings) / manifest.version,
        tables={name: table.rows for name, table in manifest.tables.items()},
        digest=manifest.content_digest,
        as_of=manifest.as_of,
        is_new=is_new,
    )
