"""What an operator reads when the machine lacks something, and what is left alone."""

import errno
import os
from pathlib import Path

import pytest

from pipelines.errors import NoWarehouseError, PublishRefusedError
from pipelines.exhaustion import ExhaustedError, told
from pipelines.release import release
from pipelines.resources import Warehouse
from pipelines.settings import Settings
from pipelines.transforms import DbtGraph


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/home/x"), "/home/x: the disk is full"),
        (RuntimeError("dbt: IO Error: Could not write file: No space left on device"), "here: the disk is full"),
        (ValueError("(sqlite3.OperationalError) database or disk is full"), "here: the disk is full"),
        (OSError(errno.EIO, os.strerror(errno.EIO), "/home/x"), "/home/x: the disk failed"),
        (RuntimeError("Out of Memory Error: failed to allocate"), "OPSCOPE_MEMORY_LIMIT"),
    ],
)
def test_exhaustion_is_told_with_place_cause_and_remedy(error: Exception, cause: str) -> None:
    with pytest.raises(ExhaustedError, match=r"run|Raise") as found, told("here"):
        raise error
    assert cause in str(found.value)


def test_what_caused_an_error_counts_and_is_told_once() -> None:
    failure = RuntimeError("the step failed")
    failure.__cause__ = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(ExhaustedError, match="inner: the disk is full"), told("outer"), told("inner"):
        raise failure


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(PublishRefusedError), told("here"):
        raise PublishRefusedError("publication", "refused", "Look.")


@pytest.mark.parametrize("content", [None, b""], ids=["no file", "a file without tables"])
def test_publishing_before_anything_was_loaded_says_so(tmp_path: Path, content: bytes | None) -> None:
    settings = Settings(home=tmp_path)
    if content is not None:
        with Warehouse(settings).write():
            pass
    with pytest.raises(NoWarehouseError, match=r"there is no warehouse yet\. Run `opscope run` first"):
        release(settings, Warehouse(settings), DbtGraph({"nodes": {}, "sources": {}, "child_map": {}}), run_id="r")
