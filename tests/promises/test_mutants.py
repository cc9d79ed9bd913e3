"""The tests tested: a bug planted in our own code turns the suite red."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.promises.mutants import MUTANTS, ROOT, Mutant, notices

MUTANT = pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name.replace(" ", "-"))


@MUTANT
def test_a_mutant_still_fits_the_code(mutant: Mutant, tmp_path: Path) -> None:
    copied = tmp_path / mutant.file
    copied.parent.mkdir(parents=True)
    copied.write_bytes((ROOT / mutant.file).read_bytes())

    mutant.plant(tmp_path)

    if copied.suffix == ".py":
        compile(copied.read_text(encoding="utf-8"), mutant.file, "exec")
    assert all((ROOT / test).is_file() for test in mutant.tests if test.endswith(".py"))


@MUTANT
def test_a_planted_bug_turns_the_suite_red(
    mutant: Mutant, tmp_path: Path, trials: Callable[[int, int], int], evidence: Callable[..., None]
) -> None:
    if not trials(0, 1):
        pytest.skip("planting all bugs takes a quarter of an hour: it is of the soak tier (make mutants)")

    is_noticed, said = notices(mutant, tmp_path)

    assert is_noticed, said[-4000:]
    evidence(mutant.promise, f"planted bug noticed: {mutant.name}", trials=1)


def test_there_are_enough_and_each_is_another() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 15


def test_the_tests_of_a_mutant_are_collected_where_it_is_not_planted() -> None:
    """A misspelt test would fail as surely as a planted bug; that is exit code 4 or 5, not 1."""
    arguments = sorted({test for mutant in MUTANTS for test in mutant.tests if test.endswith(".py")})
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
