"""A shop whose night takes a third of a second: enough files for every turn a ledger row can take, and a publication.

A night is ingestion, three tables for readers straight from raw, and `publish`: what happens around dbt and the models,
without them. `standing` is what must be equal after any disturbance.
"""

import gzip
import importlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from pipelines import lease
from pipelines.ingestion import ingest
from pipelines.publishing import publish, verify, versions
from pipelines.publishing.digest import content_digest, digests
from pipelines.publishing.versions import current_version
from pipelines.resources import Warehouse
from pipelines.settings import Settings
from pipelines.sources.contracts import contracts
from pipelines.sources.profiles import Profile
from tests.promises.nursery import Nursery

DAYS = (date(2024, 1, 1), date(2024, 1, 2))
HEADER = "order_id,line_no,ordered_at,product_id,channel_id,quantity,unit_price,currency\n"
READERS_TABLES = ("marts.fct_order_lines", "ml.demand_forecasts", "reports.fct_kpi_values")
COMPARED = ("raw.order_lines", "raw.products", "ops.files", "ops.quarantine", "ops.stale_days")


def warm() -> None:
    """Warms a nursery: what this module imports is there, and what a night imports and reads later."""
    for name in ("pandas", "pyarrow.dataset", "tarfile", "_strptime"):
        importlib.import_module(name)
    contracts()
    profile()


def settings_at(home: Path, keep_versions: int = 3, memory_limit: str = "1GB") -> Settings:
    landing = str(home.parent / "landing")
    return Settings(home=home, landing=landing, threads=1, memory_limit=memory_limit, keep_versions=keep_versions)


def profile() -> Profile:
    return Profile(
        company="shop",
        base_currency="EUR",
        starts_on=DAYS[0],
        feeds={
            "order_lines": [{"path": "{delivered_on}/orders_*.csv"}, {"path": "{delivered_on}/orders_*.csv.gz"}],
            "products": [{"path": "{delivered_on}/products.csv"}],
        },
    )


def deliver(landing: Path) -> None:
    """Two days: plain and packed files, bad records, a refused file, a file under two names, an unchanged one."""
    first, second = (landing / str(day) for day in DAYS)
    for folder in (first, second):
        folder.mkdir(parents=True)
    products = "product_id,product_name\n" + "".join(f"P{n},Product {n}\n" for n in range(20))
    (first / "products.csv").write_text(products)
    (second / "products.csv").write_text(products.replace("Product 1\n", "Product one\n"))
    for number in range(4):
        (first / f"orders_{number}.csv").write_text(HEADER + _lines(DAYS[0], number, 60))
        (second / f"orders_{number}.csv").write_text(HEADER + _lines(DAYS[1], number, 60))
    (second / "orders_9.csv.gz").write_bytes(gzip.compress((HEADER + _lines(DAYS[1], 9, 60)).encode(), mtime=0))
    (second / "orders_again.csv").write_bytes((second / "orders_1.csv").read_bytes())
    (second / "orders_bad.csv").write_text(HEADER + _lines(DAYS[1], 7, 9) + "x,one,never,P1,web,2,1.00,EUR\n")
    (second / "orders_cut.csv").write_text((HEADER + _lines(DAYS[1], 8, 9))[:-5])


def _lines(day: date, file: int, count: int) -> str:
    return "".join(
        f"{day:%d}{file}{n},1,{day} 12:00:{n % 60:02d},P{n % 20},web,{n % 7 + 1},{n}.50,EUR\n" for n in range(count)
    )


@dataclass(frozen=True)
class Nights:
    """The shop after its first night, and what the second leads to, and takes, when nothing disturbs it."""

    template: Path
    undisturbed: dict[str, object]
    seconds: float


def nights(nursery: Nursery, folder: Path) -> Nights:
    deliver(folder / "landing")
    nursery.run(night, folder / "template", 0).or_fail()
    with copied(folder / "template", folder / "undisturbed") as home:
        begun = time.monotonic()
        nursery.run(night, home, 1).or_fail()
        seconds = time.monotonic() - begun
        return Nights(folder / "template", nursery.run(standing, home).or_fail(), seconds)


