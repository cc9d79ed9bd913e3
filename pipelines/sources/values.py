"""Text to values, strictly: a value in the declared notation, or a reason why not. Nothing is rounded or guessed.

Each type has two forms that must agree: one for a whole column, which raises `pa.ArrowInvalid` as soon as anything
is not plain, and one for a single text, which decides. Columns with a few odd values take the second for those only.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Context, Decimal
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.sources.local_time import EPOCH, FIRST, LAST, SECOND, to_utc
from pipelines.sources.profiles import Notation

Mask = npt.NDArray[np.bool_]

BLANKS = " \t"
SLICE = 4096  # rows that are read one by one when one of them is odd
INT64 = (-(2**63), 2**63 - 1)
MIDNIGHT = time()
EXACT = Context(prec=400)
DAY = 86400 * SECOND
FIRST_DAY, LAST_DAY = FIRST // DAY, LAST // DAY
INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,6})?", re.ASCII)
NOT_FINITE = re.compile(r"[+-]?(nan|inf|infinity)", re.IGNORECASE)
ISO = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2})(:[0-9]{2})?(?:\.([0-9]+))?(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?",
    re.ASCII,
)
ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
FIELDS = {"Y": (0, 4), "m": (5, 2), "d": (8, 2), "H": (11, 2), "M": (14, 2), "S": (17, 2)}


class RefusedValueError(Exception):
    """A text that is no value; `code` is one of `ops.REASONS`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass
class Values:
    """A column of values; where it has none, `refused` says why (row -> reason code), else the cell was empty."""

    array: pa.Array
    refused: dict[int, str] = field(default_factory=dict)


Fast = Callable[[pa.StringArray], pa.Array]
Slow = Callable[[str], Any]


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
        return _integers(notation), _integer(notation)
    if pa.types.is_decimal(kind):
        return _decimals(kind, notation), _decimal(kind, notation)
    if pa.types.is_date(kind):
        return _dates(notation.date_format), _date(notation.date_format)
    if pa.types.is_timestamp(kind):
        return _moments(notation.timestamp_format, zone), _moment(notation.timestamp_format, zone)
    return _booleans(notation), _boolean(notation)


