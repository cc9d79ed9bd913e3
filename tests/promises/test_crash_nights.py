"""Kills of whole nights at the cost of their SQL: what dbt sent is sent again, with the product around it.

What a kill leaves depends on what was committed, not on who sent it. Runs with dbt and Dagster in them are killed in
test_crash_pipeline.
"""

import random
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.recording import Statement
from pipelines import lease
from pipelines.publishing import verify
from pipelines.publishing.versions import current_version
from tests.integration.command_line import OF_THE_MODELS
from tests.promises import small_shop, whole_runs
from tests.promises.nursery import Nursery, spread
from tests.promises.replayed import Recording, Replayed, settings_at
from tests.promises.test_crash import chains

SEED = 20261122
# Each chain ends in a whole night that is let through, which costs as much as two that are killed.
LONGEST_CHAIN = 9


@dataclass(frozen=True)
class Company:
    """The demo company before its first night, the recorded statements, and where an undisturbed night ends."""

    template: Path
    marts: list[Statement]
    reports: list[Statement]
    standing: dict[str, object]
    seconds: float

    @property
    def told(self) -> tuple[list[Statement], list[Statement]]:
        return self.marts, self.reports


def company_at(home: Path, marts: list[Statement], reports: list[Statement]) -> Replayed:
    landing = home.parent / "landing"
    recording = Recording(marts, reports, home / "unused")
    return Replayed.at(settings_at(home, landing), str(landing / "profile.yml"), recording)


def night(home: Path, marts: list[Statement], reports: list[Statement]) -> None:
    """Ingest, marts, forecasts, reports, publication."""
    company = company_at(home, marts, reports)
    assert company.profile.ends_on is not None
    days = (company.profile.starts_on, company.profile.ends_on)
    with lease.writer(company.settings, "night"):
        company.ingest(days)
        drop_what_a_build_left(company)
        company.transform()
        company.forecast(days)
        company.report(days)
        company.publish(days[1])


def drop_what_a_build_left(company: Replayed) -> None:
    """As dbt does before it builds a model; at the recording there was nothing to drop."""
    with company.warehouse.write() as connection:
        left = connection.execute(
            r"select schema_name, table_name from duckdb_tables() where table_name like '%\_\_dbt\_%' escape '\'"
        ).fetchall()
        for schema, table in left:
            connection.execute(f'drop table {schema}."{table}"')


def standing(home: Path) -> dict[str, object]:
    company = company_at(home, [], [])
    manifest = verify(company.settings, current_version(company.settings) or "")
    return {**company.digests(), "served": manifest.content_digest}


@pytest.fixture(scope="module")
def warmed() -> Iterator[list[Nursery]]:
    started = [Nursery(warm) for _ in range(2)]
    yield started
    for nursery in started:
        nursery.close()


def warm() -> None:
    small_shop.warm()
    whole_runs.import_all(*OF_THE_MODELS)


@pytest.fixture(scope="module")
def company(warmed: list[Nursery], recording: Recording, tmp_path_factory: pytest.TempPathFactory) -> Company:
    folder = tmp_path_factory.mktemp("nights")
    whole_runs.deliver(folder / "landing")
    told = (recording.marts, recording.reports)
    Replayed.at(
        settings_at(folder / "template", folder / "landing"), str(folder / "landing" / "profile.yml"), recording
    ).open()
    with small_shop.copied(folder / "template", folder / "undisturbed") as home:
        begun = time.monotonic()
        warmed[0].run(night, home, *told).or_fail()
        seconds = time.monotonic() - begun
        return Company(folder / "template", *told, warmed[0].run(standing, home).or_fail(), seconds)


def test_a_night_killed_at_any_moment_is_made_good_by_the_next(
    warmed: list[Nursery], company: Company, trials, evidence
) -> None:
    kills = trials(60, 600)
    plan = chains(kills, random.Random(SEED), LONGEST_CHAIN)

    def survive(nursery: Nursery, chain: tuple[int, list[float]]) -> int:
        label, deaths = f"chain {chain[0]} of seed {SEED}", 0
        with small_shop.copied(company.template, company.template.with_name(f"chain-{chain[0]}")) as home:
            for share in chain[1]:
                ended = nursery.start(night, home, *company.told).killed_after(share * company.seconds)
                assert ended.was_killed or not ended.error, f"{label}: {ended.error}"
                deaths += ended.was_killed
            nursery.run(night, home, *company.told).or_fail()
            assert nursery.run(standing, home).or_fail() == company.standing, label
        return deaths

    deaths = sum(spread(warmed, survive, list(enumerate(plan))))
    assert deaths > kills / 2
    shutil.rmtree(company.template)
    evidence(
        "P7",
        "SIGKILL at uniform moments of a night from the landing to the published version, with dbt's own statements, "
        f"in {len(plan)} chains in which a recovery is the next victim: after one rerun every table is equal, in the "
        "small tier of the reports the main ones",
        trials=kills,
        seed=SEED,
    )
