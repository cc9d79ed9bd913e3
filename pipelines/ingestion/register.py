"""What a delivered file does to what is already there: new, known, correction, duplicate, refused.

Every decision depends on what stands for each path and content, never on the order of arrival. Each file is one
transaction: its rows, its quarantine, its ledger row and the stale marks are all there or none is.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import duckdb

from pipelines.errors import FileRefusedError
from pipelines.failpoints import reach
from pipelines.ingestion.cleansing import cleanse
from pipelines.ingestion.erased import ErasedPersons
from pipelines.ingestion.ledger import LOADED, Ledger, LedgerFile, as_duplicate, file_id_of, with_counts, with_released
from pipelines.ingestion.loading import (
    Loaded,
    Reading,
    business_from,
    day_facts,
    insert_rows,
    load,
    quarantine_id,
)
from pipelines.ingestion.marks import Marks
from pipelines.ingestion.releasing import Release, delivered_amount, judge
from pipelines.ops import REFUSALS
from pipelines.settings import audit_time
from pipelines.sources.contracts import contract
from pipelines.sources.landed import Landed, LandedCopies
from pipelines.sources.landing import Delivery, source_of
from pipelines.sources.lookup_files import Lookups, LookupTable
from pipelines.sources.profiles import Profile, Source

# Stands for the content of a file that could not be read, so that it is known by its path alone.
NO_CONTENT = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True)
class Outcome:
    """What became of one delivery: the file's ledger row, whether anything changed, which days, and why not."""

    file: LedgerFile
    is_new: bool
    marks: Marks
    refusal: FileRefusedError | None = None


