"""What deliveries do to raw, ledger, quarantine and marks: loading, refusing, repeating, correcting."""

import gzip
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shop import HEADER, Shop, line, orders

from pipelines.errors import ProfileError, WarehouseError
from pipelines.ingestion import FeedDay
from pipelines.ingestion import register as register_module
from pipelines.ingestion.loading import QUARANTINE_SCHEMA, Loaded, Reading, insert_quarantine, insert_rows
from pipelines.ingestion.origins import raw_origin
from pipelines.ops import REFUSALS
from pipelines.sources.chunks import Reject
from pipelines.sources.contracts import contract, contracts

DAY1, DAY2, DAY3 = date(2024, 1, 1), date(2024, 1, 2), date(2024, 1, 3)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


# --------------------------------------------------------------------------------------------------------- loading


def test_a_delivery_is_loaded_counted_and_marked(shop: Shop) -> None:
    shop.put("2024-01-02/a.csv", line("A", at="2024-01-01 23:30:00"), line("B", price="0.50", quantity="-3"))
    report = shop.ingest()
    assert shop.loaded() == [("A", 1, "10.0000", DAY2), ("B", 1, "0.5000", DAY2)]
    assert report.of("order_lines", DAY2) == FeedDay(
        "order_lines", DAY2, 1, 2, 2, 0, 0, 0, Decimal("18.5000"), Decimal("18.5000")
    )
    assert (report.files_read, report.files_unchanged, report.records_loaded, report.refused) == (1, 0, 2, [])
    assert report.changed_days == [DAY2]
    assert report.days_to_check([DAY1]) == [DAY1, DAY2]
    assert shop.stale() == [("order_lines", DAY2, DAY1)]
    assert shop.query("select table_name, partition_on from ops.table_versions") == [("raw.order_lines", DAY2)]
    shop.assert_balanced()


def test_rows_are_let_go_once_they_are_inserted(shop: Shop) -> None:
    """A file's transaction is as long as the file: what it kept of each stretch of rows would be all of the file."""
    file = shop.put("2024-01-02/a.csv", line("A"))
    shop.ingest()
    (source,) = shop.profile.feeds["order_lines"]
    reading = Reading("more", contract("order_lines"), source, shop.profile, file, "more.csv", DAY2)
    with shop.warehouse.transaction() as connection:
        row = connection.execute("select * exclude (_file_id, _delivered_on) from raw.order_lines").to_arrow_table()
        before = pa.total_allocated_bytes()
        for _ in range(5):
            rows = pa.concat_tables([row] * 20_000).combine_chunks()
            size = rows.nbytes
            insert_rows(connection, reading, rows, Loaded())
            del rows
        assert pa.total_allocated_bytes() - before < size
    assert shop.query("select count(*) from raw.order_lines where _file_id = 'more'") == [(100_000,)]


def test_refused_records_are_let_go_once_they_are_in_quarantine(shop: Shop) -> None:
    file = shop.put("2024-01-02/a.csv", line("A"))
    shop.ingest()
    (source,) = shop.profile.feeds["order_lines"]
    reading = Reading("more", contract("order_lines"), source, shop.profile, file, "more.csv", DAY2)
    text = "x" * 1_000
    with shop.warehouse.transaction() as connection:
        before = pa.total_allocated_bytes()
        for part in range(5):
            numbers = range(part * 2_000, part * 2_000 + 2_000)
            rejects = [Reject(number, None, "field_count", "quantity", "a message", text) for number in numbers]
            insert_quarantine(connection, reading, rejects)
        assert pa.total_allocated_bytes() - before < 2_000 * len(text)
    assert shop.query("select count(*), min(raw_text), max(status) from ops.quarantine") == [(10_000, text, "open")]


def test_refused_records_have_the_columns_of_the_quarantine_in_its_order(shop: Shop) -> None:
    shop.put("2024-01-02/a.csv", line("A"))
    shop.ingest()
    assert [row[0] for row in shop.query("describe ops.quarantine")] == QUARANTINE_SCHEMA.names


def test_the_business_day_of_a_mark_is_a_day_of_the_company(tmp_path: Path) -> None:
    shop = Shop(tmp_path, time_zone="America/Los_Angeles")
    shop.put("2024-01-02/a.csv", line("A", at="2024-01-02 03:00:00Z"))
    shop.ingest()
    assert shop.stale() == [("order_lines", DAY2, DAY1)]


