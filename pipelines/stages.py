"""The two dbt stages of a run as plain functions: build, note what was written, judge it.

Ingestion, modelling and publishing are functions of their own packages; Dagster's assets call all of them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

import duckdb

from pipelines.failpoints import reach
from pipelines.quality.checks import CheckOutcome, DbtOutcome, record_dbt_results, run_checks
from pipelines.quality.rules import Stage
from pipelines.quality.versions import stamp_versions
from pipelines.resources import Warehouse
from pipelines.scope import close_scope, in_parts, narrow_scope, open_scope, settle_days
from pipelines.standing_views import Views
from pipelines.transforms import DbtGraph, NodeResult, TransformError, Transforms

MARTS = ("marts", "ops")
REPORTS = ("reports",)
MARTS_SELECTION = (
    "path:seeds",
    "path:models/staging",
    "path:models/intermediate",
    "path:models/marts",
    "path:models/ops",
)
REPORTS_SELECTION = ("path:models/kpis", "path:models/reports")
MARTS_VIEWS = Views("marts", schemas=("staging", "intermediate"), sources=("raw", "ops"), described=("marts",))
REPORTS_VIEWS = Views("reports", schemas=("kpis",), sources=("raw", "ops", "ml"), described=("reports",))


@dataclass(frozen=True)
class Built:
    """What a stage did.

    Attributes:
        days: delivery days (marts) or as-of days (reports) that the stage worked in.
        rows: rows of each table the stage shows.
        seconds: time of each table's build.
        results: outcome of each dbt node by unique id.
        tests: outcome of each dbt test by its name; that of the newest day, as all days of a run have the same.
        outcomes: declared rules judged.
    """

    days: list[date]
    rows: dict[str, int]
    seconds: dict[str, float]
    results: dict[str, NodeResult]
    tests: dict[str, CheckOutcome]
    outcomes: list[CheckOutcome]


def build_marts(
    warehouse: Warehouse, transforms: Transforms, graph: DbtGraph, days: Sequence[date], *, run_id: str
) -> Built:
    """Bring staging, intermediate and marts to what raw says, for the keys of the stale delivery days.

    Raises:
        TransformError: a model failed; the stale days stay noted, so the next run does the work.
    """
    with warehouse.transaction() as connection:
        stale = connection.execute("select feed, delivered_on from ops.stale_days").fetchall()
        written_days = sorted({*days, *(day for _, day in stale)})
        stamp_versions(connection, graph.tables_of(MARTS), written_days, run_id)
        is_standing = MARTS_VIEWS.stand(connection, transforms.digest())
    results = transforms.build(MARTS_SELECTION, leave_standing=is_standing)
    reach("transform.built")
    with warehouse.held():
        built = _conclude(warehouse, graph, MARTS, "marts", written_days, results, run_id)
        reach("transform.judged")
        with warehouse.transaction() as connection:
            settle_days(connection, stale)
            MARTS_VIEWS.note(connection, transforms.digest())
    return built


def build_reports(
    warehouse: Warehouse, transforms: Transforms, graph: DbtGraph, requested: Sequence[date], *, run_id: str
) -> Built:
    """Compute KPIs and reports of the requested as-of days and of the stale ones, in as many parts as memory asks for.

    Raises:
        TransformError: a model failed; the days of its part and of those behind it stay stale.
    """
    with warehouse.transaction() as connection:
        days = open_scope(connection, "reports", requested)
        parts = in_parts(connection, days)
    return _together([_report(warehouse, transforms, graph, part, run_id) for part in parts])


def _report(warehouse: Warehouse, transforms: Transforms, graph: DbtGraph, days: Sequence[date], run_id: str) -> Built:
    with warehouse.transaction() as connection:
        narrow_scope(connection, days)
        stamp_versions(connection, graph.tables_of(REPORTS), days, run_id)
        is_standing = REPORTS_VIEWS.stand(connection, transforms.digest())
    results = transforms.build(REPORTS_SELECTION, leave_standing=is_standing)
    reach("report.built")
    with warehouse.held():
        built = _conclude(warehouse, graph, REPORTS, "reports", days, results, run_id)
        with warehouse.transaction() as connection:
            close_scope(connection, "reports", days)
            REPORTS_VIEWS.note(connection, transforms.digest())
    return built


def _together(parts: Sequence[Built]) -> Built:
    """What several builds of one stage did. Rows, nodes and tests are of whole tables, so the last ones hold."""
    newest = parts[-1]
    return replace(
        newest,
        days=[day for part in parts for day in part.days],
        seconds={table: sum(part.seconds.get(table, 0.0) for part in parts) for table in newest.seconds},
        outcomes=[outcome for part in parts for outcome in part.outcomes],
    )


def _conclude(
    warehouse: Warehouse,
    graph: DbtGraph,
    schemas: Sequence[str],
    stage: Stage,
    days: Sequence[date],
    results: list[NodeResult],
    run_id: str,
) -> Built:
    by_id = {result.unique_id: result for result in results}
    tables = graph.tables_of(schemas)
    tests = [DbtOutcome(test, by_id.get(test.unique_id)) for test in graph.tests_of(schemas)]
    tested = record_dbt_results(warehouse, stage, tests, days, run_id=run_id)
    reach("checks.kept")
    _require_models(by_id.values())
    with warehouse.read() as connection:
        rows = _row_counts(connection, tables)
    outcomes = run_checks(warehouse, stage, days, run_id=run_id)
    seconds = {graph.table(name): by_id[name].seconds for name in graph.models if name in by_id}
    newest = {outcome.check_name: outcome for outcome in sorted(tested, key=lambda each: each.partition_on)}
    return Built(list(days), rows, seconds, by_id, newest, outcomes)


def _row_counts(connection: duckdb.DuckDBPyConnection, tables: Iterable[str]) -> dict[str, int]:
    counts = {}
    for table in tables:
        row = connection.execute(f"select count(*) from {table}").fetchone()
        counts[table] = int(row[0]) if row else 0
    return counts


def _require_models(results: Iterable[NodeResult]) -> None:
    broken = [result for result in results if result.unique_id.startswith("model.") and not result.passed]
    failed = [result for result in broken if result.status == "error"]
    for result in failed or broken:
        raise TransformError(
            result.unique_id,
            f"was not built: {result.message or 'a test before it failed'}",
            "Mend the cause and run the day again; what it leaves undone stays noted as stale.",
        )
