"""The reader of delimited text: what it takes, what it refuses, and where it says the fault is."""

import codecs
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipelines import ops
from pipelines.errors import FileRefusedError, ProfileError
from pipelines.sources import delimited, structure
from pipelines.sources.chunks import Reject
from pipelines.sources.delimited import header_of, read_delimited
from pipelines.sources.profiles import Notation

BOM = codecs.BOM_UTF8


class Read:
    """A file read to the end."""

    def __init__(
        self, path: Path, notation: Notation, required: tuple[str, ...] = (), chunk_bytes: int = 1 << 20
    ) -> None:
        self.rows: list[dict[str, str]] = []
        self.numbers: list[int] = []
        self.offsets: list[int] = []
        self.raw: list[str] = []
        self.rejects: list[Reject] = []
        for chunk in read_delimited(path, notation, required, chunk_bytes=chunk_bytes):
            self.rows += chunk.records.to_pylist()
            self.numbers += chunk.record_no.to_pylist()
            self.offsets += chunk.byte_offset.to_pylist() if chunk.byte_offset is not None else []
            self.raw += [chunk.raw_text(i) for i in range(len(chunk.record_no))]
            self.rejects += chunk.rejects

    @property
    def refused(self) -> list[tuple[int, str]]:
        return [(reject.record_no, reject.reason_code) for reject in self.rejects]


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def read(content: bytes, *required: str, chunk_bytes: int = 1 << 20, **notation: Any) -> Read:
        path = tmp_path / "file.csv"
        path.write_bytes(content)
        return Read(path, Notation(**notation), required, chunk_bytes)

    return read


@pytest.fixture
def refusal(read: Any) -> Any:
    def refusal(content: bytes, *required: str, **notation: Any) -> str:
        with pytest.raises(FileRefusedError) as raised:
            read(content, *required, **notation)
        assert "file.csv" in str(raised.value)
        assert raised.value.reason_code in ops.REFUSALS
        return raised.value.reason_code

    return refusal


# -------------------------------------------------------------------------------------------------------- whole files


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty_file"),
        (BOM, "empty_file"),
        (b"id,q\n1,990\n2,99", "no_final_newline"),
        (b"id,q", "no_final_newline"),
        (b"id,id,q\n1,2,3\n", "duplicate_header"),
        (b"id,,q\n1,2,3\n", "no_header"),
        (b'id,"q\n1,2\n', "no_header"),
        (b"id,q," + b"n" * 200_000 + b"\n1,2,3\n", "no_header"),
        (b"\nid,q\n1,2\n", "no_header"),
        (b"Report of May\nid,q\n1,2\n", "no_header"),
        (b"1,2\n3,4\n", "no_header"),
        (b"id,Q\n1,2\n", "missing_column"),
        (b"id;q\n1;2\n", "no_header"),
        ("id,q\n1,2\n".encode("utf-16"), "wrong_encoding"),
        ("id,q\n1,2\n".encode("utf-16-be"), "wrong_encoding"),
        ("id,q,größe\n1,2,3\n".encode("latin-1"), "wrong_encoding"),
        (b"id,q," + b",".join(b"c%d" % i for i in range(20_000)) + b"\n", "too_many_columns"),
        (b"\x89PNG\r\n\x1a\n\0\0\n", "wrong_encoding"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_refused_whole(refusal: Any, content: bytes, code: str) -> None:
    assert refusal(content, "id", "q") == code


def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileRefusedError) as raised:
        list(read_delimited(tmp_path / "gone.csv", Notation(), ()))
    assert raised.value.reason_code == "unreadable"


def test_a_line_without_end_is_refused_in_bounded_memory(refusal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(structure, "CELL_LIMIT", 100)
    monkeypatch.setattr(structure, "RECORD_LIMIT", 1000)
    assert refusal(b"id,q\n1," + b"x" * 5000 + b"\n") == "wrong_format"


def test_many_tiny_records_come_in_chunks_of_a_bounded_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "CHUNK_RECORDS", 10)
    path = tmp_path / "file.csv"
    path.write_bytes(b"a\n" + b"\n" * 7 + b"x\n" * 20 + b'x"\n' * 7)
    chunks = list(read_delimited(path, Notation(), ()))
    assert [chunk.records_seen for chunk in chunks] == [10, 10, 10, 4]
    assert [number for chunk in chunks for number in chunk.record_no.to_pylist()] == list(range(1, 28))
    assert [reject.record_no for chunk in chunks for reject in chunk.rejects] == list(range(28, 35))


