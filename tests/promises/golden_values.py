"""What a written value means, said a second time for the golden model: one text in, one value or a reason out."""

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

BLANKS = " \t"


class BadValueError(Exception):
    """One value; the reason code is its text."""


def read_value(text: str | None, column: Any, notation: Any, zone: str) -> Any:
    """The value of a cell, None when it is empty."""
    is_reference = column.key_position is not None or column.name.endswith("_id")
    if text is not None and (column.physical_type != "VARCHAR" or is_reference):
        text = text.strip(BLANKS)
    if text is None or text == "" or text in notation.null_values:
        return None
    return _typed(text, column, notation, notation.time_zone or zone)


def allowed(value: Any, column: Any) -> Any:
    """The value, when the contract takes it."""
    if value is None:
        if column.required:
            raise BadValueError("missing_required")
        return None
    if column.allowed and value not in column.allowed:
        raise BadValueError("not_allowed")
    if column.minimum is not None and value < _bound(column.minimum, value):
        raise BadValueError("below_minimum")
    if column.maximum is not None and value > _bound(column.maximum, value):
        raise BadValueError("above_maximum")
    if column.pattern and not re.search(column.pattern.replace("$", r"\Z"), value):
        raise BadValueError("pattern_mismatch")
    if column.max_length is not None and len(value) > column.max_length:
        raise BadValueError("too_long")
    return value


def _bound(limit: Any, value: Any) -> Any:
    if isinstance(value, datetime):
        return datetime.fromisoformat(limit)
    return date.fromisoformat(limit) if isinstance(value, date) else Decimal(str(limit))


def _typed(text: str, column: Any, notation: Any, zone: str) -> Any:
    kind = column.physical_type
    if kind == "VARCHAR":
        return text
    if kind == "BIGINT":
        return _integer(_plain(text, notation, "not_an_integer"))
    if kind == "DATE":
        return read_date(text, notation.date_format)
    if kind == "TIMESTAMP":
        return read_moment(text, notation.timestamp_format, zone)
    if kind == "BOOLEAN":
        return _boolean(text, notation)
    return _number(_plain(text, notation, "not_a_number"), *column.precision_scale)


def _plain(text: str, notation: Any, code: str) -> str:
    """The number in C notation."""
    if notation.thousands and notation.thousands in text:
        sign, digits = (text[0], text[1:]) if text[0] in "+-" else ("", text)
        whole, point, rest = digits.partition(notation.decimal)
        groups = whole.split(notation.thousands)
        fine = 1 <= len(groups[0]) <= 3 and all(len(group) == 3 for group in groups[1:])
        if not fine or not all(_digits(group) for group in groups) or (rest and not _digits(rest)):
            raise BadValueError(code)
        text = sign + "".join(groups) + point + rest
    if notation.decimal == "," and code == "not_a_number":
        if "." in text:
            raise BadValueError(code)
        text = text.replace(",", ".")
    return text


def _digits(text: str) -> bool:
    return bool(text) and all(sign in "0123456789" for sign in text)


def _integer(text: str) -> int:
    if text.lower().lstrip("+-") in ("nan", "inf", "infinity") and len(text) - len(text.lstrip("+-")) <= 1:
        raise BadValueError("not_finite")
    if not _digits(text[1:] if text[0] in "+-" else text):
        raise BadValueError("not_an_integer")
    if not -(2**63) <= int(text) < 2**63:
        raise BadValueError("number_too_large")
    return int(text)


def _number(text: str, precision: int, scale: int) -> Decimal:
    if text.lower().lstrip("+-") in ("nan", "inf", "infinity") and len(text) - len(text.lstrip("+-")) <= 1:
        raise BadValueError("not_finite")
    unsigned = text[1:] if text[0] in "+-" else text
    mantissa, e, exponent = unsigned.replace("E", "e").partition("e")
    whole, _, rest = mantissa.partition(".")
    if not _digits(whole + rest) or (
        e and not (_digits(exponent.lstrip("+-")) and re.fullmatch("[+-]?[0-9]{1,6}", exponent))
    ):
        raise BadValueError("not_a_number")
    value = Decimal(text)
    if value.adjusted() > 308 and value:
        raise BadValueError("not_finite")
    if abs(value) >= Decimal(10) ** (precision - scale):
        raise BadValueError("number_too_large")
    numerator, denominator = value.as_integer_ratio()
    if numerator * 10**scale % denominator:
        raise BadValueError("too_many_decimals")
    return value


def read_date(text: str, form: str) -> date:
    try:
        if form == "%Y-%m-%d":
            if not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
                raise BadValueError("not_a_date")
            return date.fromisoformat(text)
        moment = datetime.strptime(text, form)  # noqa: DTZ007 - a day has no zone
    except ValueError as error:
        raise BadValueError("not_a_date") from error
    if (moment.hour, moment.minute, moment.second, moment.microsecond) != (0, 0, 0, 0):
        raise BadValueError("not_a_date")
    return moment.date()


def read_moment(text: str, form: str | None, zone: str) -> datetime:
    try:
        moment = datetime.strptime(text, form) if form else _iso(text)  # noqa: DTZ007 - added below
        if moment.tzinfo is None:
            local = moment.replace(tzinfo=ZoneInfo(zone))
            if local.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) != moment:
                raise BadValueError("nonexistent_local_time")
            moment = local
        return moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError) as error:
        raise BadValueError("not_a_timestamp") from error


def _iso(text: str) -> datetime:
    day, rest = text[:10], text[11:]
    if not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", day) or text[10:11] not in ("T", " "):
        raise ValueError(text)
    found = re.fullmatch(r"([0-9]{2}):([0-9]{2})(?::([0-9]{2})([.][0-9]+)?)?(|Z|[+-][0-9]{2}(:?[0-9]{2})?)", rest)
    if not found:
        raise ValueError(text)
    hour, minute, second, fraction, zone, _ = found.groups()
    micros = Decimal(fraction or 0) * 1_000_000
    if micros != int(micros):
        raise ValueError(text)
    moment = datetime.fromisoformat(day).replace(hour=int(hour), minute=int(minute), second=int(second or 0))
    moment = moment.replace(microsecond=int(micros))
    if not zone:
        return moment
    moment = moment.replace(tzinfo=UTC)
    if zone == "Z":
        return moment
    hours, minutes = int(zone[1:3]), int(zone[-2:] if len(zone) > 3 else 0)
    if hours > 23 or minutes > 59:
        raise ValueError(text)
    offset = timedelta(hours=hours, minutes=minutes)
    return moment - offset if zone[0] == "+" else moment + offset


def _boolean(text: str, notation: Any) -> bool:
    if text.casefold() in [value.casefold() for value in notation.true_values]:
        return True
    if text.casefold() in [value.casefold() for value in notation.false_values]:
        return False
    raise BadValueError("not_a_boolean")
