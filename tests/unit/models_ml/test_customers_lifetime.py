"""Lifetime models against the figures their authors printed, and against simulated customers whose truth is known.

`cdnow.csv` is the sample of 2357 CDNOW customers that Fader and Hardie publish with both papers: repeat purchases and
ages in weeks over 39 weeks of 1997, and the mean value of the repeat purchases.
"""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_ml import customers_lifetime as lifetime
from models_ml import customers_spend as spend
from models_ml.customers_lifetime import Histories, LifetimeModel

PUBLISHED = LifetimeModel("bg_nbd", 0.243, 4.414, 0.793, 2.426, -9582.4)


@cache
def cdnow() -> pd.DataFrame:
    return pd.read_csv(Path(__file__).with_name("cdnow.csv"))


def histories(frame: pd.DataFrame) -> Histories:
    return Histories(*(frame[name].to_numpy(float) for name in ("repeats", "last_weeks", "age_weeks")))


def one(repeats: float, last: float, age: float) -> Histories:
    return Histories(np.array([repeats]), np.array([last]), np.array([age]))


def simulated(
    model: LifetimeModel, customers: int, weeks: float, seed: int
) -> tuple[Histories, np.ndarray, np.ndarray]:
    """Customers who live by the model: their first weeks, purchases in as many after, and who lived in between."""
    random = np.random.default_rng(seed)
    rates = random.gamma(model.r, 1 / model.alpha, customers)
    chances = random.beta(model.a, model.b, customers)
    found = []
    for rate, chance in zip(rates, chances, strict=True):
        at, repeats, last, later = 0.0, 0, 0.0, 0
        alive = model.name == "bg_nbd" or random.random() >= chance
        alive_then = alive
        while alive and (at := at + random.exponential(1 / rate)) < 2 * weeks:
            repeats, last, later = (repeats + 1, at, later) if at < weeks else (repeats, last, later + 1)
            alive = random.random() >= chance
            alive_then = alive if at < weeks else alive_then
        found.append((repeats, last, later, alive_then))
    repeats, last, later, alive = np.array(found, dtype=float).T
    return Histories(repeats, last, np.full(customers, weeks)), later, alive


@pytest.mark.parametrize(
    ("name", "parameters", "log_likelihood"),
    [
        # Table 2 of Fader, Hardie and Lee (2005); Batislam, Denizel and Filiztekin (2007) on the same customers.
        ("bg_nbd", (0.243, 4.414, 0.793, 2.426), -9582.4),
        ("mbg_nbd", (0.525, 6.183, 0.891, 1.614), -9582.1),
    ],
)
def test_parameters_of_cdnow_are_those_printed(
    name: lifetime.ModelName, parameters: tuple[float, ...], log_likelihood: float
) -> None:
    model = lifetime.fit_one(name, histories(cdnow()))
    assert (model.r, model.alpha, model.a, model.b) == pytest.approx(parameters, abs=6e-4)
    assert model.log_likelihood == pytest.approx(log_likelihood, abs=0.06)


def test_the_likelier_model_is_taken() -> None:
    assert lifetime.fit(histories(cdnow())).name == "mbg_nbd"


def test_the_worked_example_of_the_paper() -> None:
    """A customer of 39 weeks who came back twice, last in week 30, is expected 1.226 times in the next 39 weeks."""
    assert PUBLISHED.expected(one(2, 30.43, 38.86), 39) == pytest.approx([1.226], abs=5e-4)


def test_who_bought_once_is_alive_in_one_model_and_fades_in_the_other() -> None:
    assert PUBLISHED.alive(one(0, 0, 500)) == [1.0]
    modified = LifetimeModel("mbg_nbd", 0.525, 6.183, 0.891, 1.614, 0)
    # The odds of having left: a / b * ((alpha + T) / alpha) ** r.
    for age in (0.0, 39.0, 500.0):
        odds = 0.891 / 1.614 * ((6.183 + age) / 6.183) ** 0.525
        assert modified.alive(one(0, 0, age)) == pytest.approx([1 / (1 + odds)])


def test_hundreds_of_purchases_do_not_overflow() -> None:
    often = one(800, 103.9, 104)
    assert 0.5 < PUBLISHED.alive(often)[0] < 1
    assert 0 < PUBLISHED.expected(often, 52)[0] < 52 * (800 + 0.243) / (104 + 4.414)
    assert PUBLISHED.expected(one(800, 10, 104), 52) == pytest.approx([0])


@pytest.mark.parametrize("name", lifetime.MODELS)
@pytest.mark.parametrize(
    "parameters", [(0.243, 4.414, 0.793, 2.426), (2.71, 30.3, 0.057, 0.31), (0.11, 1.7, 6.3, 41.7)]
)
def test_expectations_are_the_closed_form(name: lifetime.ModelName, parameters: tuple[float, ...]) -> None:
    """Equation 10 of the paper as printed, with the hypergeometric function, where that can be computed."""
    from scipy.special import hyp2f1

    model = LifetimeModel(name, *parameters, 0)
    r, alpha, a, b = parameters
    for x, last, age in ((0, 0.0, 20.0), (1, 3.0, 60.0), (7, 50.0, 52.0)):
        beta = b + x + (name == "mbg_nbd")
        series = hyp2f1(r + x, beta, a + beta - 1, 13 / (alpha + age + 13))
        above = (a + beta - 1) / (a - 1) * (1 - ((alpha + age) / (alpha + age + 13)) ** (r + x) * series)
        can_have_left = name == "mbg_nbd" or x > 0
        below = 1 + can_have_left * a / (beta - 1) * ((alpha + age) / (alpha + last)) ** (r + x)
        assert model.expected(one(x, last, age), 13) == pytest.approx([above / below], rel=1e-6)


