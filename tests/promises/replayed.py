"""Nights of a company at the cost of their SQL: what dbt sends is taken down once and sent again without dbt.

dbt learns everything from tables (which keys are stale, which as-of days to compute), so the statements of one later
night are those of every later night. A dbt call costs seconds, its statements tenths; everything around them (the
files, their ledger, the marks, the scope, the forecasts, the publication) is the product's own code.
"""

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path

import duckdb

from benchmarks.recording import Statement, parsed, record_build, replay
from pipelines.ingestion import ingest
from pipelines.modelling.stage import build_ml
from pipelines.modelling.stage import prepare as prepare_ml
from pipelines.ops import prepare
from pipelines.publishing import Publication, publish
from pipelines.publishing.digest import content_digest, digests
from pipelines.resources import Warehouse
from pipelines.scope import close_scope, narrow_scope, open_scope, settle_days
from pipelines.settings import Settings
from pipelines.sources.landing import Days
from pipelines.sources.profiles import Profile, load_profile
from pipelines.stages import MARTS_SELECTION, REPORTS_SELECTION
from pipelines.transforms import free_the_warehouse
from tests.promises.installed import silent

STATEMENTS = "statements.json"
NO_TESTS = ("--exclude-resource-type", "test")
# Recounts every table: much of a night, and of the reports only KPI DAT-02 reads it.
RECOUNT = "reconciliation"
BUILT_SCHEMAS = ("intermediate", "marts", "ml", "reports")
AS_OF_TABLES = (
    "ml.demand_forecasts",
    "ml.forecast_accuracy",
    "reports.fct_kpi_values",
    "reports.rpt_executive_daily",
    "reports.rpt_forecast_quality",
    "reports.rpt_restatements",
    "reports.rpt_supplier_performance",
)


# In the small tier only these reports are computed, with what they are made of: all of them take a night four times as
# long. The rest is built from the same as-of days by the same macros, and in the large tier.
MAIN_REPORTS = (*(table.partition(".")[2] for table in AS_OF_TABLES if table.startswith("reports.")), "rpt_sales_daily")


def settings_at(home: Path, landing: Path) -> Settings:
    return Settings(home=home, landing=str(landing), threads=1, memory_limit="1GB", forecast_series=8)


@dataclass(frozen=True)
class Recording:
    """The statements of a later night, and a warehouse in which everything is built of no deliveries."""

    marts: list[Statement]
    reports: list[Statement]
    empty: Path
    is_whole: bool = True

    @property
    def selection(self) -> list[str]:
        """What dbt is asked for to build the same reports."""
        return reports_selection(whole=self.is_whole)

    @property
    def models(self) -> set[str]:
        """Names of the models whose statements there are."""
        return {each.node.rpartition(".")[2] for each in (*self.marts, *self.reports)}


def reports_selection(*, whole: bool) -> list[str]:
    """All reports, or the main ones and what they are made of."""
    if whole:
        return list(REPORTS_SELECTION)
    return [f"{folder},+{name}" for folder in REPORTS_SELECTION for name in MAIN_REPORTS]


def record(folder: Path, profile: str, *, whole: bool) -> None:
    """Build of nothing with dbt, then once more as a later night, and take that down; `whole` with all reports."""
    settings = settings_at(folder / "home", folder)
    warehouse = Warehouse(settings)
    with warehouse.write() as connection:
        prepare(connection, load_profile(profile))
        prepare_ml(connection)
    project = parsed(settings)
    taken = []
    for _ in range(2):
        taken = [
            record_build(settings, selection, *NO_TESTS, manifest=project)
            for selection in (MARTS_SELECTION, reports_selection(whole=whole))
        ]
        free_the_warehouse()
    told = [[asdict(each) for each in _that_write_rows(statements)] for statements in taken]
    (folder / STATEMENTS).write_text(json.dumps(told))


def recorded(folder: Path, *, whole: bool) -> Recording:
    """What `record` left in a folder."""
    marts, reports = ([Statement(**each) for each in told] for told in json.loads((folder / STATEMENTS).read_text()))
    return Recording(marts, reports, settings_at(folder / "home", folder).warehouse_path, whole)


def _that_write_rows(statements: list[Statement]) -> list[Statement]:
    """Models' statements but for views, which stay as they are, and comments."""
    views = {each.node for each in statements if re.match(r"create (or replace )?view", each.sql.strip().lower())}
    return [
        each
        for each in statements
        if each.kind == "model" and each.node not in views and not each.sql.lower().startswith("comment on")
    ]


