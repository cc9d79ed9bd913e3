"""The tables of grades as data: what each column of them means. How they are computed is said in `grades`."""

from pipelines.modelling.tables import MlTable

OWNER = "team:demand-planning"
AS_OF = {"as_of": ("DATE NOT NULL", "Day from whose knowledge the grade was given.")}
MODEL = {"model": ("VARCHAR NOT NULL", "Model graded; `selected` is what stood at the time, whichever model made it.")}
LAG = {"horizon_days": ("INTEGER NOT NULL", "Days from the forecast to its target: the lag.")}
ABC = {"abc": ("VARCHAR NOT NULL", "A: series with the first 80 % of the last year's volume, B: up to 95 %, C.")}
XYZ = {"xyz": ("VARCHAR NOT NULL", "X, Y, Z: steady to irregular, by the coefficient of variation (0.5 and 1).")}
DEMAND_CLASS = {
    "demand_class": ("VARCHAR NOT NULL", "smooth, erratic, intermittent, lumpy (Syntetos-Boylan), new or dead.")
}
SEGMENT = ABC | XYZ | DEMAND_CLASS
SUMS = {
    "n": ("BIGINT NOT NULL", "Forecasts graded."),
    "out_of_stock_count": (
        "BIGINT NOT NULL",
        "Forecasts that are due, not graded: stock ran out on their day, and sales say only what demand was at least.",
    ),
    "actual_quantity": ("DECIMAL(38,6) NOT NULL", "Demand that came true, units."),
    "forecast_quantity": ("DECIMAL(38,6) NOT NULL", "Mean forecasts, units."),
    "abs_error_quantity": ("DECIMAL(38,6) NOT NULL", "Sum of absolute errors of the mean forecasts, units."),
    "square_error": ("DECIMAL(38,4) NOT NULL", "Sum of squared errors of the mean forecasts, units squared."),
    "pinball_quantity": ("DECIMAL(38,6) NOT NULL", "Quantile losses of P10, P50 and P90, summed, units."),
    **{
        f"{place}_{quantile}_count": ("BIGINT NOT NULL", f"Targets {told} {quantile.upper()}.{reading}")
        for quantile, reading in (
            ("p10", " Calibrated: a tenth of n lies between the two counts; of sparse demand much lies on P10 itself."),
            ("p50", " Calibrated: half of n lies between the two counts."),
            ("p90", " Calibrated: nine tenths of n lie between the two counts."),
        )
        for place, told in (("below", "below"), ("up_to", "below or on"))
    },
    "inside_interval_count": ("BIGINT NOT NULL", "Targets from P10 to P90, both included."),
    "scaled_abs_error_quantity": ("DECIMAL(38,6) NOT NULL", "Absolute errors of the series that have a scale, units."),
    "abs_scale_quantity": (
        "DECIMAL(38,6) NOT NULL",
        "For the same rows: mean absolute difference to the week before, in the history before the graded days.",
    ),
    "scaled_square_error": ("DECIMAL(38,4) NOT NULL", "Squared errors of the series that have a scale."),
    "square_scale": ("DECIMAL(38,4) NOT NULL", "For the same rows: mean squared difference to the week before."),
}
RATIOS = {
    "wape": ("DOUBLE", "Sum of absolute errors over demand; null without demand."),
    "bias": ("DOUBLE", "Forecast minus demand, over demand; above zero is too much."),
    "mase": ("DOUBLE", "Absolute errors over their scale: below 1 is better than last week's value was in-sample."),
    "rmsse": ("DOUBLE", "Root of squared errors over their scale."),
    "weighted_quantile_loss": ("DOUBLE", "Twice the mean quantile loss of P10, P50 and P90, over demand."),
    "interval_coverage": ("DOUBLE", "Share of targets between P10 and P90; 0.8 is nominal."),
}
PAIRED = {
    "naive_abs_error_quantity": ("DECIMAL(38,6) NOT NULL", "Absolute errors of seasonal_naive on the same targets."),
}

FORECAST_ACCURACY = MlTable(
    "forecast_accuracy",
    "One row per as-of day, model, horizon and segment: forecasts of the last 28 target days against demand as known, "
    "days on which stock ran out counted apart. Sums add up over horizons and segments; ratios are of this row.",
    AS_OF | MODEL | LAG | SEGMENT | SUMS | RATIOS,
    deps=("ml.demand_forecasts",),
    owner=OWNER,
)
FORECAST_VALUE_ADDED = MlTable(
    "forecast_value_added",
    "One row per as-of day, model, horizon and segment: what the model adds to seasonal_naive, on the rows that both "
    "forecast from the same day for the same day.",
    AS_OF
    | MODEL
    | LAG
    | SEGMENT
    | {
        "n": ("BIGINT NOT NULL", "Forecasts that both made."),
        "actual_quantity": ("DECIMAL(38,6) NOT NULL", "Demand that came true, units."),
        "abs_error_quantity": ("DECIMAL(38,6) NOT NULL", "Absolute errors of the model, units."),
    }
    | PAIRED
    | {
        "pinball_quantity": ("DECIMAL(38,6) NOT NULL", "Quantile losses of the model, units."),
        "naive_pinball_quantity": ("DECIMAL(38,6) NOT NULL", "Quantile losses of seasonal_naive, units."),
        "forecast_value_added": ("DOUBLE", "WAPE of seasonal_naive less WAPE of the model; above zero is better."),
        "skill": ("DOUBLE", "1 - absolute errors over those of seasonal_naive; null where that made none."),
        "quantile_skill": ("DOUBLE", "1 - quantile losses over those of seasonal_naive; null where that had none."),
    },
    deps=("ml.demand_forecasts",),
    owner=OWNER,
)
FORECAST_TRACKING = MlTable(
    "forecast_tracking",
    "One row per as-of day, model and horizon: the tracking signal of total demand over the last 28 target days.",
    AS_OF
    | MODEL
    | LAG
    | {
        "days": ("BIGINT NOT NULL", "Target days graded."),
        "error_quantity": ("DECIMAL(38,6) NOT NULL", "Forecast minus demand of all series, cumulated over the days."),
        "abs_error_quantity": ("DECIMAL(38,6) NOT NULL", "Absolute errors of the daily totals, summed."),
        "mad_quantity": ("DECIMAL(38,6) NOT NULL", "Mean absolute error of a daily total."),
        "tracking_signal": ("DOUBLE", "Cumulated error over mad_quantity; within 4 on either side is in control."),
    },
    deps=("ml.demand_forecasts",),
    owner=OWNER,
)
FORECAST_ACCURACY_SERIES = MlTable(
    "forecast_accuracy_series",
    "One row per month, product and channel, as of the month's newest as-of day: grades of the forecasts that stood, "
    "all horizons together.",
    AS_OF
    | {
        "month_start_on": ("DATE NOT NULL", "First day of the month whose newest as-of day this is."),
        "product_id": ("VARCHAR NOT NULL", "Product."),
        "channel_id": ("VARCHAR NOT NULL", "Sales channel."),
    }
    | SEGMENT
    | SUMS
    | RATIOS
    | PAIRED
    | {
        "forecast_value_added": ("DOUBLE", "WAPE of seasonal_naive less WAPE of the forecast, same targets."),
        "tracked_days": ("BIGINT NOT NULL", "Target days that were forecast 7 days ahead."),
        "tracking_signal": (
            "DOUBLE",
            "Cumulated error over mean absolute error, of the forecasts made 7 days ahead; null without an error.",
        ),
    },
    deps=("ml.demand_forecasts",),
    owner=OWNER,
)
