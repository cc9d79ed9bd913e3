"""Jobs, schedules and sensors, all of them.

`nightly` does everything for a delivery day or a range of them; `reforecast` computes forecasts, grades, KPIs and the
published version as of days already loaded, which over past days is a rolling-origin backtest.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from logging import Logger

import dagster as dg
import requests
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from pipelines.arrivals import arrived
from pipelines.assets.shell import Installation
from pipelines.instance import reap
from pipelines.partitions import range_tags
from pipelines.redaction import no_secret_told, redacted
from pipelines.settings import Settings

NIGHTLY_AT = "0 2 * * *"
ARRIVAL_INTERVAL_SECONDS = 60
ALERT_INTERVAL_SECONDS = 30
ALERT_TIMEOUT_SECONDS = 10
MAX_RUNTIME_TAG = "dagster/max_runtime"


def jobs(installation: Installation) -> list[UnresolvedAssetJobDefinition]:
    loaded = dg.AssetSelection.groups("raw", "marts", "ops")
    computed = dg.AssetSelection.groups("ml", "reports", "published")
    tags = {MAX_RUNTIME_TAG: str(installation.settings.max_runtime_seconds)}
    return [
        _job(
            "nightly", loaded | computed, tags, "Load a delivery day, then forecast, grade, compute KPIs and publish."
        ),
        _job("reforecast", computed, tags, "Forecast, grade, compute KPIs and publish as of days already loaded."),
    ]


def _job(
    name: str, selection: dg.AssetSelection, tags: dict[str, str], description: str
) -> UnresolvedAssetJobDefinition:
    return dg.define_asset_job(
        name, selection=selection, description=description, tags=tags, executor_def=dg.in_process_executor
    )


def nightly_schedule(installation: Installation) -> dg.ScheduleDefinition:
    """At 02:00 in the company's time zone: the delivery day that has just ended."""

    @dg.schedule(
        name="nightly_schedule",
        job_name="nightly",
        cron_schedule=NIGHTLY_AT,
        execution_timezone=installation.profile.time_zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="At 02:00 in the company's time zone: the delivery day that has just ended.",
    )
    def schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        ended = context.scheduled_execution_time.date() - timedelta(days=1)
        profile = installation.profile
        if not profile.starts_on <= ended <= (profile.ends_on or ended):
            days = f"{profile.starts_on} to {profile.ends_on or 'now'}"
            return dg.SkipReason(f"{ended} is no delivery day of {profile.company}: its profile has {days}")
        day = ended.isoformat()
        return dg.RunRequest(run_key=day, partition_key=day)

    return schedule


def arrival_sensor(installation: Installation) -> dg.SensorDefinition:
    """Files in the landing that the ledger does not know: load their delivery days now, do not wait for the night."""

    @dg.sensor(
        name="arrival_sensor",
        job_name="nightly",
        minimum_interval_seconds=ARRIVAL_INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts a run for each stretch of delivery days that have files the ledger does not know.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        with no_secret_told():
            arrivals = arrived(installation, context.cursor)
        run_requests = [_run_for(*stretch) for stretch in arrivals.stretches]
        skip = None if run_requests else dg.SkipReason(arrivals.waiting_for)
        return dg.SensorResult(run_requests=run_requests, cursor=arrivals.cursor, skip_reason=skip)

    return sensor


def _run_for(first: date, last: date, digest: str) -> dg.RunRequest:
    """One run for all days of a stretch: a landing with a month of files asks for one run, not for thirty."""
    if first == last:
        return dg.RunRequest(run_key=f"{first}:{digest}", partition_key=first.isoformat())
    return dg.RunRequest(run_key=f"{first}..{last}:{digest}", tags=range_tags(first, last))


def dead_run_sensor() -> dg.SensorDefinition:
    """Dagster's daemon does not notice that a run's process is gone when its code server went too, as with the host."""

    @dg.sensor(
        name="dead_run_sensor",
        minimum_interval_seconds=ALERT_INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Fails runs whose process is gone, so that they free the queue; the daemon then tries them again.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        dead = reap(context.instance)
        return dg.SkipReason(f"failed {', '.join(dead)}" if dead else "every run has its process")

    return sensor


def run_failure_alert(settings: Settings) -> dg.SensorDefinition:
    @dg.run_failure_sensor(
        name="run_failure_sensor",
        monitor_all_code_locations=False,
        minimum_interval_seconds=ALERT_INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Says in the log, and to the webhook if one is set, that a run failed.",
    )
    def sensor(context: dg.RunFailureSensorContext) -> None:
        run = context.dagster_run
        alert(settings, context.log, f"run {run.run_id} of {run.job_name} failed: {context.failure_event.message}")

    return sensor


def check_failure_alert(settings: Settings) -> dg.SensorDefinition:
    """A failed warning does not fail its run, so Dagster's failure sensor would stay silent on it."""

    @dg.run_status_sensor(
        name="check_failure_sensor",
        run_status=dg.DagsterRunStatus.SUCCESS,
        minimum_interval_seconds=ALERT_INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Says which checks failed in a run that went on all the same.",
    )
    def sensor(context: dg.RunStatusSensorContext) -> None:
        records = context.instance.get_records_for_run(
            context.dagster_run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION
        ).records
        failed = []
        for record in records:
            event = record.event_log_entry.dagster_event
            evaluation = event.asset_check_evaluation_data if event else None
            if evaluation and not evaluation.passed:
                failed.append(f"{evaluation.asset_key.to_user_string()}: {evaluation.check_name}")
        if failed:
            alert(settings, context.log, f"run {context.dagster_run.run_id}: checks failed: {', '.join(failed)}")

    return sensor


def alert(settings: Settings, log: Logger, text: str) -> None:
    """Log the text and post it to the webhook as {"text": ...}; one that does not take it is logged, never raised."""
    text = redacted(text)
    log.warning(text)
    if not settings.webhook_url:
        return
    # Neither line says more: the address, which is a secret, is in the text of the errors.
    try:
        told = requests.post(settings.webhook_url, json={"text": f"Opscope: {text}"}, timeout=ALERT_TIMEOUT_SECONDS)
    except requests.RequestException as error:
        log.warning(f"the webhook could not be reached: {type(error).__name__}")
        return
    if not told.ok:
        log.warning(f"the webhook did not take it: HTTP status {told.status_code}")


def sensors(installation: Installation) -> Sequence[dg.SensorDefinition]:
    return [
        arrival_sensor(installation),
        dead_run_sensor(),
        run_failure_alert(installation.settings),
        check_failure_alert(installation.settings),
    ]
