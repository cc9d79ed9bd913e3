"""The forecasting engine on generated daily panels, beside seasonal naive, statsforecast and LightGBM.

Each runs in a process of its own that reads the same Parquet file. The engine is fitted and asked for four weeks and 17
quantiles; the others are asked for less: seasonal naive for its mean, LightGBM for three quantiles, AutoETS for an
interval and only for the first series, as it forecasts each by itself. All are judged by what the generator drew next.
"""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

from benchmarks import rivals
from benchmarks.measure import Cost, Measured, Watch, measure
from benchmarks.scales import Scale
from benchmarks.tables import Result, Row, Verdict, ratio, speed

ORIGIN = date(2025, 11, 30)
PERIODS, HORIZON, SEASON, SEED = 730, 28, 7, 5
# 17 quantiles, as the published comparisons of uncertainty ask for them.
QUANTILES = (
    0.005, 0.025, 0.05, 0.1, 0.165, 0.2, 0.25, 0.3, 0.5, 0.7, 0.75, 0.8, 0.835, 0.9, 0.95, 0.975, 0.995
)  # fmt: skip
# AutoETS takes a tenth of a second and more for each series.
LOCAL_SERIES = 200
LOCATIONS, CATEGORIES = 10, 12
WRITTEN_AT_ONCE = 1_000
NAIVE_FILE, ENGINE_FILE = "seasonal_naive.parquet", "engine.parquet"


def run(scale: Scale, work: Path) -> list[Result]:
    """All panels with the engine and seasonal naive; the smallest with the other libraries too."""
    rows: list[Row] = []
    verdicts: list[Verdict] = []
    home, logs = work / "forecasts", work / "logs"
    engines = []
    for series in scale.forecast_series:
        folder = home / str(series)
        folder.mkdir(parents=True, exist_ok=True)
        measure("forecasts:write_panel", logs / f"panel_{series}.log", folder=folder, series=series)
        naive = measure("forecasts:seasonal_naive", logs / f"naive_{series}.log", folder=folder)
        engine = measure("forecasts:engine", logs / f"engine_{series}.log", folder=folder)
        scores = measure("forecasts:judge", logs / f"judge_{series}.log", folder=folder).facts
        engines.append(engine)
        rows += _rows(series, engine, naive, scores)
        verdicts += _goals(series, engine, scores)
    python, why = rivals.environment(work.parent / "rivals")
    if python is None:
        rows.append(Row("statsforecast and LightGBM", amount=f"left out: their environment could not be made: {why}"))
    else:
        more_rows, more_verdicts = _beside_rivals(python, home / str(scale.forecast_series[0]), logs, engines[0])
        rows, verdicts = rows + more_rows, verdicts + more_verdicts
    return [Result("forecasts", "Forecasts of generated daily panels, four weeks and 17 quantiles", rows, verdicts)]


def _rows(series: int, engine: Measured, naive: Measured, scores: dict[str, Any]) -> list[Row]:
    spent = _whole(engine)
    parts = ", ".join(f"{name} {cost.cpu:.1f}" for name, cost in engine.costs.items())
    return [
        Row(
            f"{series:,} series: engine",
            spent,
            f"{series / spent.cpu:,.0f} series per CPU s ({parts}); peak {engine.peak_mb:,.0f} MB, of which "
            f"{engine.facts['panel_mb']:,.0f} MB to read the panel; {_accuracy(scores['selected'])}; "
            f"{_accuracy(scores['truth'])} at best",
        ),
        Row(
            f"{series:,} series: seasonal naive",
            _whole(naive),
            f"{series / _whole(naive).cpu:,.0f} series per CPU s; peak {naive.peak_mb:,.0f} MB; "
            f"{_accuracy(scores['seasonal_naive'])}; "
            f"calibrated by the engine WQL {scores['calibrated_naive']['wql']:.3f}",
        ),
    ]


def _goals(series: int, engine: Measured, scores: dict[str, Any]) -> list[Verdict]:
    told = f"{series:,} series"
    naive, calibrated, ours = scores["seasonal_naive"], scores["calibrated_naive"], scores["selected"]
    goals = [
        Verdict(f"{told}: WAPE of the engine / of seasonal naive", ours["wape"] / naive["wape"], 0.85),
        Verdict(f"{told}: WQL of the engine / of calibrated seasonal naive", ours["wql"] / calibrated["wql"], 0.95),
    ]
    if series >= 10_000:
        goals.append(Verdict(f"{told}: CPU seconds per 10,000 series", 1e4 * _whole(engine).cpu / series, 20, unit="s"))
    if series >= 30_000:
        goals.append(Verdict(f"{told}: peak memory of the engine", engine.peak_mb, 3_000, unit="MB"))
    return goals


