"""The published version: the last asset, behind the gate."""

from datetime import UTC

import dagster as dg

from pipelines.assets.shell import RETRIES, SINGLE_RUN, WAREHOUSE_POOL, Installation
from pipelines.partitions import days_of
from pipelines.publishing.versions import current_version, read_manifest
from pipelines.release import release
from pipelines.stages import REPORTS
from pipelines.transforms import DbtGraph


def published_assets(installation: Installation, graph: DbtGraph) -> dg.AssetsDefinition:
    reports = [dg.AssetKey(table.split(".")) for table in graph.tables_of(REPORTS)]

    @dg.asset(
        key=["published", "analytics"],
        deps=reports,
        description=(
            "What BI tools read: one DuckDB file and its Parquet mirror, built beside the served one and switched to "
            "in one step. A blocking check that is missing, failed or stale refuses it, and the version before stays."
        ),
        group_name="published",
        kinds={"duckdb", "parquet"},
        owners=["team:data-engineering"],
        partitions_def=installation.partitions,
        backfill_policy=SINGLE_RUN,
        pool=WAREHOUSE_POOL,
        retry_policy=RETRIES,
    )
    def analytics(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        with installation.step("publish", context) as run_id:
            served_before = current_version(installation.settings) or "nothing"
            publication = release(installation.settings, installation.warehouse, graph, run_id=run_id)
            manifest = read_manifest(publication.path)
        installation.progress("publish", 1, 1)
        return dg.MaterializeResult(
            metadata={
                "version": publication.version,
                "is_new": publication.is_new,
                "served_before": served_before,
                "published_at": dg.MetadataValue.timestamp(manifest.published_at.replace(tzinfo=UTC)),
                "content_digest": publication.digest,
                "checks": dg.MetadataValue.json(manifest.checks),
                "data_through": max(days_of(context)).isoformat(),
                "dagster/row_count": sum(publication.tables.values()),
                "tables": dg.MetadataValue.json(publication.tables),
                "folder": dg.MetadataValue.path(str(publication.path)),
                "check_report": dg.MetadataValue.path(str(installation.settings.reports_path / "checks.html")),
            }
        )

    return analytics
