"""Who reads the published file over and over while the pipeline works, as a BI tool does."""

import multiprocessing
import time

import duckdb

from tests.integration.conftest import Home


class Reader:
    """A process that reads the published file over and over while the pipeline works."""

    def __init__(self, home: Home) -> None:
        context = multiprocessing.get_context("spawn")
        self._ended = context.Event()
        self._seen = context.Queue()
        self._process = context.Process(target=_read, args=(str(home.published), self._ended, self._seen))

    def start(self) -> None:
        if self._process.pid is None:
            self._process.start()

    def stop(self) -> None:
        self._ended.set()
        reads, errors = self._seen.get(timeout=60)
        self._process.join()
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
        time.sleep(0.02)
    seen.put((reads, errors))