def test_the_message_points_at_a_name_that_differs_in_case_only(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(b"ID,q\n1,2\n")
    with pytest.raises(FileRefusedError, match="'id' as 'ID'"):
        list(read_delimited(path, Notation(), ("id", "q")))


def test_a_header_alone_is_a_file_without_records(read: Any) -> None:
    assert read(b"id,q\n", "id").rows == []


def test_header_of_names_the_columns_and_drops_the_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(BOM + b'id,"a ""b"""\r\n1,2\r\n')
    assert header_of(path, Notation()) == ["id", 'a "b"']


@pytest.mark.parametrize("signs", [{"delimiter": "§"}, {"quote": "\n"}, {"delimiter": "\r"}])
def test_a_sign_that_cannot_delimit_is_the_profiles_fault(read: Any, signs: dict[str, str]) -> None:
    with pytest.raises(ProfileError):
        read(b"id\n1\n", **signs)


# ------------------------------------------------------------------------------------- records: what plain DuckDB took


def test_columns_are_found_by_name(read: Any) -> None:
    assert read(b"v,id,q\nx,1,2\n", "id", "v", "q").rows == [{"v": "x", "id": "1", "q": "2"}]


def test_values_are_not_converted(read: Any) -> None:
    values = ["1.5", "1e309", "nan", "03/04/2025", "007", " 1 ", ""]
    assert [row["q"] for row in read(b"q,r\n" + b"".join(b"%s,\n" % value.encode() for value in values)).rows] == values


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (b"1,a\0b,3", "control_character"),
        (b"1,a\x1bb,3", "control_character"),
        (b"1,a\x7f,3", "control_character"),
        (b"1,a\rb,3", "control_character"),
        (b"1,2,3,,", "field_count"),
        (b"1,2,3,", "field_count"),
        (b"1,2", "field_count"),
        (b"", "field_count"),
        (b'1,5" pipe,3', "stray_quote"),
        (b'1,"Hey, I missed " it",3', "stray_quote"),
        (b'1,"a" ,3', "stray_quote"),
        (b'1,"never closed,3', "unterminated_quote"),
        (b"1,caf\xe9,3", "invalid_encoding"),
        (b"1,\xed\xa0\x80,3", "invalid_encoding"),
        (b"1,\xc0\xaf,3", "invalid_encoding"),
        (b"id,v,q", "repeated_header"),
        (b'"id",v,"q"', "repeated_header"),
    ],
)
@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
@pytest.mark.parametrize("quoted", [False, True])
def test_a_bad_record_is_refused_alone(read: Any, record: bytes, code: str, ending: bytes, quoted: bool) -> None:
    good = b'"%d","x, ""y""","z"' if quoted else b"%d,x,z"
    lines = [
        b"id,v,q",
        *(good % number for number in range(1, 50)),
        record,
        *(good % number for number in range(51, 100)),
    ]
    found = read(b"".join(line + ending for line in lines), "id")
    assert found.numbers == [*range(1, 50), *range(51, 100)]
    assert [row["id"] for row in found.rows] == [str(number) for number in found.numbers]
    ((reject),) = found.rejects
    assert (reject.record_no, reject.reason_code) == (50, code)
    assert code in ops.REASONS
    assert reject.byte_offset == len(ending.join(lines[:50]) + ending)
    assert reject.raw_text == record.decode("utf-8", "backslashreplace")


def test_a_cell_of_ten_million_characters_is_refused_alone(read: Any) -> None:
    found = read(b"id,v\n1,a\n2," + b"x" * 10_000_000 + b"\n3,b\n")
    assert found.refused == [(2, "cell_too_long")]
    assert [row["id"] for row in found.rows] == ["1", "3"]
    assert len(found.rejects[0].raw_text) == 10_000_002


def test_a_quote_left_open_before_many_records_costs_its_own_record_only(read: Any) -> None:
    found = read(b'id,v\n1,"open\n' + b"".join(b"%d,x\n" % number for number in range(2, 3000)), chunk_bytes=1000)
    assert found.refused == [(1, "unterminated_quote")]
    assert found.numbers == list(range(2, 3000))


# ------------------------------------------------------------------------------------------------------ sound records


def test_quoted_cells_hold_anything_but_control_characters(read: Any) -> None:
    content = b'a,b\r\n"1,2","say ""hi""\r\nand\ngo\ton\r"\r\n"","x"\r\n'
    assert read(content).rows == [{"a": "1,2", "b": 'say "hi"\r\nand\ngo\ton\r'}, {"a": "", "b": "x"}]


@pytest.mark.parametrize("processors", range(1, 12))
def test_line_ends_in_cells_survive_however_the_parser_shares_the_work(
    read: Any, monkeypatch: pytest.MonkeyPatch, processors: int
) -> None:
    monkeypatch.setattr(pa, "cpu_count", lambda: processors)
    content = b"a,b\r\n" + b'"\r\n\r\n\r","x\r\ny"\r\n' * 3
    assert read(content).rows == [{"a": "\r\n\r\n\r", "b": "x\r\ny"}] * 3
    assert [row["a"] for row in read(b"a\r\n" + b"\r\n1\r\n" * 4).rows] == ["", "1"] * 4


