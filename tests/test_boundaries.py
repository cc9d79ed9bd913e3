"""Who may import whom. Each rule is a sentence of the architecture; a failure lists the offenders."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# (what, where it may be imported, why)
ONLY_IN = [
    ("great_expectations", {"pipelines/quality/gx.py"}, "GX costs seconds to import and changes often"),
    ("sklearn", {"models_ml"}, "modelling is plain and stands alone"),
    ("skops", {"models_ml"}, "modelling is plain and stands alone"),
    (
        "dagster",
        {
            "pipelines/assets",
            "pipelines/automation.py",
            "pipelines/definitions.py",
            "pipelines/event_log.py",
            "pipelines/instance.py",
            "pipelines/launch.py",
            "pipelines/partitions.py",
        },
        "the shell is thin: what a step does can be called and tested without an orchestrator",
    ),
    ("dbt", {"pipelines/transforms.py"}, "dbt has one door"),
    ("dbt_common", {"pipelines/dbt_events.py"}, "dbt has one door, and this is its bell"),
    ("typer", {"pipelines/cli.py", "models_ml/__main__.py"}, "only the command line talks to a terminal"),
    (
        "rich",
        {"pipelines/cli.py", "pipelines/printing.py", "models_ml/__main__.py"},
        "only the command line talks to a terminal",
    ),
    ("pickle", set(), "a pickle runs code when it is read"),
    ("joblib", set(), "a pickle runs code when it is read"),
]
# (package, what it must never import, why)
NEVER = [
    ("models_ml", ("pipelines", "duckdb", "dbt", "dagster"), "modelling knows frames, not where they come from"),
    (
        "pipelines/sources",
        ("dagster", "pipelines.assets", "pipelines.ingestion", "pipelines.quality"),
        "readers only read",
    ),
    ("pipelines/demo", ("pipelines.ingestion", "dagster"), "the generator must not share code with what it tests"),
]
# Slow to import: the code location is loaded by every run, schedule tick and sensor tick.
LAZY = ("great_expectations", "sklearn", "dbt", "pipelines.dbt_events", "matplotlib", "scipy")


def imports_of(path: Path) -> list[tuple[int, str]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append((node.lineno, node.module))
    return found


def top_level_imports_of(path: Path) -> list[tuple[int, str]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = []
    for node in tree.body:
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append((node.lineno, node.module))
    return found


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def names(imported: str, package: str) -> bool:
    return imported == package or imported.startswith(package + ".")


@pytest.mark.parametrize(("package", "homes", "reason"), ONLY_IN, ids=[rule[0] for rule in ONLY_IN])
def test_import_stays_in_its_home(package: str, homes: set[str], reason: str) -> None:
    offenders = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sources("pipelines", "models_ml")
        if not any(str(path.relative_to(ROOT)).startswith(home) for home in homes)
        for line, imported in imports_of(path)
        if names(imported, package)
    ]
    assert not offenders, f"{package} may be imported in {sorted(homes) or 'no module'} only ({reason}):\n" + "\n".join(
        offenders
    )


@pytest.mark.parametrize(("folder", "forbidden", "reason"), NEVER, ids=[rule[0] for rule in NEVER])
def test_package_stays_below(folder: str, forbidden: tuple[str, ...], reason: str) -> None:
    offenders = [
        f"{path.relative_to(ROOT)}:{line} imports {imported}"
        for path in sources(folder)
        for line, imported in imports_of(path)
        if any(names(imported, each) for each in forbidden)
    ]
    assert not offenders, f"{reason}:\n" + "\n".join(offenders)


def test_slow_libraries_are_imported_where_they_are_used() -> None:
    offenders = [
        f"{path.relative_to(ROOT)}:{line} imports {imported}"
        for path in sources("pipelines", "models_ml")
        for line, imported in top_level_imports_of(path)
        if any(names(imported, package) for package in LAZY)
    ]
    assert not offenders, "import inside the function that uses it:\n" + "\n".join(offenders)
