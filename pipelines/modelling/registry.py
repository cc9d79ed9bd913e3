"""Which model made what, as of each day: data, parameters, seed, metrics and the code, so that it can be made again.

Models are not kept: equal data, parameters and code give equal results, and retraining takes seconds. Producers that
fit a model tell `register` its card (`models_ml.cards`); one row per purpose and as-of day.
"""

import hashlib
import json
from datetime import date
from functools import cache
from pathlib import Path

import duckdb

import models_ml
from models_ml.cards import ModelCard
from pipelines.modelling.tables import MlTable

MODEL_REGISTRY = MlTable(
    "model_registry",
    "One row per as-of day and purpose: the model that what was computed for that day comes from.",
    {
        "as_of": ("DATE NOT NULL", "Day whose rows the model made."),
        "purpose": ("VARCHAR NOT NULL", "Table that the model's output is in, for example demand_forecasts."),
        "model_id": ("VARCHAR NOT NULL", "Digest of everything below but the metrics: equal ids are equal models."),
        "trained_on": ("DATE NOT NULL", "Day at whose end everything learnt from was known."),
        "data_digest": ("VARCHAR NOT NULL", "Digest of the rows learnt from, whatever their order."),
        "data_rows": ("BIGINT NOT NULL", "Rows learnt from."),
        "code_digest": ("VARCHAR NOT NULL", "Digest of the source of models_ml."),
        "library_versions": ("VARCHAR NOT NULL", "Versions of the libraries that may change a result; JSON."),
        "parameters": ("VARCHAR NOT NULL", "What was asked of the model; JSON."),
        "seed": ("BIGINT NOT NULL", "Seed of all drawing."),
        "metrics": ("VARCHAR NOT NULL", "What was learnt and how it did at earlier origins; JSON."),
    },
    deps=("marts.fct_order_lines",),
    owner="team:demand-planning",
)


def register(connection: duckdb.DuckDBPyConnection, day: date, purpose: str, card: ModelCard | None) -> None:
    """Replace the row of the day and purpose; None says that no model was needed."""
    connection.execute("delete from ml.model_registry where as_of = ? and purpose = ?", [day, purpose])
    if card is not None:
        row = card.record() | {"code_digest": code_digest()}
        told = [str(value) for name, value in sorted(row.items()) if name != "metrics"]
        model_id = hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]
        row |= {"as_of": day, "purpose": purpose, "model_id": model_id}
        ordered = [row[name] for name in MODEL_REGISTRY.columns]
        connection.execute(f"insert into ml.model_registry values ({', '.join('?' * len(ordered))})", ordered)


@cache
def code_digest() -> str:
    """Digest of the modelling package's source: it tells one state of the code from another, with git or without."""
    told = hashlib.sha256()
    for path in sorted(Path(models_ml.__file__).parent.glob("*.py")):
        told.update(path.name.encode() + b"\0" + path.read_bytes())
    return told.hexdigest()[:16]
