"""Forecasts: blind for what came after their day, the same for the same data, and never nonsense."""

import inspect
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models_ml import engine
from models_ml.frames import FrameError
from pipelines.modelling.context import Context
from pipelines.modelling.demand import Demand
from pipelines.modelling.grades import ForecastGrades
from pipelines.modelling.stock_outs import LocationDemand
from pipelines.quality.checks import run_checks
from tests.promises.demand import DAYS, DEMAND, FIRST, HORIZON, LAST, Shop, made_demand, open_shop, poisons, rounded

ROOT = Path(__file__).resolve().parent.parent.parent
SEED = 20260101
NUMBERS = ["mean", "q0.1", "q0.5", "q0.9"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return open_shop(tmp_path_factory.mktemp("shop") / "home", made_demand(SEED))


def copied(shop: Shop, home: Path) -> Shop:
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(shop.warehouse.path, home / "warehouse.duckdb")
    return Shop(type(shop.settings).model_validate(shop.settings.model_dump() | {"home": home}), shop.profile)


def assert_same(found: dict[str, pd.DataFrame], told: dict[str, pd.DataFrame]) -> None:
    for table, frame in told.items():
        pd.testing.assert_frame_equal(found[table], frame)


# ---------------------------------------------------------------- P16: nothing of the future


def test_nothing_known_later_changes_what_was_forecast(
    shop: Shop, tmp_path: Path, trials: Callable[[int, int], int], evidence: Callable[..., None]
) -> None:
    """A day at the end is computed in the same run, so all that became known later lies open to it.

    In the small tier each origin meets one of the poisons, in turn.
    """
    chosen = np.random.default_rng(SEED).choice(np.arange(DAYS - 90, DAYS - 10), trials(20, 80), replace=False)
    origins = sorted(FIRST + timedelta(days=int(number)) for number in chosen)
    whole = copied(shop, tmp_path / "whole")
    whole.forecast([*(day - timedelta(days=1) for day in origins), *origins, LAST])
    tried = 0
    for number, day in enumerate(origins):
        told = whole.as_of(day)
        assert set(told["demand_forecasts"]["model"]) >= {"trees", "weekday_mean", "seasonal_naive"}
        assert len(told["forecast_accuracy"]) > 0
        made = list(poisons(day).items())
        for name, poison in made if trials(0, 1) else [made[number % len(made)]]:
            poisoned = copied(whole, tmp_path / "poisoned")
            poisoned.run(*poison)
            # The days between would be computed again too, which says no more and takes most of the time; but for the
            # last of the month, for which snapshots are kept.
            month = f"date_trunc('month', as_of) = date_trunc('month', date '{day}')"
            poisoned.run(
                f"""
                delete from ops.as_of_days where as_of not in (date '{day}', date '{LAST}')
                    and as_of <> (select max(as_of) from ops.as_of_days where {month})
                """
            )
            poisoned.forecast([day, LAST])
            assert_same(poisoned.as_of(day), told)
            assert not poisoned.as_of(LAST)["demand_forecasts"].equals(whole.as_of(LAST)["demand_forecasts"]), name
            tried += 1
    evidence(
        "P16",
        "everything that became known after an origin (late records of earlier days too) multiplied by a thousand, "
        "shuffled or deleted: forecasts and grades as of the origin are identical, those of a later day are not",
        trials=tried,
        seed=SEED,
    )


def test_the_engine_reads_nothing_after_its_origin(
    trials: Callable[[int, int], int], evidence: Callable[..., None]
) -> None:
    history = history_of(made_demand(SEED))
    origins = [FIRST + timedelta(days=int(number)) for number in np.linspace(60, DAYS - 10, trials(4, 20))]
    for day in origins:
        told = engine.backtest(history, [day], horizon=HORIZON)
        for spoiled in futures(history, day):
            pd.testing.assert_frame_equal(engine.backtest(spoiled, [day], horizon=HORIZON), told)
    evidence(
        "P16",
        "the engine's own forecasts are identical whatever happens to demand after the origin",
        trials=3 * len(origins),
        seed=SEED,
    )


def history_of(demand: pd.DataFrame) -> pd.DataFrame:
    """All demand as finally known, as the engine's history frame."""
    named = demand.assign(series_id=demand["product_id"] + demand["channel_id"], date=demand["ordered_on"])
    summed = named.groupby(["series_id", "date"], as_index=False)["quantity_delta"].sum()
    return summed.rename(columns={"quantity_delta": "quantity"}).assign(
        date=pd.to_datetime(summed["date"]), kind=summed["series_id"].str[:2]
    )


def futures(history: pd.DataFrame, day: date) -> Iterator[pd.DataFrame]:
    after = history["date"] > pd.Timestamp(day)
    yield history.assign(quantity=history["quantity"].where(~after, history["quantity"] * 1000))
    shuffled = history.copy()
    shuffled.loc[after, "quantity"] = np.random.default_rng(0).permutation(history.loc[after, "quantity"])
    yield shuffled
    yield history[~after]


@dataclass(frozen=True)
class Leak:
    """One change to one function that lets it see the future."""

    name: str
    owner: Any
    function: str
    old: str
    new: str


@contextmanager
def planted(leak: Leak) -> Iterator[None]:
    """The function with the leak in it, in place of ours, while the block runs."""
    sound = getattr(leak.owner, leak.function)
    source = textwrap.dedent(inspect.getsource(sound))
    assert leak.old in source, f"{leak.name}: the text to change is gone"
    made: dict[str, Any] = {}
    exec(source.replace(leak.old, leak.new), sound.__globals__ | {"timedelta": timedelta}, made)
    setattr(leak.owner, leak.function, made[leak.function])
    try:
        yield
    finally:
        setattr(leak.owner, leak.function, sound)


LEAKS = [
    Leak(
        "demand by its own day, whenever it became known",
        Demand,
        "_read",
        "where known_on <= $day and ordered_on <= $day",
        "where ordered_on <= $day",
    ),
    Leak(
        "the business day taken for the day of knowledge",
        Demand,
        "__init__",
        "ordered_on, known_on, sum(quantity_delta)",
        "ordered_on, ordered_on as known_on, sum(quantity_delta)",
    ),
    Leak(
        "today's category of a product",
        Demand,
        "_read",
        "where known_from <= $day and (known_to is null or known_to > $day)",
        "where known_to is null",
    ),
    Leak(
        "a category that is known to end later is no category",
        Demand,
        "_read",
        "(known_to is null or known_to > $day)",
        "known_to is null",
    ),
    Leak(
        "the series that will sell most",
        Demand,
        "_read",
        "from known\n            where date > $day - 365",
        "from (select product_id || $separator || channel_id as series_id, quantity from demand)",
    ),
    Leak(
        "stock-outs before anybody told of them",
        LocationDemand,
        "_read",
        "where known_from <= $day and (known_to is null or known_to > $day)",
        "where true",
    ),
    Leak(
        "a model fitted six weeks later",
        Context,
        "training_day",
        "training_origin(day, self.profile.starts_on)",
        "training_origin(day, self.profile.starts_on) + timedelta(days=45)",
    ),
    Leak(
        "grades against demand as corrected since",
        ForecastGrades,
        "_know_actuals",
        "where known_on <= $day and ordered_on between",
        "where ordered_on between",
    ),
    Leak(
        "grades up to the last day that will be known",
        ForecastGrades,
        "_know_actuals",
        "select max(target_on) from actuals where quantity > 0",
        "select max(known_on) from demand",
    ),
    Leak(
        "one model of the last origin for all",
        engine,
        "backtest",
        "origin=trained,",
        "origin=history[DATE].max().date(),",
    ),
    Leak(
        "levels of the newest row there is",
        engine.Model,
        "forecast",
        "Panel.of(history, origin, plan.season,",
        "Panel.of(history, history[DATE].max().date(), plan.season,",
    ),
]


@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: leak.name)
def test_a_planted_leak_is_caught(shop: Shop, tmp_path: Path, leak: Leak, evidence: Callable[..., None]) -> None:
    """The comparison above, with the future open: it must find a difference under at least one poison."""
    with planted(leak):
        differs = engine_differs() if inspect.getmodule(leak.owner) is engine else pipeline_differs(shop, tmp_path)
    assert differs
    evidence("P16", f"a planted leak is caught: {leak.name}", trials=1)


