"""dbt's events, of which only those from a warning upwards are heard.

A build fires some twenty events per node, nearly all of them of use only to a log, which this project does not keep:
what came of a node is in the results. dbt writes out the message of each before it asks whether anybody listens; for a
small company that was an eighth of a build.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dbt_common.events.base_types import BaseEvent, EventLevel
from dbt_common.events.event_manager import EventManager
from dbt_common.events.event_manager_client import ctx_set_event_manager, get_event_manager

UNHEARD = (EventLevel.DEBUG, EventLevel.TEST, EventLevel.INFO)


class Warnings(EventManager):
    """dbt's event manager, deaf to what is less than a warning."""

    def fire_event(
        self,
        e: BaseEvent,
        level: EventLevel | None = None,
        node: Any = None,
        force_warn_or_error_handling: bool = False,
    ) -> None:
        if (level or e.level_tag()) not in UNHEARD:
            super().fire_event(e, level, node, force_warn_or_error_handling)


@contextmanager
def only_warnings() -> Iterator[None]:
    """Let dbt hear only warnings and errors inside the block."""
    before = get_event_manager()
    ctx_set_event_manager(Warnings())
    try:
        yield
    finally:
        ctx_set_event_manager(before)
