"""The ledger of delivered files (`ops.files`): read once per run, changed with the rows it speaks of.

What a file is (new, known, a duplicate, superseded) is decided from here; reading rows is not done here.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, fields, replace
from datetime import date, datetime
from decimal import Decimal

import duckdb

from pipelines.ingestion.loading import Loaded, plus

LOADED = ("loaded", "loaded_with_quarantine")
# States of a file that still speaks for its path.
STANDING = (*LOADED, "duplicate", "refused")


@dataclass(frozen=True)
class LedgerFile:
    """One row of ops.files, in its column order."""

    file_id: str
    feed: str
    source_path: str
    delivered_on: date | None
    content_sha256: str
    delivered_bytes: int
    status: str
    reason_code: str | None = None
    message: str | None = None
    duplicate_of: str | None = None
    superseded_by: str | None = None
    records_seen: int = 0
    records_loaded: int = 0
    records_duplicate: int = 0
    records_quarantined: int = 0
    records_filtered: int = 0
    amount_seen: Decimal | None = None
    amount_loaded: Decimal | None = None
    amount_duplicate: Decimal | None = None
    amount_quarantined: Decimal | None = None
    ignored_columns: str | None = None
    missing_columns: str | None = None
    contract_version: str = ""
    mapping_digest: str = ""
    run_id: str | None = None
    ingested_at: datetime | None = None

    @property
    def holds_rows(self) -> bool:
        return self.status in LOADED

    @property
    def order(self) -> tuple[date, str]:
        """What decides which of several equal files owns the content: the earliest day, then the path."""
        return self.delivered_on or date.min, self.source_path


def file_id_of(feed: str, source_path: str, content_sha256: str) -> str:
    """The identity of a delivered file: 32 hex digits that its feed, path and content determine."""
    return hashlib.sha256("\0".join((feed, source_path, content_sha256)).encode()).hexdigest()[:32]


class Ledger:
    """All files ever delivered, by id, by path and by content.

    `put` changes the ledger in memory and remembers the change; `write` stores what changed, in the caller's
    transaction; `undo` forgets what was not stored.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._files: dict[str, LedgerFile] = {}
        self._by_path: dict[tuple[str, str], set[str]] = {}
        self._by_content: dict[tuple[str, str], set[str]] = {}
        self._before: dict[str, LedgerFile | None] = {}
        columns = ", ".join(item.name for item in fields(LedgerFile))
        for row in connection.execute(f"select {columns} from ops.files").fetchall():
            self._index(LedgerFile(*row))

    def get(self, file_id: str) -> LedgerFile | None:
        return self._files.get(file_id)

    def is_stored(self, file_id: str) -> bool:
        """Whether the warehouse has the file already, in whatever state."""
        return self._before.get(file_id, self._files.get(file_id)) is not None

    def at_path(self, feed: str, source_path: str, delivered_on: date | None) -> list[LedgerFile]:
        """The files that stand for one path and delivery day."""
        found = self._standing(self._by_path.get((feed, source_path), ()))
        return [file for file in found if file.delivered_on == delivered_on]

    def with_content(self, feed: str, content_sha256: str) -> list[LedgerFile]:
        """The files of a feed that hold the same bytes and are not refused."""
        found = self._standing(self._by_content.get((feed, content_sha256), ()))
        return [file for file in found if file.status != "refused"]

    def put(self, file: LedgerFile) -> LedgerFile:
        self._before.setdefault(file.file_id, self._files.get(file.file_id))
        self._index(file)
        return file

    def write(self, connection: duckdb.DuckDBPyConnection, run_id: str | None, moment: datetime) -> None:
        """Store all changes since the last `written`, stamped with the run and the moment."""
        marks = ", ".join("?" for _ in fields(LedgerFile))
        for file_id, before in self._before.items():
            file = self._files[file_id] = replace(self._files[file_id], run_id=run_id, ingested_at=moment)
            # An upsert would cost seven times a plain insert, and most files are new.
            if before is not None:
                connection.execute("delete from ops.files where file_id = ?", [file_id])
            connection.execute(f"insert into ops.files values ({marks})", astuple(file))

    def written(self) -> None:
        """The transaction of the changes was committed."""
        self._before.clear()

    def undo(self) -> None:
        """The transaction of the changes was rolled back."""
        for file_id, file in self._before.items():
            if file is not None:
                self._files[file_id] = file
            else:
                del self._files[file_id]
        self._before.clear()

    def _index(self, file: LedgerFile) -> None:
        self._files[file.file_id] = file
        self._by_path.setdefault((file.feed, file.source_path), set()).add(file.file_id)
        self._by_content.setdefault((file.feed, file.content_sha256), set()).add(file.file_id)

    def _standing(self, file_ids: Iterable[str]) -> Iterator[LedgerFile]:
        for file_id in sorted(file_ids):
            file = self._files.get(file_id)
            if file is not None and file.status in STANDING:
                yield file


def with_counts(file: LedgerFile, loaded: Loaded, digest: str, version: str) -> LedgerFile:
    """The file as loaded, under the mapping and contract that read it."""
    return replace(
        file,
        status="loaded_with_quarantine" if loaded.quarantined else "loaded",
        reason_code=None,
        message=None,
        duplicate_of=None,
        superseded_by=None,
        records_seen=loaded.seen,
        records_loaded=loaded.loaded,
        records_duplicate=loaded.duplicate,
        records_quarantined=loaded.quarantined,
        records_filtered=loaded.filtered,
        amount_seen=loaded.amount_seen,
        amount_loaded=loaded.amount_loaded,
        amount_duplicate=loaded.amount_duplicate,
        amount_quarantined=loaded.amount_quarantined,
        ignored_columns=", ".join(loaded.ignored_columns) or None,
        missing_columns=", ".join(loaded.missing_columns) or None,
        contract_version=version,
        mapping_digest=digest,
    )


def with_released(file: LedgerFile, loaded: Loaded, delivered: Decimal | None) -> LedgerFile:
    """The file's counts after records moved from quarantine to raw; `delivered` is their worth there."""
    quarantined = file.records_quarantined - loaded.loaded
    amount_loaded = plus(file.amount_loaded, loaded.amount_loaded)
    amount_quarantined = plus(file.amount_quarantined, -delivered if delivered is not None else None)
    return replace(
        file,
        status="loaded_with_quarantine" if quarantined else "loaded",
        records_loaded=file.records_loaded + loaded.loaded,
        records_quarantined=quarantined,
        amount_seen=plus(plus(amount_loaded, amount_quarantined), file.amount_duplicate),
        amount_loaded=amount_loaded,
        amount_quarantined=amount_quarantined,
    )


def as_duplicate(file: LedgerFile, owner: LedgerFile) -> LedgerFile:
    """The file as a duplicate of its content's owner: all its records are accounted for there."""
    return replace(
        file,
        status="duplicate",
        reason_code=None,
        message=None,
        duplicate_of=owner.file_id,
        superseded_by=None,
        records_seen=owner.records_seen,
        records_loaded=0,
        records_duplicate=owner.records_seen,
        records_quarantined=0,
        records_filtered=0,
        amount_seen=owner.amount_seen,
        amount_loaded=None,
        amount_duplicate=owner.amount_seen,
        amount_quarantined=None,
        ignored_columns=owner.ignored_columns,
        missing_columns=owner.missing_columns,
    )
