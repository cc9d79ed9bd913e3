"""Hostile archives, JSON lines, Parquet files and workbooks. Delimited text and what a class is: `hostile`."""

import gzip
import io
import json
import stat
import warnings
import zipfile
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from tests.promises.hostile import CLEAN, COLUMNS, Hostile, clean_values, csv_text
from tests.promises.old_excel import workbook as old_workbook


def format_classes() -> Iterator[Hostile]:
    """Everything that is not delimited text."""
    yield from _gzips()
    yield from _zips()
    yield from _zstds()
    yield from _json_lines()
    yield from _parquets()
    yield from _workbooks()
    yield from _old_workbooks()


# ------------------------------------------------------------------------------------------------------- archives


def _gzips() -> Iterator[Hostile]:
    def packed(name: str) -> bytes:
        return gzip.compress(csv_text(name).encode(), mtime=0)

    def gz(name: str, content: bytes, refused: str | None = None) -> Hostile:
        return Hostile(name, content, refused, suffix="csv.gz")

    halves = csv_text("gz_members").encode()
    yield gz("gz_sound", packed("gz_sound"))
    yield gz("gz_members", gzip.compress(halves[:300], mtime=0) + gzip.compress(halves[300:], mtime=0))
    whole = packed("gz_damaged")
    yield gz("gz_cut", whole[:-9], "bad_archive")
    yield gz("gz_cut_in_the_trailer", whole[:-2], "bad_archive")
    yield gz("gz_wrong_checksum", whole[:-8] + bytes([whole[-8] ^ 1]) + whole[-7:], "bad_archive")
    yield gz("gz_wrong_length", whole[:-1] + bytes([whole[-1] ^ 1]), "bad_archive")
    yield gz("gz_garbage_behind", whole + b"garbage", "bad_archive")
    yield gz("gz_by_name_alone", csv_text("gz_by_name_alone").encode(), "bad_archive")
    yield gz("gz_in_gz", gzip.compress(packed("gz_in_gz"), mtime=0), "no_final_newline")
    yield gz("gz_bomb", gzip.compress(b"0,1\n" * 12_000_000, mtime=0), "archive_too_large")
    yield gz("gz_of_nothing", gzip.compress(b"", mtime=0), "empty_file")
    yield gz("gz_empty", b"", "empty_file")
    yield gz("gz_that_is_a_zip", _zipped(("a.csv", halves)), "bad_archive")


