"""What a registry keeps of a fitted model: data digest, parameters, seed, metrics. Where it is kept is not said here.

The card is enough to make the model again: equal data, parameters and versions give equal results. Every kind of model
that is registered has one, of this shape.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd

from models_ml.panel import Panel


@dataclass(frozen=True)
class Source:
    """The data a model was learnt from.

    Attributes:
        digest: of all that was read; equal digests are equal data, in whatever order they came.
        trained_on: last known period.
        rows: how many there were; of a panel, the periods of its series with demand.
    """

    digest: str
    trained_on: date
    rows: int

    @classmethod
    def of_panel(cls, panel: Panel) -> "Source":
        """Ids, demand, stock-outs, first periods, attributes and what was known ahead."""
        told = hashlib.blake2b(digest_size=16)
        told.update(json.dumps([str(panel.origin), panel.cadence.season, panel.series.tolist()]).encode())
        told.update(np.asarray(panel.first, dtype="<i8").tobytes())
        for column in panel.values.T:
            told.update(np.asarray(column, dtype="<f8").tobytes())
        for name in panel.attributes.columns:
            told.update(json.dumps([str(name), panel.attributes[name].astype(object).tolist()], default=str).encode())
        for name, numbers in panel.known.items():
            told.update(name.encode())
            for row in numbers.T:
                told.update(np.asarray(row, dtype="<f4").tobytes())
        if panel.censored is not None:
            told.update(np.packbits(panel.censored).tobytes())
        return cls(told.hexdigest(), panel.origin, int(np.count_nonzero(panel.values)))

    @classmethod
    def of_rows(cls, rows: pd.DataFrame, trained_on: date) -> "Source":
        """All columns of a frame."""
        named = rows[sorted(rows.columns)]
        told = hashlib.blake2b(json.dumps([str(trained_on), list(named.columns)]).encode(), digest_size=16)
        told.update(np.sort(pd.util.hash_pandas_object(named, index=False).to_numpy()).tobytes())
        return cls(told.hexdigest(), trained_on, len(rows))


def versions() -> dict[str, str]:
    """The libraries whose version may change a result."""
    return {name: version(name) for name in ("numpy", "pandas", "scipy", "scikit-learn", "holidays")}


@dataclass(frozen=True)
class ModelCard:
    """One row of a model registry.

    Attributes:
        data: what was learnt from.
        parameters: what was asked.
        seed: of all drawing.
        metrics: what was learnt, and how it did.
        library_versions: see `versions`.
    """

    data: Source
    parameters: Mapping[str, Any]
    seed: int
    metrics: Mapping[str, Any]
    library_versions: Mapping[str, str] = field(default_factory=versions)

    def record(self) -> dict[str, Any]:
        """Flat, for a table: `trained_on`, `data_digest`, `data_rows`, `seed`, and the mappings as JSON text."""
        source = {"trained_on": self.data.trained_on, "data_digest": self.data.digest, "data_rows": self.data.rows}
        names = ("parameters", "metrics", "library_versions")
        return source | {"seed": self.seed} | {name: as_json(getattr(self, name)) for name in names}


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
