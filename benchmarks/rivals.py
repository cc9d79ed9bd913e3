"""Forecasts by other libraries, in a virtual environment of their own because their pins are not ours.

What runs there imports nothing of the product: `measure` calls it with that environment's Python. Each function reads
a panel (`series_id`, `date`, `quantity`, static attributes as text) and writes forecasts as the engine's frames have
them, so that one judge serves all.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import environments
from benchmarks.measure import Watch

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

# The newest that were tried together; wheels only.
PACKAGES = ("statsforecast==2.0.3", "lightgbm==4.7.0", "pandas<3", "pyarrow")
QUANTILES = (0.1, 0.5, 0.9)
FREQUENCIES = {7: "D", 52: "7D", 12: "MS"}
WINDOWS = {7: (1, 7, 14, 28, 56, 91, 182), 52: (1, 2, 4, 8, 13, 26), 12: (1, 2, 3, 6, 12, 24)}
SPACING = {7: 14, 52: 2, 12: 1}
MOST_ORIGINS = 26
ROUNDS = 100


def environment(folder: Path) -> tuple[Path | None, str]:
    """The Python of the rivals' environment, or None and why it cannot be had."""
    return environments.environment(folder, PACKAGES, "import lightgbm, statsforecast", "--only-binary", ":all:")


def statsforecast(
    watch: Watch,
    *,
    panel: str,
    out: str,
    model: str,
    origins: list[str],
    horizon: int,
    season: int,
    largest: int | None = None,
) -> None:
    """AutoETS or CrostonSBA for each series by itself; AutoETS tells quantiles, under a normal error.

    AutoETS is asked for a season where it can have one: it ignores those longer than 24 periods. A series too short
    for it (it raises) is forecast by its last value. `largest`: only so many series, those with most demand by the
    first origin.
    """
    import pandas as pd
    from statsforecast import StatsForecast
    from statsforecast.models import AutoETS, CrostonSBA, Naive

    history = _read(panel)
    if largest is not None:
        before = history[history["date"] <= origins[0]].groupby("series_id")["quantity"].sum()
        kept = before.sort_values(ascending=False, kind="stable").index[:largest]
        history = history[history["series_id"].isin(kept)]
    models = {"AutoETS": AutoETS(season_length=season if season <= 24 else 1), "CrostonSBA": CrostonSBA()}
    chosen = models[model]
    told = []
    for origin in map(pd.Timestamp, origins):
        dense = _dense(history[history["date"] <= origin], origin, season)
        asked = StatsForecast(models=[chosen], freq=FREQUENCIES[season], n_jobs=1, fallback_model=Naive())
        with watch(model):
            made = asked.forecast(df=dense, h=horizon, **({"level": [80]} if model == "AutoETS" else {}))
        columns = {"unique_id": "series_id", "ds": "date", f"{model}-lo-80": "q0.1", f"{model}-hi-80": "q0.9"}
        made = made.reset_index(drop="unique_id" in made.columns).rename(columns=columns)
        made = made.assign(mean=made[model])
        if model == "AutoETS":
            limits = {name: made[name].fillna(made["mean"]) for name in ("q0.1", "q0.9")}
            made = made.assign(**limits, **{"q0.5": made["mean"]})
        told.append(_stepped(made, origin, horizon).assign(model=model))
    _write(pd.concat(told), out)


def lightgbm(watch: Watch, *, panel: str, out: str, origins: list[str], horizon: int, season: int) -> None:
    """One LightGBM for all series and horizons, as it is commonly set up: lags, rolling means, calendar, attributes.

    Direct: rows are a series at a past origin with a random target. A Poisson loss for the mean, and a model of its own
    for every quantile. The model is learnt anew at each origin.
    """
    import numpy as np
    import pandas as pd

    history = _read(panel)
    static = [name for name in history.columns if name not in ("series_id", "date", "quantity")]
    told = []
    for origin in map(pd.Timestamp, origins):
        known = history[history["date"] <= origin]
        with watch("LightGBM"):
            wide = known.pivot_table(index="series_id", columns="date", values="quantity", observed=True)
            wide = wide.reindex(columns=pd.date_range(known["date"].min(), origin, freq=FREQUENCIES[season]))
            days = pd.date_range(wide.columns[0], periods=wide.shape[1] + horizon, freq=FREQUENCIES[season])
            codes = known.groupby("series_id", observed=True)[static].last().reindex(wide.index)
            groups = np.column_stack([np.zeros(len(wide)), *(pd.factorize(codes[name])[0] for name in static)])
            started = wide.notna().to_numpy().argmax(axis=1)
            made = _boosted(wide.fillna(0.0).to_numpy(), started, groups, days, horizon, season)
        steps = np.arange(1, horizon + 1)
        rows = pd.DataFrame({"series_id": np.repeat(wide.index.to_numpy(), horizon), "step": np.tile(steps, len(wide))})
        told.append(_stepped(rows.assign(**made), origin, horizon, season).assign(model="LightGBM"))
    _write(pd.concat(told), out)


