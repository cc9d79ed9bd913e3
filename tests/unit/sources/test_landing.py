"""Finding and opening deliveries: which files are found, for which day, and what is never opened."""

import os
from datetime import date
from pathlib import Path

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import FileRefusedError, ProfileError
from pipelines.sources.landing import (
    Delivery,
    days_so_far,
    delivery_days,
    find_deliveries,
    last_day,
    misdated,
    source_of,
)
from pipelines.sources.patterns import compile_pattern
from pipelines.sources.profiles import Profile


def profile(**source: object) -> Profile:
    return Profile(
        company="shop",
        base_currency="EUR",
        time_zone="Asia/Tokyo",
        starts_on=date(2024, 1, 1),
        feeds={"products": source},
    )


def put(landing: Path, *paths: str) -> None:
    for path in paths:
        (landing / path).parent.mkdir(parents=True, exist_ok=True)
        (landing / path).write_bytes(b"product_id\n1\n")


def found(found_deliveries: list[Delivery]) -> list[tuple[str, date | None]]:
    return [(delivery.source_path, delivery.delivered_on) for delivery in found_deliveries]


def test_dated_folders_are_found_in_day_order_and_can_be_cut_to_a_range(tmp_path: Path) -> None:
    put(tmp_path, "2024-01-03/products.csv", "2024-01-01/products.csv", "2024-01-02/products.csv", "2024-01-02/x.csv")
    shop = profile(path="{delivered_on}/products.csv")
    assert found(find_deliveries(shop, str(tmp_path))) == [
        (f"2024-01-0{day}/products.csv", date(2024, 1, day)) for day in (1, 2, 3)
    ]
    assert found(find_deliveries(shop, str(tmp_path), (date(2024, 1, 2), date(2024, 1, 2)))) == [
        ("2024-01-02/products.csv", date(2024, 1, 2))
    ]
    assert delivery_days(shop, str(tmp_path)) == [date(2024, 1, 1), date(2024, 1, 2), date(2024, 1, 3)]


def test_a_file_of_a_day_to_come_is_no_delivery_yet_and_is_told_with_those_of_no_day(tmp_path: Path) -> None:
    put(
        tmp_path,
        "2024-01-02/products.csv",
        "2024-02-30/products.csv",
        "2024-1-3/products.csv",
        "2099-01-02/products.csv",
    )
    put(tmp_path, "2099-01-02/else.csv", "products.csv")
    shop = profile(path="{delivered_on}/products.csv")
    so_far = find_deliveries(shop, str(tmp_path), days_so_far(shop))
    assert found(so_far) == [("2024-01-02/products.csv", date(2024, 1, 2))]
    assert misdated(shop, str(tmp_path)) == [f"{day}/products.csv" for day in ("2024-02-30", "2024-1-3", "2099-01-02")]
    ahead = shop.model_copy(update={"ends_on": date(2099, 1, 2)})
    all_days = find_deliveries(ahead, str(tmp_path), days_so_far(ahead))
    assert [day for _, day in found(all_days)] == [date(2024, 1, 2), last_day(ahead)]
    assert misdated(ahead, str(tmp_path)) == ["2024-02-30/products.csv", "2024-1-3/products.csv"]


def test_a_file_that_another_source_takes_is_not_misdated(tmp_path: Path) -> None:
    put(tmp_path, "2024-01-02_p.csv", "late_p.csv")
    shop = profile(path="{delivered_on}_p.csv")
    assert misdated(shop, str(tmp_path)) == ["late_p.csv"]
    late = profile(path="late_p.csv", delivered_on={"fixed": "2099-01-01"}).feeds["products"]
    both = shop.model_copy(update={"feeds": {"products": (*shop.feeds["products"], *late)}})
    assert misdated(both, str(tmp_path)) == []


@pytest.mark.parametrize("landing", ["ftp://127.0.0.1:1/nobody", "not/there"])
def test_a_landing_that_is_remote_or_gone_is_not_listed_for_misdated_files(landing: str) -> None:
    assert misdated(profile(path="{delivered_on}_p.csv"), landing) == []


