"""What must hold of the tables that `pipelines.modelling` writes, as data: forecasts, their grades, and the rest."""

from pipelines.quality.measures import PARTITION, forecast_targets, vintages
from pipelines.quality.rules import Rule, Suite, at_least, at_most, none_where

# Doubles of the size of sales may differ by this in their last digits.
ROUNDING = "1e-6 * greatest(1, sales_quantity)"
RATIOS = ("wape", "bias", "mase", "rmsse", "weighted_quantile_loss")


def _grades_possible(*ratios: str) -> Rule:
    return none_where(
        "grades_possible",
        {
            "n": "n < 0 or out_of_stock_count < 0 or n + out_of_stock_count < 1",
            "abs_error_quantity": "abs_error_quantity < 0",
            "bias": "abs(forecast_quantity - actual_quantity) > abs_error_quantity",
            "interval": "inside_interval_count not between 0 and n "
            "or inside_interval_count <> up_to_p90_count - below_p10_count",
        }
        | {name: f"not isfinite({name})" for name in ratios},
        "Errors are finite and at least as large as the bias, and no more targets are inside than there are.",
    )


def _once(name: str, key: str, reason: str) -> Rule:
    return at_most(name, f"count(*) - count(distinct ({key}))", 0, reason)


ML = (
    Suite(
        "ml.demand_forecasts",
        "ml",
        "ml.demand_forecasts",
        "as_of",
        (
            none_where(
                "values_finite",
                {name: f"{name} is null or not isfinite({name})" for name in ("mean", "p10", "p50", "p90")},
                "NaN or infinity in a plan spreads to every sum over it.",
            ),
            none_where(
                "values_not_negative",
                {name: f"{name} < 0" for name in ("mean", "p10", "p50", "p90")},
                "Demand is never below zero.",
            ),
            none_where("quantiles_in_order", "p10 > p50 or p50 > p90", "P10, P50 and P90 are quantiles of one demand."),
            none_where(
                "targets_after_as_of",
                "horizon_days < 1 or target_on <> as_of + horizon_days",
                "A forecast is of a day to come, as many days ahead as it says.",
            ),
            none_where("trained_on_the_past", "trained_on > as_of", "A model that saw later days knows the answers."),
        ),
    ),
    Suite(
        "ml.demand_forecasts",
        "ml",
        forecast_targets(),
        "as_of",
        (
            none_where(
                "one_selected", "selected_models <> 1", "Exactly one model's forecast stands per series and day."
            ),
            none_where("models_once", "rows_here <> models", "A model forecasts a series and day once."),
            at_most(
                "horizon_complete",
                "abs(count(*) - count(distinct (product_id, channel_id)) * max(horizon_days))",
                0,
                "Every series is forecast for every day of the horizon; a sum over a week would miss some.",
            ),
        ),
    ),
    Suite(
        "ml.demand_forecasts",
        "ml",
        vintages(),
        PARTITION,
        (
            at_least(
                "vintage_not_empty",
                "any_value(members)",
                "if(any_value(members_before) > 0 and any_value(has_sold), 1, 0)",
                "The vintage before has forecasts and demand goes on, this one has none.",
            ),
            at_least(
                "series_kept",
                "any_value(members)",
                "any_value(members_before / 2)",
                "More than half of the series of the vintage before are gone.",
                "warning",
            ),
        ),
    ),
    Suite(
        "ml.forecast_accuracy",
        "ml",
        "ml.forecast_accuracy",
        "as_of",
        (
            _grades_possible(*RATIOS),
            _once(
                "graded_once",
                "model, horizon_days, abc, xyz, demand_class",
                "A model has one grade per horizon and segment; two count its errors twice.",
            ),
            at_least(
                "not_worse_than_naive",
                "if(sum(n) filter (where model = 'seasonal_naive') = sum(n) filter (where model = 'selected'), "
                "sum(abs_error_quantity) filter (where model = 'seasonal_naive'), null)",
                "sum(abs_error_quantity) filter (where model = 'selected')",
                "Over the last four weeks the seasonal-naive forecasts were better than those that were chosen.",
                "warning",
            ),
        ),
    ),
    Suite(
        "ml.forecast_value_added",
        "ml",
        "ml.forecast_value_added",
        "as_of",
        (
            none_where(
                "pairs_possible",
                {
                    "n": "n < 1",
                    "errors": "abs_error_quantity < 0 or naive_abs_error_quantity < 0",
                    "losses": "pinball_quantity < 0 or naive_pinball_quantity < 0",
                    "skill": "skill > 1 or quantile_skill > 1",
                },
                "Both forecast every row that is compared; errors are no less than zero, and skill no more than one.",
            ),
            _once(
                "compared_once",
                "model, horizon_days, abc, xyz, demand_class",
                "A model is compared once per horizon and segment.",
            ),
        ),
    ),
    Suite(
        "ml.forecast_tracking",
        "ml",
        "ml.forecast_tracking",
        "as_of",
        (
            none_where(
                "signal_possible",
                {
                    "days": "days not between 1 and 28",
                    "error": "abs(error_quantity) > abs_error_quantity",
                    "signal": "abs(tracking_signal) > days + 0.001",
                },
                "A cumulated error is no larger than the sum of its parts, and its signal than the days it has.",
            ),
            _once("tracked_once", "model, horizon_days", "A model has one signal per horizon."),
        ),
    ),
    Suite(
        "ml.forecast_accuracy_series",
        "ml",
        "ml.forecast_accuracy_series",
        "as_of",
        (
            _grades_possible(*RATIOS),
            _once("series_once", "product_id, channel_id", "A series is graded once."),
            none_where(
                "month_of_its_day",
                "month_start_on <> date_trunc('month', as_of)",
                "A snapshot is of the month that its day lies in.",
            ),
        ),
    ),
    Suite(
        "ml.model_registry",
        "ml",
        """(
            select forecasts.as_of, forecasts.trained_on, r.model_id, r.trained_on as registered_on
            from (select distinct as_of, trained_on from ml.demand_forecasts where trained_on <= as_of) as forecasts
            left join (from ml.model_registry where purpose = 'demand_forecasts') as r using (as_of)
        )""",
        "as_of",
        (
            none_where(
                "vintage_has_its_model",
                "model_id is null or registered_on <> trained_on",
                "Nobody can say which model made the vintage, or make it again.",
            ),
        ),
    ),
    Suite(
        "ml.model_registry",
        "ml",
        "ml.model_registry",
        "as_of",
        (
            none_where(
                "model_learnt_from_the_past",
                {"trained_on": "trained_on > as_of", "data_rows": "data_rows < 1"},
                "A model learnt from some rows, and from none of a later day.",
            ),
            _once("registered_once", "purpose", "A day and purpose has one model."),
        ),
    ),
    Suite(
        "ml.unconstrained_demand",
        "ml",
        "ml.unconstrained_demand",
        "as_of",
        (
            none_where(
                "demand_possible",
                {
                    "less than sales": "not isfinite(demand_quantity) "
                    f"or demand_quantity < sales_quantity - {ROUNDING}",
                    "not censored": f"not is_censored and abs(demand_quantity - sales_quantity) > {ROUNDING}",
                    "to come": "demand_on > as_of",
                },
                "Demand is what was sold, or more where stock ran out.",
            ),
            _once("demand_once", "product_id, location_id, demand_on", "A day of a product and location is told once."),
        ),
    ),
    Suite(
        "ml.drift",
        "ml",
        "ml.drift",
        "as_of",
        (
            none_where(
                "measures_possible",
                {
                    "psi": "not isfinite(psi) or psi < 0",
                    "quantity": "reference_daily_quantity < 0 or current_daily_quantity < 0",
                    "change": "(changed_on is null) <> (direction is null) or changed_on > as_of",
                    "alarm": "is_alarm and psi <= 0.2 and changed_on is null",
                },
                "An index is finite and not below zero; a change has a day, a direction and a reason.",
            ),
            _once(
                "watched_once",
                "subject_type, coalesce(product_id, ''), coalesce(channel_id, ''), coalesce(category, '')",
                "Each thing is watched once a day.",
            ),
        ),
    ),
)
