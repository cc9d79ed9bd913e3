"""The product and the golden model agree on every generated file, clean, dirty or hostile, in chunks of any size."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.errors import FileRefusedError
from pipelines.sources import delimited, structure
from pipelines.sources.conform import Conformer
from pipelines.sources.contracts import contract
from pipelines.sources.delimited import read_delimited
from pipelines.sources.profiles import Notation, Profile, Source
from tests.promises.golden import Described, GoldenRecord, RefusedError, conform, read, required_columns

COLUMNS = ("order_id", "line_no", "ordered_at", "product_id", "channel_id", "quantity", "unit_price", "currency")
OPTIONAL = ("discount_amount", "promised_on", "shipped_at", "status", "is_deleted", "extra")
SAMPLES = {
    "order_id": ["O1", "O2", "007", " O3 ", "x" * 128, "x" * 129, "né", "😀" * 128, "", "NA"],
    "line_no": [
        "1",
        "2",
        "+3",
        " 4 ",
        "0",
        "-1",
        "1.5",
        "1e3",
        "9223372036854775807",
        "9223372036854775808",
        "١",
        "nan",
    ],
    "ordered_at": [
        "2025-03-01 10:00:00",
        "2025-03-01T10:00",
        "2025-03-01T10:00:00.5Z",
        "2025-03-01 10:00:00.1234567",
        "2025-03-01 10:00:00.1234560",
        "2025-03-30 02:30:00",
        "2025-10-26 02:30:00",
        "2025-03-01",
        "2025-02-29 00:00:00",
        "2025-03-01 24:00:00",
        "2025-03-01 10:00:60",
        "2025-03-01 10:00:00+02:00",
        "2025-03-01 10:00:00+0230",
        "2025-03-01 10",
        "0001-01-01 00:00:00",
        "1989-12-31 23:59:59",
        "9999-12-31 23:59:59",
        "1.3.2025 10:00",
        "2025-03-01 10+02:00",
        "2025-03-01 10:00:00 +02:00",
        "2025-03-01 10:00-23:59",
        "2025-03-01 10:00+24:00",
    ],
    "product_id": ["P1", "P2", "a,b", 'q"q', "two\nlines", "two\r\nlines", "tab\there"],
    "channel_id": ["web", "store", "NA"],
    "quantity": [
        "1",
        "-2.5",
        "0.001",
        "0.0001",
        "1e3",
        "1E-2",
        "1e309",
        "1e400",
        "inf",
        "-NaN",
        ".5",
        "5.",
        ".",
        "-",
        "1,5",
        "1.234,5",
        "1,234.5",
        "12,34",
        "1000000000",
        "1000000000.001",
        "999999999999999",
        "1e15",
        "--1",
        "1 000",
        "$5",
        "0x10",
        "1_0",
        "5\u00a0",
        "1.2300000",
        "9" * 39,
        "9" * 60,
        "0" * 50 + "7",
    ],
    "unit_price": ["9.99", "0", "-0", "100", "3.14159", "12.5 ", "\t7", "1234567890123"],
    "currency": ["EUR", "USD", "eur", "EURO", "EUR\n", ""],
    "discount_amount": ["", "0.5", "NA", "x"],
    "promised_on": ["2025-04-01", "2025-4-1", "2025-04-31", "01.04.2025", "0000-01-01", "", "2025-04-01 00:00:00"],
    "shipped_at": ["", "2025-03-02 08:00", "01.04.2025 08:15", "2025-11-02 01:30:00"],
    "status": ["open", "shipped", "OPEN", "", "gone"],
    "is_deleted": ["", "true", "N", "Yes", "maybe", " 1 ", "0"],
    "extra": ["whatever", "", "NA"],
}
HOSTILE = [
    b'"',
    b'""',
    b"\n",
    b"\r",
    b"\r\n",
    b",",
    b"\0",
    b"\xff",
    b"\xc3",
    b"\xed\xb2\x80",
    b"\x7f",
    b"\xef\xbb\xbf",
    b'"\n"',
    b";",
]
NOTATIONS = [
    Notation(),
    Notation(decimal=",", thousands=".", date_format="%d.%m.%Y", timestamp_format="%d.%m.%Y %H:%M"),
    Notation(thousands=",", null_values=("NA",), time_zone="America/New_York"),
    Notation(timestamp_format="%Y-%m-%d %H:%M:%S", date_format="%Y-%m-%d %H:%M:%S"),
]


def written(cell: str, delimiter: str, always_quote: bool) -> bytes:
    if always_quote or any(sign in cell for sign in (delimiter, '"', "\n", "\r")):
        cell = '"' + cell.replace('"', '""') + '"'
    return cell.encode()


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """A delimited file: mostly plain values, some odd ones, then perhaps some damage."""
    names = [*draw(st.permutations(COLUMNS)), *draw(st.lists(st.sampled_from(OPTIONAL), unique=True, max_size=3))]
    ending = draw(st.sampled_from([b"\n", b"\r\n"]))
    quoting = draw(st.booleans())
    plain = draw(st.booleans())
    lines = [names]
    for _ in range(draw(st.integers(0, 6))):
        cells = [SAMPLES[name][0] if plain else draw(st.sampled_from(SAMPLES[name])) for name in names]
        lines += [cells] * draw(st.sampled_from([1, 1, 1, 2]))
    content = b"".join(b",".join(written(cell, ",", quoting) for cell in line) + ending for line in lines)
    if draw(st.booleans()):
        content = b"\xef\xbb\xbf" + content
    for _ in range(draw(st.sampled_from([0, 0, 1, 2, 4]))):
        at = draw(st.integers(0, len(content)))
        cut = draw(st.sampled_from([0, 0, 1, 3]))
        content = content[:at] + draw(st.sampled_from(HOSTILE)) + content[at + cut :]
    return content


def read_all(path: Path, notation: Notation, required: set[str], chunk_bytes: int) -> Any:
    chunks = list(read_delimited(path, notation, required, chunk_bytes=chunk_bytes))
    sound, refused = {}, {}
    for chunk in chunks:
        rows = chunk.records.to_pylist()
        offsets = chunk.byte_offset.to_pylist() if chunk.byte_offset else []
        for at, (number, row) in enumerate(zip(chunk.record_no.to_pylist(), rows, strict=True)):
            sound[number] = (row, chunk.raw_text(at), offsets[at])
        refused |= {
            reject.record_no: (reject.reason_code, reject.raw_text, reject.byte_offset) for reject in chunk.rejects
        }
    return sound, refused


def refusal_of(path: Path, required: set[str], chunk_bytes: int) -> str:
    with pytest.raises(FileRefusedError) as raised:
        read_all(path, Notation(), required, chunk_bytes)
    return raised.value.reason_code


def shown(raw: str) -> str:
    """A raw record the way quarantine shows it."""
    return raw.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def golden_read(records: list[GoldenRecord]) -> Any:
    sound = {record.number: (record.cells, shown(record.raw)) for record in records if record.cells is not None}
    return sound, {record.number: (record.code, shown(record.raw)) for record in records if record.cells is None}


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=files(),
    chunk_bytes=st.sampled_from([1, 7, 64, 1 << 20]),
    limit=st.sampled_from([12, 60, 4 << 20]),
    processors=st.sampled_from([1, 2, 5]),
    window=st.sampled_from([90, 300, 1 << 20]),
)
def test_every_record_is_read_as_the_golden_model_reads_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: bytes,
    chunk_bytes: int,
    limit: int,
    processors: int,
    window: int,
) -> None:
    monkeypatch.setattr(structure, "CELL_LIMIT", limit)
    monkeypatch.setattr(delimited, "WINDOW", window)
    monkeypatch.setattr(delimited, "SMALL_WINDOW", window)
    monkeypatch.setattr(delimited, "PATIENCE", 2)
    monkeypatch.setattr(pa, "cpu_count", lambda: processors)
    path = tmp_path / "orders.csv"
    path.write_bytes(content)
    required = {"order_id", "quantity"}
    try:
        _, records = read(content, required, cell_limit=limit)
    except RefusedError as error:
        reason = str(error)
    else:
        reason = None
    if reason:
        assert refusal_of(path, required, chunk_bytes) == reason
        return
    sound, refused = read_all(path, Notation(), required, chunk_bytes)
    expected_sound, expected_refused = golden_read(records)
    assert {number: found[:2] for number, found in sound.items()} == expected_sound
    assert {number: found[:2] for number, found in refused.items()} == expected_refused
    assert {number: offset for number, (_, _, offset) in (sound | refused).items()} == {
        record.number: record.offset for record in records
    }
    for _, raw, offset in [*sound.values(), *refused.values()]:
        assert shown(content[offset:].decode("utf-8", "surrogateescape")).startswith(raw)


@pytest.mark.slow
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=files(),
    chunk_bytes=st.sampled_from([64, 1 << 20]),
    notation=st.sampled_from(NOTATIONS),
    identical=st.sampled_from(["keep", "duplicate"]),
    counted=st.booleans(),
)
def test_every_record_ends_where_the_golden_model_puts_it(
    tmp_path: Path, content: bytes, chunk_bytes: int, notation: Notation, identical: str, counted: bool
) -> None:
    columns = {"customer_id": {"constant": "C1"}} | ({"line_no": {"ordinal_within": ["order_id"]}} if counted else {})
    source = Source(
        path="x.csv", delivered_on="arrival", notation=notation, identical_records=identical, columns=columns
    )
    profile = Profile(
        company="acme",
        base_currency="EUR",
        time_zone="Europe/Berlin",
        starts_on="2025-01-01",
        feeds={"order_lines": source},
    )
    feed = contract("order_lines")
    path = tmp_path / "orders.csv"
    path.write_bytes(content)
    conformer = Conformer(source, feed, profile)
    described = Described(notation, source.columns, identical)
    try:
        _, records = read(content, required_columns(described, feed))
    except RefusedError:
        return
    expected = conform(records, described, feed, "Europe/Berlin")
    loaded, quarantined, duplicates, seen = {}, {}, 0, 0
    for chunk in read_delimited(path, notation, conformer.required_columns, chunk_bytes=chunk_bytes):
        conformed = conformer.conform(chunk)
        seen += chunk.records_seen
        duplicates += conformed.duplicates
        loaded |= {row.pop("_record_no"): row for row in conformed.rows.to_pylist()}
        quarantined |= {reject.record_no: (reject.reason_code, reject.column_name) for reject in conformed.rejects}
    assert seen == len(loaded) + len(quarantined) + duplicates == len(records)
    assert quarantined == expected.quarantined
    assert duplicates == len(expected.duplicate)
    assert loaded == expected.loaded
