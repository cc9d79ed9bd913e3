"""What goes with low scores, as of each day: answers joined to their orders, weighed by `models_ml.drivers`.

How an answer finds its order's facts is said here; how effects are estimated, there.
"""

from datetime import date
from typing import ClassVar

import numpy as np
import pandas as pd
import pyarrow as pa

from models_ml import drivers
from pipelines.modelling.context import Context
from pipelines.modelling.feedback import IS_LOW
from pipelines.modelling.tables import MlTable

# Answers of this many days up to the as-of day are weighed.
WINDOW_DAYS = 365
# Lateness counts day by day up to here; scales end, so more days cannot cost ever more points.
COUNTED_LATE_DAYS = 7
# A category or supplier needs this many answers to be weighed by name; the others are what it is compared with.
LEAST_MEMBERS = 30
MOST_MEMBERS = 12
# The row of all answers: how many there are and how many are low, also where they are too few to estimate anything.
EVERYBODY = "all_answers"
FACTS = (
    "days_late",
    "is_late_over_a_week",
    "is_not_received",
    "is_partial",
    "is_first_order",
    "has_discount",
    "order_value_doubled",
    "has_several_lines",
)

CX_DRIVERS = MlTable(
    "cx_drivers",
    "One row per as-of day, scale, model and driver: what goes with low scores of the last 365 days, other drivers "
    "held equal, and a row of all answers. Association, not cause.",
    {
        "as_of": ("DATE NOT NULL", "Day from whose knowledge the effects were estimated."),
        "scale": ("VARCHAR NOT NULL", "Scale of the scores; effects of different scales are not comparable."),
        "model": ("VARCHAR NOT NULL", "facts: all scored answers about a known order; topics: those with a text, too."),
        "driver_group": ("VARCHAR NOT NULL", "operations, order, category, supplier or topic; base for all answers."),
        "driver": (
            "VARCHAR NOT NULL",
            "Name of the fact, category:, supplier: or topic: and the member, or all_answers.",
        ),
        "n": ("BIGINT NOT NULL", "Answers weighed."),
        "low_count": ("BIGINT NOT NULL", "Of these with a low score: 0-6 of 10, 1-2 of 5, 1-3 of 7."),
        "with_driver_count": ("BIGINT NOT NULL", "Answers for which the driver is not 0."),
        "prevalence": ("DOUBLE NOT NULL", "Their share."),
        "odds_ratio": ("DOUBLE", "Odds of a low score per unit of the driver, over those without."),
        "odds_ratio_low": ("DOUBLE", "Lower bound of its 95 % interval."),
        "odds_ratio_high": ("DOUBLE", "Upper bound of its 95 % interval."),
        "effect_on_low_share": (
            "DOUBLE",
            "Average change of the share of low scores per unit, 0.1 is 10 points.",
        ),
        "effect_low": ("DOUBLE", "Lower bound of its 95 % interval."),
        "effect_high": ("DOUBLE", "Upper bound of its 95 % interval."),
        "effect_on_score": ("DOUBLE", "Points of the score per unit of the driver (linear regression)."),
        "score_effect_low": ("DOUBLE", "Lower bound of its 95 % interval."),
        "score_effect_high": ("DOUBLE", "Upper bound of its 95 % interval."),
        "low_score_share_explained": ("DOUBLE", "Share of all low scores not expected without the driver."),
        "is_significant": (
            "BOOLEAN NOT NULL",
            "True while at most 5 % of such findings are chance (Benjamini-Hochberg).",
        ),
        "priority": ("BIGINT", "1 for what explains most low scores; null unless significant and harmful."),
    },
    deps=("marts.fct_feedback", "marts.fct_order_lines", "marts.bridge_product_suppliers", "ml.feedback_topics"),
    owner="team:customer-care",
)

