"""What the terminal shows, and that nothing of it is lost where the terminal is narrow or there is none."""

from datetime import date
from io import StringIO
from pathlib import Path

from rich.console import Console

from pipelines import printing
from pipelines.ingestion.quarantine import Quarantined
from pipelines.ops import prepare
from pipelines.resources import Warehouse
from pipelines.settings import Settings
from pipelines.sources.profiles import load_profile

PATH = "2026-06-30/order_lines_of_the_northern_region_2026-06-30_corrected.csv.gz"


def refused() -> Quarantined:
    return Quarantined(
        quarantine_id="0123456789abcdef",
        feed="purchase_order_lines",
        delivered_on=date(2026, 6, 30),
        source_path=PATH,
        record_no=1234,
        byte_offset=None,
        reason_code="nonexistent_local_time",
        column_name="received_at",
        message="",
        raw_text=None,
        mended_text=None,
        status="open",
        released_by=None,
        file_id="f",
        content_sha256="s",
    )


def test_what_is_piped_stands_on_one_line_per_row() -> None:
    shown = StringIO()
    printing.quarantined(Console(file=shown, width=80), [refused(), refused()])
    rows = [line for line in shown.getvalue().splitlines() if line.startswith("0123456789ab")]
    assert len(rows) == 2
    for told in ("purchase_order_lines", "2026-06-30", PATH, "nonexistent_local_time", "received_at"):
        assert all(told in row for row in rows)
    assert all(row == row.rstrip() for row in rows)


def test_a_narrow_terminal_folds_and_leaves_nothing_out() -> None:
    shown = StringIO()
    printing.quarantined(Console(file=shown, width=80, force_terminal=True, color_system=None), [refused()])
    assert "…" not in shown.getvalue()
    lines = shown.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    heading = next(line for line in lines if line.startswith("id"))
    start, end = heading.index("file"), heading.index("record")
    assert "".join(line[start:end].strip() for line in lines[lines.index(heading) + 1 :]) == PATH


def warned(home: Path, checks: int) -> str:
    """What is said after a run in which so many warning checks failed on two days, beside others that did not."""
    settings = Settings.model_validate({"home": home, "threads": 1})
    with Warehouse(settings).write() as connection:
        prepare(connection, load_profile("demo"))
        connection.execute(
            """
            insert into ops.check_results by name
            select asset, check_name, day::date as partition_on, 'marts' as stage, 'dbt' as source,
                kind = 'blocking' as is_blocking, kind = 'passed' as passed, kind || ' on ' || day as observed,
                'v' as table_version, if(kind = 'earlier', 'before', 'this') as run_id,
                timestamp '2026-07-01' as checked_at
            from (
                select 'marts.fct_order_lines' as asset, format('check_{:02d}', i) as check_name, 'warning' as kind
                from range($checks) as numbers(i)
                union all
                select 'raw.orders', kind, kind from unnest(['blocking', 'passed', 'earlier']) as kinds(kind)
            ), unnest(['2026-06-29', '2026-06-30']) as days(day)
            """,
            {"checks": checks},
        )
    shown = StringIO()
    printing.warnings(Console(file=shown, width=80), settings, "this")
    return shown.getvalue()


def test_after_a_run_the_warnings_stand_with_what_was_observed(tmp_path: Path) -> None:
    lines = warned(tmp_path, 2).splitlines()
    told = [line.split() for line in lines if line.startswith("marts.")]
    observed = ["warning", "on", "2026-06-30"]
    assert told == [["marts.fct_order_lines", f"check_0{i}", "2026-06-30", "2", *observed] for i in range(2)]
    assert not [line for line in lines if line.startswith(("raw.", "and "))]
    assert str(tmp_path.resolve() / "reports" / "checks.html") in lines[-1]


def test_of_many_warnings_ten_are_shown(tmp_path: Path) -> None:
    lines = warned(tmp_path, 13).splitlines()
    assert len([line for line in lines if line.startswith("marts.")]) == 10
    assert "and 3 more" in lines


def test_a_run_without_warnings_says_nothing_of_them(tmp_path: Path) -> None:
    assert warned(tmp_path, 0) == ""
