"""JSON lines -> chunks: one object per line. Numbers stay the text that was written, nested values stay JSON."""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from pipelines.errors import FileRefusedError
from pipelines.sources.chunks import Chunk, Reject
from pipelines.sources.headers import MAX_COLUMNS, check_header

CHUNK_LINES = 50_000
CHUNK_BYTES = 8 << 20
MAX_LINE_BYTES = 16 << 20
MAX_SIGNS = 1_000_000  # of commas and opening brackets in a line; each may become an object of a hundred bytes
SHOWN_CHARACTERS = 2_000


class _Number(str):
    """A JSON number as written."""

    __slots__ = ()


class _BadLineError(ValueError):
    pass


@dataclass
class _Lines:
    """One chunk in the making."""

    records: list[dict[str, Any]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    texts: list[bytes] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)


def jsonl_header(path: Path, encoding: str, place: str) -> tuple[str, ...]:
    """The names that the objects of the first chunk have, in the order they are met."""
    with path.open("rb") as stream:
        lines = _parsed(_numbered_lines(stream, place), encoding, place)
    return _names(lines)


def read_jsonl(path: Path, encoding: str, required: Collection[str], place: str) -> Iterator[Chunk]:
    """Chunks of at most CHUNK_LINES records and about CHUNK_BYTES.

    A line that is not one JSON object is refused, the others are read.
    An object may leave keys out, and later objects may have more of them; a required column that no object of the
    first chunk has refuses the file. Raises FileRefusedError (missing_column, wrong_format, no_final_newline).
    """
    names: dict[str, None] = {}
    with path.open("rb") as stream:
        numbered = _numbered_lines(stream, place)
        while True:
            lines = _parsed(numbered, encoding, place)
            if not lines.records and not lines.rejects:
                return
            if not names:
                _check_first(lines, required, place)
            names |= dict.fromkeys((*_names(lines), *required))
            check_header(list(names), (), place)
            yield _chunk(lines, tuple(names), encoding)


def _check_first(lines: _Lines, required: Collection[str], place: str) -> None:
    if lines.records:
        check_header(_names(lines), required, place)
    elif len(lines.rejects) > 1:
        raise FileRefusedError(
            "wrong_format", place, "no line is a JSON object", "Have JSON lines sent, or set format: in the profile."
        )


def _names(lines: _Lines) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for record in lines.records for name in record))


def _numbered_lines(stream: BinaryIO, place: str) -> Iterator[tuple[int, int, bytes]]:
    """(record number, byte offset, line) of each line that is not blank."""
    offset, number = 0, 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        if len(line) > MAX_LINE_BYTES:
            raise FileRefusedError(
                "wrong_format",
                place,
                f"has a line longer than {MAX_LINE_BYTES:,} bytes",
                "Have one object per line sent.",
            )
        if line.strip():
            number += 1
            yield number, offset, line
        offset += len(line)


def _parsed(numbered: Iterator[tuple[int, int, bytes]], encoding: str, place: str) -> _Lines:
    lines = _Lines()
    begin: int | None = None
    for number, offset, line in islice(numbered, CHUNK_LINES):
        begin = offset if begin is None else begin
        _take(lines, line, number, offset, encoding)
        # A complete object proves that its line is whole; anything else without a line end may be half a line.
        if lines.rejects and lines.rejects[-1].record_no == number and not line.endswith(b"\n"):
            raise FileRefusedError(
                "no_final_newline", place, "its last line does not end, so it may be cut", "Have it sent again, whole."
            )
        if offset + len(line) - begin >= CHUNK_BYTES:
            break
    return lines


def _take(lines: _Lines, line: bytes, number: int, offset: int, encoding: str) -> None:
    try:
        _refuse_swarm(line)
        record = parse_line(line.decode(encoding))
    except UnicodeDecodeError as error:
        shown = line.decode(encoding, "backslashreplace").rstrip("\r\n")
        lines.rejects.append(Reject(number, offset, "invalid_encoding", None, str(error), shown))
    except (ValueError, RecursionError) as error:
        shown = line.decode(encoding).rstrip("\r\n")
        message = f"the line is not one JSON object ({error})"
        lines.rejects.append(Reject(number, offset, "not_json", None, message[:SHOWN_CHARACTERS], shown))
    else:
        lines.records.append(record)
        lines.numbers.append(number)
        lines.offsets.append(offset)
        lines.texts.append(line)


def _refuse_swarm(line: bytes) -> None:
    if len(line) > MAX_SIGNS and sum(line.count(sign) for sign in (b",", b"[", b"{")) > MAX_SIGNS:
        raise _BadLineError(f"it may hold more than {MAX_SIGNS:,} values")


def parse_line(text: str) -> dict[str, str | None]:
    """The object of one line: each value as text, numbers exactly as written, nested values as JSON.

    Raises ValueError when the line is not one object with distinct keys and finite numbers.
    """
    value = json.loads(
        text.removeprefix("\ufeff"),
        parse_float=_Number,
        parse_int=_Number,
        parse_constant=_refuse_constant,
        object_pairs_hook=_distinct,
    )
    if not isinstance(value, dict):
        raise _BadLineError("it is no object")
    if len(value) > MAX_COLUMNS:
        raise _BadLineError(f"it has more than {MAX_COLUMNS} keys")
    return {key: _cell(cell) for key, cell in value.items()}


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        raise _BadLineError("a key stands twice")
    return record


def _refuse_constant(name: str) -> None:
    raise _BadLineError(f"{name} is no JSON number")


def _cell(value: Any) -> str | None:
    if value is None or type(value) is str:
        return _encodable(value)
    if isinstance(value, _Number):
        return str(value)
    return _encodable(_rendered(value))


def _encodable(text: str | None) -> str | None:
    if text is not None and not text.isascii():
        text.encode("utf-8")  # a lone surrogate, written as an escape, is no text
    return text


def _rendered(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict):
        return (
            "{"
            + ", ".join(f"{json.dumps(key, ensure_ascii=False)}: {_rendered(item)}" for key, item in value.items())
            + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(_rendered(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _chunk(lines: _Lines, names: tuple[str, ...], encoding: str) -> Chunk:
    columns = [pa.array([record.get(name) for record in lines.records], pa.string()) for name in names]
    texts = lines.texts
    return Chunk(
        records=pa.table(columns, names=list(names)),
        record_no=pa.array(lines.numbers, pa.int64()),
        byte_offset=pa.array(lines.offsets, pa.int64()),
        raw_text=lambda index: texts[index].decode(encoding).rstrip("\r\n"),
        rejects=lines.rejects,
    )
