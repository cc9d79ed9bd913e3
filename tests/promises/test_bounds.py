"""What a file can cost: bombs of every format are taken one after the other in a process whose memory is measured."""

import gzip
import io
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

from tests.promises.hostile import CLEAN, HEADER, csv_text
from tests.promises.old_excel import workbook as old_workbook
from tests.unit.ingestion.shop import Shop

ROOT = Path(__file__).resolve().parent.parent.parent
DAY = "2025-03-01"
MAX_BYTES = 1 << 30
FEEDS = {
    "order_lines": [{"path": f"{{delivered_on}}/*.{suffix}"} for suffix in ("csv*", "jsonl", "xlsx", "xls")],
    "products": [{"path": "{delivered_on}/products/*.csv"}, {"path": "{delivered_on}/products/*.parquet"}],
}


def bombs(folder: Path, line_bytes: int) -> Iterator[tuple[str, str]]:
    """Writes the bombs; (path, reason the file is refused for, or loaded)."""
    folder.mkdir(parents=True)
    (folder / "products").mkdir()
    with (folder / "endless.csv").open("wb") as file:
        file.write(HEADER.encode() + b"\n")
        file.truncate(line_bytes)  # a hole: nothing but NUL, and no line end before the last byte
        file.seek(0, os.SEEK_END)
        file.write(b"\n")
    yield "endless.csv", "wrong_format"
    (folder / "endless.jsonl").write_bytes(b'{"order_id": "' + b"x" * 64_000_000)
    yield "endless.jsonl", "wrong_format"
    (folder / "line_ends.csv").write_bytes(HEADER.encode() + b"\n" * 3_000_000)
    yield "line_ends.csv", "wrong_format"
    (folder / "products" / "cells.csv").write_bytes(b"product_id\n" + b"\n" * 3_000_000)
    yield "products/cells.csv", "wrong_format"
    (folder / "wide.jsonl").write_bytes(
        b"".join(json.dumps({f"k{line}_{i}": 1 for i in range(1900)}).encode() + b"\n" for line in range(1000))
    )
    yield "wide.jsonl", "too_many_columns"
    (folder / "nested.jsonl").write_bytes(b'{"order_id": [' + b"[]," * 5_000_000 + b"[]]}\n")
    yield "nested.jsonl", "loaded_with_quarantine"
    (folder / "bomb.csv.gz").write_bytes(gzip.compress(bytes(1 << 26), 9))
    yield "bomb.csv.gz", "archive_too_large"
    book = openpyxl.Workbook()
    book.active["A1"], book.active["XFD1048576"] = "order_id", 1
    book.save(folder / "far.xlsx")
    yield "far.xlsx", "archive_too_large"
    (folder / "far.xls").write_bytes(old_workbook([["order_id"]], far_cell=True))
    yield "far.xls", "archive_too_large"
    text = io.BytesIO()
    pq.write_table(pa.table({"product_id": ["x" * 100_000_000]}), text, compression="zstd")
    (folder / "products" / "cell.parquet").write_bytes(text.getvalue())
    yield "products/cell.parquet", "archive_too_large"
    pq.write_table(pa.table({"product_id": pa.nulls(20_000_000, pa.string())}), folder / "products" / "nulls.parquet")
    yield "products/nulls.parquet", "wrong_format"
    (folder / "good.csv").write_text(csv_text("good"))
    yield "good.csv", "loaded"


def test_no_bomb_takes_more_than_a_gigabyte_or_a_good_file_with_it(
    tmp_path: Path, trials: Callable[[int, int], int], evidence: Callable[..., None]
) -> None:
    shop = Shop(tmp_path, FEEDS)
    line_bytes = trials(300, 2_000) * 1_000_000
    expected = {f"{DAY}/{path}": reason for path, reason in bombs(shop.landing / DAY, line_bytes)}
    command = [sys.executable, "-m", "tests.promises.test_bounds", str(tmp_path)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    own, children = (int(number) for number in ran.stdout.split())
    found = dict(shop.query("select source_path, coalesce(reason_code, status) from ops.files"))
    assert found == expected
    assert shop.query("select count(*) from raw.order_lines") == [(CLEAN,)]
    assert max(own, children) <= MAX_BYTES, f"{own >> 20} and {children >> 20} MiB"
    evidence(
        "P3",
        f"bombs (a line of {line_bytes >> 20} MiB, floods of tiny records, far cells, archives) end within 1 GiB",
        trials=len(expected) - 1,
    )


def main() -> None:
    """Ingest as a run does; print the largest resident size of this process and of its children, in bytes."""
    Shop(Path(sys.argv[1]), FEEDS).ingest()
    # What the system counts for a process itself begins with the size of the one that started it.
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    print(int(line.split()[1]) * 1024, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)


if __name__ == "__main__":
    main()
