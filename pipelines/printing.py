"""What the command line shows: tables on the terminal, from plain data. Nothing is decided or computed here."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import duckdb
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipelines.findings import Finding
from pipelines.ingestion.quarantine import Decision, Quarantined
from pipelines.ops import REASONS, REFUSALS
from pipelines.publishing.versions import current_version, read_manifest, versions_path
from pipelines.resources import Warehouse
from pipelines.settings import Settings
from pipelines.sources.check import Finding as ProfileFinding
from pipelines.trace import Origin

if TYPE_CHECKING:
    from pipelines.erasure import Erased, Standing

SHOWN_DELIVERIES = 20
SHOWN_MISDATED = 10
SHOWN_WARNINGS = 10
UNBOUNDED = 10**6

EXAMPLES = {
    "Net revenue by channel": """
        select channel_id, count(distinct order_id) as orders, sum(net_amount_base) as net_revenue
        from marts.fct_order_lines where is_revenue group by channel_id order by net_revenue desc
    """,
    "Goals of the company, as of the newest day": """
        select
            kpi_id, title, period_start || ' to ' || period_end as period,
            round(target_value, 2) as target, round(actual_value, 2) as actual,
            round(projected_end, 2) as projected, status
        from reports.rpt_goal_progress
        where segment_type = 'all' and not is_default_target
            and as_of = (select max(as_of) from reports.rpt_goal_progress)
        order by kpi_id, period
    """,
    "Largest demand expected in the coming week": """
        select product_id, channel_id, round(sum(mean), 1) as expected, round(sum(p90), 1) as sum_of_p90
        from ml.demand_forecasts
        where is_selected and as_of = (select max(as_of) from ml.demand_forecasts) and horizon_days <= 7
        group by all order by expected desc limit 5
    """,
}


def deliveries(out: Console, settings: Settings) -> None:
    """What the ledger holds per feed, and which files were refused."""
    with Warehouse(settings).read() as connection:
        per_feed = connection.execute(
            """
            select feed, count(*), sum(records_seen), sum(records_loaded), sum(records_duplicate),
                   sum(records_quarantined), sum(records_filtered)
            from ops.files where status <> 'superseded' group by feed order by feed
            """
        ).fetchall()
        refused = connection.execute(
            """
            select q.message from ops.quarantine as q join ops.files as f using (file_id)
            where f.status = 'refused' and q.record_no is null and q.status = 'open' order by f.source_path
            """
        ).fetchall()
    headings = ("feed", "files", "records seen", "loaded", "duplicate", "quarantined", "filtered")
    _table(out, "Delivered", headings, per_feed)
    for (message,) in refused:
        out.print(f"[yellow]refused[/] {escape(message)}", soft_wrap=True)


def misdated(out: Console, paths: Sequence[str]) -> None:
    """Files that no run takes up for the day in their path."""
    for path in paths[:SHOWN_MISDATED]:
        out.print(f"[yellow]not taken up[/] {escape(path)}: it names no day, or one to come", soft_wrap=True)
    if len(paths) > SHOWN_MISDATED:
        out.print(f"[yellow]not taken up[/] and {len(paths) - SHOWN_MISDATED} more: `opscope doctor`", soft_wrap=True)


def published(out: Console, settings: Settings) -> None:
    """What is served now and where."""
    version = current_version(settings)
    if version is None:
        out.print("Nothing is published yet.")
        return
    manifest = read_manifest(versions_path(settings) / version)
    out.print(f"\n[bold green]Published[/] {version}, as of {manifest.as_of}")
    _table(out, "Tables", ("table", "rows"), [(name, table.rows) for name, table in sorted(manifest.tables.items())])
    out.print(f"DuckDB   {settings.published_path / 'current.duckdb'}", soft_wrap=True)
    out.print(f"Parquet  {settings.published_path / 'current'}/<schema>/<table>.parquet", soft_wrap=True)
    out.print(f"Checks   {settings.reports_path / 'checks.html'}", soft_wrap=True)


def examples(out: Console, settings: Settings, open_ui: str) -> None:
    """Three queries on the published file, and the command that opens the UI on it."""
    with duckdb.connect(str(settings.published_path / "current.duckdb"), read_only=True) as connection:
        for title, query in EXAMPLES.items():
            result = connection.execute(query)
            headings = [column[0] for column in result.description or ()]
            _table(out, title, headings, result.fetchall())
    out.print(f"\nOpen the Dagster UI with [bold]{escape(open_ui)}[/], then http://127.0.0.1:3000", soft_wrap=True)


def failed_checks(out: Console, settings: Settings, run_id: str) -> None:
    """The blocking checks that failed in a run: what was judged, when, and what was observed."""
    if not settings.warehouse_path.exists():
        return
    with Warehouse(settings).read() as connection:
        failed = connection.execute(
            """
            select asset, check_name, partition_on, observed, message
            from ops.check_results where run_id = ? and is_blocking and not passed order by all limit 20
            """,
            [run_id],
        ).fetchall()
    if failed:
        _table(out, "Checks that stopped the run", ("table", "check", "day", "observed", "why it matters"), failed)


def warnings(out: Console, settings: Settings, run_id: str) -> None:
    """The checks that failed in a run and did not stop it, each with its newest day."""
    with Warehouse(settings).read() as connection:
        failed = connection.execute(
            """
            select asset, check_name, max(partition_on), count(*), arg_max(observed, partition_on)
            from ops.check_results where run_id = ? and not is_blocking and not passed
            group by asset, check_name order by asset, check_name
            """,
            [run_id],
        ).fetchall()
    if not failed:
        return
    headings = ("table", "check", "newest day", "days", "observed on it")
    _table(out, "Warning checks that failed in this run", headings, failed[:SHOWN_WARNINGS])
    if len(failed) > SHOWN_WARNINGS:
        out.print(f"and {len(failed) - SHOWN_WARNINGS} more")
    out.print(f"All of them, and why they matter: {settings.reports_path / 'checks.html'}", soft_wrap=True)


def origins(out: Console, found: Sequence[Origin]) -> None:
    """The files and lines behind a row."""
    for origin in found:
        out.print(escape(str(origin)), soft_wrap=True)


def findings(out: Console, found: Sequence[Finding]) -> None:
    """The doctor's findings, each with its remedy."""
    colours = {"ok": "green", "warn": "yellow", "fail": "red"}
    for finding in found:
        out.print(
            f"[{colours[finding.status]}]{finding.status:<4}[/] {finding.name}: {escape(finding.detail)}",
            soft_wrap=True,
        )
        if finding.status != "ok" and finding.remedy:
            out.print(f"     {escape(finding.remedy)}", soft_wrap=True)


