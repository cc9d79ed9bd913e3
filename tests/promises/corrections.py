"""A small shop that keeps correcting itself: its files, night by night, each correction in a file of its own."""

import csv
import io
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from pipelines.sources.profiles import Profile
from tests.promises.restated_books import BASE, KEYS, File

STARTS_ON = date(2026, 3, 1)
HISTORY_DAYS = 120
CURRENCIES = (BASE, "USD", "GBP")
FEEDS = ("order_lines",) * 6 + ("exchange_rates",) * 2 + ("purchase_order_lines", "feedback", "inventory_levels")
KINDS = ("change", "change", "twice", "reverse", "delete", "late", "before", "again")
Record = dict[str, Any]


def profile() -> Profile:
    feeds = {feed: {"path": f"{{delivered_on}}/{feed}/*.csv"} for feed in KEYS}
    return Profile(company="shop", base_currency=BASE, time_zone="Europe/Berlin", starts_on=STARTS_ON, feeds=feeds)


def write(landing: Path, file: File) -> None:
    """Write the file. The name of the export stands in a column, as bytes that came before would be a duplicate."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=[*file.records[0], "export"], lineterminator="\n")
    writer.writeheader()
    for record in file.records:
        writer.writerow({name: _cell(value) for name, value in record.items()} | {"export": file.name})
    path = landing / file.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.getvalue())


def _cell(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat() + "Z"
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


class Shop:
    """Draws the shop's files; remembers what it has said of each key, and what it will say too late."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._said: dict[tuple, list[Record]] = {}
        self._numbers = 0
        self.stragglers: list[File] = []
        self.corrections = 0

    def history(self) -> list[File]:
        """What is known when the shop starts: one file per feed."""
        records: dict[str, list[Record]] = {feed: [] for feed in KEYS}
        for feed, count in (
            ("order_lines", 150),
            ("purchase_order_lines", 20),
            ("feedback", 20),
            ("inventory_levels", 20),
        ):
            records[feed] = [self._new(feed, self._past(STARTS_ON)) for _ in range(count)]
        for ago in range(0, HISTORY_DAYS, 7):
            records["exchange_rates"] += self._rates(STARTS_ON - timedelta(days=ago))
        return [self._file(feed, STARTS_ON, "history", rows) for feed, rows in records.items()]

    def night(self, day: date, corrections: int) -> list[File]:
        """The day's own records, and corrections of earlier ones."""
        records = {feed: [self._new(feed, day) for _ in range(2)] for feed in KEYS if feed != "exchange_rates"}
        files = [self._file(feed, day, "day", rows) for feed, rows in records.items()]
        files.append(self._file("exchange_rates", day, "day", self._rates(day)))
        for _ in range(corrections):
            files += self._correction(day)
            self.corrections += 1
        return files

    def _correction(self, day: date) -> Iterator[File]:
        feed, kind = self._random.choice(FEEDS), self._random.choice(KINDS)
        key = self._key(feed, lambda said: kind != "reverse" or len(said) > 1)
        if kind in ("late", "before") or key is None:
            record = self._new(feed, self._past(day))
            if record is None:
                return
            if kind == "before":
                original = self._revised(feed, record)
                self.stragglers.append(self._file(feed, STARTS_ON, f"z{self._count()}", [original]))
            yield self._file(feed, day, f"c{self._count()}", [record])
            return
        said = self._said[key]
        match kind:
            case "twice":
                for _ in range(2):
                    yield self._file(feed, day, f"c{self._count()}", [self._say(key, self._revised(feed, said[-1]))])
            case "reverse":
                yield self._file(feed, day, f"c{self._count()}", [self._say(key, said[-2])])
            case "delete":
                yield self._file(feed, day, f"c{self._count()}", [self._say(key, said[-1] | {"is_deleted": True})])
            case "again":
                yield self._file(feed, day, f"c{self._count()}", [dict(said[-1])])
            case _:
                yield self._file(feed, day, f"c{self._count()}", [self._say(key, self._revised(feed, said[-1]))])

    def _key(self, feed: str, is_fit: Any) -> tuple | None:
        keys = [key for key, said in self._said.items() if key[0] == feed and is_fit(said)]
        return self._random.choice(keys) if keys else None

    def _say(self, key: tuple, record: Record) -> Record:
        self._said[key].append(record)
        return record

    def _new(self, feed: str, business_on: date) -> Record:
        record = self._drawn(feed, business_on)
        key = (feed, *(record[name] for name in KEYS[feed]))
        if key in self._said:  # a second count or rate of the same day corrects the first
            return self._say(key, record)
        self._said[key] = [record]
        return record

    def _drawn(self, feed: str, business_on: date) -> Record:
        draw, number = self._random, self._count()
        at = datetime.combine(business_on, time(12), UTC).replace(tzinfo=None)
        match feed:
            case "order_lines":
                # Some lines join an order that is there, so that an order can lose one line and stay.
                order = f"O{number if draw.random() < 0.6 else draw.randrange(1, number + 1)}"
                return {
                    "order_id": order, "line_no": number, "ordered_at": at, "product_id": "P1",
                    "channel_id": draw.choice(["web", "store"]), "quantity": Decimal(draw.choice([-1, 1, 2, 3])),
                    "unit_price": self._price(), "discount_amount": Decimal(draw.randrange(200)) / 100,
                    "unit_cost": self._price(), "currency": draw.choice(CURRENCIES),
                    "status": draw.choice(["open", "shipped", "cancelled"]), "is_deleted": False,
                }  # fmt: skip
            case "purchase_order_lines":
                return {
                    "po_id": f"PO{number}", "line_no": 1, "supplier_id": draw.choice(["S1", "S2"]), "product_id": "P1",
                    "ordered_at": at, "quantity_ordered": Decimal(draw.randrange(1, 50)), "unit_price": self._price(),
                    "currency": draw.choice(CURRENCIES), "received_at": draw.choice([None, at]),
                    "quantity_received": draw.choice([None, Decimal(draw.randrange(50))]), "status": "open",
                    "is_deleted": False,
                }  # fmt: skip
            case "feedback":
                return {
                    "feedback_id": f"F{number}", "submitted_at": at, "feedback_channel": "survey",
                    "scale": draw.choice(["stars_1_5", "csat_1_5"]), "score": draw.randrange(1, 6), "is_deleted": False,
                }  # fmt: skip
            case "inventory_levels":
                return {
                    "product_id": f"P{number}", "location_id": draw.choice(["L1", "L2"]),
                    "measured_on": business_on, "quantity_on_hand": Decimal(draw.randrange(-2, 99)),
                    "unit_cost": self._price(), "is_deleted": False,
                }  # fmt: skip
            case _:
                return self._rate(draw.choice(CURRENCIES[1:]), business_on)

    def _rates(self, day: date) -> list[Record]:
        found = []
        for currency in CURRENCIES[1:]:
            record = self._rate(currency, day)
            self._said.setdefault(("exchange_rates", currency, day), []).append(record)
            found.append(record)
        return found

    def _rate(self, currency: str, day: date) -> Record:
        rate = Decimal(self._random.randrange(80_000_000, 120_000_000)) / 10**8
        return {"from_currency": currency, "to_currency": BASE, "rate_on": day, "rate": rate, "is_deleted": False}

    def _revised(self, feed: str, record: Record) -> Record:
        """The record with other content under the same key; it may move to another day or segment."""
        other = self._drawn(feed, self._past(STARTS_ON + timedelta(days=3)))
        kept = {name: record[name] for name in KEYS[feed]}
        if self._random.random() < 0.7:
            kept |= {name: record[name] for name in ("ordered_at", "submitted_at", "channel_id") if name in record}
        return other | kept

    def _past(self, day: date) -> date:
        return day - timedelta(days=self._random.randrange(1, HISTORY_DAYS))

    def _price(self) -> Decimal:
        return Decimal(self._random.randrange(1, 5_000_000)) / 10_000

    def _count(self) -> int:
        self._numbers += 1
        return self._numbers

    def _file(self, feed: str, day: date, name: str, records: list[Record]) -> File:
        return File(feed, day, f"{name}.csv", records)
