"""P21 and P23: nothing from outside becomes code, SQL, a path or a request, and only reviewed code runs."""

import ast
import csv
import io
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import dagster as dg
import duckdb
import pytest
import yaml
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.errors import OpscopeError, ProfileError
from pipelines.ingestion import ingest
from pipelines.ingestion.quarantine import show
from pipelines.instance import open_instance
from pipelines.publishing import rollback
from pipelines.resources import Warehouse
from pipelines.settings import REPOSITORY, Settings, export_for_dbt
from pipelines.sources.expressions import parse_expression
from pipelines.sources.profiles import Profile, load_profile
from pipelines.trace import trace
from pipelines.transforms import PARSED
from tests.promises.payloads import PAYLOADS
from tests.promises.planted import Planted

TRACED = ("marts.fct_order_lines", "reports.fct_kpi_values", "ml.demand_forecasts", "marts.dim_customers")
PRINTABLE = tuple(text for text in PAYLOADS if text.isprintable())


@contextmanager
def nothing_written(*folders: Path) -> Iterator[None]:
    """Nothing appears, changes or goes in these folders, and no payload's mark appears in the working folder."""
    before = {folder: _listing(folder) for folder in folders}
    yield
    assert {folder: _listing(folder) for folder in folders} == before
    assert not list(Path.cwd().glob("owned*"))
    assert not list(Path("/tmp").glob("owned*"))


def _listing(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path.relative_to(folder)): (path.lstat().st_size, path.lstat().st_mtime_ns)
        for path in folder.rglob("*")
        if not path.is_dir()
    }


# ------------------------------------------------------------------------------------- what is delivered stays data


def test_delivered_values_names_and_headers_stay_text(tmp_path: Path, evidence: Callable[..., None]) -> None:
    """Every payload as a value, a column name, a file name and the bytes of a file, in one landing."""
    landing = tmp_path / "landing" / "2024-01-01"
    landing.mkdir(parents=True)
    content = io.StringIO()
    writer = csv.writer(content)
    writer.writerow(["order_id", "line_no", "ordered_at", "product_id", "quantity", "unit_price", *PRINTABLE])
    for number, payload in enumerate(PAYLOADS):
        writer.writerow([f"O{number}", 1, "2024-01-01 10:00:00", payload, 1, "1.00", *PRINTABLE])
    (landing / "orders.csv").write_text(content.getvalue(), newline="")
    for payload in PAYLOADS:
        (landing / f"orders{payload.replace('/', '_')}.csv").write_text(content.getvalue(), newline="")
        (landing / f"bytes{payload.replace('/', '_')}.csv").write_text(payload * 50 + "\n")
    profile = Profile(
        company="shop",
        base_currency="EUR",
        starts_on="2024-01-01",
        feeds={
            "order_lines": [
                {
                    "path": "{delivered_on}/" + pattern,
                    "columns": {"channel_id": {"constant": PRINTABLE[0]}, "currency": {"constant": "EUR"}}
                    | {"location_id": PRINTABLE[4]},
                }
                for pattern in ("orders*.csv", "bytes*.csv")
            ]
        },
    )
    settings = Settings(home=tmp_path / "home", landing=str(tmp_path / "landing"), threads=1)
    with nothing_written(REPOSITORY / "pipelines", tmp_path / "landing"):
        report = ingest(settings, profile, Warehouse(settings), None)
    with Warehouse(settings).read() as connection:
        rows = connection.execute("select distinct product_id, channel_id, location_id from raw.order_lines").fetchall()
        paths = {path for (path,) in connection.execute("select source_path from ops.files").fetchall()}
    kept = {payload.strip() for payload in PAYLOADS if payload.isprintable()}
    assert {product for product, *_ in rows} >= kept
    assert {rest for _, *rest in map(tuple, rows) for rest in [tuple(rest)]} == {(PRINTABLE[0], PRINTABLE[4])}
    assert len(paths) == 1 + 2 * len(PAYLOADS)
    assert len(report.refused) == len(PAYLOADS)
    evidence(
        "P21",
        "payloads for SQL, templates, paths, shells, requests and formulas as values, column names, file names, "
        "constants and whole files: loaded word for word or refused, nothing else written",
        trials=4 * len(PAYLOADS),
    )


