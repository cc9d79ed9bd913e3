"""The reader of delimited text: RFC 4180 to the letter, every other record refused with its place and reason.

Records are judged before they are parsed (`structure`), so the parser sees sound text only and cannot guess. Columns
are found by the name in the header, never by position. Values stay text; `conform` gives them types.
"""

import csv
import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from pipelines.errors import FileRefusedError
from pipelines.sources.chunks import Chunk, Reject
from pipelines.sources.headers import check_header
from pipelines.sources.profiles import Notation
from pipelines.sources.structure import (
    NEWLINE,
    RETURN,
    Dialect,
    Positions,
    Record,
    RecordTooLongError,
    next_record,
    sound_prefix,
)
from pipelines.sources.transcoding import REMEDY, Utf8Stream, ends_with_newline

CHUNK_BYTES = 8 << 20
CHUNK_RECORDS = 1 << 17  # at most, as a record may be one byte and what is noted of it is not
WINDOW = 512 << 10  # bytes proved at once; what belongs to it stays in the cache
SMALL_WINDOW = 8 << 10  # bytes proved at once behind a bad record; doubles while all is well
PATIENCE = 1024  # records walked at most before a proof is tried again
MARK = b"\xef\xbb\xbf"
DELIMITERS = (",", ";", "\t", "|")  # those in common use


def read_delimited(
    path: Path, notation: Notation, required: Collection[str], *, chunk_bytes: int = CHUNK_BYTES
) -> Iterator[Chunk]:
    """The records of a decompressed file, some `chunk_bytes` at a time, in file order.

    Args:
        path: The file.
        notation: Its encoding, delimiter and quote.
        required: Columns without which the file is not read.
        chunk_bytes: How much is read at once; memory stays at a few times that.

    Raises:
        FileRefusedError: The file as a whole cannot be trusted; `reason_code` says why.
    """
    with _opened(path) as handle:
        text = _Text(handle, path, notation, chunk_bytes)
        header = _header(text, path, required)
        record_no = 1
        while survey := text.survey(len(header)):
            chunk = _chunk(survey, header, text, record_no)
            record_no += survey.count
            yield chunk


def header_of(path: Path, notation: Notation) -> list[str]:
    """The column names of a file.

    Raises FileRefusedError when the file has no usable header.
    """
    with _opened(path) as handle:
        return _header(_Text(handle, path, notation, SMALL_WINDOW), path, ())


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise FileRefusedError("unreadable", str(path), f"cannot be opened ({error.strerror})", "Check it.") from error


# ------------------------------------------------------------------------------------------------------- the text


@dataclass
class _Survey:
    """What stands in a stretch of text: sound records by start and end, bad ones with their number in the stretch."""

    text: bytes
    starts: list[Positions] = field(default_factory=list)
    ends: list[Positions] = field(default_factory=list)
    numbers: list[Positions] = field(default_factory=list)
    bad: list[tuple[int, int, Record]] = field(default_factory=list)
    position: int = 0
    count: int = 0
    _walked: list[int] = field(default_factory=list)

    def add_sound(self, ends: Positions) -> None:
        """Take records that follow one another from the position on."""
        self.close()
        self._append(self.position, ends, self.count)
        self.count += len(ends)
        self.position = int(ends[-1])

    def add(self, record: Record) -> None:
        """Take the record at the position."""
        if record.code is None:
            self._walked.append(record.end)
        else:
            self.close()
            self.bad.append((self.count, self.position, record))
        self.count += 1
        self.position = record.end

    def close(self) -> None:
        """Note the sound records that were taken one by one."""
        if self._walked:
            ends = np.array(self._walked, np.int64)
            self._append(self._walked_from(), ends, self.count - len(ends))
            self._walked.clear()

    def _walked_from(self) -> int:
        last_bad = self.bad[-1][2].end if self.bad else 0
        return max(last_bad, int(self.ends[-1][-1]) if self.ends else 0)

    def _append(self, start: int, ends: Positions, number: int) -> None:
        starts = np.empty_like(ends)
        starts[0], starts[1:] = start, ends[:-1]
        self.starts.append(starts)
        self.ends.append(ends)
        self.numbers.append(np.arange(number, number + len(ends), dtype=np.int64))