def engine_differs() -> bool:
    history, day = history_of(made_demand(SEED)), FIRST + timedelta(days=DAYS - 55)
    told = engine.backtest(history, [day], horizon=HORIZON)
    return any(not engine.backtest(each, [day], horizon=HORIZON).equals(told) for each in futures(history, day))


def pipeline_differs(shop: Shop, tmp_path: Path) -> bool:
    day = FIRST + timedelta(days=DAYS - 55)
    whole = copied(shop, tmp_path / "whole")
    whole.forecast([day - timedelta(days=2), day - timedelta(days=1), day, LAST])
    told = whole.as_of(day)
    for poison in poisons(day).values():
        poisoned = copied(whole, tmp_path / "poisoned")
        poisoned.run(*poison)
        poisoned.forecast([day, LAST])
        found = poisoned.as_of(day)
        if any(not found[table].equals(frame) for table, frame in told.items()):
            return True
    return False


# ---------------------------------------------------------------- P17: the same data, the same forecasts


def test_threads_processes_and_the_order_of_rows_do_not_matter(tmp_path: Path, evidence: Callable[..., None]) -> None:
    """Every run is a process of its own, with another number of threads or another order of rows."""
    history = history_of(made_demand(SEED))
    history.to_parquet(tmp_path / "ordered.parquet")
    history.sample(frac=1, random_state=1).to_parquet(tmp_path / "shuffled.parquet")
    runs = [("ordered", 1), ("ordered", 2), ("shuffled", 4)]
    found = []
    for number, (panel, threads) in enumerate(runs):
        out = tmp_path / f"{number}.parquet"
        command = ["backtest", "--panel", str(tmp_path / f"{panel}.parquet"), "--horizon", "14", "--origins", "2"]
        subprocess.run(
            [sys.executable, "-m", "models_ml", *command, "--seed", "5", "--country", "DE", "--out", str(out)],
            cwd=ROOT,
            env=os.environ | {"OMP_NUM_THREADS": str(threads)},
            check=True,
            capture_output=True,
        )
        found.append(rounded(pd.read_parquet(out)))
    assert set(found[0]["model"]) >= {"trees", "weekday_mean", "seasonal_naive"}
    for other in found[1:]:
        pd.testing.assert_frame_equal(other, found[0])
    evidence(
        "P17",
        "three processes with 1, 2 and 4 threads, one of them with shuffled rows, forecast the same to six decimals",
        trials=len(runs),
        seed=5,
    )


