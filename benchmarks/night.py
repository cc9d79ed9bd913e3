"""One more delivery day on a long history: ingestion, transform and publication, against the bare minimum of each.

The history is delivered on the first day as one export. The second day brings new orders and, as shops do, older ones
again because they shipped, arrived or came back.
"""

import json
import shutil
from dataclasses import asdict
from datetime import date
from pathlib import Path

from benchmarks.companies import days_of, fresh, installation
from benchmarks.measure import Cost, Measured, Watch, measure
from benchmarks.publication import publication_result
from benchmarks.scales import Scale
from benchmarks.tables import Result, Row, ratio

FIXED_SECONDS = 30


def run(scale: Scale, work: Path) -> list[Result]:
    """Load, build and publish the history; load the night; transform it with dbt, and again without; publish it."""
    landing, home, logs = work / "data" / "night", fresh(work / "night") / "home", work / "logs"
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

    def step(function: str, log: str, home: Path = home, **given: object) -> Measured:
        return measure(function, logs / f"night_{log}.log", home=home, landing=landing, **given)

    loaded = step("companies:load_days", "load_history", first=history, last=history)
    built = step("night:transform", "build_history", day=history)
    first = step("publication:publish_version", "publish_history", as_of=history)
    delivered = step("companies:load_days", "load_night", first=night, last=night)
    recorder, bare = _copy(home, work / "night" / "recorder"), _copy(home, work / "night" / "bare")
    statements = work / "night" / "statements.json"
    step("night:record", "record", home=recorder, statements=statements)
    least = step("night:bare", "bare", home=bare, statements=statements)
    transformed = step("night:transform", "transform", day=night)
    second = step("publication:publish_version", "publish_night", as_of=night)
    return [
        _transform_result(loaded, built, delivered, transformed, least),
        publication_result(first, second, home / "published", work / "night" / "copy", logs),
    ]


def _copy(home: Path, target: Path) -> Path:
    """A home with the same warehouse and the same parsed dbt project."""
    fresh(target)
    shutil.copyfile(home / "warehouse.duckdb", target / "warehouse.duckdb")
    shutil.copytree(home / "dbt", target / "dbt")
    return target


def _transform_result(
    loaded: Measured, built: Measured, delivered: Measured, night: Measured, least: Measured
) -> Result:
    models, tests = least.costs["models"], least.costs["tests"]
    lines, spent = built.facts["order_lines"], night.costs["transform"]
    return Result(
        "night",
        "A night on a long history",
        [
            Row(
                "history: ingest",
                loaded.costs["ingest"],
                f"{loaded.facts['rows']:,} rows, peak {loaded.peak_mb:,.0f} MB",
            ),
            Row("history: first build of the marts", built.costs["transform"], f"{lines:,} order lines"),
            Row("night: ingest", delivered.costs["ingest"], f"{delivered.facts['rows']:,} rows"),
            Row("night: dbt imported, project parsed", night.costs["parse"], "fixed cost"),
            Row(
                "night: marts built, tested, checked",
                spent,
                f"by the wall models {night.facts['models']:.1f} s, tests {night.facts['tests']:.1f} s; "
                f"{night.facts['slowest']}; peak {night.peak_mb:,.0f} MB",
            ),
            Row(
                "the same models in bare DuckDB",
                models,
                f"{least.facts['models']} statements; {least.facts['slowest']}; peak {least.peak_mb:,.0f} MB",
            ),
            Row("the same tests in bare DuckDB", tests, f"{least.facts['tests']} statements"),
        ],
        [
            ratio(
                f"(a night's transform - {FIXED_SECONDS} s) / the same models in bare DuckDB",
                _beyond_fixed(spent + night.costs["parse"]),
                models,
                1.5,
            ),
        ],
    )


def _beyond_fixed(cost: Cost) -> Cost:
    """What a night may cost in proportion to the bare SQL, its fixed cost taken off."""
    return Cost(max(0.0, cost.wall - FIXED_SECONDS), max(0.0, cost.cpu - FIXED_SECONDS))


def transform(watch: Watch, *, home: str, landing: str, day: str) -> dict[str, object]:
    """The product's transform step; `parse` is what it costs before the first statement."""
    from pipelines.stages import build_marts
    from pipelines.transforms import DbtGraph, Transforms

    settings, _, warehouse = installation(home, landing)
    transforms = Transforms(settings)
    with watch("parse"):
        transforms.parse()
    graph = DbtGraph(transforms.manifest())
    with watch("transform"):
        built = build_marts(warehouse, transforms, graph, [date.fromisoformat(day)], run_id="bench")
    seconds = {name: result.seconds for name, result in built.results.items()}
    return {
        "order_lines": built.rows["marts.fct_order_lines"],
        "models": sum(spent for name, spent in seconds.items() if name.startswith("model.")),
        "tests": sum(spent for name, spent in seconds.items() if name.startswith("test.")),
        "slowest": slowest({name.split(".")[2]: spent for name, spent in seconds.items()}),
    }


def record(watch: Watch, *, home: str, landing: str, statements: str) -> None:
    """Take down the statements of the night's build."""
    from benchmarks.recording import record_build
    from pipelines.stages import MARTS_SELECTION

    settings, _, _ = installation(home, landing)
    recorded = [asdict(each) for each in record_build(settings, MARTS_SELECTION)]
    Path(statements).write_text(json.dumps(recorded), encoding="utf-8")


def bare(watch: Watch, *, home: str, landing: str, statements: str) -> dict[str, object]:
    """The statements over one connection: all models, then all tests."""
    from benchmarks.recording import Statement, replay

    _, _, warehouse = installation(home, landing)
    recorded = [Statement(**each) for each in json.loads(Path(statements).read_text(encoding="utf-8"))]
    models = [each for each in recorded if each.kind == "model"]
    tests = [each for each in recorded if each.kind == "test"]
    with watch("models"), warehouse.write() as connection:
        costs = replay(connection, models)
    with watch("tests"), warehouse.write() as connection:
        replay(connection, tests)
    return {
        "models": len(models),
        "tests": len(tests),
        "slowest": slowest({name: cost.wall for name, cost in costs.items()}),
        "costs": {name: asdict(cost) for name, cost in costs.items()},
    }


def slowest(seconds: dict[str, float]) -> str:
    """The three that took longest, as text."""
    found = sorted(seconds.items(), key=lambda each: -each[1])[:3]
    return ", ".join(f"{name} {spent:.1f} s" for name, spent in found)
