"""Every model of the engine on the real companies, beside other libraries: `python -m benchmarks.backtests`.

Reads the data sets in the folder that OPSCOPE_REAL_DATA names and prints a table for docs/findings/forecasts.md: WAPE,
bias, MASE, coverage and CPU seconds over at least six origins. The engine runs as the product runs it: fitted anew at
each origin. What a model costs by itself is timed once more, from the same origins.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import rivals
from benchmarks.measure import REPOSITORY, Watch, measure
from benchmarks.real_panels import BACKTESTS, Backtest, first_origin, origins, read

if TYPE_CHECKING:
    import pandas as pd

PAGE = REPOSITORY / "docs" / "findings" / "forecasts.md"
QUANTILES = rivals.QUANTILES
IN_FORCE = "**in force**"
# A seasonal AutoETS takes a tenth of a second a series and origin: it gets so many of the largest series.
SEASONAL_ETS_SERIES = 100
IN_FORCE_ON_THESE = "in force, on the series of AutoETS"
FOREIGN = ("AutoETS", "CrostonSBA", "LightGBM")


def main() -> None:
    """Forecast, judge, and print or keep the tables."""
    given = _arguments()
    folder = os.environ.get("OPSCOPE_REAL_DATA")
    if not folder:
        sys.exit("OPSCOPE_REAL_DATA is not set. Let it name the folder that holds online-retail and adventureworks.")
    python, why = rivals.environment(given.work / "rivals")
    parts = [] if python else [f"Other libraries are left out, their environment could not be made: {why}", ""]
    for backtest in BACKTESTS:
        if given.only is None or backtest.name in given.only:
            parts += [_measured(backtest, Path(folder), given.work, python, keep=given.keep_others), ""]
    tables = "\n".join(parts)
    print(tables)
    given.work.mkdir(parents=True, exist_ok=True)
    (given.work / "tables.md").write_text(tables, encoding="utf-8")


def _measured(backtest: Backtest, folder: Path, work: Path, python: Path | None, *, keep: bool) -> str:
    """Run a backtest, each library in a process of its own, and judge all forecasts alike."""
    print(f"{backtest.name} ...", flush=True)
    home, logs = work / backtest.name, work / "logs"
    home.mkdir(parents=True, exist_ok=True)
    panel = home / "panel.parquet"
    engine = measure(
        "backtests:engine", logs / f"{backtest.name}.log", name=backtest.name, folder=folder, panel=panel, out=home
    )
    seconds = {name: cost.cpu for name, cost in engine.costs.items()}
    asked = {
        "panel": panel,
        "origins": engine.facts["origins"],
        "horizon": backtest.horizon,
        "season": backtest.season,
    }
    for model in FOREIGN if python else ():
        function = "rivals:lightgbm" if model == "LightGBM" else "rivals:statsforecast"
        named: dict[str, object] = {} if model == "LightGBM" else {"model": model}
        if model == "AutoETS" and backtest.season <= 24:
            named["largest"] = SEASONAL_ETS_SERIES
        log, out = logs / f"{backtest.name}_{model}.log", home / f"{model}.parquet"
        if not (keep and out.is_file() and log.with_suffix(".json").is_file()):
            measure(function, log, python=python, out=out, **asked, **named)
        seconds[model] = json.loads(log.with_suffix(".json").read_text(encoding="utf-8"))["costs"][model]["cpu"]
    scores = measure("backtests:judge", logs / f"{backtest.name}_judge.log", name=backtest.name, home=home).facts
    return _table(backtest, engine.facts, scores["rows"], seconds)


def engine(watch: Watch, *, name: str, folder: str, panel: str, out: str) -> dict[str, Any]:
    """Backtest the engine, then time each model by itself from the same origins."""
    from models_ml import engine as product

    backtest = _named(name)
    history = read(backtest, Path(folder))
    history.to_parquet(panel, index=False)
    days = origins(backtest)
    with watch(IN_FORCE):
        forecasts = product.backtest(
            history,
            days,
            horizon=backtest.horizon,
            season=backtest.season,
            quantiles=QUANTILES,
            country=backtest.country,
        )
    forecasts.to_parquet(Path(out) / "engine.parquet", index=False)
    _time_each(watch, history, backtest)
    return {
        "origins": [day.isoformat() for day in days],
        "series": int(history["series_id"].nunique()),
        "first_origin_series": int(history.loc[history["date"] <= first_origin(backtest), "series_id"].nunique()),
        "units": int(history["quantity"].sum()),
    }


def _time_each(watch: Watch, history: "pd.DataFrame", backtest: Backtest) -> None:
    from models_ml import trees
    from models_ml.features import Snapshot
    from models_ml.means import TREES, Means, Plan
    from models_ml.panel import Panel

    plan = Plan(backtest.horizon, backtest.season, QUANTILES, 0, backtest.country)
    for origin in origins(backtest):
        panel = Panel.of(history, origin, backtest.season, reach=backtest.horizon)
        for name in plan.unfitted:
            with watch(name):
                Means(plan, None).unfitted(name, Snapshot.at(panel, panel.last))
        with watch(TREES):
            fitted = trees.fit(panel, panel.last, horizon=plan.horizon, seed=0, country=plan.country)
            if fitted is not None:
                fitted.forecast(Snapshot.at(panel, panel.last), plan.horizon)


def judge(watch: Watch, *, name: str, home: str) -> dict[str, Any]:
    """Scores of all forecasts in `home`, as one table and by segment, origin and series for whoever asks why."""
    import pandas as pd

    from models_ml import metrics

    backtest = _named(name)
    history = pd.read_parquet(Path(home) / "panel.parquet")
    files = sorted(file for file in Path(home).glob("*.parquet") if file.stem in ("engine", *FOREIGN))
    frames = {file.stem: pd.read_parquet(file) for file in files}
    if "AutoETS" in frames:
        told, theirs = frames["engine"], set(frames["AutoETS"]["series_id"])
        same = told[told["is_selected"] & told["series_id"].isin(theirs)]
        if len(theirs) < told["series_id"].nunique():
            frames["same"] = same.assign(model=IN_FORCE_ON_THESE, is_selected=False)
    judged = [
        metrics.evaluate(each, history, season=backtest.season, known_through=backtest.last, lag=backtest.lag)
        for each in frames.values()
    ]
    scores = pd.concat(judged, ignore_index=True)
    return {"rows": scores.astype(object).where(scores.notna(), None).to_dict("records")}


def _table(backtest: Backtest, facts: dict[str, Any], scores: list[dict[str, Any]], seconds: dict[str, float]) -> str:
    days = facts["origins"]
    series = f"{facts['series']:,} series, {facts['first_origin_series']:,} of them known at the first origin"
    spans = f"{len(days)} origins from {days[0]} to {days[-1]}, {backtest.horizon} periods ahead"
    lines = [
        f"### {backtest.title}",
        "",
        f"{series}; {facts['units']:,} units; {spans}.",
        "",
        "| model | WAPE | bias | MASE | WQL | A <= q.1 | A <= q.5 | A <= q.9 | CPU s |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in sorted(scores, key=lambda each: (each["wape"], each["model"])):
        model = IN_FORCE if row["model"] == "selected" else row["model"]
        covered = [_share(row.get(f"coverage_{level}")) for level in ("0.1", "0.5", "0.9")]
        spent = f"{seconds[model]:.1f}" if model in seconds else ""
        lines.append(
            f"| {model} | {row['wape']:.3f} | {row['bias']:+.3f} | {_number(row['mase'])} | {_number(row['wql'])} "
            f"| {' | '.join(covered)} | {spent} |"
        )
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.0f} %"


def _named(name: str) -> Backtest:
    return next(each for each in BACKTESTS if each.name == name)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backtests", description=__doc__)
    parser.add_argument("--only", nargs="*", choices=[each.name for each in BACKTESTS])
    parser.add_argument("--keep-others", action="store_true", help="forecast with the engine only, where others have")
    parser.add_argument(
        "--work",
        type=Path,
        default=REPOSITORY / "var" / "bench" / "backtests",
        help="folder of the panels, forecasts, logs, and of the environment of the other libraries",
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