def _boosted(
    values: "np.ndarray",
    started: "np.ndarray",
    groups: "np.ndarray",
    days: "pd.DatetimeIndex",
    horizon: int,
    season: int,
) -> "dict[str, np.ndarray]":
    import lightgbm
    import numpy as np

    rng = np.random.default_rng(0)
    last = values.shape[1] - 1
    parts, targets = [], []
    for at in range(last - 1, min(2 * season, 8), -SPACING[season]):
        if len(parts) == MOST_ORIGINS:
            break
        alive = np.flatnonzero(started <= at)
        steps = rng.integers(1, min(horizon, last - at) + 1, len(alive))
        parts.append(_features(values, alive, at, steps, groups, days, season))
        targets.append(values[alive, at + steps])
    rows, target = np.concatenate(parts), np.concatenate(targets)
    ahead = np.repeat(np.arange(len(values)), horizon), np.tile(np.arange(1, horizon + 1), len(values))
    asked = _features(values, ahead[0], last, ahead[1], groups, days, season)
    told = {}
    objectives: dict[str, dict[str, Any]] = {"mean": {"objective": "poisson"}}
    objectives |= {f"q{level:g}": {"objective": "quantile", "alpha": level} for level in QUANTILES}
    settings = {"seed": 0, "num_threads": 1, "verbose": -1, "deterministic": True, "force_row_wise": True}
    categorical = list(range(rows.shape[1] - groups.shape[1], rows.shape[1]))
    for name, objective in objectives.items():
        data = lightgbm.Dataset(rows, target, categorical_feature=categorical, params={"verbose": -1})
        fitted = lightgbm.train(settings | objective, data, num_boost_round=ROUNDS)
        told[name] = np.maximum(fitted.predict(asked, num_threads=1), 0)
    return told


def _features(
    values: "np.ndarray",
    series: "np.ndarray",
    at: int,
    steps: "np.ndarray",
    groups: "np.ndarray",
    days: "pd.DatetimeIndex",
    season: int,
) -> "np.ndarray":
    import numpy as np

    columns = [values[series, max(at - width + 1, 0) : at + 1].mean(axis=1) for width in WINDOWS[season]]
    columns.append((values[series, max(at - WINDOWS[season][-2] + 1, 0) : at + 1] > 0).mean(axis=1))
    target = at + steps
    for seasons in (0, 1):
        phase = target - season * (-(-steps // season) + seasons)
        columns.append(np.where(phase >= 0, values[series, np.maximum(phase, 0)], np.nan))
    dated = days[target]
    return np.column_stack([*columns, steps, dated.dayofweek, dated.day, dated.month, groups[series]])


def _read(panel: str) -> "pd.DataFrame":
    import pandas as pd

    history = pd.read_parquet(panel)
    return history.assign(series_id=history["series_id"].astype(str), date=history["date"].astype("datetime64[ns]"))


def _dense(history: "pd.DataFrame", origin: "pd.Timestamp", season: int) -> "pd.DataFrame":
    """One row for every period from each series' first to the origin: a period without a row had no demand."""
    import pandas as pd

    wide = history.pivot_table(index="date", columns="series_id", values="quantity", observed=True)
    wide = wide.reindex(pd.date_range(history["date"].min(), origin, freq=FREQUENCIES[season]))
    begun = wide.notna().cummax()
    long = (
        wide.fillna(0.0).where(begun).rename_axis("ds").reset_index().melt("ds", var_name="unique_id", value_name="y")
    )
    return long.dropna()[["unique_id", "ds", "y"]].sort_values(["unique_id", "ds"], ignore_index=True)


def _stepped(made: "pd.DataFrame", origin: "pd.Timestamp", horizon: int, season: int | None = None) -> "pd.DataFrame":
    """Forecasts with their origin, horizon and date, none below zero."""
    import numpy as np
    import pandas as pd

    if season is not None:
        dates = pd.date_range(origin, periods=horizon + 1, freq=FREQUENCIES[season])[1:]
        made = made.assign(date=dates.to_numpy()[made["step"].to_numpy() - 1])
    made = made.sort_values(["series_id", "date"], ignore_index=True)
    kept: list[Any] = ["mean", *(name for name in ("q0.1", "q0.5", "q0.9") if name in made.columns)]
    made[kept] = made[kept].clip(lower=0.0)
    return made.assign(origin=origin, horizon=np.tile(np.arange(1, horizon + 1), len(made) // horizon))


def _write(told: "pd.DataFrame", out: str) -> None:
    kept = [name for name in ("series_id", "origin", "date", "horizon", "model", "mean") if name in told.columns]
    quantiles = [f"q{level:g}" for level in QUANTILES if f"q{level:g}" in told.columns]
    told[kept + quantiles].assign(is_selected=False).to_parquet(out, index=False)
