"""What reading a delimited file means, said a second time: plain Python, one character and one value after the other.

What several files mean together is in `golden_company`.

Shares no code with the product and uses neither Arrow, NumPy nor DuckDB. Slow, and meant to be read.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from typing import Any
from zoneinfo import ZoneInfo

BLANKS = " \t"
EXACT = Context(prec=200)
CONTROLS = {chr(code) for code in [*range(32), 127]} - {"\t", "\n", "\r"}


class RefusedError(Exception):
    """The file as a whole; the reason code is its text."""


class BadValueError(Exception):
    """One value; the reason code is its text."""


@dataclass(frozen=True)
class Described:
    """What a profile says of one kind of file. `where` judges the cells of a record and reads those columns."""

    notation: Any
    columns: dict[str, Any] = field(default_factory=dict)
    identical_records: str = "keep"
    key_versions: str = "refuse"
    where: Callable[[dict[str, str]], bool] | None = None
    where_reads: tuple[str, ...] = ()
    day_column: str | None = None


@dataclass
class GoldenRecord:
    """One record: the bytes at `offset` of the decompressed file, and as text (what is no text as lone surrogates)."""

    number: int
    offset: int
    delivered: bytes
    cells: dict[str, str] | None
    code: str | None
    raw: str


@dataclass
class Outcome:
    """Where each record number ended; `loaded` holds its values."""

    loaded: dict[int, dict[str, Any]] = field(default_factory=dict)
    days: dict[int, date] = field(default_factory=dict)
    amounts: dict[int, Decimal] = field(default_factory=dict)
    quarantined: dict[int, tuple[str, str | None]] = field(default_factory=dict)
    duplicate: set[int] = field(default_factory=set)
    filtered: set[int] = field(default_factory=set)


# --------------------------------------------------------------------------------------------------------- the file


def read(
    content: bytes,
    required: set[str],
    delimiter: str = ",",
    quote: str = '"',
    cell_limit: int = 4 << 20,
    encoding: str = "utf-8",
) -> Any:
    """(header, records) of a decompressed file, or RefusedError."""
    mark, bare = _mark_and_encoding(content, encoding)
    newline = "\n".encode(bare)
    if len(content) <= len(mark):
        raise RefusedError("empty_file")
    if len(content) % len(newline) or not content.endswith(newline):
        raise RefusedError("no_final_newline")
    text = content[len(mark) :].decode(bare, _errors(bare))
    end, cells, code = _record(text, 0, delimiter, quote, cell_limit)
    if code is None:
        code = _bytes_wrong(text[:end], cells, delimiter, quote)
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
    offset = len(mark) + len(text[:end].encode(bare, _errors(bare)))
    return header, list(_records(text, end, header, delimiter, quote, cell_limit, bare, offset))


def _errors(encoding: str) -> str:
    return "surrogatepass" if encoding.startswith("utf-16") else "surrogateescape"


def _mark_and_encoding(content: bytes, encoding: str) -> tuple[bytes, str]:
    """The byte order mark the file begins with, and its encoding without one."""
    wide = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
    if encoding == "utf-16":
        return (content[:2], wide[content[:2]]) if content[:2] in wide else (b"", "utf-16-le")
    has_mark = content.startswith(b"\xef\xbb\xbf")
    if (encoding == "utf-8" and content[:2] in wide) or (encoding != "utf-8" and has_mark):
        raise RefusedError("wrong_encoding")
    return (content[:3] if has_mark else b""), encoding


def _records(
    text: str, position: int, header: list[str], delimiter: str, quote: str, cell_limit: int, bare: str, offset: int
) -> Any:
    number = 1
    while position < len(text):
        end, cells, code = _record(text, position, delimiter, quote, cell_limit)
        raw = text[position:end]
        if code is None:
            code = _bytes_wrong(raw, cells, delimiter, quote)
        values = [value for value, _ in cells]
        if code is None and len(values) != len(header):
            code = "field_count"
        if code is None and values == header:
            code = "repeated_header"
        named = None if code else dict(zip(header, values, strict=True))
        delivered = raw.encode(bare, _errors(bare))
        yield GoldenRecord(number, offset, delivered, named, code, raw.removesuffix("\n").removesuffix("\r"))
        position, number, offset = end, number + 1, offset + len(delivered)


def _bytes_wrong(raw: str, cells: list[tuple[str, bool]], delimiter: str, quote: str) -> str | None:
    if any("\ud800" <= sign <= "\udfff" for sign in raw):
        return "invalid_encoding"
    if any(sign in CONTROLS - {delimiter, quote} for sign in raw):
        return "control_character"
    if any("\r" in value for value, is_quoted in cells if not is_quoted):
        return "control_character"
    return None


def _size(text: str) -> int:
    return len(re.sub("[\ud800-\udfff]", "?", text).encode())


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


def required_columns(source: Described, contract: Any) -> set[str]:
    """Delivered columns without which no file of the source can be read."""
    needed = set(source.where_reads)
    if source.day_column:
        needed.add(source.day_column)
    for column in contract.columns:
        mapping = source.columns.get(column.name)
        if not column.required or (mapping is not None and mapping.kind == "constant"):
            continue
        if mapping is None or mapping.kind == "source":
            needed.add(column.name if mapping is None else mapping.source)
        else:
            needed |= set(mapping.within)
    return needed


def conform(records: list[GoldenRecord], source: Described, contract: Any, zone: str) -> Outcome:
    """Where each record ends, for mappings from columns, constants and running numbers."""
    outcome = Outcome()
    seen: set[tuple[str, ...]] = set()
    counts: dict[tuple[str, ...], int] = {}
    for record in records:
        if record.cells is None:
            outcome.quarantined[record.number] = (record.code or "", None)
            continue
        if source.where is not None and not source.where(record.cells):
            outcome.filtered.add(record.number)
            continue
        content = tuple(record.cells.values())
        is_repeat = source.identical_records == "duplicate" and content in seen
        seen.add(content)
        _settle(record, is_repeat, source, contract, zone, counts, outcome)
    return outcome


def _settle(
    record: GoldenRecord, is_repeat: bool, source: Described, contract: Any, zone: str, counts: Any, outcome: Outcome
) -> None:
    values: dict[str, Any] = {}
    verdict = None
    read: dict[str, Any] = {}  # what could be read, also where the contract does not take it
    for column in contract.columns:
        try:
            is_uncounted = is_repeat and _is_counted(column.name, source)
            text = "0" if is_uncounted else _text(record.cells or {}, column.name, source, counts)
            read[column.name] = _read(text, column, source.notation, zone)
            values[column.name] = _allowed(read[column.name], column)
        except BadValueError as error:
            verdict = verdict or (str(error), column.name)
    if source.day_column:
        try:
            outcome.days[record.number] = _delivery_day((record.cells or {})[source.day_column], source.notation, zone)
        except BadValueError:
            verdict = verdict or ("no_delivery_day", source.day_column)
    amount = _amount(read, contract)
    if amount is not None:
        outcome.amounts[record.number] = amount
        if abs(amount) >= 10**14:
            verdict = verdict or ("number_too_large", "quantity")
    if is_repeat:
        outcome.duplicate.add(record.number)
    elif verdict:
        outcome.quarantined[record.number] = verdict
    else:
        outcome.loaded[record.number] = values


def _amount(read: dict[str, Any], contract: Any) -> Decimal | None:
    """The control amount of an order line; None of other feeds, and where a part of it cannot be read or is missing."""
    if contract.feed != "order_lines" or not {"quantity", "unit_price", "discount_amount"} <= read.keys():
        return None
    if read["quantity"] is None or read["unit_price"] is None:
        return None
    amount: Decimal = EXACT.multiply(read["quantity"], read["unit_price"])
    return EXACT.subtract(amount, read["discount_amount"] or Decimal(0))


def _delivery_day(text: str, notation: Any, zone: str) -> date:
    text = text.strip(BLANKS)
    if text == "" or text in notation.null_values:
        raise BadValueError("no_delivery_day")
    try:
        return _date(text, notation.date_format)
    except BadValueError:
        moment = _moment(text, notation.timestamp_format, notation.time_zone or zone)
        return moment.replace(tzinfo=UTC).astimezone(ZoneInfo(notation.time_zone or zone)).date()


def _is_counted(name: str, source: Described) -> bool:
    return name in source.columns and source.columns[name].kind == "ordinal_within"


def _text(cells: dict[str, str], name: str, source: Described, counts: dict[tuple[str, ...], int]) -> str | None:
    mapping = source.columns.get(name)
    if mapping is None or mapping.kind == "source":
        return cells.get(name if mapping is None else mapping.source)
    if mapping.kind == "constant":
        return str(mapping.constant)
    key = (name, *(cells[column] for column in mapping.within))
    counts[key] = counts.get(key, 0) + 1
    return str(counts[key])


def _read(text: str | None, column: Any, notation: Any, zone: str) -> Any:
    """The value of a cell, None when it is empty."""
    is_reference = column.key_position is not None or column.name.endswith("_id")
    if text is not None and (column.physical_type != "VARCHAR" or is_reference):
        text = text.strip(BLANKS)
    if text is None or text == "" or text in notation.null_values:
        return None
    return _typed(text, column, notation, notation.time_zone or zone)


def _allowed(value: Any, column: Any) -> Any:
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