@pytest.mark.parametrize(
    ("pattern", "path", "day"),
    [
        ("p_{delivered_on:%Y%m%d}.csv", "p_20240229.csv", date(2024, 2, 29)),
        ("{delivered_on:%Y/%m/%d}/p.csv", "2024/02/29/p.csv", date(2024, 2, 29)),
        ("{delivered_on:%Y}/p{delivered_on:%Y-%m-%d}.csv", "2024/p2024-02-29.csv", date(2024, 2, 29)),
        ("{delivered_on:%d.%b.%y}.csv", "29.Feb.24.csv", date(2024, 2, 29)),
        ("{delivered_on:%Y%j}.csv", "2024060.csv", date(2024, 2, 29)),
        ("**/{delivered_on}.csv", "a/b/2024-02-29.csv", date(2024, 2, 29)),
        ("**/{delivered_on}.csv", "2024-02-29.csv", date(2024, 2, 29)),
        ("p?_{delivered_on}*.csv", "p1_2024-02-29 (copy).csv", date(2024, 2, 29)),
    ],
)
def test_days_are_read_from_paths_as_the_profile_writes_them(pattern: str, path: str, day: date) -> None:
    assert compile_pattern(pattern).match(path) == (True, day)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("{delivered_on}.csv", "2023-02-29.csv"),  # no such day
        ("{delivered_on:%Y}/p{delivered_on:%Y-%m-%d}.csv", "2023/p2024-02-29.csv"),  # the two years differ
        ("*/p.csv", "a/b/p.csv"),
        ("*.csv", ".p.csv"),  # hidden, as uploads in progress are
        ("*.csv", "p.csv.part"),
        ("p[1].csv", "p1.csv"),
        ("p.csv", "pxcsv"),
    ],
)
def test_other_paths_do_not_match(pattern: str, path: str) -> None:
    assert compile_pattern(pattern).match(path) == (False, None)


@pytest.mark.parametrize(
    "pattern", ["../p.csv", "/etc/passwd", "a/../../p.csv", "{delivered_on:%Y-%m}.csv", "{delivered_on:%x}.csv"]
)
def test_a_pattern_that_leaves_the_landing_or_names_no_whole_day_is_refused(pattern: str) -> None:
    with pytest.raises(ProfileError):
        compile_pattern(pattern)


@given(
    day=st.dates(date(1990, 1, 1), date(2068, 12, 31)), form=st.sampled_from(["%Y-%m-%d", "%Y%j", "%d%b%y", "%y_%m/%d"])
)
def test_every_day_written_in_a_path_is_found_again(day: date, form: str) -> None:
    pattern = compile_pattern(f"in/{{delivered_on:{form}}}/products.csv")
    assert pattern.match(f"in/{day.strftime(form)}/products.csv") == (True, day)


def test_odd_names_are_found_and_opened(tmp_path: Path) -> None:
    names = ["it's.csv", 'a "b".csv', "line\nbreak.csv", "émoji 🚲.csv", "x" * 240 + ".csv", "%s{}.csv"]
    put(tmp_path, *names)
    deliveries = find_deliveries(profile(path="*.csv", delivered_on={"fixed": "2024-01-01"}), str(tmp_path))
    assert sorted(delivery.source_path for delivery in deliveries) == sorted(names)
    for delivery in deliveries:
        with delivery.open() as stream:
            assert stream.read() == b"product_id\n1\n"


