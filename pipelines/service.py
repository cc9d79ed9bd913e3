"""`opscope dev`: webserver, daemon and code server as one group of processes that ends together."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from pipelines.instance import open_instance
from pipelines.settings import REPOSITORY, Settings, environment_of

LOOPBACK = "127.0.0.1"


def serve(settings: Settings, port: int) -> None:
    """Serve the Dagster UI on the loopback address until interrupted; nothing of it stays behind."""
    open_instance(settings).dispose()
    command = [
        str(Path(sys.executable).with_name("dagster")),
        *("dev", "--workspace", "workspace.yaml", "--host", LOOPBACK, "--port", str(port)),
    ]
    # A supervisor ends us with SIGTERM; it takes the way of Ctrl-C, so that the group ends with us.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    service = subprocess.Popen(command, cwd=REPOSITORY, env=environment_of(settings), start_new_session=True)
    try:
        service.wait()
    except KeyboardInterrupt:
        pass
    finally:
        _end(service)


def _end(service: subprocess.Popen[bytes]) -> None:
    """End the whole group: `dagster dev` alone would leave its daemon running, which then fails later runs."""
    for wanted in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(service.pid, wanted)
            service.wait(timeout=15)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
