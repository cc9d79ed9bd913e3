"""Where the records of RFC 4180 text begin and end, and which of them are sound.

Two roads that must agree: `sound_prefix` proves whole stretches at once with array operations, `next_record` walks one
record that could not be proved and says what is wrong with it. Both see UTF-8 bytes; values are not parsed here.
"""

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from pipelines.errors import ProfileError

Positions = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

CELL_LIMIT = 4 << 20  # bytes; longer cells are refused, and a quote open for longer counts as never closed
RECORD_LIMIT = 32 << 20  # bytes looked ahead for the end of a record

NEWLINE, RETURN, TAB = 10, 13, 9


class RecordTooLongError(Exception):
    """No record ends within RECORD_LIMIT bytes; `start` is where it begins."""


@dataclass(frozen=True)
class Dialect:
    """Delimiter and quote of a file, as bytes."""

    delimiter: int
    quote: int

    @classmethod
    def of(cls, delimiter: str, quote: str) -> "Dialect":
        """Raises ProfileError for signs that are not single ASCII characters other than line ends."""
        for name, sign in (("delimiter", delimiter), ("quote", quote)):
            if not sign.isascii() or sign in "\r\n":
                raise ProfileError(f"notation.{name}", f"cannot be {sign!r}", "Use one ASCII character, no line end.")
        return cls(ord(delimiter), ord(quote))

    @cached_property
    def controls(self) -> bytes:
        """The control characters that no record may hold."""
        fine = {TAB, NEWLINE, RETURN, self.delimiter, self.quote}
        return bytes(code for code in (*range(32), 127) if code not in fine)

    @cached_property
    def control(self) -> re.Pattern[bytes]:
        return re.compile(b"[" + re.escape(self.controls) + b"]")

    @cached_property
    def stop(self) -> re.Pattern[bytes]:
        """What ends an unquoted field, or must not stand in one."""
        return re.compile(b"[" + re.escape(bytes((self.delimiter, self.quote, NEWLINE))) + b"]")

    @cached_property
    def end(self) -> re.Pattern[bytes]:
        return re.compile(b"[" + re.escape(bytes((self.delimiter, NEWLINE))) + b"]")


@dataclass(frozen=True)
class Record:
    """One record that was walked: where it ends (behind its line end), its fields, and what is wrong with it."""

    end: int
    fields: int
    code: str | None = None
    message: str = ""


# ---------------------------------------------------------------------------------------------- proof of a stretch


def sound_prefix(text: bytes, dialect: Dialect, width: int) -> Positions:
    """Ends (behind the newline) of the records at the start of `text` that are sound without doubt.

    A record is sound when its quotes stand where RFC 4180 allows them, it has `width` fields, is valid UTF-8 and holds
    neither control characters nor a cell that may be too long. The first other record ends the prefix. Fastest on
    half a megabyte, which stays in the processor's cache.
    """
    data = np.frombuffer(text, np.uint8)
    places, signs = _signs(data, dialect, has_quotes=text.find(dialect.quote) >= 0)
    newlines = int(np.count_nonzero(signs == NEWLINE))
    quotes = places[:0]
    limit = min(_first_invalid(text), _first_control(text, data, newlines, dialect))
    if dialect.quote in signs:
        is_quote = signs == dialect.quote
        quotes = places[is_quote]
        limit = min(limit, _first_wrong_quote(data, quotes, dialect))
        outside = (np.cumsum(is_quote, dtype=np.uint8) & 1) == 0
        outside &= ~is_quote
        places, signs = places[outside], signs[outside]
    limit = min(limit, _first_bare_return(text, data, quotes))
    ends = _regular_ends(places, signs, dialect, width)
    ends = ends[: np.searchsorted(ends, limit)] + 1
    return ends[: _first_long(ends)]


def _signs(data: Bytes, dialect: Dialect, *, has_quotes: bool) -> tuple[Positions, Bytes]:
    """Where delimiters, newlines and quotes stand, and which stands there."""
    mask = (data == dialect.delimiter) | (data == NEWLINE)
    if has_quotes:
        mask |= data == dialect.quote
    places = np.flatnonzero(mask)
    return places, data[places]


