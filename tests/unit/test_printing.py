"""What the terminal shows, and that nothing of it is lost where the terminal is narrow or there is none."""

from datetime import date
from io import StringIO

from rich.console import Console

from pipelines import printing
from pipelines.ingestion.quarantine import Quarantined

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
