"""Every published number that a later delivery changed is explained: old, new, and per file what it did to it (P11)."""

from collections import defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from pipelines.errors import PublishRefusedError
from tests.promises.corrections import STARTS_ON, Shop, profile, write
from tests.promises.installed import Installed
from tests.promises.replayed import Recording, Replayed, settings_at
from tests.promises.restated_books import Books, File, Restatement

SEED = 20261122
PER_NIGHT = 10
Number = tuple[str, date, str, str]  # table, business day, segment, measure

SALES = (
    "orders", "lines", "units_sold", "units_returned", "gross_amount_base", "discount_amount_base", "net_amount_base",
    "returned_amount_base", "cost_amount_base", "margin_amount_base", "lines_without_rate",
)  # fmt: skip
# Published table -> what is read of it per business day and segment, and the last business day it knows.
PUBLISHED = {
    "reports.rpt_sales_daily": (
        f"select ordered_on, channel_id, {', '.join(SALES)} from reports.rpt_sales_daily",
        SALES,
        "select max(ordered_on) from marts.fct_order_lines",
    ),
    "marts.fct_purchase_order_lines": (
        """
        select ordered_on, supplier_id, count(*), sum(quantity_ordered), sum(quantity_received), sum(quantity_rejected),
            sum(ordered_amount_base)
        from marts.fct_purchase_order_lines group by all
        """,
        ("lines", "quantity_ordered", "quantity_received", "quantity_rejected", "ordered_amount_base"),
        "select max(ordered_on) from marts.fct_purchase_order_lines",
    ),
    "marts.fct_feedback": (
        """
        select submitted_on, scale, count(*), count(normalised_score), sum(normalised_score)
        from marts.fct_feedback group by all
        """,
        ("responses", "scored_responses", "normalised_score"),
        "select max(submitted_on) from marts.fct_feedback",
    ),
    "marts.fct_inventory_snapshot_daily": (
        """
        select measured_on, location_id, count(*), sum(quantity_on_hand), sum(inventory_value_base)
        from marts.fct_inventory_snapshot_daily group by all
        """,
        ("counts", "quantity_on_hand", "inventory_value_base"),
        "select max(measured_on) from marts.fct_inventory_snapshot_daily",
    ),
}


class Read:
    """What a reader finds in the published file: numbers that are not 0, and how far each table reaches."""

    def __init__(self, home: Replayed) -> None:
        self.numbers: dict[Number, Decimal] = {}
        self.reach: dict[str, date] = {}
        with duckdb.connect(str(home.settings.published_path / "current.duckdb"), read_only=True) as connection:
            for table, (sql, measures, last) in PUBLISHED.items():
                ((self.reach[table],),) = connection.execute(last).fetchall()
                for business_on, segment, *values in connection.execute(sql).fetchall():
                    for measure, value in zip(measures, values, strict=True):
                        if value:
                            self.numbers[table, business_on, segment, measure] = Decimal(value)


def changed(before: Read, after: Read) -> dict[Number, tuple[Decimal, Decimal]]:
    """(old, new) of every number that differs between two versions, up to the last day the earlier one reached."""
    return {
        number: (old, new)
        for number in before.numbers.keys() | after.numbers.keys()
        if (old := before.numbers.get(number, Decimal(0))) != (new := after.numbers.get(number, Decimal(0)))
        and number[1] <= before.reach[number[0]]
    }


def listed(home: Replayed) -> set[Restatement]:
    rows = home.rows(
        """
        select as_of, table_name, business_on, segment_value, measure, old_value, new_value, change_by_file,
            cause_path, rows_added, rows_changed, rows_removed
        from reports.rpt_restatements
        """
    )
    assert len(rows) == len(set(rows))
    return {Restatement(*row[:9], tuple(row[9:])) for row in rows}