def _regular_ends(places: Positions, signs: Bytes, dialect: Dialect, width: int) -> Positions:
    """Newlines of the records at the start that have `width` fields; given are the signs outside quotes."""
    count = len(places) // width
    grid = signs[: count * width].reshape(count, width)
    form = np.full(width, dialect.delimiter, np.uint8)
    form[-1] = NEWLINE
    fits = grid == form
    if not fits.all():
        count = int(np.argmin(fits.all(axis=1)))
    return places[width - 1 : count * width : width]


def _first_long(ends: Positions) -> int:
    """Index of the first record that may hold a cell that is too long."""
    long = np.diff(ends, prepend=0) > CELL_LIMIT
    return int(np.argmax(long)) if long.any() else len(ends)


def _first_wrong_quote(data: Bytes, quotes: Positions, dialect: Dialect) -> int:
    """Position of the first quote that neither opens nor closes a field nor is one of a pair; else the length."""
    size = len(data)
    padded = np.concatenate((data, np.array([NEWLINE, NEWLINE], np.uint8)))  # a look ahead needs two bytes
    fine = np.zeros(256, np.bool_)
    fine[[dialect.delimiter, NEWLINE, dialect.quote]] = True
    opening, closing = quotes[0::2], quotes[1::2]
    wrong = opening[~fine[padded[opening - 1]]]  # before position 0 stands the padding, a newline
    first = int(wrong[0]) if len(wrong) else size
    after = padded[closing + 1]
    closes = fine[after] | ((after == RETURN) & (padded[closing + 2 - (closing + 2 > size + 1)] == NEWLINE))
    wrong = closing[~closes]
    return min(first, int(wrong[0])) if len(wrong) else first


def _first_invalid(text: bytes) -> int:
    if text.isascii():
        return len(text)
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start
    return len(text)


def _first_control(text: bytes, data: Bytes, newlines: int, dialect: Dialect) -> int:
    """Position of the first control character; `newlines` are those in the text."""
    fine = {TAB, RETURN} | {code for code in (dialect.delimiter, dialect.quote) if code < 32}
    others = int(np.count_nonzero(data < 32)) - newlines
    has_delete = 127 in dialect.controls and text.find(127) >= 0
    if not has_delete and (others == 0 or others == sum(text.count(code) for code in fine)):
        return len(text)
    found = dialect.control.search(text)
    return found.start() if found else len(text)


def _first_bare_return(text: bytes, data: Bytes, quotes: Positions) -> int:
    """Position of the first carriage return outside quotes that no newline follows."""
    if text.find(RETURN) < 0 or (not len(quotes) and text.count(RETURN) == text.count(b"\r\n")):
        return len(text)
    returns = np.flatnonzero(data == RETURN)
    following = data[np.minimum(returns + 1, len(data) - 1)]
    bare = returns[following != NEWLINE]
    bare = bare[np.searchsorted(quotes, bare) % 2 == 0]
    return int(bare[0]) if len(bare) else len(text)


# ------------------------------------------------------------------------------------------------ walk of one record


def next_record(text: bytes, start: int, dialect: Dialect, width: int | None, *, is_last: bool) -> Record | None:
    """Walk the record at `start`; None when more text is needed to tell where it ends (`is_last`: there is none).

    `width` None takes any number of fields (the header).

    Raises RecordTooLongError when no end is in sight within RECORD_LIMIT.
    """
    stop = min(len(text), start + RECORD_LIMIT)
    newline = text.find(NEWLINE, start, stop)
    if 0 <= newline - start <= CELL_LIMIT and text.find(dialect.quote, start, newline) < 0:
        line = Record(newline + 1, text.count(dialect.delimiter, start, newline) + 1)
        return _judge(text[start : line.end], line, dialect, width, [])
    walk = _Walk(text, start, stop, dialect)
    record = walk.run()
    if record is None:
        if stop - start >= RECORD_LIMIT:
            raise RecordTooLongError(start)
        if is_last:
            return Record(len(text), walk.fields + 1, "unterminated_quote", "the file ends inside this record")
        return None
    if record.code == "unterminated_quote" and walk.ran_out and not is_last and stop - start < RECORD_LIMIT:
        return None
    return record if record.code else _judge(text[start : record.end], record, dialect, width, walk.quoted)


