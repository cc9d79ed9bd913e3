"""The one way in: finds what was delivered and takes it file by file. What a file means is decided in `register`."""

from collections.abc import Callable
from datetime import date

import duckdb

from pipelines.ingestion.erased import ErasedPersons
from pipelines.ingestion.register import Outcome, Register
from pipelines.ingestion.report import FeedDay, IngestReport, RefusedFile
from pipelines.ops import prepare
from pipelines.resources import Warehouse
from pipelines.settings import Settings
from pipelines.sources.contracts import contract
from pipelines.sources.landed import LandedCopies
from pipelines.sources.landing import Days, find_deliveries
from pipelines.sources.lookup_files import Lookups
from pipelines.sources.profiles import Profile

Progress = Callable[[str, int, int], None]


def ingest(
    settings: Settings,
    profile: Profile,
    warehouse: Warehouse,
    days: Days,
    *,
    run_id: str | None = None,
    progress: Progress | None = None,
) -> IngestReport:
    """Load every delivery of the days (first and last, both included), or all there are.

    Files that are already in, read the same way, change nothing. A file that cannot be trusted is refused and reported;
    the others go on. A crash at any point leaves whole files only, and the next call does the rest.

    Args:
        settings: where the landing and the warehouse are.
        profile: the company.
        warehouse: written over one connection, one transaction per file.
        days: the delivery days; None takes all. Files whose records carry the day are always looked at.
        run_id: recorded with every file.
        progress: called with (what, done, total) after every file.

    Raises:
        ProfileError: the landing is not there, or the profile cannot be applied to it.
        WarehouseError: the warehouse cannot be opened.
        duckdb.Error: the warehouse failed; files taken before stay.
    """
    deliveries = find_deliveries(profile, settings.landing_url, days)
    copies = LandedCopies(settings.landed_path)
    report = IngestReport()
    with warehouse.write() as connection:
        prepare(connection, profile)
        # A checkpoint every 16 MB of log, the default, would cost more than the commits themselves.
        connection.execute("set checkpoint_threshold = '256MB'")
        # With two threads each fills half a row group, nothing goes straight to the file, and all is written twice.
        connection.execute("set threads = 1")
        # Full row groups go to the file at once, while the next records are read, and not all together at the commit.
        connection.execute("set write_buffer_row_group_count = 1")
        copies.clean()
        erased = ErasedPersons.load(settings.erased_path)
        register = Register(connection, profile, copies, Lookups(copies, settings.landing_url), run_id, erased)
        for number, delivery in enumerate(deliveries, start=1):
            _note(report, register.take(delivery))
            if progress is not None:
                progress("ingest", number, len(deliveries))
        copies.clean()
        for feed in profile.feeds:
            report.days |= feed_days(connection, feed, days, report.changed)
    return report


def _note(report: IngestReport, outcome: Outcome) -> None:
    report.files_read += outcome.is_new
    report.files_unchanged += not outcome.is_new
    report.records_loaded += outcome.marks.rows_added
    report.changed |= outcome.marks.changed
    if outcome.refusal is not None:
        file = outcome.file
        code, message = outcome.refusal.reason_code, file.message or str(outcome.refusal)
        report.refused.append(RefusedFile(file.feed, file.source_path, file.delivered_on, code, message))


def feed_days(
    connection: duckdb.DuckDBPyConnection, feed: str, days: Days, changed: set[tuple[str, date]]
) -> dict[tuple[str, date], FeedDay]:
    """The asked and the changed days of one feed as ledger and raw table now have them."""
    table = contract(feed).table
    amount = contract(feed).control_amount or "null::decimal(38, 8)"
    rows = connection.execute(
        f"""
        with wanted as (select unnest(cast($changed as date[])) as day),
        files as (
            select
                delivered_on as day, count(*) as files, sum(records_seen) as seen,
                sum(records_duplicate) as duplicate, sum(records_quarantined) as quarantined,
                sum(records_filtered) as filtered, sum(amount_seen) as amount_seen
            from ops.files
            where feed = $feed and status <> 'superseded' and delivered_on is not null
                and (delivered_on between $first and $last or delivered_on in (select day from wanted))
            group by all
        ),
        loaded as (
            select
                _delivered_on as day, count(*) as loaded, sum({amount}) as amount,
                count(*) filter (file_id is not null) as undated,
                count(distinct file_id) as undated_files,
                sum({amount}) filter (file_id is not null) as undated_amount
            from {table}
            left join (select file_id from ops.files where feed = $feed and delivered_on is null) on file_id = _file_id
            where _delivered_on between $first and $last or _delivered_on in (select day from wanted)
            group by all
        )
        select
            day, coalesce(files, 0) + coalesce(undated_files, 0), coalesce(seen, 0) + coalesce(undated, 0),
            coalesce(loaded, 0), coalesce(duplicate, 0), coalesce(quarantined, 0), coalesce(filtered, 0),
            case when amount_seen is null then undated_amount else amount_seen + coalesce(undated_amount, 0) end,
            amount
        from files full join loaded using (day)
        """,
        {
            "feed": feed,
            "first": days[0] if days else date.min,
            "last": days[1] if days else date.max,
            "changed": [day for name, day in changed if name == feed],
        },
    ).fetchall()
    return {(feed, row[0]): FeedDay(feed, *row) for row in rows}
