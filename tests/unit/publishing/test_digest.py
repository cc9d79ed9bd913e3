"""Two tables have the same digest exactly when they say the same."""

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.publishing.digest import content_digest, digests

ROWS = st.lists(st.tuples(st.integers(-3, 3) | st.none(), st.sampled_from(["", "a", "b", None])), max_size=8)


def digest_of(rows: list[tuple[int | None, str | None]]) -> str:
    with duckdb.connect() as connection:
        connection.execute("create table t (number BIGINT, word VARCHAR)")
        if rows:
            connection.executemany("insert into t values (?, ?)", rows)
        return content_digest(connection, "main.t")


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(ROWS, ROWS)
def test_equal_digests_mean_equal_multisets(left: list, right: list) -> None:
    ordered = [sorted(rows, key=repr) for rows in (left, right)]
    assert (digest_of(left) == digest_of(right)) == (ordered[0] == ordered[1])


@pytest.mark.slow
@settings(deadline=None, max_examples=30)
@given(ROWS.flatmap(lambda rows: st.tuples(st.just(rows), st.permutations(rows))))
def test_row_order_does_not_matter(pair: tuple[list, list]) -> None:
    assert digest_of(pair[0]) == digest_of(pair[1])


def selected(query: str) -> str:
    with duckdb.connect() as connection:
        connection.execute(f"create table t as {query}")
        return content_digest(connection, "main.t")


@pytest.mark.parametrize(
    ("left", "right", "is_equal"),
    [
        ("select 1 as a, 2 as b", "select 2 as b, 1 as a", True),
        ("select 1 as a, 2 as b", "select 2 as a, 1 as b", False),
        ("select 1 as a", "select 1 as b", False),
        ("select 1::bigint as a", "select 1::decimal(18,4) as a", False),
        ("select 1.10::decimal(18,4) as a", "select 1.1::decimal(18,4) as a", True),
        ("select 0.1 + 0.2::double as a", "select 0.3::double as a", True),
        ("select 0.000002::double as a", "select 0.000001::double as a", False),
        ("select -0.0::double as a", "select 0.0::double as a", True),
        ("select 'nan'::double as a", "select '-nan'::double as a", True),
        ("select null::double as a", "select 0::double as a", False),
        ("select 1 as a, 'x' as run_id", "select 1 as a, 'y' as run_id", True),
        ("select 'x' as a, '' as b", "select '' as a, 'x' as b", False),
        ("select 'x' as a, 'x' as b", "select 'y' as a, 'y' as b", False),
        ("from (values (1, 'x'), (2, 'y')) as v(a, b)", "from (values (1, 'y'), (2, 'x')) as v(a, b)", False),
    ],
)
def test_what_counts_as_the_same(left: str, right: str, *, is_equal: bool) -> None:
    assert (selected(left) == selected(right)) == is_equal


def test_the_physical_form_does_not_matter(tmp_path: object) -> None:
    query = (
        "select i, 'word ' || i % 7 as word, 'a long text that is not kept inline ' || i as text, i / 7 as ratio, "
        "date '2026-01-01' + (i % 9)::int as day, (i / 100)::decimal(18,4) as amount, [i, i + 1] as pair "
        "from range(5000) as r(i)"
    )
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute(f"attach '{tmp_path}/stored.duckdb' as stored")
        connection.execute(f"create table stored.t as {query} order by hash(i)")
        connection.execute("checkpoint stored")
        connection.execute(f"create table t as {query}")
        connection.execute(f"create view v as {query}")
        connection.execute(f"copy t to '{tmp_path}/t.parquet'")
        connection.execute(f"create view p as from '{tmp_path}/t.parquet'")
        found = {content_digest(connection, name) for name in ("stored.main.t", "main.t", "main.v", "main.p")}
    assert len(found) == 1


def test_all_tables_of_some_schemas() -> None:
    with duckdb.connect() as connection:
        connection.execute("create schema marts; create schema ml; create table marts.a as select 1 as x")
        connection.execute("create view ml.b as select 1 as x; create table main.c as select 2 as x")
        assert digests(connection, ("marts", "ml")) == {
            "marts.a": content_digest(connection, "marts.a"),
            "ml.b": content_digest(connection, "marts.a"),
        }
