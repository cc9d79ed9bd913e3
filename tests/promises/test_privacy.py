"""P19 and P22: no personal value and no secret in anything that is written, after runs that pass and that fail."""

import base64
import logging
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import dagster as dg
import pytest
import sqlalchemy as sa
import yaml

from pipelines.assets import shell
from pipelines.automation import alert
from pipelines.definitions import build_definitions, installation_of
from pipelines.errors import OpscopeError
from pipelines.instance import open_instance
from pipelines.partitions import range_tags
from pipelines.redaction import guard_logs, no_secret_told
from pipelines.settings import DBT_PROJECT, Settings
from pipelines.sources.contracts import contracts
from pipelines.transforms import PARSED
from tests.promises.canaries import canary, found_below, in_bytes, in_file, in_tables
from tests.promises.planted import PERSONAL, Planted, personal_columns
from tests.webhook import webhook

WHERE_PERSONS_ARE = {"raw.customers", "raw.feedback", "raw.suppliers", "ops.quarantine"}


def test_the_canaries_stand_in_every_personal_column(planted: Planted) -> None:
    assert personal_columns() == {f"{feed}.{name}" for feed, names in PERSONAL.items() for name in names.values()}
    tables = in_tables(planted.settings.warehouse_path)
    in_raw = {value for value, held in tables.items() if any(name.startswith("raw.") for name in held)}
    in_quarantine = {value for value, held in tables.items() if "ops.quarantine" in held}
    assert len(planted.personal & in_raw) > 400
    assert len(planted.personal & in_quarantine) >= 10


def test_no_personal_value_leaves_raw_quarantine_and_landed_copies(
    planted: Planted, evidence: Callable[..., None]
) -> None:
    """Every byte below the home: published files, reports, Dagster's databases and logs, dbt's folders."""
    home = planted.settings.root
    hits = {
        value: files
        for value, files in found_below(home, without=("landed/", "warehouse.duckdb")).items()
        if value in planted.personal
    }
    assert hits == {}
    tables = in_tables(planted.settings.warehouse_path)
    elsewhere = {value: held - WHERE_PERSONS_ARE for value, held in tables.items() if value in planted.personal}
    assert not any(elsewhere.values()), elsewhere
    assert _in_checkout() & planted.personal == set()
    evidence(
        "P19",
        "personal values, sound and refused, delivered to a company that ran as a Dagster run: none in any byte "
        "written outside raw, quarantine and landed copies",
        trials=len(planted.personal),
        seed=planted.seed,
    )


def _in_checkout() -> set[str]:
    """Canaries in what dbt leaves beside the project."""
    folders = [PARSED, DBT_PROJECT / "logs"]
    return {value for folder in folders for path in folder.rglob("*") if path.is_file() for value in in_file(path)}


# ------------------------------------------------------------------------------------------------------ failing runs


