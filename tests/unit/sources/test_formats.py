"""JSON lines, Parquet and Excel: what each format hands on, and what it refuses. Delimited text has its own tests."""

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import FileRefusedError
from pipelines.sources import jsonl, parquet
from pipelines.sources.cells import typed_column
from pipelines.sources.chunks import Chunk
from pipelines.sources.formats import read_header, read_records
from pipelines.sources.jsonl import parse_line
from pipelines.sources.profiles import Source
from tests.promises.old_excel import workbook as old_workbook

at = dt.datetime.fromisoformat
FIXED = {"fixed": "2024-01-01"}


def source(path: str, **more: Any) -> Source:
    return Source(path=path, delivered_on=FIXED, **more)


def read(path: Path, required: tuple[str, ...] = (), **more: Any) -> list[Chunk]:
    return list(read_records(path, source(path.name, **more), required, path.name))


def rows(chunks: list[Chunk]) -> list[dict[str, Any]]:
    return [row for chunk in chunks for row in chunk.records.to_pylist()]


def refusal(path: Path, required: tuple[str, ...] = (), **more: Any) -> str:
    with pytest.raises(FileRefusedError) as refused:
        read(path, required, **more)
    assert path.name in refused.value.place
    return refused.value.reason_code


# ------------------------------------------------------------------------------------------------------ JSON lines


def lines(tmp_path: Path, *texts: str | bytes, end: bytes = b"\n") -> Path:
    path = tmp_path / "p.jsonl"
    encoded = [text.encode() if isinstance(text, str) else text for text in texts]
    path.write_bytes(b"\n".join(encoded) + end)
    return path


def test_json_values_become_text_and_numbers_stay_as_written(tmp_path: Path) -> None:
    path = lines(
        tmp_path,
        '{"id": "007", "n": 1.10, "big": 12345678901234567890.123456789, "e": 1e400, "b": true, "z": null}',
        "",
        '{"id": "8", "nested": {"a": [1.0, "x", null, {"b": 1E5}]}, "ü": "\\u00e9\\n"}',
    )
    (chunk,) = read(path)
    first, second = chunk.records.to_pylist()
    assert first == {
        "id": "007",
        "n": "1.10",
        "big": "12345678901234567890.123456789",
        "e": "1e400",
        "b": "true",
        "z": None,
        "nested": None,
        "ü": None,
    }
    assert second["nested"] == '{"a": [1.0, "x", null, {"b": 1E5}]}'
    assert second["ü"] == "é\n"
    assert chunk.record_no.to_pylist() == [1, 2]
    offsets = chunk.byte_offset.to_pylist()
    assert [path.read_bytes()[offset:][:7] for offset in offsets] == [b'{"id": ', b'{"id": ']
    assert chunk.raw_text(1) == path.read_text().splitlines()[2]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ('{"id": 1', "not_json"),
        ("[1, 2]", "not_json"),
        ('"text"', "not_json"),
        ('{"id": 1, "id": 2}', "not_json"),
        ('{"a": {"id": 1, "id": 2}}', "not_json"),
        ('{"id": NaN}', "not_json"),
        ('{"id": Infinity}', "not_json"),
        ('{"id": 1} {"id": 2}', "not_json"),
        ('{"id": "\\ud800"}', "not_json"),
        ('{"id": "a\x00b"}', "not_json"),
        ("[" * 100_000, "not_json"),
        (b'{"id": "\xff"}', "invalid_encoding"),
    ],
)
def test_a_line_that_is_no_object_is_refused_and_its_neighbours_are_read(
    tmp_path: Path, line: str | bytes, code: str
) -> None:
    path = lines(tmp_path, '{"id": 1}', line, '{"id": 3}')
    (chunk,) = read(path)
    assert chunk.record_no.to_pylist() == [1, 3]
    (reject,) = chunk.rejects
    assert (reject.record_no, reject.byte_offset, reject.reason_code) == (2, 10, code)
    assert chunk.records_seen == 3


