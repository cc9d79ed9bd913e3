"""The judge: Great Expectations, and the only module that imports it.

It judges measures, not rows: a frame with one row per table and partition, so that a year of partitions costs one
validation and no delivered value ever reaches its results. Its import takes seconds, so it waits for the first call.
"""

import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import pandas as pd

from pipelines.garbage import spare_imported
from pipelines.quality.rules import Rule

ROW = "_row"


@dataclass(frozen=True)
class Verdict:
    """What came of one rule: the positions of the rows that break it, or why it could not be judged."""

    failed_rows: frozenset[int] = frozenset()
    error: str | None = None


def failures(frame: pd.DataFrame, rules: Sequence[Rule]) -> list[Verdict]:
    """Judge every row of a frame of measures by every rule; the verdicts are in the order of the rules.

    A rule whose evaluation raised (a missing column, a wrong type) has a verdict with `error`, never a pass. A row
    where a measure is null is not judged.
    """
    if frame.empty or not rules:
        return [Verdict()] * len(rules)
    asked = {rule.judgement: rule for rule in rules}
    numbered = frame.reset_index(drop=True).assign(**{ROW: range(len(frame))})
    verdicts = _validate(numbered, asked)
    return [verdicts.get(rule.judgement, Verdict(error="the judge gave no verdict")) for rule in rules]


def _validate(frame: pd.DataFrame, asked: Mapping[tuple[str, ...], Rule]) -> dict[tuple[str, ...], Verdict]:
    gx, batches = _judge()
    order = list(asked)
    suite = gx.ExpectationSuite(name="measures")
    suite.expectations = [_expectation(gx, rule, number) for number, rule in enumerate(asked.values())]
    result = batches.get_batch({"dataframe": frame}).validate(
        suite, result_format={"result_format": "COMPLETE", "unexpected_index_column_names": [ROW]}
    )
    # The results come in an order of their own, so each is known by the number it carries.
    return {order[each.expectation_config.meta["number"]]: _verdict(each) for each in result.results}


@cache
def _judge() -> tuple[Any, Any]:
    """The library, and the batch definition every frame is handed to."""
    # Its import and one of its modules report at length on things that are no concern of a run.
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import great_expectations as gx
    spare_imported("great_expectations")
    logging.getLogger("great_expectations.data_context.types.base").setLevel(logging.ERROR)
    context: Any = gx.get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("warehouse").add_dataframe_asset("measures")
    return gx, asset.add_batch_definition_whole_dataframe("frame")


def _expectation(gx: Any, rule: Rule, number: int) -> Any:
    names = ("column",) if len(rule.columns) == 1 else ("column_A", "column_B")
    kind = getattr(gx.expectations, rule.expectation)
    return kind(
        **dict(zip(names, rule.columns, strict=True)),
        **rule.kwargs,
        severity="critical" if rule.is_blocking else "warning",
        meta={"number": number},
    )


def _verdict(result: Any) -> Verdict:
    raised = result.exception_info or {}
    # Sound results say raised_exception False; a raised one nests one report per metric instead.
    if raised.get("raised_exception") is not False:
        return Verdict(error=_exception_text(raised))
    rows = frozenset(int(row[ROW]) for row in result.result.get("unexpected_index_list") or ())
    if not result.success and not rows:
        return Verdict(error="the rule failed and named no row")
    return Verdict(rows)


def _exception_text(raised: Mapping[str, Any]) -> str:
    reports = [raised] if "exception_message" in raised else list(raised.values())
    texts = [str(report.get("exception_message")) for report in reports if isinstance(report, Mapping)]
    return "; ".join(dict.fromkeys(texts)) or "the judge raised an exception without a message"
