"""From raw rows back to what was delivered: file, record, day, landed copy. Marts are traced in `pipelines.trace`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import duckdb

from pipelines.errors import OpscopeError
from pipelines.settings import Settings
from pipelines.sources.contracts import contract
from pipelines.sources.landed import LandedCopies


@dataclass(frozen=True)
class RawOrigin:
    """Where one raw row came from; `landed_path` is the decompressed copy that holds the record."""

    feed: str
    source_path: str
    record_no: int
    delivered_on: date
    landed_path: str

    def __str__(self) -> str:
        place = f"{self.source_path}, record {self.record_no}"
        return f"{self.feed}, delivered {self.delivered_on}: {place} ({self.landed_path})"


def raw_origin(
    connection: duckdb.DuckDBPyConnection, settings: Settings, feed: str, key: Mapping[str, object]
) -> list[RawOrigin]:
    """All versions of the rows whose columns have the given values, in the order they became known.

    Args:
        connection: to the warehouse.
        settings: where the landed copies are.
        feed: the feed.
        key: {contract column: value}; some or all key columns, or any other column.

    Raises:
        ContractError: the feed or a column is unknown.
        OpscopeError: no column is given.
    """
    columns = [contract(feed).column(name).name for name in key]
    if not columns:
        raise OpscopeError(f"feed {feed}", "no key is given", f"Give {', '.join(contract(feed).key)}.")
    conditions = " and ".join(f'"{name}" = ?' for name in columns)
    rows = connection.execute(
        f"""
        select f.source_path, r._record_no, r._delivered_on, f.content_sha256
        from {contract(feed).table} as r
        join ops.files as f on f.file_id = r._file_id
        where {conditions}
        order by r._delivered_on, f.source_path, r._record_no
        """,
        list(key.values()),
    ).fetchall()
    copies = LandedCopies(settings.landed_path)
    return [RawOrigin(feed, path, number, day, str(copies.path_of(content))) for path, number, day, content in rows]