@pytest.mark.parametrize("name", lifetime.MODELS)
def test_simulated_customers_are_understood(name: lifetime.ModelName) -> None:
    truth = LifetimeModel(name, 0.8, 6.0, 0.7, 2.5, 0)
    seen, later, alive = simulated(truth, 6000, 52, seed=7)
    model = lifetime.fit(seen)
    assert model.name == name
    assert (model.r, model.alpha) == pytest.approx((truth.r, truth.alpha), rel=0.15)
    assert model.a / (model.a + model.b) == pytest.approx(truth.a / (truth.a + truth.b), rel=0.15)
    # What is expected is what came, over all and in each class of repeaters, within four standard errors.
    expected = model.expected(seen, 52)
    for group in (seen.repeats >= 0, seen.repeats == 0, seen.repeats == 1, seen.repeats > 3):
        error = later[group] - expected[group]
        assert abs(error.mean()) < 4 * error.std() / np.sqrt(group.sum())
        # Who left and who buys rarely look alike in a year, so this asks the formula and not the estimate.
        lived = alive[group] - truth.alive(seen)[group]
        assert abs(lived.mean()) < 4 * lived.std() / np.sqrt(group.sum()) + 1e-9


def test_the_order_of_customers_changes_no_digit() -> None:
    shuffled = cdnow().sample(frac=1, random_state=3)
    assert lifetime.fit(histories(shuffled)) == lifetime.fit(histories(cdnow()))


def test_a_handful_of_customers_is_refused() -> None:
    few = Histories(np.ones(99), np.ones(99), np.full(99, 2.0))
    with pytest.raises(ValueError, match="100 customers"):
        lifetime.fit(few)


@given(
    repeats=st.integers(0, 400),
    age=st.floats(0.2, 600),
    share=st.floats(0.01, 1),
    model=st.builds(
        LifetimeModel, st.sampled_from(lifetime.MODELS), *(st.floats(low, high) for low, high in
        ((0.05, 20), (0.1, 200), (0.05, 20), (0.05, 20))), st.just(0.0),
    ),
)  # fmt: skip
def test_expectations_grow_with_the_horizon_and_stay_below_a_life_without_leaving(
    repeats: int, age: float, share: float, model: LifetimeModel
) -> None:
    history = one(repeats, age * share if repeats else 0, age)
    alive = model.alive(history)[0]
    expected = [model.expected(history, horizon)[0] for horizon in (1, 10, 100)]
    assert 0 <= alive <= 1
    assert -1e-9 <= expected[0] <= expected[1] + 1e-9 <= expected[2] + 2e-9
    assert expected[2] <= 100 * (model.r + repeats) / (model.alpha + age) * (1 + 1e-6) + 1e-9


def test_spend_parameters_of_cdnow_are_those_printed() -> None:
    """Fader and Hardie (2013): p = 6.25, q = 3.74, gamma = 15.45 from the customers who came back."""
    repeaters = cdnow().query("repeats > 0")
    purchases, values = repeaters["repeats"].to_numpy(float), repeaters["mean_value"].to_numpy(float)
    model = spend.fit(purchases, values)
    assert (model.p, model.q, model.gamma) == pytest.approx((6.25, 3.74, 15.45), abs=0.01)
    # A mean of few purchases is drawn towards that of all; one of none is that of all.
    assert model.expected(np.array([0.0]), np.array([0.0])) == pytest.approx([model.mean])
    towards = model.expected(np.array([1.0, 10.0, 1000.0]), np.full(3, 100.0))
    assert model.mean < towards[0] < towards[1] < towards[2] < 100
    assert towards[2] == pytest.approx(100, rel=1e-2)


def test_customers_who_cost_money_do_not_spoil_the_fit() -> None:
    repeaters = cdnow().query("repeats > 0")
    purchases, values = repeaters["repeats"].to_numpy(float), repeaters["mean_value"].to_numpy(float)
    with_losses = spend.fit(np.append(purchases, 3.0), np.append(values, -50.0))
    assert with_losses == spend.fit(purchases, values)
    assert with_losses.expected(np.array([3.0]), np.array([-50.0]))[0] < 0
    with pytest.raises(ValueError, match="30 customers"):
        spend.fit(purchases[:40], -values[:40])


def test_discounting_makes_later_purchases_count_less() -> None:
    history = one(4, 30, 38)
    plain = spend.discounted_purchases(PUBLISHED, history, horizon=52, discount=0.0)
    assert plain == pytest.approx(PUBLISHED.expected(history, 52))
    quarters = [PUBLISHED.expected(history, 13 * quarter)[0] for quarter in range(5)]
    by_hand = sum((quarters[n + 1] - quarters[n]) / 1.1 ** ((n + 0.5) / 4) for n in range(4))
    assert spend.discounted_purchases(PUBLISHED, history, horizon=52, discount=0.1) == pytest.approx([by_hand])
    fine = spend.discounted_purchases(PUBLISHED, history, horizon=52, discount=0.1, steps=365)
    assert by_hand == pytest.approx(fine[0], rel=1e-3)
