"""A file in any declared encoding, as UTF-8 bytes; and the way back from a place in them to a place in the file.

Bytes that are not valid in the declared encoding arrive as bytes that are not valid UTF-8, so the reader refuses just
the records that hold them. Nothing is replaced by a placeholder.
"""

import codecs
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from pipelines.errors import FileRefusedError

# Longest first: the mark of UTF-16 LE begins the mark of UTF-32 LE.
MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
REMEDY = "Set notation.encoding in the profile to the encoding the file is in."


class Utf8Stream:
    """The content of one file as UTF-8, byte order mark dropped.

    Raises FileRefusedError(wrong_encoding) when the file's byte order mark names another encoding or the bytes cannot
    be read as text at all.
    """

    def __init__(self, handle: BinaryIO, place: str, encoding: str) -> None:
        self._handle, self._place = handle, place
        mark, self.encoding = self._mark_and_encoding(encoding)
        self.origin = len(mark)
        handle.seek(self.origin)
        self._decoder: codecs.IncrementalDecoder | None = None
        if self.encoding != "utf-8":
            wide = self.encoding.startswith(("utf-16", "utf-32"))
            self._errors = "surrogatepass" if wide else "surrogateescape"
            self._decoder = codecs.getincrementaldecoder(self.encoding)(self._errors)

    def _mark_and_encoding(self, declared: str) -> tuple[bytes, str]:
        head = self._handle.read(4)
        name = codecs.lookup(declared).name.replace("_", "-").removesuffix("-sig")
        mark, marked = next(((mark, marked) for mark, marked in MARKS if head.startswith(mark)), (b"", ""))
        if marked.startswith(name):
            return mark, marked
        looks_wrong = marked and not (marked == "utf-32-le" and name == "utf-16-le")
        if looks_wrong and (name.startswith("utf") or marked == "utf-8"):
            raise self._refusal(f"is declared {declared} but begins with the byte order mark of {marked}")
        return b"", f"{name}-le" if name in ("utf-16", "utf-32") else name

    def _refusal(self, cause: str) -> FileRefusedError:
        return FileRefusedError("wrong_encoding", self._place, cause, REMEDY)

    @property
    def newline(self) -> bytes:
        """A newline as it stands in the file."""
        return "\n".encode(self.encoding)

    def read(self, size: int) -> tuple[bytes, bool]:
        """About `size` bytes more, and whether they are the last."""
        data = self._handle.read(size)
        is_last = len(data) < size
        if self._decoder is None:
            return data, is_last
        try:
            text = self._decoder.decode(data, is_last)
        except UnicodeError as error:
            raise self._refusal(f"cannot be read as {self.encoding} ({error.__class__.__name__})") from error
        return text.encode("utf-8", "surrogatepass"), is_last

    def shown(self, raw: bytes) -> str:
        """Text as a person may read it; bytes that are no text are shown as escapes of what stands in the file."""
        if self._decoder is not None and self._errors == "surrogateescape":
            raw = raw.decode("utf-8", "surrogatepass").encode("utf-8", "surrogateescape")
        return raw.decode("utf-8", "backslashreplace")

    def original_offsets(self, text: bytes, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """How many bytes of the file stand before each of the ascending `positions` of `text`, counted from its start.

        Positions must be starts of characters.
        """
        if self._decoder is None:
            return positions
        unit = {"utf-16": 2, "utf-32": 4}.get(self.encoding[:6], 1)
        if unit == 1 and not _is_single_byte(self.encoding):
            return self._encoded_lengths(text, positions)
        if text.isascii():
            return positions * unit
        data = np.frombuffer(text, np.uint8)
        characters = positions - np.searchsorted(np.flatnonzero((data & 0xC0) == 0x80), positions)
        if unit == 2:
            characters = characters + np.searchsorted(np.flatnonzero(data >= 0xF0), positions)
        return np.asarray(characters * unit, np.int64)

    def _encoded_lengths(self, text: bytes, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        lengths, before = [], 0
        for position in positions.tolist():
            piece = text[before:position].decode("utf-8", "surrogatepass")
            lengths.append(len(piece.encode(self.encoding, self._errors)))
            before = position
        return np.cumsum(np.array(lengths, np.int64))


def _is_single_byte(encoding: str) -> bool:
    return len(bytes(range(256)).decode(encoding, "replace")) == 256


def ends_with_newline(path: Path, newline: bytes) -> bool:
    with path.open("rb") as handle:
        size = handle.seek(0, 2)
        if size < len(newline) or size % len(newline):
            return False
        handle.seek(size - len(newline))
        return handle.read() == newline