@pytest.fixture(autouse=True)
def _retries_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a failed step tells is looked for here, twice as ever, but nobody need wait for its second try."""
    monkeypatch.setattr(shell, "RETRIES", dg.RetryPolicy(max_retries=1))


def run_with(tmp_path: Path, planted: Planted, change: Callable[[dict], None], landing: str = "") -> Settings:
    """The first step of a Dagster run in a home of its own under a changed profile; it fails or not, and is over."""
    path = tmp_path / "profile.yml"
    profile = yaml.safe_load(Path(planted.settings.profile).read_text())
    change(profile)
    path.write_text(yaml.safe_dump(profile, allow_unicode=True))
    settings = Settings(home=tmp_path / "home", profile=str(path), landing=landing or planted.settings.landing)
    installation = installation_of(settings)
    definitions = build_definitions(installation)
    with open_instance(settings) as instance:
        result = definitions.resolve_job_def("nightly").execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey(["raw", feed.feed]) for feed in contracts()],
            tags=range_tags(planted.days[0], planted.days[0]),
            raise_on_error=False,
        )
        told = [str(event.step_failure_data) for event in result.all_events if event.is_step_failure]
    (tmp_path / "told").write_text("\n".join(told))
    return settings


def test_no_personal_value_is_told_by_a_run_that_fails(
    planted: Planted, tmp_path: Path, evidence: Callable[..., None]
) -> None:
    """A personal column where a day belongs, an expression that fails on it, a check that fails: all refuse loudly."""

    def misread(profile: dict) -> None:
        profile["feeds"]["customers"]["columns"] |= {"registered_on": "email", "customer_type": "name"}
        profile["feeds"]["customers"]["columns"]["city"] = {"expression": "cast(cast(name as integer) as varchar)"}
        profile["feeds"]["feedback"]["columns"]["submitted_at"] = "text"
        profile["feeds"]["suppliers"]["columns"] = {"payment_terms_days": "contact_email"}

    settings = run_with(tmp_path, planted, misread)
    hits = found_below(settings.root, without=("landed/", "warehouse.duckdb"))
    assert hits.keys() & planted.personal == set()
    tables = in_tables(settings.warehouse_path)
    held = {value: where - WHERE_PERSONS_ARE for value, where in tables.items() if value in planted.personal}
    assert held
    assert not any(held.values())
    evidence(
        "P19",
        "a profile takes personal columns for days, numbers and expressions: all records are refused, and no value of "
        "them is told outside quarantine",
        trials=len(held),
        seed=planted.seed,
    )


@pytest.fixture(scope="module", autouse=True)
def leaky() -> None:
    sa.dialects.registry.register("leaky", "tests.promises.leaky", "Dialect")
    guard_logs()


PASSWORD = canary("password") + "+/ä%'"
SECRETS = {
    "as a driver tells it": f"leaky://user:{quote(PASSWORD, safe='')}@127.0.0.1:1/erp",
    "an unknown driver": f"none_such://user:{quote(PASSWORD, safe='')}@127.0.0.1:1/erp",
    "no address at all": PASSWORD,
    "a file that is not there": f"sqlite:////none/such/{canary('file')}.db?key={quote(PASSWORD, safe='')}",
}


def forms_of(secret: str) -> list[bytes]:
    """The secret as it may be written: plain, quoted for an address, in base64, as Python and JSON write it."""
    texts = {secret, quote(secret), quote(secret, safe=""), base64.b64encode(secret.encode()).decode().rstrip("=")}
    return [text.encode() for text in {*texts, repr(secret)[1:-1], canary("password")}]


def bytes_below(folder: Path) -> Iterator[tuple[Path, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path, path.read_bytes()


@pytest.mark.parametrize("kind", SECRETS)
def test_no_address_of_a_database_is_told(
    planted: Planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, evidence: Callable[..., None], kind: str
) -> None:
    monkeypatch.setenv("ERP_URL", SECRETS[kind])

    def ask_a_database(profile: dict) -> None:
        query = {"query": "select * from customers where day = :delivered_on", "database": "ERP_URL"}
        profile["feeds"] = {"customers": query | {"columns": {"full_name": "name"}}}

    settings = run_with(tmp_path, planted, ask_a_database)
    assert settings.warehouse_path.exists()
    told = [(path, form) for path, content in bytes_below(tmp_path) for form in forms_of(PASSWORD) if form in content]
    assert told == []
    assert in_tables(settings.warehouse_path).keys() & {canary("password")} == set()
    evidence("P22", f"a database's address with a password, {kind}: in no byte after the run", trials=len(forms_of("")))


@pytest.mark.parametrize("scheme", ["ftp", "http"])
def test_no_password_of_a_landing_is_told(
    planted: Planted, tmp_path: Path, evidence: Callable[..., None], scheme: str
) -> None:
    landing = f"{scheme}://user:{quote(PASSWORD, safe='')}@127.0.0.1:1/landing"
    run_with(tmp_path, planted, lambda profile: None, landing=landing)
    told = [(path, form) for path, content in bytes_below(tmp_path) for form in forms_of(PASSWORD) if form in content]
    assert told == []
    evidence("P22", f"a landing behind {scheme} with a password, not reachable: in no byte after it", trials=1)


def test_no_secret_is_told_by_errors_reprs_and_logs(
    caplog: pytest.LogCaptureFixture, evidence: Callable[..., None]
) -> None:
    webhook = f"http://127.0.0.1:1/services/{canary('hook')}?token={quote(PASSWORD, safe='')}"
    settings = Settings(webhook_url=webhook, landing=f"ftp://user:{quote(PASSWORD, safe='')}@127.0.0.1/x")
    log = logging.getLogger("told")
    alert(settings, log, f"run 1 failed: {PASSWORD}")
    try:
        raise ValueError(f"{webhook} or {base64.b64encode(PASSWORD.encode()).decode()}")
    except ValueError as error:
        log.exception("with %s", PASSWORD)
        said = [str(OpscopeError(webhook, str(error), PASSWORD))]
    with pytest.raises(RuntimeError) as raised, no_secret_told():
        raise KeyError(PASSWORD)
    with pytest.raises(OpscopeError) as chained, no_secret_told():
        raise OpscopeError("place", "cause", "remedy") from KeyError(PASSWORD)
    assert chained.value.__cause__ is None
    said += [repr(settings), str(raised.value), caplog.text, repr(caplog.records)]
    found = [form for text in said for form in [*forms_of(PASSWORD), canary("hook").encode()] if form in text.encode()]
    assert found == []
    evidence("P22", "errors, their causes, log records with tracebacks and reprs hide known secrets", trials=len(said))


def test_the_webhook_gets_no_personal_value_and_no_secret(planted: Planted, evidence: Callable[..., None]) -> None:
    with webhook(path=f"/services/{canary('hook')}") as (address, bodies):
        alert(Settings(webhook_url=address), logging.getLogger("hook"), f"could not post to {address}")
    assert bodies
    assert in_bytes(b" ".join(bodies)) == set()
    evidence("P22", "the webhook's own address, told in an alert, does not reach the webhook", trials=1)


def test_nobody_else_can_read_what_is_written(planted: Planted, evidence: Callable[..., None]) -> None:
    paths = [path for path in [planted.settings.root, *planted.settings.root.rglob("*")] if not path.is_symlink()]
    open_to_all = [path for path in paths if stat.S_IMODE(path.stat().st_mode) & 0o007]
    assert open_to_all == []
    assert os.umask(0o022) == 0o022
    evidence("P19", "files and folders below a home after a run: none that others than owner and group may read",
             trials=len(paths))  # fmt: skip
