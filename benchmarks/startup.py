"""What a small night costs before it touches a row: imports, dbt's parse, and a whole run of the demo company."""

import importlib
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

from benchmarks.companies import days_of, fresh, installation
from benchmarks.measure import REPOSITORY, Watch, measure, median_of
from benchmarks.scales import Scale
from benchmarks.tables import Result, Row, Verdict

IMPORTS = (
    "duckdb",
    "pandas",
    "dagster",
    "dbt.cli.main",
    "great_expectations",
    "sklearn.ensemble",
    "pipelines.definitions",
    "models_ml.engine",
)


def run(scale: Scale, work: Path) -> list[Result]:
    """Import each library alone; parse the dbt project twice; run one more day of the demo from the command line."""
    landing, home, logs = work / "data" / "startup", fresh(work / "startup") / "home", work / "logs"
    rows = []
    for module in IMPORTS:
        runs = [measure("startup:load", logs / "startup_import.log", module=module) for _ in range(scale.repeats)]
        found = median_of(runs)
        rows.append(Row(f"import {module}", found.costs["import"], f"peak {found.peak_mb:,.0f} MB"))
    measure(
        "companies:write_company",
        logs / "startup_data.log",
        folder=landing,
        days=2,
        scale=scale.demo,
        history_days=scale.history_days,
        dirty=True,
    )
    for what in ("for the first time", "again, nothing changed"):
        parsed = measure("startup:parse", logs / "startup_parse.log", home=home, landing=landing)
        rows.append(Row(f"dbt parse {what}, dbt already imported", parsed.costs["parse"]))
    first, second = days_of(landing)
    history = measure("startup:opscope_run", logs / "startup_first.log", home=home, landing=landing, day=first)
    night = measure("startup:opscope_run", logs / "startup_night.log", home=home, landing=landing, day=second)
    for what, measured in (
        (f"opscope run --date, the first {scale.history_days} days", history),
        ("the next night", night),
    ):
        steps = measure(
            "startup:steps", logs / "startup_steps.log", home=home, landing=landing, day=measured.facts["day"]
        )
        shares = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in steps.facts.items())
        rows.append(Row(what, measured.costs["run"], f"wall time: {shares}; peak {measured.peak_mb:,.0f} MB"))
    spent = night.costs["run"]
    verdict = Verdict("a night of the demo company, whole process", spent.cpu, 60, unit="s", by_wall=spent.wall)
    return [Result("startup", "Fixed cost of a small night", rows, [verdict])]


def load(watch: Watch, *, module: str) -> None:
    """Import one module into a process that has little else."""
    with watch("import"):
        importlib.import_module(module)


def parse(watch: Watch, *, home: str, landing: str) -> None:
    """Parse the project, reusing what an earlier call left."""
    import dbt.cli.main

    from pipelines.transforms import Transforms

    assert dbt.cli.main
    settings, _, _ = installation(home, landing)
    with watch("parse"):
        Transforms(settings).parse()


def opscope_run(watch: Watch, *, home: str, landing: str, day: str) -> dict[str, str]:
    """The command an operator types, as a process of its own."""
    profile = Path(landing) / "profile.yml"
    given = ["--profile", str(profile), "--landing", landing, "--date", day]
    with watch("run"):
        subprocess.run(
            [sys.executable, "-m", "pipelines.cli", "--home", home, "run", *given],
            cwd=REPOSITORY,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            check=True,
        )
    return {"day": day}


def steps(watch: Watch, *, home: str, landing: str, day: str) -> dict[str, float]:
    """Wall seconds of each step of the day's newest run, in order."""
    from pipelines.instance import open_instance
    from pipelines.partitions import RANGE_START

    settings, _, _ = installation(home, landing)
    with open_instance(settings) as instance:
        runs = instance.get_runs()
        newest = next(run for run in runs if run.tags.get(RANGE_START) == date.fromisoformat(day).isoformat())
        stats = instance.get_run_step_stats(newest.run_id)
    ordered = sorted(stats, key=lambda step: step.start_time or 0)
    return {step.step_key: (step.end_time or 0) - (step.start_time or 0) for step in ordered}
