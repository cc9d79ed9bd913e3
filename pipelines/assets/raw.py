"""The raw tables: one asset per feed, all landed by one step that reads the files of the delivery days."""

from collections.abc import Iterator
from datetime import date
from itertools import chain

import dagster as dg

from pipelines.assets.checks import rule_check_results, rule_check_specs
from pipelines.assets.shell import RETRIES, SINGLE_RUN, WAREHOUSE_POOL, Event, Installation, selected
from pipelines.ingestion import FeedDay, IngestReport, ingest
from pipelines.partitions import days_of
from pipelines.quality.checks import run_checks
from pipelines.sources.contracts import Contract, contracts


class Deliveries(dg.Config):
    """What to load beside the partition: everything in the landing, as for a first load of a long history."""

    everything: bool = False


def raw_assets(installation: Installation) -> dg.AssetsDefinition:
    tables = [feed.table for feed in contracts()]

    @dg.multi_asset(
        name="ingest",
        specs=[_spec(feed, installation) for feed in contracts()],
        check_specs=rule_check_specs(tables),
        backfill_policy=SINGLE_RUN,
        pool=WAREHOUSE_POOL,
        retry_policy=RETRIES,
        can_subset=True,
    )
    def raw(context: dg.AssetExecutionContext, config: Deliveries) -> Iterator[Event]:
        days = days_of(context)
        with installation.step("ingest", context):
            report = ingest(
                installation.settings,
                installation.profile,
                installation.warehouse,
                None if config.everything else (days[0], days[-1]),
                run_id=context.run_id,
                progress=installation.progress,
            )
            outcomes = run_checks(installation.warehouse, "raw", report.days_to_check(days), run_id=context.run_id)
        for refused in report.refused:
            context.log.warning(f"refused {refused.source_path}: {refused.message}")
        landed = (_landed(context, feed, report, days) for feed in contracts())
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
    context: dg.AssetExecutionContext, feed: Contract, report: IngestReport, days: list[date]
) -> dg.MaterializeResult[None]:
    """The feed's materialization, with the counts of each day."""
    key = dg.AssetKey(["raw", feed.feed])
    for day in days if key in context.selected_asset_keys else ():
        counted = report.of(feed.feed, day) or FeedDay.nothing(feed.feed, day)
        context.add_asset_metadata(
            {
                "dagster/row_count": counted.loaded,
                "records_seen": counted.seen,
                "records_duplicate": counted.duplicate,
                "records_quarantined": counted.quarantined,
                "files": counted.files,
                "data_through": day.isoformat(),
            },
            asset_key=key,
            partition_key=day.isoformat(),
        )
    return dg.MaterializeResult(asset_key=key)