class _Text:
    """The file's text as it is read: a window that moves forward, record by record."""

    def __init__(self, handle: BinaryIO, path: Path, notation: Notation, chunk_bytes: int) -> None:
        self.dialect = Dialect.of(notation.delimiter, notation.quote)
        self.notation = notation
        self.place = str(path)
        self.stream = Utf8Stream(handle, self.place, notation.encoding)
        self.origin = self.stream.origin  # place in the file of the first byte of `text`
        self._chunk_bytes = chunk_bytes
        if path.stat().st_size <= self.origin:
            raise FileRefusedError("empty_file", self.place, "has no content", "Have it sent again.")
        if not ends_with_newline(path, self.stream.newline):
            raise FileRefusedError(
                "no_final_newline", self.place, "does not end with a line end, so it may be cut", "Have it sent again."
            )
        self.text, self._is_last = self.stream.read(chunk_bytes)

    def header(self) -> bytes:
        """The header record, line end included; the text then begins behind it."""
        while True:
            record = self._walk(0, None)
            if record is not None:
                break
            self._more()
        if record.code == "invalid_encoding" or b"\0" in self.text[: record.end]:
            raise FileRefusedError("wrong_encoding", self.place, f"is not {self.notation.encoding}", REMEDY)
        if record.code:
            line = self.text[: record.end].decode("utf-8", "replace").partition("\n")[0].removesuffix("\r")
            remedy = delimiter_advice([line], self.notation) or "The first line must name the columns."
            raise FileRefusedError("no_header", self.place, f"has no sound header: {record.message}", remedy)
        header = self.text[: record.end]
        self._drop(record.end)
        return header

    def survey(self, width: int) -> _Survey | None:
        """The next stretch, about `chunk_bytes` long; None at the end of the file."""
        while not self._is_last and 2 * len(self.text) < self._chunk_bytes:
            self._more()
        while self.text:
            survey = self._look(width)
            if survey.count:
                return survey
            self._more()
        return None

    def advance(self, survey: _Survey) -> None:
        self._drop(survey.position)

    def _look(self, width: int) -> _Survey:
        """Judge the records of the text: whole windows where that pays, one by one around bad records."""
        survey = _Survey(self.text)
        window, patience, left = WINDOW, 1, 0
        while survey.position < len(self.text) and survey.count < CHUNK_RECORDS:
            start = survey.position
            if left:
                record = self._walk(start, width)
                if record is None:
                    break
                survey.add(record)
                left -= 1
                continue
            piece = self.text[start : start + window]
            ends = sound_prefix(piece, self.dialect, width)[: CHUNK_RECORDS - survey.count]
            if len(ends):
                survey.add_sound(ends + start)
            if len(ends) and 4 * int(ends[-1]) > len(piece):
                window, patience = min(2 * window, WINDOW), 1
            else:
                window, patience = SMALL_WINDOW, min(2 * patience, PATIENCE)
                left = patience
        survey.close()
        return survey

    def _walk(self, start: int, width: int | None) -> Record | None:
        try:
            return next_record(self.text, start, self.dialect, width, is_last=self._is_last)
        except RecordTooLongError as error:
            cause = f"the record at byte {self.origin + start} has no end in sight"
            raise FileRefusedError("wrong_format", self.place, cause, "Check delimiter, quote and format.") from error

    def _more(self) -> None:
        text, self._is_last = self.stream.read(self._chunk_bytes)
        self.text = self.text + text if self.text else text

    def _drop(self, position: int) -> None:
        self.origin += int(self.stream.original_offsets(self.text, np.array([position], np.int64))[0])
        self.text = self.text[position:]


