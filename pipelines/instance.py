"""The Dagster instance of a home: its folder, and the clearing away of runs whose process is gone."""

import os
import shutil
from pathlib import Path

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter

from pipelines.settings import REPOSITORY, Settings

PROCESS_TAG = "opscope/process"


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """The instance whose records lie in `<home>/dagster`, with dead runs of the command line cleared away."""
    settings.root.mkdir(mode=0o750, parents=True, exist_ok=True)
    home = settings.dagster_home
    home.mkdir(exist_ok=True)
    shutil.copyfile(REPOSITORY / "dagster.yaml", home / "dagster.yaml")
    instance = dg.DagsterInstance.from_config(str(home))
    reap(instance)
    return instance


def reap(instance: dg.DagsterInstance) -> list[str]:
    """Fail the command line's runs whose process is gone, free their pool slots, and return their ids.

    Dagster's own monitoring watches only runs that its daemon launched; a killed `opscope run` would stay STARTED and
    keep the warehouse pool for ever.
    """
    unfinished = RunsFilter(
        statuses=[DagsterRunStatus.STARTED, DagsterRunStatus.STARTING, DagsterRunStatus.NOT_STARTED]
    )
    dead = [
        run
        for run in instance.get_runs(filters=unfinished)
        if PROCESS_TAG in run.tags and not _is_alive(run.tags[PROCESS_TAG])
    ]
    for run in dead:
        instance.report_run_failed(run, f"its process {run.tags[PROCESS_TAG].partition('@')[0]} is gone")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return [run.run_id for run in dead]


def process_tags() -> dict[str, str]:
    return {PROCESS_TAG: _identity(os.getpid())}


def _is_alive(identity: str) -> bool:
    """Whether the process of a run goes on. Ours has no run yet, so our own id is another's."""
    process_id = int(identity.partition("@")[0])
    if process_id == os.getpid():
        return False
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return identity == _identity(process_id)


def _identity(process_id: int) -> str:
    """Process id and, where the system tells it, start time: containers give the same id again and again."""
    stat = Path(f"/proc/{process_id}/stat")
    started = stat.read_text().rpartition(")")[2].split()[19] if stat.exists() else ""
    return f"{process_id}@{started}"
