"""The Dagster UI as a group of processes that ends together: `opscope dev` to work with, `opscope view` to look at."""

import ipaddress
import os
import signal
import subprocess
import sys
from pathlib import Path

from pipelines.durable import make_home
from pipelines.errors import OpscopeError
from pipelines.instance import open_instance
from pipelines.settings import REPOSITORY, Settings, environment_of

LOOPBACK = "127.0.0.1"


def serve(settings: Settings, host: str, port: int) -> None:
    """Serve webserver, daemon and code server until interrupted; nothing of them stays behind.

    Raises:
        OpscopeError: others could reach the address, and nothing says that a proxy stands before it.
    """
    _serve(settings, host, ["dagster", "dev", "--workspace", "workspace.yaml", "--host", host, "--port", str(port)])


def view(settings: Settings, host: str, port: int) -> None:
    """Serve a webserver that shows everything and changes nothing, until interrupted.

    Raises:
        OpscopeError: as `serve`.
    """
    command = ["dagster-webserver", "--read-only", "--workspace", "workspace.yaml"]
    _serve(settings, host, [*command, "--host", host, "--port", str(port)])


def require_loopback(settings: Settings, host: str) -> None:
    """Dagster's webserver knows no users: who reaches its port starts and deletes runs, and reads all logs.

    Raises:
        OpscopeError: the host is not this machine alone, and the settings do not say that a proxy stands before it.
    """
    try:
        is_loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback and not settings.behind_proxy:
        raise OpscopeError(
            f"host {host}",
            "can be reached from outside, and the UI asks nobody who they are",
            "Leave --host out and put a proxy with sign-in before it; set OPSCOPE_BEHIND_PROXY=1 where one stands on "
            "another machine.",
        )


def _serve(settings: Settings, host: str, command: list[str]) -> None:
    require_loopback(settings, host)
    make_home(settings)
    open_instance(settings).dispose()
    program = str(Path(sys.executable).with_name(command[0]))
    # A supervisor ends us with SIGTERM; it takes the way of Ctrl-C, so that the group ends with us.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    service = subprocess.Popen(
        [program, *command[1:]], cwd=REPOSITORY, env=environment_of(settings), start_new_session=True
    )
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
