"""What the arrival sensor acts on: new files, replaced files, and neither growing nor known ones."""

import gzip
import os
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from pipelines.arrivals import Arrivals, arrived
from pipelines.assets.shell import Installation
from pipelines.automation import arrival_sensor
from pipelines.partitions import delivery_days, range_tags
from tests.unit.ingestion.shop import HEADER, Shop, line, orders

DAY = date(2024, 1, 1)
PATH = "2024-01-01/a.csv"


def installation_of(shop: Shop) -> Installation:
    return Installation(shop.settings, shop.profile, delivery_days(shop.profile))


def looked_at_twice(shop: Shop) -> Arrivals:
    return arrived(installation_of(shop), arrived(installation_of(shop), None).cursor)


def test_a_new_file_is_ready_at_the_second_look(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.put(PATH, line("A"))
    first = arrived(installation_of(shop), None)
    assert not first.ready
    assert set(arrived(installation_of(shop), first.cursor).ready) == {DAY}


def test_a_run_that_died_before_it_made_a_table_hides_no_file(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.put(PATH, line("A"))
    with shop.warehouse.write():
        pass
    assert set(looked_at_twice(shop).ready) == {DAY}


def test_a_growing_file_waits(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.put(PATH, line("A"))
    first = arrived(installation_of(shop), None)
    shop.put(PATH, line("A"), line("B"))
    assert not arrived(installation_of(shop), first.cursor).ready


def test_a_loaded_file_is_not_new(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.put(PATH, line("A"))
    shop.ingest()
    found = looked_at_twice(shop)
    assert not found.ready
    assert found.waiting_for == "nothing new in the landing"


def test_a_replaced_file_starts_a_run_of_its_own(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.put(PATH, line("A"))
    before = looked_at_twice(shop).ready[DAY]
    shop.ingest()
    shop.put(PATH, line("A"), line("B"))
    assert looked_at_twice(shop).ready[DAY] != before


CUT = gzip.compress(b"a,b\n", mtime=0)[:-4]


@pytest.mark.parametrize(("name", "content"), [("a.csv", b""), ("a.csv.gz", CUT)], ids=["empty", "cut"])
def test_a_refused_file_asks_again_only_when_it_changes(tmp_path: Path, name: str, content: bytes) -> None:
    shop = Shop(tmp_path, orders(path="{delivered_on}/" + name))
    file = shop.put_bytes(f"{DAY}/{name}", content)
    before = looked_at_twice(shop).ready
    shop.ingest()
    assert not looked_at_twice(shop).ready
    file.write_bytes(content + (HEADER + line("A")).encode())
    os.utime(file, (2e9, 2e9))
    assert looked_at_twice(shop).ready.keys() == before.keys()
    assert looked_at_twice(shop).ready != before


def test_files_that_carry_their_own_days_go_to_a_partition_there_is(tmp_path: Path) -> None:
    feeds = orders(path="all.csv", delivered_on={"column": "ordered_at"})
    shop = Shop(tmp_path, feeds, ends_on=date(2999, 1, 1))
    shop.put("all.csv", line("A"))
    (day,) = looked_at_twice(shop).ready
    assert installation_of(shop).partitions.has_partition_key(day.isoformat())


def test_days_without_a_gap_are_one_stretch_that_changes_with_any_of_its_files(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    for number, day in enumerate(("2024-01-01", "2024-01-02", "2024-01-03", "2024-01-05")):
        shop.put(f"{day}/a.csv", line(f"A{number}"))
    found = looked_at_twice(shop)
    assert [(first.day, last.day) for first, last, _ in found.stretches] == [(1, 3), (5, 5)]
    shop.put("2024-01-02/b.csv", line("B"))
    (again, alone) = looked_at_twice(shop).stretches
    assert again[:2] == found.stretches[0][:2]
    assert again != found.stretches[0]
    assert alone == found.stretches[1]


def test_the_sensor_asks_for_one_run_a_stretch(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    for number, day in enumerate(("2024-01-01", "2024-01-02", "2024-01-05")):
        shop.put(f"{day}/a.csv", line(f"A{number}"))
    sensor = arrival_sensor(installation_of(shop))
    cursor = sensor(dg.build_sensor_context()).cursor
    requests = sensor(dg.build_sensor_context(cursor=cursor)).run_requests
    assert [(each.partition_key, each.tags) for each in requests] == [
        (None, range_tags(date(2024, 1, 1), date(2024, 1, 2))),
        ("2024-01-05", {}),
    ]
