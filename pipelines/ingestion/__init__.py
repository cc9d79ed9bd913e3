"""From deliveries to raw rows, quarantine and ledger, in one transaction per file.

Finding and reading files is `pipelines.sources`; transforming rows is dbt.
"""

from pipelines.ingestion.ingest import ingest
from pipelines.ingestion.report import FeedDay, IngestReport, RefusedFile

__all__ = ["FeedDay", "IngestReport", "RefusedFile", "ingest"]
