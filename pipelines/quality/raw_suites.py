"""The rules of raw tables: the contract once more, the ledger's counts and amounts, and the table's own past.

All of them follow from the feed's contract; nothing is said of a feed here that its contract does not say.
"""

from functools import cache

from pipelines.quality.measures import PARTITION, ledger, volumes
from pipelines.quality.rules import Rule, Suite, at_least, at_most, none_where
from pipelines.sources.contracts import Column, Contract, contract

# From here on an owner should look; the delivery is still used (KPI DAT-02).
QUARANTINE_RATE_LIMIT = 0.01


@cache
def raw_suites(name: str) -> tuple[Suite, ...]:
    """What a delivery day of one feed must be once loaded: by its contract, by the ledger, and by its own past."""
    feed = contract(name)

    def of_feed(relation: str, partition_column: str, rules: list[Rule]) -> Suite:
        return Suite(feed.table, "raw", relation, partition_column, tuple(rules), feed.feed)

    return (
        of_feed(feed.table, "_delivered_on", _contract_rules(feed)),
        of_feed(ledger(feed), PARTITION, _ledger_rules(feed)),
        of_feed(volumes(feed), PARTITION, VOLUME_RULES),
    )


def _contract_rules(feed: Contract) -> list[Rule]:
    """The contract again, on the rows as they stand: whatever wrote them, a reader gets what the contract promises."""
    conditions = {
        "required_filled": {c.name: f'"{c.name}" is null' for c in feed.columns if c.required or c.key_position},
        "values_in_range": {c.name: _out_of_range(c) for c in feed.columns if _out_of_range(c)},
        "values_allowed": {c.name: _not_allowed(c) for c in feed.columns if c.allowed},
        "form_as_declared": {c.name: _malformed(c) for c in feed.columns if c.pattern or c.max_length},
    }
    reasons = {
        "required_filled": "The contract requires these columns.",
        "values_in_range": "The contract gives these columns a range.",
        "values_allowed": "The contract lists the values of these columns.",
        "form_as_declared": "The contract gives these columns a pattern or a longest length.",
    }
    rules = [none_where(name, columns, reasons[name]) for name, columns in conditions.items() if columns]
    rules.append(
        at_most(
            "records_once",
            "count(*) - count(distinct hash(_file_id, _record_no))",
            0,
            "A record of a file stands once in the table; twice counts its amounts twice.",
        )
    )
    if feed.business_time:
        rules.append(
            none_where(
                "not_from_the_future",
                f'cast("{feed.business_time}" as date) > _delivered_on + 1',
                "Told more than a day before it happened: a wrong date, or a plan among the facts.",
                "warning",
            )
        )
    return rules


def _out_of_range(column: Column) -> str:
    bounds = (("<", column.minimum), (">", column.maximum))
    return " or ".join(
        f'"{column.name}" {sign} {_literal(column, bound)}' for sign, bound in bounds if bound is not None
    )


def _not_allowed(column: Column) -> str:
    values = ", ".join(_text(value) for value in column.allowed or ())
    return f'"{column.name}" not in ({values})'


def _malformed(column: Column) -> str:
    tests = []
    if column.pattern:
        tests.append(f'not regexp_matches("{column.name}", {_text(column.pattern)})')
    if column.max_length:
        tests.append(f'length("{column.name}") > {column.max_length}')
    return " or ".join(tests)


def _literal(column: Column, bound: object) -> str:
    if column.logical_type in ("date", "timestamp"):
        return f"{column.logical_type} {_text(str(bound))}"
    return repr(bound)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _ledger_rules(feed: Contract) -> list[Rule]:
    counts = "records_loaded + records_duplicate + records_quarantined + records_filtered"
    rules = [
        at_most(
            "records_conserved",
            f"sum(abs(records_seen - ({counts})))",
            0,
            "Every record seen is loaded, a duplicate, in quarantine or filtered: nothing vanishes.",
            may_lack=True,
        ),
        at_most(
            "rows_as_ledger",
            "sum(abs(rows_here - if(is_loaded, records_loaded, 0)))",
            0,
            "The table holds of each file as many records as the ledger says were loaded.",
        ),
        at_most(
            "quarantine_as_ledger",
            "sum(if(is_loaded, abs(refused_here - records_quarantined), 0))",
            0,
            "The quarantine holds of each file as many records as the ledger says were refused.",
        ),
        none_where(
            "files_accepted",
            "status = 'refused'",
            "A file that cannot be trusted was left out; the other files of the day are loaded.",
            "warning",
        ),
        at_most(
            "quarantine_rate",
            "sum(records_quarantined) / sum(records_seen)",
            QUARANTINE_RATE_LIMIT,
            "More than one record in a hundred was refused: the sender or the profile needs a look.",
            "warning",
            may_lack=True,
            is_share=True,
        ),
    ]
    if feed.control_amount:
        amounts = "coalesce(amount_loaded, 0) + coalesce(amount_duplicate, 0) + coalesce(amount_quarantined, 0)"
        gap = "coalesce(amount_here, 0) - if(is_loaded, coalesce(amount_loaded, 0), 0)"
        rules += [
            at_most(
                "amounts_conserved",
                f"sum(abs(amount_seen - ({amounts})))",
                0,
                "The control amount seen is loaded, a duplicate or in quarantine, to the last digit.",
                may_lack=True,
            ),
            at_most(
                "amounts_as_ledger",
                f"sum(abs({gap}))",
                0,
                "The rows in the table add up to the control amount that the ledger says was loaded.",
            ),
        ]
    return rules


VOLUME_REASON = (
    "Rows differ from what this weekday usually brings by more than 30 % and more than its own ups and downs; "
    "a delivery cut at the end of a record shows nowhere else."
)
VOLUME_RULES = [
    at_least("volume_not_low", "any_value(row_count)", "any_value(usual_from)", VOLUME_REASON, "warning"),
    at_least("volume_not_high", "any_value(usual_to)", "any_value(row_count)", VOLUME_REASON, "warning"),
]
