"""What one ingestion did, as plain data: per feed and delivery day, and what it refused. Reads and writes nothing."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal


@dataclass(frozen=True)
class FeedDay:
    """One feed on one delivery day, as it now stands: seen = loaded + duplicate + quarantined + filtered.

    Amounts are the contract's control amount in transaction currency, None where the feed has none. Duplicate and
    filtered records of files whose records carry their own day belong to no day and stand in the ledger only.
    """

    feed: str
    delivered_on: date
    files: int = 0
    seen: int = 0
    loaded: int = 0
    duplicate: int = 0
    quarantined: int = 0
    filtered: int = 0
    amount_seen: Decimal | None = None
    amount_loaded: Decimal | None = None

    @classmethod
    def nothing(cls, feed: str, delivered_on: date) -> "FeedDay":
        """A day without a delivery of the feed."""
        return cls(feed, delivered_on)


@dataclass(frozen=True)
class RefusedFile:
    """A file that was not loaded, and why."""

    feed: str
    source_path: str
    delivered_on: date | None
    reason_code: str
    message: str


@dataclass
class IngestReport:
    """The result of one ingestion.

    `days` describes every asked or changed day that has a delivery; `changed` are the (feed, day) pairs whose raw rows
    were added to or taken from.
    """

    files_read: int = 0
    files_unchanged: int = 0
    records_loaded: int = 0
    refused: list[RefusedFile] = field(default_factory=list)
    changed: set[tuple[str, date]] = field(default_factory=set)
    days: dict[tuple[str, date], FeedDay] = field(default_factory=dict)

    @property
    def changed_days(self) -> list[date]:
        """Delivery days whose raw rows changed, in order."""
        return sorted({day for _, day in self.changed})

    def of(self, feed: str, delivered_on: date) -> FeedDay | None:
        """The feed's day, None when nothing was delivered."""
        return self.days.get((feed, delivered_on))

    def days_to_check(self, asked: Iterable[date]) -> list[date]:
        """The days asked for and the days that changed, in order."""
        return sorted({*asked, *self.changed_days})
