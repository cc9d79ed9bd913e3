"""What every asset of this project shares: its installation, its pool, and its policies."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import dagster as dg
import duckdb

from pipelines import lease
from pipelines.errors import OpscopeError, ProfileError, PublishRefusedError
from pipelines.exhaustion import told
from pipelines.failpoints import reach
from pipelines.instance import sign
from pipelines.quality.report import write_report
from pipelines.redaction import no_secret_told
from pipelines.resources import Warehouse
from pipelines.settings import Settings
from pipelines.sources.profiles import Profile
from pipelines.transforms import TransformError, Transforms

WAREHOUSE_POOL = "warehouse"
SINGLE_RUN = dg.BackfillPolicy.single_run()
# A lost lock or a full disk may pass; a wrong file is no exception but a result, so it is never retried.
RETRIES = dg.RetryPolicy(max_retries=1, delay=20)
Event = dg.MaterializeResult[None] | dg.AssetCheckResult
# Backfill policies and code references are beta in the pinned Dagster; the pin is what makes them safe to use.
warnings.filterwarnings("ignore", category=dg.BetaWarning)

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
    def step(self, name: str, context: dg.AssetExecutionContext) -> Iterator[str]:
        """Hold the write lease while a step works, and leave the check report as the step left the checks.

        Gives the run's id. What a second try cannot cure (a broken model, a refusing gate, a wrong profile) fails
        without one.
        """
        root, run_id = self.settings.root, context.run.run_id
        sign(context.instance, context.run)
        with no_secret_told(), told(root), lease.writer(self.settings, f"{name} of run {run_id}"):
            try:
                # Told here too: a full disk reaches dbt's errors as well, and for it a second try may help.
                with told(root):
                    yield run_id
            except (TransformError, PublishRefusedError, ProfileError) as error:
                raise dg.Failure(description=str(error), allow_retries=False) from error
            finally:
                self._leave_report(context)
        reach("step.left")

    def _leave_report(self, context: dg.AssetExecutionContext) -> None:
        """Write the check report. Failing to is no reason to fail the step, and must not hide what did."""
        if not self.warehouse.path.exists():
            return
        try:
            write_report(self.settings, self.warehouse)
        except (OSError, duckdb.Error, OpscopeError) as error:
            context.log.warning(f"the check report could not be written: {error}")


def step_assets(
    name: str, specs: Sequence[dg.AssetSpec], check_specs: Sequence[dg.AssetCheckSpec]
) -> Callable[[Callable[..., Iterator[Event]]], dg.AssetsDefinition]:
    """The decorator of a step that writes several tables: one pool, one run per range of days, one retry."""
    return dg.multi_asset(
        name=name,
        specs=specs,
        check_specs=check_specs,
        backfill_policy=SINGLE_RUN,
        pool=WAREHOUSE_POOL,
        retry_policy=RETRIES,
        can_subset=True,
    )


def selected(context: dg.AssetExecutionContext, events: Iterable[Event]) -> Iterator[Event]:
    """The events of the assets and checks that the run selected.

    A step always does its whole work, which costs little more than a part of it; the UI is told what it asked for.
    """
    for event in events:
        if isinstance(event, dg.AssetCheckResult):
            assert event.asset_key is not None
            assert event.check_name is not None
            if dg.AssetCheckKey(event.asset_key, event.check_name) in context.selected_asset_check_keys:
                yield event
        elif event.asset_key in context.selected_asset_keys:
            yield event
