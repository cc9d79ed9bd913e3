"""What lies in the landing: finds the deliveries of a profile and opens them safely. Copies and parses nothing.

A delivery is one file (or one day's result of a query). Local folders and any fsspec URL look the same from here on.
Names come from outside: only regular files inside the landing are opened, through no link.
"""

import errno
import io
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

import fsspec
from fsspec.implementations.local import LocalFileSystem

from pipelines.errors import FileRefusedError, ProfileError
from pipelines.settings import audit_time
from pipelines.sources.patterns import PathPattern, any_day, compile_pattern
from pipelines.sources.profiles import Profile, Source
from pipelines.sources.sql import open_query, query_path, takes_day

Opener = Callable[[], AbstractContextManager[BinaryIO]]
Days = tuple[date, date] | None


@dataclass(frozen=True)
class Delivery:
    """One file of one feed, found and not yet read.

    `delivered_on` is None when each record carries its own day. `state` is its size and time of writing as text, so
    that a change shows without reading; empty for a query. `size` is in bytes, None where it is not known. `open()` is
    a context manager over the bytes as delivered; it raises FileRefusedError when they cannot be had, or changed while
    they were read.
    """

    feed: str
    source: Source
    source_path: str
    delivered_on: date | None
    state: str
    open: Opener
    size: int | None = None


@dataclass(frozen=True)
class Entry:
    """One name in the landing; `path` is relative to it."""

    path: str
    is_folder: bool
    modified_at: datetime | None
    size: int | None
    open: Opener

    @property
    def state(self) -> str:
        return f"{self.size} bytes, {self.modified_at}"


def find_deliveries(profile: Profile, landing_url: str, days: Days = None) -> list[Delivery]:
    """All deliveries of the profile, or those of `days` (first and last, both included), in a fixed order.

    Files whose records carry the day themselves are found whatever the days asked for. The order is (delivery day,
    feed, path), so that earlier knowledge is loaded first.

    Raises ProfileError when the landing is not there or two sources of a feed claim the same file.
    """
    entries = list_landing(landing_url, _roots(profile))
    found = [
        delivery
        for feed, sources in profile.feeds.items()
        for source in sources
        for delivery in _of_source(feed, source, profile, entries, days)
    ]
    _refuse_shared_files(found)
    return sorted(found, key=lambda delivery: (delivery.delivered_on or date.min, delivery.feed, delivery.source_path))


def delivery_days(profile: Profile, landing_url: str) -> list[date]:
    """The days that the landing's paths name, in order; days inside records are known only after reading."""
    found = {delivery.delivered_on for delivery in find_deliveries(profile, landing_url)}
    return sorted(day for day in found if day is not None)


def last_day(profile: Profile) -> date:
    """The last delivery day there can be: the profile's, else today in the company's time zone.

    For what starts a run: a mistyped year is refused. What a run computes never asks what day it is.
    """
    return profile.ends_on or audit_time().replace(tzinfo=UTC).astimezone(profile.zone).date()


def days_so_far(profile: Profile) -> Days:
    """The days of all that is delivered; files of days to come wait, unless the profile says where its days end."""
    return None if profile.ends_on else (date.min, last_day(profile))


def misdated(profile: Profile, landing_url: str) -> list[str]:
    """Paths that are nobody's delivery for their day alone: it is none, such as the 30th of February, or is to come.

    Of a local landing only: a remote one is not listed once more for this, nor may it fail what has succeeded.
    """
    if "://" in landing_url or not Path(landing_url).is_dir():
        return []
    days = days_so_far(profile)
    entries = [entry for entry in list_landing(landing_url, _roots(profile)) if not entry.is_folder]
    sources = [source for of_feed in profile.feeds.values() for source in of_feed if source.path is not None]
    claimed, nearly = set(), set()
    for source in sources:
        pattern, loose = compile_pattern(str(source.path)), compile_pattern(any_day(str(source.path)))
        for entry in entries:
            matches, day = pattern.match(entry.path)
            if matches and (days is None or day is None or day <= days[1]):
                claimed.add(entry.path)
            elif loose.match(entry.path)[0]:
                nearly.add(entry.path)
    return sorted(nearly - claimed)


def source_of(profile: Profile, feed: str, source_path: str) -> Source | None:
    """The source of the current profile that a path once delivered belongs to, None when there is none any more."""
    for source in profile.feeds.get(feed, ()):
        if source.path is not None and compile_pattern(source.path).match(source_path)[0]:
            return source
        if source.query is not None and source_path.partition("/")[0] == query_path(source, None):
            return source
    return None


