"""The validator of history and the dense panel made of it."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_ml.engine import training_origin
from models_ml.frames import FrameError, checked_levels, validated
from models_ml.panel import Panel, Spans, densify

ROWS = pd.DataFrame(
    {
        "series_id": ["b", "a", "a"],
        "date": ["2025-01-03", "2025-01-04", "2025-01-01"],
        "quantity": [5, 2, 1],
    }
)


@pytest.mark.parametrize(
    ("flaw", "message"),
    [
        ({"quantity": [5, -2, 1]}, "negative"),
        ({"quantity": [5, np.inf, 1]}, "infinite"),
        ({"quantity": [5, None, 1]}, "null"),
        ({"series_id": ["b", None, "a"]}, "series_id"),
        ({"date": ["2025-01-03", None, "2025-01-01"]}, "date"),
        ({"date": ["2025-01-03", "2025-01-01", "2025-01-01"]}, "several rows on 2025-01-01"),
        ({"shelf": [1, 2, 3]}, "shelf: a static attribute must be text"),
    ],
)
def test_a_flaw_is_named(flaw: dict[str, list[object]], message: str) -> None:
    with pytest.raises(FrameError, match=message):
        validated(ROWS.assign(**flaw))


def test_a_missing_column_is_named() -> None:
    with pytest.raises(FrameError, match="lacks quantity"):
        validated(ROWS.drop(columns="quantity"))


def test_flaws_after_the_origin_do_not_matter() -> None:
    later = pd.DataFrame({"series_id": ["a"], "date": ["2025-02-01"], "quantity": [-1.0]})
    assert len(validated(pd.concat([ROWS, later]), date(2025, 1, 31))) == 3


def test_densify_fills_from_each_first_row_to_the_origin() -> None:
    dense = densify(ROWS, date(2025, 1, 5))
    assert dense["series_id"].tolist() == ["a"] * 5 + ["b"] * 3
    assert dense["quantity"].tolist() == [1, 0, 0, 2, 0, 5, 0, 0]
    assert dense["date"].dt.day.tolist() == [1, 2, 3, 4, 5, 3, 4, 5]


def test_weekly_and_monthly_labels_survive() -> None:
    weekly = pd.DataFrame({"series_id": "a", "date": ["2025-01-06", "2025-01-20"], "quantity": [1, 2]})
    assert densify(weekly, date(2025, 1, 27), season=52)["quantity"].tolist() == [1, 0, 2, 0]
    monthly = pd.DataFrame({"series_id": "a", "date": ["2024-11-01", "2025-02-01"], "quantity": [1, 2]})
    dense = densify(monthly, date(2025, 2, 1), season=12)
    assert dense["date"].dt.strftime("%Y-%m-%d").tolist() == ["2024-11-01", "2024-12-01", "2025-01-01", "2025-02-01"]


def test_labels_off_their_period_are_refused() -> None:
    with pytest.raises(FrameError, match="weekday"):
        densify(ROWS, date(2025, 1, 5), season=52)
    with pytest.raises(FrameError, match="first"):
        densify(ROWS, date(2025, 1, 5), season=12)
    with pytest.raises(FrameError, match="season 9"):
        densify(ROWS, date(2025, 1, 5), season=9)


def test_levels_are_sorted_and_checked() -> None:
    assert checked_levels([0.9, 0.1, 0.9]) == (0.1, 0.9)
    with pytest.raises(FrameError, match="between 0 and 1"):
        checked_levels([0.5, 1.0])


@given(st.integers(1, 40), st.integers(1, 9), st.data())
def test_spans_equal_plain_sums(periods: int, season: int, data: st.DataObject) -> None:
    values = np.random.default_rng(periods).integers(0, 9, (3, periods)).astype(float)
    spans = Spans(values, season)
    column = data.draw(st.integers(0, periods - 1))
    width = data.draw(st.integers(0, periods + 3))
    np.testing.assert_allclose(
        spans.last(column, width), values[:, max(column + 1 - width, 0) : column + 1].sum(axis=1)
    )
    count = data.draw(st.integers(0, 6))
    phases = [column - season * back for back in range(count) if column - season * back >= 0]
    np.testing.assert_allclose(spans.phase(column, count), values[:, phases].sum(axis=1))


def test_group_sums_count_every_series_once_even_without_a_value() -> None:
    rows = ROWS.assign(shop=["x", None, None])
    panel = Panel.of(rows, date(2025, 1, 5), 7)
    for name in ("", "shop"):
        assert panel.groups[name].spans.last(panel.last, 9).sum() == 8


@pytest.mark.parametrize(
    ("as_of", "first", "trained"),
    [
        (date(2025, 3, 1), None, date(2025, 2, 28)),
        (date(2025, 3, 31), None, date(2025, 2, 28)),
        (date(2025, 3, 31), date(2025, 3, 10), date(2025, 3, 10)),
        (date(2025, 4, 1), date(2025, 3, 10), date(2025, 3, 31)),
        (date(2025, 3, 5), date(2025, 3, 10), date(2025, 3, 5)),
    ],
)
def test_a_month_shares_one_model(as_of: date, first: date | None, trained: date) -> None:
    assert training_origin(as_of, first) == trained
