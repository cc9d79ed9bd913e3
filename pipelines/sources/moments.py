"""Written days and moments, in ISO 8601 or a declared format; moments become UTC."""

import re
from datetime import UTC, date, datetime, time
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.sources.local_time import EPOCH, FIRST, LAST, SECOND, to_utc
from pipelines.sources.texts import Fast, RefusedValueError, Slow, content_of, lengths_in_bytes, offsets_of

MIDNIGHT = time()
DAY = 86400 * SECOND
FIRST_DAY, LAST_DAY = FIRST // DAY, LAST // DAY
ISO = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2})(:[0-9]{2})?(?:\.([0-9]+))?(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?",
    re.ASCII,
)
ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
FIELDS = {"Y": (0, 4), "m": (5, 2), "d": (8, 2), "H": (11, 2), "M": (14, 2), "S": (17, 2)}


def days(form: str) -> Fast:
    def fast(texts: pa.StringArray) -> pa.Array:
        days = _as_iso(texts, form, 10).cast(pa.date32())
        _within(days.cast(pa.int32()), FIRST_DAY, LAST_DAY)
        return days

    return fast


def day(form: str) -> Slow:
    def slow(text: str) -> date:
        if form == "%Y-%m-%d" and not ISO_DATE.fullmatch(text):
            raise RefusedValueError("not_a_date")
        parsed = _parsed(text, form, "not_a_date")
        if parsed.time() != MIDNIGHT:
            raise RefusedValueError("not_a_date")
        return parsed.date()

    return slow


def moments(form: str | None, zone: str) -> Fast:
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
    lengths, starts = lengths_in_bytes(texts), offsets_of(texts)[:-1]
    filled = lengths > 0
    if filled.any():
        if int(lengths[filled].min()) < 16:
            raise pa.ArrowInvalid("no time of day")
        data = np.frombuffer(texts.buffers()[2], np.uint8)
        if not (data[starts[filled] + 13] == ord(":")).all():
            raise pa.ArrowInvalid("no minutes")
    likely, other = pa.timestamp("us"), pa.timestamp("us", "UTC")
    # The wrong one of the two fails slowly, and the first text says which it is.
    if filled.any() and _ends_in_a_zone(texts[int(np.argmax(filled))].as_py()):
        likely, other = other, likely
    try:
        return texts.cast(likely)
    except pa.ArrowInvalid:
        return texts.cast(other)


def _ends_in_a_zone(text: str) -> bool:
    return text.endswith("Z") or text[-6:-5] in ("+", "-")


def moment(form: str | None, zone: str) -> Slow:
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
    lengths, offsets = lengths_in_bytes(texts), offsets_of(texts)
    filled = lengths > 0
    if not (lengths[filled] == length).all():
        raise pa.ArrowInvalid("other width")
    grid = content_of(texts).reshape(-1, length)
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
