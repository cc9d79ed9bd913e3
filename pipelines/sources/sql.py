"""Databases as a source: runs a profile's query through SQLAlchemy and keeps its result as a Parquet file.

The file is what is landed, so that a delivery of a database can be read again like any other. Addresses come from the
environment variable the profile names and never appear in a message.
"""

import json
import tempfile
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from datetime import date
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa

from pipelines.errors import FileRefusedError
from pipelines.exhaustion import is_disk_trouble
from pipelines.redaction import redacted
from pipelines.settings import secret
from pipelines.sources.cells import ColumnKind
from pipelines.sources.profiles import DAY_IN_QUERY, Source

FETCH_ROWS = 50_000
KINDS_KEY = b"opscope.kinds"


def takes_day(source: Source) -> bool:
    """Whether the query is asked once per delivery day."""
    return bool(DAY_IN_QUERY.search(source.query or ""))


def query_path(source: Source, day: date | None) -> str:
    """What stands for the path of a query's result: the name of its database variable and the day it was asked for."""
    return f"sql:{source.database}" + (f"/{day.isoformat()}" if day else "")


@contextmanager
def open_query(source: Source, day: date | None) -> Iterator[BinaryIO]:
    """The result of the query as the bytes of a Parquet file.

    Raises FileRefusedError (source_failed, duplicate_header) when the database cannot be asked.
    """
    place = query_path(source, day)
    address = _address(source, place)
    with tempfile.TemporaryFile() as spool:
        try:
            _fetch(source, day, address, spool, place)
        except FileRefusedError:
            raise
        except Exception as error:
            # Drivers have errors of their own, so all of them are taken, but those of our own disk.
            if is_disk_trouble(error):
                raise
            raise _failed(place, _without_secrets(error, address)) from error
        spool.seek(0)
        yield spool


def _address(source: Source, place: str) -> sa.URL:
    name = source.database or ""
    try:
        return sa.make_url(secret(name))
    except KeyError as error:
        raise _failed(place, f"the environment variable {name} is not set") from error
    except sa.exc.ArgumentError as error:
        raise _failed(place, f"the environment variable {name} holds no SQLAlchemy URL") from error


def _failed(place: str, cause: str) -> FileRefusedError:
    return FileRefusedError(
        "source_failed",
        place,
        cause,
        "Check the query, the address and your rights; it is tried again on the next run.",
    )


def _without_secrets(error: Exception, address: sa.URL) -> str:
    cause = str(getattr(error, "orig", None) or error).strip() or type(error).__name__
    for hidden in (address.render_as_string(hide_password=False), str(address.password or "")):
        cause = cause.replace(hidden, "***") if hidden else cause
    return redacted(cause.splitlines()[0])


def _fetch(source: Source, day: date | None, address: sa.URL, spool: BinaryIO, place: str) -> None:
    query = sa.text(source.query or "")
    if day is not None and takes_day(source):
        query = query.bindparams(sa.bindparam("delivered_on", day, sa.Date()))
    engine = sa.create_engine(address, poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        streaming = connection.execution_options(stream_results=True, yield_per=FETCH_ROWS)
        with closing(streaming.execute(query)) as result:
            _write(result, spool, place)


def _write(result: sa.CursorResult[Any], spool: BinaryIO, place: str) -> None:
    names = list(result.keys())
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise FileRefusedError(
            "duplicate_header", place, f"two columns are named {', '.join(repeated)}", "Name them apart with AS."
        )
    kinds = [ColumnKind() for _ in names]
    schema = pa.schema([(name, pa.string()) for name in names])
    with pq.ParquetWriter(spool, schema, compression="zstd", version="2.6") as writer:
        for rows in result.partitions():
            columns = zip(*rows, strict=True)
            arrays = [[kind.text(cell) for cell in cells] for kind, cells in zip(kinds, columns, strict=True)]
            writer.write_table(pa.table([pa.array(texts, pa.string()) for texts in arrays], schema=schema))
        writer.add_key_value_metadata({KINDS_KEY: _kinds_text(names, kinds)})


def _kinds_text(names: list[str], kinds: list[ColumnKind]) -> bytes:
    found = {name: [sorted(kind.kinds), kind.scale, kind.whole_digits] for name, kind in zip(names, kinds, strict=True)}
    return json.dumps(found).encode()


def without_kinds(metadata: dict[bytes, bytes] | None, names: Collection[str]) -> dict[bytes, bytes]:
    """The metadata of a landed query result some of whose columns have become plain text."""
    found = json.loads((metadata or {}).get(KINDS_KEY, b"{}"))
    left = {name: kind for name, kind in found.items() if name not in names}
    return {KINDS_KEY: json.dumps(left).encode()} if left else {}


def column_types(metadata: dict[bytes, bytes] | None) -> dict[str, pa.DataType]:
    """The column types that the cells of a landed query result agreed on."""
    found = json.loads((metadata or {}).get(KINDS_KEY, b"{}"))
    return {name: ColumnKind(set(kinds), scale, digits).arrow_type for name, (kinds, scale, digits) in found.items()}
