"""What is known about each series at an origin, and about each target period: the numbers models learn from.

Everything here looks at an origin's column and the columns before it, never past it. Models do not belong here.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models_ml.panel import Group, Panel
from models_ml.periods import Floats, Ints

# Periods of its own history against which the analogue's level weighs as much.
ANALOGUE_WEIGHT = 7.0
# Levels above this quantile count as this quantile, so that one giant does not become everyone's analogue.
ANALOGUE_QUANTILE = 0.95
# An analogue is never so many times larger or smaller than the panel's mean.
ANALOGUE_REACH = 50.0


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The panel as seen at one origin.

    Attributes:
        panel: the demand.
        column: the origin; later columns are never read.
        ages: periods of history of each series that may be used (training hides some to learn about new series).
    """

    panel: Panel
    column: int
    ages: Ints

    @classmethod
    def at(cls, panel: Panel, column: int) -> "Snapshot":
        """All that is known at `column`."""
        return cls(panel, column, panel.ages(column))

    def mean(self, width: int) -> Floats:
        """Mean demand over the last `width` periods, or over the series' age where that is shorter."""
        used = np.minimum(width, self.ages)
        return self.panel.spans.last(self.column, used) / np.maximum(used, 1)

    def phase_mean(self, target: int, seasons: int) -> Floats:
        """Mean of the last `seasons` known periods of the phase of column `target`; NaN where none is known."""
        return self.phase_means(target, (seasons,))[0]

    def phase_means(self, target: int, seasons: tuple[int, ...]) -> list[Floats]:
        """`phase_mean` of each of several ascending numbers of seasons, for little more than that of the last."""
        latest, season = self.latest_of_phase(target), self.panel.cadence.season
        known = np.maximum((self.ages - 1 - (self.column - latest)) // season + 1, 0)
        total, means, taken = np.zeros(len(known)), [], 0
        for count in seasons:
            for back in range(taken, min(count, latest // season + 1 if latest >= 0 else 0)):
                total += self.panel.values[:, latest - back * season] * (known > back)
            taken = max(taken, count)
            used = np.minimum(count, known) if latest >= 0 else np.zeros_like(known)
            means.append(np.divide(total, used, out=np.full(len(known), np.nan), where=used > 0))
        return means

    def phase_count(self, target: int, seasons: int) -> Ints:
        """How many of the last `seasons` periods of the phase of column `target` are known."""
        behind = self.column - self.latest_of_phase(target)
        return np.clip((self.ages - 1 - behind) // self.panel.cadence.season + 1, 0, seasons)

    def latest_of_phase(self, target: int) -> int:
        """The last known column of the phase of column `target`; negative where there is none."""
        season = self.panel.cadence.season
        return target - season * -(-(target - self.column) // season)

    def analogue(self) -> Floats:
        """Level expected of each series from the other series: the panel's mean times what each attribute adds.

        For each static attribute the mean of the other series that share its value is set against the mean of all;
        the ratios multiply. Without attributes it is the mean of the other series.
        """
        width = self.panel.cadence.base_windows[0][0]
        own, present = self.mean(width), (self.ages > 0).astype(np.float64)
        if present.sum() < 2:
            return own
        own = np.minimum(own, np.quantile(own[present > 0], ANALOGUE_QUANTILE, method="lower"))
        overall = _others_mean(np.zeros(len(own), dtype=np.int64), own, present)
        level = overall.copy()
        for name, group in self.panel.groups.items():
            if name:
                peers = _others_mean(group.codes, own, present)
                with np.errstate(invalid="ignore", divide="ignore"):
                    ratio = np.where(np.isfinite(peers) & (overall > 0), peers / overall, 1.0)
                level *= np.clip(ratio, 1 / ANALOGUE_REACH, ANALOGUE_REACH)
        return np.nan_to_num(level)

    def base(self) -> Floats:
        """The level that scales a series: a blend of recent means, drawn towards the analogue while it is new."""
        windows = self.panel.cadence.base_windows
        own = np.sum([weight * self.mean(width) for width, weight in windows], axis=0)
        new = np.clip(1 - self.ages / windows[0][0], 0, 1)
        weight = new * ANALOGUE_WEIGHT / (ANALOGUE_WEIGHT + self.ages)
        return np.asarray((1 - weight) * own + weight * self.analogue())

    def dispersion(self) -> Floats:
        """Standard deviation over mean of recent demand (13 weeks of days)."""
        width = self.panel.cadence.windows[len(self.panel.cadence.windows) // 2 + 1]
        used = np.maximum(np.minimum(width, self.ages), 1)
        mean = self.panel.spans.last(self.column, used) / used
        square = self.panel.square_spans.last(self.column, used) / used
        spread = np.sqrt(np.maximum(square - mean**2, 0))
        return np.asarray(np.divide(spread, mean, out=np.zeros_like(mean), where=mean > 0))

    def recent(self, width: int) -> tuple[Floats, Ints]:
        """The last `width` periods, one row a period, and the row of each series' first one (past the end if none)."""
        begin = max(self.column + 1 - width, 0)
        rows = np.ascontiguousarray(self.panel.values[:, begin : self.column + 1].T)
        return rows, np.maximum(len(rows) - self.ages, 0)

    @cached_property
    def known_levels(self) -> dict[str, list[NDArray[np.float32]]]:
        """The recent mean of each known-ahead number, over the base level's shortest and longest window."""
        spans = (self.panel.cadence.base_windows[0][0], self.panel.cadence.base_windows[-1][0])
        return {
            name: [numbers[:, max(self.column + 1 - span, 0) : self.column + 1].mean(axis=1) for span in spans]
            for name, numbers in self.panel.known.items()
        }

    def is_discontinued(self) -> NDArray[np.bool_]:
        """Whether a series has had no demand for so long that none is expected."""
        latest = self.panel.last_sold[:, self.column]
        return (self.column - latest >= self.panel.cadence.dead_after) & (self.ages > self.panel.cadence.dead_after)


def _others_mean(codes: Ints, values: Floats, present: Floats) -> Floats:
    """Mean of the other present members of each one's group; NaN where it has no others."""
    count = np.bincount(codes, weights=present)[codes] - present
    total = np.bincount(codes, weights=values * present)[codes] - values * present
    return np.asarray(np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0))


def series_features(snapshot: Snapshot, base: Floats) -> Floats:
    """One row per series: its level, trend, regularity and age at the origin, and the trends of its groups."""
    panel, column, ages = snapshot.panel, snapshot.column, snapshot.ages
    scale = np.where(base > 0, base, np.nan)
    windows = panel.cadence.windows
    columns = [snapshot.mean(width) / scale for width in windows]
    for width in windows[2::2]:
        used = np.maximum(np.minimum(width, ages), 1)
        columns.append(panel.sold_spans.last(column, used) / used)
    since = np.minimum(column - panel.last_sold[:, column], ages)
    columns += [np.log1p(since), np.log1p(np.minimum(ages, panel.cadence.year)), np.log(scale), snapshot.dispersion()]
    for group in panel.groups.values():
        columns += [trend[group.codes] for trend in _group_trends(panel, group, column)]
    return np.column_stack(columns)


def _group_trends(panel: Panel, group: Group, column: int) -> list[Floats]:
    windows = panel.cadence.windows
    reference = _ratio(group.spans.last(column, windows[-3]), np.float64(windows[-3]))
    return [_ratio(group.spans.last(column, width) / width, reference) for width in (windows[0], windows[2])]


def target_features(snapshot: Snapshot, base: Floats, target: int) -> Floats:
    """One row per series: what the past says about the phase, and the time of year, of the column `target`."""
    panel = snapshot.panel
    scale = np.where(base > 0, base, np.nan)
    counts = tuple(dict.fromkeys((1, *panel.cadence.season_counts)))
    columns = [mean / scale for mean in snapshot.phase_means(target, counts)]
    columns.append(np.full(len(base), float(target - snapshot.column)))
    columns += _known_features(snapshot, target)
    for group in panel.groups.values():
        columns.append(_group_phase(snapshot, group, target)[group.codes])
        columns.append(_group_year(panel, group, snapshot.column, target)[group.codes])
    return np.column_stack(columns)


def _known_features(snapshot: Snapshot, target: int) -> list[Floats]:
    """What is known ahead of the target period, against what held while the base level was made.

    A price as its ratio to the recent means; a promotion or holiday as itself and as its recent mean, which says how
    much of it the base level holds already.
    """
    columns: list[Floats] = []
    for name, numbers in snapshot.panel.known.items():
        now = numbers[:, target].astype(np.float64)
        recent = [level.astype(np.float64) for level in snapshot.known_levels[name]]
        columns += [_ratio(now, level) for level in recent] if name == "price" else [now, recent[0]]
    return columns


def _group_phase(snapshot: Snapshot, group: Group, target: int) -> Floats:
    """A group's mean at the phase of `target` relative to its mean over the same seasons."""
    cadence = snapshot.panel.cadence
    season, latest = cadence.season, snapshot.latest_of_phase(target)
    seasons = min(cadence.season_counts[-1], latest // season + 1)
    if seasons <= 0:
        return np.full(group.count, np.nan)
    around = group.spans.last(snapshot.column, seasons * season) / min(seasons * season, snapshot.column + 1)
    return _ratio(group.spans.phase(latest, seasons) / seasons, around)


def _group_year(panel: Panel, group: Group, column: int, target: int) -> Floats:
    """A group's mean around `target` a year ago relative to its mean before the origin a year ago."""
    year, reach = panel.cadence.year, panel.cadence.spacing
    before, around = column - year, target - year
    if before - 2 * reach + 1 < 0:
        return np.full(group.count, np.nan)
    then = group.spans.between(around - reach // 2, min(around + reach // 2, column)) / (2 * (reach // 2) + 1)
    return _ratio(then, group.spans.between(before - 2 * reach + 1, before) / (2 * reach))


def _ratio(part: Floats, whole: Floats | np.float64) -> Floats:
    whole = np.broadcast_to(whole, part.shape)
    return np.asarray(np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0))
