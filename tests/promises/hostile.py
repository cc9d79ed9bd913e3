"""Hostile deliveries: one class per way in which a file can be wrong, odd or an attack, and what must become of it.

Every file holds twenty clean order lines whose values are known, and something else. Delimited text is here; archives,
other formats and what is no file at all are in `hostile_formats`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

CLEAN = 20
COLUMNS = ("order_id", "line_no", "ordered_at", "product_id", "channel_id", "quantity", "unit_price", "currency")
HEADER = ",".join(COLUMNS)


@dataclass(frozen=True)
class Hostile:
    """One class.

    Attributes:
        name: of the class; begins the ids of its records.
        content: the bytes delivered.
        refused: why the whole file is refused; None when it is read.
        quarantined: record number -> why it is refused.
        clean: how many clean records the file holds; each of them must be loaded.
        odd: ids of further records that are right to load -> what some of their columns must say.
        duplicate: how many records repeat others.
        folder: which source of the profile reads it.
        suffix: of its name.
    """

    name: str
    content: bytes
    refused: str | None = None
    quarantined: dict[int, str] = field(default_factory=dict)
    clean: int = CLEAN
    odd: dict[str, dict[str, Any]] = field(default_factory=dict)
    duplicate: int = 0
    folder: str = "csv"
    suffix: str = "csv"

    @property
    def file(self) -> str:
        return f"{self.name}.{self.suffix}"


def clean_values(name: str, number: int) -> dict[str, str]:
    """The cells of a clean record."""
    cells = (
        f"{name}-{number}",
        "1",
        "2025-03-01 10:00:00",
        f"P{number}",
        "web",
        f"{number + 1}",
        f"{number}.25",
        "EUR",
    )
    return dict(zip(COLUMNS, cells, strict=True))


def clean_lines(name: str, count: int = CLEAN) -> list[str]:
    return [",".join(clean_values(name, number).values()) for number in range(count)]


def csv_text(name: str, *records: str, at: int = 10, end: str = "\n", header: str = HEADER) -> str:
    """A file of clean records with others between them."""
    lines = clean_lines(name)
    return "".join(line + end for line in (header, *lines[:at], *records, *lines[at:]))


def record(name: str, **cells: str) -> str:
    """A record that is clean but for some cells."""
    return ",".join((clean_values(name, 0) | {"order_id": f"{name}-x"} | cells).values())


def text_classes() -> Iterator[Hostile]:
    """Everything in delimited text."""
    yield from _encodings()
    yield from _records()
    yield from _quoted()
    yield from _structures()
    yield from _line_ends()
    yield from _headers()
    yield from _disguises()
    yield from _refused_values()
    yield from _odd_values()
    yield from _keys()


def _one(name: str, bad: bytes | str, code: str, encoding: str = "utf-8", **more: Any) -> Hostile:
    """A file with one bad record in the middle."""
    raw = bad if isinstance(bad, bytes) else bad.encode(encoding)
    lines = [line.encode(encoding) for line in (HEADER, *clean_lines(name))]
    newline = "\n".encode(encoding)
    content = b"".join(line + newline for line in (*lines[:11], raw, *lines[11:]))
    return Hostile(name, content, quarantined={11: code}, **more)


def _encodings() -> Iterator[Hostile]:
    def text(name: str) -> str:
        return csv_text(name, record(name, product_id="caf\u00e9 \U0001f6b2"))

    odd = {"product_id": "caf\u00e9 \U0001f6b2"}
    yield Hostile("utf8_mark", b"\xef\xbb\xbf" + text("utf8_mark").encode(), odd={"utf8_mark-x": odd})
    yield Hostile("utf16_le_mark", text("utf16_le_mark").encode("utf-16"), odd={"utf16_le_mark-x": odd}, folder="utf16")
    big = b"\xfe\xff" + text("utf16_be_mark").encode("utf-16-be")
    yield Hostile("utf16_be_mark", big, odd={"utf16_be_mark-x": odd}, folder="utf16")
    bare = text("utf16_no_mark").encode("utf-16-le")
    yield Hostile("utf16_no_mark", bare, odd={"utf16_no_mark-x": odd}, folder="utf16")
    yield Hostile("utf16_undeclared", csv_text("utf16_undeclared").encode("utf-16"), "wrong_encoding")
    yield Hostile("utf16_be_undeclared", csv_text("u").encode("utf-16-be"), "wrong_encoding")
    yield Hostile("utf32_undeclared", csv_text("u32").encode("utf-32"), "wrong_encoding")
    yield Hostile("utf8_where_utf16_is_declared", csv_text("u8").encode(), "no_final_newline", folder="utf16")
    yield Hostile("utf16_cut_in_a_character", bare[:-1], "no_final_newline", folder="utf16")
    surrogate = record("utf16_lone_surrogate").encode("utf-16-le") + b"\x00\xd8"
    yield _one("utf16_lone_surrogate", surrogate, "invalid_encoding", "utf-16-le", folder="utf16")
    latin = csv_text("latin1_declared", record("latin1_declared", product_id="caf\u00e9")).encode("latin-1")
    yield Hostile("latin1_declared", latin, odd={"latin1_declared-x": {"product_id": "caf\u00e9"}}, folder="latin1")
    for name, raw in {
        "latin1_undeclared": b"caf\xe9",
        "mixed_encodings": b"caf\xc3\xa9 caf\xe9",
        "lone_surrogate": b"\xed\xa0\x80",
        "overlong_utf8": b"\xc0\xaf",
        "character_cut_at_the_end_of_a_cell": b"caf\xc3",
        "beyond_unicode": b"\xf4\x90\x80\x80",
    }.items():
        yield _one(name, record(name, product_id="?").encode().replace(b"?", raw), "invalid_encoding")
    undefined = record("cp1252_undefined").encode() + b"\x81"
    yield _one("cp1252_undefined", undefined, "invalid_encoding", folder="cp1252")
    for name, sign in {"nul": "\0", "escape": "\x1b[31m", "delete": "\x7f", "bell": "\a", "vertical_tab": "\v"}.items():
        yield _one(f"control_{name}", record(f"control_{name}", product_id=f"a{sign}b"), "control_character")


def _records() -> Iterator[Hostile]:
    for name, bad, code in (
        ("short_record", "short_record-x,1,2025-03-01 10:00:00", "field_count"),
        ("long_record", record("long_record") + ",more,and more", "field_count"),
        ("one_trailing_delimiter", record("one_trailing_delimiter") + ",", "field_count"),
        ("blank_line", "", "field_count"),
        ("blanks_only", "   ", "field_count"),
        ("only_delimiters", ",,,,,,,", "missing_required"),
        ("header_again", HEADER, "repeated_header"),
        ("header_again_quoted", ",".join(f'"{name}"' for name in COLUMNS), "repeated_header"),
        ("header_of_a_joined_file", "\ufeff" + HEADER, "not_an_integer"),
        ("total_line", "Total,,,,,210,2095.00,", "missing_required"),
        ("other_delimiter_in_one_record", record("o").replace(",", ";"), "field_count"),
        ("other_quote_in_one_record", record("other_quote", product_id="'a,b'"), "field_count"),
        ("record_in_one_quote", f'"{record("record_in_one_quote")}"', "field_count"),
        ("stray_quote", record("stray_quote", product_id='5" pipe'), "stray_quote"),
        ("backslash_quote", record("backslash_quote", product_id='"say \\"hi\\""'), "stray_quote"),
        ("text_behind_a_quote", record("text_behind_a_quote", product_id='"a"b'), "stray_quote"),
        ("blank_before_a_quote", record("blank_before_a_quote", product_id=' "a, b"'), "stray_quote"),
        ("quote_never_closed", record("quote_never_closed", product_id='"a'), "unterminated_quote"),
        ("bare_return", record("bare_return", product_id="a\rb"), "control_character"),
        ("cell_of_ten_million", record("cell_of_ten_million", product_id="x" * 10_000_000), "cell_too_long"),
        ("quoted_cell_of_ten_million", record("q", product_id='"' + "y, " * 3_333_333 + '"'), "cell_too_long"),
    ):
        yield _one(name, bad, code)


def _quoted() -> Iterator[Hostile]:
    """Files in which every cell is quoted, and one quote is missing or too many."""
    for name, damage, code in (
        ("quoted_but_for_a_closing_quote", ('-x","', '-x,"'), "stray_quote"),
        ("quoted_but_for_the_last_closing_quote", ('"EUR"', '"EUR'), "unterminated_quote"),
        ("quoted_but_for_an_opening_quote", ('"web"', 'web"'), "stray_quote"),
        ("quoted_with_a_quote_too_many", ('"web"', '"we"b"'), "stray_quote"),
        ("quoted_with_an_empty_cell_too_many", ('"web"', '"web",""'), "field_count"),
    ):
        records = [HEADER, *clean_lines(name)[:10], record(name), *clean_lines(name)[10:]]
        lines = [",".join(f'"{cell}"' for cell in line.split(",")) for line in records]
        lines[11] = lines[11].replace(*damage)
        yield Hostile(name, "\n".join([*lines, ""]).encode(), quarantined={11: code})


def _structures() -> Iterator[Hostile]:
    yield Hostile("empty", b"", "empty_file")
    yield Hostile("mark_alone", b"\xef\xbb\xbf", "empty_file")
    yield Hostile("newline_alone", b"\n", "no_header")
    yield Hostile("header_alone", (HEADER + "\n").encode(), clean=0)
    yield Hostile("no_header", "".join(line + "\n" for line in clean_lines("no_header")).encode(), "no_header")
    yield Hostile("preamble", ("Sales of March\n\n" + csv_text("preamble")).encode(), "no_header")
    yield Hostile("comment_on_top", ("# exported by cron\n" + csv_text("comment")).encode(), "no_header")
    yield Hostile("separator_line_on_top", ("sep=,\n" + csv_text("separator")).encode(), "no_header")
    tables = csv_text("two_tables", "", "sku,name", "1,a", "2,b", at=CLEAN)
    yield Hostile("two_tables", tables.encode(), quarantined=dict.fromkeys(range(21, 25), "field_count"))
    trailing = "".join(line + ",\n" for line in clean_lines("delimiter_behind_every_record"))
    every = dict.fromkeys(range(1, CLEAN + 1), "field_count")
    yield Hostile("delimiter_behind_every_record", f"{HEADER}\n{trailing}".encode(), quarantined=every, clean=0)
    blank_end = (csv_text("blank_line_at_the_end") + "\n").encode()
    yield Hostile("blank_line_at_the_end", blank_end, quarantined={21: "field_count"})
    open_end = csv_text("quote_open_at_the_end", record("o", product_id='"a'), at=CLEAN).encode()
    yield Hostile("quote_open_at_the_end", open_end, quarantined={21: "unterminated_quote"})
    many = csv_text("many_open_quotes", *[record("m", product_id='"a')] * 3, record("m", product_id='"a')).encode()
    yield Hostile("many_open_quotes", many, quarantined=dict.fromkeys(range(11, 15), "unterminated_quote"))
    control_z = (csv_text("control_z_line") + "\x1a\n").encode()
    yield Hostile("control_z_line", control_z, quarantined={21: "control_character"})
    yield Hostile("control_z_at_the_end", (csv_text("z") + "\x1a").encode(), "no_final_newline")
    yield Hostile("nul_padded", csv_text("nul_padded").encode() + bytes(4096), "no_final_newline")
    yield Hostile("no_final_newline", csv_text("no_final_newline").encode()[:-1], "no_final_newline")
    yield Hostile("cut_in_a_number", csv_text("cut_in_a_number").encode()[:-6], "no_final_newline")
    half = "".join(f"{line}\n" for line in (HEADER, *clean_lines("cut_between_records")[:7]))
    yield Hostile("cut_between_records", half.encode(), clean=7)  # nothing in the file tells: see the operations manual
    yield Hostile("endless_line", (HEADER + "\n" + "x" * 40_000_000 + "\n").encode(), "wrong_format")
    yield Hostile("endless_header", ("x" * 40_000_000 + "\n").encode(), "wrong_format")


def _line_ends() -> Iterator[Hostile]:
    yield Hostile("crlf", csv_text("crlf", end="\r\n").encode())
    mixed = csv_text("mixed_line_ends").replace("\n", "\r\n", 9)
    yield Hostile("mixed_line_ends", mixed.encode())
    yield Hostile("cr_alone", csv_text("cr_alone", end="\r").encode(), "no_final_newline")
    yield Hostile("crcrlf", csv_text("crcrlf", end="\r\r\n").encode(), "no_header")
    for name, sign in (("newline_in_a_cell", "\n"), ("crlf_in_a_cell", "\r\n"), ("cr_in_a_cell", "\r")):
        text = csv_text(name, record(name, product_id=f'"two{sign}lines"'))
        yield Hostile(name, text.encode(), odd={f"{name}-x": {"product_id": f"two{sign}lines"}})
    separators = csv_text("unicode_line_ends", record("unicode_line_ends", product_id="a\u2028b\u0085c"))
    yield Hostile(
        "unicode_line_ends", separators.encode(), odd={"unicode_line_ends-x": {"product_id": "a\u2028b\u0085c"}}
    )


def _headers() -> Iterator[Hostile]:
    for name, header, code in (
        ("header_twice_the_same_name", HEADER.replace("currency", "quantity"), "duplicate_header"),
        ("header_blank_name", HEADER.replace("currency", ""), "no_header"),
        ("header_trailing_delimiter", HEADER + ",", "no_header"),
        ("header_other_case", HEADER.upper(), "no_header"),
        ("header_one_other_case", HEADER.replace("currency", "Currency"), "missing_column"),
        ("header_with_blanks", HEADER.replace(",", ", "), "missing_column"),
        ("header_lacks_required", HEADER.replace("currency", "waehrung"), "missing_column"),
        ("header_in_another_language", "Beleg,Zeile,Zeit,Artikel,Kanal,Menge,Preis,Waehrung", "no_header"),
        ("header_open_quote", '"' + HEADER, "no_header"),
        ("header_with_nul", HEADER.replace("currency", "curr\0ency"), "wrong_encoding"),
        ("header_of_20000", ",".join([HEADER, *(f"c{i}" for i in range(20_000))]), "too_many_columns"),
        ("header_name_of_200000", HEADER + "," + "n" * 200_000, "no_header"),
        ("header_other_delimiter", HEADER.replace(",", ";"), "no_header"),
        ("header_tabs", HEADER.replace(",", "\t"), "no_header"),
    ):
        yield Hostile(name, csv_text(name, header=header).encode(), code)
    yield Hostile("html_header", b"<html><body>502 Bad Gateway</body></html>\n", "no_header")
    name = "columns_moved"
    moved = [",".join(reversed(line.split(","))) for line in (HEADER, *clean_lines(name))]
    yield Hostile(name, "\n".join([*moved, ""]).encode())
    name = "column_added"
    added = [
        f"{line},{extra}" for line, extra in zip((HEADER, *clean_lines(name)), ("new", *range(CLEAN)), strict=True)
    ]
    yield Hostile(name, "\n".join([*added, ""]).encode())


def _disguises() -> Iterator[Hostile]:
    yield Hostile("json_as_csv", b'[{"order_id": 1}]\n', "no_header")
    yield Hostile("png_as_csv", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\n", "wrong_encoding")
    yield Hostile("pickle_as_csv", b"cos\nsystem\n(S'touch /tmp/owned'\ntR.\n", "no_header")
    yield Hostile("database_as_csv", bytes(8) + b"DUCK" + bytes(5000) + b"\n", "wrong_encoding")
    yield Hostile("sql_as_csv", b"'; drop table raw.order_lines; --\n", "no_header")
    yield Hostile("template_as_csv", b"{{ env_var('HOME') }}\n{% do run_query('x') %}\n", "no_header")


def _refused_values() -> Iterator[Hostile]:
    for column, cases in {
        "quantity": {
            "decimal_comma": ('"1,5"', "not_a_number"),
            "thousands": ('"1,234"', "not_a_number"),
            "no_break_space": ("5\u00a0", "not_a_number"),
            "arabic_digits": ("\u0661\u0662", "not_a_number"),
            "wide_digits": ("\uff11\uff12", "not_a_number"),
            "unicode_minus": ("\u22125", "not_a_number"),
            "too_large_for_a_double": ("1e309", "not_finite"),
            "nan": ("NaN", "not_finite"),
            "infinity": ("-Infinity", "not_finite"),
            "currency_sign": ("$5", "not_a_number"),
            "unit": ("5kg", "not_a_number"),
            "percent": ("5%", "not_a_number"),
            "brackets": ("(5)", "not_a_number"),
            "hexadecimal": ("0x10", "not_a_number"),
            "underscore": ("1_000", "not_a_number"),
            "formula": ("=1+1", "not_a_number"),
            "null_word": ("NULL", "not_a_number"),
            "dash": ("-", "not_a_number"),
            "missing": ("", "missing_required"),
            "too_many_decimals": ("0.0001", "too_many_decimals"),
            "forty_digits": ("9" * 40, "number_too_large"),
            "above_the_contract": ("1000000001", "above_maximum"),
        },
        "line_no": {
            "decimal": ("1.5", "not_an_integer"),
            "exponent": ("1e3", "not_an_integer"),
            "twenty_digits": ("1" * 20, "number_too_large"),
            "negative": ("-1", "below_minimum"),
            "boolean": ("true", "not_an_integer"),
        },
        "ordered_at": {
            "day_alone": ("2025-03-01", "not_a_timestamp"),
            "day_or_month": ("03/04/2025 10:00", "not_a_timestamp"),
            "hour_24": ("2025-03-01 24:00:00", "not_a_timestamp"),
            "leap_second": ("2016-12-31 23:59:60", "not_a_timestamp"),
            "no_such_day": ("2025-02-29 10:00:00", "not_a_timestamp"),
            "no_such_hour": ("2025-03-30 02:30:00", "nonexistent_local_time"),
            "year_1": ("0001-01-02 00:00:00", "below_minimum"),
            "epoch": ("1970-01-01 00:00:00", "below_minimum"),
            "year_9999": ("9999-12-31 23:59:59", "above_maximum"),
            "excel_serial": ("45717.5", "not_a_timestamp"),
        },
        "currency": {"lower_case": ("eur", "pattern_mismatch"), "sign": ("\u20ac", "pattern_mismatch")},
        "order_id": {"blank": ("   ", "missing_required"), "too_long": ("x" * 129, "too_long")},
    }.items():
        for kind, (cell, code) in cases.items():
            name = f"{column}_{kind}"
            yield _one(name, record(name, **{column: cell}), code)
    name = "amount_no_money_column_holds"
    yield _one(name, record(name, quantity="999999999", unit_price="999999999"), "number_too_large")


def _odd_values() -> Iterator[Hostile]:
    for column, cases in {
        "product_id": {
            "formula": ("=cmd|' /C calc'!A0", "=cmd|' /C calc'!A0"),
            "leading_zeros": ("007", "007"),
            "id_of_19_digits": ("9" * 19, "9" * 19),
            "decomposed": ("cafe\u0301", "cafe\u0301"),
            "zero_width": ("P\u200b1", "P\u200b1"),
            "right_to_left": ("\u202eP1", "\u202eP1"),
            "html": ("<b>x</b>", "<b>x</b>"),
            "json": ('"{""a"": 1}"', '{"a": 1}'),
            "replacement_character": ("\ufffd", "\ufffd"),
            "sql": ("'; drop table raw.order_lines; --", "'; drop table raw.order_lines; --"),
            "template": ("{{ env_var('HOME') }}", "{{ env_var('HOME') }}"),
            "null_word": ("NULL", "NULL"),
        },
        "quantity": {"minus_zero": ("-0", 0), "return": ("-3", -3), "exponent": ("1e3", 1000), "plus": ("+7", 7)},
        "unit_price": {"zero": ("0", 0), "zeros_behind": ("1.50000000", "1.5"), "bare_point": ("5.", 5)},
        "line_no": {"largest": (str(2**63 - 1), 2**63 - 1), "leading_zeros": ("007", 7)},
        "ordered_at": {
            "zulu": ("2025-03-01T10:00:07Z", "2025-03-01 10:00:07"),
            "offset": ("2025-03-01T10:00:00+05:45", "2025-03-01 04:15:00"),
            "hour_that_comes_twice": ("2025-10-26 02:30:00", "2025-10-26 00:30:00"),
            "leap_day": ("2024-02-29 10:00:00", "2024-02-29 09:00:00"),
        },
    }.items():
        for kind, (cell, value) in cases.items():
            name = f"odd_{column}_{kind}"
            text = csv_text(name, record(name, **{column: cell}))
            yield Hostile(name, text.encode(), odd={f"{name}-x": {column: value}})


def _keys() -> Iterator[Hostile]:
    name = "record_twice"
    yield Hostile(name, csv_text(name, record(name), record(name)).encode(), odd={f"{name}-x": {}}, duplicate=1)
    name = "key_twice_with_other_values"
    rivals = csv_text(name, record(name), record(name, quantity="9"))
    yield Hostile(name, rivals.encode(), quarantined={11: "duplicate_key", 12: "duplicate_key"})
    name = "key_that_differs_in_blanks"
    blanks = csv_text(name, record(name), record(name, order_id=f" {name}-x\t"))
    yield Hostile(name, blanks.encode(), odd={f"{name}-x": {}}, duplicate=1)
    name = "key_that_differs_in_case"
    cases = csv_text(name, record(name), record(name, order_id=f"{name.upper()}-X"))
    yield Hostile(name, cases.encode(), odd={f"{name}-x": {}, f"{name.upper()}-X": {}})