def test_only_the_asked_days_are_read(shop: Shop) -> None:
    for day in (1, 2, 3):
        shop.put(f"2024-01-0{day}/a.csv", line(f"A{day}"))
    report = shop.ingest((DAY2, DAY2))
    assert [row[0] for row in shop.loaded()] == ["A2"]
    assert report.of("order_lines", DAY1) is None
    assert shop.ingest((DAY1, DAY3)).files_read == 2


def test_a_day_without_a_file_is_no_error(shop: Shop) -> None:
    report = shop.ingest((DAY1, DAY1))
    assert report.days == {}
    assert report.changed_days == []


def test_all_raw_tables_exist_also_of_feeds_the_company_lacks(shop: Shop) -> None:
    shop.ingest()
    assert shop.query("select count(*) from information_schema.tables where table_schema = 'raw'") == [
        (len(contracts()),)
    ]


def test_a_packed_file_is_landed_unpacked_and_its_rows_can_be_traced(shop: Shop) -> None:
    content = (HEADER + line("A") + line("B")).encode()
    shop.put_bytes("2024-01-01/a.csv.gz", gzip.compress(content))
    shop.change_profile(orders(path="{delivered_on}/*.csv.gz"))
    shop.ingest()
    with shop.warehouse.read() as connection:
        (origin,) = raw_origin(connection, shop.settings, "order_lines", {"order_id": "B", "line_no": 1})
    assert (origin.source_path, origin.record_no, origin.delivered_on) == ("2024-01-01/a.csv.gz", 2, DAY1)
    assert Path(origin.landed_path).read_bytes() == content
    assert not Path(origin.landed_path).stat().st_mode & 0o222


def test_records_that_carry_their_own_day_are_spread_over_the_days(tmp_path: Path) -> None:
    header = HEADER.replace("\n", ",told\n")
    shop = Shop(tmp_path, orders(path="all.csv", delivered_on={"column": "told"}))

    def told(order: str, day: str, **cells: str) -> str:
        return line(order, **cells).replace("\n", f",{day}\n")

    shop.put("all.csv", told("A", "2024-01-02"), told("A", "2024-01-03", price="11.00"), told("B", ""), header=header)
    report = shop.ingest((DAY1, DAY1))
    # The same key on two days is a correction, not a conflict inside the file.
    assert shop.loaded() == [("A", 1, "10.0000", DAY2), ("A", 1, "11.0000", DAY3)]
    assert shop.quarantine() == [(3, "no_delivery_day", "told")]
    assert report.changed_days == [DAY2, DAY3]
    counted = report.of("order_lines", DAY2)
    assert counted is not None
    assert (counted.files, counted.seen, counted.loaded) == (1, 1, 1)
    shop.assert_balanced()


# -------------------------------------------------------------------------------------------- repeating, correcting


def test_redelivery_is_a_no_op(shop: Shop) -> None:
    shop.put("2024-01-01/a.csv", line("A"))
    shop.put("2024-01-01/bad.csv", header="nothing\n")
    shop.ingest()
    before = shop.content()
    shop.execute("delete from ops.stale_days")
    report = shop.ingest()
    assert (report.files_read, report.files_unchanged, report.changed_days) == (0, 2, [])
    # What was refused stays refused, and is said again.
    assert [refused.source_path for refused in report.refused] == ["2024-01-01/bad.csv"]
    assert shop.content() == before
    assert shop.stale() == []
    counted = report.of("order_lines", DAY1)
    assert counted is not None
    assert (counted.files, counted.loaded) == (2, 1)


def test_new_content_under_the_same_path_replaces_the_old_and_marks_what_left(shop: Shop) -> None:
    shop.put("2024-01-01/other.csv", line("C"))
    shop.put("2024-01-02/a.csv", line("A", at="2023-12-30 00:00:00"), line("B"))
    shop.ingest()
    shop.execute("delete from ops.stale_days")
    shop.put("2024-01-02/a.csv", line("B", price="9.00"))
    report = shop.ingest()
    assert shop.loaded() == [("B", 1, "9.0000", DAY2), ("C", 1, "10.0000", DAY1)]
    assert shop.query("select status, records_seen from ops.files order by all") == [
        ("loaded", 1),
        ("loaded", 1),
        ("superseded", 2),
    ]
    assert shop.stale() == [("order_lines", DAY2, date(2023, 12, 30))]
    assert report.changed_days == [DAY2]
    shop.assert_balanced()


