"""What every asset of this project shares: its installation, its pool, and its policies."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import dagster as dg

from pipelines import lease
from pipelines.resources import Warehouse
from pipelines.settings import Settings
from pipelines.sources.profiles import Profile
from pipelines.transforms import Transforms

WAREHOUSE_POOL = "warehouse"
SINGLE_RUN = dg.BackfillPolicy.single_run()
# A lost lock or a full disk may pass; a wrong file is no exception but a result, so it is never retried.
RETRIES = dg.RetryPolicy(max_retries=1, delay=20)
Progress = Callable[[str, int, int], None]


def no_progress(what: str, done: int, total: int) -> None:
    """The progress callback of runs that nobody watches."""


@dataclass(frozen=True)
class Installation:
    """One company's pipeline in one home: what every step needs to do its work."""

    settings: Settings
    profile: Profile
    partitions: dg.DailyPartitionsDefinition
    progress: Progress = no_progress
    warehouse: Warehouse = field(init=False)
    transforms: Transforms = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "warehouse", Warehouse(self.settings))
        object.__setattr__(self, "transforms", Transforms(self.settings))

    @contextmanager
    def step(self, name: str, context: dg.AssetExecutionContext) -> Iterator[None]:
        """Hold the write lease while a step works."""
        with lease.writer(self.settings, f"{name} of run {context.run_id}"):
            yield
