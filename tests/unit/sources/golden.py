"""What reading a delimited file means, said a second time: plain Python, one character and one value after the other.

Shares no code with the product and uses neither Arrow, NumPy nor DuckDB. Slow, and meant to be read.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

BLANKS = " \t"
CONTROLS = {chr(code) for code in [*range(32), 127]} - {"\t", "\n", "\r"}


class RefusedError(Exception):
    """The file as a whole; the reason code is its text."""


class BadValueError(Exception):
    """One value; the reason code is its text."""


@dataclass
class GoldenRecord:
    number: int
    cells: dict[str, str] | None
    code: str | None
    raw: str


@dataclass
class Outcome:
    """Where each record number ended; `loaded` holds its values."""

    loaded: dict[int, dict[str, Any]] = field(default_factory=dict)
    quarantined: dict[int, tuple[str, str | None]] = field(default_factory=dict)
    duplicate: set[int] = field(default_factory=set)
    filtered: set[int] = field(default_factory=set)


# --------------------------------------------------------------------------------------------------------- the file


def read(content: bytes, required: set[str], delimiter: str = ",", quote: str = '"', cell_limit: int = 4 << 20) -> Any:
    """(header, records) of a UTF-8 file, or RefusedError."""
    content = content.removeprefix(b"\xef\xbb\xbf")
    if not content:
        raise RefusedError("empty_file")
    if not content.endswith(b"\n"):
        raise RefusedError("no_final_newline")
    text = content.decode("utf-8", "surrogateescape")
    end, cells, code = _record(text, 0, delimiter, quote, cell_limit)
    if code is None:
        code = _bytes_wrong(text[:end], cells)
    if code == "invalid_encoding" or "\0" in text[:end]:
        raise RefusedError("wrong_encoding")
    if code:
        raise RefusedError("no_header")
    header = [value for value, _ in cells]
    if required and not required & set(header):
        raise RefusedError("no_header")
    if "" in header:
        raise RefusedError("no_header")
    if len(set(header)) < len(header):
        raise RefusedError("duplicate_header")
    if required - set(header):
        raise RefusedError("missing_column")
    return header, list(_records(text, end, header, delimiter, quote, cell_limit))


def _records(text: str, position: int, header: list[str], delimiter: str, quote: str, cell_limit: int) -> Any:
    number = 1
    while position < len(text):
        end, cells, code = _record(text, position, delimiter, quote, cell_limit)
        raw = text[position:end]
        if code is None:
            code = _bytes_wrong(raw, cells)
        values = [value for value, _ in cells]
        if code is None and len(values) != len(header):
            code = "field_count"
        if code is None and values == header:
            code = "repeated_header"
        named = None if code else dict(zip(header, values, strict=True))
        yield GoldenRecord(number, named, code, raw.removesuffix("\n").removesuffix("\r"))
        position, number = end, number + 1


def _bytes_wrong(raw: str, cells: list[tuple[str, bool]]) -> str | None:
    if any("\udc80" <= sign <= "\udcff" for sign in raw):
        return "invalid_encoding"
    if any(sign in CONTROLS for sign in raw) or any("\r" in value for value, is_quoted in cells if not is_quoted):
        return "control_character"
    return None


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))


def _record(text: str, start: int, delimiter: str, quote: str, cell_limit: int) -> Any:
    """(end, [(value, is quoted)], reason or None) of the record at `start`."""
    cells: list[tuple[str, bool]] = []
    code = None
    position = start
    while True:
        begin = position
        is_quoted = text[begin] == quote
        if is_quoted:
            close, follows = _close(text, begin, delimiter, quote, cell_limit)
            if close is None:
                return text.index("\n", begin) + 1, cells, "unterminated_quote"
            if not follows:
                code = code or "stray_quote"
            value = text[begin + 1 : close].replace(quote * 2, quote)
            position = close + 1
        while text[position] not in (delimiter, "\n"):
            position += 1
        if not is_quoted:
            value = text[begin:position]
            code = code or ("stray_quote" if quote in value else None)
            value = value.removesuffix("\r") if text[position] == "\n" else value
        if _size(text[begin:position]) > cell_limit:
            code = code or "cell_too_long"
        cells.append((value, is_quoted))
        position += 1
        if text[position - 1] == "\n":
            return position, cells, code


def _close(text: str, begin: int, delimiter: str, quote: str, cell_limit: int) -> tuple[int | None, bool]:
    """Where the quote opened at `begin` is closed (None: never, as far as one can know); if the field ends there."""
    close = begin + 1
    while close < len(text) and (text[close] != quote or text[close + 1] == quote):
        close += 1 if text[close] != quote else 2
    if close >= len(text):
        return None, False
    follows = text[close + 1 :].startswith((delimiter, "\n", "\r\n"))
    is_doubtful = not follows or _size(text[begin:close]) > cell_limit
    return (None if is_doubtful and "\n" in text[begin:close] else close), follows


# ------------------------------------------------------------------------------------------------------- the values


def conform(records: list[GoldenRecord], source: Any, contract: Any, profile: Any) -> Outcome:
    """Where each record ends, for mappings from columns, constants and running numbers."""
    outcome = Outcome()
    seen: set[tuple[str, ...]] = set()
    counts: dict[tuple[str, ...], int] = {}
    for record in records:
        if record.cells is None:
            outcome.quarantined[record.number] = (record.code or "", None)
            continue
        content = tuple(record.cells.values())
        if source.identical_records == "duplicate" and content in seen:
            outcome.duplicate.add(record.number)
            continue
        seen.add(content)
        _settle(record, source, contract, profile, counts, outcome)
    return outcome


def _settle(record: GoldenRecord, source: Any, contract: Any, profile: Any, counts: Any, outcome: Outcome) -> None:
    values: dict[str, Any] = {}
    verdict = None
    for column in contract.columns:
        try:
            text = _text(record.cells or {}, column.name, source, counts)
            values[column.name] = _value(text, column, source.notation, profile.time_zone)
        except BadValueError as error:
            verdict = verdict or (str(error), column.name)
    if verdict:
        outcome.quarantined[record.number] = verdict
    else:
        outcome.loaded[record.number] = values


def _text(cells: dict[str, str], name: str, source: Any, counts: dict[tuple[str, ...], int]) -> str | None:
    mapping = source.columns.get(name)
    if mapping is None or mapping.kind == "source":
        return cells.get(name if mapping is None else mapping.source)
    if mapping.kind == "constant":
        return str(mapping.constant)
    key = (name, *(cells[column] for column in mapping.within))
    counts[key] = counts.get(key, 0) + 1
    return str(counts[key])


def _value(text: str | None, column: Any, notation: Any, zone: str) -> Any:
    is_reference = column.key_position is not None or column.name.endswith("_id")
    if text is not None and (column.physical_type != "VARCHAR" or is_reference):
        text = text.strip(BLANKS)
    if text is None or text == "" or text in notation.null_values:
        if column.required:
            raise BadValueError("missing_required")
        return None
    value = _typed(text, column, notation, notation.time_zone or zone)
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
        return _date(text, notation.date_format)
    if kind == "TIMESTAMP":
        return _moment(text, notation.timestamp_format, zone)
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


def _date(text: str, form: str) -> date:
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


def _moment(text: str, form: str | None, zone: str) -> datetime:
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
