"""Forecasts that add up: the series of a panel, the totals of their static attributes, and the total of all.

Totals can be summed from the series (bottom-up), or forecast by themselves and then reconciled with the series. Every
method here moves the series and sums them, so the sums hold exactly, in floating point too: reconciled means are
multiples of `GRAIN`, of which sums are exact in any order as long as they stay below 2^33. Making forecasts does not
belong here.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from models_ml.frames import DATE, IS_SELECTED, QUANTITY, SERIES, FrameError, quantile_column, quantile_levels
from models_ml.periods import Floats, Ints

GRAIN = 2.0**-20
# Marks of a total: its attributes with their values, and the name of the total of all.
ALL = "*"
# A reconciled series moves by no more than this factor when totals are met from the top.
REACH = 10.0

Method = Literal["bottom_up", "top_down", "wls_struct"]


def total_names(attributes: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Which series belong to which totals.

    Args:
        attributes: `series_id` and static attributes, one row per series.
        by: attributes that have totals; several of one name tuple, joined by `+`, have a total for each pair of values.

    Returns:
        `series_id`, `total_id`: `*` for the total of all and `attribute=value` for the others.
    """
    parts = [pd.DataFrame({SERIES: attributes[SERIES], "total_id": ALL})]
    for name in by:
        columns = name.split("+")
        missing = [column for column in columns if column not in attributes.columns]
        if missing:
            raise FrameError(f"attributes lack {', '.join(missing)}. Give one column per attribute that has totals.")
        told = attributes[columns].astype("object").fillna("(none)")
        labels = [
            "+".join(f"{column}={value}" for column, value in zip(columns, row, strict=True)) for row in told.to_numpy()
        ]
        parts.append(pd.DataFrame({SERIES: attributes[SERIES], "total_id": labels}))
    return pd.concat(parts, ignore_index=True)


def total_history(history: pd.DataFrame, totals: pd.DataFrame) -> pd.DataFrame:
    """Demand of the totals, as a history frame of its own: to be forecast like any other series.

    Args:
        history: long frame of the series.
        totals: see `total_names`.
    """
    joined = history[[SERIES, DATE, QUANTITY]].merge(totals, on=SERIES)
    summed = joined.groupby(["total_id", DATE], sort=True)[QUANTITY].sum()
    return summed.rename_axis(index=[SERIES, DATE]).reset_index()


