"""Excel workbooks (.xlsx, .xls) -> one chunk. The first row is the header; formulas give the value last computed.

An error value such as #N/A counts as an empty cell. The workbook itself is opened in a process of its own (`workbook`).
"""

import json
import signal
import subprocess
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

import pyarrow as pa

from pipelines.errors import FileRefusedError
from pipelines.sources import workbook
from pipelines.sources.chunks import Chunk
from pipelines.sources.headers import check_header
from pipelines.sources.parquet import record_text

ROOT = Path(workbook.__file__).parents[2]


def excel_header(path: Path, sheet: str | None, place: str) -> tuple[str, ...]:
    """The column names of the sheet."""
    return _header(_opened(path, sheet, place))


def read_excel(path: Path, sheet: str | None, required: Collection[str], place: str) -> Iterator[Chunk]:
    """The sheet (the first one when None) as one chunk; record n stands in row n + 1, blank rows are no records.

    Raises FileRefusedError when it is no workbook, has no such sheet, takes too much memory or time to read, or the
    header lacks a required column.
    """
    table = _opened(path, sheet, place)
    header = _header(table)
    check_header(header, required, place)
    if not table.num_rows:
        return
    records = table.drop_columns(workbook.ROW).rename_columns(list(header))
    numbers = table.column(workbook.ROW).combine_chunks()
    yield Chunk(records, numbers, None, lambda index: record_text(records, index))


def _header(table: pa.Table) -> tuple[str, ...]:
    return tuple(json.loads(table.schema.metadata[workbook.HEADER_KEY]))


def _opened(path: Path, sheet: str | None, place: str) -> pa.Table:
    # This very code, whatever is installed or lies in the working folder.
    command = [sys.executable, "-P", "-s", "-m", workbook.__name__, str(path), sheet or ""]
    read = subprocess.run(command, capture_output=True, env={"PYTHONPATH": str(ROOT)}, check=False)
    if read.returncode == 0:
        return pa.ipc.open_stream(read.stdout).read_all()
    if read.returncode == workbook.REFUSED:
        reason_code, cause, remedy = json.loads(read.stdout)
        raise FileRefusedError(reason_code, place, cause, remedy)
    if read.returncode in (workbook.NO_ROOM, -signal.SIGABRT, -signal.SIGXCPU, -signal.SIGKILL):
        cause = f"takes more than {workbook.MAX_MEMORY_BYTES >> 20} MiB or {workbook.MAX_CPU_SECONDS} s to read"
        remedy = "Have it saved anew with its table alone, split, or sent as CSV."
        raise FileRefusedError("archive_too_large", place, cause, remedy)
    last_line = read.stderr.decode("utf-8", "replace").rstrip().rpartition("\n")[2]
    cause = f"the reader failed ({last_line or read.returncode})"
    raise FileRefusedError("reader_failed", place, cause, "This is a defect of Opscope: keep the file and report it.")
