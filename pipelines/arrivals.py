"""Which files in the landing the ledger does not know, and whether they have stopped growing. Reads no file."""

import hashlib
import json
from dataclasses import dataclass
from datetime import date

from pipelines.assets.shell import Installation
from pipelines.errors import WarehouseError
from pipelines.sources.landing import Delivery, find_deliveries


@dataclass(frozen=True)
class Arrivals:
    """What the arrival sensor acts on.

    Attributes:
        ready: delivery day -> digest of its new files, which looked the same at two looks in a row.
        cursor: what was seen now, for the next look.
        waiting_for: why nothing is ready.
    """

    ready: dict[date, str]
    cursor: str
    waiting_for: str


def arrived(installation: Installation, cursor: str | None) -> Arrivals:
    """Compare the landing with the ledger and with the look before.

    A file that is still being written changes its size or its time between two looks, so it is left for later.
    """
    try:
        known = _known_paths(installation)
    except WarehouseError:
        return Arrivals({}, cursor or "{}", "a run is writing; the landing is looked at again after it")
    found = find_deliveries(installation.profile, installation.settings.landing_url)
    new = [each for each in found if each.source.path and (each.feed, each.source_path) not in known]
    seen = {_name(each): each.state for each in new}
    before: dict[str, str] = json.loads(cursor or "{}")
    ready: dict[date, list[str]] = {}
    for each in new:
        if before.get(_name(each)) == each.state:
            ready.setdefault(each.delivered_on or _newest_partition(installation), []).append(_name(each))
    digests = {day: hashlib.sha256("\n".join(names).encode()).hexdigest()[:16] for day, names in sorted(ready.items())}
    waiting = f"{len(new)} new file(s), looked at for the first time" if new else "nothing new in the landing"
    return Arrivals(digests, json.dumps(seen), waiting)


def _known_paths(installation: Installation) -> set[tuple[str, str]]:
    if not installation.warehouse.path.exists():
        return set()
    with installation.warehouse.read(patience_seconds=0) as connection:
        return set(connection.execute("select feed, source_path from ops.files").fetchall())


def _newest_partition(installation: Installation) -> date:
    """The run for files whose records carry their own days; any run loads them."""
    return installation.profile.ends_on or installation.profile.starts_on


def _name(delivery: Delivery) -> str:
    return f"{delivery.feed}:{delivery.source_path}"
