"""Days loaded in any order and any way end in the same tables, and no day knows what came after it (P4, P8)."""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from pathlib import Path

import pytest

from pipelines import scope
from pipelines.demo import generate
from pipelines.publishing.digest import digests
from pipelines.stages import build_reports
from tests.promises.installed import Installed
from tests.promises.plans import (
    Setting,
    delivered_files,
    follow,
    forecast_too,
    fresh_home,
    full_run,
    land,
    shared_beginning,
)
from tests.promises.replayed import AS_OF_TABLES, Recording, Replayed

SEED = 8
DAYS = 60
BEGINNINGS = 4
# Every so many plans one is also forecast, which takes longer than all the rest of it.
FORECAST_EVERY = 20
CHUNK_DAYS = 10
# A file costs the same time whatever is in it, so of these only every so many is kept; of the tills' also all that came
# late, twice or cut.
SELDOM = {
    "customers.csv": 6,
    "feedback.jsonl": 4,
    "inventory.parquet": 6,
    "purchase_orders.csv.zst": 4,
    "rates.csv": 4,
    "stores/*.csv.gz": 8,
}


@pytest.fixture(scope="module")
def setting(recording: Recording, tmp_path_factory: pytest.TempPathFactory) -> Setting:
    """Sixty delivery days with late files, corrections and dirt: few order lines and not every feed each day."""
    landing = tmp_path_factory.mktemp("sixty") / "landing"
    generate(landing, days=DAYS, scale=0.02, history_days=60, seed=SEED)
    for name, every in SELDOM.items():
        plain = [path for path in sorted(landing.glob(f"20*/{name}")) if not _had_an_accident(landing, path)]
        for number, path in enumerate(plain):
            if number % every:
                path.unlink()
    days = sorted(date.fromisoformat(path.name) for path in landing.iterdir() if path.name[:2] == "20")
    assert len(days) == DAYS
    return Setting(landing, days, recording, tmp_path_factory.mktemp("plans"))


def _had_an_accident(landing: Path, path: Path) -> bool:
    """Whether a till's roll of a day (such as st1_20260502) came in several files or in another day's folder."""
    roll = path.name[:12]
    rolls = list(landing.glob(f"20*/stores/{roll}*"))
    return bool(rolls) and (len(rolls) > 1 or path.parent.parent.name.replace("-", "") not in roll)


@pytest.fixture(scope="module")
def full(setting: Setting) -> Replayed:
    """One run over all days."""
    return full_run(setting)


@pytest.fixture(scope="module")
def full_forecast(setting: Setting, full: Replayed) -> Replayed:
    """One run over all days, with forecasts."""
    return forecast_too(setting, full)


def test_any_plan_ends_in_the_tables_of_one_run(
    setting: Setting,
    full: Replayed,
    full_forecast: Replayed,
    trials: Callable[[int, int], int],
    evidence: Callable[..., None],
) -> None:
    plans = trials(40, 200)
    expected = {False: full.digests(), True: full_forecast.digests()}
    with ProcessPoolExecutor(max_workers=2, mp_context=multiprocessing.get_context("spawn")) as pool:
        beginnings = list(pool.map(_begin, [(setting, SEED + number) for number in range(BEGINNINGS)]))
        asked = [
            (setting, beginnings[number % BEGINNINGS], 1000 * SEED + number, number % FORECAST_EVERY == 0)
            for number in range(plans)
        ]
        try:
            for (_, _, seed, with_forecasts), found in zip(asked, pool.map(_follow, asked), strict=True):
                assert found.keys() == expected[with_forecasts].keys()
                differing = [table for table, digest in expected[with_forecasts].items() if found[table] != digest]
                assert not differing, f"plan {seed}: {differing}"
        finally:
            pool.shutdown(cancel_futures=True)
    forecast = sum(1 for *_, with_forecasts in asked if with_forecasts)
    evidence(
        "P8",
        f"random plans over {DAYS} days (splits, orders, overlaps, repeats, launches beside one another, files late, "
        f"missing or wrong at first) end in the tables of one run, {forecast} of them with forecasts of some days too; "
        "of the reports the main ones in the small tier",
        trials=plans,
        seed=SEED,
    )


def test_reports_in_parts_are_those_of_one_build_and_all_judged(
    company: Installed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, evidence: Callable[..., None]
) -> None:
    """A company too large for its five as-of days at once: two at a time, by dbt, each part with its own outcomes."""
    home = company.copy(tmp_path / "home")
    with home.warehouse.read() as connection:
        before = digests(connection, ("reports",))
        (rows,) = connection.execute(
            "select (select count(*) from intermediate.int_order_lines_versioned) + count(*) "
            "from intermediate.int_inventory_levels_versioned"
        ).fetchone() or (0,)
    monkeypatch.setattr(scope, "ROWS_AT_ONCE", 2 * rows)
    built = build_reports(home.warehouse, home.transforms, home.graph, home.days, run_id="in parts")
    with home.warehouse.read() as connection:
        assert digests(connection, ("reports",)) == before
        (versions,) = connection.execute(
            "select count(distinct version) from ops.table_versions where table_name = 'reports.fct_kpi_values'"
        ).fetchone() or (0,)
    assert built.days == home.days
    assert versions == 3
    assert {outcome.partition_on for outcome in built.outcomes} == set(home.days)
    home.publish("in parts")
    evidence("P8", "as-of days computed in parts, as a large company's are, end in the tables of one build", trials=3)


def _begin(asked: tuple) -> object:
    setting, seed = asked
    return shared_beginning(setting, seed).settings.root.parent


def _follow(asked: tuple) -> dict[str, str]:
    setting, beginning, seed, with_forecasts = asked
    return follow(setting, beginning, seed, with_forecasts=with_forecasts)


def test_as_of_tables_depend_on_deliveries_up_to_their_day_alone(
    setting: Setting, full_forecast: Replayed, evidence: Callable[..., None]
) -> None:
    """An installation that has only ever seen the deliveries up to a day says of these days what one says that has
    seen them all, forecasts and grades included."""
    cutoffs = setting.days[CHUNK_DAYS - 1 :: CHUNK_DAYS]
    with fresh_home(setting, "growing").kept_open() as growing:
        for cutoff in cutoffs:
            chunk = [day for day in setting.days if day <= cutoff][-CHUNK_DAYS:]
            files = [path for path in delivered_files(setting) if date.fromisoformat(path.parts[0]) in chunk]
            land(setting, growing, files)
            growing.ingest((chunk[0], chunk[-1]))
            growing.transform()
            growing.forecast([day for day in chunk if day in setting.forecast_days])
            growing.report(chunk)
            knew, knows = growing.known_as_of(cutoff), full_forecast.known_as_of(cutoff)
            for table in AS_OF_TABLES:
                assert knew[table] == knows[table], f"{table} as of {cutoff}"
            assert knew["reports.fct_kpi_values"]
        assert growing.digests() == full_forecast.digests()
    evidence(
        "P8",
        "as-of tables up to a day, forecasts included, are those of an installation that saw nothing after it",
        trials=len(cutoffs),
        seed=SEED,
    )
