"""One writer at a time, also when the one before was killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines import lease
from pipelines.errors import WarehouseError
from pipelines.settings import Settings

HOLDER = """
import sys, time
from pathlib import Path
from pipelines import lease
from pipelines.settings import Settings
with lease.writer(Settings(home=Path(sys.argv[1])), "holding"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path):
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_writer_is_told_who_holds_the_lease(
    tmp_path: Path, holder: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "PATIENCE_SECONDS", 0.0)
    with (
        pytest.raises(WarehouseError, match=f"process {holder.pid} holding"),
        lease.writer(Settings(home=tmp_path), "x"),
    ):
        pass


def test_a_killed_writer_leaves_nothing_to_clean(
    tmp_path: Path, holder: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    monkeypatch.setattr(lease, "PATIENCE_SECONDS", 0.0)
    with lease.writer(Settings(home=tmp_path), "next"):
        assert (tmp_path / "writer.lock").read_text() == f"{os.getpid()} next\n"