def test_old_content_that_comes_back_stands_again(shop: Shop) -> None:
    first, second = line("A"), line("B")
    for content in (first, second, first):
        shop.put("2024-01-01/a.csv", content)
        shop.ingest()
    assert [row[0] for row in shop.loaded()] == ["A"]
    assert shop.query("select count(*) from ops.files where status = 'superseded'") == [(1,)]


def test_a_correction_on_a_later_day_is_kept_beside_the_original(shop: Shop) -> None:
    shop.put("2024-01-01/a.csv", line("A"))
    shop.put("2024-01-03/a.csv", line("A", price="12.00"))
    shop.ingest()
    assert shop.loaded() == [("A", 1, "10.0000", DAY1), ("A", 1, "12.0000", DAY3)]


def test_equal_files_are_one_and_the_earliest_owns_the_rows_whenever_it_comes(shop: Shop) -> None:
    shop.put("2024-01-03/late.csv", line("A"))
    shop.ingest()
    shop.put("2024-01-01/early.csv", line("A"))
    shop.ingest()
    assert shop.loaded() == [("A", 1, "10.0000", DAY1)]
    assert shop.files() == {"2024-01-01/early.csv": "loaded", "2024-01-03/late.csv": "duplicate"}
    assert shop.query("select records_seen, records_duplicate from ops.files where status = 'duplicate'") == [(1, 1)]
    assert {row[1] for row in shop.stale()} == {DAY1, DAY3}
    shop.assert_balanced()


def test_equal_files_that_are_read_differently_are_not_one(tmp_path: Path) -> None:
    shops = [{"path": f"{{delivered_on}}/{name}.csv", "columns": {"location_id": {"constant": name}}} for name in "ab"]
    strict = {"path": "{delivered_on}/strict.csv", "columns": {"location_id": "place", "channel_id": "till"}}
    shop = Shop(tmp_path, {"order_lines": [*shops, strict]})
    for path in ("b", "strict", "a"):
        shop.put(f"2024-01-01/{path}.csv", line("A"))
        shop.ingest()
    assert shop.query("select location_id from raw.order_lines order by 1") == [("a",), ("b",)]
    assert shop.query("select source_path, status, reason_code from ops.files order by 1") == [
        ("2024-01-01/a.csv", "loaded", None),
        ("2024-01-01/b.csv", "loaded", None),
        ("2024-01-01/strict.csv", "refused", "missing_column"),
    ]
    shop.put("2024-01-02/a.csv", line("A"))
    shop.ingest()
    assert shop.files()["2024-01-02/a.csv"] == "duplicate"


def test_a_duplicate_takes_over_when_the_owner_is_replaced(shop: Shop) -> None:
    shop.put("2024-01-01/a.csv", line("A"))
    shop.put("2024-01-02/a.csv", line("A"))
    shop.ingest()
    shop.put("2024-01-01/a.csv", line("B"))
    shop.ingest((DAY1, DAY1))
    assert shop.loaded() == [("A", 1, "10.0000", DAY2), ("B", 1, "10.0000", DAY1)]
    assert shop.files() == {"2024-01-01/a.csv": "loaded", "2024-01-02/a.csv": "loaded"}
    shop.assert_balanced()


def test_full_dumps_may_say_again_what_they_said_before(tmp_path: Path) -> None:
    shop = Shop(tmp_path, orders(identical_files="keep"))
    for day, price in ((1, "10.00"), (2, "12.00"), (3, "10.00")):
        shop.put(f"2024-01-0{day}/dump.csv", line("A", price=price))
    shop.ingest()
    assert {row[3]: row[2] for row in shop.loaded()} == {DAY1: "10.0000", DAY2: "12.0000", DAY3: "10.0000"}
    assert set(shop.files().values()) == {"loaded"}
    assert shop.ingest().files_read == 0


