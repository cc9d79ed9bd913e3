"""Excel workbooks (.xlsx, .xls) -> one chunk. The first row is the header; formulas give the value last computed."""

import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from python_calamine import CalamineError, CalamineWorkbook

from pipelines.errors import FileRefusedError
from pipelines.sources.cells import typed_column
from pipelines.sources.chunks import Chunk
from pipelines.sources.headers import check_header
from pipelines.sources.parquet import record_text

# A workbook is unpacked in memory as a whole.
MAX_UNPACKED_BYTES = 2 << 30


def excel_header(path: Path, sheet: str | None, place: str) -> tuple[str, ...]:
    """The column names of the sheet."""
    header, _ = _sheet(path, sheet, place)
    return header


def read_excel(path: Path, sheet: str | None, required: Collection[str], place: str) -> Iterator[Chunk]:
    """The sheet (the first one when None) as one chunk; record n stands in row n + 1, blank rows are no records.

    Raises FileRefusedError when it is no workbook, has no such sheet, or the header lacks a required column.
    """
    header, rows = _sheet(path, sheet, place)
    check_header(header, required, place)
    numbered = [(number, row) for number, row in enumerate(rows, start=1) if any(cell != "" for cell in row)]
    if not numbered:
        return
    columns = zip(*(row[: len(header)] for _, row in numbered), strict=True)
    arrays = [typed_column(None if cell == "" else cell for cell in cells) for cells in columns]
    records = pa.table(arrays, names=list(header))
    numbers = pa.array([number for number, _ in numbered], pa.int64())
    yield Chunk(records, numbers, None, lambda index: record_text(records, index))


def _sheet(path: Path, sheet: str | None, place: str) -> tuple[tuple[str, ...], list[list[Any]]]:
    try:
        _refuse_bomb(path, place)
        with path.open("rb") as stream, CalamineWorkbook.from_filelike(stream) as workbook:
            rows = _rows(workbook, sheet, place)
    except (CalamineError, zipfile.BadZipFile) as error:
        raise FileRefusedError(
            "wrong_format",
            place,
            f"is no Excel workbook that can be read ({error})",
            "Have it saved as .xlsx and sent.",
        ) from error
    if not rows:
        raise FileRefusedError("no_header", place, "the sheet is empty", "Have it sent with its header in row 1.")
    return _header(rows, place), rows[1:]


def _refuse_bomb(path: Path, place: str) -> None:
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > MAX_UNPACKED_BYTES:
        raise FileRefusedError(
            "archive_too_large", place, f"unpacks to {unpacked:,} bytes", "Have it split, or sent as CSV."
        )


def _rows(workbook: CalamineWorkbook, sheet: str | None, place: str) -> list[list[Any]]:
    if sheet is not None and sheet not in workbook.sheet_names:
        raise FileRefusedError(
            "wrong_format",
            place,
            f"has no sheet {sheet!r}; it has {workbook.sheet_names}",
            "Set sheet: in the profile.",
        )
    found = workbook.get_sheet_by_name(sheet) if sheet is not None else workbook.get_sheet_by_index(0)
    return found.to_python(skip_empty_area=False)


def _header(rows: list[list[Any]], place: str) -> tuple[str, ...]:
    names = [str(cell).strip() for cell in rows[0]]
    width = max((index for index, name in enumerate(names) if name), default=-1) + 1
    if "" in names[:width] or any(cell != "" for row in rows[1:] for cell in row[width:]):
        raise FileRefusedError(
            "no_header", place, "a column with values has no name in row 1", "Have every column named in the first row."
        )
    return tuple(names[:width])
