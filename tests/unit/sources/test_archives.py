"""Decompression believes nothing: every cut, flip, bomb and strange member is refused."""

import gzip
import io
import random
import stat
import zipfile

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import FileRefusedError
from pipelines.sources.archives import unpacked

LINES = b"".join(b"%d,%d\n" % (number, number * 7919 % 1000) for number in range(2000))


def zipped(*members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def zstd(content: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(content)


PACKED = {"p.csv.gz": gzip.compress(LINES), "p.csv.zst": zstd(LINES), "p.csv.zip": zipped(("p.csv", LINES))}


def content(packed: bytes, path: str) -> bytes:
    return b"".join(unpacked(io.BytesIO(packed), path))


def refusal(packed: bytes, path: str) -> str:
    with pytest.raises(FileRefusedError) as refused:
        content(packed, path)
    return refused.value.reason_code


@given(st.binary(max_size=5000))
def test_what_was_packed_comes_out(original: bytes) -> None:
    assert content(gzip.compress(original), "p.gz") == original
    assert content(zstd(original), "p.zst") == original
    assert content(zipped(("p.csv", original)), "p.zip") == original
    assert content(original, "p.csv") == original


def test_several_members_in_a_row_are_one_file() -> None:
    assert content(PACKED["p.csv.gz"] * 2, "p.csv.gz") == LINES * 2
    assert content(PACKED["p.csv.zst"] * 2, "p.csv.zst") == LINES * 2


@pytest.mark.parametrize("path", PACKED)
def test_no_cut_archive_is_believed(path: str) -> None:
    packed = PACKED[path]
    for length in range(1, len(packed), max(1, len(packed) // 60)):
        assert refusal(packed[:length], path) == "bad_archive", length


@pytest.mark.parametrize("path", PACKED)
def test_a_flipped_bit_is_refused_or_changes_nothing(path: str) -> None:
    chance = random.Random(7)
    for _ in range(300):
        flipped = bytearray(PACKED[path])
        position = chance.randrange(len(flipped))
        flipped[position] ^= 1 << chance.randrange(8)
        try:
            outcome = content(bytes(flipped), path)
        except FileRefusedError as error:
            outcome = error.reason_code.encode()
        assert outcome in (LINES, b"bad_archive", b"unsafe_archive"), position


@pytest.mark.parametrize("path", ["p.csv.gz", "p.csv.zst"])
def test_garbage_behind_the_end_is_refused(path: str) -> None:
    assert refusal(PACKED[path] + b"garbage", path) == "bad_archive"


@pytest.mark.parametrize("path", PACKED)
def test_a_name_alone_makes_no_archive(path: str) -> None:
    assert refusal(LINES, path) == "bad_archive"


@pytest.mark.parametrize(
    ("path", "bomb"),
    [
        ("p.gz", gzip.compress(bytes(30_000_000))),
        ("p.zst", zstd(bytes(100_000_000))),
        ("p.zip", zipped(("p.csv", bytes(30_000_000)))),
    ],
)
def test_bombs_are_stopped_while_they_unpack(path: str, bomb: bytes) -> None:
    sizes: list[int] = []
    with pytest.raises(FileRefusedError) as refused:
        sizes.extend(len(block) for block in unpacked(io.BytesIO(bomb), path))
    assert refused.value.reason_code == "archive_too_large"
    assert sum(sizes) < 20_000_000


def test_small_files_may_shrink_as_far_as_they_like() -> None:
    assert content(gzip.compress(bytes(1_000_000)), "p.gz") == bytes(1_000_000)


@pytest.mark.parametrize("name", ["../p.csv", "/etc/p.csv", "folder/p.csv", "C:\\p.csv", ".."])
def test_zip_members_with_a_path_are_refused(name: str) -> None:
    assert refusal(zipped((name, LINES)), "p.zip") == "unsafe_archive"


def test_zips_of_several_or_no_members_and_links_and_secrets_are_refused() -> None:
    assert refusal(zipped(("a.csv", LINES), ("b.csv", LINES)), "p.zip") == "unsafe_archive"
    assert refusal(zipped(), "p.zip") == "unsafe_archive"
    link = zipfile.ZipInfo("p.csv")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    assert refusal(buffer.getvalue(), "p.zip") == "unsafe_archive"
    encrypted = bytearray(zipped(("p.csv", LINES)))
    central = encrypted.rindex(b"PK\x01\x02")
    encrypted[6] |= 1
    encrypted[central + 8] |= 1
    assert refusal(bytes(encrypted), "p.zip") == "unsafe_archive"
