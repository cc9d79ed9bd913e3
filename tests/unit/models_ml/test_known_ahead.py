"""What is known ahead: read past the origin, never demand; planted price and promotion effects are found."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from panels import START, long_frame

from models_ml import engine
from models_ml.frames import FrameError
from models_ml.panel import Panel

PERIODS, HORIZON, SERIES = 300, 14, 24
ORIGIN = (START + pd.Timedelta(days=PERIODS - HORIZON - 1)).date()
UPLIFT, ELASTICITY = 2.0, 1.5


@pytest.fixture(scope="module")
def panel() -> pd.DataFrame:
    """Promotions of a week double demand; a price that goes up 30 % cuts it by elasticity; both vary by series."""
    rng = np.random.default_rng(11)
    promotion = np.zeros((SERIES, PERIODS))
    price = np.full((SERIES, PERIODS), 10.0)
    for index in range(SERIES):
        for begin in range(int(rng.integers(0, 30)), PERIODS, 30):
            promotion[index, begin : begin + 7] = 1
        for begin in range(int(rng.integers(0, 40)), PERIODS, 40):
            price[index, begin : begin + 20] *= rng.choice([0.8, 1.3])
    promotion[:, -HORIZON:], price[:, -HORIZON:] = 0, 10.0
    promotion[: SERIES // 2, -HORIZON:] = 1
    price[::2, -HORIZON:] = 13.0
    level = rng.uniform(20, 60, (SERIES, 1))
    history = long_frame(rng.poisson(level * UPLIFT**promotion * (price / 10) ** -ELASTICITY))
    return history.assign(promotion=promotion.ravel(), price=price.ravel())


def known_ahead(panel: pd.DataFrame) -> pd.DataFrame:
    return panel[["series_id", "date", "price", "promotion"]]


@pytest.fixture(scope="module")
def model(panel: pd.DataFrame) -> engine.Model:
    return engine.fit(panel, origin=ORIGIN, horizon=HORIZON, known_ahead=known_ahead(panel))


def trees_of(forecasts: pd.DataFrame) -> pd.Series:
    return forecasts[forecasts["model"] == "trees"].groupby("series_id")["mean"].mean()


def test_planted_effects_are_found(panel: pd.DataFrame, model: engine.Model) -> None:
    ahead = known_ahead(panel)
    future = ahead["date"] > pd.Timestamp(ORIGIN)

    def mean(**planned: float) -> float:
        asked = ahead.copy()
        for name, value in planned.items():
            asked.loc[future, name] = value
        return trees_of(model.forecast(panel, ORIGIN, known_ahead=asked)).sum()

    assert mean(promotion=1, price=10) / mean(promotion=0, price=10) == pytest.approx(UPLIFT, rel=0.15)
    assert mean(promotion=0, price=13) / mean(promotion=0, price=10) == pytest.approx(1.3**-ELASTICITY, rel=0.15)


def test_knowing_ahead_beats_not_knowing(panel: pd.DataFrame, model: engine.Model) -> None:
    actual = panel[panel["date"] > pd.Timestamp(ORIGIN)].groupby("series_id")["quantity"].mean()
    knowing = trees_of(model.forecast(panel, ORIGIN, known_ahead=known_ahead(panel)))
    blind = engine.fit(panel.drop(columns=["price", "promotion"]), origin=ORIGIN, horizon=HORIZON)
    not_knowing = trees_of(blind.forecast(panel.drop(columns=["price", "promotion"]), ORIGIN))
    assert (knowing - actual).abs().sum() < 0.4 * (not_knowing - actual).abs().sum()


@pytest.mark.slow
def test_demand_after_the_origin_does_not_matter_though_its_plans_do(panel: pd.DataFrame, model: engine.Model) -> None:
    told = model.forecast(panel, ORIGIN, known_ahead=known_ahead(panel))
    future = panel["date"] > pd.Timestamp(ORIGIN)
    poisoned = panel.assign(quantity=panel["quantity"].where(~future, 1e9))
    for history in (poisoned, panel[~future]):
        pd.testing.assert_frame_equal(model.forecast(history, ORIGIN, known_ahead=known_ahead(panel)), told)
        again = engine.fit(history, origin=ORIGIN, horizon=HORIZON, known_ahead=known_ahead(panel))
        pd.testing.assert_frame_equal(again.forecast(history, ORIGIN, known_ahead=known_ahead(panel)), told)


def test_plans_within_history_end_at_the_origin(panel: pd.DataFrame) -> None:
    short = panel[panel["date"] < START + pd.Timedelta(days=60)]
    origin = (START + pd.Timedelta(days=50)).date()
    cut = short[short["date"] <= pd.Timestamp(origin)]
    told = engine.backtest(short, [origin], horizon=3)
    pd.testing.assert_frame_equal(engine.backtest(cut, [origin], horizon=3), told)


def test_a_price_holds_until_the_next_and_no_promotion_known_is_none() -> None:
    history = pd.DataFrame({"series_id": "a", "date": pd.date_range("2025-01-01", periods=4), "quantity": 1.0})
    ahead = pd.DataFrame(
        {
            "series_id": ["a", "a", "b"],
            "date": ["2025-01-02", "2025-01-06", "2025-01-02"],
            "price": [2.0, 3.0, 9.0],
            "promotion": [None, 1.0, 1.0],
        }
    )
    known = Panel.of(history, date(2025, 1, 4), 7, known_ahead=ahead, reach=3).known
    assert known["price"].tolist() == [[2, 2, 2, 2, 2, 3, 3]]
    assert known["promotion"].tolist() == [[0, 0, 0, 0, 0, 1, 0]]


@pytest.mark.parametrize(
    ("flaw", "message"),
    [
        ({"price": [np.inf, 1.0]}, "price: some values are infinite"),
        ({"date": ["2025-01-01", "2025-01-01"]}, "several rows on 2025-01-01"),
        ({"date": [None, "2025-01-01"]}, "date"),
    ],
)
def test_a_flaw_is_named(flaw: dict[str, list[object]], message: str) -> None:
    history = pd.DataFrame({"series_id": ["a"], "date": ["2025-01-01"], "quantity": [1.0]})
    ahead = pd.DataFrame({"series_id": "a", "date": ["2025-01-01", "2025-01-02"], "price": [1.0, 2.0]}).assign(**flaw)
    with pytest.raises(FrameError, match=message):
        Panel.of(history, date(2025, 1, 1), 7, known_ahead=ahead, reach=2)


def test_nothing_known_ahead_is_refused() -> None:
    history = pd.DataFrame({"series_id": ["a"], "date": ["2025-01-01"], "quantity": [1.0]})
    with pytest.raises(FrameError, match="none of price"):
        Panel.of(history, date(2025, 1, 1), 7, known_ahead=history[["series_id", "date"]], reach=2)