def _header(text: _Text, path: Path, required: Collection[str]) -> list[str]:
    raw = text.header().decode("utf-8")
    notation = text.notation
    line = raw.removesuffix("\n").removesuffix("\r")
    place = str(path)
    try:
        names = next(csv.reader([line], delimiter=notation.delimiter, quotechar=notation.quote, strict=True), [""])
    except csv.Error as error:
        cause = f"the first line is no header ({error})"
        raise FileRefusedError("no_header", place, cause, "The first line must name the columns.") from error
    missing = sorted(set(required) - set(names))
    if required and len(missing) == len(set(required)):
        cause = f"the first line ({line[:200]!r}) is not the header; none of {', '.join(missing)} is in it"
        raise FileRefusedError("no_header", place, cause, _advice(missing, names, notation))
    if "" in names:
        cause = f"column {names.index('') + 1} of the header has no name"
        raise FileRefusedError("no_header", place, cause, "Name every column.")
    check_header(names, (), place)
    if missing:
        cause = f"lacks column {', '.join(missing)}; it has {', '.join(names)}"
        raise FileRefusedError("missing_column", place, cause, _advice(missing, names, notation))
    return names


def delimiter_advice(names: Sequence[str], notation: Notation) -> str:
    """What to write when a header of one column reads as several with another delimiter; empty when it does not."""
    if len(names) != 1:
        return ""
    splits = {sign: _split(names[0], sign, notation.quote) for sign in DELIMITERS if sign != notation.delimiter}
    sign = max(splits, key=lambda each: len(splits[each]))
    if len(splits[sign]) < 2:
        return ""
    written = json.dumps(sign)
    return f"Write notation: {{delimiter: {written}}}, which makes the columns {', '.join(splits[sign])[:200]} of it."


def _split(line: str, delimiter: str, quote: str) -> list[str]:
    """The fields of a line; none when it is no line of named fields with this delimiter."""
    try:
        names = next(csv.reader([line], delimiter=delimiter, quotechar=quote, strict=True), [])
    except csv.Error:
        return []
    return names if all(name.strip() and quote not in name for name in names) else []


def _advice(missing: list[str], names: list[str], notation: Notation) -> str:
    """What to do about missing columns; points at another delimiter, or at names that differ in case or blanks only."""
    if advice := delimiter_advice(names, notation):
        return advice
    alike = {name.strip().casefold(): name for name in names}
    hints = [f"{name!r} as {alike[name.strip().casefold()]!r}" for name in missing if name.strip().casefold() in alike]
    if hints:
        return f"Names are compared to the letter: the file writes {', '.join(hints)}. Mend the profile."
    return "Compare the header with the profile."


# ----------------------------------------------------------------------------------------------------- the records


def _chunk(survey: _Survey, header: list[str], text: _Text, first: int) -> Chunk:
    """The chunk of a surveyed stretch whose first record has number `first`; moves the text behind it."""
    none = np.empty(0, np.int64)
    starts = np.concatenate(survey.starts) if survey.starts else none
    ends = np.concatenate(survey.ends) if survey.ends else none
    numbers = (np.concatenate(survey.numbers) if survey.numbers else none) + first
    records = _parse(_sound_text(survey), header, text.dialect, ends - starts)
    offsets = text.stream.original_offsets(survey.text, starts) + text.origin
    bad_starts = np.array([start for _, start, _ in survey.bad], np.int64)
    bad_offsets = text.stream.original_offsets(survey.text, bad_starts) + text.origin
    raw_text = _raw_text(survey.text, text.stream)
    rejects = [
        Reject(first + number, int(offset), str(record.code), None, record.message, raw_text(start, record.end))
        for (number, start, record), offset in zip(survey.bad, bad_offsets, strict=True)
    ]
    text.advance(survey)
    chunk = Chunk(
        records, pa.array(numbers), pa.array(offsets), lambda i: raw_text(int(starts[i]), int(ends[i])), rejects
    )
    repeated = _repeated_headers(records, header)
    return chunk if repeated is None else _without(chunk, repeated, numbers, offsets)


