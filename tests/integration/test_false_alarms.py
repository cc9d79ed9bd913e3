"""How often control limits cry wolf and what they find: the models' SQL on noise, on quiet days of the demo, on plants.

The rates are stated in docs/goals.md. Of each as-of day only the newest judged day counts, so that no day counts twice.
A rate is held to its interval: k alarms of n days are as promised when a binomial variable of the rate promised would
be as far away at least once in a thousand times. Seeds are fixed, so what passes today does tomorrow; the interval says
how wrong the rate could be and still pass.
"""

from collections.abc import Callable
from datetime import date, timedelta

import duckdb
import holidays
import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from pipelines.demo import Truth, generate
from pipelines.settings import DBT_PROJECT, Settings, export_for_dbt
from pipelines.transforms import free_the_warehouse

# Of days of normal noise (logarithms, as sales are judged), and of quiet days of a shop with 10 to 40 lines a day.
NOMINAL, QUIET = 0.004, 0.01
RARE = 0.001
TODAY = date(2026, 6, 30)
HISTORY = 98
MODELS = ("fct_kpi_anomalies", "complaint_limits")
TABLES = """
    create schema kpis; create schema reports; create schema ops;
    create table ops.build_scope (as_of date);
    create table reports.dim_kpis as
    select * from (values ('SAL-01', 'sum', 'up'), ('FBK-04', 'ratio_of_counts', 'down'))
    as kpis (kpi_id, aggregation, direction);
    create table kpis.known_daily_values (
        as_of date, kpi_id varchar, segment_type varchar, segment_value varchar, business_on date,
        numerator decimal(38, 6), denominator decimal(38, 6), n bigint
    );
    create table kpis.known_complaints (
        business_on date, as_of_from date, as_of_to date, topic varchar, complaints bigint, texts bigint
    );
    create table reports.fct_kpi_values (
        as_of date, kpi_id varchar, segment_type varchar, segment_value varchar, period_grain varchar,
        period_start date, period_end date, numerator decimal(38, 6), n bigint, value double,
        is_insufficient_data boolean
    );
"""
Judge = Callable[[pd.DataFrame], pd.DataFrame]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The models' SQL as dbt compiles it for a first build."""
    from dbt.cli.main import dbtRunner

    home = tmp_path_factory.mktemp("limits")
    export_for_dbt(Settings(home=home))
    folders = ("--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT), "--target-path", str(home))
    outcome = dbtRunner().invoke(["--quiet", "--log-level-file", "none", "compile", "--select", *MODELS, *folders])
    free_the_warehouse()
    assert outcome.success, outcome.exception
    return {
        result.node.name: result.node.compiled_code.replace('"warehouse".', "") for result in outcome.result.results
    }


@pytest.fixture(scope="module")
def judge(compiled: dict[str, str]) -> Judge:
    """Daily values (as_of, segment_value, business_on, numerator) to what is said of the newest day of each."""

    def judged(values: pd.DataFrame) -> pd.DataFrame:
        with duckdb.connect() as connection:
            connection.execute(TABLES)
            connection.execute(f"create view kpis.complaint_limits as {compiled['complaint_limits']}")
            connection.register("given", values)
            connection.execute(
                """
                insert into kpis.known_daily_values
                select as_of, 'SAL-01', 'channel_id', segment_value, business_on, round(numerator, 4), null, 1
                from given;
                -- How far the company as a whole is told.
                insert into kpis.known_daily_values
                select as_of, 'SAL-01', 'all', 'all', as_of, 1, null, 1 from given group by as_of
                """
            )
            said = connection.execute(
                f"from ({compiled['fct_kpi_anomalies']}) where period_start = as_of and segment_type <> 'all'"
            ).df()
        assert not said["is_insufficient_data"].any()
        return said

    return judged


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    """A year and a half of a company without dirt, so that nothing is late, cut or corrected."""
    return generate(tmp_path_factory.mktemp("quiet"), days=1, history_days=560, scale=0.3, dirty=False)


def windows(series: pd.DataFrame, days: list[date]) -> pd.DataFrame:
    """What each of the days knew: the history up to it."""
    known = [
        series[(series["business_on"] <= day) & (series["business_on"] > day - timedelta(days=HISTORY))].assign(
            as_of=day
        )
        for day in days
    ]
    return pd.concat(known, ignore_index=True)


@pytest.fixture(scope="module")
def quiet(truth: Truth) -> pd.DataFrame:
    """Net revenue per channel on as-of days on which nothing was planted: no promotion runs, no holiday shuts the shop.

    Days before them may be of either kind, as in life. The shop is shut on Sundays, so its series has none.
    """
    booked = truth.table("net_revenue_daily").to_pandas().astype({"net_eur": float})
    series = booked.groupby(["channel_id", "business_on"])["net_eur"].sum().reset_index()
    series = series.set_axis(["segment_value", "business_on", "numerator"], axis=1)
    promoted = {
        date.fromisoformat(each["from"]) + timedelta(days=day)
        for each in truth.document["promotions"]
        for day in range((date.fromisoformat(each["to"]) - date.fromisoformat(each["from"])).days + 1)
    }
    shut = set(holidays.country_holidays("DE", years=range(2024, 2027)))
    first = series["business_on"].min()
    days = [
        day
        for day in sorted(set(series["business_on"]))
        if day >= first + timedelta(days=HISTORY) and day not in promoted | shut
    ]
    return windows(series, days)


def as_promised(alarms: int, days: int, rate: float) -> bool:
    return bool(binom.ppf(RARE / 2, days, rate) <= alarms <= binom.isf(RARE / 2, days, rate))


@pytest.mark.parametrize("spread", [0.15, 0.4])
def test_normal_noise_is_an_anomaly_as_rarely_as_promised(judge: Judge, spread: float) -> None:
    """1,500 channels with a week of their own kind, each judged once: 6 alarms promised, 0 to 16 as good as that."""
    rng = np.random.default_rng(20260630)
    days = [TODAY - timedelta(days=back) for back in reversed(range(HISTORY))]
    week = rng.uniform(0.5, 2, (1500, 7))[:, [day.weekday() for day in days]]
    amounts = 1000 * week * np.exp(rng.normal(0, spread, week.shape))
    channels = [f"c{number}" for number in range(len(week))]
    values = pd.DataFrame(amounts, index=channels, columns=days).stack().rename("numerator").reset_index()
    said = judge(values.set_axis(["segment_value", "business_on", "numerator"], axis=1).assign(as_of=TODAY))
    assert len(said) == 1500
    assert as_promised(int(said["is_anomaly"].sum()), len(said), NOMINAL)


def test_a_quiet_day_of_the_demo_is_rarely_an_anomaly(judge: Judge, quiet: pd.DataFrame) -> None:
    """Growth, season, promotions before and few lines a day make it more than of noise: at most one in a hundred."""
    said = judge(quiet)
    assert len(said) > 600
    assert said["is_anomaly"].sum() <= binom.isf(RARE, len(said), QUIET)
    assert set(said["segment_value"]) == {"web", "store"}


@pytest.mark.parametrize(("left", "found"), [(0.0, 1.0), (0.1, 0.98), (0.25, 0.7)])
def test_a_file_that_is_lost_or_cut_is_found(judge: Judge, quiet: pd.DataFrame, left: float, found: float) -> None:
    """On each quiet day in turn, with what is `left` of its revenue; a day that is lost has no row."""
    planted = quiet.copy()
    today = planted["business_on"] == planted["as_of"]
    planted.loc[today, "numerator"] *= left
    said = judge(planted if left else planted[~today])
    alarms = int((said["is_anomaly"] & said["is_unfavourable"]).sum())
    assert len(said) > 600
    assert alarms >= binom.ppf(RARE, len(said), found)


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3])
def test_complaints_leave_their_limits_as_rarely_as_promised(compiled: dict[str, str], share: float) -> None:
    """Exact: every number of complaints that 60 answers, and 240 before them, may hold, weighed by how likely it is.

    Three deviations of a normal variable are left to the worse side in 0.135 % of the cases; counts, which come in
    steps and are skew when they are rare, do so less often here.
    """
    recent, before = 60, 240
    with duckdb.connect() as connection:
        connection.execute(TABLES)
        connection.execute("insert into ops.build_scope values (?)", [TODAY])
        connection.execute(
            f"""
            insert into reports.fct_kpi_values
            select
                date '{TODAY}', 'FBK-04', 'topic', now.range || '-' || base.range, 'trailing_28d', date '{TODAY}' - 27,
                date '{TODAY}', now.range, {recent}, now.range / {recent}::double, false
            from range({recent + 1}) as now, range({before + 1}) as base;
            insert into kpis.known_complaints
            select
                date '{TODAY}' - 60, date '{TODAY}', date '{TODAY}' + 1, now.range || '-' || base.range, base.range,
                {before}
            from range({recent + 1}) as now, range({before + 1}) as base
            """
        )
        judged = connection.execute(f"from ({compiled['complaint_limits']})").df()
    assert len(judged) == (recent + 1) * (before + 1)
    counts = judged["segment_value"].str.split("-", expand=True).astype(int)
    chance = binom.pmf(counts[0], recent, share) * binom.pmf(counts[1], before, share)
    assert chance.sum() == pytest.approx(1)
    assert ((judged["value"] > judged["upper_limit"]) == (judged["z"] > 3)).all()
    assert ((judged["value"] < judged["lower_limit"]) == (judged["z"] < -3)).all()
    above = judged["z"].to_numpy() > 3
    assert 0 < chance[above].sum() <= 0.00135
    # Three times as many complaints: as good as never seen of 2 %, in most cases of 10 %, always of 30 %.
    tripled = binom.pmf(counts[0], recent, 3 * share) * binom.pmf(counts[1], before, share)
    assert tripled[above].sum() == pytest.approx({0.02: 0.061, 0.1: 0.721, 0.3: 1}[share], abs=0.001)
