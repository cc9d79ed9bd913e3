"""Python's collector of cycles, for a process that imports some hundred thousand objects and keeps them all.

Left alone it looks through dbt, Dagster and Great Expectations again and again: a ninth of a small night.
"""

import gc
from functools import cache

# Net allocations between two looks at the youngest objects; Python's own 700 are for programs that import little.
YOUNG_OBJECTS = 20_000


def look_rarely() -> None:
    """Let the collector wait for many new objects; called before the imports that make them."""
    gc.set_threshold(YOUNG_OBJECTS)


@cache
def spare_imported(what: str) -> None:
    """Take what stands now out of all further collections, once per process and `what` was just imported.

    What is freed by its last reference is freed as before; only a cycle that stands now is kept for good.
    """
    gc.freeze()
    look_rarely()
    _ = what
