"""Readings of texts follow what was delivered, in any order; drivers find what the orders tell."""

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import permutations
from types import SimpleNamespace
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from models_ml import text_model
from models_ml.text_topics import TOPICS
from pipelines.modelling.cx_drivers import EVERYBODY, CxDrivers
from pipelines.modelling.feedback import FeedbackTexts
from pipelines.modelling.tables import prepare
from pipelines.settings import DBT_PROJECT

FIRST = date(2026, 1, 1)
DAYS = [FIRST + timedelta(days=number) for number in range(3)]
# feedback_id, text, score, known from, known to (days from FIRST)
ANSWERS: list[tuple[str, str, int, int, int | None]] = [
    ("kept", "Não recebi o produto", 1, 0, None),
    ("corrected", "Ótimo produto", 5, 0, 1),
    ("corrected", "Produto veio quebrado e com defeito", 1, 1, None),
    ("withdrawn", "Kam viel zu spät", 2, 0, 2),
    ("new", "Fast delivery, great quality", 5, 2, None),
    ("silent", "", 4, 1, None),
]


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        for schema in ("raw", "intermediate", "ml"):
            opened.execute(f"create schema {schema}")
        opened.execute(
            "create table raw.feedback (comment_text varchar, _file_id varchar, _record_no bigint, _delivered_on date)"
        )
        opened.execute(
            """
            create table intermediate.int_feedback_versioned (
                feedback_id varchar, submitted_on date, scale varchar, score decimal(18, 3), is_score_off_scale boolean,
                comment_length bigint, customer_id varchar, order_id varchar, product_id varchar,
                known_from date, known_to date, _file_id varchar, _record_no bigint
            )
            """
        )
        prepare(opened, FeedbackTexts.tables)
        yield opened


def deliver(connection: duckdb.DuckDBPyConnection, answers: list[tuple[str, str, int, int, int | None]]) -> None:
    """Raw and the versions made of it, as they stand after the last delivery."""
    connection.execute("truncate raw.feedback; truncate intermediate.int_feedback_versioned")
    for number, (feedback_id, text, score, known_from, known_to) in enumerate(answers):
        day = FIRST + timedelta(days=known_from)
        end = None if known_to is None else FIRST + timedelta(days=known_to)
        connection.execute("insert into raw.feedback values (?, 'f', ?, ?)", [text, number, day])
        connection.execute(
            "insert into intermediate.int_feedback_versioned values "
            "(?, ?, 'stars_1_5', ?, false, nullif(length(?), 0), null, null, null, ?, ?, 'f', ?)",
            [feedback_id, FIRST, score, text, day, end, number],
        )


def write(connection: duckdb.DuckDBPyConnection, *days: date) -> None:
    """A run of its own per day, the later days with it as `open_scope` has it."""
    for day in days:
        context: Any = SimpleNamespace(connection=connection, last=max(days))
        FeedbackTexts(context).write(day)


def readings(connection: duckdb.DuckDBPyConnection, table: str = "feedback_sentiment") -> list[tuple]:
    """Rows of a table; the number of a record is left out, since `deliver` counts anew."""
    columns = "* exclude (record_no)" if table == "feedback_sentiment" else "*"
    return connection.execute(f"select {columns} from ml.{table} order by all").fetchall()


def test_every_version_with_a_text_is_read_once(connection: duckdb.DuckDBPyConnection) -> None:
    deliver(connection, ANSWERS)
    write(connection, *DAYS)
    found = connection.execute(
        "select feedback_id, known_from, language, sentiment from ml.feedback_sentiment order by all"
    ).fetchall()
    assert found == [
        ("corrected", DAYS[0], "pt", "positive"),
        ("corrected", DAYS[1], "pt", "negative"),
        ("kept", DAYS[0], "pt", "negative"),
        ("new", DAYS[2], "en", "positive"),
        ("withdrawn", DAYS[0], "de", "negative"),
    ]
    topics = connection.execute("select topic from ml.feedback_topics where feedback_id = 'new' order by 1").fetchall()
    assert topics == [("delivery",), ("product_quality",)]


