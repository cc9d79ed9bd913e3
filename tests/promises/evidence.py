"""Turns a test session into docs/reliability.md: one line per claim that a passed test has noted.

    python -m pytest tests/promises --junitxml=var/reliability.xml
    python -m tests.promises.evidence var/reliability.xml

Nothing on the page is written by hand but the promises' names below. What the claims mean is in the tests.
"""

import argparse
import json
import subprocess
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "reliability.md"
PROPERTY = "evidence"
PROMISES = {
    "P1": "Conservation: every record of a file is loaded, a duplicate or in quarantine",
    "P2": "Never silently wrong: a loaded record says what its source said",
    "P3": "A bad file never blocks good ones",
    "P4": "The same delivery again changes nothing",
    "P5": "Only whole files are loaded",
    "P6": "Schema drift is accepted visibly or refused with a remedy",
    "P7": "A kill at any moment costs at most one rerun",
    "P8": "Backfills in any order end in the same tables",
    "P9": "Readers see one whole version, never half, never backwards",
    "P10": "Nothing unchecked or failed is published",
    "P11": "Every changed published number is explained",
    "P12": "Two runs never both write",
    "P13": "Days, zones, clock changes and leap days lose and double nothing",
    "P14": "A full disk fails cleanly with the last version still served",
    "P15": "One command rolls back; rot is found before it is served",
    "P16": "No forecast knows what came after its day",
    "P17": "The same data gives the same forecast",
    "P18": "Nonsense is never forecast",
    "P19": "Nothing personal outside raw and quarantine",
    "P20": "An erased person is in no byte that is kept",
    "P21": "Nothing from outside becomes code, SQL, a path or a request",
    "P22": "No secret in logs, stores or artefacts",
    "P23": "Only reviewed code runs",
    "P24": "No silent failure",
}
HEAD = """# Reliability

Written from the results of a test session by `make reliability`; nothing here is written by hand. Each line is a claim
that a passed test noted: how often it was tried, from which seed, in which tier (`ci` runs with `make test`, `soak`
with `make soak`). A line is missing when its test failed or did not run. No failure in *n* independent trials bounds
the rate of failure at about 3/*n* (95 %).
"""


@dataclass(frozen=True)
class Claim:
    """What a test has shown: which promise, what was tried, how often, from which seed, with which code."""

    promise: str
    claim: str
    trials: int
    seed: int | None
    tier: str
    commit: str

    def __post_init__(self) -> None:
        assert self.promise in PROMISES, f"{self.promise} is none of the promises"
        assert self.trials > 0, "nothing was tried"

    def as_text(self) -> str:
        return json.dumps(asdict(self))


@cache
def commit_of_the_code() -> str:
    """The commit tested, marked where files differ from it; `unknown` in a copy without git."""
    described = subprocess.run(
        ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude=*"],
        capture_output=True,
        text=True,
        check=False,
    )
    return described.stdout.strip() or "unknown"


def claims(results: Path) -> list[tuple[Claim, str]]:
    """The claims of passed tests in a JUnit file, each with its test, by promise."""
    found = []
    for case in ET.parse(results).getroot().iter("testcase"):
        if any(case.find(problem) is not None for problem in ("failure", "error", "skipped")):
            continue
        test = f"{case.get('classname', '').rpartition('.')[2]}::{case.get('name', '').partition('[')[0]}"
        for noted in case.iter("property"):
            if noted.get("name") == PROPERTY:
                found.append((Claim(**json.loads(noted.get("value", ""))), test))
    return sorted(found, key=lambda line: (int(line[0].promise[1:]), line[0].claim))


def page(found: list[tuple[Claim, str]]) -> str:
    """The page as Markdown."""
    lines = [HEAD]
    for promise, text in PROMISES.items():
        shown = [(claim, test) for claim, test in found if claim.promise == promise]
        lines.append(f"## {promise}. {text}\n")
        if not shown:
            lines.append("No line.\n")
            continue
        lines += ["| shown | n | seed | tier | commit | test |", "|---|---:|---:|---|---|---|"]
        lines += [
            f"| {claim.claim} | {claim.trials:,} | {'' if claim.seed is None else claim.seed} | {claim.tier} "
            f"| {claim.commit} | `{test}` |"
            for claim, test in shown
        ]
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.promises.evidence", description=__doc__)
    parser.add_argument("results", type=Path, nargs="+", help="the JUnit files of sessions")
    given = parser.parse_args()
    # Of a claim shown in several sessions the last one counts.
    newest = {(claim.claim, test): (claim, test) for results in given.results for claim, test in claims(results)}
    PAGE.write_text(page(list(newest.values())), encoding="utf-8")


if __name__ == "__main__":
    main()
