"""Rows of the models' tables that pass every rule, and a defect for each rule; SQL, a day at a time.

A defect is planted in a day of its own (`{day}`) and must be caught by its rule alone.
"""

from dataclasses import dataclass
from datetime import date

import duckdb


@dataclass(frozen=True)
class Defect:
    table: str
    rule: str
    sql: str
    observed: str = "rows 1"
    is_blocking: bool = True

    def __str__(self) -> str:
        return f"{self.table}-{self.rule}-{self.observed}"


# Each statement makes the rows of one table and day.
ROWS = (
    """
    insert into ml.demand_forecasts
    select day, day + h, h, p, 'web', model, 2, 1, 2, 3, model = 'trees', day
    from (select date '{day}' as day), unnest([1, 2]) as t(h), unnest(['a', 'b']) as s(p),
        unnest(['trees', 'seasonal_naive']) as m(model)
    """,
    """
    insert into ml.forecast_accuracy
    select '{day}', model, 1, 'A', 'X', 'smooth',
        10, 0, 20, 21, 5, 9, 4, 1, 2, 4, 6, 8, 9, 8, 5, 10, 9, 18, 0.25, 0.05, 0.5, 0.7, 0.1, 0.8
    from unnest(['selected', 'seasonal_naive']) as m(model)
    """,
    """
    insert into ml.forecast_value_added
    values ('{day}', 'selected', 1, 'A', 'X', 'smooth', 10, 20, 5, 8, 4, 6, 0.15, 0.375, 0.33)
    """,
    "insert into ml.forecast_tracking values ('{day}', 'selected', 7, 28, -10, 56, 2, -5)",
    """
    insert into ml.forecast_accuracy_series
    select '{day}', date_trunc('month', date '{day}'), p, 'web', 'A', 'X', 'smooth',
        10, 0, 20, 21, 5, 9, 4, 1, 2, 4, 6, 8, 9, 8, 5, 10, 9, 18, 0.25, 0.05, 0.5, 0.7, 0.1, 0.8, 6, 0.05, 10, 2
    from unnest(['a', 'b']) as s(p)
    """,
    """
    insert into ml.model_registry
    values ('{day}', 'demand_forecasts', 'm', '{day}', 'd', 100, 'c', '{{}}', '{{}}', 1, '{{}}')
    """,
    """
    insert into ml.drift values
        ('{day}', 'total', null, null, null, 364, 20, 30, 0.3, date '{day}' - 9, 'up', true),
        ('{day}', 'series', 'a', 'web', null, 364, 20, 20, 0.1, null, null, false)
    """,
    """
    insert into ml.unconstrained_demand values
        ('{day}', date_trunc('month', date '{day}'), '{day}', 'a', 'w', 2, 3.5, true),
        ('{day}', date_trunc('month', date '{day}'), '{day}', 'b', 'w', 2, 2, false)
    """,
)


def fill_ml(connection: duckdb.DuckDBPyConnection, day: date) -> None:
    """The rows of every table of the models as of one day."""
    for statement in ROWS:
        connection.execute(statement.format(day=day))


def _impossible(table: str, where: str) -> list[Defect]:
    parts = {
        "interval 1": "inside_interval_count = 11",
        "bias 1": "forecast_quantity = 26",
        "abs_error_quantity 1": "abs_error_quantity = -1, forecast_quantity = actual_quantity",
        "n 1": "n = 0, out_of_stock_count = 0, inside_interval_count = 0, below_p10_count = up_to_p90_count",
        **{f"{name} 1": f"{name} = 'inf'" for name in ("wape", "bias", "mase", "rmsse", "weighted_quantile_loss")},
    }
    return [
        Defect(table, "grades_possible", f"update {table} set {change} where as_of = '{{day}}' and {where}", observed)
        for observed, change in parts.items()
    ]


def _of_day(table: str, rule: str, change: str, observed: str) -> Defect:
    return Defect(table, rule, f"update {table} set {change} where as_of = '{{day}}'", observed)


def _doubled(table: str, rule: str, observed: str = "1") -> Defect:
    return Defect(table, rule, f"insert into {table} from {table} where as_of = '{{day}}'", observed)


