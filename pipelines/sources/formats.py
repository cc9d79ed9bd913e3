"""The one door to all formats: a landed file and its source in, chunks out. Each format has its own module."""

from collections.abc import Collection, Iterator
from pathlib import Path

from pipelines.sources.chunks import Chunk
from pipelines.sources.delimited import header_of, read_delimited
from pipelines.sources.excel import excel_header, read_excel
from pipelines.sources.jsonl import jsonl_header, read_jsonl
from pipelines.sources.parquet import parquet_header, read_parquet
from pipelines.sources.profiles import Lookup, Source


def read_records(path: Path, source: Source | Lookup, required: Collection[str], place: str) -> Iterator[Chunk]:
    """All records of a landed (decompressed) file, chunk by chunk, in file order.

    `required` are the delivered column names that the mapping needs; `place` names the file in messages. Raises
    FileRefusedError as soon as the file cannot be trusted as a whole, which may be at its end.
    """
    kind = source.file_format
    if kind == "csv":
        return read_delimited(path, source.notation, required)
    if kind == "jsonl":
        return read_jsonl(path, source.notation.encoding, required, place)
    if kind == "excel":
        return read_excel(path, source.sheet, required, place)
    return read_parquet(path, required, place)


def read_header(path: Path, source: Source | Lookup, place: str) -> tuple[str, ...]:
    """The delivered column names of a landed file.

    Raises FileRefusedError when there is no header to be read.
    """
    kind = source.file_format
    if kind == "csv":
        return tuple(header_of(path, source.notation))
    if kind == "jsonl":
        return jsonl_header(path, source.notation.encoding, place)
    if kind == "excel":
        return excel_header(path, source.sheet, place)
    return parquet_header(path, place)
