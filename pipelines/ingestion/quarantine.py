"""The quarantine: refused records, to be looked at and let in once they can be. Refusing is done in `loading`.

A record is let in under the current contract and profile, as it was delivered or with a mended text; the delivered
text and the mended one both stay in the quarantine row.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import duckdb

from pipelines.errors import OpscopeError
from pipelines.ingestion.erased import ErasedPersons
from pipelines.ingestion.register import Register
from pipelines.ingestion.releasing import Release
from pipelines.ops import REASONS, REFUSALS, prepare
from pipelines.resources import Warehouse
from pipelines.settings import Settings
from pipelines.sources.contracts import contracts
from pipelines.sources.landed import LandedCopies
from pipelines.sources.lookup_files import Lookups
from pipelines.sources.profiles import Profile

SELECTION = """
    select
        q.quarantine_id, q.feed, coalesce(q.delivered_on, f.delivered_on), f.source_path, q.record_no, q.byte_offset,
        q.reason_code, q.column_name, q.message, q.raw_text, q.mended_text, q.status, q.released_by, q.file_id,
        f.content_sha256
    from ops.quarantine as q
    join ops.files as f using (file_id)
"""


@dataclass(frozen=True)
class Quarantined:
    """One refused record, or one refused file (`record_no` None), as it stands in ops.quarantine."""

    quarantine_id: str
    feed: str
    delivered_on: date | None
    source_path: str
    record_no: int | None
    byte_offset: int | None
    reason_code: str
    column_name: str | None
    message: str
    raw_text: str | None
    mended_text: str | None
    status: str
    released_by: str | None
    file_id: str
    content_sha256: str


@dataclass(frozen=True)
class Decision:
    """What releasing one record came to; `message` says why it stays."""

    quarantine_id: str
    is_released: bool
    message: str


def list_quarantine(
    warehouse: Warehouse,
    *,
    feed: str | None = None,
    reason: str | None = None,
    status: str | None = "open",
    limit: int | None = None,
) -> list[Quarantined]:
    """Refused records and files, newest delivery day first; `status` None gives released and superseded ones too.

    Raises OpscopeError when there is no such feed or reason.
    """
    if feed is not None:
        _require_known("feed", feed, [each.feed for each in contracts()])
    if reason is not None:
        _require_known("reason", reason, [*REASONS, *REFUSALS])
    with warehouse.read() as connection:
        rows = connection.execute(
            f"""
            {SELECTION}
            where ($feed is null or q.feed = $feed) and ($reason is null or q.reason_code = $reason)
                and ($status is null or q.status = $status)
            order by 3 desc nulls last, q.feed, f.source_path, q.record_no
            limit $limit
            """,
            {"feed": feed, "reason": reason, "status": status, "limit": limit if limit is not None else 2**62},
        ).fetchall()
    return [Quarantined(*row) for row in rows]


def _require_known(what: str, given: str, known: Iterable[str]) -> None:
    names = sorted(known)
    if given not in names:
        raise OpscopeError(f"{what} {given!r}", "is unknown", f"Give one of: {', '.join(names)}.")


def show(warehouse: Warehouse, quarantine_id: str) -> Quarantined:
    """One record by its id or the beginning of it.

    Raises OpscopeError when there is none, or more than one begins like this.
    """
    with warehouse.read() as connection:
        return _one(connection, quarantine_id)


def _one(connection: duckdb.DuckDBPyConnection, quarantine_id: str) -> Quarantined:
    rows = connection.execute(f"{SELECTION} where starts_with(q.quarantine_id, ?)", [quarantine_id]).fetchall()
    if len(rows) != 1:
        found = "no record has" if not rows else f"{len(rows)} records have"
        raise OpscopeError(
            f"quarantine id {quarantine_id!r}", f"{found} it", "Take the id from `opscope quarantine list`."
        )
    return Quarantined(*rows[0])


def release(
    settings: Settings,
    profile: Profile,
    warehouse: Warehouse,
    *,
    ids: Sequence[str] = (),
    reason: str | None = None,
    everything: bool = False,
    text: str | None = None,
    released_by: str = "command line",
    run_id: str | None = None,
) -> list[Decision]:
    """Read refused records again and let in those that now pass; the others stay and say why.

    A file whose source or contract changed since it was read is read anew as a whole. Otherwise the records are judged
    one by one; of two records with the same key, one may be let in when the other is not.

    Args:
        settings: where landing and landed copies are.
        profile: the company as it is now.
        warehouse: rows, ledger and quarantine change in one transaction per file.
        ids: ids, or beginnings of ids.
        reason: take all open records with this reason code.
        everything: take all open records.
        text: a mended record that replaces the delivered text, as a line of the same format (JSON for formats without
            lines); needs exactly one id.
        released_by: recorded with the release.
        run_id: recorded with the files.

    Raises:
        OpscopeError: nothing is selected, an id or the reason is unknown, or a text comes with other than one id.
    """
    if text is not None and (len(ids) != 1 or reason or everything):
        raise OpscopeError("text", "is given for other than one record", "Name the one record that it mends.")
    if not ids and reason is None and not everything:
        raise OpscopeError("quarantine release", "nothing is selected", "Give ids, --reason or --all.")
    if reason is not None:
        _require_known("reason", reason, REASONS)
    copies = LandedCopies(settings.landed_path)
    with warehouse.write() as connection:
        prepare(connection, profile)
        chosen = _chosen(connection, ids, reason, everything)
        erased = ErasedPersons.load(settings.erased_path)
        register = Register(connection, profile, copies, Lookups(copies, settings.landing_url), run_id, erased)
        by_file: dict[str, list[Quarantined]] = {}
        for record in chosen:
            by_file.setdefault(record.file_id, []).append(record)
        decisions = []
        for file_id, records in by_file.items():
            releases = [
                Release(record.quarantine_id, record.record_no, text, released_by)
                for record in records
                if record.record_no is not None
            ]
            outcome = register.release(file_id, releases)
            decisions += [Decision(each.quarantine_id, *_verdict(each, outcome)) for each in records]
    copies.clean()
    return decisions


def _chosen(
    connection: duckdb.DuckDBPyConnection, ids: Sequence[str], reason: str | None, everything: bool
) -> list[Quarantined]:
    if ids:
        return [_one(connection, each) for each in ids]
    condition = "q.status = 'open' and q.record_no is not null and ($everything or q.reason_code = $reason)"
    rows = connection.execute(
        f"{SELECTION} where {condition} order by q.file_id, q.record_no", {"everything": everything, "reason": reason}
    ).fetchall()
    return [Quarantined(*row) for row in rows]


def _verdict(record: Quarantined, refused: dict[str, str]) -> tuple[bool, str]:
    if record.record_no is None:
        return False, "The whole file was refused; have it sent again, then run its day."
    if record.status != "open":
        return False, f"It is {record.status} already."
    if record.quarantine_id in refused:
        return False, refused[record.quarantine_id]
    return True, "joins its delivery day with the next run"
