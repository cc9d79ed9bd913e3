"""The global model: one gradient-boosted forest for all series and horizons, learnt from many past origins.

A row is one series at one past origin with one target period. The target is demand over the series' base level with the
base as weight, which makes a Poisson loss exact for demand with the base as exposure. Baselines do not belong here.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from models_ml.features import Snapshot, series_features, target_features
from models_ml.panel import Panel
from models_ml.periods import Floats, Ints, calendar_features
from models_ml.threads import one_thread

# A series is never forecast at more than this many times its base level: without the limit one in a thousand explodes.
RATIO_LIMIT = 6.0
ROWS = 20_000
ROWS_PER_SERIES = 20
MOST_ROWS = 600_000
MOST_ORIGINS = 32
FEWEST_ROWS = 400
# Rounds and leaves by the least number of series x origins: rows of one snapshot tell the same story, and large trees
# learn it by heart.
SHAPES = ((100_000, (100, 31)), (10_000, (60, 15)), (0, (60, 8)))
TRUNCATED_SHARE = 0.1
# A month seen in fewer years is what happened in it: a shop's closed Christmas taught that all of December is poor.
FEWEST_YEARS = 2
PREDICTED_AT_ONCE = 8_192


@dataclass(frozen=True, eq=False)
class Trees:
    """Fitted trees with what they need to read another panel.

    Attributes:
        estimator: a fitted regressor, from feature rows to demand over base.
        categories: for each static attribute the values the trees know.
        country: whose holidays the calendar features hold.
    """

    estimator: Any
    categories: dict[str, list[str]]
    country: str | None

    def forecast(self, snapshot: Snapshot, horizon: int) -> Floats:
        """Mean demand of shape (series, horizon); 0 for series whose base is 0."""
        base = snapshot.base()
        alive = np.flatnonzero(base > 0)
        means = np.zeros((len(base), horizon))
        if len(alive):
            steps = np.arange(1, horizon + 1)
            rows = feature_rows(snapshot, base, [alive] * horizon, steps, self.categories, self.country)
            ratios = np.clip(self._predict(rows), 0, RATIO_LIMIT).reshape(horizon, len(alive)).T
            means[alive] = ratios * base[alive, None]
        return means

    def _predict(self, rows: Floats) -> Floats:
        """In pieces that stay in the processor's cache while tree after tree reads them."""
        pieces = np.array_split(rows, -(-len(rows) // PREDICTED_AT_ONCE))
        with one_thread():
            return np.concatenate([self.estimator.predict(piece) for piece in pieces])


def fit(panel: Panel, column: int, *, horizon: int, seed: int, country: str | None) -> Trees | None:
    """Learn from all targets up to `column`; None where the history is too short to learn from.

    Reproducible: one thread, rows in order of origin and series, and one seed.
    """
    categories = {
        str(name): sorted(panel.attributes[name].dropna().astype(str).unique()) for name in panel.attributes.columns
    }
    categories = {name: values for name, values in categories.items() if 1 < len(values) <= 200}
    sample = _sample(panel, column, horizon, np.random.default_rng(seed), categories, country)
    if sample is None or len(sample[1]) < FEWEST_ROWS:
        return None
    rows, ratios, weights = sample
    if not ratios.any():
        return None
    snapshots = len(panel.series) * len(_origins(panel, column))
    shape = next(shape for fewest, shape in SHAPES if snapshots >= fewest)
    return Trees(_boosted(rows, ratios, weights, len(categories), shape, seed), categories, country)


def _boosted(rows: Floats, ratios: Floats, weights: Floats, categorical: int, shape: tuple[int, int], seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor

    names = np.zeros(rows.shape[1], dtype=bool)
    names[rows.shape[1] - categorical :] = True
    estimator = HistGradientBoostingRegressor(
        loss="poisson",
        learning_rate=0.1,
        max_iter=shape[0],
        max_leaf_nodes=shape[1],
        min_samples_leaf=int(np.clip(len(ratios) // 400, 20, 200)),
        l2_regularization=20.0,
        max_features=0.6,
        categorical_features=names,
        early_stopping=False,
        random_state=seed,
    )
    with one_thread():
        return estimator.fit(rows, ratios, sample_weight=weights / weights.mean())


def _sample(
    panel: Panel,
    column: int,
    horizon: int,
    rng: np.random.Generator,
    categories: dict[str, list[str]],
    country: str | None,
) -> tuple[Floats, Floats, Floats] | None:
    """Feature rows, demand over base, and base, at past origins and random horizons."""
    count = len(panel.series)
    origins = _origins(panel, column)
    if not len(origins) or not count:
        return None
    wanted = min(max(ROWS, ROWS_PER_SERIES * count), MOST_ROWS)
    per_origin = int(np.clip(-(-wanted // (len(origins) * count)), 1, horizon))
    parts = [
        _rows_at(panel, int(origin), min(horizon, column - int(origin)), per_origin, rng, categories, country)
        for origin in origins
    ]
    features, ratios, weights = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return features, ratios, weights


def _origins(panel: Panel, column: int) -> Ints:
    """Past origins to learn from: evenly spaced back from the last one that has a target."""
    earliest = min(2 * panel.cadence.season, 8)
    spacing = panel.cadence.spacing
    return np.arange(column - 1, earliest - 1, -spacing)[:MOST_ORIGINS][::-1]


def _rows_at(
    panel: Panel,
    origin: int,
    reach: int,
    per_origin: int,
    rng: np.random.Generator,
    categories: dict[str, list[str]],
    country: str | None,
) -> tuple[Floats, Floats, Floats]:
    ages = panel.ages(origin)
    newest = panel.cadence.base_windows[0][0]
    hidden = (rng.random(len(ages)) < TRUNCATED_SHARE) & (ages > newest)
    ages = np.where(hidden, rng.integers(1, newest + 1, len(ages)), ages)
    snapshot = Snapshot(panel, origin, ages)
    base = snapshot.base()
    draws = rng.permuted(np.tile(np.arange(1, reach + 1), (len(base), 1)), axis=1)[:, : min(per_origin, reach)]
    chosen = np.zeros((len(base), reach + 1), dtype=bool)
    np.put_along_axis(chosen, draws, values=True, axis=1)
    chosen &= (base > 0)[:, None]
    steps = np.arange(1, reach + 1)
    members = [np.flatnonzero(chosen[:, step]) for step in steps]
    of_year = panel.last + 1 >= FEWEST_YEARS * panel.cadence.year
    rows = feature_rows(snapshot, base, members, steps, categories, country, of_year=of_year)
    actual = np.concatenate([panel.values[member, origin + step] for member, step in zip(members, steps, strict=True)])
    weights = np.concatenate([base[member] for member in members])
    return rows, actual / weights, weights


def feature_rows(
    snapshot: Snapshot,
    base: Floats,
    members: list[Ints],
    steps: Ints,
    categories: dict[str, list[str]],
    country: str | None,
    *,
    of_year: bool = True,
) -> Floats:
    """Feature rows of the series `members[k]` at the target `steps[k]` periods ahead, one block after the other.

    Trees that learnt without the time of year (`of_year`) do not ask for it, whatever they are told.
    """
    panel = snapshot.panel
    columns = snapshot.column + steps
    calendar = calendar_features(panel.dates(columns), panel.cadence, country, of_year=of_year)
    static = np.column_stack([series_features(snapshot, base), *_codes(panel.attributes, categories)])
    blocks = []
    for index, member in enumerate(members):
        target = target_features(snapshot, base, int(columns[index]))[member]
        dated = np.broadcast_to(calendar[index], (len(member), calendar.shape[1]))
        blocks.append(np.column_stack([target, dated, static[member]]).astype(np.float32))
    return np.concatenate(blocks)


def _codes(attributes: pd.DataFrame, categories: dict[str, list[str]]) -> list[Floats]:
    """Static attributes as numbers; NaN for a value the trees do not know."""
    coded = [pd.Index(known).get_indexer(pd.Index(attributes[name].astype(str))) for name, known in categories.items()]
    return [np.where(codes < 0, np.nan, codes) for codes in coded]
