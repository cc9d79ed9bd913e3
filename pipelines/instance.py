"""The Dagster instance of a home: its folder, and the clearing away of runs whose process is gone."""

import os
import shutil

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter

from pipelines.settings import REPOSITORY, Settings

PROCESS_TAG = "opscope/pid"


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
        if PROCESS_TAG in run.tags and not _is_alive(int(run.tags[PROCESS_TAG]))
    ]
    for run in dead:
        instance.report_run_failed(run, f"its process {run.tags[PROCESS_TAG]} is gone")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return [run.run_id for run in dead]


def process_tags() -> dict[str, str]:
    return {PROCESS_TAG: str(os.getpid())}


def _is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
