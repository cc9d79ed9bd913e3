"""Decompression that checks what it unpacks: checksums, ends, sizes, member names. Knows no table format.

gz, zst and zip by the suffix of the path; anything else passes as it is. A cut, damaged, nested or exploding archive
raises FileRefusedError before its end is believed.
"""

import gzip
import io
import stat
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import zstandard

from pipelines.errors import FileRefusedError

BLOCK_BYTES = 1 << 20
# One zstd block of four bytes can stand for 128 KiB: small bites keep what one bite unpacks small.
ZSTD_BITE_BYTES = 1 << 10
MAX_CONTENT_BYTES = 32 << 30
MAX_GROWTH = 100
GROWTH_FREE_BYTES = 1 << 20
ENCRYPTED = 0x1


def unpacked(stream: BinaryIO, path: str) -> Iterator[bytes]:
    """The content of a delivered file, block by block, decompressed when the path's suffix says so.

    Raises FileRefusedError (bad_archive, unsafe_archive, archive_too_large) at the first block that cannot be trusted.
    """
    suffix = path.lower().rpartition(".")[2]
    try:
        blocks = _blocks(stream, suffix, path)
        yield from _capped(blocks, stream, path, compressed=suffix in ("gz", "zst", "zip"))
    except (
        EOFError,
        zlib.error,
        gzip.BadGzipFile,
        zstandard.ZstdError,
        zipfile.BadZipFile,
        NotImplementedError,
    ) as error:
        raise FileRefusedError(
            "bad_archive", path, f"is cut or damaged ({error})", "Have it packed and sent again."
        ) from error


def _blocks(stream: BinaryIO, suffix: str, path: str) -> Iterator[bytes]:
    if suffix == "gz":
        with gzip.GzipFile(fileobj=stream, mode="rb") as member:
            yield from iter(lambda: member.read(BLOCK_BYTES), b"")
    elif suffix == "zst":
        yield from _zstd_frames(stream)
    elif suffix == "zip":
        yield from _zip_member(stream, path)
    else:
        yield from iter(lambda: stream.read(BLOCK_BYTES), b"")


def _capped(blocks: Iterator[bytes], stream: BinaryIO, path: str, *, compressed: bool) -> Iterator[bytes]:
    total = 0
    for block in blocks:
        total += len(block)
        # What was taken in so far bounds what may have come out of it, so that a bomb is stopped while it unpacks.
        allowed = MAX_GROWTH * stream.tell() + GROWTH_FREE_BYTES if compressed else MAX_CONTENT_BYTES
        if total > min(allowed, MAX_CONTENT_BYTES):
            raise FileRefusedError(
                "archive_too_large",
                path,
                f"holds more than {total:,} bytes, which is too much or more than {MAX_GROWTH} times its packed size",
                "Have it split, or sent unpacked.",
            )
        yield block


def _zstd_frames(stream: BinaryIO) -> Iterator[bytes]:
    """Frame after frame; a frame that does not end, or bytes that are no frame, are errors."""
    frame = None
    while bite := stream.read(ZSTD_BITE_BYTES):
        while bite:
            frame = frame or zstandard.ZstdDecompressor(max_window_size=1 << 31).decompressobj()
            block = frame.decompress(bite)
            bite = b""
            if frame.eof:
                bite, frame = frame.unused_data, None
            if block:
                yield block
    if frame is not None:
        raise EOFError("the last frame does not end")


def _zip_member(stream: BinaryIO, path: str) -> Iterator[bytes]:
    source = stream if stream.seekable() else io.BytesIO(stream.read())
    with zipfile.ZipFile(source) as archive:
        members = archive.infolist()
        if len(members) != 1:
            raise _unsafe(path, f"holds {len(members)} members instead of one file")
        member = members[0]
        if member.filename != member.filename.replace("\\", "/").rpartition("/")[2] or member.filename in (
            "",
            ".",
            "..",
        ):
            raise _unsafe(path, f"holds the path {member.filename!r}")
        if not _is_plain(member):
            raise _unsafe(path, "holds a link, a folder or an encrypted member")
        with archive.open(member) as content:
            yield from iter(lambda: content.read(BLOCK_BYTES), b"")


def _is_plain(member: zipfile.ZipInfo) -> bool:
    kind = stat.S_IFMT(member.external_attr >> 16)
    return kind in (0, stat.S_IFREG) and not member.flag_bits & ENCRYPTED and not member.is_dir()


def _unsafe(path: str, cause: str) -> FileRefusedError:
    return FileRefusedError("unsafe_archive", path, cause, "Have one plain file packed, without folder or password.")
