"""What the files of a company mean together, said a second time: which file stands, which is refused, what is loaded.

Built on `golden` and as independent: plain Python, no database. It is told what was delivered and works out the end.
"""

import gzip
import hashlib
import zlib
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from tests.promises.golden import Described, GoldenRecord, Outcome, RefusedError, conform, read, required_columns


@dataclass(frozen=True)
class Kind:
    """One kind of file: the contract of its feed and what the profile says of it."""

    feed: str
    contract: Any
    described: Described
    read_like: str  # kinds whose files are read the same way have the same


@dataclass
class GoldenFile:
    """What one delivered file holds, read on its own. `status` is loaded, loaded_with_quarantine or refused."""

    status: str
    reason: str | None = None
    content: bytes = b""
    seen: int = 0
    loaded: dict[int, dict[str, Any]] = field(default_factory=dict)
    days: dict[int, date] = field(default_factory=dict)
    quarantined: dict[int, tuple[str, str | None]] = field(default_factory=dict)
    duplicate: set[int] = field(default_factory=set)
    filtered: set[int] = field(default_factory=set)
    records: dict[int, GoldenRecord] = field(default_factory=dict)
    amounts: dict[str, Decimal] | None = None

    @property
    def counts(self) -> tuple[int, int, int, int, int]:
        """Records seen, loaded, duplicate, quarantined, filtered."""
        return self.seen, len(self.loaded), len(self.duplicate), len(self.quarantined), len(self.filtered)


def open_file(name: str, delivered: bytes, kind: Kind, day: date | None, zone: str) -> GoldenFile:
    """One delivered file on its own."""
    try:
        content = _unpacked(name, delivered)
    except (OSError, EOFError, zlib.error):
        return GoldenFile("refused", "bad_archive")
    if not content:
        return GoldenFile("refused", "empty_file")
    notation = kind.described.notation
    try:
        _, records = read(
            content,
            required_columns(kind.described, kind.contract),
            notation.delimiter,
            notation.quote,
            encoding=notation.encoding,
        )
    except RefusedError as error:
        return GoldenFile("refused", str(error), content)
    outcome = conform(records, kind.described, kind.contract, zone)
    _settle_keys(outcome, kind, day)
    status = "loaded_with_quarantine" if outcome.quarantined else "loaded"
    return GoldenFile(
        status,
        content=content,
        seen=len(records),
        loaded=outcome.loaded,
        days={number: outcome.days.get(number, day) for number in outcome.loaded},
        quarantined=outcome.quarantined,
        duplicate=outcome.duplicate,
        filtered=outcome.filtered,
        records={record.number: record for record in records},
        amounts=_amounts(outcome) if kind.feed == "order_lines" else None,
    )


def _unpacked(name: str, delivered: bytes) -> bytes:
    return gzip.decompress(delivered) if name.lower().endswith(".gz") else delivered


def _settle_keys(outcome: Outcome, kind: Kind, day: date | None) -> None:
    """Records of one key and day: equal ones are duplicates, others all refused, unless versions are allowed."""
    versions: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for number, values in sorted(outcome.loaded.items()):
        key = tuple(values[name] for name in kind.contract.key)
        versions[(*key, outcome.days.get(number, day))].append(number)
    for numbers in versions.values():
        rows = [outcome.loaded[number] for number in numbers]
        if all(row == rows[0] for row in rows) or kind.described.key_versions == "last_wins":
            repeats = [numbers[i] for i in range(1, len(rows)) if rows[i] == rows[i - 1]]
            outcome.duplicate |= set(repeats)
        else:
            repeats = numbers
            outcome.quarantined |= dict.fromkeys(numbers, ("duplicate_key", kind.contract.key[0]))
        for number in repeats:
            del outcome.loaded[number]


def _amounts(outcome: Outcome) -> dict[str, Decimal]:
    def total(numbers: Any) -> Decimal:
        return sum((outcome.amounts[number] for number in numbers if number in outcome.amounts), Decimal(0))

    parts = {
        "loaded": total(outcome.loaded),
        "duplicate": total(outcome.duplicate),
        "quarantined": total(outcome.quarantined),
    }
    return parts | {"seen": sum(parts.values(), Decimal(0))}


@dataclass
class Standing:
    """A file that speaks for its path: what it holds, and the path that owns its content when another one does."""

    kind: Kind
    day: date | None
    file: GoldenFile
    owner: str | None = None


class GoldenCompany:
    """All that was delivered so far. Only the last bytes of each path that can be read count, in whatever order."""

    def __init__(self, zone: str) -> None:
        self.zone = zone
        self.standing: dict[str, Standing] = {}
        self.refused: dict[str, set[tuple[str, str]]] = defaultdict(set)  # path -> (digest of content, reason)
        self._opened: dict[tuple[str, bytes], GoldenFile] = {}

    def deliver(self, path: str, delivered: bytes, kind: Kind, day: date | None) -> None:
        """The path as one ingestion finds it."""
        key = (path, hashlib.sha256(delivered).digest())
        if key not in self._opened:
            self._opened[key] = open_file(path, delivered, kind, day, self.zone)
        file = self._opened[key]
        if file.status == "refused":
            self.refused[path].add((hashlib.sha256(file.content).hexdigest(), str(file.reason)))
        else:
            self.standing[path] = Standing(kind, day, file)
            self.refused.pop(path, None)

    def settle(self) -> dict[str, Standing]:
        """The standing files, each content of a kind owned by its earliest day and path."""
        owners: dict[tuple[str, bytes], str] = {}
        for path, each in sorted(self.standing.items(), key=lambda item: (item[1].day or date.min, item[0])):
            owner = owners.setdefault((each.kind.read_like, each.file.content), path)
            each.owner = None if owner == path else owner
        return self.standing
