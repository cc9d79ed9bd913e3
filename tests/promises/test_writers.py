"""Two runs never both write: they wait for each other, however long one of them is away, and whoever of them dies."""

import random
import signal
from pathlib import Path

from pipelines import failpoints, lease
from tests.promises import small_shop as shop
from tests.promises.nursery import Nursery, spread
from tests.promises.small_shop import Nights, copied
from tests.promises.test_crash import OF_A_PIPELINE

SEED = 20260402


def impatient_night(home: Path) -> None:
    """A night that waits for nobody."""
    lease.PATIENCE_SECONDS = 0.0
    shop.night(home, 1)


def test_a_writer_that_was_away_is_the_only_one_when_it_comes_back(
    nurseries: list[Nursery], nights: Nights, evidence
) -> None:
    """SIGSTOP at each seam, a second run that does not wait and a third that does, then SIGCONT or SIGKILL."""
    names = [name for name in failpoints.NAMES if name not in (*OF_A_PIPELINE, "prune.begun")]

    def away(nursery: Nursery, name: str) -> None:
        for ending in (signal.SIGCONT, signal.SIGKILL):
            with copied(nights.template, nights.template.with_name(f"away-{name}")) as home:
                first = nursery.start(shop.night, home, 1, failpoint=f"{name}:stop")
                assert first.is_stopped(), name
                refused = nursery.run(impatient_night, home)
                assert refused.is_clear, refused.error
                assert f"process {first.pid} night 1 has been writing for too long" in refused.error, name
                third = nursery.start(shop.night, home, 1)
                first.send(ending)
                assert first.ended().was_killed == (ending == signal.SIGKILL)
                third.ended().or_fail()
                assert nursery.run(shop.standing, home).or_fail() == nights.undisturbed, name

    spread(nurseries, away, names)
    evidence(
        "P12",
        "a writer stopped at a named seam for longer than another's patience: the other is refused with the writer's "
        "process, a third waits; the first goes on or is killed, and everything ends equal",
        trials=2 * len(names),
    )


def test_runs_at_the_same_time_take_turns(nurseries: list[Nursery], nights: Nights, trials, evidence) -> None:
    """Two to four at once, of which one may be killed; each notices when another is at work beside it."""
    chance = random.Random(SEED)
    plan = [(number, chance.randint(2, 4), chance.random() < 0.5, chance.random()) for number in range(trials(20, 200))]

    def race(nursery: Nursery, trial: tuple[int, int, bool, float]) -> int:
        number, count, kills, share = trial
        with copied(nights.template, nights.template.with_name(f"race-{number}")) as home:
            running = [nursery.start(shop.night, home, 1) for _ in range(count)]
            if kills:
                running.pop().killed_after(share * nights.seconds)
            for each in running:
                each.ended().or_fail()
            assert nursery.run(shop.standing, home).or_fail() == nights.undisturbed, f"race {number} of seed {SEED}"
        return count

    started = sum(spread(nurseries, race, plan))
    evidence(
        "P12",
        f"two to four runs at the same time ({started} in all), in half of the trials one of them killed: never two at "
        "work, and everything ends equal",
        trials=len(plan),
        seed=SEED,
    )
