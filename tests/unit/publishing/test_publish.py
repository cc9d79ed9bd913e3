"""What a publication holds, when it is refused, and what stays on disk."""

import json
import os
from datetime import date
from pathlib import Path

import duckdb
import pytest
from company import AS_OF, TABLES, allow, fill, generations, published, settings_at

from pipelines.errors import PublishRefusedError
from pipelines.ops import DESCRIPTIONS, prepare
from pipelines.publishing import publish, rollback, verify, versions
from pipelines.publishing.contents import content
from pipelines.publishing.versions import VersionError, current_version
from pipelines.settings import Settings
from pipelines.sources.profiles import load_profile


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_at(tmp_path)


def current(settings: Settings) -> Path:
    return settings.published_path / "current.duckdb"


def test_readers_get_tables_for_readers_and_evidence_and_nothing_else(settings: Settings) -> None:
    with fill(settings, 1).write() as connection:
        connection.execute("create table kpis.internal as select 1 as x")
        connection.execute("create view reports.overview as select generation from reports.fct_kpi_values limit 1")
    publication = published(settings, 1)
    with duckdb.connect(str(current(settings)), read_only=True) as connection:
        found = connection.execute(
            "select database_name, schema_name || '.' || table_name from duckdb_tables() order by 2"
        ).fetchall()
    assert found == [
        ("analytics", table)
        for table in (
            "marts.dim_dates",
            "marts.fct_order_lines",
            "ml.demand_forecasts",
            "ops.check_results",
            "ops.files",
            "ops.publications",
            "reports.fct_kpi_values",
            "reports.overview",
        )
    ]
    assert publication.tables["reports.overview"] == 1
    assert publication.tables["marts.dim_dates"] == 90
    assert publication.path.name == publication.version == current_version(settings)


def test_comments_reach_readers(settings: Settings) -> None:
    published(settings, 1)
    published(settings, 2)
    with duckdb.connect(str(current(settings)), read_only=True) as connection:
        (table,) = connection.execute(
            "select comment from duckdb_tables() where table_name = 'fct_order_lines'"
        ).fetchone() or ("",)
        columns = connection.execute(
            "select column_name, comment from duckdb_columns() where comment is not null and schema_name <> 'ops'"
        ).fetchall()
    assert table == "Order lines; the company's own"
    assert columns == [("generation", "Which filling")]


def test_every_table_and_column_of_the_evidence_is_described(settings: Settings) -> None:
    published(settings, 1)
    published(settings, 2)
    with duckdb.connect(str(current(settings)), read_only=True) as connection:
        places = connection.execute(
            """
            select table_name, '', comment from duckdb_tables() where schema_name = 'ops'
            union all
            select table_name, column_name, comment from duckdb_columns() where schema_name = 'ops'
            """
        ).fetchall()
    assert {table for table, *_ in places} == {"check_results", "files", "publications"}
    assert not [(table, column) for table, column, comment in places if not comment]


def test_a_warehouse_of_an_earlier_release_is_described_anew(settings: Settings) -> None:
    with fill(settings, 1).write() as connection:
        connection.execute("comment on column ops.files.feed is 'an earlier text'")
        connection.execute("comment on table ops.publications is null")
        prepare(connection, load_profile("online_retail"))
        assert connection.execute(
            """
            select comment from duckdb_columns() where table_name = 'files' and column_name = 'feed'
            union all
            select comment from duckdb_tables() where table_name = 'publications'
            """
        ).fetchall() == [(DESCRIPTIONS["files"]["feed"],), (DESCRIPTIONS["publications"][None],)]


def test_a_changed_comment_alone_is_published(settings: Settings) -> None:
    published(settings, 1)
    with fill(settings, 1).write() as connection:
        connection.execute("comment on column marts.dim_dates.date_on is 'The day'")
    second = publish(settings, fill(settings, 1), as_of=AS_OF, run_id="r", revision="", gate=allow)
    assert second.is_new
    with duckdb.connect(str(current(settings)), read_only=True) as connection:
        assert ("date_on", "The day") in connection.execute(
            "select column_name, comment from duckdb_columns() where comment is not null"
        ).fetchall()


def test_parquet_mirrors_the_database(settings: Settings) -> None:
    publication = published(settings, 3)
    with duckdb.connect(str(current(settings)), read_only=True) as connection:
        for table, rows in publication.tables.items():
            path = settings.published_path / "current" / f"{table.replace('.', '/')}.parquet"
            (differences,) = connection.execute(
                f"select count(*) from ((from {table} except all from '{path}') union all "
                f"(from '{path}' except all from {table}))"
            ).fetchone() or (None,)
            assert differences == 0
            assert connection.execute(f"select count(*) from '{path}'").fetchone() == (rows,)