def profile_findings(out: Console, found: Sequence[ProfileFinding]) -> None:
    """What is wrong with a profile, and what to write instead."""
    colours = {"ok": "green", "warning": "yellow", "error": "red"}
    for finding in found:
        out.print(
            f"[{colours[finding.severity]}]{finding.severity:<7}[/] {escape(finding.place)}: {escape(finding.message)}",
            soft_wrap=True,
        )
        if finding.remedy:
            out.print(f"        {escape(finding.remedy)}", soft_wrap=True)


def quarantined(out: Console, records: Sequence[Quarantined]) -> None:
    """Refused records, one line each."""
    headings = ("id", "feed", "day", "file", "record", "reason", "column", "status")
    rows = [
        (
            each.quarantine_id[:12],
            each.feed,
            each.delivered_on,
            each.source_path,
            each.record_no,
            each.reason_code,
            each.column_name,
            each.status,
        )
        for each in records
    ]
    _table(out, "Quarantine", headings, rows)


def quarantined_record(out: Console, record: Quarantined) -> None:
    """One refused record in full."""
    place = f"record {record.record_no}" if record.record_no is not None else "the whole file"
    offset = f", byte {record.byte_offset}" if record.byte_offset is not None else ""
    out.print(f"[bold]{record.quarantine_id}[/] {record.status}")
    out.print(f"{record.feed}, delivered {record.delivered_on}: {escape(record.source_path)}, {place}{offset}")
    out.print(f"[yellow]{record.reason_code}[/] {escape(record.message)}", soft_wrap=True)
    out.print((REASONS | REFUSALS)[record.reason_code], soft_wrap=True)
    if record.raw_text is not None:
        out.print(f"\nas delivered\n{escape(record.raw_text)}", soft_wrap=True)
    if record.mended_text is not None:
        out.print(f"\nas mended\n{escape(record.mended_text)}", soft_wrap=True)


def decisions(out: Console, made: Sequence[Decision]) -> None:
    """Which records were let in, and why the others stay."""
    for decision in made:
        verdict = "[green]released[/]" if decision.is_released else "[yellow]stays[/]"
        out.print(f"{verdict} {decision.quarantine_id[:12]} {escape(decision.message)}", soft_wrap=True)
    out.print(f"{sum(decision.is_released for decision in made)} of {len(made)} released")


def _table(out: Console, title: str, headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    table = Table(title=title, title_justify="left", title_style="bold", header_style="dim", box=None, pad_edge=False)
    numeric = [
        all(isinstance(row[index], (int, float)) or _is_decimal(row[index]) for row in rows)
        for index in range(len(headings))
    ]
    for heading, is_numeric in zip(headings, numeric, strict=True):
        # Folded, a value is still all there to be read; an ellipsis takes it away.
        table.add_column(heading, justify="right" if is_numeric else "left", no_wrap=heading == "id", overflow="fold")
    for row in rows:
        table.add_row(*(_shown(value) for value in row))
    out.print()
    if out.is_terminal:
        out.print(table)
        return
    # A pipe or a file has no width: one line per row, so that what is searched for stands in one piece.
    for line in out.render_lines(table, out.options.update(width=UNBOUNDED), pad=False):
        out.out("".join(segment.text for segment in line).rstrip(), highlight=False)


def _is_decimal(value: object) -> bool:
    return type(value).__name__ == "Decimal"


def _shown(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return escape(str(value))


def persons(out: Console, found: Sequence["Standing"]) -> None:
    """What raw holds of persons who may be erased."""
    for person in found:
        held = ", ".join(f"{count:,} of {feed}" for feed, count in person.records.items())
        out.print(f"{escape(person.identifier)}: {held}", soft_wrap=True)
    out.print("Nothing was changed. Add --yes to erase; it cannot be undone.")


def erased(out: Console, done: "Erased") -> None:
    """What an erasure did, and what is left for others to do."""
    for pseudonym in done.pseudonyms:
        out.print(f"Erased; the facts stay under {pseudonym}")
    out.print(f"{done.records_changed:,} records changed; a new version is served, and no other is kept")
    if done.deliveries:
        out.print(f"[bold]{len(done.deliveries)} deliveries hold the persons[/]; have them removed from the landing:")
        for path in done.deliveries[:SHOWN_DELIVERIES]:
            out.print(f"  {escape(path)}", soft_wrap=True)
        if len(done.deliveries) > SHOWN_DELIVERIES:
            out.print(f"  and {len(done.deliveries) - SHOWN_DELIVERIES} more")
