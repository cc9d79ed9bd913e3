"""Files of a delivery day: writers of each format, and what each file is expected to become. Not what stands in them.

A file is created with its first record and closed at the end of its day, so a day without records has no file.
Files are the same bytes for the same content: no time stamps, one compression level.
"""

import gzip
import io
import json
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import zstandard

from pipelines.demo.defects import Planted
from pipelines.demo.plan import Plan

BUFFERED_ROWS = 200_000


@dataclass(frozen=True)
class Dialect:
    """How a CSV is written; `compression` is '', 'gz' or 'zst'."""

    delimiter: str = ","
    encoding: str = "utf-8"
    compression: str = ""
    quoted: bool = False


@dataclass
class Delivery:
    """One file and what a strict pipeline must make of it; `quarantined` counts records by reason code."""

    path: str
    feed: str
    delivered_on: date
    records: int = 0
    duplicates: int = 0
    quarantined: dict[str, int] = field(default_factory=dict)
    status: str = "loaded"
    reason_code: str | None = None
    note: str = ""

    @property
    def loaded(self) -> int:
        if self.status in ("refused", "duplicate"):
            return 0
        return self.records - self.duplicates - sum(self.quarantined.values())

    def count(self, planted: Planted) -> None:
        self.records += planted.records
        self.duplicates += planted.duplicates
        if planted.quarantined:
            reason = planted.reason_code or ""
            self.quarantined[reason] = self.quarantined.get(reason, 0) + planted.quarantined
            self.status = "loaded_with_quarantine"


class Sink(Protocol):
    """Where bytes go."""

    def write(self, data: bytes, /) -> int: ...

    def close(self) -> None: ...


def open_compressed(path: Path, compression: str) -> Sink:
    """A binary file that compresses what is written, without a time stamp."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if compression == "gz":
        return _Gzip(path)
    if compression == "zst":
        return zstandard.ZstdCompressor(level=3).stream_writer(path.open("wb"), closefd=True)
    return path.open("wb")


class _Gzip(gzip.GzipFile):
    """A gzip member without name and time, so that its bytes depend on its content alone."""

    def __init__(self, path: Path) -> None:
        self._below = path.open("wb")
        super().__init__(filename="", mode="wb", compresslevel=1, fileobj=self._below, mtime=0)

    def close(self) -> None:
        super().close()
        self._below.close()


class CsvFile:
    """A CSV with one header, written table by table."""

    def __init__(self, path: Path, delivery: Delivery, dialect: Dialect) -> None:
        self.delivery = delivery
        self.dialect = dialect
        self._sink = open_compressed(path, dialect.compression)
        self._has_header = False

    def write(self, table: pa.Table, planted: tuple[Planted, ...] = ()) -> None:
        """Write the table, planted defects in its middle."""
        half = len(table) // 2
        self._write_rows(table.slice(0, half) if planted else table)
        for each in planted:
            for line in each.lines:
                self._sink.write(line + b"\n")
            if each.repeats_first_row:
                self._write_rows(table.slice(0, 1))
                self.delivery.records -= 1
            self.delivery.count(each)
        if planted:
            self._write_rows(table.slice(half))

    def close(self) -> None:
        self._sink.close()

    def _write_rows(self, table: pa.Table) -> None:
        options = pyarrow.csv.WriteOptions(
            include_header=not self._has_header,
            delimiter=self.dialect.delimiter,
            quoting_style="needed" if self.dialect.quoted else "none",
            batch_size=65536,
        )
        text = io.BytesIO()
        pyarrow.csv.write_csv(table, text, options, memory_pool=None)
        content = text.getvalue()
        if self.dialect.encoding != "utf-8":
            content = content.decode().encode(self.dialect.encoding)
        self._has_header = True
        self._sink.write(content)
        self.delivery.records += len(table)


class JsonLinesFile:
    """One JSON object a line."""

    def __init__(self, path: Path, delivery: Delivery) -> None:
        self.delivery = delivery
        self._sink = open_compressed(path, "")

    def write(self, records: list[dict[str, Any]], planted: tuple[Planted, ...] = ()) -> None:
        """Write the objects, then planted defects."""
        for record in records:
            self._sink.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")
        self.delivery.records += len(records)
        for each in planted:
            for line in each.lines:
                self._sink.write(line + b"\n")
            self.delivery.count(each)

    def close(self) -> None:
        self._sink.close()


class ParquetFile:
    """Tables gathered into row groups of bounded size."""

    def __init__(self, path: Path, delivery: Delivery | None) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.delivery = delivery
        self._path = path
        self._writer: pq.ParquetWriter | None = None
        self._waiting: list[pa.Table] = []
        self._rows = 0

    def write(self, table: pa.Table) -> None:
        self._waiting.append(table)
        self._rows += len(table)
        if self.delivery is not None:
            self.delivery.records += len(table)
        if self._rows >= BUFFERED_ROWS:
            self._flush()

    def close(self) -> None:
        self._flush()
        if self._writer is not None:
            self._writer.close()

    def _flush(self) -> None:
        if not self._waiting:
            return
        table = pa.concat_tables(self._waiting)
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, table.schema, compression="zstd", version="2.6")
        self._writer.write_table(table)
        self._waiting, self._rows = [], 0


class Outbox:
    """The open files of a day by path; `deliveries` lists every file ever begun."""

    def __init__(self, out: Path, plan: Plan, deliveries: list[Delivery]) -> None:
        self._out = out
        self._plan = plan
        self._deliveries = deliveries
        self._open: dict[str, CsvFile | JsonLinesFile | ParquetFile] = {}

    def csv(self, feed: str, day: int, name: str, dialect: Dialect) -> CsvFile:
        path = self._path(day, name)
        if path not in self._open:
            self._open[path] = CsvFile(self._out / path, self.delivery(feed, day, name), dialect)
        file = self._open[path]
        assert isinstance(file, CsvFile)
        return file

    def json_lines(self, feed: str, day: int, name: str) -> JsonLinesFile:
        path = self._path(day, name)
        if path not in self._open:
            self._open[path] = JsonLinesFile(self._out / path, self.delivery(feed, day, name))
        file = self._open[path]
        assert isinstance(file, JsonLinesFile)
        return file

    def parquet(self, feed: str, day: int, name: str) -> ParquetFile:
        path = self._path(day, name)
        if path not in self._open:
            self._open[path] = ParquetFile(self._out / path, self.delivery(feed, day, name))
        file = self._open[path]
        assert isinstance(file, ParquetFile)
        return file

    def delivery(self, feed: str, day: int, name: str) -> Delivery:
        """A new entry in the list of files, told on `day` or, before it, on the first delivery day."""
        on = self._plan.on(self._plan.delivery_day(day))
        delivery = Delivery(path=self._path(day, name), feed=feed, delivered_on=on)
        self._deliveries.append(delivery)
        return delivery

    def read_bytes(self, delivery: Delivery) -> bytes:
        return (self._out / delivery.path).read_bytes()

    def write_bytes(self, delivery: Delivery, content: bytes) -> None:
        path = self._out / delivery.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def close_one(self, file: CsvFile) -> None:
        file.close()
        self._open.pop(file.delivery.path)

    def close(self, day: int) -> None:
        """End the day's files; before the first delivery day they stay open."""
        if day >= self._plan.first:
            for file in self._open.values():
                file.close()
            self._open.clear()

    def _path(self, day: int, name: str) -> str:
        return f"{self._plan.on(self._plan.delivery_day(day))}/{name}"
