"""The landed copies: `<home>/landed/<first two>/<sha256>` holds the decompressed bytes of every file ever delivered.

A copy is named after what was delivered, appears whole or not at all, and is changed only to take an erased person out.
Raw can be rebuilt from here.
"""

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pipelines.durable import sync
from pipelines.errors import FileRefusedError
from pipelines.failpoints import reach
from pipelines.sources.archives import unpacked
from pipelines.sources.landing import Opener


@dataclass(frozen=True)
class Landed:
    """One landed copy: `content_sha256` is of the decompressed bytes, `delivered_bytes` counts them as delivered.

    `is_new` says that there was no copy of this content before.
    """

    path: Path
    content_sha256: str
    delivered_bytes: int
    is_new: bool


class LandedCopies:
    """The folder of landed copies.

    Where it `holds_back`, a new copy lasts as long as the run, unless `keep` or `replace` says that it may stay: no
    crash can leave one that was not looked through.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.holds_back = False
        self._unfinished = folder / "unfinished"

    def path_of(self, content_sha256: str) -> Path:
        """Where the copy is: among the others, or set aside."""
        aside = self._unfinished / f"{content_sha256}.aside"
        return aside if aside.exists() else self._kept(content_sha256)

    def _kept(self, content_sha256: str) -> Path:
        return self.folder / content_sha256[:2] / content_sha256

    def unfinished(self, content_sha256: str, kind: str) -> Path:
        """A path for bytes of this content that must not outlive the run."""
        self._unfinished.mkdir(parents=True, exist_ok=True)
        return self._unfinished / f"{content_sha256}.{kind}"

    def set_aside(self, content_sha256: str) -> None:
        """Have a copy for this run only: `clean` removes it, as it does after a crash."""
        kept = self._kept(content_sha256)
        if kept.exists():
            kept.rename(self.unfinished(content_sha256, "aside"))

    def keep(self, content_sha256: str) -> None:
        """Let a copy that was held back stay."""
        aside = self.unfinished(content_sha256, "aside")
        if aside.exists():
            self.replace(content_sha256, aside)

    def replace(self, content_sha256: str, fresh: Path) -> None:
        """Put a fresh file, one of `unfinished`, in the place of the copy."""
        with fresh.open("rb") as opened:
            self._keep(opened.fileno(), fresh, self._kept(content_sha256))
        self.unfinished(content_sha256, "aside").unlink(missing_ok=True)

    def contents(self) -> list[str]:
        """The names of all copies kept."""
        return sorted(path.name for path in self.folder.glob("??/*"))

    def clean(self) -> None:
        """Remove what is set aside, and what a run that died left half copied."""
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
                content = digest.hexdigest()
                is_new = not self._kept(content).exists()
                if is_new:
                    path = self.unfinished(content, "aside") if self.holds_back else self._kept(content)
                    self._keep(copy.fileno(), unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)
        return Landed(self.path_of(content), content, delivered_bytes, is_new)

    @staticmethod
    def _keep(handle: int, unfinished: Path, path: Path) -> None:
        """The bytes reach the disk before the name does: the ledger may name the copy as soon as this returns."""
        os.fchmod(handle, 0o440)
        os.fsync(handle)
        path.parent.mkdir(exist_ok=True)
        unfinished.rename(path)
        sync(path.parent)
        reach("ingest.landed")
