"""Pictures for the metadata that Dagster shows, as Markdown with the image inside: no file, no server."""

import base64
import io
from datetime import date

import pandas as pd

from pipelines.resources import Warehouse

SHOWN_DAYS = 56

ACTUALS = """
    select ordered_on as day, sum(quantity_delta)::double as units
    from intermediate.int_demand_daily_deltas
    where known_on <= $as_of and ordered_on > $as_of - $days and ordered_on <= $as_of
    group by day order by day
"""
FORECASTS = """
    select target_on as day, sum(mean) as mean, sum(p50) as p50
    from ml.demand_forecasts where as_of = $as_of and is_selected group by day order by day
"""
# What stood a week before each day: the forecasts that plans were made on.
WEEK_AHEAD = """
    select target_on as day, sum(mean) as mean
    from ml.demand_forecasts
    where is_selected and horizon_days = 7 and target_on > $as_of - $days and target_on <= $as_of
    group by day order by day
"""


def forecast_against_actuals(warehouse: Warehouse, as_of: date) -> str | None:
    """Demand of all series: actuals, what was forecast a week ahead, and the newest forecast; None without any."""
    with warehouse.read() as connection:
        span = {"as_of": as_of, "days": SHOWN_DAYS}
        actuals = connection.execute(ACTUALS, span).df()
        week_ahead = connection.execute(WEEK_AHEAD, span).df()
        forecasts = connection.execute(FORECASTS, {"as_of": as_of}).df()
    if forecasts.empty:
        return None
    return _drawn(actuals, week_ahead, forecasts, as_of)


def _drawn(actuals: pd.DataFrame, week_ahead: pd.DataFrame, forecasts: pd.DataFrame, as_of: date) -> str:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    axes.plot(actuals["day"], actuals["units"], color="#444444", linewidth=1.4, label="demand")
    if len(week_ahead):
        axes.plot(week_ahead["day"], week_ahead["mean"], color="#c65d21", linewidth=1.2, label="forecast 7 days ahead")
    axes.plot(forecasts["day"], forecasts["mean"], color="#1f6f8b", linewidth=1.6, label=f"forecast as of {as_of}")
    axes.set_ylabel("units per day")
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title("Demand of all products and channels", loc="left", fontsize=9)
    axes.legend(frameon=False, fontsize=8, loc="lower right", bbox_to_anchor=(1, 1), ncols=3, borderaxespad=0.2)
    figure.autofmt_xdate(rotation=0, ha="center")
    image = io.BytesIO()
    figure.savefig(image, format="png")
    return f"![demand forecast against actuals](data:image/png;base64,{base64.b64encode(image.getvalue()).decode()})"