def test_the_manifest_says_what_it_is(settings: Settings) -> None:
    with fill(settings, 1).write() as connection:
        connection.execute(
            "insert into raw.products (product_id, _file_id, _record_no, _delivered_on) values "
            "('p', 'f', 1, '2026-03-30'), ('p', 'f', 2, '2026-04-02')"
        )
        connection.execute(
            "insert into ops.check_results values "
            "('marts.x', 'a', '2026-03-31', 'marts', 'gx', true, true, 0, null, null, '1', 'r', '2026-04-01'),"
            "('marts.x', 'b', '2026-03-31', 'marts', 'gx', false, false, 2, null, null, '1', 'r', '2026-04-01')"
        )
    publication = published(settings, 1)
    manifest = json.loads((settings.published_path / "current" / "manifest.json").read_text())
    assert manifest["version"] == publication.version
    assert manifest["as_of"] == "2026-03-31"
    assert manifest["data_through"] == "2026-03-30"
    assert manifest["checks"] == {"passed": 1, "warned": 1, "failed": 0}
    assert manifest["revision"] == "0" * 40
    assert manifest["tables"]["marts.fct_order_lines"]["rows"] == 50
    assert len(manifest["database"]["sha256"]) == 64


def test_the_log_names_the_served_version_inside_and_outside(settings: Settings) -> None:
    names = [published(settings, generation).version for generation in (1, 2)]
    for path in (current(settings), settings.warehouse_path):
        with duckdb.connect(str(path), read_only=True) as connection:
            logged = connection.execute("select version from ops.publications order by version").fetchall()
        assert [version for (version,) in logged] == names


def test_equal_content_is_not_published_twice(settings: Settings) -> None:
    first = published(settings, 1)
    again = published(settings, 1)
    assert (first.is_new, again.is_new) == (True, False)
    assert again.version == first.version
    assert len(versions(settings)) == 1
    assert published(settings, 1, as_of=date(2026, 4, 1)).is_new


def test_unchanged_parquet_is_carried_over(settings: Settings) -> None:
    first = published(settings, 1)
    second = published(settings, 2)
    assert (first.path / "marts/dim_dates.parquet").samefile(second.path / "marts/dim_dates.parquet")
    assert not (first.path / "marts/fct_order_lines.parquet").samefile(second.path / "marts/fct_order_lines.parquet")


@pytest.mark.parametrize("damaged", ["marts/dim_dates.parquet", "analytics.duckdb"])
def test_damaged_bytes_are_written_anew(settings: Settings, damaged: str) -> None:
    first = published(settings, 1)
    flip_a_byte(first.path / damaged)
    second = published(settings, 2)
    assert verify(settings, second.version).tables["marts.dim_dates"].rows == 90
    with duckdb.connect(str(current(settings)), read_only=True) as connection:
        path = second.path / "marts/dim_dates.parquet"
        assert connection.execute(f"select count(*), max(date_on) from '{path}'").fetchone() == (90, date(2026, 3, 31))
        assert connection.execute("select count(*) from marts.dim_dates").fetchone() == (90,)


def test_dropped_tables_leave_the_next_version(settings: Settings) -> None:
    with fill(settings, 1).write() as connection:
        connection.execute("create table ml.old as select 1 as x")
    assert "ml.old" in published(settings, 1).tables
    with fill(settings, 1).write() as connection:
        connection.execute("drop table ml.old")
    publication = published(settings, 1)
    assert "ml.old" not in publication.tables
    assert not (publication.path / "ml/old.parquet").exists()
    with duckdb.connect(str(current(settings)), read_only=True) as connection:
        assert connection.execute("select count(*) from duckdb_tables() where table_name = 'old'").fetchone() == (0,)


@pytest.mark.slow
def test_republishing_does_not_grow_the_file(settings: Settings) -> None:
    sizes = []
    for generation in range(6):
        with fill(settings, generation).write() as connection:
            connection.execute(
                "create or replace table marts.large as "
                f"select hash(i + {generation * 10**6}) as h from range(300000) as r(i)"
            )
        sizes.append((published(settings, generation).path / "analytics.duckdb").stat().st_size)
    assert max(sizes) < 1.5 * sizes[0]


