"""Expressions of profiles: what may be written, what is refused, and that nothing outside the record can be reached."""

import duckdb
import pyarrow as pa
import pytest

from pipelines.errors import ProfileError
from pipelines.sources.expressions import Evaluator, parse_expression, sandbox

RECORDS = {"a": pa.array(["1", "x", None]), "orders.b": pa.array(["p", "q", "r"])}


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("upper(a)", {"a"}),
        ("case when a like 'C%' then orders.b else \"orders.c\" end", {"a", "orders.b", "orders.c"}),
        ("record.a || ' -- ' || 'b' -- and a comment", {"a"}),
        ("coalesce(nullif(a, ''), split_part(b, '-', 1))", {"a", "b"}),
        ("try_cast(a as decimal(18, 4)) / 100", {"a"}),
        ("strptime(a, '%d.%m.%Y')::date + interval 1 day", {"a"}),
        ("a in ('x', 'y') and b is not null or not c between '1' and '2'", {"a", "b", "c"}),
        ("regexp_replace(CustomerID, '[.]0$', '')", {"CustomerID"}),
        ("'constant'", set()),
        ('"user".name', {"user.name"}),
    ],
)
def test_plain_expressions_say_which_columns_they_read(sql: str, names: set[str]) -> None:
    assert parse_expression(sql, "columns.x").names == names


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "a b c",
        "a, b",
        "a) as x, (b",
        "a) from read_csv('/etc/passwd') --",
        "1; drop table x",
        "(select 1)",
        "exists (select 1)",
        "a in (select 1)",
        "count(a)",
        "sum(a) over ()",
        "row_number() over ()",
        "*",
        "columns('a')",
        "?",
        "$1",
        "#1",
        "now()",
        "today()",
        "current_date",
        "current_timestamp",
        "random()",
        "uuid()",
        "nextval('s')",
        "getenv('HOME')",
        "read_text('/etc/passwd')",
        "current_setting('home_directory')",
        "user",
        "query('select 1')",
        "error('x')",
        "sleep_ms(1000)",
        "list_transform([a], x -> x)",
        "repeat(a, 1000000000)",
        "a.b.c",
        "no_such_function(a)",
        "{{ env_var('X') }}",
    ],
)
def test_anything_else_is_refused_with_its_place_and_text(sql: str) -> None:
    with pytest.raises(ProfileError) as raised:
        parse_expression(sql, "order_lines.columns.x")
    assert raised.value.place == "order_lines.columns.x"
    assert repr(sql) in raised.value.cause


def test_values_come_in_the_order_of_the_records() -> None:
    values, failed = Evaluator().evaluate(parse_expression("orders.b || coalesce(a, '-')", "x"), RECORDS, 3, "x")
    assert (values.to_pylist(), failed.tolist()) == (["p1", "qx", "r-"], [False] * 3)


def test_a_failure_is_told_from_a_null_and_stays_with_its_record() -> None:
    values, failed = Evaluator().evaluate(parse_expression("a::int", "x"), RECORDS, 3, "x")
    assert (values.to_pylist(), failed.tolist()) == ([1, None, None], [False, True, False])


def test_an_expression_without_columns_gives_a_value_per_record() -> None:
    values, _ = Evaluator().evaluate(parse_expression("'k'", "x"), {}, 4, "x")
    assert values.to_pylist() == ["k"] * 4


def test_an_expression_that_does_not_fit_the_columns_is_the_profiles_fault() -> None:
    with pytest.raises(ProfileError, match="does not fit the columns"):
        Evaluator().evaluate(parse_expression("a + interval 1 day", "x"), RECORDS, 3, "x")


@pytest.mark.parametrize(
    "statement",
    [
        "select * from read_text('/etc/passwd')",
        "copy (select 1) to '/tmp/x'",
        "attach '/tmp/x.duckdb'",
        "install httpfs",
        "set enable_external_access = true",
        "select * from RECORDS",
    ],
)
def test_the_database_behind_reaches_nothing(statement: str) -> None:
    with pytest.raises(duckdb.Error):
        sandbox().cursor().execute(statement)