REGISTRY, DRIFT, BEHIND = "ml.model_registry", "ml.drift", "ml.unconstrained_demand"
ADDED, TRACKING, SERIES = "ml.forecast_value_added", "ml.forecast_tracking", "ml.forecast_accuracy_series"
OF_DAY = "as_of = '{day}' and product_id = 'a' and horizon_days = 1"
ML_DEFECTS = [
    *(
        Defect(
            "ml.demand_forecasts",
            "values_finite",
            f"update ml.demand_forecasts set {name} = {value} where {OF_DAY} and is_selected",
            f"{name} 1",
        )
        for name, value in (("mean", "'nan'"), ("mean", "'inf'"), ("p90", "'inf'"))
    ),
    Defect(
        "ml.demand_forecasts",
        "values_not_negative",
        f"update ml.demand_forecasts set p10 = -1 where {OF_DAY} and is_selected",
        "p10 1",
    ),
    Defect(
        "ml.demand_forecasts",
        "values_not_negative",
        f"update ml.demand_forecasts set mean = -1 where {OF_DAY} and is_selected",
        "mean 1",
    ),
    Defect(
        "ml.demand_forecasts",
        "quantiles_in_order",
        f"update ml.demand_forecasts set p50 = 4 where {OF_DAY} and is_selected",
        "rows 1",
    ),
    Defect(
        "ml.demand_forecasts",
        "quantiles_in_order",
        f"update ml.demand_forecasts set p10 = 2.5 where {OF_DAY} and is_selected",
        "rows 1",
    ),
    Defect(
        "ml.demand_forecasts",
        "targets_after_as_of",
        "update ml.demand_forecasts set target_on = target_on + 1 "
        "where as_of = '{day}' and product_id = 'a' and horizon_days = 2",
        "rows 2",
    ),
    Defect(
        "ml.demand_forecasts",
        "trained_on_the_past",
        f"update ml.demand_forecasts set trained_on = as_of + 1 where {OF_DAY} and is_selected",
        "rows 1",
    ),
    Defect(
        "ml.demand_forecasts",
        "one_selected",
        f"update ml.demand_forecasts set is_selected = true where {OF_DAY}",
        "rows 1",
    ),
    Defect(
        "ml.demand_forecasts",
        "one_selected",
        f"update ml.demand_forecasts set is_selected = false where {OF_DAY}",
        "rows 1",
    ),
    Defect(
        "ml.demand_forecasts",
        "models_once",
        f"insert into ml.demand_forecasts from ml.demand_forecasts where {OF_DAY} and not is_selected",
        "rows 1",
    ),
    Defect("ml.demand_forecasts", "horizon_complete", f"delete from ml.demand_forecasts where {OF_DAY}", "1"),
    Defect(
        "ml.demand_forecasts",
        "vintage_not_empty",
        "delete from ml.demand_forecasts where as_of = '{day}'",
        "0, which must not be below 1",
    ),
    *_impossible("ml.forecast_accuracy", "model = 'selected'"),
    _doubled("ml.forecast_accuracy", "graded_once", "2"),
    Defect(
        "ml.forecast_accuracy",
        "not_worse_than_naive",
        "update ml.forecast_accuracy set abs_error_quantity = 6 where as_of = '{day}' and model = 'selected'",
        "5, which must not be below 6",
        is_blocking=False,
    ),
    _of_day(ADDED, "pairs_possible", "n = 0", "n 1"),
    _of_day(ADDED, "pairs_possible", "naive_abs_error_quantity = -1", "errors 1"),
    _of_day(ADDED, "pairs_possible", "pinball_quantity = -1", "losses 1"),
    _of_day(ADDED, "pairs_possible", "skill = 1.01", "skill 1"),
    _doubled(ADDED, "compared_once"),
    _of_day(TRACKING, "signal_possible", "days = 29", "days 1"),
    _of_day(TRACKING, "signal_possible", "error_quantity = -57", "error 1"),
    _of_day(TRACKING, "signal_possible", "tracking_signal = 29", "signal 1"),
    _doubled(TRACKING, "tracked_once"),
    *_impossible(SERIES, "product_id = 'a'"),
    _doubled(SERIES, "series_once", "2"),
    Defect(REGISTRY, "vintage_has_its_model", f"delete from {REGISTRY} where as_of = '{{day}}'"),
    _of_day(REGISTRY, "vintage_has_its_model", "trained_on = trained_on - 1", "rows 1"),
    _of_day(REGISTRY, "model_learnt_from_the_past", "data_rows = 0", "data_rows 1"),
    Defect(
        REGISTRY,
        "registered_once",
        f"insert into {REGISTRY} select * replace ('other' as purpose) from {REGISTRY} where as_of = '{{day}}'; "
        f"insert into {REGISTRY} from {REGISTRY} where as_of = '{{day}}' and purpose = 'other'",
        "1",
    ),
    _of_day(BEHIND, "demand_possible", "demand_quantity = sales_quantity - is_censored::int", "less than sales 1"),
    _of_day(BEHIND, "demand_possible", "demand_quantity = 3.5", "not censored 1"),
    _of_day(BEHIND, "demand_possible", "demand_on = as_of + 1", "to come 2"),
    _doubled(BEHIND, "demand_once", "2"),
    _of_day(DRIFT, "measures_possible", "psi = 'inf'", "psi 2"),
    _of_day(DRIFT, "measures_possible", "current_daily_quantity = -1", "quantity 2"),
    _of_day(DRIFT, "measures_possible", "direction = null", "change 1"),
    _of_day(DRIFT, "measures_possible", "is_alarm = changed_on is null", "alarm 1"),
    _doubled(DRIFT, "watched_once", "2"),
    _of_day(SERIES, "month_of_its_day", "month_start_on = month_start_on - interval 1 month", "rows 2"),
]
