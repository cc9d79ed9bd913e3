"""Local time to UTC: the table of clock changes and the road without one say the same."""

import random
from datetime import UTC, datetime

import numpy as np
import pytest

from pipelines.sources import local_time
from pipelines.sources.local_time import EPOCH, SECOND, to_utc


def ticks(*parts: int) -> int:
    return round((datetime(*parts, tzinfo=UTC) - EPOCH).total_seconds()) * SECOND


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"])
def test_stamps_are_moved_alike_with_and_without_a_table(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(7)
    stamps = [chance.randrange(4_000_000_000) * SECOND for _ in range(2000)]
    for day in ((2025, 3, 30), (2025, 10, 26), (2025, 3, 9), (2025, 11, 2), (2025, 4, 6), (2025, 10, 5)):
        stamps += [ticks(*day, hour, minute) for hour in range(4) for minute in range(0, 60, 10)]
    moved, never = to_utc(np.array(stamps), zone)
    assert never.any()
    monkeypatch.setattr(local_time, "NEAR", (0, 0))
    others, others_never = to_utc(np.array(stamps), zone)
    assert (never == others_never).all()
    assert (moved[~never] == others[~never]).all()


def test_stamps_that_mean_for_ever_cost_no_table() -> None:
    moved, never = to_utc(np.array([ticks(2025, 7, 1, 12), ticks(9999, 12, 31, 23)]), "Europe/Berlin")
    assert moved.tolist() == [ticks(2025, 7, 1, 10), ticks(9999, 12, 31, 22)]
    assert not never.any()