@pytest.mark.parametrize("order", list(permutations(DAYS)), ids=str)
def test_any_order_of_days_ends_in_the_same_rows(
    connection: duckdb.DuckDBPyConnection, order: tuple[date, ...]
) -> None:
    deliver(connection, ANSWERS)
    write(connection, DAYS[-1])
    expected = {table.name: readings(connection, table.name) for table in FeedbackTexts.tables[:2]}
    for table in FeedbackTexts.tables:
        connection.execute(f"truncate {table.full_name}")
    for day in order:
        write(connection, *(each for each in DAYS if each >= day))
    assert {table: readings(connection, table) for table in expected} == expected
    grades = connection.execute("select as_of, n, true_low_count from ml.text_model_quality where language = 'all'")
    assert sorted(grades.fetchall()) == [(DAYS[0], 3, 2), (DAYS[1], 3, 3), (DAYS[2], 3, 2)]


def test_a_day_reads_nothing_that_came_later(connection: duckdb.DuckDBPyConnection) -> None:
    deliver(connection, ANSWERS)
    write(connection, DAYS[0])
    assert {row[1] for row in readings(connection)} == {DAYS[0]}


def test_only_texts_without_a_reading_are_read(connection: duckdb.DuckDBPyConnection) -> None:
    """A text is spoiled behind the product's back, under a version that is read already: nobody looks at it again."""
    deliver(connection, ANSWERS)
    write(connection, DAYS[0])
    connection.execute("update raw.feedback set comment_text = '????????????????????' where _record_no = 0")
    write(connection, *DAYS[1:])
    (kept,) = [row for row in readings(connection) if row[0] == "kept"]
    assert "negative" in kept


def test_readings_go_with_their_texts(connection: duckdb.DuckDBPyConnection) -> None:
    """An erased person's comment is gone, a delivery was taken back, a file was replaced: the next run follows."""
    deliver(connection, ANSWERS)
    write(connection, *DAYS)
    erased = [("kept", "", 1, 0, None), *ANSWERS[3:5], ("withdrawn", "Alles bestens, gerne wieder!", 5, 2, None)]
    deliver(connection, erased)
    write(connection, *DAYS)
    assert [(row[0], row[1]) for row in readings(connection)] == [
        ("new", DAYS[2]),
        ("withdrawn", DAYS[0]),
        ("withdrawn", DAYS[2]),
    ]
    assert {row[0] for row in readings(connection, "feedback_topics")} <= {"new", "withdrawn"}


def test_another_model_reads_everything_again(connection: duckdb.DuckDBPyConnection) -> None:
    deliver(connection, ANSWERS)
    write(connection, *DAYS)
    expected = {table.name: readings(connection, table.name) for table in FeedbackTexts.tables[:2]}
    for table in expected:
        connection.execute(f"update ml.{table} set model_version = 'older', language = 'xx'")
    write(connection, DAYS[-1])
    assert {table: readings(connection, table) for table in expected} == expected
    assert {row[-1] for row in readings(connection)} == {text_model.MODEL_VERSION}


def test_topics_of_the_model_are_those_of_the_dimension() -> None:
    sql = (DBT_PROJECT / "models" / "marts" / "dim_feedback_topics.sql").read_text(encoding="utf-8")
    values = sql[sql.index("values") + len("values") : sql.index(") as topics")]
    with duckdb.connect() as opened:
        assert opened.execute(f"from (values {values})").fetchall() == [tuple(topic) for topic in TOPICS]


# ------------------------------------------------------------------------------------------------ drivers of low scores