def _zipped(*members: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")  # of two members with one name, which is what is wanted
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def _zips() -> Iterator[Hostile]:
    def zipped(name: str, refused: str | None, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Hostile:
        return Hostile(name, _zipped(*members), refused, suffix="csv.zip")

    text = csv_text("zip").encode()
    yield zipped("zip_sound", None, ("a.csv", csv_text("zip_sound").encode()))
    for name, member in {
        "zip_slip": "../a.csv",
        "zip_absolute": "/etc/cron.d/a",
        "zip_drive": "C:\\a.csv",
        "zip_folder": "in/a.csv",
    }.items():
        yield zipped(name, "unsafe_archive", (member, text))
    yield zipped("zip_of_two", "unsafe_archive", ("a.csv", text), ("b.csv", text))
    yield zipped("zip_one_name_twice", "unsafe_archive", ("a.csv", text), ("a.csv", text))
    yield zipped("zip_of_nothing", "unsafe_archive")
    link = zipfile.ZipInfo("a.csv")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    yield zipped("zip_link", "unsafe_archive", (link, b"/etc/passwd"))
    yield zipped("zip_bomb", "archive_too_large", ("a.csv", b"0,1\n" * 12_000_000))
    sound = _zipped(("a.csv", text))
    encrypted = bytearray(sound)
    encrypted[6] |= 1
    encrypted[sound.rindex(b"PK\x01\x02") + 8] |= 1
    yield Hostile("zip_encrypted", bytes(encrypted), "unsafe_archive", suffix="csv.zip")
    yield Hostile("zip_cut", sound[:-30], "bad_archive", suffix="csv.zip")
    short = bytearray(sound)
    central = sound.rindex(b"PK\x01\x02")
    short[central + 24 : central + 28] = (100).to_bytes(4, "little")  # says it holds a hundred bytes
    yield Hostile("zip_that_lies_about_its_size", bytes(short), "bad_archive", suffix="csv.zip")


def _zstds() -> Iterator[Hostile]:
    def zstd(content: bytes) -> bytes:
        return zstandard.ZstdCompressor(write_checksum=True).compress(content)

    whole = zstd(csv_text("zst_sound").encode())
    yield Hostile("zst_sound", whole, suffix="csv.zst")
    yield Hostile("zst_cut", zstd(csv_text("zst_cut").encode())[:-3], "bad_archive", suffix="csv.zst")
    flipped = bytearray(zstd(csv_text("zst_flipped").encode()))
    flipped[len(flipped) // 2] ^= 16
    yield Hostile("zst_flipped", bytes(flipped), "bad_archive", suffix="csv.zst")
    yield Hostile("zst_bomb", zstd(b"0,1\n" * 12_000_000), "archive_too_large", suffix="csv.zst")


# ----------------------------------------------------------------------------------------------------- JSON lines


def _json_lines() -> Iterator[Hostile]:
    def text(name: str, *lines: str, end: str = "\n") -> bytes:
        clean = [json.dumps(clean_values(name, number)) for number in range(CLEAN)]
        return ("\n".join([*clean[:10], *lines, *clean[10:]]) + end).encode("utf-8", "surrogatepass")

    def bad(name: str, line: str, code: str) -> Hostile:
        return Hostile(name, text(name, line), quarantined={11: code}, folder="jsonl", suffix="jsonl")

    def changed(name: str, **cells: Any) -> str:
        return json.dumps(clean_values(name, 0) | {"order_id": f"{name}-x"} | cells)

    def odd(name: str, line: str, **values: Any) -> Hostile:
        return Hostile(name, text(name, line), odd={f"{name}-x": values}, folder="jsonl", suffix="jsonl")

    for name, line, code in (
        ("json_half_an_object", '{"order_id": 1', "not_json"),
        ("json_array", "[1, 2]", "not_json"),
        ("json_key_twice", '{"order_id": 1, "order_id": 2}', "not_json"),
        ("json_nan", '{"quantity": NaN}', "not_json"),
        ("json_deep", "[" * 100_000, "not_json"),
        ("json_two_objects", "{} {}", "not_json"),
        ("json_lone_surrogate", '{"order_id": "\\ud800"}', "not_json"),
        ("json_bad_bytes", '{"order_id": "\ud800"}', "invalid_encoding"),
        ("json_many_keys", json.dumps({f"k{i}": i for i in range(3000)}), "not_json"),
    ):
        yield bad(name, line, code)
    for name, cells, code in (
        ("json_number_nested", {"quantity": {"a": 1}}, "not_a_number"),
        ("json_number_boolean", {"quantity": True}, "not_a_number"),
        ("json_number_huge", {"quantity": 10**400}, "not_finite"),
        ("json_number_missing", {"quantity": None}, "missing_required"),
        ("json_nul_in_a_text", {"product_id": "a\0b"}, "control_character"),
        ("json_escape_in_a_text", {"product_id": "a\x1b[31mb"}, "control_character"),
    ):
        yield bad(name, changed(name, **cells), code)
    name = "json_cell_of_ten_million"
    yield bad(name, changed(name, product_id="x" * 10_000_000), "too_long")
    yield odd("json_numbers_as_numbers", changed("json_numbers_as_numbers", quantity=1.10), quantity="1.1")
    yield odd("json_text_as_text", changed("json_text_as_text", product_id="two\nlines"), product_id="two\nlines")
    whole = text("json_no_newline_but_whole", end="")
    yield Hostile("json_no_newline_but_whole", whole, folder="jsonl", suffix="jsonl")
    for name, content, code in (
        ("json_cut", text("json_cut")[:-20], "no_final_newline"),
        ("json_is_csv", csv_text("json_is_csv").encode(), "wrong_format"),
        ("json_is_one_array", b"[\n" + text("json_is_one_array") + b"]\n", None),
        ("json_utf16", text("json_utf16").decode().encode("utf-16"), "no_final_newline"),
        ("json_endless_line", b'{"order_id": "' + b"x" * 40_000_000 + b'"}\n', "wrong_format"),
        ("json_lacks_required", text("j").replace(b'"currency"', b'"cur"'), "missing_column"),
        ("json_ever_new_keys", _ever_new_keys(), "too_many_columns"),
    ):
        quarantined = {} if code else {1: "not_json", 22: "not_json"}
        yield Hostile(name, content, code, quarantined, folder="jsonl", suffix="jsonl")


def _ever_new_keys() -> bytes:
    """Each object has keys of its own: a table with as many columns as there are keys."""
    lines = [json.dumps(clean_values("keys", line) | {f"k{line}_{i}": "" for i in range(900)}) for line in range(500)]
    return "\n".join([*lines, ""]).encode()


# -------------------------------------------------------------------------------------------------------- Parquet


def _parquet(name: str, **changed: pa.Array) -> bytes:
    records = [clean_values(name, number) for number in range(CLEAN)]
    columns = {column: pa.array([record[column] for record in records]) for column in COLUMNS} | changed
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, write_page_checksum=True, compression="none", use_dictionary=False)
    return sink.getvalue()


def _parquets() -> Iterator[Hostile]:
    def parquet(name: str, content: bytes, refused: str | None = None, **more: Any) -> Hostile:
        return Hostile(name, content, refused, folder="parquet", suffix="parquet", **more)

    yield parquet("parquet_sound", _parquet("parquet_sound"))
    whole = _parquet("parquet_damaged")
    yield parquet("parquet_cut", whole[:-7], "wrong_format")
    yield parquet("parquet_head_cut", whole[100:], "wrong_format")
    flipped = bytearray(whole)
    flipped[whole.index(b"parquet_damaged-3")] ^= 1
    yield parquet("parquet_flipped_in_a_page", bytes(flipped), "wrong_format")
    long = whole[:-8] + (2**31 - 1).to_bytes(4, "little") + whole[-4:]
    yield parquet("parquet_wrong_footer_length", long, "wrong_format")
    yield parquet("parquet_is_csv", csv_text("parquet_is_csv").encode(), "wrong_format")
    yield parquet("parquet_empty", b"", "empty_file")
    halves = pa.array([number + 1.0 for number in range(CLEAN)])
    yield parquet("parquet_floats", _parquet("parquet_floats", quantity=halves))
    numbers = [number + 1.0 for number in range(CLEAN)]
    for name, value, code in (
        ("parquet_nan", float("nan"), "not_finite"),
        ("parquet_fraction", 0.1 + 0.2, "too_many_decimals"),
        ("parquet_null", None, "missing_required"),
    ):
        column = pa.array([*numbers[:10], value, *numbers[11:]], pa.float64())
        yield parquet(name, _parquet(name, quantity=column), quarantined={11: code}, clean=CLEAN - 1)
    name = "parquet_nul_in_a_text"
    ids = pa.array([f"P{number}" if number != 10 else "a\0b" for number in range(CLEAN)])
    content = _parquet(name, product_id=ids)
    yield parquet(name, content, quarantined={11: "control_character"}, clean=CLEAN - 1)
    name = "parquet_bytes_for_a_number"
    raw = pa.array([b"\xff\0"] * CLEAN)
    yield parquet(name, _parquet(name, quantity=raw), quarantined=dict.fromkeys(range(1, 21), "not_a_number"), clean=0)


# ------------------------------------------------------------------------------------------------------ workbooks


def _book(name: str, *more: list[Any], change: Any = None) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(list(COLUMNS))
    for number in range(CLEAN):
        sheet.append(_typed(name, number))
    for row in more:
        sheet.append(row)
    if change is not None:
        change(book, sheet)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def _typed(name: str, number: int) -> list[Any]:
    """A clean record in the types of a workbook."""
    cells = clean_values(name, number)
    at = datetime.fromisoformat(cells["ordered_at"])
    return [cells["order_id"], 1, at, cells["product_id"], "web", number + 1, number + 0.25, "EUR"]


def _workbooks() -> Iterator[Hostile]:
    def xlsx(name: str, content: bytes, refused: str | None = None, **more: Any) -> Hostile:
        return Hostile(name, content, refused, folder="xlsx", suffix="xlsx", **more)

    def cell(place: str, value: Any) -> Any:
        return lambda book, sheet: sheet.__setitem__(place, value)

    yield xlsx("xlsx_sound", _book("xlsx_sound"))
    whole = _book("xlsx_damaged")
    yield xlsx("xlsx_cut", whole[: len(whole) // 2], "wrong_format")
    yield xlsx("xlsx_is_csv", csv_text("xlsx_is_csv").encode(), "wrong_format")
    yield xlsx("xlsx_of_nothing", _zipped(), "wrong_format")
    claims = bytearray(whole)
    central = whole.rindex(b"PK\x01\x02")
    claims[central + 24 : central + 28] = (3 << 30).to_bytes(4, "little")
    yield xlsx("xlsx_claims_three_gigabytes", bytes(claims), "archive_too_large")
    name = "xlsx_formula_never_computed"
    content = _book(name, change=cell("F12", "=1+1"))
    yield xlsx(name, content, quarantined={11: "missing_required"}, clean=CLEAN - 1)
    name = "xlsx_text_for_a_number"
    content = _book(name, change=cell("F12", "eleven"))
    yield xlsx(name, content, quarantined={11: "not_a_number"}, clean=CLEAN - 1)
    name = "xlsx_error_value"
    content = _book(name, change=_error_at("F12"))
    yield xlsx(name, content, quarantined={11: "missing_required"}, clean=CLEAN - 1)
    name = "xlsx_value_beside_the_table"
    yield xlsx(name, _book(name, change=cell("M30", "note")), "no_header")
    name = "xlsx_cell_at_the_far_end"
    yield xlsx(name, _book(name, change=cell("XFD1048576", "x")), "archive_too_large")
    name = "xlsx_blank_rows_between"
    content = _book(name, [None] * 8, [None] * 8, [f"{name}-x", *_typed(name, 0)[1:]])
    yield xlsx(name, content, odd={f"{name}-x": {}})
    name = "xlsx_other_sheets"
    yield xlsx(name, _book(name, change=lambda book, sheet: book.create_sheet("Pivot").append(["x"])))
    yield xlsx("xlsx_of_text_cells", _book_of_text("xlsx_of_text_cells"))
    yield xlsx(
        "xlsx_broken_xml",
        _with_member(whole, "xl/worksheets/sheet1.xml", b"<worksheet><sheetData><row"),
        "wrong_format",
    )
    entities = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    name = "xlsx_entity_bomb"
    yield xlsx(name, _with_entities(_book(name), entities), quarantined={1: "missing_required"}, clean=CLEAN - 1)


def _error_at(place: str) -> Any:
    def change(book: Any, sheet: Any) -> None:
        sheet[place] = "#DIV/0!"
        sheet[place].data_type = "e"

    return change


def _book_of_text(name: str) -> bytes:
    book = openpyxl.Workbook()
    book.active.append(list(COLUMNS))
    for number in range(CLEAN):
        book.active.append(list(clean_values(name, number).values()))
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def _with_member(book: bytes, member: str, content: bytes) -> bytes:
    """The workbook with one member replaced or added."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            if info.filename != member:
                new.writestr(info.filename, old.read(info.filename))
        new.writestr(member, content)
    return buffer.getvalue()


def _with_entities(book: bytes, doctype: bytes) -> bytes:
    member = "xl/worksheets/sheet1.xml"
    with zipfile.ZipFile(io.BytesIO(book)) as archive:
        xml = archive.read(member)
    xml = doctype + xml.replace(b"<v>1</v>", b"<v>&b;</v>", 1)
    return _with_member(book, member, xml)


def _old_workbooks() -> Iterator[Hostile]:
    def xls(name: str, content: bytes, refused: str | None = None, **more: Any) -> Hostile:
        return Hostile(name, content, refused, folder="xls", suffix="xls", **more)

    def book(name: str) -> bytes:
        return old_workbook([list(COLUMNS), *(_typed(name, number) for number in range(CLEAN))])

    yield xls("xls_sound", book("xls_sound"))
    whole = book("xls_damaged")
    yield xls("xls_cut", whole[: len(whole) // 2], "wrong_format")
    yield xls("xls_is_csv", csv_text("xls_is_csv").encode(), "wrong_format")
    yield xls(
        "xls_no_workbook_inside",
        whole.replace("Workbook".encode("utf-16-le"), "Workbonk".encode("utf-16-le")),
        "wrong_format",
    )
    far = old_workbook([list(COLUMNS)], far_cell=True)
    yield xls("xls_cell_at_the_far_end", far, "archive_too_large")
