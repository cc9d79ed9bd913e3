"""The warehouse: short-lived DuckDB connections with one way in and one way out.

One file, one writer. Every connection is closed when its `with` ends, so the lock is never held between steps and
dbt can open the file in its turn; work that reads and writes by turns holds the file for as long as it does. Table
names do not belong here.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from pipelines.errors import NoWarehouseError, WarehouseError
from pipelines.exhaustion import told
from pipelines.settings import Settings

LOCK_PATIENCE_SECONDS = 60.0


@contextmanager
def in_transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """One transaction on a connection that has none: committed when the block ends, rolled back when it raises."""
    connection.begin()
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


class Warehouse:
    """The pipeline's own DuckDB file.

    `write()` and `read()` give a connection; a writer that finds the file held waits for it, at most
    LOCK_PATIENCE_SECONDS, and then says who holds it.
    """

    def __init__(self, settings: Settings) -> None:
        self.path = settings.warehouse_path
        self._config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": settings.memory_limit,
            "threads": settings.threads,
            "autoinstall_known_extensions": False,
            # Only the pinned DuckDB opens this file. Its newer text compression takes half the time of the default's.
            "storage_compatibility_version": "v1.5.0",
        }
        self._held: duckdb.DuckDBPyConnection | None = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep the file open for what the block reads and writes by turns: to open and close it costs 0.1 s."""
        with self.write() as connection:
            self._held = connection
            try:
                yield
            finally:
                self._held = None

    @contextmanager
    def write(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection that may write, outside any transaction."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._connection(self.path, read_only=False) as connection:
            yield connection

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection inside one transaction: committed when the block ends, rolled back when it raises."""
        with self.write() as connection, in_transaction(connection):
            yield connection

    @contextmanager
    def read(self, patience_seconds: float = LOCK_PATIENCE_SECONDS) -> Iterator[duckdb.DuckDBPyConnection]:
        """A read-only connection.

        Raises NoWarehouseError when nothing was ever loaded, WarehouseError when a writer holds it for longer than the
        patience.
        """
        nothing_yet = NoWarehouseError(str(self.path), "there is no warehouse yet", "Run `opscope run` first.")
        if not self.path.exists():
            raise nothing_yet
        with self._connection(self.path, read_only=True, patience_seconds=patience_seconds) as connection:
            # A run that died at once leaves a file without a table: all tables are made in one transaction.
            if connection.execute("select 1 from duckdb_tables() limit 1").fetchone() is None:
                raise nothing_yet
            yield connection

    @contextmanager
    def _connection(
        self, path: Path, *, read_only: bool, patience_seconds: float = LOCK_PATIENCE_SECONDS
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        with told(path):
            if self._held is not None:
                connection = self._held.cursor()
            else:
                connection = self._connect(path, read_only=read_only, patience_seconds=patience_seconds)
            try:
                connection.execute("set TimeZone = 'UTC'")
                yield connection
            except BaseException:
                # A commit that fails for want of memory leaves keys in an index whose rows it took back, and closing
                # would write that index. Left alone, the next to open reads what was committed from the log.
                with suppress(duckdb.Error):
                    connection.execute("pragma disable_checkpoint_on_shutdown")
                raise
            finally:
                connection.close()

    def _connect(self, path: Path, *, read_only: bool, patience_seconds: float) -> duckdb.DuckDBPyConnection:
        deadline = time.monotonic() + patience_seconds
        while True:
            try:
                return duckdb.connect(str(path), read_only=read_only, config=self._config)
            except (duckdb.IOException, duckdb.ConnectionException) as error:
                is_held = "lock" in str(error) or "different configuration" in str(error)
                if not is_held or time.monotonic() > deadline:
                    raise WarehouseError(
                        str(path),
                        f"cannot be opened ({error})",
                        "Wait for the process it names or stop it; BI tools belong on the published file.",
                    ) from error
                time.sleep(0.2)
