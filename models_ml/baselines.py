"""The baselines a model must beat, for all series at once: seasonal naive, weekday mean and moving average.

Each is a function from a snapshot and a horizon to means of shape (series, horizon). Nothing here is fitted.
"""

import numpy as np

from models_ml.features import Snapshot
from models_ml.periods import Floats

# Fewer known seasons than this are filled up from the analogue.
ENOUGH_SEASONS = 3


def seasonal_naive(snapshot: Snapshot, horizon: int) -> Floats:
    """The last known value of the same phase; the series' mean where it is younger than a season."""
    fallback = snapshot.mean(snapshot.panel.cadence.season)
    steps = [snapshot.phase_mean(snapshot.column + step, 1) for step in range(1, horizon + 1)]
    return np.column_stack([np.where(np.isfinite(values), values, fallback) for values in steps])


def weekday_mean(snapshot: Snapshot, horizon: int) -> Floats:
    """The mean of the same phase (weekday, for days) over the last seasons, `Cadence.baseline_seasons` of them.

    A series with fewer than `ENOUGH_SEASONS` known seasons is filled up with its base level times the phase's profile
    in the whole panel, so that a new series starts as its analogues do.
    """
    seasons = snapshot.panel.cadence.baseline_seasons
    profile, base = _panel_profile(snapshot, horizon), snapshot.base()
    steps = []
    for step in range(horizon):
        target = snapshot.column + 1 + step
        known = snapshot.phase_count(target, seasons)
        own = np.nan_to_num(snapshot.phase_mean(target, seasons))
        filled = np.maximum(min(ENOUGH_SEASONS, seasons) - known, 0)
        steps.append((own * known + filled * base * profile[step]) / np.maximum(known + filled, 1))
    return np.column_stack(steps)


def moving_average(snapshot: Snapshot, horizon: int) -> Floats:
    """The base level, for every period alike."""
    return np.repeat(snapshot.base()[:, None], horizon, axis=1)


def _panel_profile(snapshot: Snapshot, horizon: int) -> list[float]:
    """Demand of each coming period's phase over the base level, of all series that know it; 1 where none does."""
    seasons, base = snapshot.panel.cadence.baseline_seasons, snapshot.base()
    profile = []
    for target in range(snapshot.column + 1, snapshot.column + 1 + horizon):
        known = snapshot.phase_count(target, seasons) > 0
        level = base[known].sum()
        profile.append(snapshot.phase_mean(target, seasons)[known].sum() / level if level > 0 else 1.0)
    return profile
