"""A kill leaves the page cache, a power cut does not: what a name promises must be on the disk before the name is.

Real power cuts are out of reach here; what is shown is the order of the calls that the disk is owed.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.publishing import publish, rollback, versions
from pipelines.settings import Settings
from pipelines.sources.landed import LandedCopies
from tests.unit.publishing.company import AS_OF, allow, fill

Call = tuple[str, Path]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """Every fsync, rename and replace from now on, in order; the real calls are made."""
    made: list[Call] = []
    fsync, rename, replace = os.fsync, os.rename, os.replace

    def noted_fsync(descriptor: int) -> None:
        made.append(("fsync", Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    def noted_rename(source: Path, target: Path, **given: int) -> None:
        made.append(("rename", Path(target)))
        rename(source, target, **given)

    def noted_replace(source: Path, target: Path, **given: int) -> None:
        made.append(("rename", Path(target)))
        replace(source, target, **given)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "rename", noted_rename)
    monkeypatch.setattr(os, "replace", noted_replace)
    return made


def test_a_landed_copy_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, calls: list[Call], evidence: Callable[..., None]
) -> None:
    delivered = tmp_path / "orders.csv"
    delivered.write_bytes(b"order_id\n1\n")
    copies = LandedCopies(tmp_path / "landed")

    landed = copies.land("orders.csv", lambda: delivered.open("rb"))

    kinds = [kind for kind, _ in calls]
    assert kinds == ["fsync", "rename", "fsync"]
    assert calls[0][1].parent == tmp_path / "landed" / "unfinished"
    assert calls[1][1] == landed.path
    assert calls[2][1] == landed.path.parent
    evidence("P7", "calls of a landed copy in the order the disk needs: bytes, name, folder", trials=len(calls))


def test_a_version_is_on_the_disk_before_it_is_served(
    tmp_path: Path, calls: list[Call], evidence: Callable[..., None]
) -> None:
    settings = Settings.model_validate({"home": tmp_path, "threads": 1, "memory_limit": "1GB"})
    for generation in (1, 2):
        del calls[:]
        served = publish(settings, fill(settings, generation), as_of=AS_OF, run_id="run", revision="0" * 40, gate=allow)
        switch = calls.index(("rename", settings.published_path / "current"))
        named = calls.index(("rename", settings.published_path / "versions" / served.version))
        manifest = next(manifest for manifest in versions(settings) if manifest.version == served.version)
        building = settings.published_path / f".building-{served.version}"
        before = {path for kind, path in calls[:named] if kind == "fsync"}
        assert {building / file.path for file in manifest.files} <= before
        assert {building, building / "manifest.json"} <= before
        assert ("fsync", settings.published_path / "versions") in calls[named:switch]
        assert ("fsync", settings.published_path) in calls[switch:]
    del calls[:]
    rollback(settings)
    switch = calls.index(("rename", settings.published_path / "current"))
    assert ("fsync", settings.published_path) in calls[switch:]
    evidence("P9", "switches that came after every byte of the version was forced to disk", trials=3)
