"""Runs of the command line whose process is gone are cleared away, also when the process id came again."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterRunStatus

from pipelines.instance import PROCESS_TAG, open_instance, process_tags, reap
from pipelines.settings import Settings


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with open_instance(Settings(home=tmp_path)) as opened:
        yield opened


def started(instance: dg.DagsterInstance, process: str) -> str:
    run = dg.DagsterRun(job_name="nightly", tags={PROCESS_TAG: process}, status=DagsterRunStatus.STARTED)
    return instance.add_run(run).run_id


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


def test_the_tag_names_this_process() -> None:
    assert process_tags()[PROCESS_TAG].startswith(f"{os.getpid()}@")