def test_a_refused_gate_leaves_what_is_served(settings: Settings) -> None:
    first = published(settings, 1)
    calls = []

    def refuse_at(turn: int) -> None:
        def gate(connection: duckdb.DuckDBPyConnection) -> None:
            calls.append(connection.execute("select distinct generation from marts.fct_order_lines").fetchone())
            if len(calls) == turn:
                raise PublishRefusedError("marts.fct_order_lines", "has a failed check", "Mend it.")

        calls.clear()
        with pytest.raises(PublishRefusedError, match="failed check"):
            publish(settings, fill(settings, 2), as_of=AS_OF, run_id="r", revision="", gate=gate)

    for turn in (1, 2):
        refuse_at(turn)
        assert calls == [(2,)] * turn
        assert current_version(settings) == first.version
        assert generations(current(settings)) == {1}


@pytest.mark.parametrize("column", ["email", "Comment_Text", "postal_code"])
def test_personal_columns_are_refused(settings: Settings, column: str) -> None:
    with fill(settings, 1).write() as connection:
        connection.execute(f"create table marts.dim_customers as select 'x' as \"{column}\"")
    with pytest.raises(PublishRefusedError, match=rf"marts\.dim_customers\.{column}"):
        published(settings, 1)
    assert current_version(settings) is None


def test_an_empty_warehouse_is_refused(settings: Settings) -> None:
    with fill(settings, 1).write() as connection:
        for table in (*TABLES, "marts.dim_dates"):
            connection.execute(f"drop table {table}")
        with pytest.raises(PublishRefusedError, match="no table for readers"):
            content(connection, AS_OF)


def test_the_newest_versions_stay(tmp_path: Path) -> None:
    settings = settings_at(tmp_path, keep_versions=2)
    names = [published(settings, generation).version for generation in range(4)]
    assert names == sorted(names)
    assert [manifest.version for manifest in versions(settings)] == names[-2:]


def test_a_reader_that_holds_on_keeps_the_version_it_opened(tmp_path: Path) -> None:
    settings = settings_at(tmp_path, keep_versions=1)
    published(settings, 1)
    with duckdb.connect(str(current(settings)), read_only=True) as held:
        for generation in (2, 3):
            published(settings, generation)
        assert held.execute("select distinct generation from ml.demand_forecasts").fetchall() == [(1,)]
        # The same process, while the old connection is open.
        with duckdb.connect(str(current(settings)), read_only=True) as fresh:
            assert fresh.execute("select distinct generation from ml.demand_forecasts").fetchall() == [(3,)]


def test_detach_and_attach_moves_a_long_connection_on(settings: Settings) -> None:
    published(settings, 1)
    with duckdb.connect() as connection:
        connection.execute(f"attach '{current(settings)}' as analytics (read_only)")
        published(settings, 2)
        assert connection.execute("select max(generation) from analytics.ml.demand_forecasts").fetchone() == (1,)
        connection.execute("detach analytics")
        connection.execute(f"attach '{current(settings)}' as analytics (read_only)")
        assert connection.execute("select max(generation) from analytics.ml.demand_forecasts").fetchone() == (2,)


def test_rollback_goes_one_back_or_to_a_name(settings: Settings) -> None:
    names = [published(settings, generation).version for generation in (1, 2, 3)]
    assert rollback(settings).version == names[1]
    assert generations(current(settings)) == {2}
    assert rollback(settings).version == names[0]
    assert rollback(settings, names[2]).version == names[2]
    assert generations(current(settings)) == {3}


def test_rollback_refuses_what_it_cannot_serve(settings: Settings) -> None:
    first, second = (published(settings, generation) for generation in (1, 2))
    with pytest.raises(VersionError, match="is not kept"):
        rollback(settings, "v000099_20260101_00000000")
    with pytest.raises(VersionError, match="is not kept"):
        rollback(settings, "..")
    flip_a_byte(first.path / "ml/demand_forecasts.parquet")
    with pytest.raises(VersionError, match=r"demand_forecasts\.parquet: differs"):
        rollback(settings)
    assert current_version(settings) == second.version


def test_rollback_without_an_earlier_version_says_so(settings: Settings) -> None:
    first, second = published(settings, 1), published(settings, 2)
    rollback(settings)
    with pytest.raises(VersionError, match=f"no earlier version than {first.version}") as told:
        rollback(settings)
    assert second.version in told.value.remedy
    assert first.version not in told.value.remedy
    assert "OPSCOPE_KEEP_VERSIONS, now 3" in told.value.remedy


