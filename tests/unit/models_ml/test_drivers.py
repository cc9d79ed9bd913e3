"""Drivers of low scores: planted effects are recovered within their intervals, chance is not taken for one."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from models_ml import drivers
from pipelines.demo.voices import NPS, SCALES


def answers(seed: int, n: int = 400) -> pd.DataFrame:
    """Promoter scores by the rule of the demo company, and a fact that has nothing to do with them."""
    scale = SCALES[NPS]
    rng = np.random.default_rng(seed)
    late = np.where(rng.random(n) < 0.15, rng.integers(1, 7, n), 0)
    score = np.clip(np.round(scale.base + scale.effect * late + scale.spread * rng.standard_normal(n)), 0, 10)
    return pd.DataFrame({"score": score, "is_low": score <= 6, "days_late": late, "is_blue": rng.random(n) < 0.3})


def test_the_planted_late_effect_lies_in_its_interval() -> None:
    """Of 60 companies about 57 intervals must hold the truth; fewer than 52 would be no 95 % (p < 0.01)."""
    covered, blamed = 0, 0
    for seed in range(60):
        found = drivers.key_drivers(answers(seed), ["days_late", "is_blue"]).set_index("driver")
        late = found.loc["days_late"]
        covered += late["score_effect_low"] <= SCALES[NPS].effect <= late["score_effect_high"]
        blamed += found.loc["is_blue", "is_significant"]
        assert late["priority"] == 1
        assert late["effect_low"] > 0
    assert covered >= 52
    assert blamed <= 8


def test_regressions_agree_with_scikit_learn() -> None:
    told = answers(1, n=2000)
    design = np.column_stack([np.ones(len(told)), told["days_late"], told["is_blue"]]).astype(float)
    is_low = told["is_low"].to_numpy(float)
    linear = drivers.fit_linear(design, told["score"].to_numpy(float))
    assert linear.coefficients[1:] == pytest.approx(LinearRegression().fit(design[:, 1:], told["score"]).coef_)
    spread = design[:, 1:].std(axis=0)
    judge = LogisticRegression(C=1 / drivers.PENALTY, tol=1e-10, max_iter=1000).fit(design[:, 1:] / spread, is_low)
    logistic = drivers.fit_logistic(design, is_low)
    assert logistic.coefficients[1:] * spread == pytest.approx(judge.coef_[0], abs=1e-4)
    assert logistic.coefficients[0] == pytest.approx(judge.intercept_[0], abs=1e-4)


def test_effects_by_hand() -> None:
    """40 of 100 with the fact are low, 10 of 100 without: 30 points, odds (40/60)/(10/90) = 6, 30 of 50 explained."""
    told = pd.DataFrame(
        {"is_low": [True] * 40 + [False] * 60 + [True] * 10 + [False] * 90, "fact": [1] * 100 + [0] * 100}
    )
    told["score"] = np.where(told["is_low"], 1.0, 5.0)
    (found,) = drivers.key_drivers(told, ["fact"]).to_dict("records")
    assert found["odds_ratio"] == pytest.approx(6, rel=0.05)
    assert found["effect_on_low_share"] == pytest.approx(0.3, abs=0.005)
    assert found["low_score_share_explained"] == pytest.approx(1 - 20 / 50, abs=0.01)
    assert found["effect_on_score"] == pytest.approx(-1.2)
    assert (found["n"], found["low_count"], found["with_driver_count"], found["prevalence"]) == (200, 50, 100, 0.5)


def test_a_fact_that_always_goes_with_low_scores_stays_finite() -> None:
    told = pd.DataFrame({"is_low": [True] * 30 + [False] * 90, "fact": [1] * 20 + [0] * 100, "score": 0.0})
    told.loc[~told["is_low"], "score"] = 4.0
    (found,) = drivers.key_drivers(told, ["fact"]).to_dict("records")
    assert np.isfinite([found["odds_ratio"], found["odds_ratio_high"], found["effect_high"]]).all()
    assert found["effect_low"] > 0.2


def test_what_cannot_be_told_apart_or_is_too_rare_is_left_out() -> None:
    told = answers(2).assign(same=lambda all_: all_["days_late"] * 2, nobody=0, few=0, everybody=1)
    told.loc[:8, "few"] = 1
    found = drivers.key_drivers(told, ["days_late", "same", "nobody", "few", "everybody"])
    assert list(found["driver"]) == ["days_late"]


def test_too_few_low_scores_give_no_driver() -> None:
    told = answers(3, n=60).assign(is_low=lambda all_: all_.index < 4)
    assert drivers.key_drivers(told, ["days_late", "is_blue"]).empty
    assert drivers.key_drivers(told.iloc[:0], ["days_late"]).empty


def test_units_of_a_fact_do_not_matter_but_for_its_effect() -> None:
    told = answers(4).assign(hours_late=lambda all_: all_["days_late"] * 24)
    (days,) = drivers.key_drivers(told, ["days_late"]).to_dict("records")
    (hours,) = drivers.key_drivers(told, ["hours_late"]).to_dict("records")
    assert hours["effect_on_low_share"] * 24 == pytest.approx(days["effect_on_low_share"], abs=1e-4)
    assert hours["low_score_share_explained"] == pytest.approx(days["low_score_share_explained"], abs=1e-5)
