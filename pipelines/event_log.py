"""Dagster's event log in SQLite with its files kept open, and a queue for its pools that nobody waits in for ever.

What is stored, and how, is Dagster's own, which opens and closes a file for each event. A night stores some hundred
events, most of them in the file of the run and in the index of all runs. A file opened anew had to have its statements
compiled again, and a file closed folds its write-ahead log back into itself: together most of what the event log cost a
run.
"""

import os
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
from dagster._utils.concurrency import ConcurrencyClaimStatus
from sqlalchemy import Connection, Engine, QueuePool, create_engine, event

# The index, and the runs looked at last: a daemon lives for months and sees many.
OPEN_FILES = 4
# Between two looks whether a pool has become free.
WAIT_SECONDS = 0.5


class EventLog(SqliteEventLogStorage):
    """The storage that dagster.yaml names, in the folder where Dagster keeps its own: `<DAGSTER_HOME>/history/runs`."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        self._tables: set[str] = set()
        super().__init__(str(Path(base_dir) / "history" / "runs"), inst_data)

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> Self:
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        # The lock lets one thread at a time in, so that a file needs no second connection.
        with self._db_lock:
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.begin() as connection:
                file: Any = connection.connection.driver_connection
                before = file.total_changes
                yield connection
                has_written = file.total_changes > before
            if has_written:
                # The UI follows a run by the changes of its file; until the file is closed only the log beside changes.
                os.utime(self.path_for_shard(shard))

    def _engine(self, shard: str) -> Engine:
        if shard not in self._engines:
            self._engines[shard] = _engine(self.conn_string_for_shard(shard))
        self._engines.move_to_end(shard)
        while len(self._engines) > OPEN_FILES:
            self._engines.popitem(last=False)[1].dispose()
        return self._engines[shard]

    def has_table(self, table_name: str) -> bool:
        """Whether the index has a table. Dagster asks it for every event; one that was there stays."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    def claim_concurrency_slot(
        self, concurrency_key: str, run_id: str, step_key: str, priority: int | None = None
    ) -> ConcurrencyClaimStatus:
        """Take a free place in a pool, or wait a moment in its queue.

        Dagster asks whether a place is free before it joins the queue, and calls the first of the queue when a place is
        given back: a step that joins in between is never called, nor one that waited while the pool was made anew. And
        Dagster asks again without a pause, so that a run that waits takes a core from the one it waits for.
        """
        status = super().claim_concurrency_slot(concurrency_key, run_id, step_key, priority)
        if status.is_claimed:
            return status
        if not status.is_assigned and self.has_unassigned_slots(concurrency_key):
            self.assign_pending_steps([concurrency_key])
        time.sleep(WAIT_SECONDS)
        asked_again_at_once: ConcurrencyClaimStatus = status.with_sleep_interval(0.0)
        return asked_again_at_once

    def dispose(self) -> None:
        super().dispose()
        with self._db_lock:
            while self._engines:
                self._engines.popitem()[1].dispose()


def _engine(address: str) -> Engine:
    engine = create_engine(
        address, poolclass=QueuePool, pool_size=1, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS}
    )
    event.listen(engine, "connect", _lighten)
    return engine


def _lighten(connection: Any, _record: object) -> None:
    """A commit outlives every process; a host that lost its power may lose the last events of the run it lost."""
    connection.execute("pragma synchronous = normal")
