"""The contract's rules for values that are already of their type: required, allowed, range, form, length."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.sources.contracts import Column
from pipelines.sources.texts import content_of, lengths_in_bytes

Mask = npt.NDArray[np.bool_]

DELETE = 127
CONTROL_PATTERN = r"[\x00-\x08\x0B\x0C\x0E-\x1F\x7F]"


@dataclass(frozen=True)
class Broken:
    """A rule and the rows that break it; `expected` completes "expected ...", without a delivered value."""

    code: str
    rows: Mask
    expected: str


def broken_rules(column: Column, values: pa.Array) -> Iterator[Broken]:
    """The rules of the contract that some of the values break, in the order they are judged."""
    if column.required and values.null_count:
        yield Broken("missing_required", _mask(values.is_null()), "a value")
    if pa.types.is_string(values.type):
        yield from _with_controls(values)
    if column.allowed:
        yield from _not_in(column.allowed, values)
    yield from _out_of_range(column, values)
    if column.pattern:
        yield from _other_form(column.pattern, values)
    if column.max_length is not None:
        yield from _too_long(column.max_length, values)


def _mask(flags: pa.Array) -> Mask:
    """Flags as booleans; null (the value is null) is not broken."""
    return np.asarray(pc.fill_null(flags, False).to_numpy(zero_copy_only=False), np.bool_)


def _with_controls(values: pa.StringArray) -> Iterator[Broken]:
    content = content_of(values)
    if ((content < ord(" ")) | (content == DELETE)).any():
        wrong = pc.match_substring_regex(values, CONTROL_PATTERN)  # tabs and line ends are none of them
        if pc.any(wrong).as_py():
            yield Broken("control_character", _mask(wrong), "text without control characters")


def _not_in(allowed: tuple[str, ...], values: pa.StringArray) -> Iterator[Broken]:
    encoded = values.dictionary_encode()
    wrong = pc.invert(pc.is_in(encoded.dictionary, value_set=pa.array(allowed, pa.string())))
    if pc.any(wrong).as_py():
        yield Broken("not_allowed", _mask(wrong.take(encoded.indices)), f"one of {', '.join(allowed)}")


def _out_of_range(column: Column, values: pa.Array) -> Iterator[Broken]:
    if column.minimum is None and column.maximum is None:
        return
    bounds = pc.min_max(values)
    if not bounds["min"].is_valid:
        return
    if column.minimum is not None:
        least = _bound(column.minimum, values.type)
        if bounds["min"].as_py() < least.as_py():
            yield Broken("below_minimum", _mask(pc.less(values, least)), f"at least {column.minimum}")
    if column.maximum is not None:
        most = _bound(column.maximum, values.type)
        if bounds["max"].as_py() > most.as_py():
            yield Broken("above_maximum", _mask(pc.greater(values, most)), f"at most {column.maximum}")


def _bound(value: Any, kind: pa.DataType) -> pa.Scalar:
    if pa.types.is_date(kind):
        return pa.scalar(date.fromisoformat(str(value)), kind)
    if pa.types.is_timestamp(kind):
        return pa.scalar(datetime.fromisoformat(str(value)), kind)
    return pa.scalar(Decimal(str(value)) if pa.types.is_decimal(kind) else int(value), kind)


def _other_form(pattern: str, values: pa.StringArray) -> Iterator[Broken]:
    encoded = values.dictionary_encode()
    wrong = pc.invert(pc.match_substring_regex(encoded.dictionary, pattern))
    if pc.any(wrong).as_py():
        yield Broken("pattern_mismatch", _mask(wrong.take(encoded.indices)), f"the form {pattern}")


def _too_long(limit: int, values: pa.StringArray) -> Iterator[Broken]:
    if len(values) == 0 or int(lengths_in_bytes(values).max()) <= limit:
        return
    wrong = pc.greater(pc.utf8_length(values), limit)
    if pc.any(wrong).as_py():
        yield Broken("too_long", _mask(wrong), f"at most {limit} characters")
