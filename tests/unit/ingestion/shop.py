"""A small company for the ingestion tests: one home, one landing, whatever profile a test wants."""

from datetime import date
from pathlib import Path
from typing import Any

from pipelines.ingestion import IngestReport, ingest
from pipelines.resources import Warehouse
from pipelines.settings import Settings
from pipelines.sources.profiles import Profile

HEADER = "order_id,line_no,ordered_at,product_id,channel_id,quantity,unit_price,currency\n"
Days = tuple[date, date] | None


def line(order: str, number: int = 1, *, price: str = "10.00", at: str = "2024-01-01 12:00:00", **cells: str) -> str:
    """One CSV record of order_lines."""
    fields = {"product": "P1", "channel": "web", "quantity": "2", "currency": "EUR"} | cells
    return (
        f"{order},{number},{at},{fields['product']},{fields['channel']},{fields['quantity']},{price},"
        f"{fields['currency']}\n"
    )


def orders(**source: Any) -> dict[str, Any]:
    return {"order_lines": {"path": "{delivered_on}/*.csv"} | source}


class Shop:
    """One installation in a folder, driven as a run drives it."""

    def __init__(self, folder: Path, feeds: dict[str, Any] | None = None, **profile: Any) -> None:
        self.landing = folder / "landing"
        self.landing.mkdir(parents=True, exist_ok=True)
        self.settings = Settings(home=folder / "home", landing=str(self.landing), threads=1, memory_limit="1GB")
        self.warehouse = Warehouse(self.settings)
        self._facts = {"company": "shop", "base_currency": "EUR", "starts_on": date(2024, 1, 1)} | profile
        self.profile = Profile(feeds=feeds or orders(), **self._facts)

    def change_profile(self, feeds: dict[str, Any]) -> None:
        self.profile = Profile(feeds=feeds, **self._facts)

    def put(self, path: str, *records: str, header: str = HEADER) -> Path:
        return self.put_bytes(path, (header + "".join(records)).encode())

    def put_bytes(self, path: str, content: bytes) -> Path:
        file = self.landing / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        return file

    def ingest(self, days: Days = None) -> IngestReport:
        return ingest(self.settings, self.profile, self.warehouse, days, run_id="run")

    def query(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        with self.warehouse.read() as connection:
            return connection.execute(sql, list(parameters)).fetchall()

    def execute(self, sql: str) -> None:
        with self.warehouse.write() as connection:
            connection.execute(sql)

    def loaded(self) -> list[tuple[Any, ...]]:
        """(order, line, price, day) of all raw order lines."""
        return self.query(
            "select order_id, line_no, unit_price::varchar, _delivered_on from raw.order_lines order by all"
        )

    def files(self) -> dict[str, str]:
        """Status of each path that was not superseded."""
        return dict(self.query("select source_path, status from ops.files where status <> 'superseded'"))

    def quarantine(self) -> list[tuple[Any, ...]]:
        """(record, reason, column) of all open quarantine rows."""
        return self.query(
            "select record_no, reason_code, column_name from ops.quarantine where status = 'open' order by file_id, 1"
        )

    def stale(self) -> list[tuple[Any, ...]]:
        return self.query("select feed, delivered_on, business_from from ops.stale_days order by all")

    def content(self) -> list[list[tuple[Any, ...]]]:
        """Everything that must not depend on how often and in which order files came."""
        return [
            self.query("select * from raw.order_lines order by all"),
            self.query("select * exclude (run_id, ingested_at) from ops.files order by all"),
            self.query("select * from ops.quarantine order by all"),
        ]

    def assert_balanced(self) -> None:
        """Every record of every file is in one place: by the ledger, and by the tables."""
        assert not self.query(
            """
            from ops.files where records_seen
                <> records_loaded + records_duplicate + records_quarantined + records_filtered
            """
        )
        assert not self.query(
            """
            select file_id from ops.files
            where records_loaded <> (select count(*) from raw.order_lines where _file_id = file_id)
                and status <> 'superseded'
            """
        )
        assert not self.query(
            """
            select file_id from ops.files where status in ('loaded', 'loaded_with_quarantine') and records_quarantined
                <> (select count(*) from ops.quarantine as q where q.file_id = files.file_id and q.status = 'open')
            """
        )
        assert not self.query(
            """
            from ops.files where amount_seen <> coalesce(amount_loaded, 0) + coalesce(amount_duplicate, 0)
                + coalesce(amount_quarantined, 0)
            """
        )
