"""The check report: worst first, whole in itself, and safe to open whatever a file or column is called."""

import re
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pipelines import ops
from pipelines.quality.report import SHOWN_DAYS, SHOWN_OUTCOMES, write_report
from pipelines.quality.versions import stamp_versions, standing_versions
from pipelines.resources import Warehouse
from pipelines.settings import Settings
from pipelines.sources.profiles import load_profile

MONDAY = date(2026, 3, 9)
NASTY = "<script>alert('x')</script>"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, memory_limit="1GB", threads=1)


@pytest.fixture
def warehouse(settings: Settings) -> Warehouse:
    prepared = Warehouse(settings)
    with prepared.write() as connection:
        ops.prepare(connection, load_profile("online_retail"))
    return prepared


def keep(
    warehouse: Warehouse, asset: str, check: str, day: date, *, passed: bool, blocking: bool = True, observed: str = "0"
) -> None:
    with warehouse.write() as connection:
        if (asset, day) not in standing_versions(connection):
            stamp_versions(connection, [asset], [day], "run")
        connection.execute(
            "insert into ops.check_results values (?, ?, ?, 'raw', 'gx', ?, ?, 1, ?, 'why', ?, 'run', '2026-03-10')",
            [asset, check, day, blocking, passed, observed, standing_versions(connection)[asset, day]],
        )


class Text(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += f" {data.strip()}"


def read(page: str) -> Text:
    parsed = Text()
    parsed.feed(page)
    return parsed


def test_page_shows_what_failed_first_and_counts_the_rest(settings: Settings, warehouse: Warehouse) -> None:
    keep(warehouse, "raw.products", "sound", MONDAY, passed=True)
    keep(warehouse, "raw.customers", "odd", MONDAY, passed=False, blocking=False, observed="city 2")
    keep(warehouse, "raw.order_lines", "broken", MONDAY, passed=False, observed="quantity 3")
    keep(warehouse, "raw.suppliers", "old", MONDAY, passed=True)
    with warehouse.write() as connection:
        stamp_versions(connection, ["raw.suppliers"], [MONDAY], "again")
    path = write_report(settings, warehouse)
    assert path == settings.root / "reports" / "checks.html"
    text = read(path.read_text(encoding="utf-8")).text
    assert re.search(r"1 failed .* 1 stale .* 1 warning .* 1 passed", text)
    listed = text.split("To look at")[1].split("Tables")[0]
    assert listed.index("broken") < listed.index("old") < listed.index("odd")
    assert "quantity 3" in listed
    assert "sound" not in listed
    tables = text.split("Tables")[1]
    order = [tables.index(f"raw.{name}") for name in ("order_lines", "suppliers", "customers", "products")]
    assert order == sorted(order)


def test_page_is_whole_in_itself_and_escapes_what_it_shows(settings: Settings, warehouse: Warehouse) -> None:
    keep(warehouse, "raw.order_lines", NASTY, MONDAY, passed=False, observed=NASTY)
    with warehouse.write() as connection:
        connection.execute(
            "insert into ops.quarantine (quarantine_id, file_id, feed, reason_code, column_name, message, raw_text, "
            "status) values ('q', 'f', $n, $n, $n, 'Jane Doe', 'jane@secret.example', 'open')",
            {"n": NASTY},
        )
    page = write_report(settings, warehouse).read_text(encoding="utf-8")
    parsed = read(page)
    assert {"script", "link", "img", "iframe"}.isdisjoint(parsed.tags)
    assert "://" not in page
    assert NASTY in parsed.text
    assert "secret" not in page
    assert "Jane" not in page


def test_long_histories_are_shown_in_part_and_counted_whole(settings: Settings, warehouse: Warehouse) -> None:
    days = [MONDAY + timedelta(days=number) for number in range(SHOWN_OUTCOMES + 5)]
    with warehouse.write() as connection:
        connection.execute(
            "insert into ops.check_results select 'raw.products', 'broken', day, 'raw', 'gx', true, false, 1, '1', "
            "'why', 'v', 'run', timestamp '2026-03-10' from unnest(cast(? as date[])) as days(day)",
            [days],
        )
    page = write_report(settings, warehouse).read_text(encoding="utf-8")
    assert page.count('<i class="failed"') == SHOWN_DAYS
    assert f"{days[-1]}: broken" in page
    assert "5 more in ops.check_results" in page


def test_page_of_an_empty_warehouse_says_so(settings: Settings, warehouse: Warehouse) -> None:
    text = read(write_report(settings, warehouse).read_text(encoding="utf-8")).text
    assert "no day was judged yet" in text
    assert "No file came yet" in text
