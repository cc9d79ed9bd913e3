"""Conventions that a reader may rely on: one clock, one reader of the environment, a lock without surprises."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CLOCK = re.compile(
    r"\b(now\s*\(|utcnow|today\s*\(|current_date|current_timestamp|time\.time\s*\(|localtime|getdate\s*\()",
    re.IGNORECASE,
)
# The one clock, and what waits or measures durations without dating anything.
CLOCK_HOME = "pipelines/settings.py"


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def test_only_the_one_clock_asks_for_the_time() -> None:
    offenders = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in tracked("pipelines/*.py", "models_ml/*.py", "dbt_project/*.sql", "dbt_project/*.yml")
        if str(path.relative_to(ROOT)) != CLOCK_HOME
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if CLOCK.search(line)
    ]
    assert not offenders, "take the as-of day as a parameter instead:\n" + "\n".join(offenders)


def test_only_settings_reads_the_environment() -> None:
    reads = re.compile(r"os\.environ|os\.getenv|environ\[")
    offenders = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in tracked("pipelines/*.py", "models_ml/*.py")
        if str(path.relative_to(ROOT)) != CLOCK_HOME
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if reads.search(line)
    ]
    assert not offenders, "add a field to pipelines.settings.Settings instead:\n" + "\n".join(offenders)


def test_lock_holds_hashes_no_address_and_no_dead_integration() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pins = re.findall(r"^([a-z0-9][a-z0-9._-]*)(?:\[[^]]*\])?==([^ ;\\]+)", lock, re.MULTILINE)
    names = {name for name, _ in pins}
    dead = {"dagster-ge", "dagster-pandas", "dagster-duckdb-pandas", "dagster-duckdb", "duckdb-engine"}
    assert "://" not in lock
    assert not names & dead
    assert len(pins) > 100
    assert lock.count("--hash=sha256:") >= len(pins)
    assert ("duckdb", "1.5.5") in pins
    assert next(version for name, version in pins if name == "dbt-core").startswith("1.11.")
    assert next(version for name, version in pins if name == "scikit-learn").startswith("1.8.")


def test_every_module_says_what_belongs_in_it() -> None:
    bare = [
        str(path.relative_to(ROOT))
        for path in tracked("pipelines/*.py", "models_ml/*.py", "benchmarks/*.py")
        if path.read_text(encoding="utf-8").strip() and not path.read_text(encoding="utf-8").lstrip().startswith('"""')
    ]
    assert not bare, "open the module with a docstring: what belongs here and what does not\n" + "\n".join(bare)