class _Walk:
    """One pass over one record, field by field."""

    def __init__(self, text: bytes, start: int, stop: int, dialect: Dialect) -> None:
        self.text, self.stop, self.dialect = text, stop, dialect
        self.position = start
        self.fields = 0
        self.code: str | None = None
        self.message = ""
        self.ran_out = False
        self.quoted: list[tuple[int, int]] = []  # [open, close] of quoted fields, from the record's start
        self.start = start

    def blame(self, code: str, message: str) -> None:
        if self.code is None:
            self.code, self.message = code, message

    def run(self) -> Record | None:
        while True:
            is_quoted = self.position < self.stop and self.text[self.position] == self.dialect.quote
            sign = self._quoted_field() if is_quoted else self._plain_field()
            if sign is None:
                return None
            self.fields += 1
            if sign == NEWLINE:
                return Record(self.position, self.fields, self.code, self.message)

    def _plain_field(self) -> int | None:
        """Step behind the sign that ends the field and return it; None when the text runs out."""
        begin = self.position
        found = self.dialect.stop.search(self.text, begin, self.stop)
        if found and self.text[found.start()] == self.dialect.quote:
            self.blame("stray_quote", f"field {self.fields + 1} holds a quote but is not quoted")
        return self._to_end_of_field(begin, found.start() if found else self.stop)

    def _to_end_of_field(self, begin: int, position: int) -> int | None:
        found = self.dialect.end.search(self.text, position, self.stop)
        if found is None:
            return None
        if found.start() - begin > CELL_LIMIT:
            self.blame("cell_too_long", f"field {self.fields + 1} is longer than {CELL_LIMIT} bytes")
        self.position = found.end()
        return self.text[found.start()]

    def _quoted_field(self) -> int | None:
        begin = self.position
        close = self._closing_quote(begin + 1)
        if close is None:
            return self._give_up(begin, ran_out=True)
        spans_lines = self.text.find(b"\n", begin, close) >= 0
        if close - begin > CELL_LIMIT and spans_lines:
            return self._give_up(begin)
        following = self.text[close + 1]
        if following == RETURN and close + 2 >= self.stop:
            return None
        if following not in (self.dialect.delimiter, NEWLINE) and self.text[close + 1 : close + 3] != b"\r\n":
            if spans_lines:
                return self._give_up(begin)
            self.blame("stray_quote", f"field {self.fields + 1} goes on behind its closing quote")
        self.quoted.append((begin - self.start, close - self.start))
        return self._to_end_of_field(begin, close + 1)

    def _closing_quote(self, position: int) -> int | None:
        while True:
            close = self.text.find(self.dialect.quote, position, self.stop)
            if close < 0 or close + 1 >= self.stop:
                return None
            if self.text[close + 1] != self.dialect.quote:
                return close
            position = close + 2

    def _give_up(self, begin: int, *, ran_out: bool = False) -> int | None:
        """Take the quote at `begin` as never closed: the record ends with the line it stands in."""
        end = self.text.find(b"\n", begin, self.stop)
        if end < 0:
            return None
        self.ran_out = ran_out
        self.code = "unterminated_quote"
        self.message = f"the quote that opens field {self.fields + 1} is not closed"
        self.position = end + 1
        return NEWLINE


def _judge(raw: bytes, record: Record, dialect: Dialect, width: int | None, quoted: list[tuple[int, int]]) -> Record:
    """What is wrong with a record whose quotes are in order: its bytes, or its number of fields."""
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        return Record(
            record.end, record.fields, "invalid_encoding", f"byte {error.start + 1} of the record is not valid"
        )
    found = dialect.control.search(raw)
    if found:
        return Record(record.end, record.fields, "control_character", f"the record holds character {found[0][0]:#04x}")
    if _has_bare_return(raw, quoted):
        return Record(record.end, record.fields, "control_character", "a carriage return stands outside quotes")
    if width is not None and record.fields != width:
        message = f"the record has {record.fields} fields, the header {width}"
        return Record(record.end, record.fields, "field_count", message)
    return record


def _has_bare_return(raw: bytes, quoted: list[tuple[int, int]]) -> bool:
    position = raw.find(b"\r")
    while position >= 0:
        if raw[position + 1] != NEWLINE and not any(begin < position < close for begin, close in quoted):
            return True
        position = raw.find(b"\r", position + 1)
    return False