def test_a_changed_mapping_reads_the_file_anew(shop: Shop) -> None:
    shop.put("2024-01-01/a.csv", line("A"))
    shop.ingest()
    shop.change_profile(orders(columns={"channel_id": {"constant": "store"}}))
    report = shop.ingest()
    assert (report.files_read, report.changed_days) == (1, [DAY1])
    assert shop.query("select channel_id from raw.order_lines") == [("store",)]
    assert shop.query("select count(*) from ops.files") == [(1,)]


def test_a_changed_lookup_reads_the_file_anew(tmp_path: Path) -> None:
    feeds = orders(
        lookups={"sites": {"path": "sites.csv", "key": {"channel": "channel_id"}}},
        columns={"location_id": "sites.site"},
    )
    shop = Shop(tmp_path, feeds)
    shop.put("2024-01-01/a.csv", line("A"))
    report = shop.ingest()
    assert [refused.reason_code for refused in report.refused] == ["lookup_failed"]
    for site in ("north", "south"):
        shop.put("sites.csv", f"web,{site}\n", header="channel,site\n")
        assert shop.ingest().files_read == 1
        assert shop.query("select location_id from raw.order_lines") == [(site,)]
    assert shop.ingest().files_read == 0
    assert shop.files() == {"2024-01-01/a.csv": "loaded"}
    # A lookup that is missing now takes nothing away that was read with it.
    (shop.landing / "sites.csv").unlink()
    report = shop.ingest()
    assert [refused.reason_code for refused in report.refused] == ["lookup_failed"]
    assert shop.query("select location_id from raw.order_lines") == [("south",)]


# ------------------------------------------------------------------------------------------------------ keys in a file


def test_equal_records_are_one_and_a_duplicate(shop: Shop) -> None:
    shop.put("2024-01-01/a.csv", line("A"), line("B"), line("A"), line("A"))
    shop.ingest()
    assert shop.query("select order_id, _record_no from raw.order_lines order by 1") == [("A", 1), ("B", 2)]
    assert shop.query("select records_duplicate, amount_duplicate from ops.files") == [(2, Decimal(40))]
    shop.assert_balanced()


def test_records_with_one_key_that_differ_are_all_refused(shop: Shop) -> None:
    shop.put("2024-01-01/a.csv", line("A"), line("B"), line("A", price="11.00"), line("A"))
    shop.ingest()
    assert [row[0] for row in shop.loaded()] == ["B"]
    assert shop.quarantine() == [(number, "duplicate_key", "order_id") for number in (1, 3, 4)]
    texts = [row[0] for row in shop.query("select raw_text from ops.quarantine order by record_no")]
    assert texts == [line("A").strip(), line("A", price="11.00").strip(), line("A").strip()]
    assert shop.query("select amount_quarantined from ops.files") == [(Decimal(62),)]
    shop.assert_balanced()


def test_versions_of_one_file_are_kept_when_the_profile_says_so(tmp_path: Path) -> None:
    shop = Shop(tmp_path, orders(key_versions="last_wins"))
    prices = ("10.00", "10.00", "11.00", "10.00")
    shop.put("2024-01-01/a.csv", *(line("A", price=price) for price in prices))
    shop.ingest()
    # The second repeats the first; the fourth does not repeat the third, and is the one that counts.
    assert shop.query("select _record_no, unit_price::varchar from raw.order_lines order by 1") == [
        (1, "10.0000"),
        (3, "11.0000"),
        (4, "10.0000"),
    ]
    shop.assert_balanced()


def test_amounts_are_added_without_rounding(shop: Shop) -> None:
    shop.put("2024-01-01/a.csv", *(line(name, price="0.0001", quantity="0.001") for name in "ABCDE"))
    report = shop.ingest()
    counted = report.of("order_lines", DAY1)
    assert counted is not None
    assert counted.amount_seen == counted.amount_loaded == Decimal("0.0000005")
    shop.assert_balanced()


def test_running_numbers_and_identical_records_follow_the_profile(tmp_path: Path) -> None:
    header = HEADER.replace("line_no,", "")
    without_number = line("A").replace("A,1,", "A,")
    feeds = orders(identical_records="duplicate", columns={"line_no": {"ordinal_within": ["order_id"]}})
    shop = Shop(tmp_path, feeds)
    shop.put("2024-01-01/a.csv", without_number, without_number, without_number.replace("P1", "P2"), header=header)
    shop.ingest()
    assert shop.query("select product_id, line_no from raw.order_lines order by 2") == [("P1", 1), ("P2", 2)]
    shop.assert_balanced()


