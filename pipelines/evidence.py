"""What the evidence tables say of deliveries and checks: findings for the doctor, figures for the assets' metadata.

Reads only; each function needs its arguments alone. Whether data is good enough to publish is decided by the gate.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

import duckdb

from pipelines.findings import Finding, by_name, counted, listed
from pipelines.ingestion.register import mapping_digest
from pipelines.sources.contracts import contract
from pipelines.sources.landing import source_of
from pipelines.sources.profiles import Profile

SILENT_DAYS = 2
QUARANTINE_RATE = 0.01
LOADED = "('loaded', 'loaded_with_quarantine')"
NEXT_RUN = "The next run takes it up; run one day to do it now."


@dataclass
class Account:
    """One feed on one delivery day: whether its books balance, what was refused and why, how old its news is.

    Amounts are the contract's control amount in transaction currency, None where the feed has none; `set_aside` are
    those of duplicates and of refused records whose amount could be read. `newest_business_day` is that of the newest
    record loaded.
    """

    seen: int = 0
    record_gap: int = 0
    amount_seen: Decimal | None = None
    amount_loaded: Decimal | None = None
    amount_set_aside: Decimal | None = None
    refused: dict[str, int] = field(default_factory=dict)
    newest_business_day: date | None = None

    @property
    def amount_gap(self) -> Decimal:
        """What was seen and is neither loaded nor set aside."""
        return (self.amount_seen or Decimal(0)) - (self.amount_loaded or Decimal(0)) - (self.amount_set_aside or 0)

    @property
    def is_balanced(self) -> bool:
        return self.record_gap == 0 and self.amount_gap == 0

    @property
    def quarantine_rate(self) -> float:
        return sum(self.refused.values()) / self.seen if self.seen else 0.0


BOOKS = f"""
    select delivered_on, sum(records_seen),
        sum(records_seen - records_loaded - records_duplicate - records_quarantined - records_filtered),
        sum(amount_seen), sum(amount_loaded), sum(coalesce(amount_duplicate, 0) + coalesce(amount_quarantined, 0))
    from ops.files where feed = $feed and list_contains($days, delivered_on) and status in {LOADED} group by all
"""
REFUSED = """
    select delivered_on, reason_code, count(*) from ops.quarantine
    where feed = $feed and list_contains($days, delivered_on) and status = 'open' and record_no is not null
    group by all order by 3 desc, 2
