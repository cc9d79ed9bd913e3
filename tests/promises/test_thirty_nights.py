"""A month: a backfill launched in the UI beside thirty nights, each a process of its own, and a reader all the time.

The five nights of tests/integration are the same in small; this one is of the soak tier alone.
"""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from pipelines.demo import generate
from tests.integration.conftest import Home
from tests.integration.reader import reading
from tests.integration.ui import Ui

SEED = 30


def test_a_backfill_of_thirty_days_equals_thirty_nights(
    tmp_path: Path, trials: Callable[[int, int], int], evidence: Callable[..., None]
) -> None:
    nights = trials(0, 30)
    if not nights:
        pytest.skip("thirty nights take half an hour: they are of the soak tier (--soak)")
    landing = tmp_path / "landing"
    generate(landing, seed=SEED, days=nights, scale=0.05, history_days=90)
    days = sorted(date.fromisoformat(path.name) for path in landing.glob("20*"))
    nightly, backfilled = (Home(tmp_path / name, str(landing / "profile.yml"), landing) for name in ("nightly", "ui"))
    for home in (nightly, backfilled):
        home.path.mkdir()

    nightly.run("--date", str(days[0]))
    with reading(nightly):
        for day in days[1:]:
            nightly.run("--date", str(day))
    ui = Ui(backfilled)
    try:
        ended = ui.backfill(ui.asset_paths(), [str(day) for day in days])
    finally:
        ui.stop()

    assert ended["status"] == "COMPLETED_SUCCESS", ended
    assert [run["status"] for run in ended["runs"]] == ["SUCCESS"]
    assert backfilled.digests() == nightly.digests()
    evidence(
        "P8", "nights, one process each, that end in the tables of one backfill from the UI", trials=nights, seed=SEED
    )
    evidence("P9", "nights beside a looping reader: no error, none torn, none backwards", trials=nights, seed=SEED)