def test_a_complete_last_object_needs_no_line_end_but_half_a_line_refuses_the_file(tmp_path: Path) -> None:
    assert len(rows(read(lines(tmp_path, '{"id": 1}', '{"id": 2}', end=b"")))) == 2
    assert refusal(lines(tmp_path, '{"id": 1}', '{"id": 2', end=b"")) == "no_final_newline"


def test_objects_of_ever_new_keys_are_no_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "CHUNK_BYTES", 100)
    path = lines(tmp_path, *(json.dumps({f"k{line}_{i}": 1 for i in range(900)}) for line in range(3)))
    assert refusal(path) == "too_many_columns"


def test_json_chunks_are_bounded_in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "CHUNK_BYTES", 20)
    chunks = read(lines(tmp_path, *('{"id": 1}' for _ in range(5))))
    assert [chunk.record_no.to_pylist() for chunk in chunks] == [[1, 2], [3, 4], [5]]


def test_json_keys_may_come_and_go_but_required_ones_must_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonl, "CHUNK_LINES", 2)
    path = lines(tmp_path, '{"id": 1}', "", '{"id": 2}', "", "", '{"id": 3, "late": "x"}')
    chunks = read(path, required=("id",))
    assert [chunk.record_no.to_pylist() for chunk in chunks] == [[1, 2], [3]]
    assert rows(chunks)[-1] == {"id": "3", "late": "x"}
    assert refusal(path, required=("id", "missing")) == "missing_column"


def test_files_of_something_else_are_no_json_lines(tmp_path: Path) -> None:
    assert refusal(lines(tmp_path, "id,name", "1,a")) == "wrong_format"


@given(st.dictionaries(st.text(max_size=5), st.one_of(st.integers(), st.text(), st.booleans(), st.none()), max_size=5))
def test_any_flat_object_comes_back(record: dict[str, Any]) -> None:
    def text(value: object) -> str | None:
        return value if isinstance(value, str) or value is None else json.dumps(value)

    assert parse_line(json.dumps(record)) == {key: text(value) for key, value in record.items()}


@given(st.recursive(st.one_of(st.integers(), st.text(), st.none(), st.booleans()), st.lists, max_leaves=5))
def test_nested_values_stay_the_same_json(value: object) -> None:
    (text,) = parse_line(json.dumps({"k": {"v": value}})).values()
    assert json.loads(str(text)) == {"v": value}


# --------------------------------------------------------------------------------------------------------- Parquet


def test_parquet_keeps_types_and_makes_odd_ones_plain(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    table = pa.table(
        {
            "id": pa.array(["a", "b", None]).dictionary_encode(),
            "n": pa.array([Decimal("1.10"), None, Decimal("2.00")], pa.decimal128(10, 2)),
            "at": pa.array([at("2024-01-02 03:04:00"), None, None], pa.timestamp("ns", tz="UTC")),
            "tags": [[1, 2], [], None],
            "raw": pa.array([b"\x00\xff", None, b""]),
            "none": pa.nulls(3),
        }
    )
    pq.write_table(table, path, row_group_size=2)
    chunks = read(path, required=("id", "n"))
    records = pa.concat_tables([chunk.records for chunk in chunks])
    assert records.column("id").to_pylist() == ["a", "b", None]
    assert records.schema.field("n").type == pa.decimal128(10, 2)
    assert records.column("tags").to_pylist() == ["[1, 2]", "[]", None]
    assert records.column("raw").to_pylist() == ["00ff", None, ""]
    assert records.column("none").to_pylist() == [None, None, None]
    assert [number for chunk in chunks for number in chunk.record_no.to_pylist()] == [1, 2, 3]
    assert json.loads(chunks[0].raw_text(1))["id"] == "b"


def test_parquet_records_are_numbered_across_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "BATCH_ROWS", 3)
    path = tmp_path / "p.parquet"
    pq.write_table(pa.table({"n": range(7)}), path)
    assert [chunk.record_no.to_pylist() for chunk in read(path)] == [[1, 2, 3], [4, 5, 6], [7]]


