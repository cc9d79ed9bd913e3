"""Deliveries made by hand: clean rows that any contract accepts, with a ledger that agrees with them."""

import re
from datetime import date, datetime, time
from decimal import Decimal

import duckdb

from pipelines.sources.contracts import Column, Contract

INGESTED_AT = "2026-03-10"
ROWS_PER_FILE = 3
# A currency, a KPI: each pattern of the contracts has one of them.
OF_A_FORM = ("EUR", "SAL-01")


def clean_value(column: Column, day: date, record_no: int) -> object:
    """A value the contract allows; keys differ from record to record and day to day."""
    if column.allowed:
        return column.allowed[0]
    if column.pattern:
        return next(text for text in OF_A_FORM if re.fullmatch(column.pattern, text))
    match column.logical_type:
        case "string":
            return f"{column.name[:20]}-{day:%y%m%d}-{record_no}"
        case "integer":
            return record_no
        case "number":
            # The last record is worth nothing: its loss shows in counts alone.
            return (
                Decimal(record_no % ROWS_PER_FILE)
                if "quantity" in column.name or "discount" in column.name
                else Decimal("2.5")
            )
        case "date":
            return day
        case "timestamp":
            return datetime.combine(day, time(9, record_no))
        case _:
            return False


def file_id(feed: Contract, day: date) -> str:
    return f"{feed.feed}-{day:%Y%m%d}"


def deliver(connection: duckdb.DuckDBPyConnection, feed: Contract, day: date, rows: int = ROWS_PER_FILE) -> None:
    """One clean file of the feed on the day, and its ledger row."""
    if rows:
        records = [
            [*(clean_value(column, day, record_no) for column in feed.columns), file_id(feed, day), record_no, day]
            for record_no in range(1, rows + 1)
        ]
        marks = ", ".join(f"({', '.join('?' for _ in record)})" for record in records)
        connection.execute(f"insert into {feed.table} values {marks}", [value for row in records for value in row])
    connection.execute(
        """
        insert into ops.files (file_id, feed, source_path, delivered_on, content_sha256, delivered_bytes, status,
            records_seen, records_loaded, records_duplicate, records_quarantined, records_filtered,
            contract_version, mapping_digest, ingested_at)
        values ($file_id, $feed, $file_id, $day, $file_id, 1, 'loaded', 0, 0, 0, 0, 0, '1', '1', $moment)
        """,
        {"file_id": file_id(feed, day), "feed": feed.feed, "day": day, "moment": INGESTED_AT},
    )
    settle(connection, feed, day)


def settle(connection: duckdb.DuckDBPyConnection, feed: Contract, day: date) -> None:
    """Let the ledger say what stands in the table, as a loader would that loaded just these rows."""
    amount = f"sum({feed.control_amount})" if feed.control_amount else "null"
    connection.execute(
        f"""
        update ops.files set records_seen = h.n, records_loaded = h.n, amount_seen = h.amount, amount_loaded = h.amount
        from (select count(*) as n, {amount} as amount from {feed.table} where _file_id = $file_id) as h
        where file_id = $file_id
        """,
        {"file_id": file_id(feed, day)},
    )
