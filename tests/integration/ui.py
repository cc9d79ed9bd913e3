"""The Dagster UI of an installation, driven over its own GraphQL as a person's clicks do."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import Any

from tests.integration.command_line import ROOT
from tests.integration.conftest import Home

PATIENCE_SECONDS = 600
LAUNCH = """
mutation ($parameters: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $parameters) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""
STATUS = """
query ($id: String!) {
  partitionBackfillOrError(backfillId: $id) {
    ... on PartitionBackfill { status error { message } runs(limit: 50) { id status tags { key value } } }
  }
}
"""


class Ui:
    """The Dagster UI of a home, on a free port of the loopback address."""

    def __init__(self, home: Home) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        command = [
            *(sys.executable, "-m", "pipelines.cli", "--home", str(home.path), "dev"),
            *("--profile", home.profile, "--landing", str(home.landing), "--port", str(self.port)),
        ]
        self.log = home.path / "ui.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env=os.environ)

    def ask(self, query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql",
            data=json.dumps({"query": query, "variables": variables or {}}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)["data"]

    def asset_paths(self) -> list[list[str]]:
        """Paths of all assets, once the code location has loaded."""
        for _ in range(PATIENCE_SECONDS):
            try:
                if nodes := self.ask("{ assetNodes { assetKey { path } } }")["assetNodes"]:
                    return [node["assetKey"]["path"] for node in nodes]
            except (urllib.error.URLError, ConnectionError):
                pass
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(1)
        raise AssertionError(self.log.read_text())

    def backfill(self, assets: list[list[str]], days: list[str]) -> dict[str, Any]:
        """Launch a backfill and wait for its end."""
        parameters = {
            "assetSelection": [{"path": path} for path in assets],
            "partitionNames": days,
            "fromFailure": False,
        }
        launched = self.ask(LAUNCH, {"parameters": parameters})["launchPartitionBackfill"]
        assert launched["__typename"] == "LaunchBackfillSuccess", launched
        for _ in range(PATIENCE_SECONDS):
            found = self.ask(STATUS, {"id": launched["backfillId"]})["partitionBackfillOrError"]
            if found["status"] != "REQUESTED":
                return found
            time.sleep(1)
        raise AssertionError(self.log.read_text())

    def stop(self) -> None:
        # SIGINT is ignored where the tests themselves run in the background of a shell.
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=PATIENCE_SECONDS)