def _beside_rivals(python: Path, folder: Path, logs: Path, whole: Measured) -> tuple[list[Row], list[Verdict]]:
    """LightGBM on the whole panel, which took the engine `whole`; AutoETS and CrostonSBA on its first series."""
    local = folder / "local"
    local.mkdir(exist_ok=True)
    count = measure("forecasts:first_series", logs / "local.log", folder=folder, out=local).facts["series"]
    engine = measure("forecasts:engine", logs / "engine_local.log", folder=local)
    measure("forecasts:seasonal_naive", logs / "naive_local.log", folder=local)
    asked = {"origins": [ORIGIN.isoformat()], "horizon": HORIZON, "season": SEASON}
    runs: dict[str, tuple[Path, Measured]] = {}
    for model in ("AutoETS", "CrostonSBA", "LightGBM"):
        home, named = (folder, {}) if model == "LightGBM" else (local, {"model": model})
        function = "rivals:lightgbm" if model == "LightGBM" else "rivals:statsforecast"
        told = {"panel": home / "panel.parquet", "out": home / f"{model}.parquet"}
        runs[model] = home, measure(function, logs / f"{model}.log", python=python, **told, **asked, **named)
    scores = {
        home: measure("forecasts:judge", logs / f"judge_{home.name}.log", folder=home).facts for home in (folder, local)
    }
    rows, verdicts = [], []
    for model, (home, measured) in runs.items():
        spent, ours = measured.costs[model], scores[home]["selected"]
        size = count if home == local else whole.facts["series"]
        beside = f"; the engine on the same {_accuracy(ours)}; {_accuracy(scores[home]['truth'])} at best"
        what = f"{size:,} series: {model}"
        rows.append(
            Row(what, spent, f"{size / spent.cpu:,.0f} series per CPU s; {_accuracy(scores[home][model])}{beside}")
        )
        asked_for = 0.90 if model == "AutoETS" else 1.0
        verdicts.append(
            Verdict(
                f"{size:,} series: WAPE of the engine / of {model}",
                ours["wape"] / scores[home][model]["wape"],
                asked_for,
            )
        )
        cost = _whole(engine if home == local else whole)
        if model == "AutoETS":
            verdicts.append(speed(f"{what}: its time / the engine's", cost, spent, 15))
        elif model == "LightGBM":
            verdicts.append(ratio(f"{size:,} series: the engine's time / {model}'s", cost, spent, 2))
    return rows, verdicts


def _whole(measured: Measured) -> Cost:
    return sum(measured.costs.values(), Cost(0, 0))


def _accuracy(scores: dict[str, Any]) -> str:
    told = f"WAPE {scores['wape']:.3f}, bias {scores['bias']:+.3f}"
    return told if scores["wql"] is None else f"{told}, WQL {scores['wql']:.3f}"


