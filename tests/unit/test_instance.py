"""Runs of the command line whose process is gone are cleared away, also when the process id came again."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import dagster as dg
import pytest
from dagster import DagsterRunStatus

from pipelines.instance import PROCESS_TAG, open_instance, process_tags, reap
from pipelines.settings import REPOSITORY, Settings


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with open_instance(Settings(home=tmp_path)) as opened:
        yield opened


def started(instance: dg.DagsterInstance, process: str) -> str:
    run_id = str(uuid4())
    tags = {PROCESS_TAG: f"{process}/{run_id}"}
    instance.add_run(dg.DagsterRun("nightly", run_id=run_id, tags=tags, status=DagsterRunStatus.STARTED))
    return run_id


def test_who_reads_the_configuration_reads_it_whole(tmp_path: Path) -> None:
    """A run beside this one has opened the file of an earlier release and is about to read it."""
    home = Settings(home=tmp_path).dagster_home
    home.mkdir(parents=True)
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    with (home / "dagster.yaml").open() as beside, open_instance(Settings(home=tmp_path)):
        assert beside.read() == "telemetry:\n  enabled: false\n"
    placed = (home / "dagster.yaml").stat()
    assert (home / "dagster.yaml").read_bytes() == (REPOSITORY / "dagster.yaml").read_bytes()
    with open_instance(Settings(home=tmp_path)):
        assert (home / "dagster.yaml").stat().st_ino == placed.st_ino
    assert [path.name for path in home.glob("dagster.yaml*")] == ["dagster.yaml"]


def test_a_run_of_a_dead_process_is_failed(instance: dg.DagsterInstance) -> None:
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    run_id = started(instance, f"{process.pid}@1")
    assert reap(instance) == [run_id]
    run = instance.get_run_by_id(run_id)
    assert run is not None
    assert run.status == DagsterRunStatus.FAILURE


def test_a_run_of_a_living_process_is_left_alone(instance: dg.DagsterInstance) -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    stat = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[19]
    started(instance, f"{process.pid}@{stat}")
    assert reap(instance) == []
    process.communicate(b"\n")


def test_a_process_id_that_came_again_is_not_the_run(instance: dg.DagsterInstance) -> None:
    earlier = started(instance, f"{os.getpid()}@1")
    another = started(instance, f"{os.getppid()}@1")
    assert set(reap(instance)) == {earlier, another}


def test_the_tag_names_this_process_and_the_run() -> None:
    process, _, run_id = process_tags("1234")[PROCESS_TAG].partition("/")
    assert process.startswith(f"{os.getpid()}@")
    assert run_id == "1234"


def test_a_retry_that_inherited_the_tag_is_not_the_dead_run(instance: dg.DagsterInstance) -> None:
    dead = started(instance, f"{os.getppid()}@1")
    tags = {PROCESS_TAG: f"{os.getppid()}@1/{dead}"}
    retry = instance.add_run(dg.DagsterRun("nightly", tags=tags, status=DagsterRunStatus.STARTING))
    assert reap(instance) == [dead]
    found = instance.get_run_by_id(retry.run_id)
    assert found is not None
    assert found.status == DagsterRunStatus.STARTING


def test_a_process_that_waits_to_be_buried_is_gone(instance: dg.DagsterInstance) -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    stat = Path(f"/proc/{process.pid}/stat")
    run_id = started(instance, f"{process.pid}@{stat.read_text().rpartition(')')[2].split()[19]}")
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert reap(instance) == [run_id]
    process.communicate()
