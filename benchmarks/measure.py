"""Runs a function in a process of its own and says what it cost. What is measured belongs to the other modules.

Both clocks are kept: wall time is what people wait for, CPU time (user and system, children included) is what stays
the same when a machine has other work to do. This process imports nothing heavy, because a child's peak memory starts
at that of the process which started it.
"""

import importlib
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
SHOWN_LINES = 30


@dataclass(frozen=True)
class Cost:
    """Seconds of wall time and of CPU time."""

    wall: float
    cpu: float

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.wall + other.wall, self.cpu + other.cpu)

    def __sub__(self, other: "Cost") -> "Cost":
        return Cost(self.wall - other.wall, self.cpu - other.cpu)


@dataclass(frozen=True)
class Measured:
    """What a child process cost as a whole, what it timed itself, and what else it said."""

    process: Cost
    peak_mb: float
    costs: dict[str, Cost]
    facts: dict[str, Any]


class Watch:
    """Times named parts of the work of a child process."""

    def __init__(self) -> None:
        self.costs: dict[str, Cost] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        wall, cpu = time.perf_counter(), _cpu_seconds()
        yield
        spent = Cost(time.perf_counter() - wall, _cpu_seconds() - cpu)
        self.costs[name] = self.costs.get(name, Cost(0, 0)) + spent


def _cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def measure(function: str, log: Path, *, python: Path | None = None, **arguments: object) -> Measured:
    """Call `module:function` of this package with a Watch and the arguments in a new process.

    Args:
        function: it returns a JSON object of facts, or None.
        log: file that gets everything the process prints.
        python: the interpreter to run it with (default: this one).
        arguments: values that JSON can hold, or paths.

    Raises:
        RuntimeError: the process failed; the end of its log is in the message.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    given = json.dumps(arguments, default=str)
    answer = log.with_suffix(".json")
    command = [str(python or sys.executable), "-m", "benchmarks.measure", function, given, str(answer)]
    started = time.perf_counter()
    with log.open("wb") as printed:
        child = subprocess.Popen(command, cwd=REPOSITORY, stdout=printed, stderr=subprocess.STDOUT, env=_environment())
        _, status, used = os.wait4(child.pid, 0)
    wall = time.perf_counter() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        last_lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-SHOWN_LINES:]
        raise RuntimeError("\n".join([f"{function} failed, see {log}", *last_lines]))
    said = json.loads(answer.read_text(encoding="utf-8"))
    return Measured(
        process=Cost(wall, used.ru_utime + used.ru_stime),
        peak_mb=used.ru_maxrss / 1024,
        costs={name: Cost(**cost) for name, cost in said["costs"].items()},
        facts=said["facts"],
    )


def _environment() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1"}


def median_of(runs: list[Measured]) -> Measured:
    """The median of every cost, the highest peak, and the facts of the first."""
    names = runs[0].costs
    return Measured(
        process=median_cost([run.process for run in runs]),
        peak_mb=max(run.peak_mb for run in runs),
        costs={name: median_cost([run.costs[name] for run in runs]) for name in names},
        facts=runs[0].facts,
    )


def median_cost(costs: list[Cost]) -> Cost:
    return Cost(statistics.median(cost.wall for cost in costs), statistics.median(cost.cpu for cost in costs))


def _answer(function: str, arguments: str, answer: str) -> None:
    module, _, name = function.partition(":")
    watch = Watch()
    facts = getattr(importlib.import_module(f"benchmarks.{module}"), name)(watch, **json.loads(arguments))
    said = {"costs": {name: asdict(cost) for name, cost in watch.costs.items()}, "facts": facts or {}}
    Path(answer).write_text(json.dumps(said), encoding="utf-8")


if __name__ == "__main__":
    _answer(*sys.argv[1:])
