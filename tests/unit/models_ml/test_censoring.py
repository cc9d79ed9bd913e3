"""Demand behind sales: expectations done by hand, planted stock-outs, and those of the demo generator."""

import numpy as np
import pandas as pd
import pytest
from panels import START, long_frame

from models_ml.censoring import _expected_above, unconstrain
from models_ml.frames import FrameError
from pipelines.demo.company import generate


def expected_above(mean: float, above: float, dispersion: float, *, is_whole: bool) -> float:
    arrays = (np.array([value]) for value in (mean, above, dispersion))
    return float(_expected_above(*arrays, np.array([is_whole]))[0])


def test_without_memory_what_is_missing_is_the_mean() -> None:
    # Size 1 is the geometric distribution, shape 1 the exponential: both forget what they have passed.
    assert expected_above(4.0, 6.0, 5.0, is_whole=True) == pytest.approx(7 + 4)
    assert expected_above(4.0, 6.0, 4.0, is_whole=False) == pytest.approx(6 + 4)


def test_knowing_only_that_demand_is_not_negative_it_is_the_mean() -> None:
    assert expected_above(4.0, -1.0, 3.0, is_whole=True) == pytest.approx(4.0)


def test_what_could_hardly_happen_is_just_above_sales() -> None:
    assert expected_above(1.0, 500.0, 1.02, is_whole=True) == 501.0


def planted(*, seed: int, stock: tuple[int, int]) -> tuple[pd.DataFrame, np.ndarray]:
    """Weekly Poisson demand; on every third day only so much stock as is drawn. The history, and true demand."""
    rng = np.random.default_rng(seed)
    week = np.array([0.6, 0.8, 1.0, 1.1, 1.4, 1.6, 0.5])
    mean = rng.uniform(4, 30, (40, 1)) * np.resize(week, 210)
    demand = rng.poisson(mean)
    on_hand = np.where(rng.random(demand.shape) < 1 / 3, rng.integers(*stock, demand.shape), 10_000)
    history = long_frame(np.minimum(demand, on_hand))
    return history.assign(is_censored=(demand >= on_hand).ravel()), demand.ravel().astype(float)


@pytest.mark.parametrize("stock", [(0, 1), (0, 12), (5, 20)])
def test_planted_demand_is_found_within_two_percent(stock: tuple[int, int]) -> None:
    history, demand = planted(seed=3, stock=stock)
    told = unconstrain(history)
    at = history["is_censored"].to_numpy()
    assert told.loc[at, "quantity"].sum() < 0.9 * demand[at].sum()
    assert told["unconstrained_quantity"].sum() == pytest.approx(demand.sum(), rel=0.02)
    assert told.loc[at, "unconstrained_quantity"].sum() == pytest.approx(demand[at].sum(), rel=0.02)


def test_both_series_are_kept_and_only_censored_periods_change() -> None:
    history, _ = planted(seed=4, stock=(0, 12))
    told = unconstrain(history)
    pd.testing.assert_frame_equal(told[history.columns.tolist()], history, check_dtype=False)
    open_days = ~told["is_censored"]
    assert (told.loc[open_days, "unconstrained_quantity"] == told.loc[open_days, "quantity"]).all()
    assert (told["unconstrained_quantity"] >= told["quantity"]).all()


def test_strictly_above_is_never_less() -> None:
    history, _ = planted(seed=4, stock=(0, 12))
    at_least, above = (unconstrain(history, strictly_above=each)["unconstrained_quantity"] for each in (False, True))
    assert (above >= at_least - 0.05 * at_least.max()).all()
    assert above.sum() > at_least.sum()


def test_a_promotion_is_taken_into_account() -> None:
    """Half of the promoted days run out at once; without knowing of promotions half of their demand would be missed."""
    rng = np.random.default_rng(6)
    promotion = np.resize(np.repeat([0, 1], [28, 7]), 280)
    demand = rng.poisson(10 * 3.0**promotion, (20, 280))
    out = (promotion == 1) & (rng.random(demand.shape) < 0.5)
    history = long_frame(np.where(out, 0, demand)).assign(
        is_censored=out.ravel(), promotion=np.tile(promotion, 20).astype(float)
    )
    told = unconstrain(history)["unconstrained_quantity"]
    assert told[out.ravel()].sum() == pytest.approx(demand[out].sum(), rel=0.02)
    blind = unconstrain(history.drop(columns="promotion"))["unconstrained_quantity"]
    assert blind[out.ravel()].sum() < 0.8 * demand[out].sum()


@pytest.mark.slow
@pytest.mark.parametrize("exact", [True, False], ids=["flag is exact", "flag is stock at zero"])
def test_the_generators_planted_censoring(truth: pd.DataFrame, exact: bool) -> None:
    flag = truth["is_censored"] if exact else truth["closing_units"] == 0
    assert truth["sales_units"].sum() < 0.97 * truth["demand_units"].sum()
    history = truth[["series_id", "date", "quantity"]].assign(is_censored=flag)
    told = unconstrain(history, strictly_above=exact)
    assert told["unconstrained_quantity"].sum() == pytest.approx(truth["demand_units"].sum(), rel=0.02)


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    out = tmp_path_factory.mktemp("demo") / "landing"
    rows = generate(out, days=3, scale=0.15, history_days=300, dirty=False).table("demand").to_pandas()
    return rows.assign(
        series_id=rows["product_id"] + "|" + rows["location_id"],
        date=pd.to_datetime(rows["business_on"]),
        quantity=rows["sales_units"].astype(float),
    )


def test_without_a_stock_out_demand_is_sales() -> None:
    history = long_frame(np.ones((2, 5))).assign(is_censored=False)
    assert unconstrain(history)["unconstrained_quantity"].tolist() == [1.0] * 10
    assert unconstrain(history[:0])["unconstrained_quantity"].empty


def test_a_series_that_never_sold_stays_finite() -> None:
    history = long_frame(np.zeros((1, 30))).assign(is_censored=True)
    told = unconstrain(history)["unconstrained_quantity"]
    assert np.isfinite(told).all()
    assert (told < 1e-3).all()


def test_every_row_must_say_whether_it_was_censored() -> None:
    history = pd.DataFrame({"series_id": ["a"], "date": [START], "quantity": [1.0]})
    with pytest.raises(FrameError, match="is_censored"):
        unconstrain(history)
    with pytest.raises(FrameError, match="is_censored"):
        unconstrain(history.assign(is_censored=None))
