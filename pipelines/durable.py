"""What must outlast a crash: whole files put in place in one step, and bytes forced onto the disk. Knows no file."""

import os
from pathlib import Path


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
