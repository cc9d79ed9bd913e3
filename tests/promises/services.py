"""The pipeline as a service: webserver, daemon and code server of one home, to be killed one by one or all together."""

import contextlib
import os
import random
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
from dagster._core.storage.dagster_run import FINISHED_STATUSES
from dagster._core.storage.tags import AUTO_RETRY_RUN_ID_TAG, WILL_RETRY_TAG

from tests.integration.conftest import Home
from tests.integration.ui import LAUNCH, PATIENCE_SECONDS, Ui

VICTIMS = ("worker", "code server", "daemon", "all")
STEPS = ("ingest", "transform", "forecast", "report", "publish")
WORDS = {"code server": ("grpc", "code-server"), "daemon": ("dagster._daemon", "dagster-daemon")}


@dataclass
class Service:
    """`opscope dev` on a home, started again when it is gone, as a supervisor would."""

    home: Home
    days: list[str]

    def __post_init__(self) -> None:
        self.home.path.mkdir(parents=True, exist_ok=True)
        self.ui = Ui(self.home)

    def launch(self) -> None:
        """Send one run over all days through GraphQL, as the UI does."""
        assets = [{"path": path} for path in self.ui.asset_paths()]
        parameters = {"assetSelection": assets, "partitionNames": self.days, "fromFailure": False}
        launched = self.ui.ask(LAUNCH, {"parameters": parameters})["launchPartitionBackfill"]
        assert launched["__typename"] == "LaunchBackfillSuccess", launched

    def wait_for_step(self, step: str) -> None:
        """Until the run writes in this step, or in a later one."""
        later = STEPS[STEPS.index(step) :]
        for _ in range(PATIENCE_SECONDS * 5):
            if self._writer()[1] in later:
                return
            time.sleep(0.2)
        raise AssertionError(self.ui.log.read_text())

    def kill(self, victim: str) -> None:
        """SIGKILL, without a word to anybody."""
        if victim == "all":
            self.ui.process.kill()
        for pid in self._processes(victim):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def wait_for_success(self) -> None:
        """Until a run has succeeded and none is under way, whoever starts it; nobody lends a hand.

        The service is started again if it is gone.
        """
        for _ in range(PATIENCE_SECONDS):
            if self.ui.process.poll() is not None:
                self.stop()
                self.ui = Ui(self.home)
            if self._is_settled():
                return
            time.sleep(1)
        raise AssertionError(self.ui.log.read_text())

    def stop(self) -> None:
        """End it all; what a killed parent left too."""
        if self.ui.process.poll() is None:
            self.ui.stop()
        self.kill("all")

    def _writer(self) -> tuple[int, str]:
        """Process and step that hold, or held last, the write lease."""
        path = self.home.path / "writer.lock"
        words = path.read_text().split() if path.exists() else []
        return (int(words[0]), words[1]) if len(words) > 1 else (0, "")

    def _processes(self, victim: str) -> list[int]:
        if victim == "worker":
            return [self._writer()[0]]
        ours = {int(pid.name): command_of(pid) for pid in Path("/proc").glob("[0-9]*") if self._is_ours(pid)}
        if victim == "all":
            return list(ours)
        return [pid for pid, command in ours.items() if any(word in command for word in WORDS[victim])]

    def _is_ours(self, process: Path) -> bool:
        """Whether a process works on this home: its environment says so."""
        try:
            told = (process / "environ").read_bytes().split(b"\0")
        except OSError:
            return False
        return f"OPSCOPE_HOME={self.home.path}".encode() in told and int(process.name) != os.getpid()

    def _is_settled(self) -> bool:
        """Whether a run has succeeded, none is under way, and none that failed still waits to be tried again."""
        with dg.DagsterInstance.from_config(str(self.home.path / "dagster")) as instance:
            runs = instance.get_runs()
        waiting = [
            run
            for run in runs
            if run.status not in FINISHED_STATUSES
            or (run.tags.get(WILL_RETRY_TAG) == "true" and AUTO_RETRY_RUN_ID_TAG not in run.tags)
        ]
        return not waiting and any(run.is_success for run in runs)


def command_of(process: Path) -> str:
    try:
        return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def survived(home: Home, days: list[str], victim: str, moment: random.Random) -> None:
    """Launch, kill the victim somewhere in a random step, and wait for what comes of it by itself."""
    service = Service(home, days)
    try:
        service.launch()
        service.wait_for_step(moment.choice(STEPS[:4]))
        time.sleep(moment.uniform(0, 4))
        service.kill(victim)
        service.wait_for_success()
    finally:
        service.stop()
