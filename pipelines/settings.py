"""The one place that reads the environment and the one clock.

Every default works offline and without privileges. The clock stamps audit rows only: no table that a person decides
with may depend on it, so nothing else in the project may ask for the time (a test enforces it).
"""

import os
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from pipelines.redaction import guard_logs, keep_secret, keep_secret_part, keep_secret_path

REPOSITORY = Path(__file__).resolve().parent.parent
DBT_PROJECT = REPOSITORY / "dbt_project"


def audit_time() -> datetime:
    """The moment now, UTC and naive, for audit columns (`ingested_at`, `checked_at`, `published_at`)."""
    return datetime.now(UTC).replace(tzinfo=None)


class Settings(BaseSettings):
    """Where one installation reads and writes; each field is also the environment variable `OPSCOPE_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix="OPSCOPE_", frozen=True, extra="ignore")

    home: Path = Field(default=Path("var"), description="Everything the product writes lives below this folder.")
    profile: str = Field(default="demo", description="Name of a shipped profile or path of a profile file.")
    landing: str = Field(
        default="", repr=False, description="Folder or fsspec URL of the deliveries; default <home>/landing."
    )
    keep_versions: int = Field(default=3, ge=1, description="Published versions kept for rollback.")
    webhook_url: str = Field(
        default="", repr=False, description="Where run and check failures are posted as JSON; empty: log only."
    )
    memory_limit: str = Field(default="8GB", description="DuckDB's memory limit per process.")
    threads: int = Field(default=2, ge=1, description="DuckDB's threads per process.")
    horizon_days: int = Field(default=28, ge=1, le=366, description="Days each demand forecast reaches ahead.")
    forecast_series: int = Field(default=5000, ge=1, description="Series (product and channel) forecast at most.")
    seed: int = Field(default=20260101, description="Seed of every random step.")
    failpoint: str = Field(default="", description="For tests: name:action[:turn] of pipelines.failpoints.")
    behind_proxy: bool = Field(
        default=False, description="A proxy with sign-in stands before the UI on another machine."
    )
    max_runtime_seconds: int = Field(default=6 * 3600, description="A run still going after this is failed.")

    def model_post_init(self, context: object, /) -> None:
        keep_secret_part(self.landing)
        keep_secret_path(self.webhook_url)

    @cached_property
    def root(self) -> Path:
        return self.home.expanduser().resolve()

    @property
    def warehouse_path(self) -> Path:
        return self.root / "warehouse.duckdb"

    @property
    def landed_path(self) -> Path:
        """Content-addressed copies of everything delivered."""
        return self.root / "landed"

    @property
    def erased_path(self) -> Path:
        """The keyed hashes of erased persons; the one file beside the landing that a rebuild needs."""
        return self.root / "erased.json"

    @property
    def published_path(self) -> Path:
        return self.root / "published"

    @property
    def dbt_target_path(self) -> Path:
        return self.root / "dbt"

    @property
    def dagster_home(self) -> Path:
        return self.root / "dagster"

    @property
    def reports_path(self) -> Path:
        return self.root / "reports"

    @property
    def landing_url(self) -> str:
        return self.landing or str(self.root / "landing")


def secret(name: str) -> str:
    """The environment variable that a profile names for a database URL or the like; raises KeyError when unset."""
    value = os.environ[name]
    keep_secret(value)
    return value


def keep_private() -> None:
    """What this process writes holds personal data: the group may read it, nobody else. And no log tells a secret."""
    os.umask(0o027)
    guard_logs()


def export_for_dbt(settings: Settings | None) -> None:
    """Tell dbt, which reads its profile from the environment, where the warehouse is and what it may use.

    None tells it of no warehouse in particular, for parsing.
    """
    told = {
        "OPSCOPE_WAREHOUSE": str(settings.warehouse_path) if settings else "warehouse.duckdb",
        "OPSCOPE_MEMORY_LIMIT": settings.memory_limit if settings else "8GB",
        "OPSCOPE_THREADS": str(settings.threads) if settings else "2",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }
    os.environ.update(told)


def export_for_dagster(settings: Settings) -> None:
    """Tell Dagster its folder: dagster.yaml names the place of the event log by it."""
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)


def environment_of(settings: Settings) -> dict[str, str]:
    """The environment for a process of ours that shall work on the same installation."""
    ours = {f"OPSCOPE_{name.upper()}": str(value) for name, value in settings.model_dump().items()}
    ours |= {"OPSCOPE_HOME": str(settings.root), "OPSCOPE_LANDING": settings.landing_url}
    return os.environ | ours | {"DAGSTER_HOME": str(settings.dagster_home), "PYTHONUNBUFFERED": "1"}