def _read(texts: pa.StringArray, kind: pa.DataType, fast: Fast, slow: Slow) -> Values:
    """Whole stretches by `fast`; those it does not take are split, and the smallest read value by value."""
    try:
        return Values(fast(texts))
    except pa.ArrowInvalid:
        if len(texts) <= SLICE:
            return _read_each(texts, kind, slow)
    size = max(SLICE, -(-len(texts) // 16))
    parts = [(begin, _read(texts.slice(begin, size), kind, fast, slow)) for begin in range(0, len(texts), size)]
    refused = {begin + row: code for begin, part in parts for row, code in part.refused.items()}
    return Values(pa.concat_arrays([part.array for _, part in parts]), refused)


def _read_each(texts: pa.StringArray, kind: pa.DataType, slow: Slow) -> Values:
    encoded = texts.dictionary_encode()
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
    refused = {row: codes[at] for row, at in enumerate(encoded.indices.to_pylist()) if at in codes}
    return Values(array, refused)


# ------------------------------------------------------------------------------------------- what a text array holds


def lengths_in_bytes(texts: pa.StringArray) -> npt.NDArray[np.int32]:
    """Byte length of each text."""
    return np.diff(_offsets(texts))


def _offsets(texts: pa.StringArray) -> npt.NDArray[np.int32]:
    if len(texts) == 0:
        return np.zeros(1, np.int32)
    return np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]


def _content(texts: pa.StringArray) -> npt.NDArray[np.uint8]:
    offsets = _offsets(texts)
    if len(texts) == 0 or offsets[-1] == offsets[0]:
        return np.empty(0, np.uint8)
    return np.frombuffer(texts.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]


def without_null_values(texts: pa.StringArray, notation: Notation) -> pa.StringArray:
    """Empty cells and null values as nulls; null slots hold no bytes."""
    empty = lengths_in_bytes(texts) == 0
    spelled = [value for value in notation.null_values if value]
    if spelled:
        found = pc.is_in(texts, value_set=pa.array(spelled, pa.string()))
        if pc.any(found).as_py():
            return pc.if_else(pc.or_(found, pa.array(empty)), pa.scalar(None, pa.string()), texts)
    if not empty.any():
        return texts
    if texts.offset or texts.null_count:
        return pc.if_else(pa.array(empty), pa.scalar(None, pa.string()), texts)
    validity = pa.py_buffer(np.packbits(~empty, bitorder="little"))
    return pa.Array.from_buffers(pa.string(), len(texts), [validity, *texts.buffers()[1:]])


def _only(texts: pa.StringArray, signs: bytes) -> None:
    """Raise unless the texts are made of these signs."""
    allowed = np.zeros(256, np.bool_)
    allowed[list(signs)] = True
    if not allowed[_content(texts)].all():
        raise pa.ArrowInvalid("other signs")


# ------------------------------------------------------------------------------------------------------- numbers


def _integers(notation: Notation) -> Fast:
    def fast(texts: pa.StringArray) -> pa.Array:
        _only(texts, b"0123456789-")
        return texts.cast(pa.int64())

    return fast


def _integer(notation: Notation) -> Slow:
    def slow(text: str) -> int:
        plain = _without_thousands(text, notation)
        if NOT_FINITE.fullmatch(plain):
            raise RefusedValueError("not_finite")
        if not INTEGER.fullmatch(plain):
            raise RefusedValueError("not_an_integer")
        if len(plain) > 4000 or not INT64[0] <= int(plain) <= INT64[1]:
            raise RefusedValueError("number_too_large")
        return int(plain)

    return slow


def _decimals(kind: pa.Decimal128Type, notation: Notation) -> Fast:
    comma = notation.decimal == ","

    def fast(texts: pa.StringArray) -> pa.Array:
        _only(texts, b"0123456789-," if comma else b"0123456789-.")
        return (pc.replace_substring(texts, ",", ".") if comma else texts).cast(kind)

    return fast


def _decimal(kind: pa.Decimal128Type, notation: Notation) -> Slow:
    def slow(text: str) -> Decimal:
        plain = _without_thousands(text, notation)
        if notation.decimal == ",":
            plain = "" if "." in plain else plain.replace(",", ".")
        if NOT_FINITE.fullmatch(plain):
            raise RefusedValueError("not_finite")
        if len(plain) > 4000 or not NUMBER.fullmatch(plain):
            raise RefusedValueError("not_a_number")
        return fit(Decimal(plain), kind)

    return slow


def fit(value: Decimal, kind: pa.Decimal128Type) -> Decimal:
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


# --------------------------------------------------------------------------------------------- days and moments


def _dates(form: str) -> Fast:
    def fast(texts: pa.StringArray) -> pa.Array:
        days = _as_iso(texts, form, 10).cast(pa.date32())
        _within(days.cast(pa.int32()), FIRST_DAY, LAST_DAY)
        return days

    return fast


def _date(form: str) -> Slow:
    def slow(text: str) -> date:
        if form == "%Y-%m-%d" and not ISO_DATE.fullmatch(text):
            raise RefusedValueError("not_a_date")
        parsed = _parsed(text, form, "not_a_date")
        if parsed.time() != MIDNIGHT:
            raise RefusedValueError("not_a_date")
        return parsed.date()

    return slow


def _moments(form: str | None, zone: str) -> Fast:
    kind = pa.timestamp("us")

    def fast(texts: pa.StringArray) -> pa.Array:
        local = _iso_moments(texts) if form is None else _as_iso(texts, form, 19).cast(kind)
        moments = local.cast(kind) if local.type.tz else moments_in_utc(local, zone)
        _within(moments.cast(pa.int64()), FIRST, LAST)
        return moments

    return fast


def moments_in_utc(local: pa.Array, zone: str) -> pa.Array:
    """Local stamps (timestamp[us] without zone) in UTC. Raises pa.ArrowInvalid when one of them never was."""
    ticks = local.cast(pa.int64())
    gone = ticks.null_count > 0
    moved, never = to_utc((ticks.fill_null(ticks[0] if ticks[0].is_valid else 0) if gone else ticks).to_numpy(), zone)
    if gone:
        never &= local.is_valid().to_numpy(zero_copy_only=False)
    if never.any():
        raise pa.ArrowInvalid("never was")
    mask = local.is_null().to_numpy(zero_copy_only=False) if gone else None
    return pa.array(moved, mask=mask).cast(pa.timestamp("us"))


def _iso_moments(texts: pa.StringArray) -> pa.Array:
    lengths, starts = lengths_in_bytes(texts), _offsets(texts)[:-1]
    filled = lengths > 0
    if filled.any():
        if int(lengths[filled].min()) < 16:
            raise pa.ArrowInvalid("no time of day")
        data = np.frombuffer(texts.buffers()[2], np.uint8)
        if not (data[starts[filled] + 13] == ord(":")).all():
            raise pa.ArrowInvalid("no minutes")
    try:
        return texts.cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        return texts.cast(pa.timestamp("us", "UTC"))


def _moment(form: str | None, zone: str) -> Slow:
    def slow(text: str) -> int:
        parsed = _iso_moment(text) if form is None else _parsed(text, form, "not_a_timestamp")
        if parsed.tzinfo is None:
            ticks, never = to_utc(np.array([_micros(parsed.replace(tzinfo=UTC))]), zone)
            if never[0]:
                raise RefusedValueError("nonexistent_local_time")
            moment = int(ticks[0])
        else:
            moment = _micros(parsed)
        if not FIRST <= moment <= LAST:
            raise RefusedValueError("not_a_timestamp")
        return moment

    return slow


def _micros(moment: datetime) -> int:
    passed = moment - EPOCH
    return (passed.days * 86400 + passed.seconds) * SECOND + passed.microseconds


def _iso_moment(text: str) -> datetime:
    found = ISO.fullmatch(text)
    if found is None:
        raise RefusedValueError("not_a_timestamp")
    day, minute, second, fraction, zone = found.groups()
    digits = (fraction or "").rstrip("0")
    if len(digits) > 6 or (fraction and not second):
        raise RefusedValueError("not_a_timestamp")
    try:
        return datetime.fromisoformat(f"{day}T{minute}{second or ':00'}.{digits or '0':0<6}{zone or ''}")
    except ValueError as error:
        raise RefusedValueError("not_a_timestamp") from error


@lru_cache(maxsize=65536)
def _strptime(text: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(text, form)  # noqa: DTZ007 - the zone is the profile's and added by the caller
    except (ValueError, OverflowError):
        return None


def _parsed(text: str, form: str, code: str) -> datetime:
    moment = _strptime(text, form)
    if moment is None or any(sign.isdecimal() and not sign.isascii() for sign in text):
        raise RefusedValueError(code)
    return moment


def _within(ticks: pa.Array, first: int, last: int) -> None:
    bounds = pc.min_max(ticks).as_py()
    if bounds["min"] is not None and not first <= bounds["min"] <= bounds["max"] <= last:
        raise pa.ArrowInvalid("before year 1 or after 9999")


def _as_iso(texts: pa.StringArray, form: str, width: int) -> pa.StringArray:
    """Texts of a fixed-width numeric format, put into ISO order. Raises pa.ArrowInvalid for other formats or widths.

    Only signs are moved; whether they are digits that make a real day is left to the cast.
    """
    places, literals, length = _layout(form, width)
    lengths, offsets = lengths_in_bytes(texts), _offsets(texts)
    filled = lengths > 0
    if not (lengths[filled] == length).all():
        raise pa.ArrowInvalid("other width")
    grid = _content(texts).reshape(-1, length)
    for at, sign in literals:
        if not (grid[:, at] == sign).all():
            raise pa.ArrowInvalid("other separators")
    template = np.frombuffer(b"0000-00-00 00:00:00"[:width], np.uint8)
    if length == width and all(at == to for at, to in places):
        return texts
    iso = np.tile(template, (len(grid), 1))
    for source, target in places:
        iso[:, target] = grid[:, source]
    moved = np.zeros(len(offsets), np.int32)
    np.cumsum(np.where(filled, width, 0), out=moved[1:])
    validity = pa.py_buffer(np.packbits(filled, bitorder="little"))
    return pa.Array.from_buffers(pa.string(), len(texts), [validity, pa.py_buffer(moved), pa.py_buffer(iso)])


@lru_cache(maxsize=64)
def _layout(form: str, width: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]], int]:
    """(place in the text, place in ISO) of each digit, (place, sign) of each literal, and the width of the text."""
    places: list[tuple[int, int]] = []
    literals: list[tuple[int, int]] = []
    at = position = 0
    seen = set()
    while position < len(form):
        sign = form[position]
        position += 1
        if sign != "%":
            if not sign.isascii() or (sign.isspace() and sign != " "):
                raise pa.ArrowInvalid("not a fixed format")
            literals.append((at, ord(sign)))
            at += 1
            continue
        name = form[position : position + 1]
        position += 1
        if name not in FIELDS or name in seen:
            raise pa.ArrowInvalid("not a fixed format")
        seen.add(name)
        start, size = FIELDS[name]
        places += [(at + i, start + i) for i in range(size)]
        at += size
    if not set("Ymd") <= seen or (width == 10 and seen & set("HMS")):
        raise pa.ArrowInvalid("not a fixed format")
    return places, literals, at


# --------------------------------------------------------------------------------------------------- true and false


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
