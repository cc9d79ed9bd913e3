"""The command line of the bench: which measurements, at which scale, and where the figures go."""

import argparse
import importlib
import json
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import REPOSITORY
from benchmarks.scales import SCALES
from benchmarks.tables import Result, as_json, from_json, markdown, this_run, with_figures

MEASUREMENTS = ("reading", "night", "backfill", "startup", "reports", "forecasts", "spark")
ON_THE_PAGE = ("reading", "night", "publication", "reports", "backfill", "memory", "startup", "forecasts", "spark")
RESULTS = REPOSITORY / "benchmarks" / "results"
PAGE = REPOSITORY / "docs" / "benchmarks.md"


def main() -> None:
    """Measure, keep the figures and print all there are; a missed goal is a figure, not an error."""
    given = _arguments()
    work = given.work / given.scale
    for name in MEASUREMENTS if given.only is None else given.only:
        started = time.perf_counter()
        print(f"measuring {name} ...", flush=True)
        results = importlib.import_module(f"benchmarks.{name}").run(SCALES[given.scale], work)
        print(f"measuring {name} took {time.perf_counter() - started:.0f} s", flush=True)
        _keep(results, given.scale)
    figures = markdown(_kept(given.scale))
    print(f"\n{figures}")
    (RESULTS / f"{given.scale}.md").write_text(figures, encoding="utf-8")
    if given.docs:
        PAGE.write_text(with_figures(PAGE.read_text(encoding="utf-8"), figures), encoding="utf-8")


def _keep(results: list[Result], scale: str) -> None:
    run = this_run(scale)
    RESULTS.mkdir(exist_ok=True)
    for result in results:
        text = json.dumps(as_json(result, run), indent=1)
        (RESULTS / f"{scale}_{result.name}.json").write_text(text + "\n", encoding="utf-8")


def _kept(scale: str) -> list[tuple[Result, dict[str, Any]]]:
    """The newest result of every measurement at the scale, in the order of the page."""
    files = [RESULTS / f"{scale}_{name}.json" for name in ON_THE_PAGE]
    return [from_json(json.loads(file.read_text(encoding="utf-8"))) for file in files if file.is_file()]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--scale", choices=SCALES, default="default")
    parser.add_argument(
        "--only", nargs="*", help=f"any of {', '.join(MEASUREMENTS)}; the others keep the figures they had"
    )
    parser.add_argument(
        "--docs", action="store_true", help=f"write the figures into {PAGE.relative_to(REPOSITORY)} too"
    )
    parser.add_argument(
        "--work",
        type=Path,
        default=REPOSITORY / "var" / "bench",
        help="folder of the generated companies, which are kept for the next time, and of the homes and logs",
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
