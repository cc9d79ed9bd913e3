"""What must hold at every stage, as data: the rules of marts and reports, beside `raw_suites` and `ml_suites`.

How a measure is taken from the warehouse is not said here (`measures`), nor who judges it (`gx`). What dbt can say of
its own models (unique keys, relationships, sums within a row) is a dbt test beside the model, not a rule here.
"""

from pipelines.quality.customer_suites import CUSTOMERS
from pipelines.quality.feedback_suites import FEEDBACK
from pipelines.quality.measures import (
    PARTITION,
    kpi_values,
    members,
    unreached,
    whole,
    with_record,
)
from pipelines.quality.ml_suites import ML
from pipelines.quality.raw_suites import raw_suites
from pipelines.quality.rules import Stage, Suite, at_least, none_where
from pipelines.sources.contracts import FEEDS, Contract, contract

# KPIs that are shares without having a confidence interval to say so.
SHARES = ("DAT-02", "FCS-05", "INV-04")


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
DECLARED: tuple[Suite, ...] = (*MARTS, *ML, *CUSTOMERS, *FEEDBACK, *REPORTS)
