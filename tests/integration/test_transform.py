"""The transforms on synthetic raw rows: any order of nights, with crashes and files replaced, equals one full build."""

import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.modelling.stage import prepare as prepare_ml
from pipelines.ops import prepare
from pipelines.settings import DBT_PROJECT, Settings, export_for_dbt
from pipelines.sources.contracts import contract
from pipelines.sources.profiles import load_profile
from pipelines.transforms import free_the_warehouse

# dbt drops its log file without closing it when it is called a second time in one process.
NO_LOG_FILE = ("--log-level-file", "none")

FIRST = date(2026, 3, 27)  # the clocks of London go forward two days later
DAYS = 6
Row = dict[str, Any]


def utc(month: int, day: int, hour: int = 12, minute: int = 0) -> datetime:
    """A moment of 2026 as raw holds it."""
    return datetime(2026, month, day, hour, minute, tzinfo=UTC).replace(tzinfo=None)


@dataclass(frozen=True)
class Delivered:
    """One file in raw."""

    feed: str
    delivered_on: date
    name: str
    rows: list[Row] = field(hash=False)

    @property
    def file_id(self) -> str:
        return f"{self.feed}/{self.delivered_on}/{self.name}"


@dataclass
class Company:
    """A warehouse that deliveries reach by hand, and dbt on it."""

    home: Path
    dbt: Any
    manifest: Any

    @property
    def settings(self) -> Settings:
        return Settings(home=self.home, profile="online_retail", threads=1, memory_limit="1GB")

    def connect(self) -> duckdb.DuckDBPyConnection:
        self.settings.root.mkdir(parents=True, exist_ok=True)
        return duckdb.connect(str(self.settings.warehouse_path))

    def prepare(self) -> None:
        with self.connect() as connection:
            prepare(connection, load_profile("online_retail"))

    def deliver(self, *files: Delivered) -> None:
        with self.connect() as connection:
            for file in files:
                _insert(connection, file)
                _mark_stale(connection, file)

    def withdraw(self, *files: Delivered) -> None:
        with self.connect() as connection:
            for file in files:
                connection.execute(f"delete from raw.{file.feed} where _file_id = ?", [file.file_id])
                connection.execute("delete from ops.files where file_id = ?", [file.file_id])
                _mark_stale(connection, file)

    def run(self, *command: str) -> dict[str, str]:
        """Status per node name of one dbt call."""
        export_for_dbt(self.settings)
        outcome = self.dbt(manifest=self.manifest).invoke(
            [
                "--quiet",
                *NO_LOG_FILE,
                *command,
                *("--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT)),
                *("--target-path", str(self.home / "dbt")),
            ]
        )
        free_the_warehouse()
        assert outcome.exception is None, outcome.exception
        return {result.node.name: str(result.status) for result in outcome.result.results}

    def transform(self, *select: str) -> None:
        if not select:
            self.run("seed")
        statuses = self.run("run", "--select", *(select or ("staging", "intermediate", "marts", "ops")))
        assert set(statuses.values()) == {"success"}, statuses

    def settle(self) -> None:
        """What the pipeline does after a run that succeeded."""
        with self.connect() as connection:
            connection.execute("delete from ops.stale_days")

    def rows(self, sql: str) -> list[tuple]:
        with self.connect() as connection:
            return connection.execute(sql).fetchall()

    def contents(self) -> dict[str, list[tuple]]:
        with self.connect() as connection:
            tables = connection.execute(
                "select table_schema || '.' || table_name as name from information_schema.tables "
                "where table_type = 'BASE TABLE' "
                "and (table_schema in ('intermediate', 'marts') or table_name = 'reconciliation') order by name"
            ).fetchall()
            return {name: connection.execute(f"select * from {name} order by all").fetchall() for (name,) in tables}


def _insert(connection: duckdb.DuckDBPyConnection, file: Delivered) -> None:
    for number, row in enumerate(file.rows, start=1):
        values = row | {"_file_id": file.file_id, "_record_no": number, "_delivered_on": file.delivered_on}
        connection.execute(
            f"insert into raw.{file.feed} ({', '.join(values)}) values ({', '.join('?' * len(values))})",
            list(values.values()),
        )
    amount = contract(file.feed).control_amount
    connection.execute(
        f"""
        insert into ops.files by name
        select
            ? as file_id, ? as feed, ? as source_path, cast(? as date) as delivered_on, ? as content_sha256,
            1 as delivered_bytes, 'loaded' as status, count(*) as records_seen, count(*) as records_loaded,
            0 as records_duplicate, 0 as records_quarantined, 0 as records_filtered,
            {f"coalesce(sum({amount}), 0)" if amount else "null"} as amount_loaded,
            '1' as contract_version, 'm' as mapping_digest, timestamp '2026-01-01' as ingested_at
        from raw.{file.feed} where _file_id = ?
        """,
        [file.file_id, file.feed, file.file_id, file.delivered_on, file.file_id, file.file_id],
    )


def _mark_stale(connection: duckdb.DuckDBPyConnection, file: Delivered) -> None:
    business = contract(file.feed).business_time
    days = [
        row[business].date() if isinstance(row[business], datetime) else row[business] for row in file.rows if business
    ]
    connection.execute(
        "insert into ops.stale_days values (?, ?, ?) "
        "on conflict do update set business_from = least(business_from, excluded.business_from)",
        [file.feed, file.delivered_on, min(days, default=file.delivered_on)],
    )


def _order_line(random_: random.Random, day: date) -> Row:
    number = random_.randrange(12)
    return {
        "order_id": f"O{number}",
        "line_no": 1 + number % 2,
        # A correction may even move the line to another business day.
        "ordered_at": utc(3, 26 + number % 5, 23, 30) - timedelta(days=random_.choice([0, 0, 1])),
        "product_id": random_.choice(["P0", "P1", "P2"]),
        "customer_id": random_.choice(["C0", "C1", None]),
        "channel_id": "web",
        "quantity": random_.choice([Decimal("1.333"), Decimal(2)]),
        "unit_price": Decimal("10.5037"),
        "currency": random_.choice(["GBP", "EUR", "USD"]),
        "status": random_.choice(["shipped", "cancelled"]),
        "is_deleted": random_.random() < 0.15,
    }


def _other_rows(random_: random.Random, day: date) -> dict[str, Row]:
    product = f"P{random_.randrange(2)}"
    return {
        "products": {
            "product_id": product,
            "product_name": random_.choice(["old", "new"]),
            "is_deleted": random_.random() < 0.15,
        },
        "customers": {
            "customer_id": "C0",
            "city": random_.choice(["Bath", "Leeds"]),
            "full_name": str(random_.random()),
        },
        "exchange_rates": {
            "from_currency": "GBP",
            "to_currency": "EUR",
            "rate_on": day - timedelta(days=random_.randrange(3)),
            "rate": random_.choice([Decimal("1.25"), Decimal("1.50")]),
        },
        "feedback": {
            "feedback_id": f"F{random_.randrange(4)}",
            "submitted_at": utc(3, 28),
            "feedback_channel": "survey",
            "scale": "stars_1_5",
            "score": random_.randrange(1, 6),
            "product_id": product,
        },
        "inventory_levels": {
            "product_id": product,
            "location_id": "L",
            "measured_on": day - timedelta(days=random_.randrange(2)),
            "quantity_on_hand": random_.randrange(3),
            "unit_cost": Decimal("2"),
        },
        "purchase_order_lines": {
            "po_id": f"PO{random_.randrange(3)}",
            "line_no": 1,
            "supplier_id": "S",
            "product_id": product,
            "ordered_at": utc(3, 28),
            "quantity_ordered": 5,
            "unit_price": Decimal("4"),
            "currency": "EUR",
            "received_at": random_.choice([None, utc(3, 30)]),
        },
    }


def _file(random_: random.Random, feed: str, day: date, name: str) -> Delivered:
    if feed == "order_lines":
        drawn = [_order_line(random_, day) for _ in range(6)]
        rows = list({(row["order_id"], row["line_no"]): row for row in drawn}.values())
    else:
        rows = [_other_rows(random_, day)[feed]]
    return Delivered(feed, day, name, rows)


FEEDS = (
    "order_lines", "products", "customers", "exchange_rates", "feedback", "inventory_levels", "purchase_order_lines"
)  # fmt: skip


def _deliveries(seed: int) -> list[Delivered]:
    random_ = random.Random(seed)
    files = []
    for offset in range(DAYS):
        day = FIRST + timedelta(days=offset)
        files += [_file(random_, "order_lines", day, name) for name in ("a.csv", "b.csv")]
        files += [_file(random_, feed, day, "a.csv") for feed in FEEDS[1:] if random_.random() < 0.7]
    return files + [
        Delivered("feedback", FIRST + timedelta(days=offset), "comments.csv", [_comment(text)])
        for offset, text in enumerate(["never came", "never came", "came today"])
    ]


def _comment(text: str) -> Row:
    return {
        "feedback_id": "F9", "submitted_at": utc(3, 28), "feedback_channel": "survey", "scale": "none",
        "comment_text": text,
    }  # fmt: skip


@pytest.fixture(scope="module")
def dbt(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """The dbt runner and the parsed project."""
    from dbt.cli.main import dbtRunner

    folder = tmp_path_factory.mktemp("parse")
    export_for_dbt(Settings(home=folder))
    parsed = dbtRunner().invoke(
        [
            "--quiet",
            *NO_LOG_FILE,
            *("parse", "--project-dir", str(DBT_PROJECT)),
            *("--profiles-dir", str(DBT_PROJECT), "--target-path", str(folder)),
        ]
    )
    assert parsed.success, parsed.exception
    return dbtRunner, parsed.result


def company(dbt: tuple[Any, Any], home: Path) -> Company:
    made = Company(home, *dbt)
    made.prepare()
    return made


@pytest.fixture(scope="module")
def files() -> list[Delivered]:
    return _deliveries(seed=7)


@pytest.fixture(scope="module")
def full_build(dbt: tuple[Any, Any], files: list[Delivered], tmp_path_factory: pytest.TempPathFactory) -> Company:
    """Everything delivered, then built once."""
    made = company(dbt, tmp_path_factory.mktemp("full"))
    made.deliver(*files)
    made.transform()
    made.settle()
    return made


def expected_versions(files: list[Delivered]) -> set[tuple]:
    """(order, line, quantity, product, known from, known to) by the rule as told, without SQL."""
    heard: dict[tuple, dict[date, Row]] = {}
    for file in sorted(files, key=lambda file: (file.delivered_on, file.file_id)):
        if file.feed == "order_lines":
            for row in file.rows:
                heard.setdefault((row["order_id"], row["line_no"]), {})[file.delivered_on] = row
    versions = set()
    for key, days in heard.items():
        changes: list[tuple[date, Row]] = []
        for day, row in sorted(days.items()):
            if not changes or changes[-1][1] != row:
                changes.append((day, row))
        ends: list[date | None] = [day for day, _ in changes[1:]]
        for (day, row), end in zip(changes, [*ends, None], strict=True):
            if not row["is_deleted"]:
                versions.add((*key, row["quantity"], row["product_id"], row["currency"], day, end))
    return versions


def test_versions_are_what_was_known(full_build: Company, files: list[Delivered]) -> None:
    built = full_build.rows(
        "select order_id, line_no, quantity, product_id, currency, known_from, known_to "
        "from intermediate.int_order_lines_versioned"
    )
    assert set(built) == expected_versions(files)
    assert len(built) == len(set(built)) > 12


def test_a_corrected_comment_of_the_same_length_is_another_version(full_build: Company) -> None:
    versions = full_build.rows(
        "select comment_length, known_from, known_to from intermediate.int_feedback_versioned "
        "where feedback_id = 'F9' order by known_from"
    )
    corrected = FIRST + timedelta(days=2)
    assert versions == [(10, FIRST, corrected), (10, corrected, None)]


def test_any_order_of_nights_equals_a_full_build(
    dbt: tuple[Any, Any], full_build: Company, files: list[Delivered], tmp_path: Path
) -> None:
    """Through dbt itself; forty orders of sixty days, at the cost of their SQL, are in tests/promises."""
    random_ = random.Random(1)
    made = company(dbt, tmp_path)
    shuffled = random_.sample(files, len(files))
    # Some files come with other content first and are replaced in a later night, some too many are taken back.
    wrong = [_file(random_, file.feed, file.delivered_on, file.name) for file in shuffled[:8]]
    surplus = [_file(random_, feed, FIRST + timedelta(days=random_.randrange(DAYS)), "z.csv") for feed in FEEDS]
    made.deliver(*wrong, *surplus, *shuffled[8:20])
    made.transform()
    made.settle()
    made.withdraw(*wrong[:4], *surplus[:4])
    made.deliver(*shuffled[:4], *shuffled[20:26])
    made.transform("staging", "intermediate")  # the run dies here, so its stale days stay
    made.withdraw(*wrong[4:], *surplus[4:])
    made.deliver(*shuffled[4:8])
    made.transform()
    made.settle()
    made.deliver(*shuffled[26:])
    made.transform()
    made.settle()
    expected = full_build.contents()
    for table, rows in made.contents().items():
        assert rows == expected[table], table


def test_sound_tables_have_no_gap_to_the_last_digit(full_build: Company) -> None:
    assert not full_build.rows("from ops.reconciliation where row_gap <> 0 or amount_gap <> 0")
    with_amounts = "('order_lines', 'purchase_order_lines')"
    assert not full_build.rows(f"from ops.reconciliation where amount_gap is null and feed in {with_amounts}")


def test_a_lost_row_leaves_a_gap_and_the_next_run_mends_it(full_build: Company) -> None:
    before = full_build.contents()
    with full_build.connect() as connection:
        lost = connection.execute(
            "delete from marts.fct_order_lines where order_id = (select min(order_id) from marts.fct_order_lines) "
            "returning net_amount"
        ).fetchall()
    full_build.transform("reconciliation")
    (gap,) = full_build.rows(
        "select feed, stage, sum(row_gap), sum(amount_gap) from ops.reconciliation where row_gap <> 0 group by all"
    )
    assert gap == ("order_lines", "versions_to_marts", len(lost), sum(amount for (amount,) in lost))
    full_build.transform()
    assert full_build.contents() == before


def test_calendar_agrees_with_the_standard_library(full_build: Company) -> None:
    days = full_build.rows(
        "select date_on, iso_year, iso_week, iso_weekday, day_of_year, weekday_name, month_name, year_month, "
        "iso_year_week, is_weekend, is_month_end, month_start_on, week_start_on from marts.dim_dates order by 1"
    )
    assert days[0][0] == date(2010, 1, 1)
    assert days[-1][0] == date(2027, 12, 31)
    assert len(days) == (days[-1][0] - days[0][0]).days + 1
    for day, *said in days:
        year, week, weekday = day.isocalendar()
        assert said == [
            year,
            week,
            weekday,
            day.timetuple().tm_yday,
            day.strftime("%A"),
            day.strftime("%B"),
            day.strftime("%Y-%m"),
            f"{year}-W{week:02}",
            weekday > 5,
            (day + timedelta(days=1)).day == 1,
            day.replace(day=1),
            day - timedelta(days=weekday - 1),
        ]


def test_examples_of_the_rules_hold(full_build: Company) -> None:
    statuses = full_build.run("test", "--select", "intermediate,test_type:unit", "marts,test_type:unit")
    assert len(statuses) >= 10
    assert set(statuses.values()) == {"pass"}, statuses


def test_examples_of_kpis_and_reports_hold(full_build: Company) -> None:
    with full_build.connect() as connection:
        prepare_ml(connection)
    full_build.transform("kpis", "reports")
    statuses = full_build.run("test", "--select", "kpis,test_type:unit", "reports,test_type:unit")
    assert len(statuses) >= 25
    assert set(statuses.values()) == {"pass"}, statuses


# What is done to the tables -> the one test that must notice.
FLAWS = {
    "insert into marts.fct_order_lines select * from marts.fct_order_lines limit 1": "fct_order_lines_key_is_unique",
    "update marts.fct_feedback set product_key = 5": "fct_feedback_members_exist",
    "update marts.fct_inventory_snapshot_daily set measured_on = measured_on - 10000": (
        "fct_inventory_snapshot_daily_members_exist"
    ),
    "update marts.fct_purchase_order_lines set is_in_full = true": "fct_purchase_order_lines_rules_hold",
    "update marts.dim_products set is_current = false": "dim_products_ranges_meet",
    "insert into marts.dim_channels select channel_key, 'copy' from marts.dim_channels": "dim_channels_keys_are_unique",
    "update ops.reconciliation set amount_gap = 0.01 where feed = 'order_lines'": "reconciliation_has_no_gap",
}


def test_each_flaw_is_noticed_by_its_test(full_build: Company) -> None:
    with full_build.connect() as connection:
        for flaw in FLAWS:
            connection.execute(flaw)
    statuses = full_build.run("test", "--select", "marts", "ops", "--exclude-resource-type", "unit_test")
    assert {name for name, status in statuses.items() if status == "fail"} == set(FLAWS.values())
