"""Forecasts that add up: exactly, by every method, and closer to the truth when the totals know more."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from panels import START, long_frame

from models_ml import engine
from models_ml.frames import FrameError
from models_ml.hierarchy import reconciled, total_history, total_names

ATTRIBUTES = pd.DataFrame(
    {
        "series_id": ["a", "b", "c", "d"],
        "category": ["x", "x", "y", None],
        "location": ["n", "s", "n", "s"],
    }
)
METHODS = ("bottom_up", "top_down", "wls_struct")


def frame(means: dict[str, list[float]]) -> pd.DataFrame:
    rows = [
        {"series_id": name, "origin": START, "date": START + pd.Timedelta(days=step), "horizon": step, "mean": mean,
         "q0.5": mean, "q0.9": 2 * mean}
        for name, path in means.items()
        for step, mean in enumerate(path, start=1)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_totals_of_attributes_of_pairs_and_of_all() -> None:
    told = total_names(ATTRIBUTES, ["category", "category+location"])
    assert set(told["total_id"]) == {
        "*", "category=x", "category=y", "category=(none)", "category=x+location=n", "category=x+location=s",
        "category=y+location=n", "category=(none)+location=s",
    }  # fmt: skip
    assert (told.groupby("series_id").size() == 3).all()
    with pytest.raises(FrameError, match="colour"):
        total_names(ATTRIBUTES, ["colour"])


def test_history_of_totals_is_the_sum() -> None:
    history = pd.DataFrame(
        {
            "series_id": ["a", "b", "a"],
            "date": [START, START, START + pd.Timedelta(days=1)],
            "quantity": [1.0, 2.0, 4.0],
        }
    )
    told = total_history(history, total_names(ATTRIBUTES, ["location"]))
    assert told.to_dict("list") == {
        "series_id": ["*", "*", "location=n", "location=n", "location=s"],
        "date": [START, START + pd.Timedelta(days=1), START, START + pd.Timedelta(days=1), START],
        "quantity": [3.0, 4.0, 1.0, 4.0, 2.0],
    }


def test_bottom_up_keeps_the_series() -> None:
    series = frame({"a": [1.0], "b": [2.0], "c": [4.0], "d": [8.0]})
    told, totals = reconciled(series, total_names(ATTRIBUTES, ["location"]))
    assert told["mean"].tolist() == [1, 2, 4, 8]
    assert totals.set_index("total_id")["mean"].to_dict() == {"*": 15, "location=n": 5, "location=s": 10}


def test_from_the_top_series_keep_their_proportions_and_quantiles_move_along() -> None:
    series = frame({"a": [1.0], "b": [2.0], "c": [3.0], "d": [2.0]})
    names = total_names(ATTRIBUTES, ["location"])
    told, totals = reconciled(
        series, names, frame({"*": [14.0], "location=n": [8.0], "location=s": [6.0]}), method="top_down"
    )
    assert told["mean"].tolist() == [2, 3, 6, 3]
    assert told["q0.9"].tolist() == [4, 6, 12, 6]
    assert totals["mean"].tolist() == [14, 8, 6]


def test_weighted_least_squares_by_hand() -> None:
    """Two series of 1, a total told as 5: 1 + (5 - 2) / (2 + 2) each, and the total 3.5 between 2 and 5."""
    both = ATTRIBUTES[:2]
    told, totals = reconciled(
        frame({"a": [1.0], "b": [1.0]}), total_names(both, []), frame({"*": [5.0]}), method="wls_struct"
    )
    assert told["mean"].tolist() == [1.75, 1.75]
    assert totals["mean"].tolist() == [3.5]


def test_weighted_least_squares_is_the_textbook_projection() -> None:
    rng = np.random.default_rng(5)
    names = total_names(ATTRIBUTES, ["category", "location"])
    ids = sorted(names["total_id"].unique())
    bottom, top = rng.uniform(10, 20, 4), rng.uniform(20, 60, len(ids))
    sums = np.array([ATTRIBUTES["series_id"].isin(names.loc[names["total_id"] == each, "series_id"]) for each in ids])
    structure = np.vstack([sums, np.eye(4)]).astype(float)
    weights = np.diag(1 / structure.sum(axis=1))
    projected = np.linalg.solve(
        structure.T @ weights @ structure, structure.T @ weights @ np.concatenate([top, bottom])
    )
    told, _ = reconciled(
        frame({name: [mean] for name, mean in zip("abcd", bottom, strict=True)}),
        names,
        frame({name: [mean] for name, mean in zip(ids, top, strict=True)}),
        method="wls_struct",
    )
    assert told["mean"].to_numpy() == pytest.approx(np.maximum(projected, 0), abs=1e-5)


@given(st.integers(0, 10_000), st.sampled_from(METHODS))
@settings(max_examples=25, deadline=None)
def test_sums_are_exact_whatever_the_order(seed: int, method: str) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 30))
    ids = [f"s{number:02d}" for number in range(count)]
    attributes = pd.DataFrame(
        {"series_id": ids, "category": rng.choice(["x", "y", "z"], count), "location": rng.choice(["n", "s"], count)}
    )
    names = total_names(attributes, ["category", "location", "category+location"])
    series = frame({name: list(rng.gamma(0.3, 100, 3)) for name in ids})
    tops = frame({str(name): list(rng.gamma(2, 500, 3)) for name in names["total_id"].unique()})
    told, totals = reconciled(series, names, tops, method=method)
    assert (told[["mean", "q0.5", "q0.9"]] >= 0).all(axis=None)
    assert (told["q0.9"] >= told["q0.5"]).all()
    shuffled = told.merge(names, on="series_id").sample(frac=1, random_state=seed)
    summed = shuffled.groupby(["total_id", "horizon"])["mean"].agg(lambda means: sum(means.tolist()))
    assert totals.set_index(["total_id", "horizon"])["mean"].to_dict() == summed.to_dict()
    by_category = totals[totals["total_id"].str.match("^category=.$")].groupby("horizon")["mean"].sum()
    assert by_category.tolist() == totals.loc[totals["total_id"] == "*", "mean"].tolist()


def test_totals_that_know_more_make_the_series_better() -> None:
    rng = np.random.default_rng(1)
    truth = rng.uniform(5, 10, 40)
    ids = [f"s{number:02d}" for number in range(40)]
    attributes = pd.DataFrame({"series_id": ids, "category": np.resize(["x", "y"], 40)})
    names = total_names(attributes, ["category"])
    stale = frame({name: [0.7 * mean] for name, mean in zip(ids, truth, strict=True)})
    by_total = names.assign(mean=names["series_id"].map(dict(zip(ids, truth, strict=True)))).groupby("total_id")["mean"]
    tops = frame({str(name): [mean] for name, mean in by_total.sum().items()})
    before = np.abs(stale["mean"] - truth).sum()
    for method in ("top_down", "wls_struct"):
        told, _ = reconciled(stale, names, tops, method=method)
        assert np.abs(told["mean"].to_numpy() - truth).sum() < 0.55 * before


def test_the_engines_own_forecasts_add_up() -> None:
    history = long_frame(np.random.default_rng(2).poisson(3, (6, 60)).astype(float))
    attributes = pd.DataFrame({"series_id": sorted(history["series_id"].unique()), "category": list("xxxyyy")})
    names = total_names(attributes, ["category"])
    origin = date(2025, 2, 20)
    series = engine.backtest(history, [origin], horizon=5)
    tops = engine.backtest(total_history(history, names), [origin], horizon=5)
    told, totals = reconciled(series, names, tops, method="wls_struct")
    assert len(told) == 6 * 5
    summed = told.groupby("horizon")["mean"].sum()
    assert totals[totals["total_id"] == "*"]["mean"].tolist() == summed.tolist()


def test_totals_must_be_forecast_over_the_same_periods() -> None:
    names = total_names(ATTRIBUTES, [])
    with pytest.raises(FrameError, match="missing"):
        reconciled(frame({"a": [1.0]}), names, method="top_down")
    with pytest.raises(FrameError, match="lack periods"):
        reconciled(frame({"a": [1.0, 2.0]}), names, frame({"*": [1.0]}), method="top_down")
