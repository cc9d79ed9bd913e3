"""The report layer of one as-of day on a long history, against scanning its inputs in bare DuckDB.

The company is that of the night. What is scanned is every table that a model of kpis or reports reads from
another layer, once, all its columns. The forecasts are left out: their tables are there and empty.
"""

import json
import re
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.companies import days_of, fresh, installation
from benchmarks.measure import Cost, Measured, Watch, measure
from benchmarks.night import slowest
from benchmarks.scales import Scale
from benchmarks.tables import Result, Row, ratio

LAYER = ("kpis", "reports")
SHOWN_MODELS = 15


def run(scale: Scale, work: Path) -> list[Result]:
    """Load and build two days; report them as of the second; replay the statements; scan the inputs."""
    landing, home, logs = work / "data" / "night", fresh(work / "reports") / "home", work / "logs"
    measure(
        "companies:write_company",
        logs / "night_data.log",
        folder=landing,
        days=2,
        scale=scale.night,
        history_days=scale.history_days,
        dirty=True,
    )
    history, night = days_of(landing)

    def step(function: str, log: str, **given: object) -> Measured:
        return measure(function, logs / f"reports_{log}.log", home=home, landing=landing, **given)

    step("companies:load_days", "load", first=history, last=night)
    lines = step("night:transform", "marts", day=night).facts["order_lines"]
    first = step("reports:report", "first", day=history)
    statements = work / "reports" / "statements.json"
    step("reports:record", "record", day=night, statements=statements)
    built = step("reports:report", "again", day=night)
    least = step("night:bare", "bare", statements=statements)
    alone = step("reports:read_views", "views")
    scanned = step("reports:scan", "scan")
    return [
        Result(
            "reports",
            "Reports of one as-of day on a long history",
            [
                Row("first build", first.costs["report"], f"{lines:,} order lines; peak {first.peak_mb:,.0f} MB"),
                Row("dbt imported, project parsed", built.costs["parse"], "fixed cost"),
                Row(
                    "another day: reports built, tested, checked",
                    built.costs["report"],
                    f"{built.facts['models']} models; {built.facts['slowest']}; peak {built.peak_mb:,.0f} MB",
                ),
                Row(
                    "the same models in bare DuckDB",
                    least.costs["models"],
                    f"{least.facts['models']} statements; {least.facts['slowest']}; peak {least.peak_mb:,.0f} MB",
                ),
                Row("the same tests in bare DuckDB", least.costs["tests"], f"{least.facts['tests']} statements"),
                Row(
                    "their inputs scanned once in bare DuckDB",
                    scanned.costs["scan"],
                    f"{scanned.facts['tables']} tables, {scanned.facts['rows']:,} rows",
                ),
                *dearest("table", least.facts["costs"]),
                *dearest("view alone", alone.facts["costs"]),
            ],
            [
                ratio(f"{what} / scan of their inputs", cost, scanned.costs["scan"], 2)
                for what, cost in (
                    ("report models in bare DuckDB", least.costs["models"]),
                    ("reports built by the product", built.costs["report"]),
                )
            ],
        )
    ]


def dearest(kind: str, costs: dict[str, dict[str, float]]) -> list[Row]:
    """A row for each of the models that took the most CPU time, dearest first."""
    found = sorted(((name, Cost(**cost)) for name, cost in costs.items()), key=lambda each: (-each[1].cpu, each[0]))
    return [Row(f"{kind} {name}", cost) for name, cost in found[:SHOWN_MODELS]]


def report(watch: Watch, *, home: str, landing: str, day: str) -> dict[str, object]:
    """The product's report step; `parse` is what it costs before the first statement."""
    from pipelines.modelling.stage import prepare
    from pipelines.stages import build_reports
    from pipelines.transforms import DbtGraph, Transforms

    settings, _, warehouse = installation(home, landing)
    with warehouse.write() as connection:
        prepare(connection)
    transforms = Transforms(settings)
    with watch("parse"):
        transforms.parse()
    graph = DbtGraph(transforms.manifest())
    with watch("report"):
        built = build_reports(warehouse, transforms, graph, [date.fromisoformat(day)], run_id="bench")
    seconds = {
        name.split(".")[2]: result.seconds for name, result in built.results.items() if name.startswith("model.")
    }
    return {"models": len(seconds), "slowest": slowest(seconds)}


def record(watch: Watch, *, home: str, landing: str, day: str, statements: str) -> None:
    """Take down the statements of the day's reports."""
    from benchmarks.recording import record_build
    from pipelines.scope import open_scope
    from pipelines.stages import REPORTS_SELECTION

    settings, _, warehouse = installation(home, landing)
    with warehouse.transaction() as connection:
        open_scope(connection, "reports", [date.fromisoformat(day)])
    recorded = [asdict(each) for each in record_build(settings, REPORTS_SELECTION)]
    Path(statements).write_text(json.dumps(recorded), encoding="utf-8")


def read_views(watch: Watch, *, home: str, landing: str) -> dict[str, object]:
    """Every view of the layer read alone, into a table: fct_kpi_values reads nearly all of them in one statement."""
    from benchmarks.recording import run_statement

    _, _, warehouse = installation(home, landing)
    with warehouse.write() as connection, watch("views"):
        named = "select schema_name, view_name from duckdb_views() where list_contains(?, schema_name) order by all"
        views = connection.execute(named, [list(LAYER)]).fetchall()
        costs = {
            view: run_statement(connection, f'create or replace temp table read_alone as from "{schema}"."{view}"')
            for schema, view in views
        }
    return {"costs": {view: asdict(cost) for view, cost in costs.items()}}


def scan(watch: Watch, *, home: str, landing: str) -> dict[str, int]:
    """The largest value of every column of every input, which has to look at all of them."""
    from pipelines.transforms import Transforms

    settings, _, warehouse = installation(home, landing)
    tables = inputs(Transforms(settings).manifest())
    rows = 0
    with warehouse.write() as connection:
        stored = [
            (schema, table)
            for schema, table in connection.execute(
                "select table_schema, table_name from information_schema.tables where table_type = 'BASE TABLE'"
            ).fetchall()
            if f"{schema}.{table}" in tables
        ]
        with watch("scan"):
            for schema, table in stored:
                described = connection.execute(f'describe "{schema}"."{table}"').fetchall()
                columns = ", ".join(f'max("{name}")' for name, *_ in described)
                found = connection.execute(f'select count(*), {columns} from "{schema}"."{table}"').fetchone()
                rows += found[0] if found else 0
    return {"tables": len(stored), "rows": rows}


def inputs(manifest: dict[str, Any]) -> set[str]:
    """schema.table of all that models of the layer read from outside of it."""
    nodes = {**manifest["nodes"], **manifest["sources"]}
    read = {
        parent
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["schema"] in LAYER
        for parent in node["depends_on"]["nodes"]
    }
    named = {f"{nodes[name]['schema']}.{nodes[name]['name']}" for name in read if nodes[name]["schema"] not in LAYER}
    return {name for name in named if not re.match(r"ops\.(build_scope|company)", name)}
