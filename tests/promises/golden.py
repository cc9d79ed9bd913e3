"""What reading a delimited file means, said a second time: plain Python, one character after the other.

What a value means is in `golden_values`, what several files mean together in `golden_company`.

Shares no code with the product and uses neither Arrow, NumPy nor DuckDB. Slow, and meant to be read.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date
from decimal import Context, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from tests.promises.golden_values import BLANKS, BadValueError, allowed, read_date, read_moment, read_value

EXACT = Context(prec=200)
CONTROLS = {chr(code) for code in [*range(32), 127]} - {"\t", "\n", "\r"}


class RefusedError(Exception):
    """The file as a whole; the reason code is its text."""


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
    has_mark = content.startswith(b"\xef\xbb\xbf")
    if (encoding == "utf-8" and content[:2] in wide) or (encoding != "utf-8" and has_mark):
        raise RefusedError("wrong_encoding")
    if encoding == "utf-16":
        return (content[:2], wide[content[:2]]) if content[:2] in wide else (b"", "utf-16-le")
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
            read[column.name] = read_value(text, column, source.notation, zone)
            values[column.name] = allowed(read[column.name], column)
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
        return read_date(text, notation.date_format)
    except BadValueError:
        moment = read_moment(text, notation.timestamp_format, notation.time_zone or zone)
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
