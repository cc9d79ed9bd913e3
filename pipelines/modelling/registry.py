"""Which model made what, as of each day: data, parameters, seed, metrics and the code, so that it can be made again.

Models are not kept: equal data, parameters and code give equal forecasts, and retraining takes seconds. Producers that
fit a model tell `register` of it; one row per purpose and as-of day.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

import models_ml
from pipelines.modelling.tables import MlTable

LIBRARIES = ("numpy", "pandas", "scikit-learn", "holidays")

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


@dataclass(frozen=True)
class Entry:
    """One fitted model as the registry keeps it."""

    trained_on: date
    data_digest: str
    data_rows: int
    parameters: Mapping[str, Any]
    seed: int
    metrics: Mapping[str, Any]

    @property
    def model_id(self) -> str:
        told = [str(self.trained_on), self.data_digest, as_json(self.parameters), self.seed, code_digest(), versions()]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


def register(connection: duckdb.DuckDBPyConnection, day: date, purpose: str, entry: Entry | None) -> None:
    """Replace the row of the day and purpose; None says that no model was needed."""
    connection.execute("delete from ml.model_registry where as_of = ? and purpose = ?", [day, purpose])
    if entry is not None:
        row = [day, purpose, entry.model_id, entry.trained_on, entry.data_digest, entry.data_rows, code_digest()]
        row += [versions(), as_json(entry.parameters), entry.seed, as_json(entry.metrics)]
        connection.execute(f"insert into ml.model_registry values ({', '.join('?' * len(row))})", row)


def digest_of(rows: pd.DataFrame) -> str:
    """Digest of the rows of a frame, whatever their order and that of the columns."""
    hashes = pd.util.hash_pandas_object(rows[sorted(rows.columns)], index=False).to_numpy()
    return hashlib.sha256(np.sort(hashes).tobytes()).hexdigest()[:32]


@cache
def code_digest() -> str:
    """Digest of the modelling package's source: it tells one state of the code from another, with git or without."""
    told = hashlib.sha256()
    for path in sorted(Path(models_ml.__file__).parent.glob("*.py")):
        told.update(path.name.encode() + b"\0" + path.read_bytes())
    return told.hexdigest()[:16]


@cache
def versions() -> str:
    return as_json({name: version(name) for name in LIBRARIES})


def as_json(value: Mapping[str, Any]) -> str:
    """JSON with sorted keys; numbers to six digits after the point, NaN and infinity as null."""
    return json.dumps(_plain(value), sort_keys=True)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float | np.floating):
        return round(float(value), 6) if np.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value
