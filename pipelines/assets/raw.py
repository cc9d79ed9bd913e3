"""The raw tables: one asset per feed, all landed by one step that reads the files of the delivery days."""

from collections.abc import Iterator, Mapping
from datetime import date
from itertools import chain
from typing import Any

import dagster as dg

from pipelines.assets.checks import rule_check_results, rule_check_specs
from pipelines.assets.shell import Event, Installation, selected, step_assets
from pipelines.evidence import Account, accounts
from pipelines.ingestion import FeedDay, IngestReport, ingest
from pipelines.partitions import days_of
from pipelines.quality.checks import run_checks
from pipelines.sources.contracts import Contract, contracts
from pipelines.sources.landing import days_so_far


class Deliveries(dg.Config):
    """What to load beside the partition: everything in the landing, as for a first load of a long history."""

    everything: bool = False


def raw_assets(installation: Installation) -> dg.AssetsDefinition:
    tables = [feed.table for feed in contracts()]

    @step_assets("ingest", [_spec(feed, installation) for feed in contracts()], rule_check_specs(tables))
    def raw(context: dg.AssetExecutionContext, config: Deliveries) -> Iterator[Event]:
        days = days_of(context)
        with installation.step("ingest", context) as run_id:
            report = ingest(
                installation.settings,
                installation.profile,
                installation.warehouse,
                days_so_far(installation.profile) if config.everything else (days[0], days[-1]),
                run_id=run_id,
                progress=installation.progress,
            )
            with installation.warehouse.held():
                outcomes = run_checks(installation.warehouse, "raw", report.days_to_check(days), run_id=run_id)
                with installation.warehouse.read() as connection:
                    books = {feed.feed: accounts(connection, feed.feed, days) for feed in contracts()}
        for refused in report.refused:
            context.log.warning(f"refused {refused.source_path}: {refused.message}")
        landed = (_landed(context, feed, report, books[feed.feed]) for feed in contracts())
        yield from selected(context, chain(landed, rule_check_results(tables, outcomes)))

    return raw


def _spec(feed: Contract, installation: Installation) -> dg.AssetSpec:
    sources = installation.profile.feeds.get(feed.feed, ())
    origin = ", ".join(source.path or "a query" for source in sources) or "nothing: the company has no such feed"
    columns = [
        dg.TableColumn(
            name=column.name,
            type=column.physical_type,
            description=column.description,
            constraints=dg.TableColumnConstraints(nullable=not column.required),
        )
        for column in feed.columns
    ]
    return dg.AssetSpec(
        key=["raw", feed.feed],
        description=f"{feed.purpose}\n\nDelivered by {installation.profile.company} as: {origin}.",
        group_name="raw",
        kinds={"duckdb", *{source.file_format for source in sources}},
        owners=[f"team:{feed.owner}"],
        tags={"contract_version": feed.version},
        metadata={
            "dagster/column_schema": dg.TableSchema(columns=columns),
            "dagster/table_name": feed.table,
        },
        partitions_def=installation.partitions,
    )


def _landed(
    context: dg.AssetExecutionContext, feed: Contract, report: IngestReport, books: Mapping[date, Account]
) -> dg.MaterializeResult[None]:
    """The feed's materialization, with the evidence of each day."""
    key = dg.AssetKey(["raw", feed.feed])
    for day in books if key in context.selected_asset_keys else ():
        counted = report.of(feed.feed, day) or FeedDay.nothing(feed.feed, day)
        context.add_asset_metadata(
            _evidence(counted, books[day]),
            asset_key=key,
            partition_key=day.isoformat(),
        )
    return dg.MaterializeResult(asset_key=key)


def _evidence(counted: FeedDay, account: Account) -> dict[str, Any]:
    """What the day's books say: seen = loaded + duplicate + quarantined + filtered, money too; refusals; freshness."""
    shown: dict[str, Any] = {
        "dagster/row_count": counted.loaded,
        "files": counted.files,
        "data_through": counted.delivered_on.isoformat(),
        "records_seen": counted.seen,
        "records_duplicate": counted.duplicate,
        "records_quarantined": counted.quarantined,
        "records_filtered": counted.filtered,
        "is_reconciled": account.is_balanced,
        "quarantine_rate": account.quarantine_rate,
        "quarantine_reasons": dg.MetadataValue.json(account.refused),
    }
    if account.amount_seen is not None:
        shown["amount_seen"] = str(account.amount_seen)
        shown["amount_loaded"] = str(account.amount_loaded)
        shown["amount_set_aside"] = str(account.amount_set_aside)
    if account.newest_business_day is not None:
        shown["newest_business_day"] = account.newest_business_day.isoformat()
        shown["lag_days"] = (counted.delivered_on - account.newest_business_day).days
    return shown
