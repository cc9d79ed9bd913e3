"""Grades of the vintages, as of each day: forecasts whose targets have come true, against demand as known then."""

from datetime import date
from typing import ClassVar

from pipelines.modelling.context import Context
from pipelines.modelling.tables import MlTable

# Grades cover the targets of this many days up to the as-of day: four whole weeks.
GRADED_DAYS = 28

FORECAST_ACCURACY = MlTable(
    "forecast_accuracy",
    "One row per as-of day, model and horizon: forecasts of the last 28 target days against demand as known.",
    {
        "as_of": ("DATE NOT NULL", "Day from whose knowledge the grade was given."),
        "model": ("VARCHAR NOT NULL", "Model graded; `selected` is what stood at the time, whichever model made it."),
        "horizon_days": ("INTEGER NOT NULL", "Days from the forecast to its target."),
        "n": ("BIGINT NOT NULL", "Forecasts graded."),
        "actual_quantity": ("DOUBLE NOT NULL", "Demand that came true, units."),
        "forecast_quantity": ("DOUBLE NOT NULL", "Mean forecasts, units."),
        "abs_error_quantity": ("DOUBLE NOT NULL", "Sum of absolute errors of the mean forecasts, units."),
        "inside_interval_count": ("BIGINT NOT NULL", "Targets between P10 and P90."),
        "wape": ("DOUBLE", "Sum of absolute errors over demand; null without demand."),
        "bias": ("DOUBLE", "Forecast minus demand, over demand; above zero is too much."),
        "interval_coverage": ("DOUBLE", "Share of targets between P10 and P90; 0.8 is nominal."),
    },
    deps=("ml.demand_forecasts",),
    owner="team:demand-planning",
)

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


class ForecastGrades:
    """Grades the vintages of earlier days."""

    tables: ClassVar[tuple[MlTable, ...]] = (FORECAST_ACCURACY,)

    def __init__(self, context: Context) -> None:
        self._context = context

    def write(self, day: date) -> None:
        """Grade the forecasts whose targets have come true as known on the day.

        Targets after the last business day with known demand are left for a later day: orders of the newest day may
        arrive with the next delivery, and grading against their absence would call every forecast too high.
        """
        last_known = self._know_actuals(day)
        connection = self._context.connection
        connection.execute("delete from ml.forecast_accuracy where as_of = ?", [day])
        connection.execute(GRADE, {"as_of": day, "days": GRADED_DAYS, "last_known": last_known})

    def _know_actuals(self, day: date) -> date | None:
        """Fill the temporary table `actuals` as known on the day; return the last business day with demand."""
        assert self._context.demand
        connection = self._context.connection
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
        return known[0] if known else None