class Register:
    """Takes deliveries one by one over one connection."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        profile: Profile,
        copies: LandedCopies,
        lookups: Lookups,
        run_id: str | None,
        erased: ErasedPersons,
    ) -> None:
        self._connection = connection
        self._erased = erased
        # From the first erasure on, whatever lands is looked through before it may stay; lookup files never are.
        copies.holds_back = bool(erased)
        self._profile = profile
        self._copies = copies
        self._lookups = lookups
        self._run_id = run_id
        self._ledger = Ledger(connection)

    def take(self, delivery: Delivery) -> Outcome:
        """Land and load one delivery; a file that cannot be trusted is refused and recorded, never raised.

        Raises duckdb.Error or WarehouseError when the warehouse fails; nothing of the file is then in it.
        """
        landed = None
        try:
            landed = self._copies.land(delivery.source_path, delivery.open)
            lookups = self._lookups.of(delivery.source, delivery.delivered_on)
            if self._erased and landed.is_new:
                cleanse(self._copies, landed.content_sha256, self.readings(delivery, landed), self._erased)
            return self._accept(delivery, landed, lookups)
        except FileRefusedError as error:
            if self._erased and landed is not None and landed.is_new:
                # Whom a file speaks of that cannot be read nobody knows.
                self._copies.set_aside(landed.content_sha256)
            return self._refuse(delivery, landed, error)

    def readings(self, delivery: Delivery, landed: Landed) -> list[Reading]:
        """All that the profile reads from a delivered file, this feed's reading and others'."""
        found = []
        for feed in self._profile.feeds:
            source = source_of(self._profile, feed, delivery.source_path)
            if source is not None:
                file = self._candidate(replace(delivery, feed=feed, source=source), landed, {})
                found.append(self.reading(file, source, self._lookups.of(source, delivery.delivered_on)))
        return found

    def _accept(self, delivery: Delivery, landed: Landed, lookups: dict[str, LookupTable]) -> Outcome:
        file = self._candidate(delivery, landed, lookups)
        standing = self._ledger.at_path(file.feed, file.source_path, file.delivered_on)
        outdated = [old for old in standing if old.file_id != file.file_id]
        known = self._ledger.get(file.file_id)
        if known in standing and known.status != "refused" and not outdated and _is_read_alike(known, file):
            return Outcome(known, is_new=False, marks=Marks())
        with self._transaction() as marks:
            freed = [self._supersede(old, file, marks) for old in outdated]
            if known is not None and known.holds_rows:
                self._remove_rows(known, marks)
            self._ledger.put(replace(file, status="duplicate"))
            for content in dict.fromkeys((file.content_sha256, *freed)):
                self._settle(file.feed, content, delivery, lookups, marks)
        stored = self._ledger.get(file.file_id)
        assert stored is not None
        return Outcome(stored, is_new=True, marks=marks)

    def _candidate(self, delivery: Delivery, landed: Landed, lookups: dict[str, LookupTable]) -> LedgerFile:
        file_id = file_id_of(delivery.feed, delivery.source_path, landed.content_sha256)
        feed = contract(delivery.feed)
        file = LedgerFile(
            file_id=file_id,
            feed=delivery.feed,
            source_path=delivery.source_path,
            delivered_on=delivery.delivered_on,
            content_sha256=landed.content_sha256,
            delivered_bytes=landed.delivered_bytes,
            status="duplicate",
            contract_version=feed.version,
            mapping_digest=mapping_digest(delivery.feed, delivery.source, self._profile, lookups),
        )
        known = self._ledger.get(file_id)
        if known is not None and delivery.source.delivered_on.kind == "arrival" and _is_read_alike(known, file):
            # The same bytes under the same name, written again later, tell nothing new.
            return replace(file, delivered_on=known.delivered_on)
        return file

    # ------------------------------------------------------------------------------------------------- transitions

    def _settle(
        self, feed: str, content: str, delivery: Delivery, lookups: dict[str, LookupTable], marks: Marks
    ) -> None:
        """Let the earliest of the files with this content own it, and the others be its duplicates.

        Equal bytes that the profile reads in different ways, such as for another shop, do not say the same.
        """
        alike: dict[str, list[LedgerFile]] = {}
        for holder in sorted(self._ledger.with_content(feed, content), key=lambda file: file.order):
            source = delivery.source
            if holder.source_path != delivery.source_path:
                source = source_of(self._profile, feed, holder.source_path) or source
            alone = holder.file_id if source.identical_files == "keep" else ""
            alike.setdefault(alone + source.model_dump_json(exclude={"path"}), []).append(holder)
        for owner, *others in alike.values():
            self._own(owner, others, delivery, lookups, marks)

    def _own(
        self,
        owner: LedgerFile,
        others: list[LedgerFile],
        delivery: Delivery,
        lookups: dict[str, LookupTable],
        marks: Marks,
    ) -> None:
        if owner.holds_rows:  # then what is its duplicate stays so: equal files may be many, such as empty ones
            others = [other for other in others if other.duplicate_of != owner.file_id]
        for other in others:
            if other.holds_rows:
                self._remove_rows(other, marks)
            self._forget_quarantine(other.file_id)
        if not owner.holds_rows:
            owner = self._load(owner, delivery, lookups, marks)
        for other in others:
            self._ledger.put(as_duplicate(other, owner))

    def _load(self, file: LedgerFile, delivery: Delivery, lookups: dict[str, LookupTable], marks: Marks) -> LedgerFile:
        source = delivery.source
        if file.source_path != delivery.source_path:
            # A duplicate whose owner went away: it is read from its landed copy, as the profile now says.
            found = source_of(self._profile, file.feed, file.source_path)
            if found is None:
                return file
            source, lookups = found, self._lookups.of(found, file.delivered_on)
        return self._read(file, self.reading(file, source, lookups), marks)

    def _read(self, file: LedgerFile, reading: Reading, marks: Marks) -> LedgerFile:
        """Read the whole file into its table; what was released from its quarantine before is let in again."""
        released = self._released(file.file_id) if self._ledger.is_stored(file.file_id) else []
        if self._ledger.is_stored(file.file_id):
            self._forget_quarantine(file.file_id)
        loaded = load(self._connection, reading)
        marks.add(file.feed, loaded.touched, loaded.loaded)
        digest = mapping_digest(file.feed, reading.source, self._profile, reading.lookups)
        file = self._ledger.put(with_counts(file, loaded, digest, reading.feed.version))
        _mark_refusals(file, marks)
        if released:
            self._let_in(file, reading, released, marks)
            file = self._ledger.get(file.file_id) or file
        return file

    def _released(self, file_id: str) -> list[Release]:
        rows = self._connection.execute(
            "select quarantine_id, record_no, mended_text, released_by from ops.quarantine "
            "where file_id = ? and status = 'released'",
            [file_id],
        ).fetchall()
        return [Release(*row) for row in rows]

    def reading(self, file: LedgerFile, source: Source, lookups: dict[str, LookupTable]) -> Reading:
        """How a file of the ledger is read under the current contract and profile."""
        return Reading(
            file_id=file.file_id,
            feed=contract(file.feed),
            source=source,
            profile=self._profile,
            path=self._copies.path_of(file.content_sha256),
            source_path=file.source_path,
            delivered_on=file.delivered_on,
            lookups=lookups,
            erased=self._erased,
        )

    def release(self, file_id: str, releases: list[Release]) -> dict[str, str]:
        """Let refused records of one loaded file in, in one transaction; {quarantine id: why it stays}.

        A file that would now be read differently is read anew first, which lets in whatever passes.
        """
        file = self._ledger.get(file_id)
        source = source_of(self._profile, file.feed, file.source_path) if file is not None else None
        if file is None or not file.holds_rows or source is None:
            why = "Its file is not loaded, or its source is no longer in the profile."
            return {each.quarantine_id: why for each in releases}
        try:
            lookups = self._lookups.of(source, file.delivered_on)
            reading = self.reading(file, source, lookups)
            with self._transaction() as marks:
                if file.mapping_digest != mapping_digest(file.feed, source, self._profile, lookups):
                    self._remove_rows(file, marks)
                    file = self._read(file, reading, marks)
                return self._let_in(file, reading, releases, marks)
        except FileRefusedError as error:
            return {each.quarantine_id: f"{error.cause}. {error.remedy}" for each in releases}

    def _let_in(self, file: LedgerFile, reading: Reading, releases: list[Release], marks: Marks) -> dict[str, str]:
        still_open = self._open_records(file.file_id)
        releases = [each for each in releases if each.quarantine_id in still_open]
        if not releases:
            return {}
        judged = judge(self._connection, reading, releases)
        loaded = Loaded()
        for rows in judged.rows:
            insert_rows(self._connection, reading, rows, loaded)
        marks.add(file.feed, loaded.touched, loaded.loaded)
        released = [each for each in releases if each.record_no not in judged.refused]
        delivered = delivered_amount(reading, {each.record_no for each in released})
        for each in released:
            self._connection.execute(
                "update ops.quarantine set status = 'released', mended_text = ?, released_at = ?, released_by = ? "
                "where quarantine_id = ?",
                [each.text, audit_time(), each.released_by, each.quarantine_id],
            )
        self._ledger.put(with_released(file, loaded, delivered))
        return {each.quarantine_id: judged.refused[each.record_no] for each in releases if each not in released}

    def _open_records(self, file_id: str) -> set[str]:
        rows = self._connection.execute(
            "select quarantine_id from ops.quarantine where file_id = ? and status = 'open'", [file_id]
        ).fetchall()
        return {row[0] for row in rows}

    def _supersede(self, old: LedgerFile, new: LedgerFile, marks: Marks) -> str:
        """Take back what an older content of the same path and day brought; return the content it held."""
        if old.holds_rows:
            self._remove_rows(old, marks)
        _mark_refusals(old, marks)
        self._connection.execute(
            "update ops.quarantine set status = 'superseded' where file_id = ? and status = 'open'", [old.file_id]
        )
        self._ledger.put(replace(old, status="superseded", superseded_by=new.file_id, duplicate_of=None))
        return old.content_sha256

    def _remove_rows(self, file: LedgerFile, marks: Marks) -> None:
        feed = contract(file.feed)
        condition = f"_file_id = '{file.file_id}'"
        facts = day_facts(self._connection.table(feed.table).filter(condition), feed)
        self._connection.execute(f"delete from {feed.table} where {condition}")
        touched = {day.delivered_on: business_from(day, self._profile) for day in facts}
        marks.add(file.feed, touched, 0)
        self._ledger.put(replace(file, status="duplicate"))

    def _forget_quarantine(self, file_id: str) -> None:
        self._connection.execute("delete from ops.quarantine where file_id = ?", [file_id])

    # ----------------------------------------------------------------------------------------------------- refusal

    def _refuse(self, delivery: Delivery, landed: Landed | None, error: FileRefusedError) -> Outcome:
        """Record that a file was refused. What an earlier content of its path brought stays until a sound one comes."""
        content = landed.content_sha256 if landed else NO_CONTENT
        feed = contract(delivery.feed)
        file = LedgerFile(
            file_id=file_id_of(delivery.feed, delivery.source_path, content),
            feed=delivery.feed,
            source_path=delivery.source_path,
            delivered_on=delivery.delivered_on,
            content_sha256=content,
            delivered_bytes=landed.delivered_bytes if landed else _bytes_of_refused(delivery, error),
            status="refused",
            reason_code=error.reason_code,
            # The ledger is published and logged; a cause may quote the file, such as a first line that is no header.
            message=REFUSALS[error.reason_code],
            contract_version=feed.version,
            mapping_digest=mapping_digest(delivery.feed, delivery.source, self._profile, {}),
        )
        known = self._ledger.get(file.file_id)
        if known is not None and known.status in (*LOADED, "duplicate"):
            # Read before under a mapping that could be used; that reading stays, and says that it is not renewed.
            file = replace(known, reason_code=file.reason_code, message=file.message)
        if known is not None and replace(known, run_id=None, ingested_at=None) == replace(
            file, run_id=None, ingested_at=None
        ):
            return Outcome(known, is_new=False, marks=Marks(), refusal=error)
        with self._transaction() as marks:
            self._ledger.put(file)
            if file.status == "refused":
                self._forget_quarantine(file.file_id)
                cause = file.message if self._erased else f"{error.cause}. {error.remedy}"
                self._quarantine_whole(file, f"{delivery.source_path}: {cause}")
        return Outcome(file, is_new=True, marks=marks, refusal=error)

    def _quarantine_whole(self, file: LedgerFile, message: str) -> None:
        self._connection.execute(
            "insert into ops.quarantine by name select ? as quarantine_id, ? as file_id, ? as feed, "
            "?::date as delivered_on, ? as reason_code, ? as message, 'open' as status",
            [
                quarantine_id(file.file_id, None),
                file.file_id,
                file.feed,
                file.delivered_on,
                file.reason_code,
                message,
            ],
        )

    @contextmanager
    def _transaction(self) -> Iterator[Marks]:
        """One transaction over rows, ledger and marks; the ledger in memory follows what was committed."""
        marks = Marks()
        self._connection.begin()
        try:
            yield marks
            self._ledger.write(self._connection, self._run_id, audit_time())
            marks.write(self._connection, self._run_id)
            reach("ingest.before_commit")
            self._connection.commit()
        except BaseException:
            self._connection.rollback()
            self._ledger.undo()
            raise
        self._ledger.written()
        reach("ingest.after_commit")


def mapping_digest(feed: str, source: Source, profile: Profile, lookups: dict[str, LookupTable]) -> str:
    """What decides how a file is read, as 16 hex digits: contract, source, company time zone, content of lookups."""
    parts = {
        "contract": contract(feed).model_dump(mode="json"),
        "source": source.model_dump(mode="json"),
        "time_zone": profile.time_zone,
        "lookups": {name: lookup.content_sha256 for name, lookup in lookups.items()},
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _mark_refusals(file: LedgerFile, marks: Marks) -> None:
    """What was refused on a day is known of it too (KPI DAT-02), also where no row came of the file."""
    if file.records_quarantined and file.delivered_on is not None:
        marks.add(file.feed, {file.delivered_on: file.delivered_on}, 0)


def _bytes_of_refused(delivery: Delivery, error: FileRefusedError) -> int:
    """What is remembered of a file that left no copy: its size, unless it may be read as it is another time."""
    return 0 if error.reason_code == "unreadable" else delivery.size or 0


def _is_read_alike(known: LedgerFile, file: LedgerFile) -> bool:
    return known.mapping_digest == file.mapping_digest and known.contract_version == file.contract_version