def test_where_leaves_records_out_and_counts_them(tmp_path: Path) -> None:
    shop = Shop(tmp_path, orders(where="channel_id <> 'test'"))
    shop.put("2024-01-01/a.csv", line("A"), line("B", channel="test"))
    shop.ingest()
    assert shop.query("select records_seen, records_loaded, records_filtered from ops.files") == [(2, 1, 1)]
    shop.assert_balanced()


# --------------------------------------------------------------------------------------------------------- bad input

BAD_RECORDS = {
    "field_count": ("A,1,2024-01-01 12:00:00,P1,web,2\n", None),
    "stray_quote": (line("A", product='P"1'), None),
    "control_character": (line("A", product="P\x001"), None),
    "missing_required": (line("A", product=""), "product_id"),
    "not_a_number": (line("A", price="ten"), "unit_price"),
    "not_finite": (line("A", price="NaN"), "unit_price"),
    "too_many_decimals": (line("A", price="1.00001"), "unit_price"),
    "number_too_large": (line("A", price="1" + "0" * 20), "unit_price"),
    "not_an_integer": (line("A").replace("A,1,", "A,1.5,"), "line_no"),
    "not_a_timestamp": (line("A", at="2024-02-30 12:00:00"), "ordered_at"),
    "below_minimum": (line("A", number=-1), "line_no"),
    "above_maximum": (line("A", quantity="1000000001"), "quantity"),
    "pattern_mismatch": (line("A", currency="Euro"), "currency"),
    "too_long": (line("A", channel="x" * 65), "channel_id"),
    "repeated_header": (HEADER, None),
}


@pytest.mark.parametrize("code", BAD_RECORDS)
def test_a_bad_record_is_quarantined_and_its_neighbours_are_loaded(shop: Shop, code: str) -> None:
    record, column = BAD_RECORDS[code]
    shop.put("2024-01-01/a.csv", line("G1"), record, line("G2"))
    shop.ingest()
    assert [row[0] for row in shop.loaded()] == ["G1", "G2"]
    assert shop.quarantine() == [(2, code, column)]
    ((offset, text, message),) = shop.query("select byte_offset, raw_text, message from ops.quarantine")
    assert offset == len(HEADER) + len(line("G1"))
    assert text == record.rstrip("\n")
    assert message
    assert shop.files() == {"2024-01-01/a.csv": "loaded_with_quarantine"}
    shop.assert_balanced()


def test_a_long_record_is_quarantined_too(shop: Shop) -> None:
    shop.put("2024-01-01/a.csv", line("G1"), line("A").replace("\n", ",more\n"))
    shop.ingest()
    assert shop.quarantine() == [(2, "field_count", None)]


BAD_FILES: dict[str, tuple[str, bytes]] = {
    "empty_file": ("a.csv", b""),
    "wrong_encoding": ("a.csv", (HEADER + line("A")).encode("utf-16")),
    "missing_column": ("a.csv", (HEADER + line("A")).replace("order_id", "order").encode()),
    "duplicate_header": ("a.csv", (HEADER + line("A")).replace("currency", "quantity").encode()),
    "no_header": ("a.csv", line("A").encode()),
    "no_final_newline": ("a.csv", (HEADER + line("A"))[:-3].encode()),
    "bad_archive": ("a.csv.gz", gzip.compress((HEADER + line("A")).encode())[:-5]),
    "archive_too_large": ("a.csv.gz", gzip.compress(bytes(30_000_000))),
    "unsafe_archive": ("a.csv.zip", b"PK\x05\x06" + bytes(18)),
    "wrong_format": ("a.parquet", b"PAR1 but not really"),
}


