"""What a registry keeps of a fitted model: data digest, parameters, seed, metrics. Where it is kept is not said here.

The card is enough to make the model again: equal data, parameters and versions give equal forecasts.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from typing import Any

import numpy as np

from models_ml.panel import Panel


@dataclass(frozen=True)
class Source:
    """The data a model was learnt from.

    Attributes:
        digest: of all that was read: ids, demand, first periods, attributes and what was known ahead.
        origin: last known period.
        series: how many.
        periods: columns of the panel.
    """

    digest: str
    origin: date
    series: int
    periods: int

    @classmethod
    def of(cls, panel: Panel) -> "Source":
        """Describe a panel; the order of the rows it was made from does not matter."""
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
        return cls(told.hexdigest(), panel.origin, len(panel.series), panel.last + 1)


@dataclass(frozen=True)
class ModelCard:
    """One row of a model registry.

    Attributes:
        data_digest: see `Source`; equal digests are equal data.
        trained_on: last known period.
        series: series learnt from.
        periods: periods learnt from.
        seed: of all drawing.
        parameters: what was asked, what was chosen, and the versions of the libraries that matter.
        metrics: per model: rows judged at earlier origins, WAPE, bias, quantile loss.
    """

    data_digest: str
    trained_on: date
    series: int
    periods: int
    seed: int
    parameters: dict[str, Any]
    metrics: dict[str, dict[str, float]]

    def record(self) -> dict[str, Any]:
        """Flat, for a table: parameters and metrics as JSON text with sorted keys; NaN becomes null."""
        texts = {name: json.dumps(_plain(getattr(self, name)), sort_keys=True) for name in ("parameters", "metrics")}
        return vars(self) | texts


def versions() -> dict[str, str]:
    """The libraries whose version may change a forecast."""
    return {name: version(name) for name in ("numpy", "pandas", "scikit-learn", "holidays")}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value
