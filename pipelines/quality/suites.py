"""What must hold at every stage, as data: the rules of marts, forecasts and reports, and those of raw (`raw_suites`).

How a measure is taken from the warehouse is not said here (`measures`), nor who judges it (`gx`). What dbt can say of
its own models (unique keys, relationships, sums within a row) is a dbt test beside the model, not a rule here.
"""

from pipelines.quality.feedback_suites import FEEDBACK
from pipelines.quality.measures import (
    PARTITION,
    forecast_targets,
    kpi_values,
    members,
    unreached,
    whole,
    with_record,
)
from pipelines.quality.raw_suites import raw_suites
from pipelines.quality.rules import Stage, Suite, at_least, at_most, none_where
from pipelines.sources.contracts import FEEDS, Contract, contract

# KPIs that are shares without having a confidence interval to say so.
SHARES = ("DAT-02", "FCS-05", "INV-04")
# Sums of floating-point errors may differ by this in their last digits.
ROUNDING = "1e-6 * greatest(1, abs_error_quantity)"


def suites(stage: Stage) -> tuple[Suite, ...]:
    """The suites of one stage, several of them for a table where one scan does not tell all."""
    if stage == "raw":
        return tuple(suite for feed in FEEDS for suite in raw_suites(feed))
    return tuple(suite for suite in DECLARED if suite.stage == stage)


def tables_of_stage(stage: Stage) -> list[str]:
    """The tables (schema.table) that the stage has rules for."""
    return list(dict.fromkeys(suite.asset for suite in suites(stage)))


def _fact(table: str, feed_name: str, figures: dict[str, str]) -> tuple[Suite, ...]:
    """A fact's slice of a delivery day against the raw records it comes from.

    Its keys, relationships and sums are tested by dbt; this is the look from outside, past all transforms.
    `figures` maps a column of the fact to the same figure in terms of the raw row `r`.
    """
    feed = contract(feed_name)
    fact = f"marts.{table}"
    differs = {name: f"record_file is not null and {name} is distinct from delivered_{name}" for name in figures}
    return (
        Suite(
            fact,
            "marts",
            with_record(fact, feed, figures),
            "known_from",
            (
                none_where(
                    "cites_its_record",
                    "record_file is null",
                    "Every row names the delivered record it was made of; without it nobody can trace the row.",
                ),
                none_where(
                    "figures_as_delivered",
                    differs,
                    "The row says what the record it names says; a transform changed a figure.",
                ),
            ),
        ),
        _complete(fact, feed, feed.key),
    )


def _dimension(table: str, feed_name: str) -> tuple[Suite, ...]:
    feed = contract(feed_name)
    dimension = f"marts.{table}"
    key = feed.key[0].removesuffix("_id") + "_key"
    unknown = whole(dimension, f"count(*) filter (where {key} = -1) as unknown_members")
    rule = none_where(
        "unknown_member_once",
        "unknown_members <> 1",
        "Facts that name no member point to the unknown member; a join would lose or double them without it.",
    )
    return (Suite(dimension, "marts", unknown, PARTITION, (rule,)), _complete(dimension, feed, feed.key))


def _complete(table: str, feed: Contract, key: tuple[str, ...]) -> Suite:
    rule = none_where(
        "records_reach_it",
        "true",
        "A record that was loaded and not withdrawn since is missing: a transform lost it.",
    )
    return Suite(table, "marts", unreached(table, feed, key), "_delivered_on", (rule,))


def _money(sql: str) -> str:
    return f"cast({sql} as decimal(18, 4))"


MARTS = (
    *_fact(
        "fct_order_lines",
        "order_lines",
        {
            "quantity": "r.quantity",
            "net_amount": _money("cast(r.quantity as decimal(28, 3)) * r.unit_price - coalesce(r.discount_amount, 0)"),
            "ordered_at": "r.ordered_at",
        },
    ),
    *_fact("fct_feedback", "feedback", {"score": "r.score", "submitted_at": "r.submitted_at"}),
    *_fact(
        "fct_purchase_order_lines",
        "purchase_order_lines",
        {
            "quantity_ordered": "r.quantity_ordered",
            "ordered_amount": _money("cast(r.quantity_ordered as decimal(28, 3)) * r.unit_price"),
            "quantity_received": "r.quantity_received",
            "quantity_rejected": "r.quantity_rejected",
        },
    ),
    *_fact(
        "fct_inventory_snapshot_daily",
        "inventory_levels",
        {"quantity_on_hand": "r.quantity_on_hand", "unit_cost": "r.unit_cost"},
    ),
    *_dimension("dim_products", "products"),
    *_dimension("dim_customers", "customers"),
    *_dimension("dim_suppliers", "suppliers"),
)

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
        members("ml.demand_forecasts", "(product_id, channel_id)"),
        PARTITION,
        (
            at_least(
                "vintage_not_empty",
                "any_value(members)",
                "if(any_value(members_before) > 0, 1, 0)",
                "The vintage before has forecasts, this one has none.",
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
            none_where(
                "grades_possible",
                {
                    "n": "n < 1",
                    "abs_error_quantity": "not isfinite(abs_error_quantity) or abs_error_quantity < 0",
                    "bias": f"abs(forecast_quantity - actual_quantity) > abs_error_quantity + {ROUNDING}",
                    "interval": "inside_interval_count not between 0 and n",
                },
                "Errors are finite and at least as large as the bias, and no more targets are inside than there are.",
            ),
            at_most(
                "graded_once",
                "count(*) - count(distinct (model, horizon_days))",
                0,
                "A model has one grade per horizon; two count its errors twice.",
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
)

REPORTS = (
    Suite(
        "reports.fct_kpi_values",
        "reports",
        kpi_values(),
        "as_of",
        (
            none_where("kpis_in_catalogue", "catalogue_id is null", "A KPI without a definition cannot be read."),
            none_where(
                "values_finite",
                {name: f"not isfinite({name})" for name in ("value", "ci_low", "ci_high")},
                "A division that went wrong shows as infinity or NaN; no value is null.",
            ),
            none_where(
                "shares_between_0_and_1",
                f"(interval_method = 'wilson' or kpi_id in {SHARES}) and value not between 0 and 1",
                "These KPIs are shares: what is counted is part of what it is counted against.",
            ),
            none_where(
                "interval_around_value",
                "ci_low > ci_high",
                "The lower end of a confidence interval is not above the upper one.",
            ),
            none_where(
                "periods_known", "period_end > as_of or period_start > period_end", "Periods end by the as-of day."
            ),
        ),
    ),
    Suite(
        "reports.fct_kpi_values",
        "reports",
        members("reports.fct_kpi_values", "kpi_id"),
        PARTITION,
        (
            at_least(
                "kpis_present",
                "any_value(members)",
                "if(any_value(members_before) > 0, 1, 0)",
                "The as-of day before has KPIs, this one has none.",
            ),
            at_least(
                "kpis_kept",
                "any_value(members)",
                "any_value(members_before)",
                "A KPI that the as-of day before had is gone.",
                "warning",
            ),
        ),
    ),
)
DECLARED: tuple[Suite, ...] = (*MARTS, *ML, *FEEDBACK, *REPORTS)
