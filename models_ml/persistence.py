"""A fitted model as bytes and back, without pickle: JSON, plain arrays, and the trees as skops writes them.

Reading runs no code of the file: skops makes only scikit-learn's own types and those of `TRUSTED`. A model that other
versions of the libraries wrote is refused; make it again from its card. Files do not belong here.
"""

import io
import json
import zipfile
from dataclasses import asdict
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from models_ml.calibration import Calibration
from models_ml.cards import Source, versions
from models_ml.engine import Model
from models_ml.levels import Level
from models_ml.means import Means, Plan
from models_ml.selection import Choice
from models_ml.trees import Trees

# Beyond what skops trusts by itself. Nothing else is made from a file, whatever it says.
# The partial is of scikit-learn's check of its input: skops asks for the function of a partial too.
TRUSTED = (
    "functools.partial",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.utils.validation.check_array",
)
FORMAT = 3
# Entries of the archive carry this date: equal models are equal bytes but for what skops writes.
EPOCH = (1980, 1, 1, 0, 0, 0)


class ModelFileError(ValueError):
    """Bytes that are no model of this engine; the message says why and what to do."""


def save(model: Model) -> bytes:
    """The model as bytes."""
    from skops.io import dumps

    means, trees = model.means, model.means.trees
    document: dict[str, Any] = {
        "format": FORMAT,
        "versions": versions(),
        "plan": asdict(means.plan),
        "level": asdict(means.level),
        "members": means.members,
        "trees": None if trees is None else {"categories": trees.categories, "country": trees.country},
        "choice": asdict(model.choice),
        "scores": model.scores.to_dict("list"),
        "correlation": model.correlation,
        "learnt_from": asdict(model.learnt_from) | {"trained_on": str(model.learnt_from.trained_on)},
        "calibrations": {
            name: {"levels": each.levels, "crossing": each.crossing} for name, each in model.calibrations.items()
        },
    }
    arrays = {
        f"{name}/{part}": getattr(each, part)
        for name, each in model.calibrations.items()
        for part in ("scale_edges", "dispersion_edges", "scores")
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        _write(archive, "model.json", json.dumps(document, sort_keys=True).encode())
        for name, array in sorted(arrays.items()):
            _write(archive, f"{name}.npy", _array_bytes(array))
        if trees is not None:
            _write(archive, "trees.skops", dumps(trees.estimator))
    return packed.getvalue()


def load(packed: bytes) -> Model:
    """The model that `save` made these bytes of; it forecasts the same to the last bit.

    Raises:
        ModelFileError: the bytes are no model, of another format or versions, or hold a type that is not trusted.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            document = json.loads(archive.read("model.json"))
            _require_same(document)
            calibrations = {name: _calibration(archive, name, each) for name, each in document["calibrations"].items()}
            estimator = _estimator(archive.read("trees.skops")) if document["trees"] is not None else None
    except (zipfile.BadZipFile, KeyError, json.JSONDecodeError) as flaw:
        raise ModelFileError(f"no model of this engine: {flaw}. Fit the model again.") from flaw
    plan = document["plan"] | {"quantiles": tuple(document["plan"]["quantiles"])}
    trees = None if estimator is None else Trees(estimator, **document["trees"])
    means = Means(Plan(**plan), trees, Level(**document["level"]), tuple(document["members"]))
    source = document["learnt_from"] | {"trained_on": date.fromisoformat(document["learnt_from"]["trained_on"])}
    return Model(
        means,
        calibrations,
        Choice(**document["choice"]),
        pd.DataFrame(document["scores"]),
        document["correlation"],
        Source(**source),
    )


def _require_same(document: dict[str, Any]) -> None:
    for name, own in (("format", FORMAT), ("versions", versions())):
        if document[name] != own:
            raise ModelFileError(f"{name} {document[name]}, not {own}. Fit the model again.")


def _estimator(packed: bytes) -> Any:
    from skops.io import get_untrusted_types, loads

    foreign = set(get_untrusted_types(data=packed)) - set(TRUSTED)
    if foreign:
        raise ModelFileError(f"holds types that are not trusted: {', '.join(sorted(foreign))}. Fit the model again.")
    return loads(packed, trusted=list(TRUSTED))


def _calibration(archive: zipfile.ZipFile, name: str, told: dict[str, Any]) -> Calibration:
    parts = ("scale_edges", "dispersion_edges", "scores")
    arrays = [np.load(io.BytesIO(archive.read(f"{name}/{part}.npy")), allow_pickle=False) for part in parts]
    return Calibration(tuple(told["levels"]), told["crossing"], *arrays)


def _array_bytes(array: Any) -> bytes:
    written = io.BytesIO()
    np.save(written, array, allow_pickle=False)
    return written.getvalue()


def _write(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name, EPOCH), content, zipfile.ZIP_DEFLATED)