@pytest.mark.parametrize("code", BAD_FILES)
def test_a_bad_file_is_refused_whole_and_the_good_ones_are_loaded(tmp_path: Path, code: str) -> None:
    name, content = BAD_FILES[code]
    feeds = {"order_lines": [{"path": "{delivered_on}/good*.csv"}, {"path": "{delivered_on}/" + name}]}
    shop = Shop(tmp_path, feeds)
    shop.put("2024-01-01/good1.csv", line("G1"))
    shop.put_bytes(f"2024-01-01/{name}", content)
    shop.put("2024-01-01/good2.csv", line("G2"))
    report = shop.ingest()
    assert [row[0] for row in shop.loaded()] == ["G1", "G2"]
    (refused,) = report.refused
    assert (refused.reason_code, refused.source_path) == (code, f"2024-01-01/{name}")
    # Place, cause and remedy, in the delivery's own terms.
    assert refused.message == REFUSALS[code]
    ((record_no, reason, message),) = shop.query("select record_no, reason_code, message from ops.quarantine")
    assert (record_no, reason) == (None, code)
    assert message.startswith(f"2024-01-01/{name}: ")
    assert str(shop.settings.root) not in message
    shop.assert_balanced()


def test_swapped_columns_are_bound_by_name(shop: Shop) -> None:
    header = "line_no,order_id," + HEADER.partition("line_no,")[2]
    shop.put("2024-01-01/a.csv", line("A").replace("A,1,", "1,A,"), header=header)
    shop.ingest()
    assert shop.loaded() == [("A", 1, "10.0000", DAY1)]


def test_new_columns_are_noted_and_missing_optional_ones_are_null(shop: Shop) -> None:
    shop.put("2024-01-01/a.csv", line("A").replace("\n", ",x\n"), header=HEADER.replace("\n", ",colour\n"))
    shop.ingest()
    ((ignored, missing),) = shop.query("select ignored_columns, missing_columns from ops.files")
    assert ignored == "colour"
    assert "discount_amount" in missing
    assert shop.query("select discount_amount from raw.order_lines") == [(None,)]


def test_a_header_without_records_is_a_delivery_of_nothing(shop: Shop) -> None:
    shop.put("2024-01-01/a.csv")
    report = shop.ingest()
    assert shop.files() == {"2024-01-01/a.csv": "loaded"}
    assert report.changed_days == []


def test_the_ledger_quotes_nothing_of_a_refused_file(shop: Shop) -> None:
    """Readers get ops.files; a first line that is no header may be somebody's record."""
    shop.put("2024-01-01/a.csv", "Jane Doe,jane@example.org\n", header="")
    (refused,) = shop.ingest().refused
    ((kept,),) = shop.query("select message from ops.files")
    assert "jane" not in f"{kept} {refused.message}".lower()
    ((quarantined,),) = shop.query("select message from ops.quarantine")
    assert "jane@example.org" in quarantined


def test_a_sound_file_under_the_path_of_a_refused_one_settles_it(shop: Shop) -> None:
    shop.put_bytes("2024-01-01/a.csv", b"")
    shop.ingest()
    shop.put("2024-01-01/a.csv", line("A"))
    assert shop.ingest().refused == []
    assert shop.files() == {"2024-01-01/a.csv": "loaded"}
    assert shop.quarantine() == []


def test_a_refused_file_takes_nothing_away_that_stood_under_its_path(shop: Shop) -> None:
    shop.put("2024-01-01/a.csv", line("A"))
    shop.ingest()
    shop.put_bytes("2024-01-01/a.csv", b"")
    assert [refused.reason_code for refused in shop.ingest().refused] == ["empty_file"]
    assert [row[0] for row in shop.loaded()] == ["A"]
    shop.put("2024-01-01/a.csv", line("A"))
    assert shop.ingest().refused == []
    assert shop.quarantine() == []


def test_a_missing_landing_is_an_error_that_says_so(shop: Shop) -> None:
    shop.landing.rmdir()
    with pytest.raises(ProfileError, match="is not a folder"):
        shop.ingest()


def test_an_expression_that_does_not_fit_refuses_its_file_only(tmp_path: Path) -> None:
    feeds = {
        "order_lines": {"path": "{delivered_on}/a.csv"},
        "products": {
            "path": "{delivered_on}/p.csv",
            "columns": {"product_name": {"expression": "upper(nothing_such)"}},
        },
    }
    shop = Shop(tmp_path, feeds)
    shop.put("2024-01-01/a.csv", line("A"))
    shop.put("2024-01-01/p.csv", "P1\n", header="product_id\n")
    shop.ingest()
    assert [row[0] for row in shop.loaded()] == ["A"]


