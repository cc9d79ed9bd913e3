"""The landed copies: `<home>/landed/<first two>/<sha256>` holds the decompressed bytes of every file ever delivered.

A copy is named after its content, appears whole or not at all, and is never changed. Raw can be rebuilt from here.
"""

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import FileRefusedError
from pipelines.failpoints import reach
from pipelines.sources.archives import unpacked
from pipelines.sources.landing import Opener


@dataclass(frozen=True)
class Landed:
    """One landed copy: `content_sha256` is of the decompressed bytes, `delivered_bytes` counts them as delivered."""

    path: Path
    content_sha256: str
    delivered_bytes: int


class LandedCopies:
    """The folder of landed copies."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._unfinished = folder / "unfinished"

    def path_of(self, content_sha256: str) -> Path:
        return self.folder / content_sha256[:2] / content_sha256

    def clean(self) -> None:
        """Remove what a run that died left half copied."""
        for leftover in self._unfinished.glob("*"):
            leftover.unlink()

    def land(self, source_path: str, opener: Opener) -> Landed:
        """Copy one delivered file; the path says how it is compressed.

        Raises FileRefusedError when it cannot be read whole, decompressed, or is empty.
        """
        self._unfinished.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._unfinished)
        unfinished = Path(name)
        try:
            with os.fdopen(handle, "wb") as copy:
                digest = hashlib.sha256()
                with opener() as stream:
                    for block in unpacked(stream, source_path):
                        digest.update(block)
                        copy.write(block)
                    delivered_bytes = stream.seek(0, os.SEEK_END) if stream.seekable() else stream.tell()
                copy.flush()
                if not copy.tell():
                    raise FileRefusedError("empty_file", source_path, "has no bytes", "Have it sent again.")
                path = self.path_of(digest.hexdigest())
                if not path.exists():
                    self._keep(copy.fileno(), unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)
        return Landed(path, digest.hexdigest(), delivered_bytes)

    @staticmethod
    def _keep(handle: int, unfinished: Path, path: Path) -> None:
        """The bytes reach the disk before the name does: the ledger may name the copy as soon as this returns."""
        os.fchmod(handle, 0o440)
        os.fsync(handle)
        path.parent.mkdir(exist_ok=True)
        unfinished.rename(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        reach("ingest.landed")