def list_landing(landing_url: str, roots: tuple[str, ...] = ("",)) -> list[Entry]:
    """Every file below the given folders of the landing, and every folder, link or pipe that stands among them.

    Raises ProfileError when the landing is not there or cannot be listed.
    """
    filesystem, root = fsspec.core.url_to_fs(landing_url)
    if isinstance(filesystem, LocalFileSystem):
        return sorted(_local_entries(Path(root), roots), key=lambda entry: entry.path)
    return sorted(_remote_entries(filesystem, root, landing_url, roots), key=lambda entry: entry.path)


def _roots(profile: Profile) -> tuple[str, ...]:
    paths = [source.path for sources in profile.feeds.values() for source in sources if source.path is not None]
    roots = sorted({compile_pattern(path).root for path in paths})
    return tuple(
        root
        for root in roots
        if not any(other != root and (not other or root.startswith(other + "/")) for other in roots)
    )


def _of_source(feed: str, source: Source, profile: Profile, entries: list[Entry], days: Days) -> Iterator[Delivery]:
    if source.path is None:
        yield from _of_query(feed, source, profile, days)
        return
    pattern = compile_pattern(source.path)
    for entry in entries:
        matches, day_in_path = _match(pattern, entry)
        if not matches:
            continue
        day = _delivery_day(source, entry, day_in_path, profile.zone)
        if day is None or days is None or days[0] <= day <= days[1]:
            yield Delivery(feed, source, entry.path, day, entry.state, entry.open, entry.size)


def _match(pattern: PathPattern, entry: Entry) -> tuple[bool, date | None]:
    # A pattern that ends in a wildcard is meant for files: folders it happens to match are no deliveries.
    if entry.is_folder and not pattern.names_files_only:
        return False, None
    return pattern.match(entry.path)


def _delivery_day(source: Source, entry: Entry, day_in_path: date | None, zone: ZoneInfo) -> date | None:
    kind = source.delivered_on.kind
    if kind == "path":
        return day_in_path
    if kind == "fixed":
        return source.delivered_on.day
    if kind == "arrival":
        if entry.modified_at is None:
            raise ProfileError(
                f"delivered_on: arrival of path {source.path}",
                "the landing does not say when its files were written",
                "Put the day into the path, or give it as fixed or column.",
            )
        return entry.modified_at.astimezone(zone).date()
    return None


def _of_query(feed: str, source: Source, profile: Profile, days: Days) -> Iterator[Delivery]:
    if not takes_day(source):
        day = source.delivered_on.day
        if day is None or days is None or days[0] <= day <= days[1]:
            yield Delivery(feed, source, query_path(source, None), day, "", lambda: open_query(source, None))
        return
    first = profile.starts_on if days is None else max(days[0], profile.starts_on)
    ends = [day for day in (profile.ends_on, days[1] if days else None) if day is not None]
    if not ends:
        raise ProfileError(
            f"feeds.{feed}.query", "is asked day by day and the profile has no ends_on", "Ask with --from and --to."
        )
    for offset in range((min(ends) - first).days + 1):
        day = first + timedelta(days=offset)
        yield Delivery(feed, source, query_path(source, day), day, "", _query_opener(source, day))


def _query_opener(source: Source, day: date) -> Opener:
    return lambda: open_query(source, day)


def _refuse_shared_files(deliveries: list[Delivery]) -> None:
    owners: dict[tuple[str, str], Source] = {}
    for delivery in deliveries:
        other = owners.setdefault((delivery.feed, delivery.source_path), delivery.source)
        if other is not delivery.source:
            raise ProfileError(
                f"feeds.{delivery.feed}",
                f"two sources, {other.path!r} and {delivery.source.path!r}, both find {delivery.source_path!r}",
                "Narrow one path: a file fills a feed once.",
            )


def _local_entries(root: Path, roots: tuple[str, ...]) -> Iterator[Entry]:
    if not root.is_dir():
        raise ProfileError(str(root), "is not a folder", "Give the folder of the deliveries with --landing.")
    base = root.resolve()
    for start in roots:
        for folder, folders, names in os.walk(base / start, followlinks=False):
            relative = Path(folder).relative_to(base)
            for name in [*folders, *names]:
                yield _local_entry(base, (relative / name).as_posix())


def _local_entry(base: Path, relative: str) -> Entry:
    path = base / relative
    try:
        facts = path.lstat()
    except OSError:
        facts = None
    modified_at = datetime.fromtimestamp(facts.st_mtime, UTC) if facts else None
    is_folder = facts is not None and stat.S_ISDIR(facts.st_mode)
    # A file name need not be text; its odd bytes are shown as \\x.. so that the ledger can hold it.
    shown = os.fsencode(relative).decode("utf-8", "backslashreplace")
    size = facts.st_size if facts else None
    return Entry(shown, is_folder, modified_at, size, lambda: _open_local(base, path, shown))


