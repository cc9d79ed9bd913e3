"""The engine from the command line, on Parquet panels: the one place here that touches files.

python -m models_ml backtest --panel panel.parquet --horizon 28 --origins 3 --season 7 --quantiles 0.1,0.5,0.9 \
    --out forecasts.parquet
python -m models_ml evaluate --forecasts forecasts.parquet --panel panel.parquet --out scores.parquet
"""

from datetime import date
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import typer

from models_ml import engine, metrics
from models_ml.frames import DATE, KNOWN_AHEAD, SERIES
from models_ml.periods import cadence_of, period_dates

app = typer.Typer(add_completion=False, help=__doc__, no_args_is_help=True)

Panel = Annotated[
    Path, typer.Option(help="Parquet with series_id, date, quantity, known-ahead columns and static attributes.")
]
Season = Annotated[int, typer.Option(help="7 for days, 52 for weeks, 12 for months.")]


def rolling_origins(last: date, *, horizon: int, count: int, season: int) -> list[date]:
    """The last `count` origins, a horizon apart, whose whole horizon has come true by `last`; the earliest first."""
    back = -horizon * np.arange(count, 0, -1)
    return [day.item() for day in period_dates(back, last, cadence_of(season))]


def read_panel(path: Path) -> pd.DataFrame:
    """A panel with its text as categories: ids repeat for every period, and millions of them would fill the memory."""
    schema = pq.read_schema(path)
    texts = [field.name for field in schema if field.type in (pa.string(), pa.large_string())]
    panel: pd.DataFrame = pq.read_table(path, read_dictionary=texts).to_pandas()
    return panel


def _known_ahead_of(history: pd.DataFrame) -> pd.DataFrame | None:
    names = [name for name in KNOWN_AHEAD if name in history.columns]
    return history[[SERIES, DATE, *names]] if names else None


@app.command()
def backtest(
    panel: Panel,
    out: Annotated[Path, typer.Option(help="Parquet to write the forecasts to.")],
    horizon: Annotated[int, typer.Option(help="Periods to forecast.")] = 28,
    origins: Annotated[int, typer.Option(help="Rolling origins, a horizon apart.")] = 3,
    season: Season = 7,
    quantiles: Annotated[str, typer.Option(help="Levels between 0 and 1, with commas.")] = "0.1,0.5,0.9",
    seed: Annotated[int, typer.Option(help="Seed of all drawing.")] = 0,
    country: Annotated[str | None, typer.Option(help="ISO code, for public holidays.")] = None,
    known_ahead: Annotated[
        Path | None, typer.Option(help="Parquet of series_id, date, price, promotion, holiday.")
    ] = None,
    every_model: Annotated[bool, typer.Option(help="Every model's forecasts, or those in force.")] = True,
) -> None:
    """Forecast from past origins as if each were the present.

    Price, promotion and holiday within the panel count as known ahead: each origin sees them past it, for the horizon.
    """
    history = read_panel(panel)
    ahead = pd.read_parquet(known_ahead) if known_ahead is not None else _known_ahead_of(history)
    last = pd.to_datetime(history[DATE]).max().date()
    forecasts = engine.backtest(
        history,
        rolling_origins(last, horizon=horizon, count=origins, season=season),
        horizon=horizon,
        season=season,
        quantiles=[float(level) for level in quantiles.split(",")],
        seed=seed,
        country=country,
        known_ahead=ahead,
        every_model=every_model,
    )
    forecasts.to_parquet(out, index=False)
    series, days = forecasts[SERIES].nunique(), forecasts["origin"].nunique()
    typer.echo(f"{len(forecasts)} forecasts of {series} series from {days} origins in {out}")


@app.command()
def evaluate(
    forecasts: Annotated[Path, typer.Option(help="Parquet that backtest wrote.")],
    panel: Panel,
    season: Season = 7,
    out: Annotated[Path | None, typer.Option(help="Parquet to write the scores to.")] = None,
) -> None:
    """Judge forecasts against what came true: one row per model, and one for those in force."""
    scores = metrics.evaluate(pd.read_parquet(forecasts), read_panel(panel), season=season)
    if out is not None:
        scores.to_parquet(out, index=False)
    typer.echo(scores.round(4).to_string(index=False))


if __name__ == "__main__":
    app(prog_name="python -m models_ml")
