"""How forecasts are judged. Every figure is a ratio of sums over the rows it speaks of, never a mean of ratios.

Errors are forecast minus actual, so a positive bias is too much. Making forecasts does not belong here.
"""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd

from models_ml.frames import DATE, IS_CENSORED, IS_SELECTED, QUANTITY, SERIES, quantile_column, quantile_levels
from models_ml.panel import Panel
from models_ml.periods import Floats

SELECTED = "selected"


def wape(forecast: Floats, actual: Floats) -> float:
    """Weighted absolute percentage error: sum |F - A| / sum A; NaN where nothing was sold."""
    return _over(np.abs(forecast - actual).sum(), actual.sum())


def bias(forecast: Floats, actual: Floats) -> float:
    """Sum (F - A) / sum A; positive is over-forecast; NaN where nothing was sold."""
    return _over((forecast - actual).sum(), actual.sum())


def mase(forecast: Floats, actual: Floats, scale: Floats) -> float:
    """Sum |F - A| / sum of each row's in-sample mean absolute seasonal difference (Hyndman & Koehler 2006, pooled)."""
    return _over(np.abs(forecast - actual).sum(), scale.sum())


def rmsse(forecast: Floats, actual: Floats, square_scale: Floats) -> float:
    """Root of sum (F - A)^2 / sum of each row's in-sample mean squared seasonal difference (M5, pooled)."""
    return float(np.sqrt(_over(((forecast - actual) ** 2).sum(), square_scale.sum())))


def pinball(quantile: Floats, actual: Floats, level: float) -> float:
    """Sum of the quantile loss max(level (A - Q), (level - 1) (A - Q)), in units of demand."""
    short = actual - quantile
    return float(np.maximum(level * short, (level - 1) * short).sum())


def weighted_quantile_loss(quantiles: Floats, actual: Floats, levels: Sequence[float]) -> float:
    """Mean over levels of 2 x pinball / sum A; `quantiles` has one column per level; NaN without levels."""
    if not levels:
        return float("nan")
    losses = [2 * pinball(quantiles[:, index], actual, level) for index, level in enumerate(levels)]
    return _over(float(np.mean(losses)), actual.sum())


def coverage(quantile: Floats, actual: Floats) -> float:
    """Share of rows with A <= Q; a calibrated quantile covers its level (more where demand is mostly 0)."""
    return float(np.mean(actual <= quantile)) if len(actual) else float("nan")


def _over(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else float("nan")


def seasonal_scales(history: pd.DataFrame, origin: date, *, season: int = 7, lag: int | None = None) -> pd.DataFrame:
    """Each series' in-sample scale as of `origin`: mean |y[t] - y[t-lag]| and its square; the lag is the season's.

    Returns:
        `series_id`, `absolute_scale`, `square_scale`; NaN for a series no longer than the lag.
    """
    panel = Panel.of(history, origin, season, whole=True)
    lag = season if lag is None else lag
    step = panel.values[:, lag:] - panel.values[:, :-lag] if panel.last >= lag else panel.values[:, :0]
    inside = np.arange(step.shape[1])[None, :] >= panel.first[:, None]
    count = inside.sum(axis=1)
    known = np.where(count > 0, count, np.nan)
    return pd.DataFrame(
        {
            SERIES: panel.series,
            "absolute_scale": (np.abs(step) * inside).sum(axis=1) / known,
            "square_scale": (step**2 * inside).sum(axis=1) / known,
        }
    )


def evaluate(
    forecasts: pd.DataFrame,
    actuals: pd.DataFrame,
    *,
    season: int = 7,
    by: Sequence[str] = ("model",),
    known_through: date | None = None,
    lag: int | None = None,
) -> pd.DataFrame:
    """Judge forecasts whose target period has come true.

    Args:
        forecasts: forecast frame; further columns (a segment, say) may be grouped by.
        actuals: history frame that also reaches back before the origins, for the scales of MASE and RMSSE.
        season: the season of those scales.
        by: columns to group by. With `model` among them the forecasts in force are judged as model `selected` too.
        known_through: last period whose actuals are complete (default: the latest in `actuals`). Within it a period
            without a row had no demand.
        lag: the periods back of those scales where it is not the season, as on weeks of less than two years.

    Returns:
        One row per group: `rows`, `actual`, `wape`, `bias`, `mase`, `rmsse`, `wql` and `coverage_<level>` per level.
    """
    judged = with_actuals(forecasts, actuals, season=season, known_through=known_through, lag=lag)
    if "model" in by:
        in_force = judged[judged[IS_SELECTED]].assign(model=SELECTED)
        judged = pd.concat([judged, in_force], ignore_index=True)
    levels = quantile_levels(forecasts)
    keys = list(by)
    scores = [
        dict(zip(keys, key, strict=True)) | _scores(rows, levels) for key, rows in judged.groupby(keys, sort=True)
    ]
    return pd.DataFrame(scores)


def with_actuals(
    forecasts: pd.DataFrame,
    actuals: pd.DataFrame,
    *,
    season: int = 7,
    known_through: date | None = None,
    lag: int | None = None,
) -> pd.DataFrame:
    """The forecasts that have come true, with `actual`, `absolute_scale` and `square_scale`.

    Of periods in which stock ran out none has: sales say only what demand was at least.
    """
    dates = pd.to_datetime(actuals[DATE]).astype("datetime64[s]")
    latest = pd.Timestamp(known_through) if known_through is not None else dates.max()
    due = forecasts[forecasts[DATE] <= latest]
    flags = [IS_CENSORED] if IS_CENSORED in actuals.columns else []
    known = actuals[[SERIES, QUANTITY, *flags]].assign(**{DATE: dates}).rename(columns={QUANTITY: "actual"})
    judged = due.merge(known, on=[SERIES, DATE], how="left", validate="many_to_one")
    if flags:
        judged = judged[judged[IS_CENSORED].ne(True)].drop(columns=flags)
    scales = [
        seasonal_scales(actuals, origin.date(), season=season, lag=lag).assign(origin=origin)
        for origin in pd.DatetimeIndex(due["origin"].unique())
    ]
    if scales:
        judged = judged.merge(pd.concat(scales), on=[SERIES, "origin"], how="left", validate="many_to_one")
    return judged.assign(actual=judged["actual"].fillna(0.0).astype("float64"))


def _scores(rows: pd.DataFrame, levels: list[float]) -> dict[str, float]:
    actual, mean = rows["actual"].to_numpy(), rows["mean"].to_numpy()
    scaled = rows["absolute_scale"].notna().to_numpy()
    scores = {
        "rows": len(rows),
        "actual": actual.sum(),
        "wape": wape(mean, actual),
        "bias": bias(mean, actual),
        "mase": mase(mean[scaled], actual[scaled], rows["absolute_scale"].to_numpy()[scaled]),
        "rmsse": rmsse(mean[scaled], actual[scaled], rows["square_scale"].to_numpy()[scaled]),
    }
    quantiles = rows[[quantile_column(level) for level in levels]].to_numpy()
    scores["wql"] = weighted_quantile_loss(quantiles, actual, levels)
    named = {f"coverage_{level:g}": coverage(quantiles[:, index], actual) for index, level in enumerate(levels)}
    return scores | named
