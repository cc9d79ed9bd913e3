"""From a frame of customers to expectations and grades: calendar, basis of value and hold-out by hand."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from models_ml import customers
from models_ml.cards import Source
from models_ml.customers_lifetime import LifetimeModel
from models_ml.customers_spend import SpendModel

DAY = date(2026, 3, 31)
BG = LifetimeModel("bg_nbd", 0.243, 4.414, 0.793, 2.426, 0.0)


def frame(*rows: tuple[str, int, str, str, float, float]) -> pd.DataFrame:
    """Rows of (customer_id, purchases, first_on, last_on, revenue, margin); all revenue has a cost."""
    found = pd.DataFrame(rows, columns=["customer_id", "purchases", "first_on", "last_on", "revenue", "margin"])
    found[["first_on", "last_on"]] = found[["first_on", "last_on"]].astype("datetime64[us]")
    return found.assign(costed_revenue=found["revenue"])


def crowd(seed: int = 1, count: int = 400) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    first = pd.Timestamp(DAY) - pd.to_timedelta(random.integers(100, 400, count), "D")
    again = random.poisson(1.0, count)
    last = first + pd.to_timedelta(np.where(again > 0, random.integers(1, 100, count), 0), "D")
    revenue = (1 + again) * random.gamma(6, 10, count).round(2)
    rows = zip((f"C{n}" for n in range(count)), 1 + again, first, last, revenue, revenue / 2, strict=True)
    return frame(*rows)  # type: ignore[arg-type]


def test_histories_are_in_weeks_after_the_first_purchase() -> None:
    known = customers.histories(frame(("ann", 3, "2026-01-06", "2026-02-17", 90.0, 30.0)), DAY)
    assert (known.repeats, known.last, known.age) == (2.0, 6.0, 12.0)


def test_value_is_margin_where_costs_are_known_and_revenue_elsewhere() -> None:
    known = crowd()
    model = customers.fit(known, DAY)
    assert model is not None
    assert model.basis == "margin"
    without = known.assign(costed_revenue=known["revenue"] * 0.89)
    other = customers.fit(without, DAY)
    assert other is not None
    assert other.basis == "revenue"
    # Margin is half of revenue, for everyone.
    one, two = (customers.expectations(each, known, DAY)["clv"] for each in (model, other))
    assert one.sum() == pytest.approx(two.sum() / 2, rel=1e-3)


def test_too_few_customers_have_no_model() -> None:
    assert customers.fit(crowd(count=99), DAY) is None
    assert customers.fit(crowd().assign(purchases=1), DAY) is None


def test_neither_names_nor_order_change_a_figure() -> None:
    known = crowd()
    renamed = known.assign(customer_id=known["customer_id"].map("erased-{}".format)).sample(frac=1, random_state=2)
    one, other = customers.fit(known, DAY), customers.fit(renamed, DAY)
    assert one is not None
    assert other is not None
    assert one == other
    assert one.card() == other.card()
    assert one.card().record()["data_rows"] == len(known)
    richer = customers.fit(known.assign(revenue=known["revenue"] + 1), DAY)
    assert richer is not None
    assert richer.card().data.digest != one.card().data.digest
    left = customers.expectations(one, known, DAY)
    right = customers.expectations(one, renamed, DAY).assign(customer_id=lambda rows: rows["customer_id"].str[7:])
    right = right.set_index("customer_id").loc[left["customer_id"]].reset_index()
    pd.testing.assert_frame_equal(left, right, check_exact=False, atol=1e-6)


def test_expectations_are_those_of_the_two_models() -> None:
    model = customers.CustomerModel(Source("", DAY, 0), BG, "margin", SpendModel(6.25, 3.74, 15.44))
    known = frame(("ann", 3, "2026-01-06", "2026-02-17", 90.0, 30.0), ("bob", 1, "2026-03-31", "2026-03-31", 9.0, -3.0))
    found = customers.expectations(model, known, DAY)
    assert found["p_alive"].tolist() == pytest.approx(BG.alive(customers.histories(known, DAY)), abs=1e-6)
    assert found["p_alive"][1] == 1.0
    # (p * (gamma + purchases * mean)) / (p * purchases + q - 1), with a margin of 10 and of -3 a purchase.
    assert found["expected_value"][0] == pytest.approx(6.25 * (15.44 + 30) / (6.25 * 3 + 2.74), abs=1e-4)
    assert found["expected_value"][1] == pytest.approx(6.25 * (15.44 - 3) / (6.25 + 2.74), abs=1e-4)
    undiscounted = found["expected_purchases"] * found["expected_value"]
    assert (found["clv"] < undiscounted).all()
    assert (found["clv"] > undiscounted / 1.1).all()
    nothing_known = customers.expectations(customers.CustomerModel(Source("", DAY, 0), BG, "margin", None), known, DAY)
    assert nothing_known["clv"].isna().all()


@pytest.mark.parametrize(
    ("first", "days"), [("2024-01-01", 182), ("2025-10-01", 90), ("2025-12-09", 56), ("2025-12-10", 0)]
)
def test_the_hold_out_is_half_of_the_history_and_at_most_half_a_year(first: str, days: int) -> None:
    assert customers.holdout_days(date.fromisoformat(first), DAY) == days


def test_grades_count_what_came_by_number_of_repeats() -> None:
    model = customers.CustomerModel(Source("", date(2026, 1, 6), 0), BG, "revenue", None)
    before = frame(
        ("ann", 1, "2026-01-06", "2026-01-06", 1.0, 0.0),
        ("bob", 1, "2025-12-30", "2025-12-30", 1.0, 0.0),
        ("cid", 6, "2025-01-07", "2025-12-30", 1.0, 0.0),
    )
    after = pd.DataFrame({"customer_id": ["bob", "cid", "new"], "purchases": [2, 3, 9]})
    found = customers.grade(model, before, after, days=84)
    assert found[["repeat_group", "customers", "actual_purchases"]].to_numpy().tolist() == [
        ["all", 3, 5],
        ["0", 2, 2],
        ["4-6", 1, 3],
    ]
    expected = BG.expected(customers.histories(before, model.trained_on), 12.0)
    assert found["expected_purchases"].tolist() == pytest.approx(
        [expected.sum(), expected[:2].sum(), expected[2]], abs=1e-4
    )