"""


def accounts(connection: duckdb.DuckDBPyConnection, feed: str, days: Sequence[date]) -> dict[date, Account]:
    """The feed's days as ledger, quarantine and raw table have them.

    Of files whose records carry their own days the ledger has no count per day; they are left out of the books.
    """
    about = {"feed": feed, "days": list(days)}
    found = {day: Account() for day in days}
    for day, seen, gap, *amounts in connection.execute(BOOKS, about).fetchall():
        found[day].seen, found[day].record_gap = int(seen), int(gap)
        found[day].amount_seen, found[day].amount_loaded, found[day].amount_set_aside = amounts
    for day, reason, count in connection.execute(REFUSED, about).fetchall():
        found[day].refused[reason] = count
    table, moment = contract(feed).table, contract(feed).business_time
    if moment is not None:
        newest = f"""
            select _delivered_on, max("{moment}")::date from {table}
            where list_contains($days, _delivered_on) group by all
        """
        for day, happened in connection.execute(newest, {"days": list(days)}).fetchall():
            found[day].newest_business_day = happened
    return found


# ---------------------------------------------------------------- findings


def findings(connection: duckdb.DuckDBPyConnection, profile: Profile | None, today: date) -> Iterator[Finding]:
    """Every finding of the evidence tables, in the order it should be looked at."""
    yield from pending(connection)
    if profile is not None:
        yield from readings(connection, profile)
    yield from deliveries(connection, profile, today)
    yield from quarantine(connection)
    yield from reconciliation(connection, profile)
    yield from checks(connection)
    yield from erasures(connection)


def erasures(connection: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
    """Whether every erasure that was begun was finished."""
    (counts,) = connection.execute("select count(*), count(completed_at) from ops.erasures").fetchall()
    if counts[0] > counts[1]:
        remedy = "Some bytes of the person may be left: run `opscope erase` with the same number again."
        yield Finding("erasures", "fail", f"{counts[0] - counts[1]} of {counts[0]} not finished", remedy)
    else:
        yield Finding("erasures", "ok", f"{counts[0]} finished")


def pending(connection: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
    """Work that the next run has to do."""
    rows = connection.execute("select feed, count(*) from ops.stale_days group by feed order by feed").fetchall()
    days = connection.execute(
        "select stage, count(*) from ops.as_of_days where is_stale group by stage order by stage"
    ).fetchall()
    waiting = [f"{counted(count, 'delivery day')} of {feed}" for feed, count in rows]
    waiting += [f"{counted(count, 'as-of day')} of {stage}" for stage, count in days]
    if waiting:
        yield Finding("pending work", "warn", listed(waiting), NEXT_RUN)
    else:
        yield Finding("pending work", "ok", "none")


def readings(connection: duckdb.DuckDBPyConnection, profile: Profile) -> Iterator[Finding]:
    """Loaded files that today's profile or contract would read in another way, such as in another time zone.

    Sources with lookups are left out: what they hold today is only known once they are read.
    """
    files = connection.execute(
        f"select feed, source_path, mapping_digest from ops.files where status in {LOADED}"
    ).fetchall()
    digests: dict[str, str] = {}
    outdated: dict[str, int] = {}
    for feed, path, read_with in files:
        source = source_of(profile, feed, path)
        if source is None or source.lookups:
            continue
        asked = f"{feed} {source.path or source.query}"
        if asked not in digests:
            digests[asked] = mapping_digest(feed, source, profile, {})
        if digests[asked] != read_with:
            outdated[feed] = outdated.get(feed, 0) + 1
    if outdated:
        detail = "read before the profile, its time zone or the contract changed: " + listed(
            [f"{counted(count, 'file')} of {feed}" for feed, count in sorted(outdated.items())]
        )
        yield Finding(
            "readings", "warn", detail, f"To read them anew: {run_all_days(profile, newest_delivery(connection))}."
        )
    else:
        yield Finding("readings", "ok", "as the profile reads today")


def run_all_days(profile: Profile | None, newest: date | None) -> str:
    """The command that loads every delivery day and computes each as of itself."""
    first = profile.starts_on if profile else "FIRST_DAY"
    last = newest or (profile.ends_on if profile else None) or "NEWEST_DAY"
    return f"`opscope run --from {first} --to {last}`"


def newest_delivery(connection: duckdb.DuckDBPyConnection) -> date | None:
    """The newest delivery day in the ledger."""
    row = connection.execute("select max(delivered_on) from ops.files").fetchone()
    return row[0] if row else None


def deliveries(connection: duckdb.DuckDBPyConnection, profile: Profile | None, today: date) -> Iterator[Finding]:
    """How fresh each feed is, and which files were refused."""
    last = dict(
        connection.execute(
            "select feed, max(delivered_on) from ops.files where status <> 'refused' group by feed order by feed"
        ).fetchall()
    )
    newest = max((day for day in last.values() if day is not None), default=None)
    expected = today if profile is None or profile.ends_on is None else min(today, profile.ends_on)
    if newest is None:
        yield Finding("deliveries", "warn", "no dated file came yet", "Run `opscope run`.")
    elif expected - newest > timedelta(days=SILENT_DAYS):
        detail = f"the last is of {newest}, {(expected - newest).days} days before {expected}"
        yield Finding("deliveries", "warn", detail, "Ask the sender, or check --landing and the profile's paths.")
    else:
        yield Finding("deliveries", "ok", f"the last is of {newest}")
    if newest is not None:
        yield Finding("freshness", "ok", ", ".join(_ages(connection, last, newest)))
    never = sorted(set(profile.feeds) - set(last)) if profile else []
    if never:
        remedy = "See `opscope profile check`, or take the feeds out of the profile."
        yield Finding("feeds", "warn", f"never delivered: {listed(never)}", remedy)
    refused = connection.execute(
        "select source_path || ' (' || coalesce(reason_code, '') || ')' from ops.files where status = 'refused' "
        "order by delivered_on desc, source_path"
    ).fetchall()
    if refused:
        detail = f"{len(refused)}: {listed([path for (path,) in refused])}"
        yield Finding("refused files", "warn", detail, "See `opscope quarantine list`; have them sent again.")
    else:
        yield Finding("refused files", "ok", "none")


def _ages(connection: duckdb.DuckDBPyConnection, last: dict[str, date | None], newest: date) -> Iterator[str]:
    """Per feed its last delivery day, where that is not the newest of all, and how far its newest record lags it."""
    for feed, delivered_on in last.items():
        if delivered_on is None:
            yield f"{feed} by record"
            continue
        happened = accounts(connection, feed, [delivered_on])[delivered_on].newest_business_day
        lag = f", lag {(delivered_on - happened).days} d" if happened else ""
        yield f"{feed} {delivered_on if delivered_on != newest else 'newest'}{lag}"


def quarantine(connection: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
    """The share of records refused, and why."""
    row = connection.execute("select sum(records_seen) from ops.files where status <> 'superseded'").fetchone()
    reasons = connection.execute(
        "select reason_code, count(*) from ops.quarantine where status = 'open' and record_no is not null "
        "group by reason_code order by 2 desc, 1"
    ).fetchall()
    seen, refused = int(row[0] or 0) if row else 0, sum(count for _, count in reasons)
    rate = refused / seen if seen else 0.0
    detail = f"{refused:,} of {seen:,} records ({rate:.2%})"
    if reasons:
        detail += ": " + listed([f"{reason} {count:,} ({count / seen:.2%})" for reason, count in reasons])
    if rate > QUARANTINE_RATE:
        yield Finding("quarantine", "warn", detail, "Look at `opscope quarantine list`; release what is mended.")
    else:
        yield Finding("quarantine", "ok", detail)


def reconciliation(connection: duckdb.DuckDBPyConnection, profile: Profile | None) -> Iterator[Finding]:
    """Whether every record and all money is accounted for, file by file and against the raw tables."""
    gaps = connection.execute(
        f"""
        select source_path from ops.files
        where status in {LOADED} and (
            records_seen <> records_loaded + records_duplicate + records_quarantined + records_filtered
            or amount_seen <> coalesce(amount_loaded, 0) + coalesce(amount_duplicate, 0)
                + coalesce(amount_quarantined, 0)
        )
        order by source_path
        """
    ).fetchall()
    wrong = [f"{path} does not add up" for (path,) in gaps]
    ledger = connection.execute(
        f"select feed, sum(records_loaded), sum(amount_loaded) from ops.files where status in {LOADED} "
        "group by feed order by feed"
    ).fetchall()
    for feed, loaded, amount in ledger:
        control = contract(feed).control_amount or "null"
        (rows, money) = connection.execute(f'select count(*), sum({control}) from raw."{feed}"').fetchall()[0]
        if rows != loaded:
            wrong.append(f"raw.{feed} has {rows:,} rows, the ledger {loaded:,}")
        if (money or 0) != (amount or 0):
            wrong.append(f"raw.{feed} adds up to {money or 0:,.2f}, the ledger to {amount or 0:,.2f}")
    if wrong:
        remedy = (
            f"Keep the warehouse for a report, move it away, then {run_all_days(profile, newest_delivery(connection))}."
        )
        yield Finding("reconciliation", "fail", listed(wrong), remedy)
        return
    totals = connection.execute(
        f"""
        select sum(records_seen), sum(records_loaded), sum(records_duplicate), sum(records_quarantined),
            sum(records_filtered)
        from ops.files where status in {LOADED}
        """
    ).fetchone()
    seen, *parts = [int(total or 0) for total in totals or (0,) * 5]
    named = zip(("loaded", "duplicate", "quarantined", "filtered"), parts, strict=True)
    detail = f"{seen:,} seen = " + " + ".join(f"{count:,} {name}" for name, count in named)
    yield Finding("reconciliation", "ok", detail + "; amounts too, to the last digit")


def checks(connection: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
    """The stored outcomes of all checks; equal ones of several days are one."""
    rows = connection.execute(
        "select asset || '.' || check_name, partition_on, is_blocking from ops.check_results where not passed"
    ).fetchall()
    (total, newest) = connection.execute("select count(*), max(checked_at) from ops.check_results").fetchall()[0]
    blocking = by_name((name, day) for name, day, is_blocking in rows if is_blocking)
    warning = by_name((name, day) for name, day, is_blocking in rows if not is_blocking)
    if not total:
        yield Finding("checks", "warn", "none ran yet", "Run `opscope run`.")
    elif blocking:
        remedy = "Nothing is published until they pass; the check report says what was observed."
        yield Finding(
            "checks", "fail", f"{counted(len(blocking), 'blocking check')} failed: {listed(blocking)}", remedy
        )
    elif warning:
        detail = f"{counted(len(warning), 'warning')}: {listed(warning)}"
        yield Finding("checks", "warn", detail, "See the check report.")
    else:
        yield Finding("checks", "ok", f"{total:,} outcomes, all passed, the last at {newest:%Y-%m-%d %H:%M} UTC")
