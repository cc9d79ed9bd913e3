"""A year of delivery days in one run: against everything at once, against one night, and with Dagster's events."""

from datetime import date
from pathlib import Path

from benchmarks.companies import days_of, fresh, installation
from benchmarks.measure import Cost, Measured, Watch, measure
from benchmarks.scales import Scale
from benchmarks.tables import Result, Row, Verdict, ratio

STEPS = ("ingest", "check", "transform", "forecast", "report", "publish")


def run(scale: Scale, work: Path) -> list[Result]:
    """Backfill without Dagster; build all marts again, by days and at once; backfill with Dagster; run a night."""
    landing, folder, logs = work / "data" / "backfill", fresh(work / "backfill"), work / "logs"
    measure(
        "companies:write_company",
        logs / "backfill_data.log",
        folder=landing,
        days=scale.backfill_days + 1,
        scale=scale.backfill,
        history_days=0,
        dirty=False,
    )
    *days, next_day = days_of(landing)

    def step(function: str, home: str, first: date = days[0], last: date = days[-1]) -> Measured:
        log = logs / f"backfill_{function}_{first}.log"
        return measure(f"backfill:{function}", log, home=folder / home, landing=landing, first=first, last=last)

    plain = step("by_days", "by_days")
    again = step("again", "by_days")
    refreshed = step("full_refresh", "by_days")
    whole = step("through_dagster", "dagster")
    night = step("through_dagster", "dagster", next_day, next_day)
    return [
        _time_result(refreshed, plain, again, whole, night),
        _memory_result(whole, night, folder / "dagster" / "warehouse.duckdb"),
    ]


def _time_result(refreshed: Measured, plain: Measured, again: Measured, whole: Measured, night: Measured) -> Result:
    marts = plain.costs["ingest"] + plain.costs["check"] + plain.costs["transform"]
    refresh = refreshed.costs["transform"]
    steps = sum((plain.costs[name] for name in STEPS), Cost(0, 0))
    events = whole.costs["run"] - steps
    asset_days = whole.facts["asset_days"]
    shares = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in whole.facts["steps"].items())
    counts = {"ingest": f"{plain.facts['files']:,} files, {plain.facts['rows']:,} rows, at once or by days"}
    return Result(
        "backfill",
        f"A backfill of {plain.facts['days']} days in one run",
        [
            Row("at once: dbt build --full-refresh, with tests", refresh),
            *[Row(f"by days, without Dagster: {name}", plain.costs[name], counts.get(name, "")) for name in STEPS],
            Row("marts of all days again, by the incremental path", again.costs["transform"]),
            Row("by days, through Dagster: whole run", whole.costs["run"], f"wall time: {shares}"),
            Row(
                "Dagster's share",
                events,
                f"{asset_days:,} asset-days, {1000 * events.cpu / asset_days:.1f} ms of CPU each",
            ),
            Row("the next night, through Dagster", night.costs["run"], f"{night.facts['asset_days']} asset-days"),
        ],
        [
            ratio("backfill, ingest to marts / everything at once", marts, plain.costs["ingest"] + refresh, 1.3),
            ratio("marts of all days again / full refresh", again.costs["transform"], refresh, 1.3),
            ratio("backfill through Dagster / the same steps without", whole.costs["run"], steps, 1.3),
        ],
    )


def _memory_result(whole: Measured, night: Measured, warehouse: Path) -> Result:
    result_mb = warehouse.stat().st_size / 1e6
    return Result(
        "memory",
        "Peak memory",
        [
            Row("the backfill's process", amount=f"{whole.peak_mb:,.0f} MB"),
            Row("the next night's process", amount=f"{night.peak_mb:,.0f} MB"),
            Row("the warehouse", amount=f"{result_mb:,.0f} MB"),
        ],
        [
            Verdict(
                "peak memory of the backfill (a night's peak and the warehouse's size allowed)",
                whole.peak_mb,
                night.peak_mb + result_mb,
                unit="MB",
            )
        ],
    )


