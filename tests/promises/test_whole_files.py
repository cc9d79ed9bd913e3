"""Only whole files are loaded: flipped bits, cuts, files still being written, and what is no regular file at all."""

import gzip
import io
import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import BinaryIO

import pytest

from pipelines.arrivals import arrived
from pipelines.assets.shell import Installation
from pipelines.errors import FileRefusedError
from pipelines.partitions import delivery_days
from pipelines.sources.landed import LandedCopies
from tests.promises.hostile import CLEAN, HEADER, clean_lines, csv_text
from tests.unit.ingestion.shop import Shop, orders

SEED = 20251122
DAY = "2025-03-01"
LINES = (HEADER + "\n" + "".join(f"{line}\n" for line in clean_lines("p", 2000))).encode()
PACKED = gzip.compress(LINES, mtime=0)
HEAD_BYTES = 10  # of a gzip file: its time, its system, how hard it was packed; nothing of the content


@pytest.fixture
def copies(tmp_path: Path) -> LandedCopies:
    return LandedCopies(tmp_path)


def refusal(copies: LandedCopies, content: bytes) -> str:
    @contextmanager
    def opened() -> Iterator[BinaryIO]:
        yield io.BytesIO(content)

    with pytest.raises(FileRefusedError) as refused:
        copies.land("p.csv.gz", opened)
    return refused.value.reason_code


def test_no_flipped_bit_of_a_gzip_file_is_believed(
    copies: LandedCopies, trials: Callable[[int, int], int], evidence: Callable[..., None]
) -> None:
    chance = random.Random(SEED)
    flips = trials(300, 5_000)
    for _ in range(flips):
        flipped = bytearray(PACKED)
        flipped[chance.randrange(HEAD_BYTES, len(flipped))] ^= 1 << chance.randrange(8)
        assert refusal(copies, bytes(flipped)) in ("bad_archive", "archive_too_large")
    evidence("P5", "gzip files with one bit of content or checksum flipped are refused", trials=flips, seed=SEED)


