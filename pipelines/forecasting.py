"""Demand forecasts as of each day, and their grades: from the warehouse to `models_ml` and back.

A vintage is what was forecast as of one day from what was known that day; every vintage is kept, and graded as its
targets come true. How demand is forecast is `models_ml`'s business; what demand is, the transforms'.
"""

from collections.abc import Callable, Sequence
from datetime import date

import duckdb
import pandas as pd
import pyarrow as pa

from models_ml import engine
from models_ml.frames import quantile_column
from pipelines.failpoints import reach
from pipelines.quality.versions import stamp_versions
from pipelines.resources import Warehouse
from pipelines.scope import close_scope, open_scope
from pipelines.settings import Settings
from pipelines.sources.profiles import Profile

QUANTILES = {"p10": 0.1, "p50": 0.5, "p90": 0.9}
# Forecasting looks this far back; older demand says nothing that two years do not.
HISTORY_DAYS = 731
# Grades cover the targets of this many days up to the as-of day: four whole weeks.
GRADED_DAYS = 28
# Between product and channel in a series id; no delivered value can hold it, control characters are refused.
SEPARATOR = "\x1f"

TABLES = {
    "demand_forecasts": """
        as_of DATE NOT NULL, target_on DATE NOT NULL, horizon_days INTEGER NOT NULL,
        product_id VARCHAR NOT NULL, channel_id VARCHAR NOT NULL, model VARCHAR NOT NULL,
        mean DOUBLE NOT NULL, p10 DOUBLE NOT NULL, p50 DOUBLE NOT NULL, p90 DOUBLE NOT NULL,
        is_selected BOOLEAN NOT NULL, trained_on DATE NOT NULL
    """,
    "forecast_accuracy": """
        as_of DATE NOT NULL, model VARCHAR NOT NULL, horizon_days INTEGER NOT NULL, n BIGINT NOT NULL,
        actual_quantity DOUBLE NOT NULL, forecast_quantity DOUBLE NOT NULL, abs_error_quantity DOUBLE NOT NULL,
        inside_interval_count BIGINT NOT NULL, wape DOUBLE, bias DOUBLE, interval_coverage DOUBLE
    """,
}
COMMENTS = {
    "demand_forecasts": {
        "": "One row per as-of day, target day, product, channel and model: the forecast from what was known then.",
        "as_of": "Day from whose knowledge the forecast was made.",
        "target_on": "Day the forecast is for.",
        "horizon_days": "Days from as_of to target_on.",
        "product_id": "Product.",
        "channel_id": "Sales channel.",
        "model": "Model that made the forecast; seasonal_naive is the baseline.",
        "mean": "Expected demand, units.",
        "p10": "Demand is below this with probability 0.1, units.",
        "p50": "Median demand, units.",
        "p90": "Demand is below this with probability 0.9, units.",
        "is_selected": "True for the one model whose forecast stands for this series and day.",
        "trained_on": "Day at whose end the model was fitted.",
    },
    "forecast_accuracy": {
        "": "One row per as-of day, model and horizon: forecasts of the last 28 target days against demand as known.",
        "as_of": "Day from whose knowledge the grade was given.",
        "model": "Model graded; `selected` is what stood at the time, whichever model made it.",
        "horizon_days": "Days from the forecast to its target.",
        "n": "Forecasts graded.",
        "actual_quantity": "Demand that came true, units.",
        "forecast_quantity": "Mean forecasts, units.",
        "abs_error_quantity": "Sum of absolute errors of the mean forecasts, units.",
        "inside_interval_count": "Targets between P10 and P90.",
        "wape": "Sum of absolute errors over demand; null without demand.",
        "bias": "Forecast minus demand, over demand; above zero is too much.",
        "interval_coverage": "Share of targets between P10 and P90; 0.8 is nominal.",
    },
}