@contextmanager
def _open_local(base: Path, path: Path, shown: str) -> Iterator[BinaryIO]:
    if path.parent.resolve() != path.parent or not path.is_relative_to(base):
        raise FileRefusedError("not_a_regular_file", shown, "a folder of its path is a link", "Deliver a real folder.")
    try:
        # Not blocking, so that a pipe without a writer cannot hold the run.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            # We hold too many files; this one is not to blame.
            raise
        raise _refused_open(path, shown, error) from error
    before = os.fstat(handle)
    if not stat.S_ISREG(before.st_mode):
        os.close(handle)
        raise _not_regular(shown)
    with os.fdopen(handle, "rb") as stream:
        yield GuardedStream(stream, "unreadable", shown)
        after = os.fstat(handle)
        if _state(before) != _state(after) or not _is_same_file(path, after):
            raise FileRefusedError(
                "still_being_written", shown, "the file changed while it was read", "It is tried again on the next run."
            )


def _state(facts: os.stat_result) -> tuple[int, int]:
    return facts.st_size, facts.st_mtime_ns


def _is_same_file(path: Path, facts: os.stat_result) -> bool:
    try:
        return path.lstat().st_ino == facts.st_ino
    except OSError:
        return False


def _refused_open(path: Path, shown: str, error: OSError) -> FileRefusedError:
    if path.is_symlink():
        return _not_regular(shown)
    return FileRefusedError("unreadable", shown, f"cannot be opened ({error.strerror})", "Check its rights.")


def _not_regular(shown: str) -> FileRefusedError:
    return FileRefusedError(
        "not_a_regular_file", shown, "is a link, pipe, device or folder", "Deliver the file itself under this name."
    )


def _remote_entries(filesystem: Any, root: str, url: str, roots: tuple[str, ...]) -> Iterator[Entry]:
    root = root.rstrip("/")
    try:
        if not filesystem.exists(root):
            raise ProfileError(url, "is not there", "Give the URL of the deliveries with --landing.")
        for start in roots:
            for path, facts in filesystem.find(f"{root}/{start}".rstrip("/"), detail=True).items():
                yield _remote_entry(filesystem, path, path[len(root) :].lstrip("/"), facts)
    except OSError as error:
        raise ProfileError(url, f"cannot be listed ({error})", "Check the address and your rights.") from error


def _remote_entry(filesystem: Any, path: str, shown: str, facts: dict[str, Any]) -> Entry:
    written = next(
        (facts[key] for key in ("mtime", "modified", "LastModified", "updated", "created") if facts.get(key)), None
    )
    if isinstance(written, (int, float)):
        written = datetime.fromtimestamp(written, UTC)
    modified_at = written if isinstance(written, datetime) else None
    return Entry(shown, False, modified_at, facts.get("size"), lambda: _open_remote(filesystem, path, shown))


@contextmanager
def _open_remote(filesystem: Any, path: str, shown: str) -> Iterator[BinaryIO]:
    before = _remote_size(filesystem, path, shown)
    try:
        stream = filesystem.open(path, "rb")
    except Exception as error:
        raise _failed_source(shown, error) from error
    with stream:
        yield GuardedStream(stream, "source_failed", shown)
    if _remote_size(filesystem, path, shown) != before:
        raise FileRefusedError(
            "still_being_written", shown, "the file changed while it was read", "It is tried again on the next run."
        )


def _remote_size(filesystem: Any, path: str, shown: str) -> int | None:
    try:
        filesystem.invalidate_cache()
        size: int | None = filesystem.info(path).get("size")
    except Exception as error:
        raise _failed_source(shown, error) from error
    return size


def _failed_source(shown: str, error: Exception) -> FileRefusedError:
    # Every remote file system has errors of its own, so all of them are taken.
    return FileRefusedError(
        "source_failed", shown, f"the remote path could not be read ({error})", "It is tried again on the next run."
    )


class GuardedStream(io.BufferedIOBase, BinaryIO):
    """A stream whose read errors are refusals of the file, so that they are told apart from errors of our own disk."""

    def __init__(self, stream: BinaryIO, reason_code: str, shown: str) -> None:
        self._stream = stream
        self._reason_code = reason_code
        self._shown = shown

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._stream.seekable()

    def read(self, size: int | None = -1, /) -> bytes:
        try:
            return self._stream.read(-1 if size is None else size)
        except Exception as error:
            raise FileRefusedError(
                self._reason_code, self._shown, f"reading failed ({error})", "It is tried again on the next run."
            ) from error

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()
