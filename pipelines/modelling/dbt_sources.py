"""The dbt source file of the models' tables, written from their declarations so that nothing is said twice.

`python -m pipelines.modelling.dbt_sources` rewrites the committed file; a test compares it with what this module says.
"""

from pathlib import Path
from typing import Any

import yaml

from pipelines.modelling.stage import TABLES
from pipelines.modelling.tables import MlTable
from pipelines.settings import DBT_PROJECT

SOURCES_FILE = DBT_PROJECT / "models" / "sources" / "_ml__sources.yml"
HEADER = "# Written by `python -m pipelines.modelling.dbt_sources` from the producers' tables; change those.\n"


def sources_text() -> str:
    """The whole file as text."""
    document = {
        "version": 2,
        "sources": [
            {
                "name": "ml",
                "description": "What the models computed (pipelines/modelling), per as-of day.",
                "tables": [_table(table) for table in TABLES],
            }
        ],
    }
    return HEADER + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)


def write_sources(path: Path = SOURCES_FILE) -> None:
    path.write_text(sources_text(), encoding="utf-8")


def _table(table: MlTable) -> dict[str, Any]:
    return {
        "name": table.name,
        "description": table.description,
        "config": {"meta": {"owner": table.owner.removeprefix("team:")}},
        "columns": [
            {"name": name, "data_type": table.type_of(name).lower(), "description": comment}
            for name, (_, comment) in table.columns.items()
        ],
    }


if __name__ == "__main__":
    write_sources()
