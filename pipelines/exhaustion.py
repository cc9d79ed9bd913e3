"""What a full disk, a failing disk or a spent memory limit looks like, told in words that an operator can act on.

The same condition reaches us as an OSError, as text of DuckDB or SQLite, or inside an error of dbt. All of them are
recognised here, by their words, and nowhere else.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.errors import OpscopeError


class ExhaustedError(OpscopeError):
    """The machine lacks disk, file handles or memory; what was served stays, and the same run again is right."""


_DISK = (
    "Free some or move the home, see `opscope doctor`, then run the same days again; what was served is served still."
)
_FAILING = "Look at the disk and the system's log, then run the same days again; what was served is served still."
# Words of the C library, of SQLite and of DuckDB -> cause, remedy.
CONDITIONS: tuple[tuple[str, str, str], ...] = (
    ("No space left on device", "the disk is full", _DISK),
    ("database or disk is full", "the disk is full", _DISK),
    ("Disk quota exceeded", "the disk quota is used up", _DISK),
    ("File too large", "a file may not grow any further", "Raise the limit of file sizes (`ulimit -f`) and run again."),
    (
        "Too many open files",
        "too many files are open",
        "Raise the limit of open files (`ulimit -n`) and run the same days again.",
    ),
    ("Input/output error", "the disk failed", _FAILING),
    ("disk I/O error", "the disk failed or is full", _DISK),
    ("Read-only file system", "the disk can only be read", _FAILING),
)
_MORE_MEMORY = "Raise OPSCOPE_MEMORY_LIMIT, or load fewer days at once."
MEMORY = tuple(
    (words, "the memory limit is too low for this data", _MORE_MEMORY)
    for words in ("Out of Memory Error", "could not allocate block", "failed to allocate data")
)


def exhaustion(error: BaseException, place: str) -> ExhaustedError | None:
    """The error in an operator's words when it, or what caused it, is exhaustion; None when it is something else."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ExhaustedError):
            return seen
        text = str(seen)
        for words, cause, remedy in (*CONDITIONS, *MEMORY):
            if words in text:
                return ExhaustedError(_place(seen) or place, f"{cause} ({text.splitlines()[0]})", remedy)
        seen = seen.__cause__ or seen.__context__
    return None


def is_disk_trouble(error: BaseException) -> bool:
    """Whether the disk or the file handles of this machine are to blame, and not what was read."""
    return any(words in str(error) for words, _, _ in CONDITIONS)


@contextmanager
def told(place: Path | str) -> Iterator[None]:
    """Raise what is exhaustion as ExhaustedError, naming the file where one is known and else `place`."""
    try:
        yield
    except Exception as error:
        found = exhaustion(error, str(place))
        if found is None or found is error:
            raise
        raise found from error


def _place(error: BaseException) -> str:
    return str(error.filename) if isinstance(error, OSError) and error.filename else ""