def test_every_changed_number_is_explained_by_the_files_that_changed_it(
    recording: Recording, tmp_path: Path, trials: Callable[[int, int], int], evidence: Callable[..., None]
) -> None:
    """Night after night, the difference between two published versions is what the table lists for the night."""
    shop = Shop(SEED)
    home = Replayed(settings_at(tmp_path / "home", tmp_path / "landing"), profile(), recording).open()
    files = _deliver(home, shop.history(), STARTS_ON)
    before, compared = Read(home), 0
    for number in range(1, trials(100, 1000) // PER_NIGHT + 1):
        day = STARTS_ON + timedelta(days=number)
        files += _deliver(home, shop.night(day, PER_NIGHT), day)
        after = Read(home)
        tonight = [row for row in listed(home) if row.as_of == day]
        explained: dict[Number, tuple[Decimal, Decimal]] = {}
        parts: dict[Number, Decimal] = defaultdict(Decimal)
        for row in tonight:
            published = (row.table_name, row.business_on, row.segment_value, row.measure)
            explained[published] = row.old_value, row.new_value
            parts[published] += row.change_by_file
        assert explained == changed(before, after)
        assert all(new - old == parts[published] for published, (old, new) in explained.items())
        assert {row.cause_path for row in tonight} <= {file.path for file in files if file.delivered_on == day}
        compared += len(explained)
        before = after
    assert listed(home) == set(_books(home).restatements(files))
    assert compared > shop.corrections
    # The originals of corrections that came before them land last, under the day they should have come on.
    files += _deliver(home, shop.stragglers, STARTS_ON)
    assert listed(home) == set(_books(home).restatements(files))
    evidence(
        "P11",
        f"corrections (before their original, twice, reversing, deleting, months late, of rates) changed {compared:,} "
        "published numbers; the table lists exactly these, and per file what an independent reading finds",
        trials=shop.corrections,
        seed=SEED,
    )


def _deliver(home: Replayed, files: list[File], day: date) -> list[File]:
    for file in files:
        write(Path(home.settings.landing), file)
    home.ingest((day, day))
    home.transform(recount=False)
    home.report([day])
    home.publish(day)
    return files


def _books(home: Replayed) -> Books:
    return Books(dict(home.rows("select source_path, file_id from ops.files")))


def test_rows_that_a_changed_rate_writes_again_are_judged_again(
    company: Installed, tmp_path: Path, evidence: Callable[..., None]
) -> None:
    """A rate of an old day rewrites facts of delivery days that nobody delivered anew: their checks are of old rows."""
    home = company.copy(tmp_path / "home")
    first, last = home.days[0], home.days[-1]
    with home.warehouse.write() as connection:
        # What a broken transform would do: history no longer says what was delivered, and facts are written from it.
        ((spoilt,),) = connection.execute(
            """
            update intermediate.int_order_lines_versioned set ordered_at = ordered_at + interval 1 second
            where known_to is null and known_from = $first and currency <> 'EUR'
            """,
            {"first": first},
        ).fetchall()
        assert spoilt
        before = _versions(connection)
        connection.execute("insert into ops.stale_days values ('exchange_rates', ?, ?)", [last, date(2026, 1, 1)])
    with pytest.raises(PublishRefusedError, match=f"figures_as_delivered on {first}"):
        _build_and_publish(home)
    with home.warehouse.read() as connection:
        after = _versions(connection)
    assert before[first] != after[first]
    evidence(
        "P10", "facts of old delivery days that a changed rate wrote again were judged again and refused", trials=1
    )


def _versions(connection: duckdb.DuckDBPyConnection) -> dict[date, str]:
    return dict(
        connection.execute(
            "select partition_on, version from ops.table_versions where table_name = 'marts.fct_order_lines'"
        ).fetchall()
    )


def _build_and_publish(home: Installed) -> None:
    from pipelines.stages import build_marts, build_reports

    last = [home.days[-1]]
    build_marts(home.warehouse, home.transforms, home.graph, last, run_id="again")
    home.forecast(last)
    build_reports(home.warehouse, home.transforms, home.graph, last, run_id="again")
    home.publish()