def night(home: Path, number: int, keep_versions: int = 3, memory_limit: str = "1GB") -> str:
    """Load one delivery day and publish; say which version is served."""
    settings = settings_at(home, keep_versions, memory_limit)
    with lease.writer(settings, f"night {number}"), alone(home):
        load(settings, number)
        return published(settings, number)


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """Fails when another living process is in such a block: what the lease is for, told without the lease."""
    path = home / "alone"
    if path.exists():
        other = int(path.read_text() or "0")
        assert not other or not Path(f"/proc/{other}").exists(), f"process {other} writes beside {os.getpid()}"
        path.unlink()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    os.write(descriptor, str(os.getpid()).encode())
    os.close(descriptor)
    try:
        yield
    finally:
        path.unlink()


def load(settings: Settings, number: int) -> None:
    """The night without its publication."""
    warehouse = Warehouse(settings)
    ingest(settings, profile(), warehouse, (DAYS[number], DAYS[number]), run_id=f"night {number}")
    with warehouse.transaction() as connection:
        derive(connection)


def published(settings: Settings, number: int) -> str:
    warehouse = Warehouse(settings)
    return publish(settings, warehouse, as_of=DAYS[number], run_id="night", revision="", gate=allow).version


def night_and_standing(home: Path, number: int) -> dict[str, object]:
    night(home, number)
    return standing(home)


def derive(connection: duckdb.DuckDBPyConnection) -> None:
    """Three tables that all name the newest delivery day, so that a mix of two versions would show."""
    newest = "(select max(_delivered_on) from raw.order_lines) as newest_on"
    for table, columns in {
        "marts.fct_order_lines": "order_id, line_no, unit_price, _delivered_on as delivered_on",
        "ml.demand_forecasts": "product_id, sum(quantity) as quantity",
        "reports.fct_kpi_values": "currency, sum(unit_price) as revenue",
    }.items():
        group = "" if table.startswith("marts") else "group by 1"
        connection.execute(
            f"create or replace table {table} as select {columns}, {newest} from raw.order_lines {group}"
        )


def allow(connection: duckdb.DuckDBPyConnection) -> None:
    """A gate that lets everything pass."""


def served(home: Path) -> set[date]:
    """The newest day that each table of the served version names; none before the first version."""
    path = home / "published" / "current.duckdb"
    if not (home / "published" / "current").is_symlink():
        return set()
    with duckdb.connect(str(path), read_only=True, config={"threads": 1}) as connection:
        return {
            row[0]
            for table in READERS_TABLES
            for row in connection.execute(f"select distinct newest_on from {table}").fetchall()
        }


def standing(home: Path) -> dict[str, object]:
    """All that a home says, apart from who wrote it when: tables of the warehouse, and what is served."""
    settings = settings_at(home)
    found: dict[str, object] = {}
    with Warehouse(settings).read() as connection:
        found |= {table: content_digest(connection, table) for table in COMPARED}
        found |= digests(connection, ("marts", "ml", "reports"))
        found["reconciled"] = connection.execute(
            """
            select bool_and(records_seen
                = records_loaded + records_duplicate + records_quarantined + records_filtered), sum(records_loaded)
            from ops.files
            """
        ).fetchone()
        logged = connection.execute("select version from ops.publications order by version").fetchall()
    manifest = verify(settings, current_version(settings) or "")
    # Logged once, and last.
    assert logged[-1] == (manifest.version,)
    assert len(set(logged)) == len(logged)
    found["served"] = manifest.content_digest
    found["left over"] = sorted(path.name for path in settings.published_path.iterdir())
    found["kept"] = len(versions(settings))
    return found


@contextmanager
def copied(template: Path, home: Path) -> Iterator[Path]:
    """The home as the template has it, for the block."""
    shutil.copytree(template, home, symlinks=True)
    try:
        yield home
    finally:
        shutil.rmtree(home)
