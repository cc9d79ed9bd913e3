"""The web UI: on the loopback address only, and a viewers' UI in which no mutation changes anything (P21, P22)."""

import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.errors import OpscopeError
from pipelines.service import require_loopback
from pipelines.settings import REPOSITORY, Settings, environment_of
from tests.promises.planted import Planted


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "opscope.example.org", "127.0.0.1.example.org", ""])
def test_the_ui_refuses_an_address_that_others_reach(host: str, tmp_path: Path) -> None:
    with pytest.raises(OpscopeError, match="OPSCOPE_BEHIND_PROXY"):
        require_loopback(Settings(home=tmp_path), host)
    require_loopback(Settings(home=tmp_path, behind_proxy=True), host)
    for command in ("dev", "view"):
        done = CliRunner().invoke(app, ["--home", str(tmp_path / "home"), command, "--host", host])
        assert isinstance(done.exception, OpscopeError)
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "::1", "localhost"])
def test_the_ui_takes_the_loopback_address(host: str, tmp_path: Path) -> None:
    require_loopback(Settings(home=tmp_path), host)


INTROSPECTION = """{ __schema { mutationType { fields { name type { ...T } args { name type { ...T } } } }
  types { name kind inputFields { name type { ...T } } enumValues { name } } } }
fragment T on __Type {
  kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } }"""


def test_viewers_can_change_nothing(planted: Planted, tmp_path: Path, evidence: Callable[..., None]) -> None:
    """Every mutation that the schema offers, with real names and ids, against `opscope view`: no state changes."""
    settings = planted.copy(tmp_path / "home")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    service = subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli", "view", "--port", str(port)],
        cwd=REPOSITORY,
        env=environment_of(settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        address = f"http://127.0.0.1:{port}"
        schema = _when_up(service, address, INTROSPECTION)["data"]["__schema"]
        assert _listening(port) == {"127.0.0.1"}
        before = _state(settings)
        fields = schema["mutationType"]["fields"]
        refused = 0
        for field in fields:
            answer = requests.post(f"{address}/graphql", json=_mutation(field, schema, settings, planted), timeout=60)
            refused += "UnauthorizedError" in answer.text or "errors" in answer.json()
        for path in ("report_asset_materialization", "report_asset_check", "report_asset_observation"):
            requests.post(f"{address}/{path}/raw/customers", json={"check_name": "rules", "passed": False}, timeout=60)
        assert _state(settings) == before
        assert len(fields) > 20
        assert refused > 15
    finally:
        service.terminate()
        service.wait(60)
    evidence("P21", "mutations of the schema, with real ids, and reports, sent to the viewers' UI: no state changed",
             trials=len(fields) + 3)  # fmt: skip


def _when_up(service: subprocess.Popen[bytes], address: str, query: str) -> dict[str, Any]:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and service.poll() is None:
        try:
            return requests.post(f"{address}/graphql", json={"query": query}, timeout=60).json()
        except requests.ConnectionError:
            time.sleep(0.5)
    raise AssertionError("the viewers' UI did not come up")


def _listening(port: int) -> set[str]:
    """The addresses on which anybody listens at the port."""
    found = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        local, state = line.split()[1], line.split()[3]
        host, _, number = local.partition(":")
        if state == "0A" and int(number, 16) == port:
            found.add(socket.inet_ntoa(bytes.fromhex(host)[::-1]))
    tcp6 = Path("/proc/net/tcp6").read_text() if Path("/proc/net/tcp6").exists() else ""
    assert f":{port:04X} 0" not in "".join(line for line in tcp6.splitlines() if " 0A " in line)
    return found


def _mutation(
    field: Mapping[str, Any], schema: Mapping[str, Any], settings: Settings, planted: Planted
) -> dict[str, Any]:
    types = {each["name"]: each for each in schema["types"]}
    known = {
        "runId": planted.run_id, "runIds": planted.run_id, "parentRunId": planted.run_id,
        "repositoryLocationName": "opscope", "repositoryName": "__repository__", "location": "opscope",
        "jobName": "nightly", "pipelineName": "nightly", "name": "nightly", "scheduleName": "nightly_schedule",
        "sensorName": "arrival_sensor", "path": ["raw", "customers"], "terminatePolicy": "MARK_AS_CANCELED_IMMEDIATELY",
        "partitionKey": str(planted.days[0]), "limit": 5, "concurrencyKey": "warehouse",
    }  # fmt: skip

    def value(name: str, kind: Mapping[str, Any], depth: int = 0) -> Any:
        if kind["kind"] == "NON_NULL":
            return value(name, kind["ofType"], depth)
        if kind["kind"] == "LIST":
            inner = value(name, kind["ofType"], depth)
            return inner if isinstance(inner, list) else [inner]
        if name in known:
            return known[name]
        told = types[kind["name"]]
        if told["kind"] == "ENUM":
            return told["enumValues"][0]["name"]
        if told["kind"] == "INPUT_OBJECT":
            return {
                each["name"]: value(each["name"], each["type"], depth + 1)
                for each in told["inputFields"]
                if each["type"]["kind"] == "NON_NULL" or (each["name"] in known and depth < 3)
            }
        return {"Int": 1, "Float": 1.0, "Boolean": True}.get(kind["name"], "x")

    def spelled(kind: Mapping[str, Any]) -> str:
        if kind["kind"] == "NON_NULL":
            return spelled(kind["ofType"]) + "!"
        return f"[{spelled(kind['ofType'])}]" if kind["kind"] == "LIST" else str(kind["name"])

    declared = ", ".join(f"${each['name']}: {spelled(each['type'])}" for each in field["args"])
    passed = ", ".join(f"{each['name']}: ${each['name']}" for each in field["args"])
    called = f"{field['name']}({passed})" if passed else field["name"]
    told = "" if spelled(field["type"]).strip("![]") in ("Boolean", "String", "Int") else "{ __typename }"
    query = f"mutation {f'({declared})' if declared else ''} {{ {called} {told} }}"
    return {"query": query, "variables": {each["name"]: value(each["name"], each["type"]) for each in field["args"]}}


def _state(settings: Settings) -> dict[str, list[tuple]]:
    """Everything in Dagster's databases of the home, apart from who is alive."""
    found = {}
    for path in sorted(settings.dagster_home.rglob("*.db")):
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
            tables = connection.execute("select name from sqlite_master where type = 'table' order by name").fetchall()
            for (table,) in tables:
                if table not in ("daemon_heartbeats", "alembic_version", "instance_info"):
                    found[f"{path.name}.{table}"] = sorted(connection.execute(f'select * from "{table}"'), key=repr)
    return found
