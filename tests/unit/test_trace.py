"""From published rows back to files and lines, on deliveries taken in for real and marts made by hand."""

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from pipelines.ingestion import ingest
from pipelines.resources import Warehouse
from pipelines.settings import DBT_PROJECT, Settings
from pipelines.sources.profiles import load_profile
from pipelines.trace import FORECAST_HISTORY_DAYS, RECORDS, TraceError, kpi_shares, trace

PROFILE = """
company: acme
base_currency: EUR
starts_on: 2026-03-01
feeds:
  order_lines:
    path: "{delivered_on}/orders.csv"
"""
HEADER = "order_id,line_no,ordered_at,product_id,channel_id,quantity,unit_price,currency,status,is_deleted\n"
LINES = {
    "2026-03-01": [
        "A,1,2026-03-01T08:00:00Z,P1,web,2,10.00,EUR,open,",
        "B,1,2026-03-01T09:00:00Z,P2,web,1,5.00,EUR,open,",
    ],
    "2026-03-02": [
        "A,1,2026-03-01T08:00:00Z,P1,web,3,10.00,EUR,shipped,",
        "C,1,2026-03-02T08:00:00Z,P1,store,1,7.00,EUR,open,",
    ],
    "2026-03-03": ["B,1,2026-03-01T09:00:00Z,P2,web,1,5.00,EUR,open,true"],
}
MARTS = """
    create table intermediate.int_order_lines_versioned as
    with known as (
        select *, _delivered_on as known_from, ordered_at::date as ordered_on, true as is_revenue,
            lead(_delivered_on) over (partition by order_id, line_no order by _delivered_on) as known_to
        from raw.order_lines
    )
    select * from known where is_deleted is null;
    create table marts.fct_order_lines as
    select order_id, line_no, product_id, _file_id as file_id, _record_no as record_no
    from intermediate.int_order_lines_versioned where known_to is null;
    create table marts.dim_products as select distinct product_id from raw.order_lines;
    create table ml.demand_forecasts as
    select date '2026-03-02' as as_of, date '2026-03-03' as target_on, 'P1' as product_id, 'web' as channel_id, model
    from (values ('a'), ('b')) as models(model);
    create table reports.fct_kpi_values as
    select 'SAL-01' as kpi_id, as_of, 'day' as period_grain, date '2026-03-01' as period_start,
        date '2026-03-01' as period_end, segment_type, segment_value
    from (values (date '2026-03-01', 'all', 'all'), (date '2026-03-02', 'all', 'all'),
        (date '2026-03-02', 'channel_id', 'store'), (date '2026-03-02', 'category', 'toys'),
        (date '2026-03-02', 'category', 'games')) as v(as_of, segment_type, segment_value);
    create table intermediate.int_products_versioned as
    select 'P1' as product_id, 'toys' as category, date '2026-03-02' as known_from
    union all select 'P1', 'games', date '2026-03-03';
"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = tmp_path_factory.mktemp("acme")
    for day, lines in LINES.items():
        (home / "landing" / day).mkdir(parents=True)
        (home / "landing" / day / "orders.csv").write_text(HEADER + "".join(line + "\n" for line in lines))
    (home / "acme.yml").write_text(PROFILE)
    settings = Settings.model_validate({"home": home, "profile": str(home / "acme.yml"), "threads": 1})
    warehouse = Warehouse(settings)
    ingest(settings, load_profile(settings.profile), warehouse, None)
    with warehouse.write() as connection:
        connection.execute(MARTS)
    return settings


def test_a_fact_leads_to_every_delivered_version_and_its_text(settings: Settings) -> None:
    newest, oldest = trace(settings, "marts.fct_order_lines", ["A", "1"])
    assert (newest.source_path, newest.record_no, newest.delivered_on) == ("2026-03-02/orders.csv", 1, date(2026, 3, 2))
    assert (newest.note, newest.amount) == ("current", Decimal("30.0000"))
    assert (newest.raw_text or "").rstrip() == LINES["2026-03-02"][0]
    assert (oldest.note, (oldest.raw_text or "").rstrip()) == ("replaced later", LINES["2026-03-01"][0])
    assert LINES["2026-03-01"][0] in str(oldest)
    assert HEADER.encode() in Path(newest.landed_path or "").read_bytes()


def test_keys_by_name_by_place_and_as_a_mapping_are_the_same(settings: Settings) -> None:
    by_place = trace(settings, "marts.fct_order_lines", ["C", "1"])
    assert by_place == trace(settings, "marts.fct_order_lines", ["line_no=1", "order_id=C"])
    assert by_place == trace(settings, "marts.fct_order_lines", {"order_id": "C"})


def test_a_withdrawn_record_is_still_found(settings: Settings) -> None:
    found = trace(settings, "marts.fct_order_lines", ["B", "1"])
    assert [origin.note for origin in found] == ["withdraws the record", "replaced later"]


def test_an_inferred_member_leads_to_where_it_is_named(settings: Settings) -> None:
    *files, total = trace(settings, "marts.dim_products", ["P1"])
    assert [(origin.source_path, origin.rows) for origin in files] == [
        ("2026-03-02/orders.csv", 2),
        ("2026-03-01/orders.csv", 1),
    ]
    assert (total.source_path, total.rows) == (None, 3)


@pytest.mark.parametrize(
    ("as_of", "rows", "amount", "files"),
    [
        ("2026-03-01", 2, "25.0000", ["2026-03-01/orders.csv"]),
        ("2026-03-02", 2, "35.0000", ["2026-03-02/orders.csv", "2026-03-01/orders.csv"]),
    ],
)
def test_a_kpi_value_leads_to_what_was_known_then(
    settings: Settings, as_of: str, rows: int, amount: str, files: list[str]
) -> None:
    found = trace(settings, "reports.fct_kpi_values", ["SAL-01", as_of, "day", "2026-03-01", "all", "all"])
    assert [origin.source_path for origin in found] == [*files, None]
    assert (found[-1].rows, found[-1].amount) == (rows, Decimal(amount))


def test_amounts_of_two_currencies_are_not_added(settings: Settings) -> None:
    with Warehouse(settings).write() as connection:
        connection.execute("update intermediate.int_order_lines_versioned set currency = 'USD' where order_id = 'B'")
    found = trace(settings, "reports.fct_kpi_values", ["SAL-01", "2026-03-02", "day", "2026-03-01", "all", "all"])
    totals = [origin for origin in found if origin.source_path is None]
    assert {each.currency: (each.rows, each.amount) for each in totals} == {
        "EUR": (1, Decimal("30.0000")),
        "USD": (1, Decimal("5.0000")),
    }
    assert {each.note for each in totals} == {"2 files"}


def test_a_category_counts_the_products_that_were_told_to_be_in_it_on_the_day(settings: Settings) -> None:
    *_, toys = trace(settings, "reports.fct_kpi_values", ["segment_value=toys"])
    assert (toys.rows, toys.amount) == (1, Decimal("30.0000"))
    assert trace(settings, "reports.fct_kpi_values", ["segment_value=games"]) == []


def test_a_segment_without_rows_has_no_origin(settings: Settings) -> None:
    assert trace(settings, "reports.fct_kpi_values", ["segment_value=store"]) == []


def test_a_forecast_leads_to_the_demand_of_its_series_known_then(settings: Settings) -> None:
    *files, total = trace(settings, "ml.demand_forecasts", ["2026-03-02", "P1", "web"])
    assert [(origin.source_path, origin.rows) for origin in files] == [("2026-03-02/orders.csv", 1)]
    assert str(total) == "order_lines: 1 rows, amount 30.0000 EUR in all (1 files)"


def test_many_files_are_capped_and_totalled(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.trace.SHOWN_FILES", 1)
    shown, total = trace(settings, "marts.dim_products", ["P1"])
    assert shown.source_path == "2026-03-02/orders.csv"
    assert (total.rows, total.note) == (3, "names product_id P1; 2 files, 1 of them not shown")


@pytest.mark.parametrize(
    ("table", "key", "message"),
    [
        ("marts.fct_order_lines", ["nope", "1"], "no such row. A key looks like: order_id=. line_no=1"),
        ("marts.fct_order_lines", ["1", "2", "3"], "3 values are no key"),
        ("marts.fct_order_lines", [], "0 values are no key"),
        ("marts.fct_order_lines", ["colour=red"], "no column colour"),
        ("marts.fct_order_lines", ["line_no=1"], "more than one record"),
        ("reports.fct_kpi_values", ["SAL-01"], "more than one row.*kpi_id=SAL-01 as_of=2026"),
        ("reports.fct_kpi_values", ["SAL-99"], "no such row"),
        ("marts.dim_dates", ["1"], "Trace a row of one of: marts.bridge"),
        ("raw.order_lines; drop table x", ["1"], "Trace a row of one of"),
    ],
)
def test_errors_say_what_a_key_looks_like(settings: Settings, table: str, key: list[str], message: str) -> None:
    with pytest.raises(TraceError, match=message):
        trace(settings, table, key)


def test_a_lost_landed_copy_costs_the_text_only(settings: Settings) -> None:
    (origin,) = trace(settings, "marts.fct_order_lines", ["C", "1"])
    copy = Path(origin.landed_path or "")
    hidden = copy.rename(copy.with_suffix(".away"))
    try:
        (without,) = trace(settings, "marts.fct_order_lines", ["C", "1"])
    finally:
        hidden.rename(copy)
    assert without.raw_text is None
    assert without.record_no == 2


@pytest.mark.parametrize(
    "model", sorted((DBT_PROJECT / "models" / "kpis").glob("*/kpi_*.sql")), ids=lambda path: path.stem
)
def test_every_kpi_model_says_which_rows_it_counts(model: Path) -> None:
    text = model.read_text(encoding="utf-8")
    shares = kpi_shares(text, date(2026, 3, 31), date(2026, 3, 1), date(2026, 3, 31))
    assert shares
    named = re.findall(r"known_rows\(ref\('int_\w+'\)", text)
    if "forecast_values(" not in text and "ref('known_sales')" not in text:
        assert len(named) == len([share for share in shares if share.day != "known_from"])
    assert all("{" not in share.condition for share in shares)


def test_growth_counts_the_same_days_of_the_year_before_too() -> None:
    text = (DBT_PROJECT / "models" / "kpis" / "sales" / "kpi_sal_04_revenue_growth.sql").read_text(encoding="utf-8")
    now, before = kpi_shares(text, date(2024, 3, 1), date(2024, 2, 1), date(2024, 2, 29))
    assert (now.first, now.last, now.condition) == (date(2024, 2, 1), date(2024, 2, 29), "is_revenue")
    assert (before.first, before.last, before.condition) == (date(2023, 2, 2), date(2023, 3, 2), "is_revenue")


def test_every_fact_and_dimension_is_traceable() -> None:
    computed = {"marts.dim_channels", "marts.dim_currencies", "marts.dim_dates"}
    shipped = {
        "marts.bridge_objective_kpis",
        "marts.dim_departments",
        "marts.dim_feedback_topics",
        "marts.dim_objectives",
    }
    models = {f"marts.{path.stem}" for path in (DBT_PROJECT / "models" / "marts").glob("*.sql")}
    assert models - computed - shipped == set(RECORDS)


def test_the_forecast_looks_back_as_far_as_the_forecaster() -> None:
    from pipelines.modelling.demand import HISTORY_DAYS

    assert FORECAST_HISTORY_DAYS == HISTORY_DAYS
