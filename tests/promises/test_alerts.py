"""Who is told that a run failed, or that a check failed in a run that went on: the log and a webhook that listens."""

import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import dagster as dg
import pytest

from pipelines.automation import alert, check_failure_alert, dead_run_sensor, run_failure_alert
from pipelines.instance import PROCESS_TAG, open_instance
from pipelines.settings import Settings
from tests.webhook import webhook


@dg.asset(check_specs=[dg.AssetCheckSpec("plausible", asset="orders"), dg.AssetCheckSpec("whole", asset="orders")])
def orders() -> Iterator:
    yield dg.MaterializeResult()
    yield dg.AssetCheckResult(check_name="plausible", passed=False, severity=dg.AssetCheckSeverity.WARN)
    yield dg.AssetCheckResult(check_name="whole", passed=True)


@dg.asset
def broken() -> None:
    raise ValueError("the landing is gone")


def _context(instance: dg.DagsterInstance, asset: dg.AssetsDefinition, kind: dg.DagsterEventType, name: str) -> object:
    run_id = dg.materialize([asset], instance=instance, raise_on_error=False).run_id
    run = instance.get_run_by_id(run_id)
    (event,) = [
        record.event_log_entry.dagster_event for record in instance.get_records_for_run(run_id, of_type=kind).records
    ]
    assert run is not None
    assert event is not None
    return dg.build_run_status_sensor_context(
        sensor_name=name, dagster_instance=instance, dagster_run=run, dagster_event=event
    )


def test_a_failed_run_is_told(tmp_path: Path, evidence: Callable[..., None]) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance, webhook() as (address, posted):
        sensor = run_failure_alert(Settings(home=tmp_path, webhook_url=address))
        context = _context(instance, broken, dg.DagsterEventType.RUN_FAILURE, "run_failure_sensor")
        sensor(context.for_run_failure())  # type: ignore[attr-defined]
    (text,) = json.loads(*posted).values()
    assert text.startswith("Opscope: run ")
    assert "failed" in text
    evidence("P24", "a run that fails is told to the log and the webhook", trials=1)


def test_a_run_whose_process_is_gone_is_failed_and_told(tmp_path: Path, evidence: Callable[..., None]) -> None:
    """As after the host went down: nothing of Dagster's notices, and the run would stay started for ever."""
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    with open_instance(Settings(home=tmp_path)) as instance, webhook() as (address, posted):
        run_id = str(uuid4())
        tags = {PROCESS_TAG: f"{gone.pid}@1/{run_id}"}
        instance.add_run(dg.DagsterRun("nightly", run_id=run_id, tags=tags, status=dg.DagsterRunStatus.STARTED))
        looked = dead_run_sensor()(dg.build_sensor_context(instance=instance))
        assert run_id in str(looked.skip_message)
        told = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.RUN_FAILURE).records
        run, event = instance.get_run_by_id(run_id), told[0].event_log_entry.dagster_event
        assert run is not None
        assert event is not None
        context = dg.build_run_status_sensor_context(
            sensor_name="run_failure_sensor", dagster_instance=instance, dagster_run=run, dagster_event=event
        )
        run_failure_alert(Settings(home=tmp_path, webhook_url=address))(context.for_run_failure())
    assert run_id in json.loads(*posted)["text"]
    evidence("P24", "a run whose process is gone, as with its host, is failed by the sensor and told", trials=1)


def test_a_check_that_failed_in_a_run_that_went_on_is_told(tmp_path: Path, evidence: Callable[..., None]) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance, webhook() as (address, posted):
        sensor = check_failure_alert(Settings(home=tmp_path, webhook_url=address))
        sensor(_context(instance, orders, dg.DagsterEventType.RUN_SUCCESS, "check_failure_sensor"))
    (text,) = json.loads(*posted).values()
    assert text.endswith("checks failed: orders: plausible")
    evidence("P24", "a check that failed in a run that went on is told, and those that passed are not", trials=1)


@pytest.mark.parametrize("status", [404, 500])
def test_a_webhook_that_refuses_is_logged_without_its_address(
    status: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with webhook(status) as (address, posted), caplog.at_level(logging.WARNING):
        alert(Settings(home=tmp_path, webhook_url=address), logging.getLogger("hook"), "something")
    assert json.loads(*posted) == {"text": "Opscope: something"}
    assert caplog.messages == ["something", f"the webhook did not take it: HTTP status {status}"]


def test_a_webhook_that_is_gone_is_logged_without_its_address(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with webhook() as (address, _):
        pass
    with caplog.at_level(logging.WARNING):
        alert(Settings(home=tmp_path, webhook_url=address), logging.getLogger("hook"), "something")
    assert caplog.messages == ["something", "the webhook could not be reached: ConnectionError"]
