"""Files whose layout drifts: what is added is taken and noted, what breaks the contract is refused with a remedy.

It makes no difference whether the drifted file is the first of its feed, comes after years of the old layout, or an old
one is delivered after it.
"""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from tests.promises.hostile import CLEAN, HEADER, clean_lines
from tests.unit.ingestion.shop import Shop

WIDE = f"{HEADER},promised_on,tax_amount"
Facts = dict[str, Any]
# name -> (header, what to do with each clean line, what becomes of the file: reason, reasons of records, columns seen)
DRIFTS: dict[str, tuple[str, Callable[[str], str], Facts]] = {
    "column added at the end": (f"{WIDE},note", lambda line: f"{line},x", {"ignored": "note"}),
    "column added in the middle": (f"note,{WIDE}", lambda line: f"x,{line}", {"ignored": "note"}),
    "optional column dropped": (
        WIDE.removesuffix(",tax_amount"),
        lambda line: line.rpartition(",")[0],
        {"missing": "tax_amount"},
    ),
    "optional column renamed": (
        WIDE.replace("tax_amount", "vat"),
        lambda line: line,
        {"ignored": "vat", "missing": "tax_amount"},
    ),
    "required column dropped": (
        WIDE.replace(",currency", ""),
        lambda line: line.replace(",EUR", ""),
        {"refused": "missing_column", "names": "currency"},
    ),
    "required column renamed": (
        WIDE.replace("currency", "cur"),
        lambda line: line,
        {"refused": "missing_column", "names": "currency"},
    ),
    "case of a name": (
        WIDE.replace("currency", "Currency"),
        lambda line: line,
        {"refused": "missing_column", "names": "'currency' as 'Currency'"},
    ),
    "columns reordered": (
        ",".join(reversed(WIDE.split(","))),
        lambda line: ",".join(reversed(line.split(","))),
        {},
    ),
    "column twice": (
        f"{WIDE},currency",
        lambda line: f"{line},EUR",
        {"refused": "duplicate_header", "names": "currency"},
    ),
    "header in another language": (
        "Beleg,Zeile,Zeit,Artikel,Kanal,Menge,Preis,Waehrung,Termin,Steuer",
        lambda line: line,
        {"refused": "no_header", "names": "order_id"},
    ),
    "another delimiter": (
        WIDE.replace(",", ";"),
        lambda line: line.replace(",", ";"),
        {"refused": "no_header", "names": "order_id"},
    ),
    "another encoding": (WIDE, lambda line: line.replace(",web,", ",caf\udce9,"), {"records": "invalid_encoding"}),
    "integer becomes decimal": (WIDE, lambda line: line.replace(",1,", ",1.5,", 1), {"records": "not_an_integer"}),
    "number becomes text": (WIDE, lambda line: line.replace(",EUR", " pcs,EUR"), {"records": "not_a_number"}),
    "text becomes number": (WIDE, lambda line: line.replace(",web,", ",17,"), {}),
    "value becomes empty": (WIDE, lambda line: line.replace(",web,", ",,"), {"records": "missing_required"}),
    "more decimals": (WIDE, lambda line: line.replace(".25,", ".25001,"), {"records": "too_many_decimals"}),
    "decimal comma": (WIDE, lambda line: line.replace(".25,EUR", ",25,EUR"), {"records": "field_count"}),
    "another date format": (
        WIDE,
        lambda line: line.replace("2025-03-01", "01.03.2025"),
        {"records": "not_a_timestamp"},
    ),
    "stamps with a zone": (WIDE, lambda line: line.replace("10:00:00", "10:00:00+00:00"), {}),
    "another code for the currency": (WIDE, lambda line: line.replace("EUR", "Euro"), {"records": "pattern_mismatch"}),
    "key loses a part": (
        WIDE,
        lambda line: line.partition("-")[0] + line[line.index(",") :],
        {"records": "duplicate_key"},
    ),
}


def test_drift_is_taken_visibly_or_refused_with_a_remedy(tmp_path: Path, evidence: Callable[..., None]) -> None:
    shop = Shop(tmp_path)
    deliver(shop, 10, "first", drifted=True)
    assert_ends(shop, 10, "first")
    deliver(shop, 11, "old", drifted=False)
    deliver(shop, 12, "later", drifted=True)
    assert_ends(shop, 12, "later")
    deliver(shop, 5, "backfill", drifted=False)
    for day in (5, 11):
        assert shop.query(
            "select status, count(*) from ops.files where delivered_on = ? group by 1", date(2025, 3, day)
        ) == [("loaded", len(DRIFTS))]
    shop.assert_balanced()
    claim = "drifts of the layout, each as first load, later load, and followed by files of the old layout"
    evidence("P6", claim, trials=3 * len(DRIFTS))


def deliver(shop: Shop, day: int, when: str, *, drifted: bool) -> None:
    for number, (header, change, _) in enumerate(DRIFTS.values()):
        lines = [f"{line},2025-03-09,1.00" for line in clean_lines(f"{when}{number}")]
        text = [header, *map(change, lines)] if drifted else [WIDE, *lines]
        shop.put_bytes(f"2025-03-{day:02}/{number}.csv", "\n".join([*text, ""]).encode("utf-8", "surrogateescape"))
    shop.ingest()


def assert_ends(shop: Shop, day: int, when: str) -> None:
    files = {
        row[0]: row[1:]
        for row in shop.query(
            "select source_path, file_id, status, reason_code, ignored_columns, missing_columns, records_loaded "
            "from ops.files where delivered_on = ?",
            date(2025, 3, day),
        )
    }
    for number, (name, (_, _, facts)) in enumerate(DRIFTS.items()):
        path = f"2025-03-{day:02}/{number}.csv"
        file_id, status, reason, ignored, missing, loaded = files[path]
        refused = shop.query(
            "select reason_code, record_no, message from ops.quarantine where file_id = ? order by record_no", file_id
        )
        assert reason == facts.get("refused"), (name, when)
        if reason:
            ((_, _, message),) = refused
            assert (status, loaded) == ("refused", 0)
            assert facts["names"] in message
            assert path in message
            continue
        assert [(code, at) for code, at, _ in refused] == [
            (facts["records"], at) for at in range(1, CLEAN + 1) if "records" in facts
        ], (name, when)
        assert loaded == CLEAN - len(refused)
        assert ignored == facts.get("ignored")
        assert ("tax_amount" in (missing or "").split(", ")) == ("missing" in facts)
