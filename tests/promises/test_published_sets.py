"""The nasty little CSV files that others publish with their expected parse are read as their authors expect."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.errors import FileRefusedError
from pipelines.sources.delimited import read_delimited
from pipelines.sources.profiles import Notation


def read(path: Path, *required: str) -> tuple[list[dict[str, str]], int]:
    """The records that are loaded, and how many are refused."""
    chunks = list(read_delimited(path, Notation(), required))
    rows = [row for chunk in chunks for row in chunk.records.to_pylist()]
    return rows, sum(len(chunk.rejects) for chunk in chunks)


def ended(path: Path, folder: Path) -> Path:
    """The file, or a copy with the line end behind its last record that we ask for."""
    content = path.read_bytes()
    if content.endswith(b"\n"):
        return path
    with pytest.raises(FileRefusedError, match="may be cut"):
        read(path)
    copy = folder / path.name
    copy.write_bytes(content + b"\n")
    return copy


def test_csv_spectrum_is_read_as_its_authors_expect(
    real_data: Path, tmp_path: Path, evidence: Callable[..., None]
) -> None:
    folder = real_data / "hostile-csv" / "csv-spectrum"
    files = sorted((folder / "csvs").glob("*.csv"))
    assert len(files) == 11
    for file in files:
        expected = json.loads((folder / "json" / f"{file.stem}.json").read_text(encoding="utf-8"))
        assert read(ended(file, tmp_path)) == (expected, 0), file.name
    evidence("P2", "files of csv-spectrum give the records their authors expect", trials=len(files))


def test_csv_test_data_is_read_as_its_authors_expect(
    real_data: Path, tmp_path: Path, evidence: Callable[..., None]
) -> None:
    folder = real_data / "hostile-csv" / "csv-test-data"
    files = sorted((folder / "json").glob("*.json"))
    assert len(files) == 18
    for file in files:
        path = ended(folder / "csv" / f"{file.stem}.csv", tmp_path)
        expected = json.loads(file.read_text(encoding="utf-8"))
        if file.stem == "all-empty":
            with pytest.raises(FileRefusedError, match="has no columns"):
                read(path)  # to us the first line is the header, and columns without names are no header
            continue
        rows, refused = read(path)
        # Where the authors expect lists, the first of them is what we take for the header.
        cells = expected if not expected or isinstance(expected[0], dict) else expected[1:]
        found = rows if cells and isinstance(cells[0], dict) else [list(row.values()) for row in rows]
        assert (found, refused) == (cells, 0), file.stem
    evidence("P2", "files of csv-test-data give the records their authors expect", trials=len(files) - 1)


def test_files_that_must_fail_load_nothing(real_data: Path, tmp_path: Path, evidence: Callable[..., None]) -> None:
    files = sorted((real_data / "hostile-csv" / "csv-test-data" / "csv").glob("bad-*.csv"))
    assert len(files) == 7
    for file in files:
        copy = tmp_path / file.name
        copy.write_bytes(file.read_bytes().removesuffix(b"\n") + b"\n")
        try:
            rows, refused = read(copy, "foo", "bar", "baz")
        except FileRefusedError:
            continue
        assert (rows, refused) == ([], 1), file.name
    evidence("P2", "files of csv-test-data that must fail load no record", trials=len(files))
