"""Reads the demo's deliveries by the standard library, so that other code checks the truth than wrote it."""

import csv
import gzip
import io
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import zstandard

BERLIN = ZoneInfo("Europe/Berlin")
# Numbers of real orders begin with the number of their location, purchase orders with the year, customers with K.
PLANTED = "9"


def days(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir() and path.name != "truth")


def text(path: Path, encoding: str = "utf-8") -> str:
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    if path.suffix == ".zst":
        content = zstandard.ZstdDecompressor().stream_reader(content).read()
    return content.decode(encoding, errors="replace")


def sound_records(path: Path, delimiter: str = ",", encoding: str = "utf-8") -> list[dict[str, str]]:
    """Records that are not planted, as text."""
    header, *rows = csv.reader(io.StringIO(text(path, encoding), newline=""), delimiter=delimiter)
    return [
        dict(zip(header, row, strict=True))
        for row in rows
        if len(row) == len(header) and row[0] and not row[0].startswith(PLANTED) and row != header
    ]


def is_whole(path: Path) -> bool:
    try:
        gzip.decompress(path.read_bytes())
    except EOFError:
        return False
    return True


def order_line_records(day: Path) -> Iterator[dict[str, Any]]:
    """The day's order line records, web and stores, in one shape; copies and cut files left out."""
    for path in sorted(day.glob("web_orders*.csv")):
        for row in sound_records(path):
            at = datetime.fromisoformat(row["created"]).astimezone(BERLIN)
            yield {
                "key": (row["order"], row["position"]),
                "channel": "web",
                "business_on": at.date(),
                "currency": row["currency"],
                "quantity": Decimal(row["qty"]),
                "net": Decimal(row["qty"]) * Decimal(row["price"]) - Decimal(row["discount"]),
                "is_deleted": row["void"] == "true",
                "promised_on": date.fromisoformat(row["promised"]) if row["promised"] else None,
                "delivered_on": _local_day(row["delivered"]),
                "state": row["state"],
                "product": row["sku"],
            }
    for path in sorted(day.glob("stores/*.csv.gz")):
        if path.name.endswith("_kopie.csv.gz") or not is_whole(path):
            continue
        for row in sound_records(path, ";", "latin-1"):
            quantity, price, discount = (
                Decimal(row[name].replace(",", ".")) for name in ("Menge", "Stückpreis", "Rabatt")
            )
            yield {
                "key": (row["Bon"], row["Pos"]),
                "channel": "store",
                "business_on": datetime.strptime(row["Datum"], "%d.%m.%Y").replace(tzinfo=UTC).date(),
                "currency": "EUR",
                "quantity": quantity,
                "net": quantity * price - discount,
                "is_deleted": False,
                "promised_on": None,
                "delivered_on": None,
                "state": "delivered",
                "product": row["Artikel"],
            }


def _local_day(stamp: str) -> date | None:
    return datetime.fromisoformat(stamp).astimezone(BERLIN).date() if stamp else None


def order_lines_known(root: Path, until: date | None = None) -> dict[tuple[str, str], dict[str, Any]]:
    """The last record of each key, withdrawn ones included, up to a delivery day."""
    lines: dict[tuple[str, str], dict[str, Any]] = {}
    for day in days(root):
        if until is None or date.fromisoformat(day.name) <= until:
            lines.update((record["key"], record) for record in order_line_records(day))
    return lines


def purchase_order_lines(root: Path) -> dict[tuple[str, str], dict[str, str]]:
    lines = {}
    for path in sorted(root.glob("*/purchase_orders.csv.zst")):
        for row in sound_records(path, "|"):
            lines[row["po"], row["line"]] = row
    return lines


def feedback(root: Path) -> list[dict[str, Any]]:
    answers = []
    for path in sorted(root.glob("*/feedback.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith('{"id": "F') and line.endswith("}"):
                answers.append(json.loads(line))
    return answers


def inventory(root: Path) -> list[dict[str, Any]]:
    return [row for path in sorted(root.glob("*/inventory.parquet")) for row in pq.read_table(path).to_pylist()]
