"""Pictures of forecasts, for the metadata that Dagster shows and for the report page: each is one `data:` address.

What is drawn is read from the warehouse as of a day; what it means is said where the tables are declared.
"""

import base64
import io
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import duckdb
import pandas as pd

from pipelines.resources import Warehouse

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN_DAYS = 56
SHOWN_SERIES = 10
# Inches; the margins are those left, right, below and above the axes, with room for labels, title and legend.
HEIGHT = 3.2
MARGINS = (0.85, 0.4, 0.45, 0.35)
DEMAND, WEEK_BEFORE, FORECAST = "#444444", "#c65d21", "#1f6f8b"

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

# The series with the highest value of demand in the last quarter, as known then.
LARGEST = """
    create or replace temp table shown as
    select
        product_id, channel_id,
        row_number() over (order by sum(net_amount_delta) desc, product_id, channel_id) as rank
    from intermediate.int_demand_daily_deltas
    where known_on <= $as_of and ordered_on > $as_of - 91 and ordered_on <= $as_of
        and (product_id, channel_id) in (select (product_id, channel_id) from ml.demand_forecasts where as_of = $as_of)
    group by product_id, channel_id
    qualify rank <= $series
"""
SERIES_ACTUALS = """
    with days as (
        select unnest(generate_series($as_of - $days + 1, $as_of, interval 1 day))::date as day
    ), sold as (
        select product_id, channel_id, ordered_on as day, sum(quantity_delta)::double as units
        from intermediate.int_demand_daily_deltas where known_on <= $as_of group by all
    )
    select rank, product_id, channel_id, day, coalesce(units, 0) as units
    from (from shown cross join days) left join sold using (product_id, channel_id, day) order by rank, day
"""
SERIES_FORECASTS = """
    select rank, target_on as day, mean, p10, p50, p90
    from ml.demand_forecasts join shown using (product_id, channel_id)
    where as_of = $as_of and is_selected order by rank, day
"""
SERIES_WEEK_AHEAD = """
    select rank, target_on as day, mean
    from ml.demand_forecasts join shown using (product_id, channel_id)
    where is_selected and horizon_days = 7 and target_on > $as_of - $days and target_on <= $as_of order by rank, day
"""
BY_LAG = """
    select model, horizon_days, sum(abs_error_quantity)::double / nullif(sum(actual_quantity)::double, 0) as wape,
        sum(inside_interval_count)::double / nullif(sum(n)::double, 0) as coverage
    from ml.forecast_accuracy
    where as_of = $as_of and model in ('selected', 'seasonal_naive') group by all order by all
"""
# Of sparse demand much lies on a quantile of whole units: right is between the share below it and the share up to it.
CALIBRATION = """
    with summed as (
        select
            sum(n)::double as n, [sum(below_p10_count), sum(below_p50_count), sum(below_p90_count)] as below,
            [sum(up_to_p10_count), sum(up_to_p50_count), sum(up_to_p90_count)] as up_to
        from ml.forecast_accuracy where as_of = $as_of and model = 'selected' having sum(n) > 0
    )
    select
        unnest([0.1, 0.5, 0.9]) as level, n, unnest(below)::double / n as below, unnest(up_to)::double / n as up_to
    from summed order by level
"""
BY_SEGMENT = """
    select abc || ' ' || demand_class as segment,
        sum(naive_abs_error_quantity - abs_error_quantity)::double / sum(actual_quantity)::double as value_added
    from ml.forecast_value_added
    where as_of = $as_of and model = 'selected' group by all having sum(actual_quantity) > 0 order by segment desc
"""


@dataclass(frozen=True)
class ForecastPictures:
    """Pictures of one as-of day, by their title; each a `data:` address.

    Attributes:
        fans: the newest forecast against demand, of the series with the highest value.
        accuracy: errors and coverage by horizon, and calibration; none before anything was graded.
        value_added: what is added to the naive forecast, by segment.
    """

    fans: dict[str, str]
    accuracy: dict[str, str]
    value_added: dict[str, str]


def forecast_pictures(warehouse: Warehouse, as_of: date) -> ForecastPictures:
    """The pictures of a day; without forecasts or grades the parts are empty."""
    with warehouse.read() as connection:
        fans = _fans(connection, as_of)
        lags = connection.execute(BY_LAG, {"as_of": as_of}).df()
        segments = connection.execute(BY_SEGMENT, {"as_of": as_of}).df()
        levels = calibration(connection, as_of)
    accuracy = {}
    if len(lags):
        within = "Share of demand within P10 to P90, by days ahead; 0.8 is right, of few whole units more"
        accuracy = {
            "Error by days ahead (WAPE)": _by_lag(lags, "wape", None),
            within: _by_lag(lags, "coverage", 0.8),
        }
    if len(levels):
        accuracy["Calibration: share of demand below and up to P10, P50 and P90; right is between"] = _levels(levels)
    added = (
        {"Forecast value added to seasonal naive (WAPE points), by segment": _bars(segments)} if len(segments) else {}
    )
    return ForecastPictures(fans, accuracy, added)


def calibration(connection: duckdb.DuckDBPyConnection, as_of: date) -> pd.DataFrame:
    """How much of the demand of the graded days fell below each quantile in force, and up to it.

    Returns:
        level, n, below, up_to: a row per nominal level, shares 0 to 1; no row where no forecast has come true.
    """
    return connection.execute(CALIBRATION, {"as_of": as_of}).df()


