"""Groups of customers: planted groups are found, keep their numbers, and depend on nothing but the customers."""

import numpy as np
import pandas as pd
import pytest

from models_ml import customers_segments as segments

# (customers, days since the last purchase, purchases, revenue): four kinds of customers that nobody would mix up.
KINDS = {
    "whales": (60, 10, 30, 50_000),
    "loyal": (200, 20, 8, 2_000),
    "new": (300, 8, 1, 60),
    "gone": (400, 400, 1, 50),
}


def planted(seed: int, months_later: int = 0) -> pd.DataFrame:
    """Customers of each kind, scattered by a fifth; the gone are gone for longer as months pass."""
    random = np.random.default_rng(seed)
    rows = []
    for kind, (count, *means) in KINDS.items():
        values = np.array(means) * np.exp(random.normal(0, 0.2, (count, 3)))
        values[:, 0] += 30 * months_later * (kind == "gone")
        values[:, 1] = np.maximum(values[:, 1].round(), 1)
        rows.append(pd.DataFrame(values, columns=list(segments.FEATURES)).assign(kind=kind))
    return pd.concat(rows, ignore_index=True)


def numbers_by_kind(grouping: segments.Grouping, customers: pd.DataFrame) -> dict[str, set[int]]:
    numbers = pd.Series(grouping.numbers_of(segments.features_of(customers)))
    return {str(kind): set(numbers[customers["kind"] == kind]) for kind in KINDS}


def test_planted_groups_are_found_numbered_by_revenue_and_kept() -> None:
    first = segments.next_month(None, segments.features_of(planted(1)))
    assert first is not None
    assert first.agreement >= segments.AGREEMENT
    before = numbers_by_kind(first, planted(1))
    assert min(before["whales"]) == 1
    # No group holds two kinds.
    assert all(not before[one] & before[other] for one in KINDS for other in KINDS if one < other)
    grouping, customers = first, planted(1)
    for month in range(1, 15):
        customers = planted(1 + month, months_later=month)
        moved = segments.next_month(grouping, segments.features_of(customers))
        assert moved is not None
        grouping = moved
    assert grouping.months == 2, "the number of groups is chosen once a year"
    after = numbers_by_kind(grouping, customers)
    assert all(before[kind] & after[kind] for kind in KINDS)


def test_the_order_of_customers_changes_nothing() -> None:
    customers = planted(3)
    shuffled = customers.sample(frac=1, random_state=1)
    one = segments.next_month(None, segments.features_of(customers))
    other = segments.next_month(None, segments.features_of(shuffled))
    assert one is not None
    assert other is not None
    assert (one.centres == other.centres).all()
    assert (one.numbers == other.numbers).all()


def test_a_handful_of_customers_has_no_groups() -> None:
    assert segments.next_month(None, segments.features_of(planted(1).head(99))) is None
    alike = pd.DataFrame({"recency_days": [1.0] * 500, "purchases": [1.0] * 500, "revenue": [9.0] * 500})
    assert segments.next_month(None, segments.features_of(alike)) is None


def test_new_numbers_are_given_to_groups_that_were_not_there() -> None:
    old = segments.Grouping(np.array([[0.0, 0.0, 5.0], [0.0, 0.0, 1.0]]), np.array([4, 7]), np.ones(3), 1.0, 11)
    centres = np.array([[0.0, 0.0, 1.1], [0.0, 0.0, 9.0], [0.0, 0.0, 5.2]])
    assert segments._numbers(centres, np.ones(3), old).tolist() == [7, 8, 4]


def test_customers_who_cost_money_are_counted_as_worth_nothing() -> None:
    loss = pd.DataFrame({"recency_days": [30.0], "purchases": [1.0], "revenue": [-20.0]})
    assert segments.features_of(loss) == pytest.approx(np.log1p([[1.0, 1.0, 0.0]]))


def test_words_follow_from_figures() -> None:
    customers = planted(1)
    customers["number"] = customers["kind"].map({"whales": 1, "loyal": 2, "new": 3, "gone": 4})
    found = segments.profiles(customers).set_index("number")
    assert (
        found["name"].tolist()
        == [
            "recent regular very big",
            "recent regular very big",
            "recent one-time medium",
            "lapsed one-time medium",
        ]
        or found["name"].is_unique
    )
    assert found["customers"].tolist() == [count for count, *_ in KINDS.values()]
    assert found.loc[4, "name"].startswith("lapsed one-time")
    assert found.loc[3, "recency_days"] == customers.loc[customers["number"] == 3, "recency_days"].median()
