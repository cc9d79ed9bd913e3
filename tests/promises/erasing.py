"""A shop of few people who stand in every kind of file and refusal, to erase some of them and look for what is left."""

import gzip
import importlib
import io
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import lease
from pipelines.erasure import rewrite, take_out
from pipelines.ingestion import ingest
from pipelines.ingestion.erased import ErasedPersons
from pipelines.resources import Warehouse
from pipelines.settings import Settings
from pipelines.sources.contracts import contracts
from pipelines.sources.landed import LandedCopies
from pipelines.sources.profiles import Profile
from tests.promises.canaries import canary, found_below

DAYS = tuple(date(2024, 1, number) for number in range(1, 5))
ORDER = {
    "order_id": "order", "line_no": "line", "ordered_at": "at", "product_id": "sku", "customer_id": "who",
    "channel_id": {"constant": "web"}, "quantity": "qty", "unit_price": "price", "currency": {"constant": "EUR"},
}  # fmt: skip
FEEDS: dict[str, Any] = {
    "customers": [
        {"path": "{delivered_on}/customers*.csv", "columns": {"full_name": "name"}},
        {"path": "{delivered_on}/members*.parquet", "columns": {"customer_id": "number", "full_name": "name"}},
        {
            "path": "{delivered_on}/people*.csv",
            "notation": {"encoding": "utf-16", "delimiter": ";"},
            "columns": {"full_name": {"expression": "first || ' ' || last"}},
        },
    ],
    "order_lines": [
        {"path": "{delivered_on}/orders*.csv", "columns": ORDER, "where": "state <> 'test'"},
        {
            "path": "{delivered_on}/till*.csv.gz",
            "columns": ORDER,
            "notation": {"encoding": "latin-1", "delimiter": ";", "decimal": ","},
            "identical_records": "duplicate",
        },
        {"path": "{delivered_on}/book*.xlsx", "columns": ORDER},
        {"path": "{delivered_on}/lake*.parquet", "columns": ORDER},
        {
            "path": "{delivered_on}/joined*.csv",
            "columns": ORDER | {"customer_id": "cards.owner"},
            "lookups": {"cards": {"path": "cards.csv", "key": {"card": "card"}}},
        },
    ],
    "feedback": {
        "path": "{delivered_on}/feedback*.jsonl",
        "columns": {"comment_text": "text", "customer_id": "who", "submitted_at": "at", "feedback_channel": "channel"},
    },
}


@dataclass(frozen=True)
class Person:
    """A customer: a number and what is personal, all of it found nowhere else."""

    seed: int
    number: int

    def __getattr__(self, name: str) -> str:
        if name.startswith("_"):
            raise AttributeError(name)
        return canary(self.seed, self.number, name)

    @property
    def values(self) -> set[str]:
        return {getattr(self, name) for name in ("who", "name", "email", "phone", "postal", "street", "text", "card")}


