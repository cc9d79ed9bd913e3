"""The event log keeps what Dagster's own keeps, and the UI can follow it."""

import threading
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from pipelines.event_log import OPEN_FILES, EventLog
from pipelines.instance import open_instance
from pipelines.settings import Settings

DAYS = dg.DailyPartitionsDefinition("2024-01-01")


@dg.multi_asset(
    specs=[dg.AssetSpec(name, partitions_def=DAYS, code_version="1") for name in ("first", "second")],
    check_specs=[dg.AssetCheckSpec("is_there", asset="first")],
)
def both() -> Iterator:
    yield dg.MaterializeResult(asset_key="first", metadata={"rows": 3}, tags={"told": "yes"})
    yield dg.AssetCheckResult(asset_key="first", check_name="is_there", passed=True)
    yield dg.MaterializeResult(asset_key="second")


def _told(instance: dg.DagsterInstance, day: str) -> tuple:
    """What the log says of a run of a day, but for times and numbers."""
    run_id = dg.materialize([both], instance=instance, partition_key=day).run_id
    events = [
        (entry.dagster_event.event_type_value, entry.step_key, str(entry.dagster_event.asset_key))
        for entry in instance.all_logs(run_id)
        if entry.dagster_event
    ]
    keys = [dg.AssetKey("first"), dg.AssetKey("second")]
    latest = instance.get_latest_materialization_events(keys)
    check = dg.AssetCheckKey(keys[0], "is_there")
    checked = instance.event_log_storage.get_latest_asset_check_execution_by_key([check])[check]
    return (
        events,
        {str(key): (entry.asset_materialization.metadata, entry.asset_materialization.tags) if entry else None
         for key, entry in latest.items()},
        {str(key): sorted(instance.get_materialized_partitions(key)) for key in keys},
        checked.status,
    )  # fmt: skip


@pytest.mark.slow
def test_it_keeps_what_dagsters_own_keeps(tmp_path: Path) -> None:
    with open_instance(Settings.model_validate({"home": tmp_path / "ours"})) as ours:
        assert isinstance(ours.event_log_storage, EventLog)
        (tmp_path / "theirs").mkdir()
        with dg.DagsterInstance.local_temp(str(tmp_path / "theirs")) as theirs:
            for day in ("2024-01-01", "2024-01-02"):
                assert _told(ours, day) == _told(theirs, day)
    # A home is read by either: one made before, and Dagster's own commands, go on working.
    (tmp_path / "ours" / "dagster" / "dagster.yaml").unlink()
    with dg.DagsterInstance.local_temp(str(tmp_path / "ours" / "dagster")) as read:
        assert read.get_materialized_partitions(dg.AssetKey("second")) == {"2024-01-01", "2024-01-02"}


@pytest.mark.slow
def test_nobody_waits_for_a_free_pool(tmp_path: Path) -> None:
    """A step joined the queue after the place it saw taken had been given back, so that nobody would call it."""
    with open_instance(Settings.model_validate({"home": tmp_path})) as instance:
        log = instance.event_log_storage
        assert isinstance(log, EventLog)
        log.initialize_concurrency_limit_to_default("warehouse")
        assert log.claim_concurrency_slot("warehouse", "first", "ingest").is_claimed
        assert not log.claim_concurrency_slot("warehouse", "second", "ingest").is_claimed
        log.free_concurrency_slots_for_run("first")
        assert log.claim_concurrency_slot("warehouse", "second", "ingest").is_claimed
        log.free_concurrency_slots_for_run("second")
        log.add_pending_step("warehouse", "third", "ingest", should_assign=False)
        assert not log.claim_concurrency_slot("warehouse", "third", "ingest").is_claimed
        assert log.claim_concurrency_slot("warehouse", "third", "ingest").is_claimed


def test_a_run_is_followed_from_another_instance(tmp_path: Path) -> None:
    """The UI follows a run of another process by the changes of its file, while the file stays open."""
    settings = Settings.model_validate({"home": tmp_path})
    seen: list[str] = []
    is_told = threading.Event()

    def note(entry: dg.EventLogEntry, _cursor: str) -> None:
        seen.append(entry.message)
        if entry.message == "three":
            is_told.set()

    with open_instance(settings) as writer, open_instance(settings) as reader:
        job = dg.define_asset_job("both").resolve(asset_graph=dg.Definitions(assets=[both]).resolve_asset_graph())
        run = writer.create_run_for_job(job)
        reader.watch_event_logs(run.run_id, None, note)
        for message in ("one", "two", "three"):
            writer.report_engine_event(message, run)
        assert is_told.wait(timeout=20), seen
        assert seen[-3:] == ["one", "two", "three"]


@pytest.mark.slow
def test_files_of_old_runs_are_closed(tmp_path: Path) -> None:
    with open_instance(Settings.model_validate({"home": tmp_path})) as instance:
        for _ in range(OPEN_FILES + 2):
            dg.materialize([both], instance=instance, partition_key="2024-01-01")
        storage = instance.event_log_storage
        assert isinstance(storage, EventLog)
        assert len(storage._engines) == OPEN_FILES
    assert not list((tmp_path / "dagster" / "history" / "runs").glob("*-wal")), "all was closed"