def test_a_warehouse_filled_in_another_order_gives_the_same_forecasts(
    shop: Shop, tmp_path: Path, evidence: Callable[..., None]
) -> None:
    days = [LAST - timedelta(days=back) for back in (40, 1, 0)]
    one = copied(shop, tmp_path / "one")
    other = open_shop(tmp_path / "other", made_demand(SEED).sample(frac=1, random_state=2))
    one.forecast(days)
    for day in reversed(days):
        other.forecast([day])
    for day in days:
        assert_same(other.as_of(day), one.as_of(day))
    evidence(
        "P17",
        "a warehouse filled in another order of rows and forecast day by day backwards has the same forecasts and "
        "grades to six decimals",
        trials=len(days),
        seed=SEED,
    )


# ---------------------------------------------------------------- P18: never nonsense

LENGTH = 400
SHAPES: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "constant": lambda rng: np.full(LENGTH, 7.0),
    "one row": lambda rng: np.eye(1, LENGTH, int(rng.integers(LENGTH)))[0] * 5,
    "gaps": lambda rng: rng.poisson(5, LENGTH) * (np.arange(LENGTH) // 30 % 2),
    "zeros": lambda rng: np.zeros(LENGTH),
    "new": lambda rng: np.eye(1, LENGTH, LENGTH - 1)[0] * 9,
    "discontinued": lambda rng: rng.poisson(20, LENGTH) * (np.arange(LENGTH) < 100),
    "outlier": lambda rng: rng.poisson(5, LENGTH) + 1e12 * np.eye(1, LENGTH, int(rng.integers(LENGTH)))[0],
    "outlier yesterday": lambda rng: rng.poisson(5, LENGTH) + 1e12 * np.eye(1, LENGTH, LENGTH - 2)[0],
    "returns": lambda rng: rng.poisson(3, LENGTH) - 4.0,
    "now and then": lambda rng: rng.poisson(0.05, LENGTH) * 1.0,
}
BASELINE_SPEAKS = ("new", "discontinued")


