"""Who reads the published file over and over while the pipeline works, as a BI tool does."""

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from tests.integration.conftest import Home

# Between two looks. A reader that never rests takes a third of the machine from the pipeline it reads beside.
PAUSE_SECONDS = 0.5


@contextmanager
def reading(home: Home) -> Iterator[None]:
    """A process that reads the published file over and over. At the end: it often did, and never saw anything amiss."""
    context = multiprocessing.get_context("spawn")
    ended, seen = context.Event(), context.Queue()
    process = context.Process(target=_read, args=(str(home.published), ended, seen))
    process.start()
    try:
        yield
    finally:
        ended.set()
        reads, errors = seen.get(timeout=60)
        process.join()
    assert not errors
    assert reads > 20


def _read(path: str, ended, seen) -> None:
    reads, errors, newest = 0, [], ""
    while not ended.is_set():
        try:
            with duckdb.connect(path, read_only=True) as connection:
                versions = connection.execute("select max(version) from ops.publications").fetchone()
                as_of = connection.execute("select max(as_of) from reports.fct_kpi_values").fetchone()
                forecast = connection.execute("select max(as_of) from ml.demand_forecasts").fetchone()
            if as_of != forecast:
                errors.append(f"torn: KPIs as of {as_of}, forecasts as of {forecast}")
            if versions[0] < newest:
                errors.append(f"went back from {newest} to {versions[0]}")
            newest, reads = versions[0], reads + 1
        except duckdb.Error as error:
            errors.append(str(error))
        time.sleep(PAUSE_SECONDS)
    seen.put((reads, errors))