def test_line_ends_may_be_mixed(read: Any) -> None:
    assert [row["a"] for row in read(b"a,b\n1,2\r\n3,4\n").rows] == ["1", "3"]


def test_an_empty_line_is_a_record_where_there_is_one_column(read: Any) -> None:
    assert read(b"a\n\nx\n").rows == [{"a": ""}, {"a": "x"}]


def test_a_mark_inside_the_file_is_text(read: Any) -> None:
    assert read(BOM + b"a,b\n" + BOM + b"1,2\n").rows == [{"a": "\ufeff1", "b": "2"}]


@pytest.mark.parametrize("chunk_bytes", [1, 5, 17, 1000])
def test_places_do_not_depend_on_how_much_is_read_at_once(read: Any, chunk_bytes: int) -> None:
    content = b'a,b\n1,"x\ny"\n2,\n\n3,"\xc3\xa9"\n4,q"\n5,z\n'
    found = read(content, chunk_bytes=chunk_bytes)
    assert found.numbers == [1, 2, 4, 6]
    assert found.refused == [(3, "field_count"), (5, "stray_quote")]
    assert found.offsets == [content.index(start) for start in (b'1,"x', b"2,", b"3,", b"5,z")]
    assert found.raw == ['1,"x\ny"', "2,", '3,"é"', "5,z"]


TEXT = 'name;city\nJosé;"São ""Paulo"""\n–€;Œ\nplain;x\n'


@pytest.mark.parametrize(
    ("encoding", "text", "mark"),
    [
        ("utf-8-sig", TEXT, b""),
        ("cp1252", TEXT, b""),
        ("latin-1", TEXT.replace("–€;Œ", "¬;ÿ"), b""),
        ("utf-16", TEXT.replace("x", "😀😀"), b""),
        ("utf-16-le", TEXT.replace("x", "😀😀"), codecs.BOM_UTF16_LE),
        ("utf-16-be", TEXT, b""),
        ("utf-32", TEXT, b""),
        ("gb18030", TEXT.replace("x", "数据"), b""),
    ],
)
@pytest.mark.parametrize("chunk_bytes", [3, 1000])
def test_declared_encodings_give_the_same_text_and_true_offsets(
    read: Any, encoding: str, text: str, mark: bytes, chunk_bytes: int
) -> None:
    content = mark + text.encode(encoding)
    found = read(content, "name", encoding=encoding, delimiter=";", chunk_bytes=chunk_bytes)
    assert found.rows[0] == {"name": "José", "city": 'São "Paulo"'}
    assert len(found.rows) == 3
    bare = {"utf-16": "utf-16-le", "utf-32": "utf-32-le", "utf-8-sig": "utf-8"}.get(encoding, encoding)
    for offset, raw in zip(found.offsets, found.raw, strict=True):
        assert content[offset:].decode(bare).startswith(raw)


def test_a_byte_the_encoding_does_not_know_refuses_its_record(read: Any) -> None:
    found = read(b"a,b\n1,\x81\n2,\xe9\n", encoding="cp1252")
    assert (found.refused, found.rows) == ([(1, "invalid_encoding")], [{"a": "2", "b": "é"}])


def test_text_cut_within_a_character_is_refused(refusal: Any) -> None:
    assert refusal("a,b\n1,2\n".encode("utf-16-le")[:-1], encoding="utf-16-le") == "no_final_newline"


@pytest.mark.parametrize("signs", [(";", '"'), ("\t", '"'), ("|", "'"), ("\x01", '"'), ("^", "]")])
def test_any_ascii_sign_may_delimit_and_quote(read: Any, signs: tuple[str, str]) -> None:
    delimiter, quote = signs
    content = f"a{delimiter}b\n1{delimiter}{quote}x{delimiter}{quote * 2}{quote}\n2{delimiter}y\n"
    found = read(content.encode(), delimiter=delimiter, quote=quote)
    assert found.rows == [{"a": "1", "b": f"x{delimiter}{quote}"}, {"a": "2", "b": "y"}]


@pytest.mark.parametrize(
    ("content", "delimiter", "told"),
    [
        (b"a;b\n1;2\n", ",", '{delimiter: ";"}'),
        (b"a,b\n1,2\n", ";", '{delimiter: ","}'),
        (b"a\tb|c\td\n1\t2\t3\n", ",", '{delimiter: "\\t"}'),
        (b'"a";"b"\n1;2\n', ",", '{delimiter: ";"}'),
        (b"c;;d\n1;2;3\n", ",", "Compare the header"),
        (b"c\n1\n", ",", "Compare the header"),
        (b'c"d;e\n1\n', ",", "The first line must name the columns"),
    ],
)
def test_a_header_of_one_column_is_told_the_delimiter_it_seems_to_have(
    read: Any, content: bytes, delimiter: str, told: str
) -> None:
    with pytest.raises(FileRefusedError) as raised:
        read(content, "a", "b", delimiter=delimiter)
    assert told in raised.value.remedy