def _sound_text(survey: _Survey) -> bytes | memoryview:
    """The text of the sound records, without a copy when nothing stands between them."""
    spans: list[tuple[int, int]] = []
    for starts, ends in zip(survey.starts, survey.ends, strict=True):
        begin, end = int(starts[0]), int(ends[-1])
        if spans and spans[-1][1] == begin:
            begin = spans.pop()[0]
        spans.append((begin, end))
    view = memoryview(survey.text)
    if len(spans) == 1:
        return view[spans[0][0] : spans[0][1]]
    return b"".join(view[begin:end] for begin, end in spans)


def _parse(text: bytes | memoryview, header: list[str], dialect: Dialect, lengths: Positions) -> pa.Table:
    """Sound text, whose records have these lengths, as a table of strings."""
    schema = pa.schema([pa.field(name, pa.string()) for name in header])
    if len(lengths) == 0:
        return schema.empty_table()
    begins_with_mark = text[:3] == MARK
    if begins_with_mark:  # the parser would drop it as if it began a file
        text = bytes([dialect.delimiter]) * (len(header) - 1) + b"\n" + text
    has_quotes = bool((np.frombuffer(text, np.uint8) == dialect.quote).any())
    breaks_lines = has_quotes and _breaks_lines(text, len(lengths) + begins_with_mark)
    # No record may be longer than a block. Where a block ends between CR and LF the parser drops the LF, which only
    # does no harm between records: text with line ends in its cells stays in one block.
    block = len(text) if breaks_lines else max(len(text) // pa.cpu_count(), int(lengths.max()))
    table = pa_csv.read_csv(
        pa.BufferReader(pa.py_buffer(text)),
        read_options=pa_csv.ReadOptions(column_names=header, block_size=block + 1),
        parse_options=pa_csv.ParseOptions(
            delimiter=chr(dialect.delimiter),
            quote_char=chr(dialect.quote) if has_quotes else False,
            newlines_in_values=breaks_lines,
            ignore_empty_lines=False,
        ),
        convert_options=pa_csv.ConvertOptions(column_types=schema, strings_can_be_null=False, check_utf8=False),
    )
    table = table.slice(1) if begins_with_mark else table
    if table.num_rows != len(lengths):
        raise AssertionError(f"the parser made {table.num_rows} of {len(lengths)} sound records")
    return table


def _breaks_lines(text: bytes | memoryview, count: int) -> bool:
    """Whether some of the `count` records holds a line end within quotes."""
    data = np.frombuffer(text, np.uint8)
    returns = np.flatnonzero(data == RETURN)
    return bool(np.count_nonzero(data == NEWLINE) > count or (data[returns + 1] != NEWLINE).any())


def _repeated_headers(records: pa.Table, header: list[str]) -> npt.NDArray[np.bool_] | None:
    repeats = pc.equal(records.column(0), header[0])
    if not pc.any(repeats).as_py():
        return None
    for name in header[1:]:
        repeats = pc.and_(repeats, pc.equal(records.column(name), name))
    mask: npt.NDArray[np.bool_] = repeats.to_numpy(zero_copy_only=False)
    return mask if mask.any() else None


def _without(chunk: Chunk, repeated: npt.NDArray[np.bool_], numbers: Positions, offsets: Positions) -> Chunk:
    """The chunk with repeated headers among its rejects."""
    message = "the header stands again among the records"
    again = [
        Reject(int(numbers[i]), int(offsets[i]), "repeated_header", None, message, chunk.raw_text(i))
        for i in np.flatnonzero(repeated).tolist()
    ]
    kept = np.flatnonzero(~repeated)
    return Chunk(
        chunk.records.take(pa.array(kept)),
        pa.array(numbers[kept]),
        pa.array(offsets[kept]),
        lambda i: chunk.raw_text(int(kept[i])),
        sorted(chunk.rejects + again, key=lambda reject: reject.record_no),
    )


def _raw_text(text: bytes, stream: Utf8Stream) -> Callable[[int, int], str]:
    """What gives the record between two places as delivered, its line end left out."""
    return lambda start, end: stream.shown(text[start:end].removesuffix(b"\n").removesuffix(b"\r"))
