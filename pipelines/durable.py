"""What must outlast a power cut: forcing bytes, and the names that lead to them, onto the disk. Knows no file."""

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Force a file's bytes, or a folder's entries, onto the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
