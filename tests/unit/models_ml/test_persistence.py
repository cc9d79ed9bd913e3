"""A model as bytes and back, and its card."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from panels import START, long_frame, weekly_panel

from models_ml import engine, persistence
from models_ml.persistence import ModelFileError, load, save

ORIGIN = (START + pd.Timedelta(days=150)).date()


@pytest.fixture(scope="module")
def panel() -> pd.DataFrame:
    plain = weekly_panel(periods=170)
    return plain.assign(kind=np.where(plain["series_id"] < "s010", "fast", "slow"))


@pytest.fixture(scope="module")
def model(panel: pd.DataFrame) -> engine.Model:
    return engine.fit(panel, origin=ORIGIN, horizon=7, country="DE")


@pytest.mark.slow
def test_a_model_survives_to_the_last_bit(panel: pd.DataFrame, model: engine.Model) -> None:
    again = load(save(model))
    later = (START + pd.Timedelta(days=160)).date()
    for origin in (ORIGIN, later):
        told = model.forecast(panel, origin, every_model=True)
        pd.testing.assert_frame_equal(again.forecast(panel, origin, every_model=True), told, check_exact=True)
    assert again.card() == model.card()


def test_a_model_without_trees_survives() -> None:
    history = long_frame(np.ones((2, 3)))
    model = engine.fit(history, origin=(START + pd.Timedelta(days=2)).date())
    told = model.forecast(history, ORIGIN)
    pd.testing.assert_frame_equal(load(save(model)).forecast(history, ORIGIN), told, check_exact=True)


def test_other_bytes_are_refused() -> None:
    with pytest.raises(ModelFileError, match="no model"):
        load(b"something else")


def test_other_versions_are_refused(model: engine.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = save(model)
    monkeypatch.setattr(persistence, "versions", lambda: {"scikit-learn": "0.1"})
    with pytest.raises(ModelFileError, match="versions"):
        load(packed)


class Stowaway:
    """A type that no model of ours holds."""


def test_a_type_that_is_not_trusted_is_refused(model: engine.Model) -> None:
    assert model.means.trees is not None
    trees = dataclasses.replace(model.means.trees, estimator=Stowaway())
    packed = save(dataclasses.replace(model, means=dataclasses.replace(model.means, trees=trees)))
    with pytest.raises(ModelFileError, match="Stowaway"):
        load(packed)


@pytest.mark.slow
def test_equal_data_have_equal_cards_and_other_data_do_not(panel: pd.DataFrame, model: engine.Model) -> None:
    shuffled = panel.sample(frac=1, random_state=1)
    again = engine.fit(shuffled, origin=ORIGIN, horizon=7, country="DE").card()
    assert again == model.card()
    future = panel["date"] > pd.Timestamp(ORIGIN)
    poisoned = panel.assign(quantity=panel["quantity"].where(~future, 1e6))
    assert engine.fit(poisoned, origin=ORIGIN, horizon=7, country="DE").card() == model.card()
    for column, row in (("quantity", 3), ("kind", panel.index[-1])):
        other = panel.copy()
        other.loc[other["series_id"] == other.loc[row, "series_id"], column] = 7 if column == "quantity" else "other"
        assert engine.fit(other, origin=ORIGIN, horizon=7).card().data.digest != again.data.digest


def test_a_card_is_one_flat_row(panel: pd.DataFrame, model: engine.Model) -> None:
    record = model.card().record()
    parameters, metrics = json.loads(record["parameters"]), json.loads(record["metrics"])
    assert record["trained_on"] == ORIGIN
    known = panel[panel["date"] <= pd.Timestamp(ORIGIN)]
    assert record["data_rows"] == (known["quantity"] > 0).sum()
    assert parameters == {"horizon": 7, "season": 7, "quantiles": [0.1, 0.5, 0.9], "country": "DE"}
    assert metrics["chosen"] in metrics["scores"]
    assert 0 < metrics["scores"]["trees"]["wape"] < 1
    assert set(metrics["scores"]) == set(model.calibrations)
    assert set(json.loads(record["library_versions"])) >= {"numpy", "scikit-learn"}
