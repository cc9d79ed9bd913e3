"""A defect for every blocking check, made from what the check says of itself wherever that is possible.

Each defect is SQL on a finished warehouse and breaks one rule, or one part of a rule (a column, a key, a condition).
A check that no function here knows has no defect, and the test that asks for one per check fails.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import count
from typing import Any

import duckdb

from pipelines.quality.rules import Rule, Stage
from pipelines.quality.suites import suites
from pipelines.sources.contracts import Column, Contract, contract
from pipelines.transforms import DbtGraph, DbtTest

STAGES: tuple[Stage, ...] = ("raw", "marts", "ml", "reports")
# Of each type a value that no delivery has.
STRANGE = {"VARCHAR": "'planted'", "BIGINT": "-999", "DATE": "date '1801-01-01'", "INTEGER": "-999"}


@dataclass(frozen=True)
class Defect:
    """What to do so that the check `name` of `table` must fail. `part` of it is broken, on `day` where it has one."""

    table: str
    name: str
    part: str
    sql: str
    day: date | None = None

    def __str__(self) -> str:
        return f"{self.table}.{self.name}[{self.part}]"


# ---------------------------------------------------------------- declared rules


def declared_defects(connection: duckdb.DuckDBPyConnection) -> Iterator[Defect]:
    """The defects of the blocking declared rules of every stage."""
    turn = count()
    for suite in (suite for stage in STAGES for suite in suites(stage)):
        for rule in suite.rules:
            if rule.is_blocking:
                if suite.feed:
                    yield from of_raw(connection, contract(suite.feed), rule, turn)
                else:
                    parts = OF_RULE[suite.asset, rule.name]
                    yield from (Defect(suite.asset, rule.name, part, sql) for part, sql in parts.items())


def of_raw(connection: duckdb.DuckDBPyConnection, feed: Contract, rule: Rule, turn: Iterator[int]) -> Iterator[Defect]:
    """The defects of one rule of a raw table, in the largest files of its days in turn."""
    files = connection.execute(
        f"""
        select _delivered_on, _file_id from {feed.table} group by _delivered_on, _file_id having count(*) > 1
        qualify row_number() over (partition by _delivered_on order by count(*) desc, _file_id) = 1 order by 1
        """
    ).fetchall()
    parts = list(rule.violations) if set(rule.violations) - {"rows"} else ["rows"]
    for part in parts:
        day, file_id = files[next(turn) % len(files)]
        yield Defect(feed.table, rule.name, part, raw_defect(feed, rule, part, file_id), day)


def raw_defect(feed: Contract, rule: Rule, part: str, file_id: str) -> str:
    """SQL that breaks a rule in one file; the ledger agrees with the table but for what is planted."""
    of_file = f"from {feed.table} where _file_id = '{file_id}')"
    row = f"_file_id = '{file_id}' and _record_no = (select min(_record_no) {of_file}"
    ledger = f"update ops.files set {{}} where file_id = '{file_id}'"
    amount = f"(select sum({feed.control_amount}) {of_file}"
    settled = ledger.format(f"amount_seen = amount_seen + {amount} - amount_loaded, amount_loaded = {amount}")
    if rule.name in ("required_filled", "values_in_range", "values_allowed", "form_as_declared"):
        sql = f"update {feed.table} set {spoiled(feed.column(part), rule.name)} where {row}"
        return f"{sql}; {settled}" if feed.control_amount else sql
    second = f"(select max(_record_no) {of_file}"
    planted = {
        "records_once": f"update {feed.table} set _record_no = {second} where {row}",
        "records_conserved": ledger.format("records_seen = records_seen + 1"),
        "rows_as_ledger": f"delete from {feed.table} where {row}" + (f"; {settled}" if feed.control_amount else ""),
        "quarantine_as_ledger": ledger.format(
            "records_seen = records_seen + 1, records_quarantined = records_quarantined + 1"
        ),
        "amounts_conserved": ledger.format("amount_seen = amount_seen + 0.0001"),
        "amounts_as_ledger": f"update {feed.table} set unit_price = unit_price + 1 where {row}",
    }
    return planted[rule.name]


def spoiled(column: Column, rule: str) -> str:
    """The assignment that breaks one rule of one column of a contract."""
    name = f'"{column.name}"'
    if rule == "required_filled":
        return f"{name} = null"
    if rule == "values_allowed":
        return f"{name} = 'nonsense'"
    if rule == "form_as_declared":
        return f"{name} = '{'x' * ((column.max_length or 3) + 1)}'"
    if column.logical_type in ("date", "timestamp"):
        return f"{name} = '1970-01-01'"
    return f"{name} = {column.minimum} - 1" if column.minimum is not None else f"{name} = {column.maximum} + 1"


def first(table: str, condition: str = "true") -> str:
    """A condition that one row of the table meets."""
    return f"rowid = (select min(rowid) from {table} where {condition})"


def of_fact(table: str, figures: Iterable[str]) -> dict[tuple[str, str], dict[str, str]]:
    def changed(name: str) -> str:
        step = "interval 1 day" if name.endswith("_at") else "1"
        return f"update {table} set {name} = {name} + {step} where {first(table, f'{name} is not null')}"

    return {
        (table, "figures_as_delivered"): {name: changed(name) for name in figures},
        (table, "cites_its_record"): {"rows": f"update {table} set record_no = -1 where {first(table)}"},
        (table, "records_reach_it"): {"rows": f"delete from {table} where {first(table)}"},
    }


def of_dimension(name: str) -> dict[tuple[str, str], dict[str, str]]:
    table = f"marts.dim_{name}s"
    delivered = f"(select min({name}_id) from {table} where not is_inferred and {name}_key <> -1)"
    return {
        (table, "records_reach_it"): {"rows": f"delete from {table} where {name}_id = {delivered}"},
        (table, "unknown_member_once"): {
            "lost": f"delete from {table} where {name}_key = -1",
            "doubled": f"insert into {table} from {table} where {name}_key = -1",
        },
    }


FORECASTS, ACCURACY, KPIS = "ml.demand_forecasts", "ml.forecast_accuracy", "reports.fct_kpi_values"
ADDED, TRACKING, SERIES = "ml.forecast_value_added", "ml.forecast_tracking", "ml.forecast_accuracy_series"
REGISTRY, DRIFT, BEHIND = "ml.model_registry", "ml.drift", "ml.unconstrained_demand"
RATIOS = ("wape", "bias", "mase", "rmsse", "weighted_quantile_loss")
NEWEST = "as_of = (select max(as_of) from {})"
SELECTED = first(FORECASTS, f"is_selected and {NEWEST.format(FORECASTS)}")
# All models' forecasts of one series and target.
TARGET = (
    f"({NEWEST.format(FORECASTS)}) and (product_id, channel_id) = "
    f"(select min((product_id, channel_id)) from {FORECASTS} where {NEWEST.format(FORECASTS)}) and horizon_days = "
)
GRADE = first(ACCURACY, f"model = 'selected' and {NEWEST.format(ACCURACY)}")
PAIR = first(ADDED, f"model = 'selected' and {NEWEST.format(ADDED)}")
SIGNAL = first(TRACKING, f"model = 'selected' and {NEWEST.format(TRACKING)}")
SHARE = first(KPIS, f"kpi_id = 'CUS-02' and ci_low is not null and {NEWEST.format(KPIS)}")
AMOUNT = first(KPIS, f"kpi_id = 'SAL-01' and {NEWEST.format(KPIS)}")

SENTIMENT, TOPICS, TEXT_QUALITY = "ml.feedback_sentiment", "ml.feedback_topics", "ml.text_model_quality"
DRIVERS, TRENDS = "ml.cx_drivers", "reports.rpt_topic_trends"
TALKATIVE = f"select feedback_id from {TOPICS} group by all having count(*) > 1 order by 1 limit 1"


def change(table: str, assignment: str, row: str) -> str:
    return f"update {table} set {assignment} where {row}"


def newest(table: str) -> str:
    return first(table, NEWEST.format(table))


def impossible_grades(table: str) -> dict[str, str]:
    """What no grade can say, in one row of the newest as-of day."""
    return {
        "n": change(
            table,
            "n = 0, out_of_stock_count = 0, inside_interval_count = 0, below_p10_count = up_to_p90_count",
            newest(table),
        ),
        "abs_error_quantity": change(
            table, "abs_error_quantity = -1, forecast_quantity = actual_quantity", newest(table)
        ),
        "bias": change(table, "forecast_quantity = actual_quantity + abs_error_quantity + 1", newest(table)),
        "interval": change(table, "inside_interval_count = n + 1", newest(table)),
    } | {name: change(table, f"{name} = 'inf'", newest(table)) for name in RATIOS}


# A small company may have no row in these tables, so that a broken one is put there.
JUDGED = "(select max(as_of) from ops.as_of_days where stage = 'ml')"
MONTH = f"date_trunc('month', {JUDGED})::date"


def assignments(text: str) -> dict[str, str]:
    return dict(pair.split(" = ", 1) for pair in text.split("; "))


def planted_row(table: str, columns: str, **spoiled: str) -> dict[str, str]:
    """For each part a row that is sound (`columns` as `name = value`, by semicolons) but for some assignments."""
    values = {"as_of": JUDGED} | assignments(columns)
    rows = {part.replace("_", " "): values | assignments(text) for part, text in spoiled.items()}
    return {
        part: f"insert into ml.{table} ({', '.join(row)}) values ({', '.join(row.values())})"
        for part, row in rows.items()
    }


LTV_ROW = (
    f"month_start_on = {MONTH}; customer_id = 'planted'; purchases = 1; p_alive = 0.5; is_active = true; "
    f"expected_orders_365d = 1; value_basis = 'margin'; trained_on = {MONTH} - 1"
)
BASE_ROW = (
    f"customers = 2; active_customers = 1; active_at_month_start = 1; newly_inactive = 0; expected_orders_365d = 1; "
    f"value_basis = 'margin'; model = 'bg_nbd'; r = 1; alpha = 1; a = 1; b = 1; log_likelihood = -1; "
    f"trained_on = {MONTH} - 1"
)
GRADE_ROW = (
    f"month_start_on = {MONTH}; trained_on = {JUDGED} - 60; holdout_days = 60; repeat_group = 'planted'; "
    "customers = 1; expected_purchases = 1; actual_purchases = 1"
)
PROFILE_ROW = (
    f"month_start_on = {MONTH}; cluster_id = 98; cluster_name = 'planted'; description = 'planted'; customers = 1; "
    "customer_share = 0.1; median_recency_days = 1; median_purchases = 1; mean_revenue_amount_base = 1; "
    "revenue_amount_base = 1; halves_agreement = 1"
)
DRIFT_ROW = (
    "subject_type = 'channel'; channel_id = 'planted'; reference_days = 112; reference_daily_quantity = 1; "
    "current_daily_quantity = 1; psi = 0; is_alarm = false"
)
CUSTOMER_DEFECTS = {
    ("customer_ltv", "expectations_possible"): planted_row(
        "customer_ltv",
        LTV_ROW,
        alive="p_alive = 1.01",
        orders="expected_orders_365d = -1",
        trained_on=f"trained_on = {JUDGED} + 1",
    ),
    ("customer_base", "parts_of_the_whole"): planted_row(
        "customer_base", BASE_ROW, active="active_customers = 3", churned="newly_inactive = 2"
    ),
    ("customer_ltv_accuracy", "grades_possible"): planted_row(
        "customer_ltv_accuracy", GRADE_ROW, expected="expected_purchases = 'nan'", held_out="holdout_days = 61"
    ),
    ("customer_clusters", "groups_have_profiles"): {
        "rows": f"insert into ml.customer_clusters values ({JUDGED}, {MONTH}, 'planted', 99, 'planted')"
    },
    ("customer_cluster_profiles", "shares_possible"): planted_row(
        "customer_cluster_profiles",
        PROFILE_ROW,
        share="customer_share = 1.01",
        agreement="adjusted_rand_index = 2",
    ),
}
OF_RULE: Mapping[tuple[str, str], Mapping[str, str]] = {
    **of_fact("marts.fct_order_lines", ("quantity", "net_amount", "ordered_at")),
    **of_fact("marts.fct_feedback", ("score", "submitted_at")),
    **of_fact(
        "marts.fct_purchase_order_lines",
        ("quantity_ordered", "ordered_amount", "quantity_received", "quantity_rejected"),
    ),
    **of_fact("marts.fct_inventory_snapshot_daily", ("quantity_on_hand", "unit_cost")),
    **of_dimension("product"),
    **of_dimension("customer"),
    **of_dimension("supplier"),
    (FORECASTS, "values_finite"): {
        name: change(FORECASTS, f"{name} = 'nan'", SELECTED) for name in ("mean", "p10", "p50", "p90")
    },
    (FORECASTS, "values_not_negative"): {
        name: change(FORECASTS, f"{name} = -1", SELECTED) for name in ("mean", "p10", "p50", "p90")
    },
    (FORECASTS, "quantiles_in_order"): {
        "p10 above p50": change(FORECASTS, "p10 = p50 + 0.001", SELECTED),
        "p50 above p90": change(FORECASTS, "p50 = p90 + 0.001", SELECTED),
    },
    (FORECASTS, "targets_after_as_of"): {
        "another day": change(FORECASTS, "target_on = target_on + 1", f"{TARGET} 28"),
    },
    (FORECASTS, "trained_on_the_past"): {"rows": change(FORECASTS, "trained_on = as_of + 1", SELECTED)},
    (FORECASTS, "one_selected"): {
        "none": change(FORECASTS, "is_selected = false", SELECTED),
        "all": change(FORECASTS, "is_selected = true", f"{TARGET} 1"),
    },
    (FORECASTS, "models_once"): {
        "rows": f"insert into {FORECASTS} from {FORECASTS} where {TARGET} 1 and not is_selected limit 1"
    },
    (FORECASTS, "horizon_complete"): {"one day": f"delete from {FORECASTS} where {TARGET} 5"},
    (FORECASTS, "vintage_not_empty"): {"all": f"delete from {FORECASTS} where {NEWEST.format(FORECASTS)}"},
    **{(table, "grades_possible"): impossible_grades(table) for table in (ACCURACY, SERIES)},
    (ACCURACY, "graded_once"): {"rows": f"insert into {ACCURACY} from {ACCURACY} where {GRADE}"},
    (SENTIMENT, "sentiment_as_probability"): {
        "not a probability": change(SENTIMENT, "positive_probability = 1.01", first(SENTIMENT)),
        "label": change(SENTIMENT, "sentiment = 'unknown'", first(SENTIMENT, "positive_probability is not null")),
    },
    (TOPICS, "topics_share_the_text"): {
        "weights": change(TOPICS, "weight = weight - 0.01", first(TOPICS)),
        "repeated": change(
            TOPICS, "topic = (select max(topic) from ml.feedback_topics)", f"feedback_id = ({TALKATIVE})"
        ),
    },
    (TEXT_QUALITY, "grades_possible"): {
        "counts": change(TEXT_QUALITY, "true_low_count = n + 1", first(TEXT_QUALITY)),
        "auc": change(TEXT_QUALITY, "auc = 0.5, auc_low = 0.6, auc_high = 0.7", first(TEXT_QUALITY)),
    },
    **{(f"ml.{table}", rule): parts for (table, rule), parts in CUSTOMER_DEFECTS.items()},
    (DRIVERS, "effects_in_their_intervals"): {
        "effect": change(DRIVERS, "effect_on_low_share = 'inf'", first(DRIVERS)),
        "score": change(DRIVERS, "effect_on_score = 'nan'", first(DRIVERS)),
    },
    (ADDED, "pairs_possible"): {
        "n": change(ADDED, "n = 0", PAIR),
        "errors": change(ADDED, "naive_abs_error_quantity = -1", PAIR),
        "losses": change(ADDED, "pinball_quantity = -1", PAIR),
        "skill": change(ADDED, "skill = 1.01", PAIR),
    },
    (ADDED, "compared_once"): {"rows": f"insert into {ADDED} from {ADDED} where {PAIR}"},
    (TRACKING, "signal_possible"): {
        "days": change(TRACKING, "days = 29", SIGNAL),
        "error": change(TRACKING, "error_quantity = abs_error_quantity + 1", SIGNAL),
        "signal": change(TRACKING, "tracking_signal = days + 1", SIGNAL),
    },
    (TRACKING, "tracked_once"): {"rows": f"insert into {TRACKING} from {TRACKING} where {SIGNAL}"},
    (SERIES, "series_once"): {"rows": f"insert into {SERIES} from {SERIES} where {newest(SERIES)}"},
    (SERIES, "month_of_its_day"): {
        "rows": change(SERIES, "month_start_on = month_start_on - interval 1 month", newest(SERIES))
    },
    (REGISTRY, "vintage_has_its_model"): {
        "none": f"delete from {REGISTRY} where {NEWEST.format(REGISTRY)}",
        "another": change(REGISTRY, "trained_on = trained_on - 1", newest(REGISTRY)),
    },
    (REGISTRY, "model_learnt_from_the_past"): {
        "trained_on": change(REGISTRY, "trained_on = as_of + 1", newest(REGISTRY)),
        "data_rows": change(REGISTRY, "data_rows = 0", newest(REGISTRY)),
    },
    (REGISTRY, "registered_once"): {"rows": f"insert into {REGISTRY} from {REGISTRY} where {newest(REGISTRY)}"},
    (BEHIND, "demand_possible"): {
        "less than sales": change(BEHIND, "demand_quantity = sales_quantity - 1", newest(BEHIND)),
        "not censored": change(BEHIND, "is_censored = false, demand_quantity = sales_quantity + 1", newest(BEHIND)),
        "to come": change(BEHIND, "demand_on = as_of + 1", newest(BEHIND)),
    },
    (BEHIND, "demand_once"): {"rows": f"insert into {BEHIND} from {BEHIND} where {newest(BEHIND)}"},
    (DRIFT, "measures_possible"): planted_row(
        "drift",
        DRIFT_ROW,
        psi="psi = 'inf'",
        quantity="current_daily_quantity = -1",
        change=f"changed_on = {JUDGED} + 1; direction = 'up'",
        alarm="is_alarm = true",
    ),
    (DRIFT, "watched_once"): {"twice": "; ".join(2 * list(planted_row("drift", DRIFT_ROW, row="psi = 0").values()))},
    (KPIS, "kpis_in_catalogue"): {"rows": change(KPIS, "kpi_id = 'XXX-01'", AMOUNT)},
    (KPIS, "values_finite"): {
        "value": change(KPIS, "value = 'inf'", AMOUNT),
        "ci_low": change(KPIS, "ci_low = '-inf'", SHARE),
        "ci_high": change(KPIS, "ci_high = 'inf'", SHARE),
    },
    (KPIS, "shares_between_0_and_1"): {"rows": change(KPIS, "value = 1.01", SHARE)},
    (KPIS, "interval_around_value"): {"rows": change(KPIS, "ci_low = ci_high + 0.001", SHARE)},
    (KPIS, "periods_known"): {"rows": change(KPIS, "period_end = as_of + 1", AMOUNT)},
    (KPIS, "kpis_present"): {"all": f"delete from {KPIS} where {NEWEST.format(KPIS)}"},
}


# ---------------------------------------------------------------- dbt tests


def dbt_defects(connection: duckdb.DuckDBPyConnection, graph: DbtGraph, tests: Iterable[DbtTest]) -> Iterator[Defect]:
    """The defects of the given dbt tests, by the kind of test and its arguments."""
    for test in tests:
        node = graph.manifest["nodes"][test.unique_id]
        kind, arguments = node["test_metadata"]["name"], node["test_metadata"]["kwargs"]
        target = graph.table(node["attached_node"])
        types = dict(
            connection.execute(
                "select column_name, data_type from information_schema.columns "
                "where table_schema || '.' || table_name = ?",
                [target],
            ).fetchall()
        )
        for part, sql in BY_KIND[kind](target, arguments, types).items():
            yield Defect(test.table, test.name, part, sql)


def repeated_key(target: str, arguments: Mapping[str, Any], types: Mapping[str, str]) -> dict[str, str]:
    """For each key a second row that has it, and nothing of the other keys."""
    keys = arguments["keys"]
    found = {}
    for key in keys:
        others = sorted({column for other in keys for column in other} - set(key))
        strange = ", ".join(f"{STRANGE[types[column]]} as {column}" for column in others)
        columns = f"* replace ({strange})" if others else "*"
        row = first(target, "is_current" if "is_current" in types else "true")
        found[", ".join(key)] = f"insert into {target} select {columns} from {target} where {row}"
    return found


def orphan(target: str, arguments: Mapping[str, Any], types: Mapping[str, str]) -> dict[str, str]:
    columns = [*arguments["dimensions"], *(arguments.get("days") or ())]
    return {
        column: change(target, f"{column} = {STRANGE[types[column]]}", first(target, f"{column} is not null"))
        for column in columns
    }


def broken_range(target: str, arguments: Mapping[str, Any], types: Mapping[str, str]) -> dict[str, str]:
    last = first(target, "is_current and not is_inferred")
    return {
        "gap": change(target, "valid_to = date '2500-01-01'", last),
        "empty": change(target, "valid_from = date '9999-12-31'", last),
        "current": change(target, "is_current = false", last),
    }


def broken_rule(target: str, arguments: Mapping[str, Any], types: Mapping[str, str]) -> dict[str, str]:
    return {rule: change(target, *BREAKS[target, rule]) for rule in arguments["rules"]}


BY_KIND = {
    "keys_are_unique": repeated_key,
    "members_exist": orphan,
    "ranges_meet": broken_range,
    "rules_hold": broken_rule,
}


def one(table: str, *breaks: tuple[str, str, str]) -> dict[tuple[str, str], tuple[str, str]]:
    """(rule, assignment, which rows may be taken): one row of them is broken."""
    return {(table, rule): (assignment, first(table, condition)) for rule, assignment, condition in breaks}


BREAKS: Mapping[tuple[str, str], tuple[str, str]] = {
    **one(
        "reports.dim_kpis",
        ("unit", "unit = 'planted'", "true"),
        ("direction", "direction = 'planted'", "true"),
        ("aggregation", "aggregation = 'planted'", "true"),
        ("interval_method", "interval_method = 'planted'", "true"),
    ),
    **one(
        "marts.fct_feedback",
        ("normalised_between_0_and_1", "normalised_score = 1.01", "normalised_score is not null"),
        ("scale_is_known", "scale = 'planted'", "true"),
    ),
    **one(
        TRENDS,
        ("mentions_are_texts", "mentions = texts + 1", "true"),
        ("week_is_over", "week_end_on = as_of + 1", "true"),
    ),
    **one(
        "reports.rpt_satisfaction",
        ("answers_are_split", "low_count = low_count + 1", "true"),
        ("interval_is_ordered", "nps_low = 1, nps_high = 0", "nps is not null"),
    ),
    **one(
        "reports.fct_kpi_values",
        ("numerator_is_known", "numerator = null", "true"),
        ("interval_is_ordered", "ci_low = ci_high + 0.001", "ci_high is not null"),
        ("period_is_over", "period_end = as_of + 1", "true"),
        ("observations_exist", "n = -1", "true"),
    ),
    **one(
        "reports.fct_customer_rfm_monthly",
        ("scores_are_quintiles", "monetary_score = 6", "true"),
        ("last_order_is_not_before_the_first", "last_ordered_on = as_of + 1", "true"),
    ),
    **one(
        "reports.rpt_customer_360",
        ("buyers_have_a_segment", "rfm_segment = null", "orders > 0"),
        ("late_are_among_deliveries", "late_deliveries = deliveries + 1", "true"),
        ("p_alive_is_a_probability", "p_alive = 1.01", "true"),
        ("who_returned_is_not_activated", "next_best_action = 'activate'", "orders > 0"),
    ),
    **one(
        "reports.fct_customer_cohorts_monthly",
        ("young_cohorts_are_null", "active_customers = null", "is_mature and months_since > 0"),
        ("active_are_of_the_cohort", "active_customers = cohort_size + 1", "is_mature and months_since > 0"),
        ("all_buy_in_their_first_month", "active_customers = active_customers - 1", "is_mature and months_since = 0"),
    ),
    **one(
        "reports.fct_kpi_anomalies",
        ("severity_is_known", "severity = 'planted'", "true"),
        ("limits_are_ordered", "lower_limit = upper_limit + 1", "upper_limit is not null"),
        (
            "anomaly_is_outside",
            "is_anomaly = true, is_insufficient_data = false, value = (lower_limit + upper_limit) / 2",
            "upper_limit > lower_limit + 1",
        ),
        ("few_days_are_not_judged", "is_insufficient_data = true, is_anomaly = true, value = upper_limit + 1", "true"),
    ),
    **one(
        "reports.rpt_goal_progress",
        ("status_is_known", "status = 'planted'", "not is_period_over"),
        ("share_is_a_share", "elapsed_share = 1.1", "true"),
        ("ended_goals_are_final", "is_period_over = true, status = 'on_track'", "true"),
        ("target_was_known", "target_known_from = as_of + 1", "true"),
    ),
    **one(
        "reports.rpt_exceptions",
        ("severity_is_known", "severity = 'planted'", "true"),
        ("money_is_not_negative", "value_at_stake_base = -1", "true"),
        ("began_by_tonight", "first_seen_on = as_of + 1", "true"),
    ),
    **one(
        "reports.rpt_benchmark_gap",
        ("source_was_public", "source_date = as_of + 1", "true"),
        ("stale_has_no_verdict", "is_stale = true, percentile_band = 'best_quarter'", "true"),
    ),
    **one(
        "marts.fct_order_lines",
        ("net_amount_is_known", "net_amount = null, net_amount_base = null, is_rate_missing = true", "true"),
        ("net_is_gross_less_discount", "gross_amount = gross_amount + 0.0001", "true"),
        ("base_amount_where_rate", "is_rate_missing = not is_rate_missing", "true"),
        ("status_is_known", "status = 'planted'", "true"),
    ),
    **one(
        "marts.fct_purchase_order_lines",
        ("ordered_amount_is_known", "ordered_amount = null", "true"),
        ("base_amount_where_rate", "is_rate_missing = not is_rate_missing", "true"),
        ("open_lines_are_not_judged", "is_in_full = true, is_received = false", "true"),
    ),
    **one(
        "reports.rpt_margin_bridge",
        ("effects_sum_to_the_change", "mix_effect_base = mix_effect_base + 0.000001", "true"),
        ("change_leads_from_one_to_the_other", "compared_amount_base = compared_amount_base + 0.000001", "true"),
    ),
    **one(
        "reports.rpt_restatements",
        ("something_changed", "new_value = old_value", "true"),
        ("file_is_known", "cause_path = null", "true"),
        ("rows_are_counted", "rows_added = 0, rows_changed = 0, rows_removed = 0", "true"),
    ),
    **one(
        "reports.fct_supplier_scorecard_monthly",
        ("delivered_of_due", "lines_otif_first = lines_due + 1", "true"),
        ("score_in_its_interval", "score_low = score + 0.001", "score is not null"),
        ("few_lines_have_no_rank", "supplier_rank = 1, is_insufficient_data = true", "true"),
    ),
    **one(
        "reports.fct_supplier_availability",
        ("outstanding_not_negative", "quantity_outstanding = -1", "true"),
        ("past_promise_is_counted", "is_past_promise = true, days_past_promise = -1", "true"),
    ),
    **one(
        "reports.rpt_inventory_rollforward",
        ("checked_days_were_counted", "days_checked = days_counted + 1", "true"),
    ),
    **one(
        "reports.rpt_inventory_health",
        ("excess_lies_there", "excess_quantity = quantity_on_hand + 1", "quantity_on_hand >= 0"),
        ("days_out_were_counted", "stockout_days_28d = days_counted_28d + 1", "true"),
    ),
    **one(
        "ops.reconciliation",
        ("rows_add_up", "row_gap = 1", "true"),
        ("amounts_add_up", "amount_gap = 0.0001", "amount_gap is not null"),
    ),
}