def test_payloads_go_through_a_whole_run_as_text(planted: Planted, evidence: Callable[..., None]) -> None:
    """The planted company sold products with these names: they stand in marts, forecasts and reports, word for word."""
    with duckdb.connect(str(planted.settings.published_path / "current.duckdb"), read_only=True) as connection:
        sold = {row[0] for row in connection.execute("select product_id from marts.fct_order_lines").fetchall()}
        forecast = {row[0] for row in connection.execute("select product_id from ml.demand_forecasts").fetchall()}
        company = connection.execute("select count(*) from marts.dim_products").fetchone()
    assert company is not None
    assert set(PRINTABLE) <= sold
    assert forecast & set(PRINTABLE)
    report = (planted.settings.reports_path / "checks.html").read_text()
    assert "<script>alert" not in report
    assert not list(planted.settings.root.rglob("owned*"))
    evidence("P21", "the same as product numbers through dbt, models, reports and publication", trials=len(PRINTABLE))


def test_what_an_operator_or_profile_says_is_no_code(planted: Planted, evidence: Callable[..., None]) -> None:
    settings, tried = planted.settings, 0
    document = yaml.safe_load(Path(settings.profile).read_text())
    with nothing_written(settings.published_path, settings.landed_path):
        for payload in PAYLOADS:
            for table in (payload, f"marts.{payload}"):
                with pytest.raises(OpscopeError):
                    trace(settings, table, ["x"])
            forms = ([payload], [f"{payload}=x"], {payload: "x"}, [f"product_id={payload}", "line_no=1"])
            for table, key in zip(TRACED, forms[tried % 4 :] + forms[: tried % 4], strict=False):
                with suppress(OpscopeError):
                    trace(settings, table, key)
                tried += 1
            for refused in (lambda p: show(Warehouse(settings), p), lambda p: rollback(settings, p), load_profile):
                with pytest.raises(OpscopeError):
                    refused(payload)
            for key in ("company", "base_currency", "time_zone", "country", "starts_on", "feeds"):
                # A company may be called `select`; it is quoted nowhere and bound everywhere.
                if (key, payload) != ("company", "select"):
                    with pytest.raises(ValueError, match=r"."):
                        Profile(**(document | {key: payload}))
            tried += 11
        for payload in (*PAYLOADS, "getenv('HOME')", "(select 1)", "read_text('/etc/passwd')", "current_user"):
            with suppress(ProfileError):
                parse_expression(payload, "place")
            tried += 1
    evidence("P21", "payloads as tables, keys, versions, ids, profile fields and expressions: refused in words or no "
             "such row", trials=tried)  # fmt: skip


@pytest.mark.parametrize("day", ["2024-01-01'; drop table x", "../../etc", "{{ 1 }}", "2024-13-01"])
def test_a_day_of_the_command_line_is_a_day(day: str) -> None:
    assert CliRunner().invoke(app, ["run", "--date", day]).exit_code == 2


# ------------------------------------------------------------------------------------------------- SQL, code, pickles

SQL_TEXT = re.compile(
    r"\b(select|insert into|update|delete from|create (or|table|schema|temp)|drop table|attach|copy|describe|where|"
    r"group by|order by|having)\b\s"
)
# What may be put into the text of a statement: names of our own making. Values are bound, names from outside quoted.
TRUSTED = re.compile(
    r"[A-Z_]+|(\d+ \* )?[A-Z_]+( [+-] \d+)?"  # constants
    r"|_?(quoted|quoted_table|candidate|literal|text)\(.*\)"
    r"|(reading\.)?feed(\.\w+)?|contract\(feed\)\.table|suite\.\w+|expression\.sql|warehouse\.path\.stem"
    r"|', '\.join\(.*\)|' and '\.join\(.*\)"
)
# Reviewed: built beside the statement from contracts, suites, models, hashes of ours, or checked expressions.
REVIEWED = {
    "aggregates", "alias", "amount", "asset", "band", "business", "column", "columns", "condition", "conditions",
    "content", "control", "counted", "currency", "day", "days", "delivered", "fact", "key", "limit", "listed",
    "location", "lost", "marks", "measured", "member", "moment", "name", "quoted", "reading.file_id", "relation",
    "same", "schema", "segment", "selected", "self.full_name", "sql", "table", "table.full_name", "tables", "tried",
    "versions", "withdrawn",
}  # fmt: skip


