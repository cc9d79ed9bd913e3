"""Kills at any moment of ingestion and publishing, at the named seams and at random: one rerun ends where none ended.

Full pipelines and the services around them are killed in test_crash_pipeline.
"""

import random
from pathlib import Path

import pytest

from pipelines import failpoints
from tests.promises import small_shop as shop
from tests.promises.nursery import Nursery, spread
from tests.promises.small_shop import DAYS, Nights, copied

SEED = 20260331
LONGEST_CHAIN = 5
# Seams of the stages that this shop does not have; test_crash_pipeline hits them.
OF_A_PIPELINE = {
    name for name in failpoints.NAMES if name.split(".")[0] in ("transform", "forecast", "report", "checks", "step")
}


@pytest.mark.parametrize("action", ["kill", "raise", "enospc"])
def test_every_seam_is_reached_and_survived(nurseries: list[Nursery], nights: Nights, action: str, evidence) -> None:
    names = [name for name in failpoints.NAMES if name not in OF_A_PIPELINE]

    def hit(nursery: Nursery, name: str) -> None:
        with copied(nights.template, nights.template.with_name(f"{action}-{name}")) as home:
            # One version kept, so that the second night removes one. What is kept then differs from the other trials.
            ended = nursery.run(shop.night, home, 1, 1, failpoint=f"{name}:{action}")
            assert ended.was_killed == (action == "kill"), f"{name} was not reached: {ended}"
            assert bool(ended.error) == (action != "kill"), name
            assert action != "enospc" or ended.is_clear, ended.error
            assert nursery.run(shop.served, home).or_fail() in ({DAYS[0]}, {DAYS[1]}), name
            assert nursery.run(shop.night_and_standing, home, 1).or_fail() | {"kept": 2} == nights.undisturbed, name

    spread(nurseries, hit, names)
    evidence(
        "P7",
        f"{action} at each named seam of ingestion, publication and retention, then one rerun: all tables, the ledger, "
        "the quarantine and what is served are as without it",
        trials=len(names),
    )


def test_kills_at_random_moments_of_a_night(nurseries: list[Nursery], nights: Nights, trials, evidence) -> None:
    """Chains of kills: the recovery from one is the victim of the next, and the last recovery is let through."""
    kills = trials(200, 2000)
    plan = chains(kills, random.Random(SEED))

    def survive(nursery: Nursery, chain: tuple[int, list[float]]) -> int:
        with copied(nights.template, nights.template.with_name(f"chain-{chain[0]}")) as home:
            return survived(nursery, nights, home, chain[1], f"chain {chain[0]} of seed {SEED}")

    deaths = sum(spread(nurseries, survive, list(enumerate(plan))))
    assert deaths > kills / 2
    evidence(
        "P7",
        f"SIGKILL at uniform moments of a night's ingestion and publication, in {len(plan)} chains in which a recovery "
        "is the next victim: after one rerun all tables, the ledger, the quarantine and what is served are equal",
        trials=kills,
        seed=SEED,
    )
    evidence(
        "P9",
        "after SIGKILL at a uniform moment readers are served one whole version, the old or the new, never older than "
        "before",
        trials=kills,
        seed=SEED,
    )


def chains(kills: int, moments: random.Random, longest: int = LONGEST_CHAIN) -> list[list[float]]:
    """Moments of kills as shares of a night, up to a little after its end."""
    plan: list[list[float]] = []
    while (left := kills - sum(map(len, plan))) > 0:
        plan.append([moments.uniform(0.0, 1.1) for _ in range(min(left, moments.randint(1, longest)))])
    return plan


def survived(nursery: Nursery, nights: Nights, home: Path, chain: list[float], label: str) -> int:
    least, deaths = {DAYS[0]}, 0
    for share in chain:
        ended = nursery.start(shop.night, home, 1).killed_after(share * nights.seconds)
        assert ended.was_killed or ended.or_fail(), label
        deaths += ended.was_killed
        seen = nursery.run(shop.served, home).or_fail()
        assert len(seen) == 1, f"torn after {label}: {seen}"
        assert seen >= least or least == {DAYS[0]}, f"backwards after {label}"
        least = seen
    assert nursery.run(shop.night_and_standing, home, 1).or_fail() == nights.undisturbed, label
    return deaths
