"""A small demo company after a whole run, built by the product's own steps in this process, and copies of its home.

One import of dbt and of Great Expectations serves all promise tests that only look at or spoil a finished warehouse.
"""

import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pipelines.demo import generate
from pipelines.ingestion import ingest
from pipelines.modelling.stage import build_ml
from pipelines.publishing import Publication
from pipelines.quality.checks import run_checks
from pipelines.release import release
from pipelines.resources import Warehouse
from pipelines.settings import Settings
from pipelines.sources.landing import delivery_days
from pipelines.sources.profiles import Profile, load_profile
from pipelines.stages import build_marts, build_reports
from pipelines.transforms import DbtGraph, Transforms


@dataclass(frozen=True)
class Installed:
    """A company in a home, with what the steps of a run need."""

    settings: Settings
    profile: Profile
    days: list[date]
    transforms: Transforms
    graph: DbtGraph

    @property
    def warehouse(self) -> Warehouse:
        return Warehouse(self.settings)

    def run(self, days: list[date] | None = None, run_id: str = "run") -> Publication:
        """What a nightly run does, step after step."""
        days = days or self.days
        report = ingest(
            self.settings, self.profile, self.warehouse, (days[0], days[-1]), run_id=run_id, progress=silent
        )
        run_checks(self.warehouse, "raw", report.days_to_check(days), run_id=run_id)
        build_marts(self.warehouse, self.transforms, self.graph, days, run_id=run_id)
        self.forecast(days, run_id)
        build_reports(self.warehouse, self.transforms, self.graph, days, run_id=run_id)
        return self.publish(run_id)

    def forecast(self, days: list[date], run_id: str = "run") -> None:
        written = build_ml(self.settings, self.profile, self.warehouse, days, run_id=run_id, progress=silent)
        run_checks(self.warehouse, "ml", written, run_id=run_id)

    def publish(self, run_id: str = "run") -> Publication:
        return release(self.settings, self.warehouse, self.graph, run_id=run_id)

    def copy(self, home: Path) -> "Installed":
        """The same company in a home of its own; `home` must not exist, or is written anew."""
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(self.settings.root, home, symlinks=True)
        settings = self.settings.model_copy(update={"home": home})
        # A settings object remembers its root, and a copy of it would remember the old one.
        settings = Settings.model_validate(settings.model_dump())
        return Installed(settings, self.profile, self.days, Transforms(settings), self.graph)


def silent(what: str, done: int, total: int) -> None:
    """No progress shown."""


def deliver(folder: Path, *, days: int = 5, scale: float = 0.05, history_days: int = 90, seed: int = 7) -> None:
    """The landing of a demo company, below `folder`."""
    generate(folder / "landing", days=days, scale=scale, history_days=history_days, seed=seed)


def settings_in(folder: Path) -> Settings:
    """A home in a folder, beside the landing that was delivered there."""
    landing = folder / "landing"
    return Settings.model_validate(
        {"home": folder / "home", "profile": str(landing / "profile.yml"), "landing": str(landing), "threads": 1}
    )


def installed(folder: Path) -> Installed:
    """The company delivered in a folder."""
    settings = settings_in(folder)
    profile = load_profile(settings.profile)
    transforms = Transforms(settings)
    days = delivery_days(profile, settings.landing_url)
    return Installed(settings, profile, days, transforms, DbtGraph(transforms.manifest()))
