"""Kills at any moment of a whole run: the next run ends where none was disturbed, and nothing stays behind."""

import random
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration import conftest as installations
from tests.promises import services
from tests.promises import whole_runs as runs
from tests.promises.test_crash import OF_A_PIPELINE
from tests.promises.whole_runs import Home

SEED = 20261122
LONGEST_CHAIN = 3


@dataclass(frozen=True)
class Undisturbed:
    homes: list[Home]
    standing: dict[str, object]
    seconds: float


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Undisturbed]:
    folder = tmp_path_factory.mktemp("whole-runs")
    runs.deliver(folder / "landing")
    homes = [Home.at(folder / name) for name in ("one", "two")]
    begun = time.monotonic()
    homes[0].nursery.run(runs.run).or_fail()
    seconds = time.monotonic() - begun
    standing = homes[0].nursery.run(runs.standing).or_fail()
    yield Undisturbed(homes, standing, seconds)
    for home in homes:
        home.nursery.close()


def finish(home: Home, undisturbed: Undisturbed, label: str) -> None:
    """What an operator does: the same run again, nothing cleaned before."""
    assert home.nursery.run(runs.run_and_standing).or_fail() == undisturbed.standing, label
    assert home.nursery.run(runs.unfinished_runs).or_fail() == 0, label


def hit_every_seam(home: Home, undisturbed: Undisturbed) -> int:
    home.empty()
    for name in sorted(OF_A_PIPELINE):
        assert home.nursery.run(runs.run, failpoint=f"{name}:kill").was_killed, f"{name} was not reached"
    stopped = home.nursery.start(runs.run, failpoint="step.left:stop")
    assert stopped.is_stopped()
    stopped.send(signal.SIGTERM)
    stopped.send(signal.SIGCONT)
    assert stopped.ended().error == f"ended with exit code {128 + signal.SIGTERM}"
    finish(home, undisturbed, "all seams and SIGTERM")
    return len(OF_A_PIPELINE)


def kill_at_random(home: Home, undisturbed: Undisturbed, kills: int) -> int:
    moments = random.Random(SEED)
    left = kills
    while left:
        home.empty()
        chain = [moments.uniform(0.0, 1.1) for _ in range(min(left, moments.randint(1, LONGEST_CHAIN)))]
        for share in chain:
            ended = home.nursery.start(runs.run).killed_after(share * undisturbed.seconds)
            assert ended.was_killed or not ended.error, ended.error
        finish(home, undisturbed, f"{chain} of seed {SEED}")
        left -= len(chain)
    return kills


def test_a_killed_run_is_made_good_by_the_next(undisturbed: Undisturbed, trials, evidence) -> None:
    """One home is killed at each seam in turn, the other at random; in both, recoveries are killed too."""
    with ThreadPoolExecutor(2) as pool:
        seams = pool.submit(hit_every_seam, undisturbed.homes[0], undisturbed)
        random_kills = pool.submit(kill_at_random, undisturbed.homes[1], undisturbed, trials(1, 500))
    evidence(
        "P7",
        "SIGKILL at each named seam between and inside the steps of a whole run through Dagster and dbt: after one "
        "rerun all tables, ledger, quarantine, reconciliation and what is served are equal, and no run stays started",
        trials=seams.result(),
    )
    evidence(
        "P7",
        "SIGKILL at uniform moments of a whole run through Dagster and dbt, recoveries among the victims: after one "
        "rerun everything is equal, and no run stays started",
        trials=random_kills.result(),
        seed=SEED,
    )


def test_a_killed_service_goes_on_by_itself(undisturbed: Undisturbed, tmp_path: Path, trials, evidence) -> None:
    """A run sent through GraphQL, and the processes around it killed: nobody but a supervisor does anything."""
    kills = trials(0, 50)
    if not kills:
        pytest.skip("of the soak tier alone: each kill costs minutes of waiting for the daemon")
    moment = random.Random(SEED)
    landing = undisturbed.homes[0].path.parent / "landing"
    victims = [*services.VICTIMS, *(moment.choice(services.VICTIMS) for _ in range(kills - len(services.VICTIMS)))]
    for number, victim in enumerate(victims):
        home = installations.Home(tmp_path / str(number), str(landing / "profile.yml"), landing)
        services.survived(home, runs.day_names(landing), victim, moment)
        assert undisturbed.homes[0].nursery.run(runs.standing, home.path).or_fail() == undisturbed.standing, victim
    evidence(
        "P7",
        f"SIGKILL of {', '.join(sorted(set(victims)))} of webserver, daemon, code server and run worker during a run "
        "launched over GraphQL: it is tried again by itself, everything is equal, no run stays started",
        trials=len(victims),
        seed=SEED,
    )
