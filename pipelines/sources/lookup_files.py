"""Lookup files: a second file that enriches each record. Landed like deliveries, read whole, kept while a run lasts."""

from dataclasses import dataclass
from datetime import date

import pyarrow as pa

from pipelines.errors import FileRefusedError
from pipelines.sources.formats import read_records
from pipelines.sources.landed import LandedCopies
from pipelines.sources.landing import Entry, list_landing
from pipelines.sources.patterns import compile_pattern
from pipelines.sources.profiles import Lookup, Source


@dataclass(frozen=True)
class LookupTable:
    """The records of one lookup file and the hash of its content."""

    records: pa.Table
    content_sha256: str


class Lookups:
    """The lookup files of a run, each found, landed and read once."""

    def __init__(self, copies: LandedCopies, landing_url: str) -> None:
        self._copies = copies
        self._landing_url = landing_url
        self._read: dict[tuple[str, str, date | None], LookupTable] = {}

    def of(self, source: Source, delivered_on: date | None) -> dict[str, LookupTable]:
        """The lookups of one source, by their name in the profile.

        A lookup whose path names a day is taken from the delivery's own day. Raises FileRefusedError (lookup_failed).
        """
        return {name: self._table(lookup, delivered_on) for name, lookup in source.lookups.items()}

    def _table(self, lookup: Lookup, delivered_on: date | None) -> LookupTable:
        key = (lookup.path, lookup.model_dump_json(), delivered_on if "{" in lookup.path else None)
        if key not in self._read:
            try:
                self._read[key] = self._load(lookup, delivered_on)
            except FileRefusedError as error:
                if error.reason_code == "lookup_failed":
                    raise
                raise _failed(lookup.path, f"the lookup cannot be used: {error.cause}", error.remedy) from error
        return self._read[key]

    def _load(self, lookup: Lookup, delivered_on: date | None) -> LookupTable:
        entry = self._find(lookup, delivered_on)
        landed = self._copies.land(entry.path, entry.open)
        tables = []
        for chunk in read_records(landed.path, lookup, set(lookup.key), lookup.path):
            if chunk.rejects:
                first = chunk.rejects[0]
                raise _failed(lookup.path, f"record {first.record_no} of the lookup is not sound: {first.message}")
            tables.append(chunk.records)
        if not tables:
            raise _failed(lookup.path, "the lookup has no records")
        return LookupTable(pa.concat_tables(tables, promote_options="permissive"), landed.content_sha256)

    def _find(self, lookup: Lookup, delivered_on: date | None) -> Entry:
        pattern = compile_pattern(lookup.path)
        found = []
        for entry in list_landing(self._landing_url, (pattern.root,)):
            matches, day = pattern.match(entry.path)
            if matches and day in (None, delivered_on):
                found.append(entry)
        if len(found) != 1:
            raise _failed(lookup.path, f"{len(found)} files match the lookup's path instead of one")
        return found[0]


def _failed(path: str, cause: str, remedy: str = "Deliver the lookup file whole.") -> FileRefusedError:
    return FileRefusedError("lookup_failed", path, cause, f"{remedy} The feed is read again then.")
