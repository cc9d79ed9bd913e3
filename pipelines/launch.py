"""Runs started from the command line: the same Dagster jobs as in the UI, in this process, on the home's instance."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from threading import Thread
from typing import Any
from uuid import uuid4

from dagster._core.execution.plan.objects import StepFailureData

from pipelines.assets.shell import Installation
from pipelines.definitions import build_definitions
from pipelines.errors import ProfileError
from pipelines.exhaustion import told
from pipelines.garbage import spare_imported
from pipelines.instance import open_instance, process_tags
from pipelines.partitions import range_tags
from pipelines.sources.landing import delivery_days, last_day


@dataclass(frozen=True)
class Launched:
    """A finished run. `failures` says per failed step what stopped it."""

    run_id: str
    is_success: bool
    failures: tuple[str, ...]


def launch(installation: Installation, job: str, first: date, last: date, *, everything: bool = False) -> Launched:
    """Run one job over the delivery days from first to last, as one run.

    With `everything`, all files in the landing are loaded whatever their day, and the rest is computed for the days.

    Raises:
        ProfileError: a day lies outside the company's delivery days.
    """
    _require_partitions(installation, first, last)
    spare_imported("dagster")
    installation.progress("prepare", 0, 1)
    definitions = build_definitions(installation)
    installation.progress("prepare", 1, 1)
    run_config: dict[str, Any] = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    if everything:
        run_config["ops"] = {"ingest": {"config": {"everything": True}}}
    run_id = str(uuid4())
    root = installation.settings.root
    with told(root), open_instance(installation.settings) as instance, ended_by_sigterm():
        result = definitions.resolve_job_def(job).execute_in_process(
            instance=instance,
            run_id=run_id,
            tags=range_tags(first, last) | process_tags(run_id),
            run_config=run_config,
            raise_on_error=False,
        )
        failures = tuple(
            f"{event.step_key}: {_cause(event.step_failure_data)}"
            for event in result.all_events
            if event.is_step_failure
        )
        return Launched(result.run_id, result.success, failures)


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end this process at once while the block runs, as a kill would; the next command clears the run away.

    Dagster turns the signal into an exception, which comes late out of a long query, and which libraries swallow when
    it strikes inside an import of theirs.
    """
    received, told = os.pipe()
    os.set_blocking(told, False)
    before, handler = signal.set_wakeup_fd(told), signal.getsignal(signal.SIGTERM)
    # Any handler of ours makes the signal wake the thread; Dagster puts its own in this place.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    Thread(target=_end_at_sigterm, args=(received,), daemon=True).start()
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, handler)
        signal.set_wakeup_fd(before)
        os.close(told)


def _end_at_sigterm(received: int) -> None:
    while number := os.read(received, 1):
        if number[0] == signal.SIGTERM:
            os._exit(128 + signal.SIGTERM)
    os.close(received)


def _cause(failure: StepFailureData) -> str:
    """What stopped the step, in its own words: the last error of the chain, or the description of a Failure."""
    if failure.user_failure_data is not None and failure.user_failure_data.description:
        return failure.user_failure_data.description
    error = failure.error
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message.strip() if error is not None else "no reason was recorded"


def newest_day(installation: Installation) -> date:
    """The newest delivery day: the profile's last, else the newest that the landing's paths name.

    Raises:
        ProfileError: neither says it.
    """
    if installation.profile.ends_on is not None:
        return installation.profile.ends_on
    newest = last_day(installation.profile)
    days = [day for day in delivery_days(installation.profile, installation.settings.landing_url) if day <= newest]
    if not days:
        raise ProfileError(
            f"profile {installation.profile.company}",
            f"has no ends_on, and no path below {installation.settings.landing_url} names a day",
            "Ask for a day with --date.",
        )
    return days[-1]


def _require_partitions(installation: Installation, first: date, last: date) -> None:
    profile = installation.profile
    if first > last:
        raise ProfileError(f"days {first} to {last}", "end before they start", "Swap --from and --to.")
    newest = last_day(profile)
    if first < profile.starts_on or last > newest:
        raise ProfileError(
            f"days {first} to {last}",
            f"lie outside the delivery days of {profile.company}, {profile.starts_on} to "
            f"{newest}{'' if profile.ends_on else ', which is today'}",
            "Ask for days inside, or change starts_on or ends_on in the profile.",
        )
