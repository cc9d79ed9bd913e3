"""Marks of what a change of raw rows makes stale. Written with the rows; read by the transforms and as-of stages."""

from dataclasses import dataclass, field
from datetime import date

import duckdb

from pipelines.quality.versions import stamp_versions
from pipelines.scope import mark_stale


@dataclass
class Marks:
    """The delivery days that one transaction touched, per feed, each with the earliest business day it can touch."""

    days: dict[str, dict[date, date]] = field(default_factory=dict)
    rows_added: int = 0

    def add(self, feed: str, touched: dict[date, date], rows_added: int) -> None:
        known = self.days.setdefault(feed, {})
        for day, business_from in touched.items():
            known[day] = min(business_from, known.get(day, business_from))
        self.rows_added += rows_added

    @property
    def changed(self) -> set[tuple[str, date]]:
        """(feed, delivery day) of all rows added or removed."""
        return {(feed, day) for feed, days in self.days.items() for day in days}

    def write(self, connection: duckdb.DuckDBPyConnection, run_id: str | None) -> None:
        """Mark days and the as-of days that knew them stale, and give the tables' days a new version."""
        for feed, days in self.days.items():
            if not days:
                continue
            note_days(connection, feed, days)
            mark_stale(connection, min(days))
            stamp_versions(connection, [f"raw.{feed}"], days, run_id or "ingest")


def note_days(connection: duckdb.DuckDBPyConnection, feed: str, days: dict[date, date]) -> None:
    """Note delivery days whose raw rows changed, each with the earliest business day that the change can touch."""
    # Taken out and put back: an upsert costs several times as much, and a backfill does this for every file.
    marked = connection.execute(
        "delete from ops.stale_days where feed = ? and list_contains(cast(? as date[]), delivered_on) "
        "returning delivered_on, business_from",
        [feed, list(days)],
    ).fetchall()
    merged = days | {day: min(business_from, days[day]) for day, business_from in marked}
    connection.execute(
        "insert into ops.stale_days select ?, unnest(cast(? as date[])), unnest(cast(? as date[]))",
        [feed, list(merged), list(merged.values())],
    )
