"""The composition root: one build function, and the definitions that Dagster loads. No logic, no reading of data."""

import dagster as dg

from pipelines.assets.dbt import REPORT, TRANSFORM, dbt_assets
from pipelines.assets.ml import ml_assets
from pipelines.assets.publish import published_assets
from pipelines.assets.raw import raw_assets
from pipelines.assets.shell import Installation, Progress, no_progress
from pipelines.automation import jobs, nightly_schedule, sensors
from pipelines.partitions import delivery_days
from pipelines.settings import Settings, keep_private
from pipelines.sources.profiles import load_profile
from pipelines.transforms import DbtGraph


def installation_of(settings: Settings, progress: Progress = no_progress) -> Installation:
    """The installation that the settings name, its profile loaded and checked."""
    profile = load_profile(settings.profile)
    return Installation(settings, profile, delivery_days(profile), progress)


def build_definitions(installation: Installation) -> dg.Definitions:
    """Everything Dagster knows of one installation."""
    graph = DbtGraph(installation.transforms.manifest())
    return dg.Definitions(
        assets=[
            raw_assets(installation),
            dbt_assets(installation, graph, TRANSFORM),
            ml_assets(installation),
            dbt_assets(installation, graph, REPORT),
            published_assets(installation, graph),
        ],
        jobs=jobs(installation),
        schedules=[nightly_schedule(installation)],
        sensors=sensors(installation),
        # Of runs without a job too, such as a backfill from the UI. A run is one process, start to end, which signs it:
        # one process per step would look dead between two steps, and import everything five times.
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """What `workspace.yaml` loads: the installation that the environment names."""
    keep_private()
    return build_definitions(installation_of(Settings()))
