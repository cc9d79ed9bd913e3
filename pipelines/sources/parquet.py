"""Parquet files and landed query results -> chunks, batch by batch. Values keep their own types."""

import json
from collections.abc import Collection, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.errors import FileRefusedError
from pipelines.sources.cells import typed
from pipelines.sources.chunks import Chunk
from pipelines.sources.headers import check_header
from pipelines.sources.sql import column_types

BATCH_ROWS = 100_000
BATCH_BYTES = 64 << 20
# A column that grows more than this when it is unpacked is no column anybody meant to send.
MAX_GROWTH = 100
GROWTH_FREE_BYTES = 64 << 20


def parquet_header(path: Path, place: str) -> tuple[str, ...]:
    """The column names.

    Raises FileRefusedError when the file is no Parquet.
    """
    with _opened(path, place) as file:
        return tuple(file.schema_arrow.names)


def read_parquet(path: Path, required: Collection[str], place: str) -> Iterator[Chunk]:
    """Chunks of at most BATCH_ROWS records and about BATCH_BYTES.

    Raises FileRefusedError when the file is no Parquet, is cut or damaged, or lacks a required column.
    """
    with _opened(path, place) as file:
        check_header(file.schema_arrow.names, required, place)
        types = column_types(file.metadata.metadata)
        first = 1
        try:
            for batch in file.iter_batches(_batch_rows(file.metadata, place)):
                yield _chunk(batch, types, first)
                first += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            raise _damaged(place, error) from error


def _batch_rows(metadata: pq.FileMetaData, place: str) -> int:
    """How many records are unpacked at once. Raises FileRefusedError when what they unpack to is out of proportion."""
    rows = BATCH_ROWS
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        for column in map(group.column, range(group.num_columns)):
            packed, unpacked = column.total_compressed_size, column.total_uncompressed_size
            if unpacked > MAX_GROWTH * packed + GROWTH_FREE_BYTES:
                cause = f"column {column.path_in_schema} unpacks from {packed:,} to {unpacked:,} bytes"
                raise FileRefusedError("archive_too_large", place, cause, "Have it split, or sent as CSV.")
        rows = min(rows, BATCH_BYTES * group.num_rows // max(group.total_byte_size, 1))
    return max(rows, 1)


def _opened(path: Path, place: str) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path, page_checksum_verification=True)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(place, error) from error


def _damaged(place: str, error: Exception) -> FileRefusedError:
    return FileRefusedError(
        "wrong_format",
        place,
        f"is no whole Parquet file ({error})",
        "Have it sent again, or set format: in the profile.",
    )


def _chunk(batch: pa.RecordBatch, types: dict[str, pa.DataType], first: int) -> Chunk:
    names = batch.schema.names
    columns = [_plain(batch.column(index), types.get(name)) for index, name in enumerate(names)]
    records = pa.table(columns, names=names)
    numbers = pa.array(range(first, first + batch.num_rows), pa.int64())
    return Chunk(records, numbers, None, lambda index: record_text(records, index))


def _plain(column: pa.Array, target: pa.DataType | None) -> pa.Array:
    """The column in a type that contracts know: dictionaries decoded, nested values as JSON text, bytes as hex."""
    kind = column.type
    if target is not None:
        return typed(column, target)
    if pa.types.is_dictionary(kind):
        return _plain(column.dictionary_decode(), None)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind) or pa.types.is_null(kind):
        return pc.cast(column, pa.string())
    if pa.types.is_nested(kind):
        return pa.array([_json(value) for value in column.to_pylist()], pa.string())
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return pa.array([None if value is None else value.hex() for value in column.to_pylist()], pa.string())
    return column


def _json(value: object) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False, default=str)


def record_text(records: pa.Table, index: int) -> str:
    """One record of a format without lines, as one JSON object."""
    record = records.slice(index, 1).to_pylist()[0]
    return json.dumps(record, ensure_ascii=False, default=str)
