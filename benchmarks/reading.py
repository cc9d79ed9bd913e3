"""Ingestion of a clean CSV against DuckDB's and pandas' readers on the same bytes."""

import csv
import json
import os
from pathlib import Path

import yaml

from benchmarks.companies import days_of, fresh, installation
from benchmarks.measure import Cost, Measured, Watch, measure, median_of
from benchmarks.scales import Scale
from benchmarks.tables import Result, Row, speed

FEED = "order_lines"


def run(scale: Scale, work: Path) -> list[Result]:
    """Read the web shop's export: header, plain fields, one file."""
    company, logs = work / "data" / "reading", work / "logs"
    measure(
        "companies:write_company",
        logs / "reading_data.log",
        folder=company,
        days=2,
        scale=scale.ingest,
        history_days=scale.history_days,
        dirty=False,
    )
    landing = fresh(work / "reading" / "landing")
    file = _land(company, landing)

    def repeat(name: str, **given: object) -> Measured:
        runs = range(scale.repeats)
        return median_of([measure(f"reading:{name}", logs / f"reading_{name}_{run}.log", **given) for run in runs])

    ours = repeat("ours", home=work / "reading" / "home", landing=landing)
    counted = repeat("duckdb_count", file=file, landing=landing)
    written = repeat("duckdb_parquet", file=file, landing=landing, target=work / "reading" / "rows.parquet")
    framed = repeat("pandas_frame", file=file)
    rows, size = ours.facts["rows"], file.stat().st_size / 1e6
    parts = {
        f"Opscope: read, conform, insert, keep a copy and the books ({rows:,} rows, {size:,.0f} MB)": ours,
        "DuckDB: count the rows, columns declared": counted,
        "DuckDB: strict columns into Parquet (zstd)": written,
        "pandas: read_csv into a frame of guessed types": framed,
    }
    spent = ours.costs["read"]
    return [
        Result(
            "reading",
            "Ingestion of clean order lines",
            [_row(what, each, rows, spent) for what, each in parts.items()],
            [speed("ingest speed / DuckDB strict into Parquet", spent, written.costs["read"], 0.8)],
        )
    ]


def _row(what: str, measured: Measured, rows: int, ours: Cost) -> Row:
    cost = measured.costs["read"]
    rate = f"{rows / cost.cpu:,.0f} rows per CPU s, peak {measured.peak_mb:,.0f} MB"
    return Row(what, cost, rate if cost is ours else f"{rate}; Opscope has {cost.cpu / ours.cpu:.2f}x its speed")


def _land(company: Path, landing: Path) -> Path:
    """A landing that holds the export of the history alone, with a profile that knows only its source."""
    day = str(days_of(company)[0])
    delivered = company / day / "web_orders.csv"
    (landing / day).mkdir()
    os.link(delivered, landing / day / delivered.name)
    profile = yaml.safe_load((company / "profile.yml").read_text(encoding="utf-8"))
    profile["feeds"] = {FEED: profile["feeds"][FEED][:1]}
    (landing / "profile.yml").write_text(yaml.safe_dump(profile), encoding="utf-8")
    return landing / day / delivered.name


def ours(watch: Watch, *, home: str, landing: str) -> dict[str, int]:
    """Everything that ingestion does, on an empty warehouse."""
    from pipelines.ingestion import ingest

    fresh(Path(home))
    settings, profile, warehouse = installation(home, landing)
    with watch("read"):
        report = ingest(settings, profile, warehouse, None, run_id="bench")
    return {"rows": report.records_loaded}


def duckdb_count(watch: Watch, *, file: str, landing: str) -> None:
    """Parse and count; columns nobody asks for are not cast."""
    import duckdb

    strict = _strict(file, landing)
    with duckdb.connect(config={"threads": 2}) as connection, watch("read"):
        connection.execute(f"select count(*) from {strict}").fetchall()


def duckdb_parquet(watch: Watch, *, file: str, landing: str, target: str) -> None:
    """Parse, cast every column and write them compressed."""
    import duckdb

    copy = f"copy (from {_strict(file, landing)}) to '{target}' (format parquet, compression zstd, parquet_version v2)"
    with duckdb.connect(config={"threads": 2}) as connection, watch("read"):
        connection.execute(copy)


def _strict(file: str, landing: str) -> str:
    """DuckDB's reader told the type of the contract for each delivered column; what cannot be cast is an error."""
    from pipelines.sources.contracts import contract

    profile = yaml.safe_load((Path(landing) / "profile.yml").read_text(encoding="utf-8"))
    types = {column.name: column.physical_type for column in contract(FEED).columns}
    mapped = profile["feeds"][FEED][0]["columns"]
    delivered = {source: types[name] for name, source in mapped.items() if isinstance(source, str)}
    with Path(file).open(encoding="utf-8", newline="") as lines:
        header = next(csv.reader(lines))
    columns = json.dumps({name: delivered.get(name, "VARCHAR") for name in header})
    return f"read_csv('{file}', header = true, auto_detect = false, columns = {columns})"


def pandas_frame(watch: Watch, *, file: str) -> None:
    """What many pipelines begin with: no type is checked."""
    import pandas as pd

    with watch("read"):
        pd.read_csv(file)
