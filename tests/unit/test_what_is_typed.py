"""What an operator types wrongly, or where a home is not what it should be: one message, and nothing else."""

from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.errors import OpscopeError
from pipelines.ops import prepare
from pipelines.resources import Warehouse
from pipelines.settings import Settings
from pipelines.sources.profiles import load_profile


def refused(*arguments: str | Path) -> OpscopeError:
    """The error that `opscope <arguments>` ends with; `main` prints it and exits with 1."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert isinstance(result.exception, OpscopeError), result.output
    return result.exception


@pytest.mark.parametrize("below", ["", "new"], ids=["a file", "below a file"])
@pytest.mark.parametrize(
    "command",
    ["run --date 2026-06-30", "publish", "rollback", "demo", "demo-data", "erase 1 --yes", "quarantine release --all"],
)
def test_a_home_that_cannot_be_made_is_said(tmp_path: Path, command: str, below: str) -> None:
    (tmp_path / "hostname").touch()
    home = tmp_path / "hostname" / below
    error = refused("--home", home, *command.split())
    assert error.place == f"folder {home}"
    assert "cannot be made" in error.cause
    assert "--home" in error.remedy


def test_demo_data_says_when_its_folder_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "hostname").touch()
    error = refused("demo-data", "--out", tmp_path / "hostname", "--days", "1")
    assert (error.place, error.remedy) == (f"folder {tmp_path / 'hostname'}", "Name another folder with --out.")


def test_the_doctor_finds_a_home_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "hostname").touch(mode=0o600)
    result = CliRunner().invoke(app, ["--home", str(tmp_path / "hostname"), "doctor"])
    assert result.exit_code == 1
    assert "fail home" in result.output


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home whose company is not the one of the profile that goes without saying."""
    with Warehouse(Settings.model_validate({"home": tmp_path, "threads": 1})).write() as connection:
        prepare(connection, load_profile("online_retail"))
    return tmp_path


def test_another_company_is_not_published(home: Path) -> None:
    error = refused("--home", home, "publish")
    assert "holds the company" in error.cause
    assert "OPSCOPE_PROFILE" in error.remedy
    assert "holds the company" not in str(refused("--home", home, "publish", "--profile", "online_retail"))


def usage(*arguments: str | Path) -> str:
    """What is said of arguments that do not fit, on one line."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 2, result.output
    return " ".join(result.output.replace("│", " ").split())


@pytest.mark.parametrize(
    "days", ["--date 2026-06-30 --all", "--from 2026-06-01 --to 2026-06-30 --all", "--from 2026-06-01 --all"]
)
def test_days_and_all_days_are_not_both_asked_for(tmp_path: Path, days: str) -> None:
    assert "--all" in usage("--home", tmp_path, "run", *days.split())


@pytest.mark.parametrize("command", ["run", "quarantine list", "doctor"])
def test_home_after_the_command_is_told_where_it_stands(command: str) -> None:
    assert "opscope --home FOLDER COMMAND" in usage(*command.split(), "--home", "x")


def test_another_option_after_the_command_is_told_as_ever() -> None:
    assert "No such option: --hme" in usage("run", "--hme", "x")


def test_the_version_is_told() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.output) == (0, f"opscope {version('opscope')}\n")


@pytest.mark.parametrize("command", ["list --feed orders", "list --reason no_date", "release --reason empty_file"])
def test_an_unknown_feed_or_reason_is_said_with_those_there_are(home: Path, command: str) -> None:
    error = refused("--home", home, "quarantine", *command.split())
    assert error.cause == "is unknown"
    assert ("order_lines" if "feed" in command else "field_count") in error.remedy
