"""Published numbers lead back to the files they came from (P24)."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from pipelines.sources.contracts import contract
from pipelines.trace import KPI_VALUES, RECORDS, SUMS, Origin, trace
from tests.promises.installed import Installed

# KPIs whose n counts the very rows they sum.
COUNTED = ("SAL-01", "FBK-01")


def files_of(found: Sequence[Origin]) -> list[Path]:
    """The kept copies that a trace names; each of them must be there."""
    paths = [Path(origin.landed_path) for origin in found if origin.landed_path]
    assert all(path.is_file() for path in paths)
    return paths


def test_every_kpi_leads_to_its_files(company: Installed, evidence: Callable[..., None]) -> None:
    """One value of each KPI and kind of segment, as of the newest day."""
    with company.warehouse.read() as connection:
        values = connection.execute(
            f"""
            select distinct on (kpi_id, segment_type) {", ".join(f"{name}::varchar" for name in SUMS[KPI_VALUES])}, n
            from {KPI_VALUES}
            where as_of = (select max(as_of) from {KPI_VALUES}) and n > 0 and numerator <> 0
            order by kpi_id, segment_type, hash(period_start, segment_value)
            """
        ).fetchall()
    assert len({kpi_id for kpi_id, *_ in values}) > 20
    for *key, n in values:
        found = trace(company.settings, KPI_VALUES, key)
        assert files_of(found), key
        rows = sum(origin.rows for origin in found if origin.source_path is None)
        assert rows == n if key[0] in COUNTED else rows > 0, key
    evidence("P24", "a value of each KPI and kind of segment leads to delivered files, all kept", trials=len(values))


@pytest.mark.parametrize("table", sorted(RECORDS))
def test_a_row_of_a_fact_or_dimension_leads_to_its_record(
    company: Installed, table: str, trials: Callable[[int, int], int], evidence: Callable[..., None]
) -> None:
    """All that was ever delivered of a key is named, by file and record, as the raw table has it."""
    feed = contract(RECORDS[table])
    listed = ", ".join(f"{name}::varchar" for name in feed.key)
    same = " and ".join(f"{name}::varchar = ?" for name in feed.key)
    with company.warehouse.read() as connection:
        rows = connection.execute(
            f"select distinct {listed} from {table} semi join {feed.table} using ({', '.join(feed.key)}) "
            f"order by hash({listed}) limit ?",
            [trials(5, 50)],
        ).fetchall()
        delivered = [
            connection.execute(
                f"select source_path, _record_no from {feed.table} join ops.files on file_id = _file_id where {same}",
                row,
            ).fetchall()
            for row in rows
        ]
    assert rows
    for row, expected in zip(rows, delivered, strict=True):
        found = trace(company.settings, table, row)
        assert {(origin.source_path, origin.record_no) for origin in found} == set(expected), row
        assert len(files_of(found)) == len(found)
    evidence("P24", f"rows of {table} lead to every record that was delivered of them", trials=len(rows))