# Lines of orders that somebody answered about, and orders of the people who answered: read once a run.
LINES = """
    create or replace temp table answered_lines as
    select
        order_id, line_no, ordered_on, product_id, currency, promised_on, received_on, is_cancelled,
        net_amount, discount_amount, known_from, known_to
    from intermediate.int_order_lines_versioned
    where known_from <= $last and quantity > 0
        and order_id in (select order_id from intermediate.int_feedback_versioned)
"""
CUSTOMER_ORDERS = """
    create or replace temp table answerers_orders as
    select distinct customer_id, order_id, ordered_on, known_from, known_to
    from intermediate.int_order_lines_versioned
    where known_from <= $last and quantity > 0
        and customer_id in (select customer_id from intermediate.int_feedback_versioned)
"""
KNOWN = "known_from <= $day and (known_to is null or known_to > $day)"
# Lateness is that at the time of the answer: of a line not received by then, the days it was overdue. Where nothing in
# the company is ever marked as received, a missing receipt says nothing.
ANSWERS = f"""
    with receipts as (select count(received_on) > 0 as are_recorded from answered_lines),
    answers as (
        select feedback_id, known_from, scale, score, submitted_on, customer_id, order_id, product_id,
            {IS_LOW} as is_low
        from intermediate.int_feedback_versioned
        where {KNOWN} and submitted_on <= $day and submitted_on > $day - $days
            and score is not null and not is_score_off_scale and scale <> 'none' and order_id is not null
    ),
    products as (select product_id, category from intermediate.int_products_versioned where {KNOWN}),
    suppliers as (
        select product_id, min(supplier_id) as supplier_id
        from intermediate.int_supplier_products_versioned
        where {KNOWN}
        group by product_id
        having count(distinct supplier_id) = 1
    ),
    first_orders as (
        select customer_id, min(ordered_on) as first_ordered_on from answerers_orders where {KNOWN} group by customer_id
    ),
    lines as (
        select *, is_cancelled as is_void from answered_lines where {KNOWN}
    ),
    facts as (
        select
            answers.feedback_id,
            min(lines.ordered_on) as ordered_on,
            max(case
                when lines.is_void or lines.promised_on is null then 0
                when lines.received_on <= answers.submitted_on then lines.received_on - lines.promised_on
                when receipts.are_recorded then answers.submitted_on - lines.promised_on
                else 0
            end) as days_late,
            bool_and(coalesce(lines.received_on > answers.submitted_on, true)) and any_value(receipts.are_recorded)
                as is_not_received,
            count(*) filter (lines.is_void) > 0
                or (
                    any_value(receipts.are_recorded)
                    and count(*) filter (lines.received_on <= answers.submitted_on) between 1 and count(*) - 1
                ) as is_partial,
            sum(lines.net_amount)::double as order_value,
            min(lines.currency) as currency,
            sum(lines.discount_amount) > 0 as has_discount,
            count(*) > 1 as has_several_lines,
            case when count(distinct products.category) = 1 and count(products.category) = count(*)
                then min(products.category) end as order_category,
            case when count(distinct suppliers.supplier_id) = 1 and count(suppliers.supplier_id) = count(*)
                then min(suppliers.supplier_id) end as supplier_id
        from answers
        inner join lines using (order_id)
        cross join receipts
        left join products on products.product_id = lines.product_id
        left join suppliers on suppliers.product_id = lines.product_id
        group by answers.feedback_id
    )
    select
        answers.feedback_id, answers.known_from, answers.scale, answers.score::double as score, answers.is_low,
        greatest(facts.days_late, 0) as days_late, facts.is_not_received, facts.is_partial,
        coalesce(facts.has_discount, false) as has_discount, facts.has_several_lines,
        coalesce(first_orders.first_ordered_on = facts.ordered_on, false) as is_first_order,
        greatest(facts.order_value, 0.01) as order_value, facts.currency,
        case when answers.product_id is null then facts.order_category else of_answer.category end as category,
        facts.supplier_id
    from answers
    inner join facts using (feedback_id)
    left join products as of_answer on of_answer.product_id = answers.product_id
    left join first_orders on first_orders.customer_id = answers.customer_id
    order by answers.feedback_id
"""
TOPICS = f"""
    select versions.feedback_id, topics.topic
    from intermediate.int_feedback_versioned as versions
    inner join ml.feedback_topics as topics using (feedback_id, known_from)
    where {KNOWN} and submitted_on <= $day and submitted_on > $day - $days
    order by feedback_id, topic
"""
TEXTS = f"""
    select versions.feedback_id
    from intermediate.int_feedback_versioned as versions
    inner join ml.feedback_sentiment as readings using (feedback_id, known_from)
    where {KNOWN} and text_kind = 'words' and language <> 'other'
"""