# ------------------------------------------------------------------------------------------- crashes and invariants


def test_a_crash_inside_a_file_leaves_whole_files_only(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    for day in (1, 2, 3):
        shop.put(f"2024-01-0{day}/a.csv", line(f"A{day}"))
    real = register_module.Marks.write

    def crash_on_the_second_day(marks: register_module.Marks, *arguments: object) -> None:
        if ("order_lines", DAY2) in marks.changed:
            raise duckdb.IOException("the disk is full")
        real(marks, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(register_module.Marks, "write", crash_on_the_second_day)
    with pytest.raises(duckdb.IOException):
        shop.ingest()
    assert [row[0] for row in shop.loaded()] == ["A1"]
    assert shop.files() == {"2024-01-01/a.csv": "loaded"}
    monkeypatch.undo()
    assert shop.ingest().files_read == 2
    assert [row[0] for row in shop.loaded()] == ["A1", "A2", "A3"]


def test_what_a_dead_run_left_half_copied_is_removed(shop: Shop) -> None:
    leftover = shop.settings.landed_path / "unfinished" / "tmp123"
    leftover.parent.mkdir(parents=True)
    leftover.write_bytes(b"half")
    shop.ingest()
    assert not leftover.exists()


def test_a_change_makes_the_as_of_days_that_knew_it_stale(shop: Shop) -> None:
    shop.put("2024-01-02/a.csv", line("A"))
    shop.ingest()
    shop.execute(
        "insert into ops.as_of_days values ('ml', '2024-01-01', false), ('ml', '2024-01-02', false), "
        "('reports', '2024-01-03', false)"
    )
    shop.ingest()
    assert shop.query("select count(*) from ops.as_of_days where is_stale") == [(0,)]
    shop.put("2024-01-02/b.csv", line("B"))
    shop.ingest()
    assert shop.query("select as_of from ops.as_of_days where is_stale order by 1") == [(DAY2,), (DAY3,)]


def test_a_file_of_refused_records_alone_makes_as_of_days_stale_when_it_comes_and_when_it_goes(shop: Shop) -> None:
    shop.ingest()
    for content in (line("A", currency="?"), line("B", currency="?") + line("C", currency="?"), ""):
        shop.execute("insert or replace into ops.as_of_days values ('reports', '2024-01-02', false)")
        shop.put("2024-01-01/a.csv", content)
        shop.ingest()
        assert shop.query("select is_stale from ops.as_of_days") == [(True,)]


def test_a_home_is_one_company_s(shop: Shop) -> None:
    shop.ingest()
    shop.profile = shop.profile.model_copy(update={"company": "another"})
    with pytest.raises(WarehouseError, match="holds the company shop in EUR, the profile is of another"):
        shop.ingest()
    shop.profile = shop.profile.model_copy(update={"company": "shop", "title": "A new name"})
    shop.ingest()
    assert shop.query("select company, title from ops.company") == [("shop", "A new name")]


FILES = st.dictionaries(
    st.tuples(st.sampled_from(["2024-01-01", "2024-01-02", "2024-01-03"]), st.sampled_from(["a.csv", "b.csv"])),
    st.lists(
        st.sampled_from(
            [line("A"), line("A", price="11.00"), line("B"), line("B", 2), line("C", currency="?"), "broken\n"]
        ),
        max_size=4,
    ),
    max_size=4,
)


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(files=FILES, data=st.data())
def test_any_order_and_any_number_of_deliveries_end_in_the_same_tables(
    tmp_path_factory: pytest.TempPathFactory, files: dict[tuple[str, str], list[str]], data: st.DataObject
) -> None:
    at_once = Shop(tmp_path_factory.mktemp("at_once"))
    for (day, name), records in files.items():
        at_once.put(f"{day}/{name}", *records)
    at_once.ingest()
    one_by_one = Shop(tmp_path_factory.mktemp("one_by_one"))
    order = data.draw(st.permutations(sorted(files) * 2)) if files else []
    for day, name in order:
        one_by_one.put(f"{day}/{name}", *files[day, name])
        one_by_one.ingest()
    one_by_one.ingest()
    assert one_by_one.content() == at_once.content()
    one_by_one.assert_balanced()