def reconciled(
    series: pd.DataFrame,
    totals: pd.DataFrame,
    total_forecasts: pd.DataFrame | None = None,
    *,
    method: Method = "bottom_up",
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Forecasts of series and of totals that add up exactly.

    Args:
        series: forecast frame of the series, one origin; of several models those in force count.
        totals: see `total_names`.
        total_forecasts: forecast frame of the totals, with the total's id as `series_id`; not needed for bottom-up.
        method: `bottom_up` keeps the series. `top_down` moves the series of each total alike until they meet the
            forecasts of the totals (iterated over crossed totals, the total of all last, so that it is met best).
            `wls_struct` moves series and totals as little as possible, each weighed by the number of series in it
            (Athanasopoulos et al. 2017; Wickramasuriya et al. 2019 call it structural scaling).

    Returns:
        The series' forecasts (mean and quantiles moved alike) and the totals' means (`total_id`, `origin`, `date`,
        `horizon`, `mean`). In both, means are multiples of `GRAIN`, and every total is the exact sum of its series.

    Raises:
        FrameError: total forecasts are needed and missing, or do not cover the periods of the series.
    """
    spoken = _in_force(series)
    ids, steps, mean = _matrix(spoken)
    codes, rows, names = _memberships(ids, totals)
    if method == "bottom_up":
        moved = mean
    else:
        wanted = _wanted(total_forecasts, names, steps)
        move = _from_the_top if method == "top_down" else _weighted_least_squares
        moved = move(mean, wanted, codes, rows)
    moved = np.rint(np.maximum(moved, 0.0) / GRAIN) * GRAIN
    told = spoken.assign(mean=moved.ravel())
    factor = np.divide(moved, mean, out=np.ones_like(moved), where=mean > 0).ravel()
    for level in quantile_levels(spoken):
        told[quantile_column(level)] = told[quantile_column(level)] * factor
    calendar = spoken.drop_duplicates("horizon")[["origin", DATE, "horizon"]].reset_index(drop=True)
    blocks = [
        calendar.assign(total_id=name, mean=moved[rows[codes == code]].sum(axis=0)) for code, name in enumerate(names)
    ]
    columns = ["total_id", "origin", DATE, "horizon", "mean"]
    summed = pd.concat(blocks, ignore_index=True)[columns] if blocks else pd.DataFrame(columns=columns)
    return told, summed


def _in_force(forecasts: pd.DataFrame) -> pd.DataFrame:
    spoken = forecasts[forecasts[IS_SELECTED].astype(bool)] if IS_SELECTED in forecasts.columns else forecasts
    if spoken["origin"].nunique() > 1:
        raise FrameError("forecasts: several origins. Give the forecasts of one.")
    return spoken.sort_values([SERIES, "horizon"], kind="stable", ignore_index=True)


def _matrix(spoken: pd.DataFrame) -> tuple[pd.Index, Ints, Floats]:
    """Series, horizons, and means of shape (series, horizons)."""
    ids = pd.Index(spoken[SERIES].unique())
    steps = np.sort(spoken["horizon"].unique())
    if len(ids) * len(steps) != len(spoken):
        raise FrameError("forecasts: not every series has the same periods, or a period several models in force.")
    return ids, steps, spoken["mean"].to_numpy(dtype=np.float64).reshape(len(ids), len(steps))


def _memberships(ids: pd.Index, totals: pd.DataFrame) -> tuple[Ints, Ints, list[str]]:
    """Pairs of total and series, as numbers, and the totals' names in order."""
    rows = ids.get_indexer(pd.Index(totals[SERIES]))
    told = totals[rows >= 0]
    codes, names = pd.factorize(told["total_id"], sort=True)
    return np.asarray(codes), rows[rows >= 0], [str(name) for name in names]


def _wanted(forecasts: pd.DataFrame | None, names: list[str], steps: Ints) -> Floats:
    """Forecasts of the totals, of shape (totals, horizons)."""
    if forecasts is None:
        raise FrameError("total forecasts are missing. Forecast total_history, or use bottom_up.")
    spoken = _in_force(forecasts)
    table = spoken.pivot_table(index=SERIES, columns="horizon", values="mean", aggfunc="first")
    wanted = table.reindex(index=names, columns=steps).to_numpy(dtype=np.float64)
    if not np.isfinite(wanted).all():
        culprit = names[int(np.argwhere(~np.isfinite(wanted))[0][0])]
        raise FrameError(f"total forecasts lack periods of {culprit}. Forecast every total over the same horizon.")
    return wanted


def _sums(values: Floats, codes: Ints, rows: Ints, count: int) -> Floats:
    total = np.zeros((count, values.shape[1]))
    np.add.at(total, codes, values[rows])
    return total


def _from_the_top(mean: Floats, wanted: Floats, codes: Ints, rows: Ints) -> Floats:
    """Series scaled to one attribute's totals after the other, ten times around; the largest totals have the last word.

    A series belongs to one total of each attribute; totals are grouped by how they partition the series.
    """
    moved = mean.copy()
    sizes = np.bincount(codes, minlength=len(wanted))
    for _ in range(10):
        for code in np.argsort(sizes, kind="stable"):
            members = rows[codes == code]
            summed = moved[members].sum(axis=0)
            factor = np.divide(wanted[code], summed, out=np.ones_like(summed), where=summed > 0)
            moved[members] *= np.clip(factor, 1 / REACH, REACH)
    return moved


def _weighted_least_squares(mean: Floats, wanted: Floats, codes: Ints, rows: Ints) -> Floats:
    """Series b and totals u moved to agree with the least sum of squares, a total of n series weighing 1 / n.

    With S the sums and W = diag(n): b + S' (S S' + W)^-1 (u - S b), by the matrix inversion lemma; one small system.
    """
    count = len(wanted)
    sizes = np.bincount(codes, minlength=count).astype(np.float64)
    common = np.zeros((count, count))
    order = np.argsort(rows, kind="stable")
    borders = np.flatnonzero(np.diff(rows[order])) + 1
    for totals_of_one in np.split(codes[order], borders):
        common[np.ix_(totals_of_one, totals_of_one)] += 1
    gap = wanted - _sums(mean, codes, rows, count)
    pull = np.linalg.solve(common + np.diag(sizes), gap)
    moved = mean.copy()
    np.add.at(moved, rows, pull[codes])
    return moved
