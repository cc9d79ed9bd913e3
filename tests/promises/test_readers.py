"""Readers and what they are served: whole versions in order, whatever is published, rolled back, removed or rotten."""

import random
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from pipelines.publishing import rollback, verify, versions
from pipelines.publishing.versions import VersionError, current_version
from pipelines.settings import Settings
from tests.promises import readers, small_shop
from tests.promises.nursery import Child, Nursery
from tests.promises.readers import Seen
from tests.unit.publishing.company import generations, published, settings_at

SEED = 20260401
READERS = ["reconnecting"] * 8 + ["session"] * 2 + ["holding"] * 4 + ["attaching"] * 2
ROLLBACK_EVERY = 10
PATIENCE = 3000


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    started = Nursery(small_shop.warm)
    yield started
    started.close()


def started_readers(nursery: Nursery, home: Path, kinds: list[str]) -> list[Child]:
    """Readers that have all read at least once."""
    ready = [home / f"ready-{number}" for number in range(len(kinds))]
    children = [
        nursery.start(readers.read, kind, home / "published", flag) for kind, flag in zip(kinds, ready, strict=True)
    ]
    for flag in ready:
        wait_for(flag)
    return children


def wait_for(flag: Path) -> None:
    for _ in range(PATIENCE):
        if flag.exists():
            return
        time.sleep(0.02)
    raise AssertionError(f"{flag.name} did not come")


def told_to_stop(home: Path, children: list[Child]) -> list[Seen]:
    (home / readers.STOP).touch()
    return [child.ended().or_fail() for child in children]


def is_in_order(seen: list[int], served: list[int]) -> bool:
    """Whether what was seen can be found in what was served one after the other, without going back."""
    position = 0
    for generation in seen:
        if generation not in served[position:]:
            return False
        position = served.index(generation, position)
    return True


def test_sixteen_readers_see_whole_versions_in_order(nursery: Nursery, tmp_path: Path, trials, evidence) -> None:
    settings = settings_at(tmp_path)
    published(settings, 0)
    published(settings, 1)
    served = [1]
    children = started_readers(nursery, tmp_path, READERS)
    publications = trials(50, 200)
    for generation in range(2, publications + 2):
        assert published(settings, generation).is_new
        served.append(generation)
        if generation % ROLLBACK_EVERY == 0:
            rollback(settings)
            served.append(generation - 1)
    seen = told_to_stop(tmp_path, children)
    assert [wrong for each in seen for wrong in each.wrong] == []
    assert all(is_in_order(each.generations, served) for each in seen), (served, [each.generations for each in seen])
    newest = [each.generations[-1] for each, kind in zip(seen, READERS, strict=True) if kind == "reconnecting"]
    assert set(newest) == {served[-1]}
    assert len(versions(settings)) == settings.keep_versions
    reads = sum(each.reads for each in seen)
    evidence(
        "P9",
        f"reads of all tables by {len(READERS)} processes (8 reconnecting, 2 with long sessions, 4 holding one, "
        f"2 attaching anew) beside {publications} publications with retention and a rollback every {ROLLBACK_EVERY}: "
        "no error, none torn, none backwards but by rollback",
        trials=reads,
    )
    evidence(
        "P9", "publications beside readers that hold connections all the time: every one is made", trials=publications
    )


def test_rollback_under_load_is_whole_and_at_once(nursery: Nursery, tmp_path: Path, trials, evidence) -> None:
    settings = settings_at(tmp_path)
    for generation in (1, 2, 3):
        published(settings, generation)
    names = {manifest.sequence: manifest.version for manifest in versions(settings)}
    children = started_readers(nursery, tmp_path, ["reconnecting"] * 3 + ["session"])
    served = [3]
    moves = random.Random(SEED)
    rollbacks = trials(60, 600)
    for _ in range(rollbacks):
        target = moves.choice(sorted(set(names) - {served[-1]}))
        assert rollback(settings, names[target]).version == names[target]
        served.append(target)
        assert generations(tmp_path / "published" / "current.duckdb") == {target}
    seen = told_to_stop(tmp_path, children)
    assert [wrong for each in seen for wrong in each.wrong] == []
    assert all(is_in_order(each.generations, served) for each in seen)
    evidence(
        "P15",
        "rollbacks to each of the three kept versions, in one call and under load: served at once, every read whole",
        trials=rollbacks,
        seed=SEED,
    )


