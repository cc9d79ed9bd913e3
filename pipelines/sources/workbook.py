"""The inside of an Excel workbook as one Arrow table, read in a process of its own with bounded memory and time.

A few bytes can claim seventeen billion cells, and the library that reads them makes room for all before it hands on the
first. So it runs where running out of room ends nothing else. Started by `excel`, which says what the outcome means.
"""

import json
import resource
import sys
import zipfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook

from pipelines.sources.cells import ColumnKind, typed

MAX_MEMORY_BYTES = 960 << 20
MAX_CPU_SECONDS = 300
MAX_UNPACKED_BYTES = 2 << 30
BLOCK_ROWS = 20_000
HEADER_KEY = b"opscope.header"
ROW = "row"
REFUSED, NO_ROOM = 3, 4  # exit codes


class RefusedError(Exception):
    """Reason code, cause and remedy of a workbook that is not read."""


def main(path: Path, sheet: str | None, output: BinaryIO) -> int:
    """Write the sheet (the first one when None) as an Arrow stream, or why not as JSON; the exit code says which."""
    _bound()
    try:
        table = _read(path, sheet)
    except RefusedError as refusal:
        output.write(json.dumps(refusal.args).encode())
        return REFUSED
    except MemoryError:
        return NO_ROOM
    with pa.ipc.new_stream(output, table.schema) as stream:
        stream.write_table(table)
    return 0


def _bound() -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU_SECONDS, MAX_CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _read(path: Path, sheet: str | None) -> pa.Table:
    try:
        _refuse_bomb(path)
        with path.open("rb") as stream, CalamineWorkbook.from_filelike(stream) as workbook:
            return _table(_sheet(workbook, sheet))
    except (CalamineError, zipfile.BadZipFile) as error:
        cause = f"is no Excel workbook that can be read ({error})"
        raise RefusedError("wrong_format", cause, "Have it saved as .xlsx and sent.") from error


def _refuse_bomb(path: Path) -> None:
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > MAX_UNPACKED_BYTES:
        raise RefusedError("archive_too_large", f"unpacks to {unpacked:,} bytes", "Have it split, or sent as CSV.")


def _sheet(workbook: CalamineWorkbook, sheet: str | None) -> CalamineSheet:
    if sheet is not None and sheet not in workbook.sheet_names:
        cause = f"has no sheet {sheet!r}; it has {workbook.sheet_names}"
        raise RefusedError("wrong_format", cause, "Set sheet: in the profile.")
    return workbook.get_sheet_by_name(sheet) if sheet is not None else workbook.get_sheet_by_index(0)


def _table(sheet: CalamineSheet) -> pa.Table:
    """One column per named column, numbered, and the row number of each record; blank rows are no records."""
    rows = _rows(sheet)
    header = _header(next(rows, None))
    kinds = [ColumnKind() for _ in header]
    columns: list[list[pa.Array]] = [[] for _ in header]
    numbers: list[pa.Array] = []
    numbered = ((number, row) for number, row in enumerate(rows, start=1) if any(cell != "" for cell in row))
    while block := list(islice(numbered, BLOCK_ROWS)):
        if any(cell != "" for _, row in block for cell in row[len(header) :]):
            raise _unnamed()
        numbers.append(pa.array([number for number, _ in block], pa.int64()))
        for index, kind in enumerate(kinds):
            texts = [kind.text(None if row[index] == "" else row[index]) for _, row in block]
            columns[index].append(pa.array(texts, pa.string()))
    fields = {
        str(index): typed(pa.chunked_array(columns[index], pa.string()), kind.arrow_type)
        for index, kind in enumerate(kinds)
    }
    table = pa.table(fields | {ROW: pa.chunked_array(numbers, pa.int64())})
    return table.replace_schema_metadata({HEADER_KEY: json.dumps(header).encode()})


def _rows(sheet: CalamineSheet) -> Iterator[list[Any]]:
    """The rows from the first one and the first column on, as the library leaves out empty columns at the left."""
    left: list[Any] = [""] * (sheet.start[1] if sheet.start else 0)
    return (left + row for row in sheet.iter_rows())


def _header(first: list[Any] | None) -> list[str]:
    if first is None:
        raise RefusedError("no_header", "the sheet is empty", "Have it sent with its header in row 1.")
    names = [str(cell).strip() for cell in first]
    width = max((index for index, name in enumerate(names) if name), default=-1) + 1
    if "" in names[:width]:
        raise _unnamed()
    return names[:width]


def _unnamed() -> RefusedError:
    cause = "a column with values has no name in row 1"
    return RefusedError("no_header", cause, "Have every column named in the first row.")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2] or None, sys.stdout.buffer))
