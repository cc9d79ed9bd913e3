"""The vocabulary of checks: what a rule and a suite are. The rules themselves are in `suites`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["blocking", "warning"]
Stage = Literal["raw", "marts", "ml", "reports"]


@dataclass(frozen=True)
class Rule:
    """One check of one table, judged once per partition.

    `expectation` is a class of great_expectations that looks at `columns` of the measures: a frame with one row per
    partition. A rule brings its measure along: either `violations` (label -> SQL condition), counted over the rows and
    summed into a measure of the rule's own name, or `aggregates` (measure -> SQL aggregate over the rows). A partition
    that has no value of a measure fails, unless the rule `may_lack_measure`. One that `is_share` is told in percent.
    """

    name: str
    expectation: str
    columns: tuple[str, ...]
    reason: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    severity: Severity = "blocking"
    violations: Mapping[str, str] = field(default_factory=dict)
    aggregates: Mapping[str, str] = field(default_factory=dict)
    may_lack_measure: bool = False
    is_share: bool = False

    @property
    def is_blocking(self) -> bool:
        return self.severity == "blocking"

    @property
    def judgement(self) -> tuple[str, ...]:
        """What the judge is asked; rules of several tables that ask the same are judged together."""
        return (self.expectation, *self.columns, repr(sorted(self.kwargs.items())))


@dataclass(frozen=True)
class Suite:
    """Rules of one table (`asset`) that are measured together, in one scan.

    `relation` is the SQL of what is scanned: the table itself, or a subquery where a rule needs more than one row or
    table to say what is wrong. It may read `judged_days(partition_on)`. `partition_column` holds the delivery day or
    as-of day of its rows. `feed` is set for suites of raw tables.
    """

    asset: str
    stage: Stage
    relation: str
    partition_column: str
    rules: tuple[Rule, ...]
    feed: str = ""


def none_where(name: str, violations: Mapping[str, str] | str, reason: str, severity: Severity = "blocking") -> Rule:
    """No row may meet any of the conditions (label -> SQL condition; a lone condition is labelled `rows`)."""
    conditions = {"rows": violations} if isinstance(violations, str) else violations
    return Rule(
        name,
        "ExpectColumnValuesToBeBetween",
        (name,),
        reason,
        kwargs={"max_value": 0},
        severity=severity,
        violations=conditions,
    )


def at_most(
    name: str,
    aggregate: str,
    limit: float,
    reason: str,
    severity: Severity = "blocking",
    *,
    may_lack: bool = False,
    is_share: bool = False,
) -> Rule:
    """The SQL aggregate, a measure of the rule's own name, is the limit at most."""
    return Rule(
        name,
        "ExpectColumnValuesToBeBetween",
        (name,),
        reason,
        kwargs={"max_value": limit},
        severity=severity,
        aggregates={name: aggregate},
        may_lack_measure=may_lack,
        is_share=is_share,
    )


def at_least(name: str, larger: str, smaller: str, reason: str, severity: Severity = "blocking") -> Rule:
    """The first of two SQL aggregates is the second at least; a partition that lacks one of them passes."""
    columns = (f"{name}_value", f"{name}_floor")
    return Rule(
        name,
        "ExpectColumnPairValuesAToBeGreaterThanB",
        columns,
        reason,
        kwargs={"or_equal": True, "ignore_row_if": "either_value_is_missing"},
        severity=severity,
        aggregates=dict(zip(columns, (larger, smaller), strict=True)),
        may_lack_measure=True,
    )
