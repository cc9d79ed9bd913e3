"""Columns that arrive with types (Parquet, Excel, SQL, expressions) as the contract's types, without loss.

What has no lossless direct way goes through text, in the notation below, and meets the same rules as delivered text.
"""

import json
from collections.abc import Callable
from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.sources.contracts import Column
from pipelines.sources.moments import moments_in_utc
from pipelines.sources.profiles import Notation
from pipelines.sources.values import Values, read_text

CANONICAL = Notation()
TYPES = {
    "VARCHAR": pa.string(),
    "BIGINT": pa.int64(),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us"),
    "BOOLEAN": pa.bool_(),
}


def arrow_type(column: Column) -> pa.DataType:
    """Arrow type of a contract column."""
    return TYPES.get(column.physical_type) or pa.decimal128(*column.precision_scale)


def typed_values(delivered: pa.Array, kind: pa.DataType, notation: Notation, zone: str) -> Values:
    """A delivered column, of any Arrow type, as values of the contract's type.

    Args:
        delivered: As read; text is in `notation`.
        kind: Arrow type of the contract column.
        notation: How the company writes values.
        zone: IANA zone of moments that name none.
    """
    if pa.types.is_dictionary(delivered.type):
        delivered = delivered.cast(delivered.type.value_type)
    if pa.types.is_null(delivered.type):
        return Values(pa.nulls(len(delivered), kind))
    if _is_text(delivered.type):
        return read_text(delivered.cast(pa.string()), kind, notation, zone)
    try:
        array = _direct(delivered, kind, zone)
    except pa.ArrowInvalid:
        array = None
    if array is not None:
        return Values(array)
    return read_text(as_text(delivered, kind), kind, CANONICAL, zone)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_exact(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_decimal(kind))


def _direct(delivered: pa.Array, kind: pa.DataType, zone: str) -> pa.Array | None:
    """The column by a cast that cannot change a value; None when there is none for these types.

    Raises pa.ArrowInvalid when a value does not survive it.
    """
    have = delivered.type
    if have == kind and not pa.types.is_timestamp(have):
        return delivered
    if pa.types.is_timestamp(kind) and (pa.types.is_timestamp(have) or pa.types.is_date(have)):
        return _moments(delivered, zone)
    if pa.types.is_date(kind) and pa.types.is_date(have):
        return delivered.cast(kind)
    if pa.types.is_date(kind) and pa.types.is_timestamp(have) and not have.tz:
        return _days_at_midnight(delivered)
    if pa.types.is_integer(have) and pa.types.is_decimal(kind):
        return delivered.cast(pa.decimal128(38, kind.scale)).cast(kind)
    if _is_exact(have) and _is_exact(kind):
        return delivered.cast(kind)
    return None


def _moments(delivered: pa.Array, zone: str) -> pa.Array:
    """Stamps with a zone as UTC; without one, and days, as local time (a day begins at midnight)."""
    if pa.types.is_timestamp(delivered.type) and delivered.type.tz:
        return delivered.cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us"))
    return moments_in_utc(delivered.cast(pa.timestamp("us")), zone)


def _days_at_midnight(delivered: pa.Array) -> pa.Array:
    days = delivered.cast(pa.date32())
    if not days.cast(delivered.type).equals(delivered):
        raise pa.ArrowInvalid("a time of day would be lost")
    return days


def as_text(delivered: pa.Array, kind: pa.DataType) -> pa.StringArray:
    """A typed column as text in ISO and plain notation.

    Whole numbers are written without decimals where `kind` is an integer or text, also when they come as floats.
    """
    have = delivered.type
    if pa.types.is_floating(have):
        return _each(delivered, _float_text)
    if pa.types.is_decimal(have) and pa.types.is_integer(kind):
        return _each(delivered, lambda value: f"{value.normalize():f}")
    if pa.types.is_binary(have) or pa.types.is_large_binary(have):
        return _each(delivered, lambda value: value.decode("utf-8", "backslashreplace"))
    if pa.types.is_nested(have):
        return _each(delivered, lambda value: json.dumps(value, ensure_ascii=False, default=str, sort_keys=True))
    if pa.types.is_timestamp(have) and not pa.types.is_string(kind):
        return _each(delivered, lambda value: value.isoformat())
    if pa.types.is_date(have) and pa.types.is_timestamp(kind):
        return _each(delivered, lambda value: f"{value.isoformat()}T00:00:00")
    try:
        return delivered.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return _each(delivered, str)


def _each(delivered: pa.Array, write: Callable[[Any], str]) -> pa.StringArray:
    return pa.array([None if value is None else write(value) for value in delivered.to_pylist()], pa.string())


def _float_text(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)


def days_of(delivered: pa.Array, notation: Notation, zone: str) -> Values:
    """The calendar day of each value of a column of days or moments; of moments the day in `zone`."""
    found = typed_values(delivered, pa.date32(), notation, zone)
    if not found.refused:
        return found
    rows = pa.array(sorted(found.refused), pa.int64())
    moments = typed_values(delivered.take(rows), pa.timestamp("us"), notation, zone)
    encoded = moments.array.dictionary_encode()
    info = ZoneInfo(zone)
    local = [moment.replace(tzinfo=UTC).astimezone(info).date() for moment in encoded.dictionary.to_pylist()]
    days = pa.array(local, pa.date32()).take(encoded.indices)
    refused = {int(rows[at].as_py()): "not_a_date" for at in moments.refused}
    mask = np.zeros(len(delivered), np.bool_)
    mask[rows.to_numpy()] = True
    return Values(pc.replace_with_mask(found.array, pa.array(mask), days), refused)