def test_no_cut_gzip_file_is_believed(copies: LandedCopies, evidence: Callable[..., None]) -> None:
    cuts = [len(PACKED) * percent // 100 for percent in range(1, 100)] + [len(PACKED) - 1]
    for cut in cuts:
        assert refusal(copies, PACKED[:cut]) == "bad_archive"
    evidence("P5", "gzip files cut at any hundredth or before the last byte are refused", trials=len(cuts))


def test_a_cut_file_is_refused_or_holds_its_first_records_whole(tmp_path: Path, evidence: Callable[..., None]) -> None:
    """Where text is cut between two records nothing in it tells: what is there is loaded, and replaced by the whole."""
    shop = Shop(tmp_path)
    text = csv_text("p").encode()
    cuts = sorted({len(text) * percent // 100 for percent in range(1, 100)} | {len(HEADER) + 1, text.index(b"\n", 900)})
    for cut in (*cuts, len(text) - 1):
        shop.put_bytes(f"{DAY}/{cut}.csv", text[:cut])
    shop.ingest()
    ends = dict(shop.query("select source_path, status from ops.files"))
    for cut in cuts:
        is_between = text[cut - 1 : cut] == b"\n"
        assert ends[f"{DAY}/{cut}.csv"] == ("loaded" if is_between else "refused"), cut
    for path, keys in shop.query(
        "select source_path, list(order_id order by _record_no) from raw.order_lines "
        "join ops.files on file_id = _file_id group by 1"
    ):
        cut = int(path.removeprefix(f"{DAY}/").removesuffix(".csv"))
        assert keys == [line.split(",")[0] for line in text[:cut].decode().splitlines()[1:]]
    for cut in (*cuts, len(text) - 1):
        shop.put_bytes(f"{DAY}/{cut}.csv", text)
    shop.ingest()
    assert shop.query("select distinct status from ops.files where status not in ('duplicate', 'superseded')") == [
        ("loaded",)
    ]
    assert shop.query("select count(*) from raw.order_lines") == [(CLEAN,)]
    evidence(
        "P5",
        "text files cut at any hundredth never give half a record; the whole file replaces what was loaded of it",
        trials=len(cuts),
    )


def test_a_file_that_drips_in_is_not_taken_before_it_is_whole(
    tmp_path: Path, trials: Callable[[int, int], int], evidence: Callable[..., None]
) -> None:
    """The sensor looks after every piece; pieces end between records too, where the file alone looks whole."""
    shop = Shop(tmp_path)
    chance = random.Random(SEED)
    files, looks = trials(20, 200), 0
    for number in range(files):
        text = csv_text(f"p{number}").encode()
        path = shop.put_bytes(f"{DAY}/{number}.csv", b"")
        ends = [text.index(b"\n", chance.randrange(len(text) - 1)) + 1 for _ in range(3)]
        pieces = sorted({*ends, chance.randrange(len(text)), len(text)})
        cursor = arrived(installation(shop), None).cursor
        written = 0
        for piece in pieces:
            with path.open("ab") as file:
                file.write(text[written:piece])
            written = piece
            looked = arrived(installation(shop), cursor)
            assert not looked.ready
            cursor, looks = looked.cursor, looks + 1
        assert set(arrived(installation(shop), cursor).ready) == {date.fromisoformat(DAY)}
        path.unlink()
    claim = "looks at files that are still being written start no run; a second look after their end does"
    evidence("P5", claim, trials=looks, seed=SEED)


def installation(shop: Shop) -> Installation:
    return Installation(shop.settings, shop.profile, delivery_days(shop.profile))


# ------------------------------------------------------------------------------------------- what lies in the landing


def test_what_is_no_file_is_refused_and_what_has_an_odd_name_is_read(
    tmp_path: Path, evidence: Callable[..., None]
) -> None:
    shop = Shop(tmp_path, orders(path="{delivered_on}/**/*.csv"))
    folder = shop.landing / DAY
    outside = tmp_path / "outside"
    (outside / "folder").mkdir(parents=True)
    for path in ("secret.csv", "folder/inner.csv"):
        (outside / path).write_text(csv_text("secret"))
    odd = ["it's.csv", 'a "b".csv', "line\nbreak.csv", "\U0001f6b2.csv", "x" * 240 + ".csv", "%s{}.csv", "a..b.csv"]
    odd += [
        "-rf.csv",
        "'; drop table ops.files; --.csv",
        "$(touch owned).csv",
        "{{ x }}.csv",
        "A.csv",
        "a.csv",
        " .csv",
    ]
    for number, name in enumerate(odd):
        shop.put(f"{DAY}/{name}", csv_text(f"odd{number}"), header="")
    unread = ["a.csv.part", ".hidden.csv", "readme.md"]
    for name in unread:
        shop.put(f"{DAY}/{name}", csv_text("unread"), header="")
    refused = dict(_no_files(folder, outside))
    os.link(folder / "a.csv", folder / "hard_link.csv")
    shop.ingest()
    found = shop.query("select source_path, status, reason_code from ops.files")
    ends = {path.removeprefix(f"{DAY}/"): reason or status for path, status, reason in found}
    assert ends == dict.fromkeys(odd, "loaded") | refused | {"hard_link.csv": "duplicate"}
    keys = {row[0].partition("-")[0] for row in shop.query("select order_id from raw.order_lines")}
    assert keys == {f"odd{number}" for number in range(len(odd))}
    assert not list(tmp_path.rglob("owned"))
    claim = "links, pipes, devices and folders are refused, odd names read, and nothing outside the landing"
    evidence("P3", claim, trials=len(ends))


def _no_files(folder: Path, outside: Path) -> Iterator[tuple[str, str]]:
    (folder / "link.csv").symlink_to(outside / "secret.csv")
    (folder / "link_up.csv").symlink_to("../../outside/secret.csv")
    (folder / "loop.csv").symlink_to("loop.csv")
    (folder / "dangling.csv").symlink_to("nowhere")
    (folder / "linked_folder").symlink_to(outside / "folder")
    os.mkfifo(folder / "pipe.csv")
    (folder / "folder.csv").mkdir()
    names = ["link.csv", "link_up.csv", "loop.csv", "dangling.csv", "pipe.csv", "folder.csv"]
    if os.geteuid() == 0:
        os.mknod(folder / "device.csv", 0o600 | 0o020000, os.makedev(1, 5))  # /dev/zero never ends
        names.append("device.csv")
    else:
        (folder / "locked.csv").write_text(csv_text("locked"))
        (folder / "locked.csv").chmod(0)
        yield "locked.csv", "unreadable"
    for name in names:
        yield name, "not_a_regular_file"
