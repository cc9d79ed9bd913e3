"""Publishing with the gate: what must have been checked before readers get it."""

import subprocess
from datetime import date

import duckdb

from pipelines.publishing import Publication, publish
from pipelines.quality.checks import expected_checks
from pipelines.quality.gate import require_publishable
from pipelines.resources import Warehouse
from pipelines.settings import REPOSITORY, Settings
from pipelines.transforms import SHOWN_SCHEMAS, DbtGraph


def release(
    settings: Settings, warehouse: Warehouse, graph: DbtGraph, *, run_id: str, anew: bool = False
) -> Publication:
    """Publish what stands in the warehouse as of its newest computed day; `anew` keeps nothing of earlier versions.

    Raises:
        PublishRefusedError: a blocking check is missing, failed or stale; the version served before stays.
    """
    expected = expected_checks(graph.tests_of(SHOWN_SCHEMAS))
    with warehouse.read() as connection:
        as_of_days = computed_days(connection)

    def gate(connection: duckdb.DuckDBPyConnection) -> None:
        require_publishable(connection, as_of_days, expected)

    return publish(
        settings,
        warehouse,
        as_of=max(as_of_days, default=date.min),
        run_id=run_id,
        revision=git_revision(),
        gate=gate,
        anew=anew,
    )


def computed_days(connection: duckdb.DuckDBPyConnection) -> list[date]:
    """The as-of days that reports were ever asked for, oldest first."""
    rows = connection.execute("select as_of from ops.as_of_days where stage = 'reports' order by as_of").fetchall()
    return [row[0] for row in rows]


def git_revision() -> str:
    """The commit this code is at; `unknown` where it is not a git checkout."""
    described = subprocess.run(
        ["git", "-C", str(REPOSITORY), "rev-parse", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    )
    return described.stdout.strip() or "unknown"
