"""The generated companies that are measured, and their installations. Nothing is measured here.

What is heavy is imported by the functions that need it: they run in the children, and the parent stays small.
"""

import json
import shutil
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import Watch

if TYPE_CHECKING:
    from pipelines.resources import Warehouse
    from pipelines.settings import Settings
    from pipelines.sources.profiles import Profile


def write_company(watch: Watch, *, folder: str, days: int, scale: float, history_days: int, dirty: bool) -> None:
    """Generate the deliveries, unless the same arguments have already filled the folder."""
    from pipelines.demo import generate

    out = Path(folder)
    asked = {"days": days, "scale": scale, "history_days": history_days, "dirty": dirty}
    truth = out / "truth.json"
    if truth.is_file():
        arguments = json.loads(truth.read_text(encoding="utf-8"))["arguments"]
        if asked.items() <= arguments.items():
            return
    shutil.rmtree(out, ignore_errors=True)
    with watch("generate"):
        generate(out, days=days, scale=scale, history_days=history_days, dirty=dirty)


def installation(home: str | Path, landing: str | Path) -> "tuple[Settings, Profile, Warehouse]":
    """The settings of a home fed from a generated company, its profile and its warehouse."""
    from pipelines.resources import Warehouse
    from pipelines.settings import Settings
    from pipelines.sources.profiles import load_profile

    profile = Path(landing) / "profile.yml"
    settings = Settings(home=Path(home), profile=str(profile), landing=str(landing))
    return settings, load_profile(str(profile)), Warehouse(settings)


def load_days(watch: Watch, *, home: str, landing: str, first: str, last: str) -> dict[str, int]:
    """Ingest the delivery days, timed as `ingest`."""
    from pipelines.ingestion import ingest

    settings, profile, warehouse = installation(home, landing)
    with watch("ingest"):
        report = ingest(
            settings, profile, warehouse, (date.fromisoformat(first), date.fromisoformat(last)), run_id="bench"
        )
    return {"rows": report.records_loaded, "files": report.files_read}


def days_of(landing: Path) -> list[date]:
    """The delivery days of a generated company, oldest first."""
    return sorted(date.fromisoformat(path.name) for path in landing.iterdir() if path.name[:2] == "20")


def fresh(folder: Path) -> Path:
    """The folder, made anew and empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
