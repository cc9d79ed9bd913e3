"""Text to values, strictly: a value in the declared notation, or a reason why not. Nothing is rounded or guessed.

Whole columns are read at once; those with a few odd values are split until only the rows around them are read one by
one. How each type is written is said in `numerals` and `moments`.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.sources import moments, numerals
from pipelines.sources.profiles import Notation
from pipelines.sources.texts import Fast, RefusedValueError, Slow, without_null_values

BLANKS = " \t"
FEW = 256  # distinct texts that may be read one by one


@dataclass
class Values:
    """A column of values; where it has none, `refused` says why (row -> reason code), else the cell was empty."""

    array: pa.Array
    refused: dict[int, str] = field(default_factory=dict)


def read_text(texts: pa.StringArray, kind: pa.DataType, notation: Notation, zone: str) -> Values:
    """The values of a column of texts.

    Args:
        texts: As delivered; empty cells and the notation's null values become null.
        kind: Arrow type of the contract column.
        notation: How the values are written.
        zone: IANA zone of moments that name none.
    """
    if pa.types.is_string(kind):
        return Values(without_null_values(texts, notation))
    fast, slow = _forms(kind, notation, zone)
    nulls = frozenset(notation.null_values) | {""}

    def decide(text: str) -> Any:
        trimmed = text.strip(BLANKS)
        return None if trimmed in nulls else slow(trimmed)

    return _read(without_null_values(texts, notation), kind, fast, decide)


def _forms(kind: pa.DataType, notation: Notation, zone: str) -> tuple[Fast, Slow]:
    if pa.types.is_integer(kind):
        return numerals.integers(notation), numerals.integer(notation)
    if pa.types.is_decimal(kind):
        return numerals.decimals(kind, notation), numerals.decimal(kind, notation)
    if pa.types.is_date(kind):
        return moments.days(notation.date_format), moments.day(notation.date_format)
    if pa.types.is_timestamp(kind):
        return moments.moments(notation.timestamp_format, zone), moments.moment(notation.timestamp_format, zone)
    return _booleans(notation), _boolean(notation)


def _read(texts: pa.StringArray, kind: pa.DataType, fast: Fast, slow: Slow) -> Values:
    """Whole stretches by `fast`; those it does not take are split until few texts are left to read one by one."""
    try:
        return Values(fast(texts))
    except pa.ArrowInvalid:
        encoded = texts.dictionary_encode()
        if len(encoded.dictionary) <= max(FEW, len(texts) // 8):
            return _read_each(encoded, kind, slow)
    size = max(FEW, -(-len(texts) // 16))
    parts = [(begin, _read(texts.slice(begin, size), kind, fast, slow)) for begin in range(0, len(texts), size)]
    refused = {begin + row: code for begin, part in parts for row, code in part.refused.items()}
    return Values(pa.concat_arrays([part.array for _, part in parts]), refused)


def _read_each(encoded: pa.DictionaryArray, kind: pa.DataType, slow: Slow) -> Values:
    values, codes = [], {}
    for position, text in enumerate(encoded.dictionary.to_pylist()):
        value = None
        try:
            value = slow(text)
        except RefusedValueError as error:
            codes[position] = error.code
        values.append(value)
    array = pa.array(values, pa.int64() if pa.types.is_timestamp(kind) else kind).cast(kind).take(encoded.indices)
    if not codes:
        return Values(array)
    wrong = pc.is_in(encoded.indices, value_set=pa.array(list(codes), encoded.indices.type))
    rows = np.flatnonzero(wrong.to_numpy(zero_copy_only=False)).tolist()
    return Values(
        array, dict(zip(rows, (codes[at] for at in encoded.indices.take(pa.array(rows)).to_pylist()), strict=True))
    )


def _booleans(notation: Notation) -> Fast:
    def fast(texts: pa.StringArray) -> pa.Array:
        encoded = texts.dictionary_encode()
        if len(encoded.dictionary) > 64:
            raise pa.ArrowInvalid("too many spellings")
        slow = _boolean(notation)
        try:
            values = [slow(text) for text in encoded.dictionary.to_pylist()]
        except RefusedValueError as error:
            raise pa.ArrowInvalid("no boolean") from error
        return pa.array(values, pa.bool_()).take(encoded.indices)

    return fast


def _boolean(notation: Notation) -> Slow:
    yes = {value.casefold() for value in notation.true_values}
    no = {value.casefold() for value in notation.false_values}

    def slow(text: str) -> bool:
        spelling = text.casefold()
        if spelling in yes:
            return True
        if spelling in no:
            return False
        raise RefusedValueError("not_a_boolean")

    return slow