def test_cut_damaged_and_foreign_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    pq.write_table(pa.table({"n": list(range(5000))}), path, write_page_checksum=True, compression="none")
    whole = path.read_bytes()
    for cut in (10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        assert refusal(path) == "wrong_format"
    flipped = bytearray(whole)
    flipped[len(whole) // 3] ^= 1
    path.write_bytes(flipped)
    assert refusal(path) == "wrong_format"
    path.write_bytes(b"id,name\n1,a\n")
    assert refusal(path) == "wrong_format"


def test_parquet_without_a_required_column_or_with_one_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    pq.write_table(pa.table({"n": [1]}), path)
    assert refusal(path, required=("id",)) == "missing_column"
    pq.write_table(pa.table([[1], [2]], names=["n", "n"]), path)
    assert refusal(path) == "duplicate_header"


# ----------------------------------------------------------------------------------------------------------- Excel


def workbook(tmp_path: Path, *sheet_rows: list[Any], name: str = "Sheet1") -> Path:
    path = tmp_path / "p.xlsx"
    book = openpyxl.Workbook()
    book.active.title = "About"
    sheet = book.create_sheet(name, 0)
    for row in sheet_rows:
        sheet.append(row)
    book.save(path)
    book.close()
    return path


def test_excel_cells_keep_their_types_and_ids_their_digits(tmp_path: Path) -> None:
    path = workbook(
        tmp_path,
        ["id", "price", "day", "at", "flag", "mixed", None],
        [17850, 2.5, dt.date(2024, 1, 2), at("2024-01-02 03:04:05"), True, 1],
        [None] * 6,
        [1234567890123456, 0.1, dt.date(2024, 2, 29), at("2024-01-03 00:00:00"), False, "00x"],
    )
    (chunk,) = read(path, required=("id",))
    assert chunk.record_no.to_pylist() == [1, 3]
    assert chunk.records.to_pylist() == [
        {
            "id": 17850,
            "price": Decimal("2.5"),
            "day": dt.date(2024, 1, 2),
            "at": at("2024-01-02 03:04:05"),
            "flag": True,
            "mixed": "1",
        },
        {
            "id": 1234567890123456,
            "price": Decimal("0.1"),
            "day": dt.date(2024, 2, 29),
            "at": at("2024-01-03 00:00:00"),
            "flag": False,
            "mixed": "00x",
        },
    ]
    assert json.loads(chunk.raw_text(0))["id"] == 17850


@pytest.mark.slow
def test_old_workbooks_are_read_like_new_ones(tmp_path: Path) -> None:
    path = tmp_path / "p.xls"
    path.write_bytes(
        old_workbook(
            [
                ["id", "price", "day", "at", "flag", "mixed", None],
                [17850, 2.5, dt.date(2024, 1, 2), at("2024-01-02 03:04:05"), True, 1],
                [],
                [1234567890123456, 0.1, dt.date(2024, 2, 29), at("2024-01-03 06:00:00"), False, "größe"],
            ],
            sheet="Artikel",
        )
    )
    (chunk,) = read(path, required=("id",), sheet="Artikel")
    assert chunk.record_no.to_pylist() == [1, 3]
    assert chunk.records.to_pylist() == [
        {
            "id": 17850,
            "price": Decimal("2.5"),
            "day": dt.date(2024, 1, 2),
            "at": at("2024-01-02 03:04:05"),
            "flag": True,
            "mixed": "1",
        },
        {
            "id": 1234567890123456,
            "price": Decimal("0.1"),
            "day": dt.date(2024, 2, 29),
            "at": at("2024-01-03 06:00:00"),
            "flag": False,
            "mixed": "größe",
        },
    ]
    assert read_header(path, source(path.name), path.name) == ("id", "price", "day", "at", "flag", "mixed")
    assert refusal(path, sheet="Other") == "wrong_format"
    assert refusal(path, required=("name",)) == "missing_column"


def test_a_table_may_stand_away_from_the_edge(tmp_path: Path) -> None:
    path = workbook(tmp_path, ["id", "", "name"], ["a", "", "b"])
    assert refusal(path) == "no_header"
    path = workbook(tmp_path, [None, "id"], [None, "a"])
    assert refusal(path) == "no_header"


def test_a_cell_at_the_far_end_costs_no_more_than_it_may(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active["A1"], book.active["XFD1048576"] = "id", "x"
    book.save(tmp_path / "p.xlsx")
    assert refusal(tmp_path / "p.xlsx") == "archive_too_large"


def test_the_sheet_can_be_chosen(tmp_path: Path) -> None:
    path = workbook(tmp_path, ["id"], ["a"], name="Produkte 1")
    assert rows(read(path, sheet="Produkte 1")) == [{"id": "a"}]
    assert refusal(path, sheet="Other") == "wrong_format"
    assert refusal(path, sheet="About") == "no_header"


def test_excel_headers_must_name_every_column_once(tmp_path: Path) -> None:
    assert refusal(workbook(tmp_path, ["id", None], ["a", "b"])) == "no_header"
    assert refusal(workbook(tmp_path, ["id", "id"], ["a", "b"])) == "duplicate_header"
    assert refusal(workbook(tmp_path, ["id"], ["a"]), required=("name",)) == "missing_column"
    assert read(workbook(tmp_path, ["id", "name"])) == []


def test_what_is_no_workbook_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.xlsx"
    path.write_bytes(b"id,name\n1,a\n")
    assert refusal(path) == "wrong_format"
    whole = workbook(tmp_path, ["id"], ["a"]).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert refusal(path) == "wrong_format"


# ----------------------------------------------------------------------------------------------------------- cells


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ([1, 2.0, None], pa.int64()),
        ([1, Decimal("2.50")], pa.decimal128(38, 2)),
        ([2**70], pa.decimal128(38, 0)),
        ([True, None], pa.bool_()),
        ([dt.date(2024, 1, 1)], pa.date32()),
        ([dt.date(2024, 1, 1), at("2024-01-01 05:00:00")], pa.timestamp("us")),
        ([at("2024-01-01 05:00+00:00")], pa.timestamp("us", tz="UTC")),
        ([1, "x"], pa.string()),
        ([float("nan"), 1], pa.string()),
        ([dt.date(2024, 1, 1), 1], pa.string()),
        ([Decimal("1e-60")], pa.string()),
        ([None], pa.string()),
        ([b"\x01"], pa.string()),
    ],
)
def test_cells_that_agree_have_a_type_and_others_stay_text(cells: list[Any], kind: pa.DataType) -> None:
    assert typed_column(cells).type == kind


@given(st.lists(st.one_of(st.integers(-(2**62), 2**62), st.none()), min_size=1))
def test_whole_numbers_are_exact(cells: list[int | None]) -> None:
    assert typed_column(cells).to_pylist() == cells


@given(st.lists(st.decimals(-(10**15), 10**15, places=6), min_size=1))
def test_decimals_are_exact(cells: list[Decimal]) -> None:
    assert typed_column(cells).to_pylist() == cells


@given(st.lists(st.floats(-1e15, 1e15, allow_subnormal=False).filter(lambda x: x == 0 or abs(x) > 1e-15), min_size=1))
def test_doubles_keep_the_digits_they_are_shown_with(cells: list[float]) -> None:
    assert [float(cell) for cell in typed_column(cells).to_pylist()] == cells


def test_headers_are_read_without_records(tmp_path: Path) -> None:
    path = workbook(tmp_path, ["id", "name"], [1, "a"])
    assert read_header(path, source(path.name), path.name) == ("id", "name")
    path = lines(tmp_path, '{"a": 1}', '{"b": 2}')
    assert read_header(path, source(path.name), path.name) == ("a", "b")
    path = tmp_path / "p.parquet"
    pq.write_table(pa.table({"n": [1]}), path)
    assert read_header(path, source(path.name), path.name) == ("n",)
    path = tmp_path / "p.csv"
    path.write_text("id,name\n")
    assert read_header(path, source(path.name), path.name) == ("id", "name")