def test_a_name_that_is_no_text_is_shown_with_escapes(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/p\xff.csv")).write_bytes(b"x\n")
    (delivery,) = find_deliveries(profile(path="*.csv", delivered_on={"fixed": "2024-01-01"}), str(tmp_path))
    assert delivery.source_path == "p\\xff.csv"
    with delivery.open() as stream:
        assert stream.read() == b"x\n"


def test_links_pipes_and_folders_are_refused_and_nothing_behind_a_link_is_found(tmp_path: Path) -> None:
    landing, outside = tmp_path / "landing", tmp_path / "outside"
    put(outside, "secret.csv", "folder/inner.csv")
    put(landing, "real.csv", "sub.csv/inside.csv")
    (landing / "link.csv").symlink_to(outside / "secret.csv")
    (landing / "linked").symlink_to(outside / "folder")
    os.mkfifo(landing / "pipe.csv")
    deliveries = find_deliveries(profile(path="**/*.csv", delivered_on={"fixed": "2024-01-01"}), str(landing))
    codes = {}
    for delivery in deliveries:
        try:
            with delivery.open() as stream:
                codes[delivery.source_path] = stream.read().decode()
        except FileRefusedError as error:
            codes[delivery.source_path] = error.reason_code
    assert codes == {
        "link.csv": "not_a_regular_file",
        "pipe.csv": "not_a_regular_file",
        "sub.csv": "not_a_regular_file",
        "sub.csv/inside.csv": "product_id\n1\n",
        "real.csv": "product_id\n1\n",
    }


def test_a_file_replaced_by_a_link_after_it_was_found_is_refused(tmp_path: Path) -> None:
    put(tmp_path, "in/p.csv")
    (tmp_path / "other").mkdir()
    (delivery,) = find_deliveries(profile(path="in/p.csv", delivered_on={"fixed": "2024-01-01"}), str(tmp_path))
    (tmp_path / "in").rename(tmp_path / "moved")
    (tmp_path / "in").symlink_to(tmp_path / "moved")
    with pytest.raises(FileRefusedError, match="link") as refused, delivery.open():
        pass
    assert refused.value.reason_code == "not_a_regular_file"


def test_a_file_that_vanished_is_unreadable(tmp_path: Path) -> None:
    put(tmp_path, "p.csv")
    (delivery,) = find_deliveries(profile(path="p.csv", delivered_on={"fixed": "2024-01-01"}), str(tmp_path))
    (tmp_path / "p.csv").unlink()
    with pytest.raises(FileRefusedError) as refused, delivery.open():
        pass
    assert refused.value.reason_code == "unreadable"


@pytest.mark.parametrize("change", ["append", "replace"])
def test_a_file_that_changes_while_it_is_read_is_still_being_written(tmp_path: Path, change: str) -> None:
    put(tmp_path, "p.csv", "new.csv")
    (delivery,) = find_deliveries(profile(path="p.csv", delivered_on={"fixed": "2024-01-01"}), str(tmp_path))

    def read_while_it_changes() -> None:
        with delivery.open() as stream:
            stream.read(3)
            if change == "append":
                with (tmp_path / "p.csv").open("ab") as more:
                    more.write(b"2\n")
            else:
                (tmp_path / "new.csv").replace(tmp_path / "p.csv")

    with pytest.raises(FileRefusedError) as refused:
        read_while_it_changes()
    assert refused.value.reason_code == "still_being_written"


def test_arrival_is_the_day_of_writing_in_the_companys_zone(tmp_path: Path) -> None:
    put(tmp_path, "p.csv")
    late_evening_utc = 1704150000  # 2024-01-01 23:00 UTC, in Tokyo already the 2nd
    os.utime(tmp_path / "p.csv", (late_evening_utc, late_evening_utc))
    (delivery,) = find_deliveries(profile(path="p.csv", delivered_on="arrival"), str(tmp_path))
    assert delivery.delivered_on == date(2024, 1, 2)


def test_files_whose_records_carry_the_day_are_found_whatever_the_days(tmp_path: Path) -> None:
    put(tmp_path, "p.csv")
    shop = profile(path="p.csv", delivered_on={"column": "day"})
    asked = (date(2030, 1, 1), date(2030, 1, 1))
    assert found(find_deliveries(shop, str(tmp_path), asked)) == [("p.csv", None)]
    assert delivery_days(shop, str(tmp_path)) == []


def test_a_file_that_two_sources_claim_is_an_error_of_the_profile(tmp_path: Path) -> None:
    put(tmp_path, "p.csv")
    fixed = {"fixed": "2024-01-01"}
    shop = profile(path="p.csv", delivered_on=fixed).model_copy(
        update={
            "feeds": {
                "products": (
                    profile(path="p.csv", delivered_on=fixed).feeds["products"][0],
                    profile(path="*.csv", delivered_on=fixed).feeds["products"][0],
                )
            }
        }
    )
    with pytest.raises(ProfileError, match="both find"):
        find_deliveries(shop, str(tmp_path))


def test_a_missing_landing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="is not a folder"):
        find_deliveries(profile(path="p.csv", delivered_on={"fixed": "2024-01-01"}), str(tmp_path / "none"))


def test_remote_landings_look_the_same() -> None:
    remote = fsspec.filesystem("memory")
    remote.pipe("/bucket/in/2024-01-01/products.csv", b"product_id\n1\n")
    remote.pipe("/bucket/other/2024-01-02/products.csv", b"product_id\n1\n")
    shop = profile(path="in/{delivered_on}/products.csv")
    (delivery,) = find_deliveries(shop, "memory://bucket")
    assert (delivery.source_path, delivery.delivered_on) == ("in/2024-01-01/products.csv", date(2024, 1, 1))
    with delivery.open() as stream:
        assert stream.read() == b"product_id\n1\n"

    def read_while_it_grows() -> None:
        with delivery.open():
            remote.pipe("/bucket/in/2024-01-01/products.csv", b"longer than before\n")

    with pytest.raises(FileRefusedError) as refused:
        read_while_it_grows()
    assert refused.value.reason_code == "still_being_written"
    remote.rm("/bucket", recursive=True)
    with pytest.raises(FileRefusedError) as refused, delivery.open():
        pass
    assert refused.value.reason_code == "source_failed"


def test_the_source_of_a_path_is_found_again() -> None:
    shop = profile(path="{delivered_on}/products.csv")
    assert source_of(shop, "products", "2024-01-01/products.csv") is shop.feeds["products"][0]
    assert source_of(shop, "products", "2024-01-01/other.csv") is None
    assert source_of(shop, "suppliers", "2024-01-01/products.csv") is None