@dataclass
class Shop:
    """The shop in a folder: what is delivered, one home, and the people."""

    folder: Path
    seed: int = 7
    size: int = 6
    home: str = "home"
    people: list[Person] = field(init=False)

    def __post_init__(self) -> None:
        self.people = [Person(self.seed, number) for number in range(self.size)]
        self.landing = self.folder / "landing"
        self.settings = Settings(home=self.folder / self.home, landing=str(self.landing), threads=1, memory_limit="1GB")
        self.warehouse = Warehouse(self.settings)
        self.profile = Profile(company="shop", base_currency="EUR", starts_on=DAYS[0], feeds=FEEDS)

    def ingest(self, days: tuple[date, date] | None = None) -> None:
        with lease.writer(self.settings, "ingest"):
            ingest(self.settings, self.profile, self.warehouse, days, run_id="run")

    def erase(self, people: Sequence[Person]) -> Sequence[str]:
        """Everything of an erasure that concerns raw; the deliveries that hold the people."""
        with lease.writer(self.settings, "erase"):
            taken = take_out(self.settings, self.profile, self.warehouse, [person.who for person in people])
            rewrite(self.warehouse)
        return taken.deliveries

    def left_of(self, people: Sequence[Person]) -> dict[str, set[str]]:
        """Where in the home something of the people still stands."""
        values = set().union(*(person.values for person in people))
        return {value: files for value, files in found_below(self.settings.root).items() if value in values}

    def query(self, sql: str) -> list[tuple]:
        with self.warehouse.read() as connection:
            return connection.execute(sql).fetchall()

    def ledger(self) -> list[tuple]:
        return self.query("select * exclude (run_id, ingested_at) from ops.files order by file_id")

    def rows(self) -> dict[str, list[tuple]]:
        """Every raw row, and of the quarantine what says which record was refused."""
        tables = {feed.table: self.query(f"from {feed.table} order by all") for feed in contracts()}
        refused = "select quarantine_id, file_id, record_no, status, raw_text from ops.quarantine order by all"
        return tables | {"ops.quarantine": self.query(refused)}

    # --------------------------------------------------------------------------------------------------- deliveries

    def put(self, path: str, content: bytes) -> None:
        file = self.landing / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)

    def deliver(self) -> None:
        """Three days in which everybody stands in all formats, in refused records, refused and replaced files."""
        first, second, third = map(str, DAYS[:3])
        self.put(f"{first}/customers.csv", self.customers())
        self.put(f"{first}/members.parquet", self.members())
        self.put(f"{first}/people.csv", self.people_file())
        self.put("cards.csv", ("card,owner\n" + "".join(f"{p.card},{p.who}\n" for p in self.people)).encode())
        self.put(f"{first}/orders.csv", self.orders("a"))
        self.put(f"{first}/orders_again.csv", self.orders("a"))
        self.put(f"{first}/till.csv.gz", gzip.compress(self.till("b"), mtime=0))
        self.put(f"{second}/book.xlsx", self.book("c"))
        self.put(f"{second}/lake.parquet", self.lake("d"))
        self.put(f"{second}/joined.csv", self.joined("e"))
        self.put(f"{second}/feedback.jsonl", self.feedback("f"))
        self.put(f"{third}/customers.csv", self.customers().replace(b",Bonn,", b",Bremen,"))
        # Cut, so refused as a whole, and its first line is no header: a person stands in the message.
        self.put(f"{third}/customers_cut.csv", self.customers()[:-3])
        self.put(f"{third}/customers_bare.csv", self.customers().split(b"\n", 1)[1])

    def correct(self) -> None:
        """Replace a file of the first day, so that the old one is superseded."""
        self.put(f"{DAYS[0]}/till.csv.gz", gzip.compress(self.till("b2"), mtime=0))

    def customers(self) -> bytes:
        """Sound records, a bad day, too few fields, a stray quote, one key twice, and one without its number."""
        lines = ["customer_id,name,email,phone,postal_code,city,street,registered_on"]
        for number, p in enumerate(self.people):
            sound = f"{p.who},{p.name},{p.email}@example.org,{p.phone},{p.postal},Bonn,{p.street},2023-01-01"
            bad = [
                sound,
                sound.replace("2023-01-01", "31.12.2023"),
                f"{p.who},{p.name}",
                sound.replace(p.name, f'{p.name}"x'),
                f",{p.name},{p.email}@example.org,{p.phone},,,,",
            ]
            lines += bad if number % 2 else [sound]
        return ("\n".join(lines) + "\n").encode()

    def members(self) -> bytes:
        table = pa.table(
            {
                "number": [p.who for p in self.people],
                "name": [p.name for p in self.people],
                "email": [p.email for p in self.people],
                "notes": [p.text for p in self.people],
            }
        )
        return _bytes_of(table)

    def people_file(self) -> bytes:
        lines = "".join(f"{p.who};{p.name};Ö{p.street};Bonn\n" for p in self.people)
        return ("customer_id;first;last;city\n" + lines).encode("utf-16")

    def orders(self, prefix: str) -> bytes:
        """Sound and refused lines, lines that `where` leaves out, and two with one key that differ."""
        lines = ["order,line,at,sku,who,qty,price,state,ship_to"]
        for n, p in enumerate(self.people):
            lines += [
                f'{prefix}{n},1,2024-01-01 10:00:00,P1,{p.who},2,9.99,ok,"{p.name}, {p.street}"',
                f"{prefix}{n},2,2024-01-01 10:00:00,P1,{p.who},1O,9.99,ok,{p.name}",
                f"{prefix}{n},3,2024-01-01 10:00:00,P1,{p.who},1,9.99,test,{p.name}",
                f"{prefix}{n},4,2024-01-01 10:00:00,P1,{p.who},1,1.00,ok,{p.name}",
                f"{prefix}{n},4,2024-01-01 10:00:00,P1,{p.who},1,2.00,ok,{p.name}",
                f"{prefix}{n},5,2024-01-01 10:00:00,P1,,3,5.00,ok,",
            ]
        return ("\n".join(lines) + "\n").encode()

    def till(self, prefix: str) -> bytes:
        lines = ["order;line;at;sku;who;qty;price;note"]
        for n, p in enumerate(self.people):
            line = f"{prefix}{n};1;2024-01-01 10:00:00;Ä1;{p.who};2;9,99;{p.name}"
            lines += [line, line, f"{prefix}{n};2;2024-01-01 10:00:00;Ä1;{p.who}"]
        return ("\r\n".join(lines) + "\r\n").encode("latin-1")

    def lake(self, prefix: str) -> bytes:
        return _bytes_of(pa.Table.from_pylist(self._records(prefix)))

    def book(self, prefix: str) -> bytes:
        workbook = openpyxl.Workbook()
        records = self._records(prefix)
        workbook.active.append(list(records[0]))
        for record in records:
            workbook.active.append(list(record.values()))
        stream = io.BytesIO()
        workbook.save(stream)
        return stream.getvalue()

    def joined(self, prefix: str) -> bytes:
        lines = ["order,line,at,sku,card,qty,price"]
        lines += [f"{prefix}{n},1,2024-01-02 10:00:00,P1,{p.card},2,9.99" for n, p in enumerate(self.people)]
        return ("\n".join(lines) + "\n").encode()

    def feedback(self, prefix: str) -> bytes:
        lines = []
        for n, p in enumerate(self.people):
            answer = {
                "feedback_id": f"{prefix}{n}",
                "at": "2024-01-02T10:00:00Z",
                "channel": "web",
                "scale": "nps_0_10",
            }
            answer |= {"score": 7, "who": p.who, "text": f"I am {p.text}\nÄ", "profile": {"mail": p.email}}
            lines += [json.dumps(answer), json.dumps(answer | {"feedback_id": f"x{n}", "score": 70})]
            lines += [
                json.dumps(answer)[:-1],
                json.dumps(answer | {"feedback_id": f"y{n}", "who": None, "text": "", "profile": 0}),
            ]
        return ("\n".join(lines) + "\n").encode()

    def _records(self, prefix: str) -> list[dict[str, object]]:
        return [
            {"order": f"{prefix}{n}", "line": 1, "at": "2024-01-02 10:00:00", "sku": "P1", "who": p.who}
            | {"qty": 3, "price": "4.50", "note": p.name}
            for n, p in enumerate(self.people)
        ]


