"""One writer at a time: a lock file that the kernel frees when its holder dies, so no crash leaves it taken."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pipelines.errors import WarehouseError
from pipelines.exhaustion import told
from pipelines.settings import Settings

PATIENCE_SECONDS = 3600.0


@contextmanager
def writer(settings: Settings, purpose: str) -> Iterator[None]:
    """Hold the home's write lease for the block.

    The holder's process id and purpose stand in `<home>/writer.lock` for whoever waits.

    Raises:
        WarehouseError: another process holds the lease for longer than PATIENCE_SECONDS.
        ExhaustedError: the disk, the handles or the memory did not suffice for what the block did.
    """
    path = settings.root / "writer.lock"
    with told(path):
        # The home holds personal data: nobody but its owner and group may look in.
        settings.root.mkdir(mode=0o750, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o640)
        try:
            _take(descriptor, str(path))
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()} {purpose}\n".encode(), 0)
            yield
        finally:
            os.close(descriptor)


def holder(settings: Settings) -> str | None:
    """Process id and purpose of who writes now; None when nobody does. Takes nothing and waits for nobody."""
    try:
        descriptor = os.open(settings.root / "writer.lock", os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(descriptor, 200, 0).decode(errors="replace").strip() or "unknown"
    finally:
        os.close(descriptor)
    return None


def _take(descriptor: int, path: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip()
                raise WarehouseError(
                    path, f"process {holder or 'unknown'} has been writing for too long", "Stop that process."
                ) from error
            time.sleep(0.2)
