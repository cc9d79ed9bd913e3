"""Written whole numbers and decimals, in the declared notation."""

import re
from decimal import Context, Decimal

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.sources.profiles import Notation
from pipelines.sources.texts import Fast, RefusedValueError, Slow, lengths_in_bytes, only_signs

INT64 = (-(2**63), 2**63 - 1)
MAX_SIGNS = 4000  # of a number; more are no number anybody meant
SURE_DIGITS = 28  # Arrow's cast to decimals of 128 bits is right up to here whatever the scale
EXACT = Context(prec=400)
INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,6})?", re.ASCII)
NOT_FINITE = re.compile(r"[+-]?(nan|inf|infinity)", re.IGNORECASE)


def integers(notation: Notation) -> Fast:
    def fast(texts: pa.StringArray) -> pa.Array:
        only_signs(texts, b"0123456789-")
        return texts.cast(pa.int64())

    return fast


def integer(notation: Notation) -> Slow:
    def slow(text: str) -> int:
        plain = _without_thousands(text, notation)
        if NOT_FINITE.fullmatch(plain):
            raise RefusedValueError("not_finite")
        if not INTEGER.fullmatch(plain):
            raise RefusedValueError("not_an_integer")
        if len(plain) > MAX_SIGNS or not INT64[0] <= int(plain) <= INT64[1]:
            raise RefusedValueError("number_too_large")
        return int(plain)

    return slow


def decimals(kind: pa.Decimal128Type, notation: Notation) -> Fast:
    comma = notation.decimal == ","

    def fast(texts: pa.StringArray) -> pa.Array:
        only_signs(texts, b"0123456789-," if comma else b"0123456789-.")
        if len(texts) and int(lengths_in_bytes(texts).max()) > SURE_DIGITS:
            raise pa.ArrowInvalid("the cast would wrap around instead of failing")
        return (pc.replace_substring(texts, ",", ".") if comma else texts).cast(kind)

    return fast


def decimal(kind: pa.Decimal128Type, notation: Notation) -> Slow:
    def slow(text: str) -> Decimal:
        plain = _without_thousands(text, notation)
        if notation.decimal == ",":
            plain = "" if "." in plain else plain.replace(",", ".")
        if NOT_FINITE.fullmatch(plain):
            raise RefusedValueError("not_finite")
        if len(plain) > MAX_SIGNS or not NUMBER.fullmatch(plain):
            raise RefusedValueError("not_a_number")
        return _fit(Decimal(plain), kind)

    return slow


def _fit(value: Decimal, kind: pa.Decimal128Type) -> Decimal:
    """The value as the column keeps it.

    Raises RefusedValueError when it is too large or has more decimals than the column.
    """
    if not value.is_finite() or value.adjusted() > 308:
        raise RefusedValueError("not_finite")
    unit = Decimal(1).scaleb(-kind.scale)
    if value == 0:
        return Decimal(0).quantize(unit)
    if value.adjusted() >= kind.precision - kind.scale:
        raise RefusedValueError("number_too_large")
    _, digits, exponent = value.as_tuple()
    while digits and digits[-1] == 0:
        digits, exponent = digits[:-1], int(exponent) + 1
    if -int(exponent) > kind.scale:
        raise RefusedValueError("too_many_decimals")
    return value.quantize(unit, context=EXACT)


def _without_thousands(text: str, notation: Notation) -> str:
    """The number without its thousands signs, where they stand between groups of three; else the text as it is."""
    sign = notation.thousands
    if not sign or sign not in text:
        return text
    grouped = rf"[+-]?[0-9]{{1,3}}({re.escape(sign)}[0-9]{{3}})+({re.escape(notation.decimal)}[0-9]*)?"
    return text.replace(sign, "") if re.fullmatch(grouped, text, re.ASCII) else "malformed"
