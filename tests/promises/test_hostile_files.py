"""Every class of hostile file ends as declared, alone and among good files, and none of it touches a good one."""

import random
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.promises.dialects import ZONE
from tests.promises.hostile import CLEAN, Hostile, clean_values, csv_text, text_classes
from tests.promises.hostile_formats import format_classes
from tests.unit.ingestion.shop import Shop

SEED = 20251122
GOOD = 50
FIRST_DAY = date(2025, 3, 1)
SOURCES = {
    "csv": {"path": "{delivered_on}/csv/*.csv*"},
    "utf16": {"path": "{delivered_on}/utf16/*.csv", "notation": {"encoding": "utf-16"}},
    "latin1": {"path": "{delivered_on}/latin1/*.csv", "notation": {"encoding": "latin-1"}},
    "cp1252": {"path": "{delivered_on}/cp1252/*.csv", "notation": {"encoding": "cp1252"}},
    "jsonl": {"path": "{delivered_on}/jsonl/*.jsonl"},
    "parquet": {"path": "{delivered_on}/parquet/*.parquet"},
    "xlsx": {"path": "{delivered_on}/xlsx/*.xlsx"},
    "xls": {"path": "{delivered_on}/xls/*.xls"},
}


@pytest.fixture(scope="module")
def classes() -> list[Hostile]:
    found = [*text_classes(), *format_classes()]
    assert len({each.name for each in found}) == len(found) >= 70
    return found


def shop_of(folder: Path) -> Shop:
    return Shop(folder, {"order_lines": list(SOURCES.values())}, time_zone=ZONE)


def put(shop: Shop, hostile: Hostile, day: date, prefix: str = "") -> str:
    path = f"{day}/{hostile.folder}/{prefix}{hostile.file}"
    shop.put_bytes(path, hostile.content)
    return path


def test_each_class_alone_ends_as_declared(
    tmp_path: Path, classes: list[Hostile], evidence: Callable[..., None]
) -> None:
    """Each on a delivery day of its own, so that nothing but itself can save or spoil it."""
    shop = shop_of(tmp_path)
    days = [FIRST_DAY + timedelta(days=number) for number in range(len(classes))]
    paths = [put(shop, hostile, day) for hostile, day in zip(classes, days, strict=True)]
    shop.ingest()
    found = ends_of(shop)
    for path, hostile in zip(paths, classes, strict=True):
        assert found[path] == declared(hostile), hostile.name
    shop.assert_balanced()
    evidence("P2", "classes of hostile files, each alone on its day, end as declared", trials=len(classes))
    clean = sum(each.clean for each in classes if each.refused is None)
    evidence("P2", "clean records in hostile files that are not refused: all are loaded", trials=clean)


def test_one_bad_file_takes_nothing_from_fifty_good_ones(
    tmp_path: Path, classes: list[Hostile], trials: Callable[[int, int], int], evidence: Callable[..., None]
) -> None:
    """All bad ones at once among fifty good ones in ci; each in a mix of its own in soak."""
    chance = random.Random(SEED)
    mixes = [[each] for each in classes][: trials(0, len(classes))] or [classes]
    for number, bad in enumerate(mixes):
        shop = shop_of(tmp_path / str(number))
        good = {}
        for name in (f"good{each:02}" for each in range(GOOD)):
            hostile = Hostile(name, csv_text(name).encode())
            good[put(shop, hostile, FIRST_DAY, chance.choice("az"))] = declared(hostile)
        expected = {put(shop, each, FIRST_DAY): declared(each) for each in bad}
        report = shop.ingest()
        assert ends_of(shop) == expected | good
        assert len(report.refused) == sum(each.refused is not None for each in bad)
        shop.assert_balanced()
    evidence(
        "P3",
        "hostile files among 50 good ones end as declared, and all good ones are loaded whole",
        trials=len(classes),
        seed=SEED,
    )


def declared(hostile: Hostile) -> tuple[Any, ...]:
    """(status, reason, rows, quarantined records, duplicates) that the class declares."""
    if hostile.refused:
        return "refused", hostile.refused, {}, {}, 0
    cells = {f"{hostile.name}-{i}": clean_values(hostile.name, i) for i in range(CLEAN)}
    gone = {f"{hostile.name}-{number - 1}" for number in hostile.quarantined if hostile.clean < CLEAN}
    rows = {key: typed(values) for key, values in list(cells.items())[: hostile.clean + len(gone)] if key not in gone}
    base = clean_values(hostile.name, 0)
    rows |= {key: typed(base | {"order_id": key} | values) for key, values in hostile.odd.items()}
    status = "loaded_with_quarantine" if hostile.quarantined else "loaded"
    return status, None, rows, hostile.quarantined, hostile.duplicate


def typed(cells: dict[str, Any]) -> tuple[Any, ...]:
    at = datetime.fromisoformat(cells["ordered_at"])
    if cells["ordered_at"] == "2025-03-01 10:00:00":
        at -= timedelta(hours=1)  # the clean records are in the company's zone, odd moments are given in UTC
    numbers = (Decimal(str(cells["quantity"])), Decimal(str(cells["unit_price"])))
    return int(cells["line_no"]), at, cells["product_id"], cells["channel_id"], *numbers, cells["currency"]


ROWS = "order_id, line_no, ordered_at, product_id, channel_id, quantity, unit_price, currency"


def ends_of(shop: Shop) -> dict[str, tuple[Any, ...]]:
    """What became of each path, in the terms of `declared`."""
    found: dict[str, tuple[Any, ...]] = {}
    paths = {}
    for file_id, path, *facts, duplicate in shop.query(
        "select file_id, source_path, status, reason_code, records_duplicate from ops.files"
    ):
        paths[file_id] = path
        found[path] = (*facts, {}, {}, duplicate)
    for file_id, key, *values in shop.query(f"select _file_id, {ROWS} from raw.order_lines"):
        found[paths[file_id]][2][key] = tuple(values)
    for file_id, number, code in shop.query(
        "select file_id, record_no, reason_code from ops.quarantine where record_no is not null"
    ):
        found[paths[file_id]][3][number] = code
    return found