def _bytes_of(table: pa.Table) -> bytes:
    stream = io.BytesIO()
    pq.write_table(table, stream)
    return stream.getvalue()


# ------------------------------------------------------------------------------------------- what a child process runs


def warm() -> None:
    """Warms a nursery: what an erasure imports later is there."""
    for name in ("pandas", "pyarrow.dataset", "_strptime"):
        importlib.import_module(name)
    contracts()


def erase_in(folder: Path, home: str, count: int) -> dict[str, Any]:
    """Erase the first people in a home; what is left of them, how the home stands, and how long it took."""
    shop = Shop(folder, home=home)
    started = time.monotonic()
    shop.erase(shop.people[:count])
    return {
        "seconds": time.monotonic() - started,
        "left": shop.left_of(shop.people[:count]),
        "state": state_of(folder, home),
    }


def state_of(folder: Path, home: str) -> dict[str, Any]:
    """All that must not depend on when an erasure was killed. Pseudonyms differ from home to home, and are left out."""
    shop = Shop(folder, home=home)
    erased = ErasedPersons.load(shop.settings.erased_path)
    numbers = {erased.of(person.who): person.number for person in shop.people if erased.of(person.who)}
    rows = {
        table: [tuple(numbers.get(value, value) for value in row) for row in found]
        for table, found in shop.rows().items()
    }
    return {
        "rows": {table: sorted(found, key=repr) for table, found in rows.items()},
        "ledger": shop.ledger(),
        "copies": LandedCopies(shop.settings.landed_path).contents(),
        "files": sorted(path.name for path in shop.settings.root.iterdir()),
    }
