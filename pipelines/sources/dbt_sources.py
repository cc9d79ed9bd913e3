"""The dbt source file of the raw tables, written from the contracts so that nothing is said twice.

`python -m pipelines.sources.dbt_sources` rewrites the committed file; a test compares it with what this module says.
"""

from pathlib import Path
from typing import Any

import yaml

from pipelines.ops import PROVENANCE
from pipelines.settings import DBT_PROJECT
from pipelines.sources.contracts import Column, Contract, contracts

SOURCES_FILE = DBT_PROJECT / "models" / "sources" / "_raw__sources.yml"
PROVENANCE_TEXTS = {
    "_file_id": "File the record came from (ops.files).",
    "_record_no": "Number of the record in its file, from 1.",
    "_delivered_on": "Delivery day: when the company learnt it.",
}
HEADER = "# Written by `python -m pipelines.sources.dbt_sources` from the contracts; change those.\n"


def sources_text() -> str:
    """The whole file as text."""
    document = {
        "version": 2,
        "sources": [
            {
                "name": "raw",
                "description": "Every valid record ever delivered, as delivered and typed by its contract.",
                "tables": [_table(feed) for feed in contracts()],
            }
        ],
    }
    return HEADER + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)


def write_sources(path: Path = SOURCES_FILE) -> None:
    path.write_text(sources_text(), encoding="utf-8")


def _table(feed: Contract) -> dict[str, Any]:
    return {
        "name": feed.feed,
        "description": feed.purpose,
        "config": {"meta": {"owner": feed.owner, "contract_version": feed.version}},
        "columns": [_column(column) for column in feed.columns]
        + [
            {"name": name, "data_type": kind, "description": PROVENANCE_TEXTS[name]}
            for name, kind in PROVENANCE.items()
        ],
    }


def _column(column: Column) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": column.name,
        "data_type": column.physical_type,
        "description": column.description,
    }
    if column.is_personal:
        described["config"] = {"meta": {"classification": "personal"}}
    return described


if __name__ == "__main__":
    write_sources()