def full_refresh(watch: Watch, *, home: str, landing: str, first: str, last: str) -> None:
    """All marts dropped and built anew by dbt alone: no days, no checks but dbt's tests."""
    from benchmarks.recording import parsed, record_build
    from pipelines.stages import MARTS_SELECTION

    settings, _, _ = installation(home, landing)
    manifest = parsed(settings)
    with watch("transform"):
        record_build(settings, MARTS_SELECTION, "--full-refresh", manifest=manifest)


def by_days(watch: Watch, *, home: str, landing: str, first: str, last: str) -> dict[str, int]:
    """What the five steps of a run do, called one after the other without an orchestrator."""
    from pipelines.ingestion import ingest
    from pipelines.modelling.stage import build_ml
    from pipelines.quality.checks import run_checks
    from pipelines.release import release
    from pipelines.stages import build_marts, build_reports
    from pipelines.transforms import DbtGraph, Transforms

    settings, profile, warehouse = installation(home, landing)
    days = [day for day in days_of(Path(landing)) if first <= day.isoformat() <= last]
    transforms = Transforms(settings)
    transforms.parse()
    graph = DbtGraph(transforms.manifest())
    with watch("ingest"):
        report = ingest(settings, profile, warehouse, (days[0], days[-1]), run_id="bench")
    with watch("check"):
        run_checks(warehouse, "raw", report.days_to_check(days), run_id="bench")
    with watch("transform"):
        build_marts(warehouse, transforms, graph, days, run_id="bench")
    with watch("forecast"):
        written = build_ml(settings, profile, warehouse, days, run_id="bench", progress=_no_progress)
        run_checks(warehouse, "ml", written, run_id="bench")
    with watch("report"):
        build_reports(warehouse, transforms, graph, days, run_id="bench")
    with watch("publish"):
        release(settings, warehouse, graph, run_id="bench")
    return {"days": len(days), "files": report.files_read, "rows": report.records_loaded}


def _no_progress(what: str, done: int, total: int) -> None:
    """Nobody watches."""


def again(watch: Watch, *, home: str, landing: str, first: str, last: str) -> None:
    """The marts once more, every delivery day marked stale, as when the reading of a feed changed.

    What judges them is imported before, as dbt is on both sides.
    """
    import great_expectations

    from pipelines.stages import build_marts
    from pipelines.transforms import DbtGraph, Transforms

    assert great_expectations
    settings, _, warehouse = installation(home, landing)
    transforms = Transforms(settings)
    transforms.parse()
    graph = DbtGraph(transforms.manifest())
    with warehouse.write() as connection:
        connection.execute(
            "insert into ops.stale_days select distinct feed, delivered_on, delivered_on from ops.files "
            "where delivered_on between ?::date and ?::date",
            [first, last],
        )
    with watch("transform"):
        build_marts(warehouse, transforms, graph, [], run_id="bench")


def through_dagster(watch: Watch, *, home: str, landing: str, first: str, last: str) -> dict[str, object]:
    """The job `nightly` over the days, with its events kept as always."""
    import dagster as dg

    from pipelines.assets.shell import Installation
    from pipelines.instance import open_instance
    from pipelines.launch import launch
    from pipelines.partitions import delivery_days

    settings, profile, _ = installation(home, landing)
    ours = Installation(settings, profile, delivery_days(profile))
    ours.transforms.parse()
    with watch("run"):
        launched = launch(ours, "nightly", date.fromisoformat(first), date.fromisoformat(last))
    if not launched.is_success:
        raise RuntimeError("\n".join(launched.failures))
    with open_instance(settings) as instance:
        stats = instance.get_run_step_stats(launched.run_id)
        materialized = dg.DagsterEventType.ASSET_MATERIALIZATION
        events = instance.get_records_for_run(launched.run_id, of_type=materialized).records
    steps = sorted(stats, key=lambda step: step.start_time or 0)
    return {
        "asset_days": len(events),
        "steps": {step.step_key: (step.end_time or 0) - (step.start_time or 0) for step in steps},
    }
