"""No space, a failing disk, too few handles, too little memory: a clear error, the old version served, one rerun equal.

Faults are put at the boundary to the system: a call of `os` that fails, a limit of the kernel, a small file system.
"""

import errno
import itertools
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.promises import small_shop as shop
from tests.promises.nursery import Ended, Nursery, spread
from tests.promises.small_shop import DAYS, Nights, copied

CALLS = ("open", "fsync", "rename", "replace", "link", "symlink", "unlink", "mkdir", "chmod")
ERRORS = (errno.EIO, errno.ENOSPC)
MOUNTED_BYTES = 64_000_000


# ---------------------------------------------------------------------------------------------- what the children do


def publish_with_fault(home: Path, call: str, turn: int, error: int, lasts: bool) -> bool:
    """Publish the second night while the turn-th call fails, and all after it if it lasts; whether any failed."""
    turns = itertools.count(1)
    sound: Callable[..., object] = getattr(os, call)
    failed = False

    def faulty(*arguments: object, **named: object) -> object:
        nonlocal failed
        number = next(turns)
        if number == turn or (lasts and number > turn):
            failed = True
            raise OSError(error, os.strerror(error), str(arguments[0]))
        return sound(*arguments, **named)

    setattr(os, call, faulty)
    shop.published(shop.settings_at(home), 1)
    return failed


def night_under(home: Path, limit: int, value: int) -> None:
    resource.setrlimit(limit, (value, value))
    shop.night(home, 1)


def night_in_memory(home: Path, memory_limit: str) -> None:
    shop.night(home, 1, memory_limit=memory_limit)


def load_second(home: Path) -> None:
    shop.load(shop.settings_at(home), 1)


# ------------------------------------------------------------------------------------------------------- the trials


def safe(nursery: Nursery, home: Path, nights: Nights, ended: Ended, label: str) -> bool:
    """Whether it failed: then in an operator's words, with a whole version served. A rerun ends where none failed."""
    assert not ended.error or ended.is_clear, f"{label}: {ended.error}"
    seen = nursery.run(shop.served, home).or_fail()
    assert seen in ({DAYS[0]}, {DAYS[1]}), f"{label}: {seen}"
    assert nursery.run(shop.night_and_standing, home, 1).or_fail() == nights.undisturbed, label
    return bool(ended.error)


@pytest.fixture(scope="module")
def loaded(nurseries: list[Nursery], nights: Nights) -> Iterator[Path]:
    """The second night loaded and not yet published."""
    with copied(nights.template, nights.template.with_name("loaded")) as home:
        nurseries[0].run(load_second, home).or_fail()
        yield home


def test_any_call_of_a_publication_may_fail(
    nurseries: list[Nursery], nights: Nights, loaded: Path, trials, evidence
) -> None:
    """Each call in turn until a pass without a fault; the kinds of fault take turns, and all are tried in soak."""
    kinds = list(itertools.product(ERRORS, (False, True)))
    tried = trials(1, len(kinds))

    def fail_all(nursery: Nursery, call: str) -> tuple[int, int]:
        faults = failures = 0
        for turn in itertools.count(1):
            for error, lasts in (kinds[(turn + number) % len(kinds)] for number in range(tried)):
                label = f"{call} number {turn}: {errno.errorcode[error]}{' from then on' if lasts else ''}"
                with copied(loaded, loaded.with_name(f"fault-{call}")) as home:
                    ended = nursery.run(publish_with_fault, home, call, turn, error, lasts)
                    failures += safe(nursery, home, nights, ended, label)
                if ended.value is False:
                    return faults, failures
                faults += 1
        raise AssertionError

    counted = spread(nurseries, fail_all, CALLS)
    faults = sum(number for number, _ in counted)
    assert all(number for number, _ in counted)
    assert sum(failures for _, failures in counted) > faults / 2
    evidence(
        "P9",
        f"each {', '.join(CALLS)} of a publication fails in turn with EIO or ENOSPC, once or from then on: a clear "
        "error, a whole version served, and equal after one rerun",
        trials=faults,
    )


@pytest.mark.parametrize(
    ("limit", "values", "what"),
    [
        (resource.RLIMIT_FSIZE, [1000 * 2**power for power in range(14)], "the size of a file"),
        (resource.RLIMIT_NOFILE, list(range(6, 30, 2)), "the number of open files"),
    ],
    ids=["file-size", "handles"],
)
def test_limits_of_the_kernel_fail_cleanly(
    nurseries: list[Nursery], nights: Nights, limit: int, values: list[int], what: str, evidence
) -> None:
    def fails(nursery: Nursery, value: int) -> bool:
        with copied(nights.template, nights.template.with_name(f"limit-{value}")) as home:
            ended = nursery.run(night_under, home, limit, value)
            return safe(nursery, home, nights, ended, f"{what} at {value}")

    failures = sum(spread(nurseries, fails, values))
    assert 0 < failures < len(values)
    evidence(
        "P14",
        f"a limit on {what}, at {len(values)} levels, ends a night with a clear error or not at all; the last version "
        "is served and a rerun without it ends equal",
        trials=len(values),
    )


def test_too_little_memory_fails_cleanly(nurseries: list[Nursery], nights: Nights, evidence) -> None:
    levels = ["1MB", "2MB", "4MB", "8MB", "16MB", "32MB", "1GB"]

    def fails(nursery: Nursery, level: str) -> bool:
        with copied(nights.template, nights.template.with_name(f"memory-{level}")) as home:
            return safe(nursery, home, nights, nursery.run(night_in_memory, home, level), f"memory limit {level}")

    failures = sum(spread(nurseries, fails, levels))
    assert 0 < failures < len(levels)
    evidence(
        "P14",
        "a memory limit that is too low ends a night with a clear error; the last version is served and a rerun with "
        "more ends equal",
        trials=len(levels),
    )


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own that is soon full."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={MOUNTED_BYTES}", "none", str(tmp_path)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_full_disk_fails_cleanly(
    nurseries: list[Nursery], nights: Nights, small_disk: Path, trials, evidence
) -> None:
    levels = trials(20, 100)
    shutil.copytree(nights.template.with_name("landing"), small_disk / "landing")
    with copied(nights.template, small_disk / "home") as home:
        before = used(small_disk)
        nurseries[0].run(shop.night, home, 1).or_fail()
        needed = used(small_disk) - before
    failures = 0
    for level in range(levels):
        with copied(nights.template, small_disk / "home") as home:
            free = int(needed * 1.3 * level / levels)
            ballast = small_disk / "ballast"
            ballast.write_bytes(b"\0" * max(0, MOUNTED_BYTES - used(small_disk) - free))
            ended = nurseries[0].run(shop.night, home, 1)
            ballast.unlink()
            failures += safe(nurseries[0], home, nights, ended, f"{free} bytes free")
    assert 0 < failures < levels
    evidence(
        "P14",
        f"the disk has less room than a night needs, at {levels} levels: a clear error, the last version is served, "
        "and a rerun with space ends equal",
        trials=levels,
    )


def used(disk: Path) -> int:
    return shutil.disk_usage(disk).used
