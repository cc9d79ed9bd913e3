"""The Dagster instance of a home: its folder, and the clearing away of runs whose process is gone."""

import os
from pathlib import Path

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter

from pipelines.durable import put_whole
from pipelines.settings import REPOSITORY, Settings, export_for_dagster

PROCESS_TAG = "opscope/process"
UNFINISHED = RunsFilter(
    statuses=[
        DagsterRunStatus.NOT_STARTED,
        DagsterRunStatus.STARTING,
        DagsterRunStatus.STARTED,
        DagsterRunStatus.CANCELING,
    ]
)


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """The instance whose records lie in `<home>/dagster`, with dead runs cleared away."""
    settings.root.mkdir(mode=0o750, parents=True, exist_ok=True)
    home = settings.dagster_home
    home.mkdir(exist_ok=True)
    _place_configuration(home / "dagster.yaml")
    export_for_dagster(settings)
    instance = dg.DagsterInstance.from_config(str(home))
    reap(instance)
    return instance


def _place_configuration(path: Path) -> None:
    """Put our dagster.yaml there in one step: a run that starts beside this one reads it whole or not at all.

    One that read half of it had no pools, took away those there were, and left whoever waited for them waiting.
    """
    told = (REPOSITORY / "dagster.yaml").read_bytes()
    if not path.exists() or path.read_bytes() != told:
        put_whole(path, told)


def reap(instance: dg.DagsterInstance) -> list[str]:
    """Fail the runs whose process is gone, free their pool slots, and return their ids.

    Dagster's own monitoring knows neither the command line's runs nor those of its daemon after the host or the code
    server died; such a run would stay STARTED and keep the queue and the warehouse pool for ever.
    """
    dead = [run for run in instance.get_runs(filters=UNFINISHED) if _is_dead(run)]
    for run in dead:
        process = run.tags[PROCESS_TAG].partition("@")[0]
        instance.report_run_failed(run, f"its process {process} is gone")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return [run.run_id for run in dead]


def process_tags(run_id: str) -> dict[str, str]:
    """Which process works on a run. A retry inherits the tags, so they name the run too."""
    return {PROCESS_TAG: f"{_identity(os.getpid())}/{run_id}"}


def sign(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """Note on a run that this process works on it, whoever launched it."""
    tags = process_tags(run.run_id)
    if run.tags.get(PROCESS_TAG) != tags[PROCESS_TAG]:
        instance.add_run_tags(run.run_id, tags)


def _is_dead(run: dg.DagsterRun) -> bool:
    identity, _, run_id = run.tags.get(PROCESS_TAG, "").partition("/")
    return run_id == run.run_id and not _is_alive(identity)


def _is_alive(identity: str) -> bool:
    """Whether the process of a run goes on. Who asks works on none, so our own id is another's that came again."""
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
    """Process id and, where the system tells it, start time: ids come again. One that waits to be buried has none."""
    stat = Path(f"/proc/{process_id}/stat")
    if not stat.exists():
        return f"{process_id}@"
    state, *_, started = stat.read_text().rpartition(")")[2].split()[:20]
    return "" if state in "ZX" else f"{process_id}@{started}"