def nonsense(rng: np.random.Generator) -> pd.DataFrame:
    """One series of each shape, as deltas known on their own day."""
    first = LAST - timedelta(days=LENGTH - 1)
    return pd.DataFrame(
        [
            (shape, "web", first + timedelta(days=number), first + timedelta(days=number), float(quantity))
            for shape, make in SHAPES.items()
            for number, quantity in enumerate(make(rng))
            if quantity != 0
        ],
        columns=["product_id", "channel_id", "ordered_on", "known_on", "quantity_delta"],
    )


def test_nonsense_in_no_nonsense_out(
    tmp_path: Path, trials: Callable[[int, int], int], evidence: Callable[..., None]
) -> None:
    count = trials(4, 60)
    rows = 0
    for number in range(count):
        rng = np.random.default_rng(SEED + number)
        shop = open_shop(tmp_path / str(number), nonsense(rng), series=50)
        shop.forecast([LAST - timedelta(days=HORIZON), LAST])
        outcomes = run_checks(shop.warehouse, "ml", [LAST], run_id="judge")
        assert [each.check_name for each in outcomes if each.is_blocking and not each.passed] == []
        forecasts = shop.as_of(LAST)["demand_forecasts"]
        numbers = forecasts[["mean", "p10", "p50", "p90"]].to_numpy()
        assert np.isfinite(numbers).all()
        assert (numbers >= 0).all()
        spoken = forecasts[forecasts["is_selected"]].groupby("product_id")["model"].agg(set)
        assert set(spoken.index) >= set(SHAPES) - {"zeros", "returns"}
        assert all(spoken[shape] == {engine.WEEKDAY_MEAN} for shape in BASELINE_SPEAKS)
        assert (forecasts.loc[forecasts["product_id"] == "discontinued", "mean"] == 0).all()
        rows += len(forecasts)
    evidence(
        "P18",
        f"of {rows:,} forecasts of constant, single, gappy, zero, new, discontinued, returned and rare demand and of "
        "outliers of 1e12 none is infinite, NaN or negative, the baseline speaks for new and discontinued series and "
        "says so, and every blocking check passes",
        trials=count * len(SHAPES),
        seed=SEED,
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -1.0], ids=str)
def test_a_quantity_that_is_none_is_refused_by_the_engine(value: float, evidence: Callable[..., None]) -> None:
    history = history_of(made_demand(SEED)).astype({"quantity": float})
    history.loc[7, "quantity"] = value
    with pytest.raises(FrameError, match="quantity"):
        engine.backtest(history, [LAST], horizon=HORIZON)
    evidence("P18", f"the engine refuses a history with a quantity of {value} instead of forecasting from it", trials=1)


def test_numbers_at_the_edge_of_the_column_stay_numbers(tmp_path: Path, evidence: Callable[..., None]) -> None:
    """The largest demand that the warehouse's column holds, every day."""
    largest = made_demand(SEED).assign(quantity_delta=9e14)
    shop = open_shop(tmp_path / "home", largest)
    shop.run(f"delete from {DEMAND} where known_on <> ordered_on")
    shop.forecast([LAST])
    numbers = shop.as_of(LAST)["demand_forecasts"][["mean", "p10", "p50", "p90"]].to_numpy()
    assert len(numbers)
    assert np.isfinite(numbers).all()
    evidence("P18", "demand of 9e14 a day, the largest a column holds, is forecast in finite numbers", trials=1)
