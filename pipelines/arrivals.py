"""Which files in the landing are not in the ledger as they are, and whether they stopped growing. Reads no file."""

import hashlib
import json
from dataclasses import dataclass
from datetime import date, timedelta

from pipelines.assets.shell import Installation
from pipelines.errors import NoWarehouseError, WarehouseError
from pipelines.sources.landing import Delivery, days_so_far, find_deliveries


@dataclass(frozen=True)
class Arrivals:
    """What the arrival sensor acts on.

    Attributes:
        ready: delivery day -> digest of its new files and their states, which were the same at two looks in a row.
        cursor: what was seen now, for the next look.
        waiting_for: why nothing is ready.
    """

    ready: dict[date, str]
    cursor: str
    waiting_for: str

    @property
    def stretches(self) -> list[tuple[date, date, str]]:
        """The ready days without gaps: first and last day of each stretch, and one digest of what is new in it."""
        found: list[tuple[date, date, str]] = []
        for day, digest in sorted(self.ready.items()):
            if found and day - found[-1][1] == timedelta(days=1):
                first, _, before = found.pop()
                found.append((first, day, hashlib.sha256(f"{before}{digest}".encode()).hexdigest()[:16]))
            else:
                found.append((day, day, digest))
        return found


def arrived(installation: Installation, cursor: str | None) -> Arrivals:
    """Compare the landing with the ledger and with the look before.

    A file that is still being written changes its size or its time between two looks, so it is left for later. A path
    that the ledger knows with another size was replaced, or could not be read to its end, and is new again.
    """
    try:
        known = _known_sizes(installation)
    except NoWarehouseError:
        known = {}
    except WarehouseError:
        return Arrivals({}, cursor or "{}", "a run is writing; the landing is looked at again after it")
    profile = installation.profile
    found = find_deliveries(profile, installation.settings.landing_url, days_so_far(profile))
    new = [each for each in found if each.source.path and not _is_known(each, known)]
    seen = {_name(each): each.state for each in new}
    before: dict[str, str] = json.loads(cursor or "{}")
    ready: dict[date, list[str]] = {}
    for each in new:
        if before.get(_name(each)) == each.state:
            ready.setdefault(each.delivered_on or _newest_partition(installation), []).append(
                f"{_name(each)} {each.state}"
            )
    digests = {day: hashlib.sha256("\n".join(names).encode()).hexdigest()[:16] for day, names in sorted(ready.items())}
    waiting = f"{len(new)} new file(s), looked at for the first time" if new else "nothing new in the landing"
    return Arrivals(digests, json.dumps(seen), waiting)


def _known_sizes(installation: Installation) -> dict[tuple[str, str], list[int]]:
    """Bytes of every file that stands in the ledger, by feed and path."""
    with installation.warehouse.read(patience_seconds=0) as connection:
        rows = connection.execute(
            "select feed, source_path, list(delivered_bytes) from ops.files where status <> 'superseded' group by all"
        ).fetchall()
    return {(feed, path): sizes for feed, path, sizes in rows}


def _is_known(delivery: Delivery, known: dict[tuple[str, str], list[int]]) -> bool:
    sizes = known.get((delivery.feed, delivery.source_path))
    return sizes is not None and (delivery.size is None or delivery.size in sizes)


def _newest_partition(installation: Installation) -> date:
    """The run for files whose records carry their own days; any run loads them."""
    newest = installation.partitions.get_last_partition_key()
    return date.fromisoformat(newest) if newest else installation.profile.starts_on


def _name(delivery: Delivery) -> str:
    return f"{delivery.feed}:{delivery.source_path}"
