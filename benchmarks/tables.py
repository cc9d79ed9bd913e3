"""Results as JSON and Markdown: what was measured, against which goal, on which machine. Nothing is measured here."""

import os
import platform
import subprocess
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

from benchmarks.measure import REPOSITORY, Cost

BEGIN = "<!-- figures: written by `python -m benchmarks --docs`, not by hand -->"
END = "<!-- end of figures -->"


@dataclass(frozen=True)
class Row:
    """One thing measured. `amount` says what the seconds do not: a rate, a size, a count."""

    what: str
    cost: Cost | None = None
    amount: str = ""


@dataclass(frozen=True)
class Verdict:
    """A figure beside its goal.

    Attributes:
        what: what is compared, the numerator first.
        value: judged by CPU time where it is a ratio of times.
        goal: not above it, or not below it where `more_is_better`.
        unit: printed behind both; x for ratios.
        by_wall: the same by wall time, for reading only.
    """

    what: str
    value: float
    goal: float
    unit: str = "x"
    more_is_better: bool = False
    by_wall: float | None = None

    @property
    def is_met(self) -> bool:
        return self.value >= self.goal if self.more_is_better else self.value <= self.goal


@dataclass(frozen=True)
class Result:
    """One measurement."""

    name: str
    title: str
    rows: list[Row] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)


def as_json(result: Result, run: dict[str, Any]) -> dict[str, Any]:
    """A result and the run that measured it, for a file."""
    verdicts = [asdict(verdict) | {"is_met": verdict.is_met} for verdict in result.verdicts]
    return {"run": run} | asdict(result) | {"verdicts": verdicts}


def from_json(kept: dict[str, Any]) -> tuple[Result, dict[str, Any]]:
    """What `as_json` wrote."""
    rows = [Row(row["what"], Cost(**row["cost"]) if row["cost"] else None, row["amount"]) for row in kept["rows"]]
    names = [each.name for each in fields(Verdict)]
    verdicts = [Verdict(**{name: each[name] for name in names}) for each in kept["verdicts"]]
    return Result(kept["name"], kept["title"], rows, verdicts), kept["run"]


def ratio(what: str, ours: Cost, theirs: Cost, goal: float) -> Verdict:
    """How many times the seconds of the bare minimum ours are."""
    return Verdict(what, ours.cpu / theirs.cpu, goal, by_wall=ours.wall / theirs.wall)


def speed(what: str, ours: Cost, theirs: Cost, goal: float) -> Verdict:
    """Our speed as a share of theirs on the same work."""
    return Verdict(what, theirs.cpu / ours.cpu, goal, more_is_better=True, by_wall=theirs.wall / ours.wall)


def this_run(scale: str) -> dict[str, Any]:
    """Where and when: machine, versions, commit, and how busy the machine was."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude", "*"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "scale": scale,
        "measured_on": datetime.now(UTC).date().isoformat(),
        "commit": described.stdout.strip() or "unknown",
        "cores": len(os.sched_getaffinity(0)),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "load_average": round(os.getloadavg()[1], 1),
    }


def markdown(measured: list[tuple[Result, dict[str, Any]]]) -> str:
    """Results and their runs as a part of a page: all goals, then the figures of each measurement and where it ran."""
    parts = _goals([verdict for result, _ in measured for verdict in result.verdicts])
    for result, run in measured:
        where = (
            f"Scale `{run['scale']}`, {run['measured_on']}, commit {run['commit']}, {run['cores']} cores, "
            f"{run['machine']}, Python {run['python']}, load average {run['load_average']} at the end."
        )
        parts += ["", f"### {result.title}", "", where, "", *_figures(result.rows)]
    return "\n".join(parts) + "\n"


def with_figures(page: str, figures: str) -> str:
    """The page with the part between the two marks replaced.

    Raises:
        ValueError: the page lacks the marks.
    """
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page needs the lines {BEGIN} and {END}")
    return f"{head}{BEGIN}\n\n{figures}\n{END}{tail}"


def _goals(verdicts: list[Verdict]) -> list[str]:
    lines = ["| goal | figure | by wall time | asked | met |", "|---|---:|---:|---:|---|"]
    for each in verdicts:
        wall = "" if each.by_wall is None else _number(each.by_wall, each.unit)
        bound = "at least" if each.more_is_better else "at most"
        lines.append(
            f"| {each.what} | {_number(each.value, each.unit)} | {wall} "
            f"| {bound} {_number(each.goal, each.unit)} | {'yes' if each.is_met else '**no**'} |"
        )
    return lines


def _figures(rows: list[Row]) -> list[str]:
    lines = ["| | wall s | CPU s | |", "|---|---:|---:|---|"]
    for row in rows:
        wall, cpu = ("", "") if row.cost is None else (f"{row.cost.wall:.2f}", f"{row.cost.cpu:.2f}")
        lines.append(f"| {row.what} | {wall} | {cpu} | {row.amount} |")
    return lines


def _number(value: float, unit: str) -> str:
    return f"{value:.2f}x" if unit == "x" else f"{value:,.0f} {unit}"