@pytest.fixture
def orders(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """300 answers about orders, every fourth one to six days late at 0.9 points a day; all ordered once more, later."""
    rng = np.random.default_rng(11)
    late = np.where(np.arange(300) % 4 == 0, rng.integers(1, 7, 300), 0)
    score = np.clip(np.round(7.6 - 0.9 * late + 0.9 * rng.standard_normal(300)), 0, 10)
    told = pd.DataFrame({"number": range(300), "late": late, "score": score})
    connection.register("told", told)
    connection.execute(
        """
        insert into intermediate.int_feedback_versioned
        select 'F' || number, date '2026-03-20', 'nps_0_10', score, false, null, 'C' || number, 'O' || number, null,
            date '2026-03-20', null, 'f', number
        from told
        """
    )
    connection.execute(
        """
        create table intermediate.int_order_lines_versioned as
        select 'O' || number as order_id, 1::bigint as line_no, date '2026-03-01' as ordered_on,
            'P' || number % 2 as product_id, 'C' || number as customer_id, 'EUR' as currency,
            date '2026-03-10' as promised_on, (date '2026-03-10' + late::integer) as received_on, false as is_cancelled,
            10.0::decimal(18, 4) as net_amount, 0.0::decimal(18, 4) as discount_amount, 1.0::decimal(18, 3) as quantity,
            date '2026-03-20' as known_from, null::date as known_to
        from told
        union all
        select 'N' || number, 1, date '2026-03-15', 'P0', 'C' || number, 'EUR', null, null, false, 5, 0, 1,
            date '2026-03-20', null
        from told
        """
    )
    connection.execute(
        """
        create table intermediate.int_products_versioned as
        select 'P' || range as product_id, 'category ' || range as category, date '2026-01-01' as known_from,
            null::date as known_to from range(2);
        create table intermediate.int_supplier_products_versioned as
        select * from (values ('P0', 'S0'), ('P1', 'S0'), ('P1', 'S1')) as offers (product_id, supplier_id)
        cross join (select date '2026-01-01' as known_from, null::date as known_to)
        """
    )
    prepare(connection, CxDrivers.tables)
    return connection


def drivers_as_of(connection: duckdb.DuckDBPyConnection, day: date) -> pd.DataFrame:
    context: Any = SimpleNamespace(connection=connection, last=day)
    CxDrivers(context).write(day)
    found = connection.execute("select * from ml.cx_drivers where as_of = ?", [day]).df()
    return found.set_index("driver")


def test_the_effect_of_late_days_is_recovered_through_the_orders(orders: duckdb.DuckDBPyConnection) -> None:
    found = drivers_as_of(orders, date(2026, 4, 1))
    late = found.loc["days_late"]
    assert late["score_effect_low"] <= -0.9 <= late["score_effect_high"]
    assert (late["with_driver_count"], late["n"], late["priority"]) == (75, 300, 1)
    assert "is_first_order" not in found.index, "every answer is about a first order: nothing to compare"
    # P1 has two suppliers, so orders of it name none; a supplier of half of the answers is told from its category.
    assert "supplier:S1" not in found.index
    assert found.loc[EVERYBODY, "n"] == 300


def test_an_answer_before_receipt_counts_the_days_overdue_by_then(orders: duckdb.DuckDBPyConnection) -> None:
    """Orders that came after the answer, or never, were ten days overdue when the customer answered."""
    orders.execute(
        "update intermediate.int_order_lines_versioned set received_on = null "
        "where order_id in ('O1', 'O2', 'O3', 'O5')"
    )
    orders.execute(
        "update intermediate.int_order_lines_versioned set received_on = date '2026-03-28' "
        "where order_id in (select 'O' || 4 * range + 6 from range(10))"
    )
    found = drivers_as_of(orders, date(2026, 4, 1))
    # They are just those overdue by more than a week, so one of the two facts says all.
    assert found.loc["is_late_over_a_week", "with_driver_count"] == 14
    assert found.loc["days_late", "with_driver_count"] == 75 + 14
    assert "is_not_received" not in found.index


def test_days_before_an_answer_was_known_do_not_weigh_it(orders: duckdb.DuckDBPyConnection) -> None:
    assert drivers_as_of(orders, date(2026, 3, 19)).empty


def test_too_few_answers_say_how_few(orders: duckdb.DuckDBPyConnection) -> None:
    orders.execute("delete from intermediate.int_feedback_versioned where _record_no >= 12")
    found = drivers_as_of(orders, date(2026, 4, 1))
    assert list(found.index) == [EVERYBODY]
    assert found.loc[EVERYBODY, "n"] == 12
    assert found["effect_on_score"].isna().all()
