"""Rules of the demo company, each against a hand-made or naive answer."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.demo import feeds, sales
from pipelines.demo.catalogue import draw_products, draw_suppliers
from pipelines.demo.defects import CSV_KINDS, Sound, kinds_of_day, spoil
from pipelines.demo.plan import Plan
from pipelines.demo.supply import Stock

PLAN = Plan(seed=1, days=30, scale=0.1, history_days=420, dirty=True)


def web_lines(fate: int, *, quantity: int = 3, shipped: int = 11, delivered: int = 13, fixed: int) -> sales.Lines:
    one = {"order": 1, "line_no": 1, "second": 40_000, "product": 0, "customer": 0, "currency": 0}
    course = {"price": 1000, "discount": 100, "fate": fate, "shipped": shipped, "delivered": delivered, "fixed": fixed}
    arrays = {name: np.array([value]) for name, value in {**one, "quantity": quantity, **course}.items()}
    return sales.Lines(day=10, location=0, **arrays)


@pytest.mark.parametrize(
    ("lines", "as_of", "state", "quantity", "net", "is_deleted"),
    [
        (web_lines(sales.NORMAL, fixed=sales.NEVER), 10, "open", 3, 2900, False),
        (web_lines(sales.NORMAL, fixed=sales.NEVER), 11, "shipped", 3, 2900, False),
        (web_lines(sales.NORMAL, fixed=sales.NEVER), 13, "delivered", 3, 2900, False),
        (web_lines(sales.CANCELLED, fixed=11), 10, "open", 3, 2900, False),
        (web_lines(sales.CANCELLED, fixed=11), 11, "cancelled", 0, 0, False),
        (web_lines(sales.REPRICED, fixed=14), 14, "delivered", 3, 2600, False),
        (web_lines(sales.CUT, fixed=11), 11, "shipped", 2, 1900, False),
        (web_lines(sales.CUT, quantity=1, fixed=11), 11, "shipped", 1, 900, False),
        (web_lines(sales.WITHDRAWN, shipped=sales.NEVER, delivered=sales.NEVER, fixed=12), 12, "open", 3, 0, True),
    ],
)
def test_a_line_is_shown_as_known_on_the_day(
    lines: sales.Lines, as_of: int, state: str, quantity: int, net: int, is_deleted: bool
) -> None:
    known = sales.known(lines, as_of)

    assert sales.STATUSES[known.status[0]] == state
    assert (known.quantity[0], known.net[0], known.is_deleted[0]) == (quantity, net, is_deleted)


def test_news_comes_on_the_days_of_change_only() -> None:
    lines = web_lines(sales.REPRICED, fixed=14)
    assert [day for day in range(10, 20) if sales.has_news(lines, day)[0]] == [11, 13, 14]


@given(
    wanted=st.lists(st.tuples(st.integers(0, 5), st.integers(1, 9)), max_size=40),
    on_hand=st.lists(st.integers(0, 20), min_size=6, max_size=6),
)
def test_stock_serves_first_come_first_served(wanted: list[tuple[int, int]], on_hand: list[int]) -> None:
    rng = np.random.default_rng(0)
    suppliers = draw_suppliers(PLAN, rng)
    stock = Stock(PLAN, draw_products(PLAN, suppliers, rng), suppliers, rng)
    stock.on_hand[:] = 0
    stock.on_hand[:6] = on_hand
    wanted = sorted(wanted, key=lambda each: each[0])
    series, units = (np.array([each[part] for each in wanted], dtype=np.int64) for part in (0, 1))

    left = list(on_hand)
    expected = []
    for number, quantity in wanted:
        expected.append(min(left[number], quantity))
        left[number] -= expected[-1]
    assert stock.serve(series, units).tolist() == expected


@pytest.mark.parametrize(
    ("on", "midnight"),
    [
        ("2026-03-28", "2026-03-27T23:00:00+00:00"),
        # Clocks go forward at 02:00; moments after 05:00 count from the summer offset.
        ("2026-03-29", "2026-03-28T22:00:00+00:00"),
        ("2025-10-26", "2025-10-25T23:00:00+00:00"),
        ("2026-06-30", "2026-06-29T22:00:00+00:00"),
    ],
)
def test_moments_of_a_day_count_from_its_offset_at_noon(on: str, midnight: str) -> None:
    day = next(day for day in range(PLAN.total) if PLAN.on(day).isoformat() == on)
    assert datetime.fromtimestamp(int(PLAN.midnights[day]), UTC).isoformat() == midnight


def test_shops_are_shut_on_sundays_and_holidays() -> None:
    shut = {PLAN.on(day).isoformat() for day in range(PLAN.first, PLAN.total) if not PLAN.shops_open(day)}
    assert shut == {"2026-06-07", "2026-06-14", "2026-06-21", "2026-06-28"}
    christmas = next(day for day in range(PLAN.total) if PLAN.on(day).isoformat() == "2025-12-25")
    assert not PLAN.shops_open(christmas)


def test_money_and_moments_are_written_exactly() -> None:
    amounts = feeds.cents(np.array([0, 5, -105, 123456789]))
    assert amounts.cast(pa.string()).to_pylist() == ["0.00", "0.05", "-1.05", "1234567.89"]
    assert feeds.comma(amounts).to_pylist() == ["0,00", "0,05", "-1,05", "1234567,89"]
    epoch = np.array([0, 86399, 1_780_272_000])
    assert feeds.stamps(epoch, np.array([False, True, False])).to_pylist() == [
        "1970-01-01T00:00:00Z",
        None,
        "2026-06-01T00:00:00Z",
    ]


@given(days=st.integers(1, 40), index=st.integers(0, 39))
def test_all_kinds_of_defects_fit_into_any_number_of_days(days: int, index: int) -> None:
    planted = {kind for day in range(days) for kind in kinds_of_day(CSV_KINDS, day, days)}
    assert planted == set(CSV_KINDS) or days < len(CSV_KINDS) <= len(planted) * days
    assert kinds_of_day(CSV_KINDS, index, days) == kinds_of_day(CSV_KINDS, index, days)


def test_a_defect_spoils_one_thing() -> None:
    sound = Sound({"k": "", "t": "A", "n": "1", "d": "2026-01-01"}, "k", "t", "n", "d", "not_a_date")
    spoiled = {kind: spoil(sound, kind, 7) for kind in CSV_KINDS}
    lines = {kind: each.lines for kind, each in spoiled.items() if each is not None}
    assert lines == {
        "short_record": (b"90000007,A",),
        "bad_number": (b"90000007,A,1O.5,2026-01-01",),
        "conflicting_key": (b"90000007,A,1,2026-01-01", b"90000007,A,7,2026-01-01"),
        "long_record": (b"90000007,A,1,2026-01-01,more",),
        "bad_moment": (b"90000007,A,1,31.02.2026",),
        "exact_duplicate": (),
        "missing_key": (b",A,1,2026-01-01",),
        "nul": (b"90000007,P0\x0001,1,2026-01-01",),
        "stray_quote": (b'90000007,P"0001,1,2026-01-01',),
        "bad_encoding": (b"90000007,\xff\xfe,1,2026-01-01",),
        "repeated_header": (b"k,t,n,d",),
    }
