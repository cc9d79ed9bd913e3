"""Changes in what is demanded, as of each day: in the whole, by channel and category, in the mix, and in single series.

How a change is told from chance is `models_ml.drift`'s business. The season of the year counts as a change: it is one.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import ClassVar

import numpy as np
import pandas as pd
import pyarrow as pa

from models_ml import drift
from models_ml.periods import Floats
from pipelines.modelling.context import Context
from pipelines.modelling.tables import MlTable

# The newest eight weeks against the year before them; with fewer weeks before, against those, down to sixteen.
CURRENT_DAYS = 56
REFERENCE_DAYS = 364
LEAST_REFERENCE_DAYS = 112
# Series that sold less than this a day have too many days without demand for either measure.
LEAST_DAILY_UNITS = 1.0
# A level that moved by less than this share is no news to whoever plans, however sure the change is.
MATERIAL_SHARE = 0.2

DRIFT = MlTable(
    "drift",
    "One row per as-of day and thing watched: whether the last 56 days of demand differ from the year before. The "
    "whole, channels, categories and mixes always have a row, a single series only with an alarm.",
    {
        "as_of": ("DATE NOT NULL", "Day from whose knowledge this was judged."),
        "subject_type": (
            "VARCHAR NOT NULL",
            "total, channel, category or series: daily units. channel_mix, category_mix: shares of units.",
        ),
        "product_id": ("VARCHAR", "Product of a series."),
        "channel_id": ("VARCHAR", "Sales channel of a channel or series."),
        "category": ("VARCHAR", "Category, as known on the day."),
        "reference_days": ("INTEGER NOT NULL", "Days that the last 56 are set against."),
        "reference_daily_quantity": ("DOUBLE NOT NULL", "Mean units a day before the last 56 days."),
        "current_daily_quantity": ("DOUBLE NOT NULL", "Mean units a day in the last 56 days."),
        "psi": (
            "DOUBLE NOT NULL",
            "Population stability index of daily units (of shares, for a mix); above 0.2 is an alarm.",
        ),
        "changed_on": ("DATE", "First day of the new level by CUSUM of weekday residuals; null without an alarm."),
        "direction": ("VARCHAR", "up or down, of the new level; null without one."),
        "is_alarm": (
            "BOOLEAN NOT NULL",
            "True when psi is above 0.2 or the level has changed, and (but for a mix) units moved by a fifth or more.",
        ),
    },
    deps=("marts.fct_order_lines",),
    owner="team:demand-planning",
)
SUBJECTS = {"total": [], "channel": ["channel_id"], "category": ["category"], "series": ["product_id", "channel_id"]}


class Drift:
    """Sets the newest demand against what went before."""

    tables: ClassVar[tuple[MlTable, ...]] = (DRIFT,)

    def __init__(self, context: Context) -> None:
        self._context = context

    def write(self, day: date) -> None:
        connection = self._context.connection
        connection.execute("delete from ml.drift where as_of = ?", [day])
        found = changes(self._context.demand.known(day))
        if not found.empty:
            connection.register("changes", pa.Table.from_pandas(found, preserve_index=False))
            connection.execute("insert into ml.drift by name select ?::date as as_of, * from changes", [day])
            connection.unregister("changes")


def changes(history: pd.DataFrame) -> pd.DataFrame:
    """The rows of ml.drift without their day; none while there is too little history.

    The newest business day with demand ends the current days: later ones may not have been delivered yet.
    """
    if history.empty:
        return pd.DataFrame()
    last = history.loc[history["quantity"] > 0, "date"].max()
    reference_days = min((last - history["date"].min()).days + 1 - CURRENT_DAYS, REFERENCE_DAYS) // 7 * 7
    if reference_days < LEAST_REFERENCE_DAYS:
        return pd.DataFrame()
    days = pd.date_range(last - timedelta(days=reference_days + CURRENT_DAYS - 1), last)
    recent = history[history["date"] >= days[0]]
    blocks = [_levels(recent, kind, keys, days) for kind, keys in SUBJECTS.items()]
    blocks += list(_mixes(recent, days))
    found = pd.concat(blocks, ignore_index=True)
    numbers = ["reference_daily_quantity", "current_daily_quantity", "psi"]
    found[numbers] = found[numbers].astype(float).round(6)
    return found.astype({"product_id": "str", "channel_id": "str", "category": "str", "direction": "str"})


def _levels(history: pd.DataFrame, kind: str, keys: list[str], days: pd.DatetimeIndex) -> pd.DataFrame:
    """Daily units of one kind of subject, each judged by PSI and CUSUM."""
    named = history.assign(whole="all")
    daily = named.groupby([*(keys or ["whole"]), "date"])["quantity"].sum().unstack("date").reindex(columns=days)
    values = daily.fillna(0.0).to_numpy()
    reference, current = values[:, :-CURRENT_DAYS], values[:, -CURRENT_DAYS:]
    index = drift.psi_of_series(reference, current)
    change = drift.level_changes(reference, current, days.day_of_week.to_numpy())
    before, now = reference.mean(axis=1), current.mean(axis=1)
    is_changed = change.direction != 0
    changed_on = days[-CURRENT_DAYS:].date[change.first]
    changed_on[~is_changed] = None
    found = daily.index.to_frame(index=False).reindex(columns=["product_id", "channel_id", "category"])
    found = found.assign(
        subject_type=kind,
        reference_days=reference.shape[1],
        reference_daily_quantity=before,
        current_daily_quantity=now,
        psi=index,
        changed_on=changed_on,
        direction=np.array([None, "up", "down"], dtype=object)[change.direction],
        is_alarm=((index > drift.PSI_LIMIT) | is_changed) & (np.abs(now - before) >= MATERIAL_SHARE * before),
    )
    if kind == "series":
        return found[found["is_alarm"] & (found["reference_daily_quantity"] >= LEAST_DAILY_UNITS)]
    return found


def _mixes(history: pd.DataFrame, days: pd.DatetimeIndex) -> Iterator[pd.DataFrame]:
    """Shares of units by channel and by category: what customers prefer, whatever the total."""
    is_current = history["date"] >= days[-CURRENT_DAYS]
    reference_days = len(days) - CURRENT_DAYS
    for key in ("channel_id", "category"):
        parts = history.groupby([key, is_current])["quantity"].sum().unstack().fillna(0.0)
        before, now = (_column(parts, flag) for flag in (False, True))
        index = float(drift.psi(before, now))
        yield pd.DataFrame(
            {
                "subject_type": [f"{key.removesuffix('_id')}_mix"],
                "reference_days": reference_days,
                "reference_daily_quantity": before.sum() / reference_days,
                "current_daily_quantity": now.sum() / CURRENT_DAYS,
                "psi": index,
                "is_alarm": index > drift.PSI_LIMIT,
            }
        ).reindex(columns=[name for name in DRIFT.columns if name != "as_of"])


def _column(parts: pd.DataFrame, flag: bool) -> Floats:
    return parts[flag].to_numpy(dtype=float) if flag in parts.columns else np.zeros(len(parts))
