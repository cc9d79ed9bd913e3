"""Readers and crashes: whoever reads while versions are switched, or a publisher is killed, sees one whole version."""

import multiprocessing
import os
import random
import signal
import time
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest
from company import generations, published, settings_at

from pipelines.publishing import rollback, verify, versions
from pipelines.publishing.versions import current_version

PUBLICATIONS = 30
KILLS = 20


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["duckdb", "company"])
    return context


def read_until_told(published_path: Path, told: Connection) -> None:
    """Open, read all tables, close, over and over; send what was seen and what went wrong.

    "look" is answered once a read that began after it has ended: on a busy machine a version could else come and go
    between two reads.
    """
    seen: list[int] = []
    wrong: list[str] = []
    asked = "look"
    while asked != "stop":
        try:
            found = generations(published_path / "current.duckdb")
        except Exception as error:  # whatever a reader could run into is the result of this test
            wrong.append(repr(error))
            found = set()
        if len(found) > 1:
            wrong.append(f"torn: {found}")
        seen += found
        if asked:
            told.send("looked")
        time.sleep(0.005)
        asked = told.recv() if told.poll() else ""
    told.send((seen, wrong))


def look(reader: Connection) -> None:
    reader.send("look")
    assert reader.recv() == "looked"


def test_readers_see_whole_versions_that_never_go_backwards(tmp_path: Path, processes: ForkServerContext) -> None:
    settings = settings_at(tmp_path)
    published(settings, 0)
    ours, theirs = processes.Pipe()
    reader = processes.Process(target=read_until_told, args=(settings.published_path, theirs))
    reader.start()
    assert ours.recv() == "looked"
    for generation in range(1, PUBLICATIONS + 1):
        published(settings, generation)
        if generation % 3 == 0:
            look(ours)
    ours.send("stop")
    seen, wrong = ours.recv()
    reader.join()
    assert wrong == []
    assert seen == sorted(seen)
    assert set(seen) >= set(range(0, PUBLICATIONS + 1, 3))


def test_rollback_under_load_goes_back_once_and_whole(tmp_path: Path, processes: ForkServerContext) -> None:
    settings = settings_at(tmp_path)
    for generation in (1, 2):
        published(settings, generation)
    ours, theirs = processes.Pipe()
    reader = processes.Process(target=read_until_told, args=(settings.published_path, theirs))
    reader.start()
    assert ours.recv() == "looked"
    for version in [manifest.version for manifest in versions(settings)] * 20:
        rollback(settings, version)
    for manifest in versions(settings):
        rollback(settings, manifest.version)
        look(ours)
    ours.send("stop")
    seen, wrong = ours.recv()
    reader.join()
    assert wrong == []
    assert set(seen) == {1, 2}


def publish_for_ever(home: Path, generation: int, told: Connection) -> None:
    while True:
        generation += 1
        told.send(generation)
        published(settings_at(home), generation)


def test_a_killed_publisher_leaves_the_old_version_or_the_new(tmp_path: Path, processes: ForkServerContext) -> None:
    settings = settings_at(tmp_path)
    published(settings, 0)
    moments = random.Random(20260331)
    least = 0
    for _ in range(KILLS):
        ours, theirs = processes.Pipe()
        publisher = processes.Process(target=publish_for_ever, args=(tmp_path, least, theirs))
        publisher.start()
        begun = ours.recv()
        time.sleep(moments.uniform(0.0, 0.8))
        os.kill(publisher.pid or 0, signal.SIGKILL)
        publisher.join()
        while ours.poll():
            begun = ours.recv()
        (seen,) = generations(settings.published_path / "current.duckdb")
        # Every publication before the one that was begun last had returned.
        assert max(begun - 1, least) <= seen <= begun
        verify(settings, current_version(settings) or "")
        least = seen
    final = published(settings, least + 1)
    assert generations(settings.published_path / "current.duckdb") == {least + 1}
    assert final.is_new
    assert not list(settings.published_path.glob(".building*"))