# ------------------------------------------------------------------------------------------------------------- rot


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Three versions, the newest served. Whoever spoils one mends it."""
    settings = settings_at(tmp_path_factory.mktemp("kept"))
    for generation in (1, 2, 3):
        published(settings, generation)
    return settings


def spoil(path: Path, chance: random.Random) -> str:
    """Flip a bit, cut the end off, or lengthen a file; say which."""
    content = bytearray(path.read_bytes())
    position = chance.randrange(len(content))
    kind = chance.choice(["flip"] * 8 + ["cut", "grow"])
    if kind == "flip":
        content[position] ^= 1 << chance.randrange(8)
    elif kind == "cut":
        del content[position:]
    else:
        content += b"\n"
    path.chmod(0o640)
    # In place: files of two versions may be one.
    path.write_bytes(content)
    return f"{kind} of {path.name} at {position}"


def test_rot_is_found_before_a_rollback(kept: Settings, trials, evidence) -> None:
    chance = random.Random(SEED)
    flips = trials(300, 3000)
    newest = current_version(kept)
    for _ in range(flips):
        manifest = chance.choice([each for each in versions(kept) if each.version != newest])
        folder = kept.published_path / "versions" / manifest.version
        path = chance.choice(sorted(each for each in folder.rglob("*") if each.is_file()))
        sound = path.read_bytes()
        what = spoil(path, chance)
        with pytest.raises(VersionError):
            print(what, rollback(kept, manifest.version))
        assert current_version(kept) == newest
        path.write_bytes(sound)
    assert all(verify(kept, manifest.version) for manifest in versions(kept))
    evidence(
        "P15",
        "a random bit flipped, or an end cut off or added, in a file of a kept version: rollback to it is refused, and "
        "the served version stays",
        trials=flips,
        seed=SEED,
    )


def test_rot_of_the_served_version_is_not_carried_over(kept: Settings, tmp_path: Path, trials, evidence) -> None:
    chance = random.Random(SEED)
    flips = trials(20, 300)
    for number in range(flips):
        home = tmp_path / str(number)
        shutil.copytree(kept.root, home, symlinks=True)
        settings = settings_at(home)
        folder = (settings.published_path / "current").resolve()
        path = chance.choice(sorted(each for each in folder.rglob("*") if each.is_file()))
        what = spoil(path, chance)
        made = published(settings, 4)
        assert verify(settings, made.version).content_digest == made.digest, what
        assert generations(settings.published_path / "current.duckdb") == {4}, what
        with duckdb.connect(str(settings.published_path / "current.duckdb"), read_only=True) as connection:
            for table, rows in made.tables.items():
                mirror = made.path / f"{table.replace('.', '/')}.parquet"
                counted = connection.execute(f"select (select count(*) from {table}), count(*) from '{mirror}'")
                assert counted.fetchone() == (rows, rows), what
        shutil.rmtree(home)
    evidence(
        "P15",
        "rot in a file of the served version: the next publication writes it anew instead of carrying it over, and "
        "every byte of the new version verifies",
        trials=flips,
        seed=SEED,
    )


def publish_fourth(home: Path) -> str:
    return published(settings_at(home), 4).version


def test_rot_of_a_new_version_is_found_before_the_switch(
    nursery: Nursery, kept: Settings, tmp_path: Path, trials, evidence
) -> None:
    """The publisher is stopped when all bytes lie under the final name, and goes on after one of them has changed."""
    chance = random.Random(SEED)
    flips = trials(10, 150)
    for number in range(flips):
        home = tmp_path / str(number)
        shutil.copytree(kept.root, home, symlinks=True)
        before = current_version(settings_at(home))
        publisher = nursery.start(publish_fourth, home, failpoint="publish.named:stop")
        assert publisher.is_stopped()
        (folder,) = (home / "published" / "versions").glob("v000004_*")
        what = spoil(chance.choice(sorted(each for each in folder.rglob("*") if each.is_file())), chance)
        publisher.send(signal.SIGCONT)
        ended = publisher.ended()
        assert "VersionError" in ended.error, what
        assert current_version(settings_at(home)) == before
        assert nursery.run(publish_fourth, home).or_fail().startswith("v000005")
        assert generations(home / "published" / "current.duckdb") == {4}
        shutil.rmtree(home)
    evidence(
        "P15",
        "rot in a new version between its writing and the switch: the publication fails, the old version stays served, "
        "and the next publication succeeds",
        trials=flips,
        seed=SEED,
    )


def test_the_numbers_of_a_reader_are_judged_in_order() -> None:
    """The judge itself: what it lets pass, and what it does not."""
    served = [1, 2, 3, 2, 4]
    assert is_in_order([1, 3, 2, 4], served)
    assert is_in_order([2, 3, 2], served)
    assert not is_in_order([3, 1], served)
    assert not is_in_order([4, 2], served)