def write_panel(watch: Watch, *, folder: str, series: int) -> None:
    """A panel of products at locations, in `panel.parquet`, and what came after the origin, in `after.parquet`.

    Levels are log-normal, so that most series are intermittent; a category has its week and its year; a twentieth of
    the series shifts its level; demand is negative binomial. Beside what came stand the mean and the quantiles that it
    was drawn from: no forecast can know more.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq
    from scipy.stats import nbinom

    rng = np.random.default_rng(SEED)
    week = rng.dirichlet(np.full(7, 8.0), CATEGORIES) * 7
    height, peak = rng.uniform(0.0, 0.5, CATEGORIES), rng.uniform(0, 365, CATEGORIES)
    days = np.arange(PERIODS + HORIZON)
    dates = np.datetime64(ORIGIN + timedelta(days=1) - timedelta(days=PERIODS), "s") + days * np.timedelta64(
        86_400, "s"
    )
    names = [f"p{each // LOCATIONS:05d}|l{each % LOCATIONS}" for each in range(series)]
    category = np.arange(series) // LOCATIONS % CATEGORIES
    texts = {
        "series_id": (np.arange(series), pa.array(names)),
        "category": (category, pa.array([f"c{each:02d}" for each in range(CATEGORIES)])),
        "location": (np.arange(series) % LOCATIONS, pa.array([f"l{each}" for each in range(LOCATIONS)])),
    }
    paths = [Path(folder) / "panel.parquet", Path(folder) / "after.parquet"]
    schema = pa.schema(
        [
            *((name, pa.dictionary(pa.int32(), pa.string())) for name in texts),
            ("date", pa.timestamp("s")),
            ("quantity", pa.float64()),
        ]
    )
    truth = {"mean": pa.float64(), **{f"q{level:g}": pa.float64() for level in rivals.QUANTILES}}
    wider = pa.schema([*schema, *truth.items()])
    with pq.ParquetWriter(paths[0], schema) as past, pq.ParquetWriter(paths[1], wider) as future:
        for begin in range(0, series, WRITTEN_AT_ONCE):
            rows = np.arange(begin, min(begin + WRITTEN_AT_ONCE, series))
            kinds = category[rows]
            level = np.exp(rng.normal(0.0, 1.3, len(rows)))
            shifted = np.where(rng.random(len(rows)) < 0.05, np.exp(rng.normal(0, 0.7, len(rows))), 1.0)
            since = rng.integers(0, PERIODS, len(rows))
            mean = level[:, None] * week[kinds][:, days % 7]
            mean *= 1 + height[kinds][:, None] * np.cos(2 * np.pi * (days[None, :] - peak[kinds][:, None]) / 365.25)
            mean *= np.where(days[None, :] >= since[:, None], shifted[:, None], 1.0)
            demand = rng.poisson(mean * rng.gamma(2.0, 0.5, mean.shape)).astype(float)
            for writer, taken in ((past, slice(None, PERIODS)), (future, slice(PERIODS, None))):
                part = demand[:, taken]
                coded = [
                    pa.DictionaryArray.from_arrays(
                        pa.array(np.repeat(codes[rows], part.shape[1]).astype(np.int32)), values
                    )
                    for codes, values in texts.values()
                ]
                told = [pa.array(np.tile(dates[taken], len(rows))), pa.array(part.ravel())]
                if writer is future:
                    drawn_from = mean[:, taken].ravel()
                    told.append(pa.array(drawn_from))
                    # Poisson draws whose rate is gamma of shape 2 are negative binomial.
                    told += [pa.array(nbinom.ppf(level, 2, 2 / (2 + drawn_from))) for level in rivals.QUANTILES]
                writer.write_table(pa.Table.from_arrays([*coded, *told], schema=writer.schema))


def first_series(watch: Watch, *, folder: str, out: str) -> dict[str, int]:
    """Copy the first `LOCAL_SERIES` of a panel."""
    import pandas as pd

    for name in ("panel.parquet", "after.parquet"):
        rows = pd.read_parquet(Path(folder) / name)
        taken = rows[rows["series_id"].cat.codes < LOCAL_SERIES]
        taken.assign(series_id=taken["series_id"].cat.remove_unused_categories()).to_parquet(
            Path(out) / name, index=False
        )
    return {"series": taken["series_id"].nunique()}


def engine(watch: Watch, *, folder: str) -> dict[str, Any]:
    """Read, fit, forecast; `panel_mb` is the peak before fitting."""
    import resource

    from models_ml import engine as product
    from models_ml.__main__ import read_panel

    with watch("read"):
        history = read_panel(Path(folder) / "panel.parquet")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    with watch("fit"):
        model = product.fit(history, origin=ORIGIN, horizon=HORIZON, season=SEASON, quantiles=QUANTILES)
    with watch("forecast"):
        forecasts = model.forecast(history, ORIGIN)
    forecasts.to_parquet(Path(folder) / ENGINE_FILE, index=False)
    return {"panel_mb": peak, "series": int(history["series_id"].nunique())}


def seasonal_naive(watch: Watch, *, folder: str) -> None:
    """The mean of the same weekday last week, by the engine's own baseline: no library makes it for less."""
    import numpy as np
    import pandas as pd

    from models_ml.__main__ import read_panel
    from models_ml.baselines import seasonal_naive as naive
    from models_ml.features import Snapshot
    from models_ml.panel import Panel

    with watch("read"):
        history = read_panel(Path(folder) / "panel.parquet")
    with watch("forecast"):
        panel = Panel.of(history, ORIGIN, SEASON)
        mean = naive(Snapshot.at(panel, panel.last), HORIZON)
    steps = np.arange(1, HORIZON + 1)
    pd.DataFrame(
        {
            "series_id": np.repeat(panel.series, HORIZON),
            "origin": np.datetime64(ORIGIN, "s"),
            "date": np.tile(np.datetime64(ORIGIN, "s") + steps * np.timedelta64(86_400, "s"), len(mean)),
            "horizon": np.tile(steps, len(mean)),
            "model": "seasonal_naive",
            "mean": mean.ravel(),
            "is_selected": False,
        }
    ).to_parquet(Path(folder) / NAIVE_FILE, index=False)


def judge(watch: Watch, *, folder: str) -> dict[str, Any]:
    """WAPE, bias and WQL (over .1, .5 and .9, which all tell) of every forecast in the folder, by model.

    `truth` is the best there can be: the mean and the quantiles that demand was drawn from.
    """
    import pandas as pd

    after = pd.read_parquet(Path(folder) / "after.parquet").rename(columns={"quantity": "actual"})
    actual = after[["series_id", "date", "actual"]].astype({"series_id": str})
    scores = {"truth": _scores(after)}
    for file in sorted(Path(folder).glob("*.parquet")):
        if file.name in ("panel.parquet", "after.parquet"):
            continue
        told = pd.read_parquet(file).merge(actual, on=["series_id", "date"], validate="many_to_one")
        if file.name == ENGINE_FILE:
            scores["selected"] = _scores(told[told["is_selected"]])
            scores["calibrated_naive"] = _scores(told[told["model"] == "seasonal_naive"])
        else:
            scores[file.stem] = _scores(told)
    return scores


def _scores(told: Any) -> dict[str, float | None]:
    from models_ml import metrics

    actual, mean = told["actual"].to_numpy(), told["mean"].to_numpy()
    names = [f"q{level:g}" for level in rivals.QUANTILES]
    known = all(name in told.columns for name in names)
    loss = metrics.weighted_quantile_loss(told[names].to_numpy(), actual, rivals.QUANTILES) if known else None
    return {"wape": metrics.wape(mean, actual), "bias": metrics.bias(mean, actual), "wql": loss}