# Sums are of decimals: the order of adding doubles would show in their last digits.
GRADE = """
    insert into ml.forecast_accuracy
    with graded as (
        select
            model, is_selected, horizon_days,
            coalesce(actuals.quantity, 0)::decimal(24, 6) as actual,
            mean::decimal(24, 6) as forecast,
            coalesce(actuals.quantity, 0) between p10 and p90 as is_inside
        from ml.demand_forecasts as forecasts
        left join actuals using (product_id, channel_id, target_on)
        where forecasts.target_on between $as_of - $days + 1 and $last_known and forecasts.as_of < $as_of
    ), named as (
        select * from graded
        union all by name
        select * replace ('selected' as model) from graded where is_selected
    )
    select
        $as_of, model, horizon_days, count(*), sum(actual), sum(forecast), sum(abs(forecast - actual)),
        count(*) filter (is_inside),
        sum(abs(forecast - actual)) / nullif(sum(actual), 0),
        sum(forecast - actual) / nullif(sum(actual), 0),
        count(*) filter (is_inside) / count(*)
    from named group by model, horizon_days
"""


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the forecast tables with their comments."""
    for table, columns in TABLES.items():
        connection.execute(f"create table if not exists ml.{table} ({columns})")
        for column, comment in COMMENTS[table].items():
            place = f"column ml.{table}.{column}" if column else f"table ml.{table}"
            connection.execute(f"comment on {place} is '{comment}'")


def forecast(
    settings: Settings,
    profile: Profile,
    warehouse: Warehouse,
    requested: Sequence[date],
    *,
    run_id: str,
    progress: Callable[[str, int, int], None],
) -> list[date]:
    """Write the vintages and grades of the requested days and of the stale ones; return the days written.

    Each day is one transaction: a crash leaves whole days, and the others stale for the next run.
    """
    with warehouse.write() as connection:
        prepare(connection)
        days = open_scope(connection, "ml", requested)
        forecaster = _Forecaster(connection, settings, profile, last=max(days, default=profile.starts_on))
        for done, day in enumerate(days):
            progress("forecast", done, len(days))
            vintage = forecaster.vintage(day)
            connection.begin()
            _write_vintage(connection, day, vintage)
            _grade(connection, day)
            stamp_versions(connection, [f"ml.{table}" for table in TABLES], [day], run_id)
            close_scope(connection, "ml", [day])
            reach("forecast.before_commit")
            connection.commit()
        progress("forecast", len(days), len(days))
    return days


class _Forecaster:
    """Reads demand once, fits once per training day, forecasts once per as-of day."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, settings: Settings, profile: Profile, *, last: date
    ) -> None:
        self._connection = connection
        self._settings = settings
        self._profile = profile
        self._models: dict[date, engine.Model] = {}
        connection.execute(
            """
            create or replace temp table demand as
            select product_id, channel_id, ordered_on, known_on, sum(quantity_delta) as quantity
            from intermediate.int_demand_daily_deltas
            where ordered_on <= $last and known_on <= $last
            group by all
            """,
            {"last": last},
        )

    def vintage(self, day: date) -> pd.DataFrame:
        """Forecasts as of the day, in the columns of ml.demand_forecasts; no rows while no demand is known."""
        trained_on = engine.training_origin(day, self._profile.starts_on)
        history = self.known_demand(day)
        if history.empty:
            return pd.DataFrame()
        forecasts = self._model(trained_on).forecast(history, day)
        product_ids, channel_ids = forecasts["series_id"].str.split(SEPARATOR, n=1, expand=True).to_numpy().T
        columns = {
            "as_of": day,
            "target_on": forecasts["date"].dt.date,
            "horizon_days": forecasts["horizon"],
            "product_id": product_ids,
            "channel_id": channel_ids,
            "model": forecasts["model"],
            "mean": forecasts["mean"],
        }
        columns |= {name: forecasts[quantile_column(level)] for name, level in QUANTILES.items()}
        return pd.DataFrame(columns | {"is_selected": forecasts["is_selected"], "trained_on": trained_on})

    def known_demand(self, day: date) -> pd.DataFrame:
        """Demand per series and business day as known at the end of `day`, with the attributes of the series.

        The frame is the engine's history frame. Beyond `forecast_series` series, those with the most demand in the last
        year are kept.
        """
        return self._connection.execute(
            """
            with known as (
                select
                    product_id || $separator || channel_id as series_id,
                    product_id,
                    channel_id,
                    ordered_on as date,
                    sum(quantity)::double as quantity
                from demand
                where known_on <= $day and ordered_on <= $day and ordered_on > $day - $history
                group by all
                having sum(quantity) > 0
            ), largest as (
                select series_id
                from known
                where date > $day - 365
                group by series_id
                order by sum(quantity) desc, series_id
                limit $series
            ), products as (
                select product_id, coalesce(category, '(none)') as category
                from intermediate.int_products_versioned
                where known_from <= $day and (known_to is null or known_to > $day)
            )
            select known.*, coalesce(products.category, '(unknown)') as category
            from known semi join largest using (series_id) left join products using (product_id)
            order by series_id, date
            """,
            {"separator": SEPARATOR, "day": day, "history": HISTORY_DAYS, "series": self._settings.forecast_series},
        ).df()

    def _model(self, trained_on: date) -> engine.Model:
        if trained_on not in self._models:
            self._models[trained_on] = engine.fit(
                self.known_demand(trained_on),
                origin=trained_on,
                horizon=self._settings.horizon_days,
                quantiles=tuple(QUANTILES.values()),
                seed=self._settings.seed,
                country=self._profile.country,
            )
        return self._models[trained_on]


def _write_vintage(connection: duckdb.DuckDBPyConnection, day: date, vintage: pd.DataFrame) -> None:
    connection.execute("delete from ml.demand_forecasts where as_of = ?", [day])
    if vintage.empty:
        return
    connection.register("vintage", pa.Table.from_pandas(vintage, preserve_index=False))
    connection.execute("insert into ml.demand_forecasts by name select * from vintage")
    connection.unregister("vintage")


def _grade(connection: duckdb.DuckDBPyConnection, day: date) -> None:
    """Grade the forecasts whose targets have come true as known on the day.

    Targets after the last business day with known demand are left for a later day: orders of the newest day may arrive
    with the next delivery, and grading against their absence would call every forecast too high.
    """
    connection.execute(
        """
        create or replace temp table actuals as
        select product_id, channel_id, ordered_on as target_on, sum(quantity)::double as quantity
        from demand
        where known_on <= $day and ordered_on between $day - $days + 1 and $day
        group by all
        """,
        {"day": day, "days": GRADED_DAYS},
    )
    known = connection.execute("select max(target_on) from actuals where quantity > 0").fetchone()
    connection.execute("delete from ml.forecast_accuracy where as_of = ?", [day])
    connection.execute(GRADE, {"as_of": day, "days": GRADED_DAYS, "last_known": known[0] if known else None})
