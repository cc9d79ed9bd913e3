"""Counts on the delivered files of the real companies, and looks at what was published of them.

The counts share nothing with the pipeline: pandas reads the cells as text, plain SQL counts them.
"""

from datetime import date
from functools import cache
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tests.integration.conftest import Home

# The day each company's values are computed for: the last of its ordinary business.
AS_OF = {"adventureworks": date(2025, 6, 29), "olist": date(2018, 8, 31), "online_retail": date(2011, 12, 9)}
# Online Retail without the rows that repeat another of their file; `lines` are its files.
DEDUPLICATED = """
    select distinct
        file, InvoiceNo, StockCode, Description, Quantity::int as quantity, InvoiceDate,
        UnitPrice::decimal(18, 4) as price, CustomerID, Country
    from lines
"""


def delivered(home: Home, sql: str, **patterns: str) -> list[tuple]:
    """A query on delivered files, each name a table of the files of its pattern: cells as text, record_no, file."""
    with duckdb.connect() as connection:
        for name, pattern in patterns.items():
            connection.register(name, _table(home.landing, pattern))
        return connection.execute(sql).fetchall()


@cache
def _table(landing: Path, pattern: str) -> pa.Table:
    return pa.concat_tables([_records(path) for path in sorted(landing.glob(pattern))])


def _records(path: Path) -> pa.Table:
    if path.suffix == ".parquet":
        records = pq.read_table(path)
    else:
        cells = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        records = pa.Table.from_pandas(cells, preserve_index=False)
    records = records.append_column("record_no", pa.array(range(1, len(records) + 1)))
    return records.append_column("file", pa.array([path.name] * len(records), pa.string()))


def kpi(home: Home, kpi_id: str, grain: str, period_end: date | None = None) -> tuple:
    """Numerator, denominator and n of the company's newest value of one KPI."""
    (row,) = home.query(
        """
        select numerator, denominator, n from reports.fct_kpi_values
        where kpi_id = $kpi_id and period_grain = $grain and segment_type = 'all' and period_end = $period_end
            and as_of = (select max(as_of) from reports.fct_kpi_values)
        """,
        {"kpi_id": kpi_id, "grain": grain, "period_end": period_end or AS_OF[home.profile]},
    )
    return row


def personal_values_published(home: Home, *values: tuple) -> set[str]:
    """Which of the values stand in a text column of a published table, or in the bytes of a published file."""
    wanted = pa.table({"value": [value for (value,) in values]})
    assert len(wanted) > 0
    with duckdb.connect(str(home.published), read_only=True) as connection:
        columns = connection.execute(
            "select table_schema, table_name, column_name from information_schema.columns where data_type = 'VARCHAR'"
        ).fetchall()
        connection.register("wanted", wanted)
        found = {
            value
            for schema, table, column in columns
            for (value,) in connection.execute(
                f"select value from wanted where value in (select {column} from {schema}.{table})"
            ).fetchall()
        }
    for file in (path for path in (home.path / "published" / "current").resolve().rglob("*") if path.is_file()):
        content = file.read_bytes()
        found |= {value for (value,) in values if value.encode() in content}
    return found
