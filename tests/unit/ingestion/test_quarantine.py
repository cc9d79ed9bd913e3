"""Letting refused records in: mended, chosen among rivals, or because the profile was mended."""

from pathlib import Path

import pytest
from shop import Shop, line, orders

from pipelines.errors import OpscopeError
from pipelines.ingestion.quarantine import Decision, Quarantined, list_quarantine, release, show

BAD = line("A", price="ten")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    shop.put("2024-01-01/a.csv", line("G"), BAD, line("H"))
    shop.ingest()
    shop.execute("delete from ops.stale_days")
    return shop


def only(shop: Shop) -> Quarantined:
    (record,) = list_quarantine(shop.warehouse)
    return record


def let_in(shop: Shop, *ids: str, **choice: object) -> list[Decision]:
    return release(shop.settings, shop.profile, shop.warehouse, ids=ids, **choice)  # type: ignore[arg-type]


def test_the_quarantine_lists_and_shows_what_was_refused(shop: Shop) -> None:
    record = only(shop)
    assert (record.source_path, record.record_no, record.reason_code) == ("2024-01-01/a.csv", 2, "not_a_number")
    assert (record.column_name, record.raw_text) == ("unit_price", BAD.strip())
    assert show(shop.warehouse, record.quarantine_id[:8]) == record
    assert list_quarantine(shop.warehouse, reason="field_count") == []
    assert list_quarantine(shop.warehouse, feed="customers") == []
    with pytest.raises(OpscopeError, match="no record has it"):
        show(shop.warehouse, "nothing")


def test_a_record_that_is_still_wrong_stays_and_says_why(shop: Shop) -> None:
    before = shop.content()
    (decision,) = let_in(shop, everything=True)
    assert not decision.is_released
    assert "number" in decision.message
    assert shop.content() == before
    assert shop.stale() == []


def test_a_mended_record_moves_to_raw_and_both_texts_stay(shop: Shop) -> None:
    record = only(shop)
    (decision,) = let_in(shop, record.quarantine_id, text=line("A", price="10.00"), released_by="anna")
    assert decision.is_released
    assert [row[0] for row in shop.loaded()] == ["A", "G", "H"]
    released = show(shop.warehouse, record.quarantine_id)
    assert (released.status, released.released_by) == ("released", "anna")
    assert (released.raw_text, released.mended_text) == (BAD.strip(), line("A", price="10.00"))
    assert shop.query("select _record_no from raw.order_lines where order_id = 'A'") == [(2,)]
    assert shop.files() == {"2024-01-01/a.csv": "loaded"}
    assert len(shop.stale()) == 1
    shop.assert_balanced()
    assert let_in(shop, record.quarantine_id) == [Decision(record.quarantine_id, False, "It is released already.")]


def test_a_mended_record_survives_that_its_file_is_read_anew(shop: Shop) -> None:
    let_in(shop, only(shop).quarantine_id, text=line("A", price="10.00"))
    shop.change_profile(orders(columns={"channel_id": {"constant": "store"}}))
    assert shop.ingest().files_read == 1
    assert shop.query("select order_id, channel_id from raw.order_lines order by 1") == [
        ("A", "store"),
        ("G", "store"),
        ("H", "store"),
    ]
    shop.assert_balanced()


@pytest.mark.parametrize("text", ["A,1\n", "", line("A") + line("B"), 'A,"\n'])
def test_a_text_that_is_not_one_sound_record_is_not_let_in(shop: Shop, text: str) -> None:
    (decision,) = let_in(shop, only(shop).quarantine_id, text=text)
    assert not decision.is_released
    assert [row[0] for row in shop.loaded()] == ["G", "H"]


def test_a_mended_record_must_not_take_the_key_of_another(shop: Shop) -> None:
    (decision,) = let_in(shop, only(shop).quarantine_id, text=line("G", price="1.00"))
    assert not decision.is_released
    assert "order_id, line_no" in decision.message


def test_of_two_rivals_one_can_be_chosen(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.put("2024-01-01/a.csv", line("A", price="1.00"), line("A", price="2.00"))
    shop.ingest()
    first, second = sorted(list_quarantine(shop.warehouse), key=lambda each: each.record_no or 0)
    assert [decision.is_released for decision in let_in(shop, reason="duplicate_key")] == [False, False]
    assert [decision.is_released for decision in let_in(shop, second.quarantine_id)] == [True]
    assert [decision.is_released for decision in let_in(shop, first.quarantine_id)] == [False]
    assert [row[2] for row in shop.loaded()] == ["2.0000"]
    shop.assert_balanced()


def test_a_mended_profile_lets_in_what_now_passes(shop: Shop) -> None:
    expression = "case unit_price when 'ten' then '10' else unit_price end"
    shop.change_profile(orders(columns={"unit_price": {"expression": expression}}))
    (decision,) = let_in(shop, reason="not_a_number")
    assert decision.is_released
    assert [row[0] for row in shop.loaded()] == ["A", "G", "H"]
    assert shop.quarantine() == []
    shop.assert_balanced()


def test_a_record_that_was_none_is_let_in_behind_the_others(tmp_path: Path) -> None:
    header = "order_id,ordered_at,product_id,channel_id,quantity,unit_price,currency\n"
    good = line("A").replace("A,1,", "A,")
    shop = Shop(tmp_path, orders(columns={"line_no": {"ordinal_within": ["order_id"]}}))
    shop.put("2024-01-01/a.csv", good, "A,cut\n", good.replace("P1", "P3"), header=header)
    shop.ingest()
    (decision,) = let_in(shop, only(shop).quarantine_id, text=good.replace("P1", "P2"))
    assert decision.is_released
    # Its running number is the next free one: those of its neighbours stay as they were.
    assert shop.query("select product_id, line_no from raw.order_lines order by 2") == [("P1", 1), ("P3", 2), ("P2", 3)]
    shop.assert_balanced()


def test_json_records_are_mended_as_json(tmp_path: Path) -> None:
    shop = Shop(tmp_path, {"products": {"path": "{delivered_on}.jsonl"}})
    shop.put_bytes("2024-01-01.jsonl", b'{"product_id": "P1"}\n{"product_id": "P2"\n')
    shop.ingest()
    (decision,) = let_in(shop, only(shop).quarantine_id, text='{"product_id": "P2", "unit_cost": 1.50}')
    assert decision.is_released
    assert shop.query("select product_id, unit_cost::varchar from raw.products order by 1") == [
        ("P1", None),
        ("P2", "1.5000"),
    ]


def test_a_refused_file_cannot_be_released_record_by_record(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.put_bytes("2024-01-01/a.csv", b"")
    shop.ingest()
    (decision,) = let_in(shop, only(shop).quarantine_id)
    assert not decision.is_released
    assert "sent again" in decision.message


def test_a_release_must_say_what_it_releases(shop: Shop) -> None:
    with pytest.raises(OpscopeError, match="nothing is selected"):
        let_in(shop)
    with pytest.raises(OpscopeError, match="other than one"):
        let_in(shop, everything=True, text="x")
