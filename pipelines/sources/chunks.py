"""What readers hand on: records as delivered, and records refused.

Every format reader yields `Chunk`s; `conform` turns a chunk into contract rows. Both name refused records the same way.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import pyarrow as pa


@dataclass(frozen=True)
class Reject:
    """A record that is not loaded: where it stands, which rule refused it, and the record as delivered.

    `reason_code` is one of `pipelines.ops.REASONS`; `byte_offset` counts in the decompressed file, None where the
    format has no stable place (Excel, Parquet, SQL).
    """

    record_no: int
    byte_offset: int | None
    reason_code: str
    column_name: str | None
    message: str
    raw_text: str


@dataclass(frozen=True)
class Chunk:
    """A run of records of one file, in file order.

    `records` has one column per delivered column, under its delivered name: text as written for text formats, the
    format's own types for Parquet, Excel and SQL. `record_no` (int64) counts from 1 without the header, refused records
    included. `raw_text(i)` gives record i of this chunk as delivered; it may be slow, only refused records ask for it.
    """

    records: pa.Table
    record_no: pa.Int64Array
    byte_offset: pa.Int64Array | None
    raw_text: Callable[[int], str]
    rejects: list[Reject] = field(default_factory=list)

    @property
    def records_seen(self) -> int:
        return len(self.record_no) + len(self.rejects)

    def head(self, count: int) -> "Chunk":
        """The chunk cut after that many records, refused ones included."""
        if self.records_seen <= count:
            return self
        numbers = sorted([*self.record_no.to_pylist(), *(reject.record_no for reject in self.rejects)])
        last = numbers[count - 1] if count else 0
        kept = sum(number <= last for number in self.record_no.to_pylist())
        offsets = None if self.byte_offset is None else self.byte_offset[:kept]
        rejects = [reject for reject in self.rejects if reject.record_no <= last]
        return Chunk(self.records.slice(0, kept), self.record_no[:kept], offsets, self.raw_text, rejects)
