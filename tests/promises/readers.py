"""What BI tools do all day, as processes: plain DuckDB on the published file, each kind in its own way.

Every table of a version names its generation, so a read that sees two of them is torn.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from tests.unit.publishing.company import TABLES

STOP = "stop"
# Sixteen readers without a pause would leave two cores no time to publish.
PAUSE_SECONDS = 0.4


@dataclass
class Seen:
    """What one reader saw: generations in order (repeats left out), how often it read, and whatever went wrong."""

    generations: list[int] = field(default_factory=list)
    reads: int = 0
    wrong: list[str] = field(default_factory=list)

    def note(self, found: set[int]) -> None:
        self.reads += 1
        if len(found) != 1:
            self.wrong.append(f"torn: {sorted(found)}")
        elif self.generations[-1:] != [*found]:
            self.generations += found


def read(kind: str, published: Path, ready: Path) -> Seen:
    """Read until there is a file `stop`, in the way of the kind, and once more after it."""
    seen = Seen()
    try:
        for _ in KINDS[kind](published / "current.duckdb", seen):
            ready.touch()
            if (published.parent / STOP).exists():
                return seen
            time.sleep(PAUSE_SECONDS)
    except Exception as error:  # whatever a reader could run into is the result of the test
        seen.wrong.append(f"{kind}: {error!r}")
    ready.touch()
    return seen


def _generations(connection: duckdb.DuckDBPyConnection, catalog: str = "") -> set[int]:
    return {
        generation
        for table in TABLES
        for (generation,) in connection.execute(f"select distinct generation from {catalog}{table}").fetchall()
    }


@contextmanager
def _opened(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(path), read_only=True, config={"threads": 1}) as connection:
        yield connection


def _reconnecting(path: Path, seen: Seen) -> Iterator[None]:
    """A connection for each look."""
    while True:
        with _opened(path) as connection:
            seen.note(_generations(connection))
        yield


def _session(path: Path, seen: Seen) -> Iterator[None]:
    """Several questions, with pauses, over one connection; all answers are of one version."""
    while True:
        with _opened(path) as connection:
            found = set()
            for _ in range(5):
                found |= _generations(connection)
                yield
            seen.note(found)


def _holding(path: Path, seen: Seen) -> Iterator[None]:
    """One connection for all its life: the version it opened, whatever is published or removed since."""
    with _opened(path) as connection:
        opened = _generations(connection)
        while True:
            seen.note(opened | _generations(connection))
            yield


def _attaching(path: Path, seen: Seen) -> Iterator[None]:
    """A server that lives long and attaches the file anew for each refresh."""
    with duckdb.connect(config={"threads": 1}) as connection:
        while True:
            connection.execute(f"attach '{path}' as analytics (read_only)")
            seen.note(_generations(connection, "analytics."))
            connection.execute("detach analytics")
            yield


KINDS: dict[str, Callable[[Path, Seen], Iterator[None]]] = {
    "reconnecting": _reconnecting,
    "session": _session,
    "holding": _holding,
    "attaching": _attaching,
}
