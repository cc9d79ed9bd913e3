"""The command line of the bench: which measurements, at which scale, and where the figures go."""

import argparse
import importlib
import json
import time
from pathlib import Path

from benchmarks.measure import REPOSITORY
from benchmarks.scales import SCALES
from benchmarks.tables import Result, markdown, this_run, with_figures

MEASUREMENTS = ("reading", "night", "backfill", "startup")
RESULTS = REPOSITORY / "benchmarks" / "results"
PAGE = REPOSITORY / "docs" / "benchmarks.md"


def main() -> None:
    """Measure, print the tables and keep them; a missed goal is a figure, not an error."""
    given = _arguments()
    work = given.work / given.scale
    results: list[Result] = []
    for name in given.only or MEASUREMENTS:
        started = time.perf_counter()
        print(f"measuring {name} ...", flush=True)
        results += importlib.import_module(f"benchmarks.{name}").run(SCALES[given.scale], work)
        print(f"measuring {name} took {time.perf_counter() - started:.0f} s", flush=True)
    run = this_run(given.scale)
    figures = markdown(results, run)
    print(f"\n{figures}")
    RESULTS.mkdir(exist_ok=True)
    for result in results:
        path = RESULTS / f"{given.scale}_{result.name}.json"
        path.write_text(json.dumps(result.as_json(run), indent=1) + "\n", encoding="utf-8")
    (RESULTS / f"{given.scale}.md").write_text(figures, encoding="utf-8")
    if given.docs:
        PAGE.write_text(with_figures(PAGE.read_text(encoding="utf-8"), figures), encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--scale", choices=SCALES, default="default")
    parser.add_argument("--only", nargs="+", choices=MEASUREMENTS, help="leave out the others")
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
