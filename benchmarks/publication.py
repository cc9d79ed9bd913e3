"""Publication of a long history, and of one more day, against a plain copy of the bytes that were published."""

import os
import shutil
from datetime import date
from pathlib import Path

from benchmarks.companies import fresh, installation
from benchmarks.measure import Measured, Watch, measure
from benchmarks.tables import Result, Row, ratio


def publication_result(first: Measured, second: Measured, published: Path, copy: Path, logs: Path) -> Result:
    """Compare two publications with copies of the versions they made."""
    rows, verdicts = [], []
    for what, version in (("first publication", first), ("a night's publication", second)):
        folder = published / "versions" / version.facts["version"]
        copied = measure("publication:copy_version", logs / "copy.log", version=folder, target=fresh(copy))
        spent, least = version.costs["publish"], copied.costs["copy"]
        rows += [
            Row(what, spent, f"{version.facts['rows']:,} rows, peak {version.peak_mb:,.0f} MB"),
            Row("copy of its bytes, forced to disk", least, f"{copied.facts['bytes'] / 1e6:,.0f} MB"),
        ]
        verdicts.append(ratio(f"{what} / file copy", spent, least, 2))
    return Result("publication", "Publication", rows, verdicts)


def publish_version(watch: Watch, *, home: str, landing: str, as_of: str) -> dict[str, object]:
    """Publish what stands in the warehouse, gate apart: fingerprint, build, mirror, verify, switch."""
    from pipelines.publishing import publish

    settings, _, warehouse = installation(home, landing)
    with watch("publish"):
        published = publish(
            settings,
            warehouse,
            as_of=date.fromisoformat(as_of),
            run_id="bench",
            revision="bench",
            gate=lambda connection: None,
        )
    return {"version": published.version, "rows": sum(published.tables.values())}


def copy_version(watch: Watch, *, version: str, target: str) -> dict[str, int]:
    """Copy each file once, however many names it has, and force it to disk as publication does."""
    seen: set[int] = set()
    size = 0
    with watch("copy"):
        for path in sorted(Path(version).rglob("*")):
            facts = path.lstat()
            if not path.is_file() or facts.st_ino in seen:
                continue
            seen.add(facts.st_ino)
            size += facts.st_size
            to = Path(target) / path.relative_to(version)
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, to)
            with to.open("rb") as copied:
                os.fsync(copied.fileno())
    return {"bytes": size}
