"""Whole runs of a small demo company as `opscope run` makes them, in processes that can be killed.

The parent has imported Dagster, dbt, Great Expectations and the models, and has parsed the dbt project; what it forks
does the rest. A home stays at its place, because what is parsed knows where the home is.
"""

import importlib
import shutil
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import dagster as dg

from pipelines.assets.shell import Installation
from pipelines.definitions import installation_of
from pipelines.demo import generate
from pipelines.instance import open_instance
from pipelines.launch import launch
from pipelines.publishing import verify
from pipelines.publishing.digest import content_digest, digests
from pipelines.publishing.versions import current_version
from pipelines.resources import Warehouse
from pipelines.settings import Settings
from tests.integration.command_line import OF_THE_MODELS
from tests.promises.nursery import Nursery

DAYS = 2
COMPARED = ("ops.files", "ops.quarantine", "ops.reconciliation", "ops.stale_days", "ops.as_of_days", "ops.company")
UNFINISHED = (dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED)
# What the parent has made for its children.
_warmed: list[Installation] = []


def deliver(landing: Path) -> None:
    generate(landing, days=DAYS, scale=0.01, history_days=20)


def settings_at(home: Path) -> Settings:
    landing = home.parent / "landing"
    return Settings(
        home=home, profile=str(landing / "profile.yml"), landing=str(landing), threads=1, memory_limit="1GB"
    )


def import_all(*names: str) -> None:
    """Import what is otherwise imported where it is used."""
    for name in names:
        importlib.import_module(name)


def warm(home: str) -> None:
    """Warms a nursery for one home."""
    import_all("great_expectations", "pipelines.quality.gx", "dbt.cli.main", *OF_THE_MODELS)
    installation = installation_of(settings_at(Path(home)))
    installation.transforms.parse()
    _warmed.append(installation)


def days_of(installation: Installation) -> tuple[date, date]:
    first = installation.profile.starts_on
    return first, first + timedelta(days=DAYS - 1)


def day_names(landing: Path) -> list[str]:
    return sorted(path.name for path in landing.iterdir() if path.is_dir() and path.name[:2] == "20")


def run() -> None:
    """`opscope run` over all days, without its process."""
    launched = launch(_warmed[0], "nightly", *days_of(_warmed[0]))
    assert launched.is_success, launched.failures


def standing(home: Path | None = None) -> dict[str, object]:
    """All that a home says, apart from who wrote it when."""
    settings = settings_at(home) if home else _warmed[0].settings
    with Warehouse(settings).read() as connection:
        found: dict[str, object] = {table: content_digest(connection, table) for table in COMPARED}
        found |= digests(connection, ("raw", "staging", "intermediate", "marts", "ml", "reports"))
    found["served"] = verify(settings, current_version(settings) or "").content_digest
    found["left over"] = sorted(path.name for path in settings.published_path.iterdir())
    return found


def run_and_standing() -> dict[str, object]:
    run()
    return standing()


def unfinished_runs() -> int:
    """Runs that Dagster takes for alive, after what every command does at its start."""
    with open_instance(_warmed[0].settings) as instance:
        return len(instance.get_runs(filters=dg.RunsFilter(statuses=list(UNFINISHED))))


@dataclass(frozen=True)
class Home:
    """A home, and the nursery that is warm for it."""

    path: Path
    nursery: Nursery

    @classmethod
    def at(cls, path: Path) -> "Home":
        return cls(path, Nursery(warm, str(path)))

    def empty(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