def _statements() -> Iterator[tuple[str, str]]:
    for path in sorted((REPOSITORY / "pipelines").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                text = "".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))
                if SQL_TEXT.search(text):
                    place = f"{path.relative_to(REPOSITORY)}:{node.lineno}"
                    yield from (
                        (place, ast.unparse(part.value)) for part in node.values if isinstance(part, ast.FormattedValue)
                    )


def test_no_value_is_written_into_a_statement(evidence: Callable[..., None]) -> None:
    found = list(_statements())
    offenders = [f"{place}: {{{put}}}" for place, put in found if put not in REVIEWED and not TRUSTED.fullmatch(put)]
    assert not offenders, "bind it as a parameter, quote it, or review it here:\n" + "\n".join(offenders)
    evidence("P21", "names put into the text of a statement are constants, of contracts, or quoted", trials=len(found))


def test_nothing_runs_code_that_it_is_given() -> None:
    forbidden = re.compile(r"\b(eval|exec|os\.system|os\.popen)\(|shell=True|yaml\.load\(|__import__\(|\.read_pickle\(")
    offenders = [
        f"{path.relative_to(REPOSITORY)}:{number}"
        for folder in ("pipelines", "models_ml")
        for path in sorted((REPOSITORY / folder).rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if forbidden.search(line)
    ]
    assert offenders == []


def test_no_pickle_is_left_to_be_loaded(planted: Planted, evidence: Callable[..., None]) -> None:
    """Neither by suffix nor by its first bytes; Dagster's own way of keeping results would leave one per asset."""
    paths = [path for path in [*planted.settings.root.rglob("*"), *PARSED.rglob("*")] if path.is_file()]
    pickles = [
        path
        for path in paths
        if path.suffix in (".pkl", ".pickle", ".gpickle", ".joblib")
        or (path.stat().st_size > 2 and re.match(rb"\x80[\x02-\x05]", path.read_bytes()[:2]))
    ]
    assert [path for path in pickles if path.suffix != ".msgpack"] == []
    evidence("P23", "files below the home and of the parsed dbt project after a run: no pickle", trials=len(paths))


# ------------------------------------------------------------------------------------------------------ supply chain


def test_every_install_takes_hashed_wheels_only(evidence: Callable[..., None]) -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    files = [REPOSITORY / line for line in listed.stdout.splitlines()]
    lines = [
        f"{path.relative_to(REPOSITORY)}: {line.strip()}"
        for path in files
        if path.is_file() and (path.name in ("Makefile", "README.md", "operations.md") or ".ci" in path.parts)
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"\bpip (install|sync)\b", line)
    ]
    loose = [
        line
        for line in lines
        if not ("--require-hashes" in line and "--only-binary" in line)
        # The project itself, built here, and the installer, which is no part of what runs.
        and not ("--no-deps" in line and "--editable ." in line)
        and not line.endswith("--target .tools uv")
    ]
    assert lines
    assert loose == []
    packages = [path for path in files if path.name in ("packages.yml", "dependencies.yml")]
    assert all((path.parent / "package-lock.yml").is_file() for path in packages)
    evidence(
        "P23", "commands that install take wheels by hash only; no dbt package comes in unlocked", trials=len(lines)
    )


# -------------------------------------------------------------------------------------------------------- telemetry


def test_nothing_phones_home(tmp_path: Path, evidence: Callable[..., None]) -> None:
    """Settings as the tools read them back: Dagster, dbt, Great Expectations, DuckDB."""
    settings = Settings(home=tmp_path)
    with open_instance(settings) as instance:
        assert isinstance(instance, dg.DagsterInstance)
        assert not instance.telemetry_enabled
    export_for_dbt(settings)
    assert os.environ["DBT_SEND_ANONYMOUS_USAGE_STATS"] == "false"
    assert yaml.safe_load((REPOSITORY / "dbt_project" / "dbt_project.yml").read_text())["flags"] == {
        "send_anonymous_usage_stats": False,
        "use_colors": False,
    }
    assert "enable_analytics(False)" in (REPOSITORY / "pipelines" / "quality" / "gx.py").read_text()
    with Warehouse(settings).write() as connection:
        names = ("autoinstall_known_extensions", "autoload_known_extensions")
        found = {name: connection.execute(f"select current_setting('{name}')").fetchone() for name in names}
    assert found["autoinstall_known_extensions"] == (False,)
    evidence("P21", "telemetry of Dagster, dbt and Great Expectations and DuckDB's installing of extensions are off",
             trials=4)  # fmt: skip