def test_a_version_rolled_back_from_is_not_rolled_back_to(settings: Settings) -> None:
    good = published(settings, 1)
    bad = published(settings, 2)
    rollback(settings)
    mended = published(settings, 3)
    assert [manifest.version for manifest in versions(settings)] == [good.version, mended.version]
    assert mended.version.split("_")[0] > bad.version.split("_")[0]
    assert rollback(settings).version == good.version


def test_what_a_crash_left_is_removed_and_logged(settings: Settings) -> None:
    first = published(settings, 1)
    leftover = settings.published_path / ".building-v000002_20260331_00000000"
    leftover.mkdir()
    (leftover / "analytics.duckdb").write_bytes(b"half")
    (settings.published_path / ".current.new").symlink_to("nowhere")
    with fill(settings, 2).write() as connection:
        connection.execute("delete from ops.publications")
    second = published(settings, 2)
    assert {path.name for path in settings.published_path.iterdir()} == {
        ".lock",
        "current",
        "current.duckdb",
        "versions",
    }
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as connection:
        logged = connection.execute("select version from ops.publications order by version").fetchall()
    assert [version for (version,) in logged] == [first.version, second.version]


def test_published_files_are_closed_to_the_world(settings: Settings) -> None:
    publication = published(settings, 1)
    for path in publication.path.rglob("*"):
        assert path.stat().st_mode & 0o007 == 0 or path.is_symlink(), path
    assert not list(publication.path.rglob("*.wal"))


def flip_a_byte(path: Path) -> None:
    with path.open("r+b") as opened:
        opened.seek(path.stat().st_size // 2)
        byte = opened.read(1)
        opened.seek(-1, os.SEEK_CUR)
        opened.write(bytes([byte[0] ^ 0x55]))


def long_table(settings: Settings, night: int) -> None:
    """Two hundred thousand rows over a thousand days; each night changes two days, loses one and adds one."""
    with fill(settings, night).write() as connection:
        connection.execute(
            "create or replace table marts.fct_long as "
            "select case when i % 1000 < 999 then date '2024-01-01' + (i % 1000)::int end as day_on, i as id, "
            f"case when i % 1000 in (7, {night}) then {night} else 0 end as said, 'run-{night}' as run_id "
            f"from range(200000) as r(i) where i % 1000 <> 500 + {night} and i % 1000 < 900 + {night} or i % 1000 = 999"
        )


@pytest.mark.slow
def test_large_tables_are_brought_up_to_date_by_days(settings: Settings) -> None:
    sizes = []
    for night in range(6):
        long_table(settings, night)
        publication = published(settings, night)
        sizes.append((publication.path / "analytics.duckdb").stat().st_size)
        with duckdb.connect(str(settings.warehouse_path), read_only=True) as connection:
            connection.execute(f"attach '{current(settings)}' as analytics (read_only)")
            wanted, found = (
                connection.execute(
                    f"select count(*), sum(hash(day_on, id, said)), count(*) filter (day_on is null) "
                    f"from {catalog}.marts.fct_long"
                ).fetchone()
                for catalog in ("warehouse", "analytics")
            )
            (runs,) = connection.execute("select count(distinct run_id) from analytics.marts.fct_long").fetchall()[0]
        assert found == wanted
        # The run of the untouched days stands beside the run of those of tonight: nothing else was written.
        assert (runs > 1) == (night > 0)
    assert max(sizes) < 2 * sizes[0]


def test_every_thirtieth_version_is_written_whole(settings: Settings) -> None:
    long_table(settings, 0)
    published(settings, 0)
    long_table(settings, 1)
    with fill(settings, 1).write() as connection:
        connection.execute(
            "insert into ops.publications values ('v000029_20260330_00000000', null, '', '2026-03-30', '')"
        )
    assert published(settings, 1).version.startswith("v000030_")
    with duckdb.connect(str(current(settings)), read_only=True) as connection:
        assert connection.execute("select distinct run_id from marts.fct_long").fetchall() == [("run-1",)]


def test_a_table_with_other_columns_is_written_whole(settings: Settings) -> None:
    long_table(settings, 0)
    published(settings, 0)
    with fill(settings, 0).write() as connection:
        connection.execute("alter table marts.fct_long add column more integer default 1")
    published(settings, 0)
    with duckdb.connect(str(current(settings)), read_only=True) as connection:
        assert connection.execute("select min(more) from marts.fct_long").fetchone() == (1,)
