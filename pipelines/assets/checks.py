"""Declared checks as Dagster shows them: per table one blocking check and one that warns.

Every rule of a table has its own outcome per day in ops.check_results; a list of a hundred checks in the UI would be
read by nobody, so each table shows two, with the failed rules in their metadata.
"""

from collections.abc import Iterable, Iterator, Sequence

import dagster as dg

from pipelines.quality.checks import CheckOutcome

BLOCKING = "rules"
WARNING = "warnings"
SHOWN_FAILURES = 20


def rule_check_specs(tables: Iterable[str]) -> list[dg.AssetCheckSpec]:
    """The two checks of each table (schema.table)."""
    return [
        spec
        for table in tables
        for spec in (
            dg.AssetCheckSpec(
                BLOCKING,
                asset=dg.AssetKey(table.split(".")),
                blocking=True,
                description="Rules that must hold; a failure stops what comes after and refuses publication.",
            ),
            dg.AssetCheckSpec(
                WARNING,
                asset=dg.AssetKey(table.split(".")),
                description="Rules whose failure a person should look at; the run goes on.",
            ),
        )
    ]


def rule_check_results(tables: Iterable[str], outcomes: Sequence[CheckOutcome]) -> Iterator[dg.AssetCheckResult]:
    """The two results of each table, from the outcomes of its rules on every day judged."""
    for table in tables:
        for name, is_blocking in ((BLOCKING, True), (WARNING, False)):
            judged = [outcome for outcome in outcomes if outcome.asset == table and outcome.is_blocking == is_blocking]
            failed = [outcome for outcome in judged if not outcome.passed]
            yield dg.AssetCheckResult(
                asset_key=dg.AssetKey(table.split(".")),
                check_name=name,
                passed=not failed,
                severity=dg.AssetCheckSeverity.ERROR if is_blocking else dg.AssetCheckSeverity.WARN,
                metadata={
                    "rules_judged": len({outcome.check_name for outcome in judged}),
                    "days_judged": len({outcome.partition_on for outcome in judged}),
                    "failed": dg.MetadataValue.md(_table_of(failed) if failed else "none"),
                },
            )


def _table_of(failed: Sequence[CheckOutcome]) -> str:
    lines = ["| day | rule | observed |", "|---|---|---|"]
    lines += [f"| {each.partition_on} | {each.check_name} | {each.observed} |" for each in failed[:SHOWN_FAILURES]]
    if len(failed) > SHOWN_FAILURES:
        lines.append(f"| | {len(failed) - SHOWN_FAILURES} more in ops.check_results | |")
    return "\n".join(lines)