class CxDrivers:
    """Estimates the drivers as of each day."""

    tables: ClassVar[tuple[MlTable, ...]] = (CX_DRIVERS,)

    def __init__(self, context: Context) -> None:
        self._context = context
        self._has_lines = False

    def write(self, day: date) -> None:
        connection = self._context.connection
        if not self._has_lines:
            for statement in (LINES, CUSTOMER_ORDERS):
                connection.execute(statement, {"last": self._context.last})
            self._has_lines = True
        connection.execute("delete from ml.cx_drivers where as_of = ?", [day])
        window = {"day": day, "days": WINDOW_DAYS}
        answers = connection.execute(ANSWERS, window).df()
        texts = connection.execute(TEXTS, {"day": day}).df()
        found = estimate(answers, connection.execute(TOPICS, window).df(), set(texts["feedback_id"]))
        if len(found):
            connection.register("written", pa.Table.from_pandas(found.assign(as_of=day), preserve_index=False))
            connection.execute("insert into ml.cx_drivers by name select * from written")
            connection.unregister("written")


def estimate(answers: pd.DataFrame, topics: pd.DataFrame, texts: set[str]) -> pd.DataFrame:
    """The drivers of every scale, of all answers (`facts`) and of those with a text (`topics`).

    Args:
        answers: one row per answer with the columns that ANSWERS selects.
        topics: `feedback_id` and `topic`, a row per topic an answer speaks of.
        texts: ids of the answers whose text was read.
    """
    parts = []
    for scale, of_scale in answers.groupby("scale", sort=True):
        told = of_scale[of_scale["feedback_id"].isin(texts)]
        for model, rows, extra in (("facts", of_scale, {}), ("topics", told, _mentioned(told, topics))):
            if len(rows):
                parts.append(_estimated(rows, extra).assign(scale=scale, model=model))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _estimated(answers: pd.DataFrame, topics: dict[str, pd.Series]) -> pd.DataFrame:
    """The drivers of some answers of one scale, below a row that says how many answers there are."""
    columns = _facts(answers) | _members(answers, "category") | _members(answers, "supplier") | topics
    design = pd.DataFrame(columns, index=answers.index).assign(score=answers["score"], is_low=answers["is_low"])
    found = drivers.key_drivers(design, _in_order(columns))
    low = int(answers["is_low"].sum())
    everybody = [EVERYBODY, len(answers), low, len(answers), 1.0]
    base = pd.DataFrame([everybody], columns=list(drivers.COLUMNS[: len(everybody)])).assign(is_significant=False)
    rows = pd.concat([base, found.astype({"n": int}) if len(found) else None], ignore_index=True)
    return rows.assign(driver_group=rows["driver"].map(_group))


def _facts(answers: pd.DataFrame) -> dict[str, pd.Series]:
    """The operational facts as numbers. An order's worth is told against the median of its currency."""
    late = answers["days_late"].astype(float)
    median = answers.groupby("currency")["order_value"].transform("median").fillna(1.0).clip(lower=0.01)
    facts: dict[str, pd.Series] = {
        "days_late": late.clip(upper=COUNTED_LATE_DAYS),
        "is_late_over_a_week": (late > COUNTED_LATE_DAYS).astype(float),
        "order_value_doubled": (answers["order_value"] / median).map(np.log2).clip(-6, 6),
    }
    flags = [name for name in FACTS if name not in facts]
    return facts | {name: answers[name].astype(float) for name in flags}


def _members(answers: pd.DataFrame, kind: str) -> dict[str, pd.Series]:
    """A column per category or supplier with enough answers, the most frequent first; one is left to compare with."""
    values = answers["category" if kind == "category" else "supplier_id"]
    counts = values.value_counts().rename_axis("member").reset_index(name="count")
    counts = counts[counts["count"] >= LEAST_MEMBERS].sort_values(["count", "member"], ascending=[False, True])
    return {f"{kind}:{member}": (values == member).astype(float) for member in counts["member"][:MOST_MEMBERS]}


def _mentioned(told: pd.DataFrame, topics: pd.DataFrame) -> dict[str, pd.Series]:
    mentions = topics[topics["feedback_id"].isin(told["feedback_id"])]
    return {
        f"topic:{topic}": told["feedback_id"].isin(rows["feedback_id"]).astype(float)
        for topic, rows in mentions.groupby("topic", sort=True)
    }


def _in_order(columns: dict[str, pd.Series]) -> list[str]:
    """Facts first, then topics, then members: what is asked first when answers are few."""
    groups = ("operations", "order", "topic", "category", "supplier")
    facts = [name for name in FACTS if name in columns]
    return facts + [name for group in groups[2:] for name in columns if _group(name) == group]


def _group(driver: str) -> str:
    if driver == EVERYBODY:
        return "base"
    kind, _, member = driver.partition(":")
    if member:
        return kind
    return "operations" if driver in FACTS[:4] else "order"
