"""What must outlast a crash: whole files put in place in one step, and bytes forced onto the disk. Knows no file."""

import os
from pathlib import Path

from pipelines.errors import OpscopeError
from pipelines.settings import Settings


def make_folder(path: Path, remedy: str) -> None:
    """Make a folder that only its owner and group may look into, and those above it; one that is there stays as it is.

    Raises:
        OpscopeError: it cannot be made or not be written to; `remedy` says what to do.
    """
    try:
        path.mkdir(mode=0o750, parents=True, exist_ok=True)
    except OSError as error:
        raise OpscopeError(f"folder {path}", f"cannot be made ({error.strerror})", remedy) from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise OpscopeError(f"folder {path}", "cannot be written to by this user", remedy)


def make_home(settings: Settings) -> None:
    """Make the folder that everything is written below. Raises OpscopeError as `make_folder`."""
    make_folder(settings.root, "Name another folder with --home or OPSCOPE_HOME, or give this user the right.")


def sync(path: Path) -> None:
    """Force a file's bytes, or a folder's entries, onto the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def put_whole(path: Path, content: bytes) -> Path:
    """Put a file in place in one step, so that a reader finds the old one or the new one, whole; return its path.

    Written aside under a name of this process's own: two that write the same file at once do not mix. What a power cut
    must not take is to be synced by the caller.
    """
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    aside.write_bytes(content)
    return aside.replace(path)