def as_markdown(pictures: dict[str, str]) -> str:
    """Pictures below each other, as Dagster shows them; a word where there are none."""
    return "\n\n".join(f"![{title}]({address})" for title, address in pictures.items()) or "none yet"


def _fans(connection: duckdb.DuckDBPyConnection, as_of: date) -> dict[str, str]:
    span = {"as_of": as_of, "days": SHOWN_DAYS}
    connection.execute(LARGEST, {"as_of": as_of, "series": SHOWN_SERIES})
    actuals = connection.execute(SERIES_ACTUALS, span).df()
    forecasts = connection.execute(SERIES_FORECASTS, {"as_of": as_of}).df()
    week_ahead = connection.execute(SERIES_WEEK_AHEAD, span).df()
    found = {}
    for (rank, product, channel), known in actuals.groupby(["rank", "product_id", "channel_id"], sort=True):
        ahead, fan = (frame[frame["rank"] == rank] for frame in (week_ahead, forecasts))
        found[f"{product} in {channel}"] = _fan(known, ahead, fan, f"{rank}. {product} in {channel}")
    return found


def _fan(known: pd.DataFrame, week_ahead: pd.DataFrame, forecasts: pd.DataFrame, title: str) -> str:
    figure, axes = _canvas(title)
    axes.plot(known["day"], known["units"], color=DEMAND, linewidth=1.2, label="demand")
    if len(week_ahead):
        axes.plot(week_ahead["day"], week_ahead["mean"], color=WEEK_BEFORE, linewidth=1, ls="--", label="7 days ahead")
    axes.fill_between(
        forecasts["day"], forecasts["p10"], forecasts["p90"], color=FORECAST, alpha=0.2, label="P10 to P90"
    )
    axes.plot(forecasts["day"], forecasts["mean"], color=FORECAST, linewidth=1.5, label="forecast")
    axes.set_ylabel("units per day")
    return _finished(figure, axes)


def _by_lag(lags: pd.DataFrame, column: str, right: float | None) -> str:
    figure, axes = _canvas("")
    for model, color in (("selected", FORECAST), ("seasonal_naive", WEEK_BEFORE)):
        of_model = lags[lags["model"] == model]
        axes.plot(of_model["horizon_days"], of_model[column], color=color, marker=".", label=model.replace("_", " "))
    if right is not None:
        axes.axhline(right, color=DEMAND, linewidth=0.8, ls=":")
    axes.set_xlabel("days ahead")
    return _finished(figure, axes, is_dated=False)


def _levels(levels: pd.DataFrame) -> str:
    figure, axes = _canvas("")
    axes.plot([0, 1], [0, 1], color=DEMAND, linewidth=0.8, ls=":", label="right")
    axes.vlines(
        levels["level"],
        levels["below"],
        levels["up_to"],
        color=FORECAST,
        linewidth=6,
        label="below to at or below",
    )
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xlabel("probability that was told")
    axes.set_ylabel("share that came true")
    return _finished(figure, axes, is_dated=False)


def _bars(segments: pd.DataFrame) -> str:
    figure, axes = _canvas("", has_names=True)
    colors = [FORECAST if value >= 0 else WEEK_BEFORE for value in segments["value_added"]]
    axes.barh(segments["segment"], segments["value_added"], color=colors)
    axes.axvline(0, color=DEMAND, linewidth=0.8)
    return _finished(figure, axes, is_dated=False, has_legend=False)


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
    figure, axes = _canvas("Demand of all products and channels", width=9.0)
    axes.plot(actuals["day"], actuals["units"], color=DEMAND, linewidth=1.4, label="demand")
    if len(week_ahead):
        axes.plot(
            week_ahead["day"], week_ahead["mean"], color=WEEK_BEFORE, linewidth=1.2, label="forecast 7 days ahead"
        )
    axes.plot(forecasts["day"], forecasts["mean"], color=FORECAST, linewidth=1.6, label=f"forecast as of {as_of}")
    axes.set_ylabel("units per day")
    return f"![demand forecast against actuals]({_finished(figure, axes)})"


def _canvas(title: str, width: float = 7.0, *, has_names: bool = False) -> "tuple[Figure, Axes]":
    """An empty picture; `has_names` where names of any length stand left of the axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, HEIGHT), dpi=110, layout="constrained" if has_names else None)
    if not has_names:
        # To measure all texts and fit the margins to them takes two fifths of the drawing.
        left, right, bottom, top = MARGINS
        figure.subplots_adjust(left / width, bottom / HEIGHT, 1 - right / width, 1 - top / HEIGHT)
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontsize=9)
    return figure, axes


def _finished(figure: "Figure", axes: "Axes", *, is_dated: bool = True, has_legend: bool = True) -> str:
    """The picture as a `data:` address, with what all of them share."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    if has_legend:
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False, fontsize=8, loc="lower right", bbox_to_anchor=(1, 1), ncols=4, borderaxespad=0.2)
    if is_dated:
        figure.autofmt_xdate(rotation=0, ha="center")
    image = io.BytesIO()
    figure.savefig(image, format="png")
    return f"data:image/png;base64,{base64.b64encode(image.getvalue()).decode()}"