@dataclass(frozen=True)
class Replayed:
    """One company in a home. Its warehouse is opened by each step, unless one is `kept`."""

    settings: Settings
    profile: Profile
    recording: Recording
    kept: Warehouse | None = None

    @classmethod
    def at(cls, settings: Settings, profile: str, recording: Recording) -> "Replayed":
        return cls(settings, load_profile(profile), recording)

    @property
    def warehouse(self) -> Warehouse:
        return self.kept or Warehouse(self.settings)

    @contextmanager
    def kept_open(self) -> Iterator["Replayed"]:
        """The same company with its warehouse open for the block, for a process that is alone with it.

        That any step finds what the last one left in the file is shown where processes are killed.
        """
        kept = Warehouse(self.settings)
        with kept.held():
            yield replace(self, kept=kept)

    def open(self) -> "Replayed":
        """The home with the warehouse of no deliveries in it."""
        self.settings.root.mkdir(parents=True)
        shutil.copyfile(self.recording.empty, self.settings.warehouse_path)
        with self.warehouse.write() as connection:
            connection.execute("delete from ops.company")
            prepare(connection, self.profile)
        return self

    def ingest(self, days: Days) -> None:
        ingest(self.settings, self.profile, self.warehouse, days, run_id="run")

    def transform(self, *, recount: bool = True) -> None:
        """Marts, as `stages.build_marts` has dbt build them."""
        statements = [each for each in self.recording.marts if recount or not each.node.endswith(RECOUNT)]
        with self.warehouse.write() as connection:
            stale = connection.execute("select feed, delivered_on from ops.stale_days").fetchall()
            replay(connection, statements)
            connection.begin()
            settle_days(connection, stale)
            connection.commit()

    def forecast(self, days: Sequence[date]) -> None:
        build_ml(self.settings, self.profile, self.warehouse, days, run_id="run", progress=silent)

    def report(self, days: Sequence[date], *, at_once: int | None = None) -> None:
        """KPIs and reports, as `stages.build_reports` has dbt build them; at most so many days `at_once`."""
        with self.warehouse.write() as connection:
            computed = open_scope(connection, "reports", days)
            size = at_once or max(1, len(computed))
            for part in [computed[start : start + size] for start in range(0, len(computed), size)]:
                narrow_scope(connection, part)
                replay(connection, self.recording.reports)
                close_scope(connection, "reports", part)

    def build_by_dbt(self, days: Sequence[date]) -> None:
        """Marts and reports of all that is stale, by dbt."""
        project = parsed(self.settings)
        record_build(self.settings, MARTS_SELECTION, *NO_TESTS, manifest=project)
        free_the_warehouse()
        with self.warehouse.write() as connection:
            settle_days(connection, connection.execute("select feed, delivered_on from ops.stale_days").fetchall())
            computed = open_scope(connection, "reports", days)
        record_build(self.settings, self.recording.selection, *NO_TESTS, manifest=project)
        free_the_warehouse()
        with self.warehouse.write() as connection:
            close_scope(connection, "reports", computed)

    def publish(self, as_of: date) -> Publication:
        return publish(self.settings, self.warehouse, as_of=as_of, run_id="run", revision="0" * 40, gate=let_pass)

    def rows(self, sql: str, *parameters: object) -> list[tuple]:
        with self.warehouse.read() as connection:
            return connection.execute(sql, list(parameters)).fetchall()

    def digests(self) -> dict[str, str]:
        """Content digest of every table that is derived, of what was loaded, and of the evidence that still counts."""
        with self.warehouse.write() as connection:
            for table in ("files", "quarantine"):
                connection.execute(
                    f"create or replace temp table standing_{table} as from ops.{table} where status <> 'superseded'"
                )
            compared = ("temp.main.standing_files", "temp.main.standing_quarantine", "ops.reconciliation")
            evidence = {table: content_digest(connection, table) for table in compared}
            built = digests(connection, (*BUILT_SCHEMAS, "raw"))
            models = self.recording.models
            told = {
                table: digest
                for table, digest in built.items()
                if not models or not table.startswith("reports.") or table.partition(".")[2] in models
            }
            return told | evidence

    def known_as_of(self, day: date) -> dict[str, list[tuple]]:
        """The rows of every as-of table for the as-of days up to a day, numbers to nine digits."""
        with self.warehouse.read() as connection:
            return {table: _rows_up_to(connection, table, day) for table in AS_OF_TABLES}


def _rows_up_to(connection: duckdb.DuckDBPyConnection, table: str, day: date) -> list[tuple]:
    return connection.execute(f"select * from {table} where as_of <= ? order by all", [day]).fetchall()


def let_pass(connection: duckdb.DuckDBPyConnection) -> None:
    """No gate: what is judged here are the tables."""
