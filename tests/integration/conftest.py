"""Whole runs on small companies: what a user starts, started the same way."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pytest

from pipelines.demo import generate
from pipelines.publishing.digest import digests
from tests.integration.command_line import command
from tests.made_once import made_once

PUBLISHED_SCHEMAS = ("marts", "ml", "reports")
# The real companies and the folders of their data. The first file of tests asks for the first of the alphabet: here
# it comes last, so that the second worker makes another company meanwhile.
FOLDERS = {"online_retail": "online-retail", "olist": "olist-3k", "adventureworks": "adventureworks"}


@dataclass(frozen=True)
class Home:
    """An installation in a folder of its own, driven through the command line."""

    path: Path
    profile: str
    landing: Path

    def opscope(self, *arguments: str, expect: int = 0) -> str:
        """Run `opscope --home <path> <arguments>` and return what it printed."""
        code, said = command("--home", str(self.path), *arguments)
        assert code == expect, said
        return said

    def run(self, *days: str, expect: int = 0) -> str:
        return self.opscope("run", "--profile", self.profile, "--landing", str(self.landing), *days, expect=expect)

    @property
    def published(self) -> Path:
        return self.path / "published" / "current.duckdb"

    def query(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[tuple]:
        with duckdb.connect(str(self.published), read_only=True) as connection:
            return connection.execute(sql, parameters or {}).fetchall()

    def raw(self, sql: str) -> list[tuple]:
        """A query on the pipeline's own warehouse."""
        with duckdb.connect(str(self.path / "warehouse.duckdb"), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def digests(self) -> dict[str, str]:
        """Content digest of every published table a person reads."""
        with duckdb.connect(str(self.published), read_only=True) as connection:
            return digests(connection, PUBLISHED_SCHEMAS)


@dataclass(frozen=True)
class Demo:
    landing: Path
    profile: str
    days: list[date]


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """Five delivery days of a small demo company, dirt, late files and corrections included."""
    landing = made_once(
        tmp_path_factory, "demo_landing", lambda folder: generate(folder, days=5, scale=0.05, history_days=90)
    )
    days = sorted(
        date.fromisoformat(path.name) for path in landing.iterdir() if path.is_dir() and path.name[:2] == "20"
    )
    return Demo(landing, str(landing / "profile.yml"), days)


@pytest.fixture(scope="session")
def backfilled(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The demo company after one run over all its days."""

    def run(folder: Path) -> None:
        Home(folder, demo.profile, demo.landing).run("--from", str(demo.days[0]), "--to", str(demo.days[-1]))

    return Home(made_once(tmp_path_factory, "backfilled", run), demo.profile, demo.landing)


def _ran(company: str, real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    landing = real_data / FOLDERS[company]

    def run(folder: Path) -> None:
        Home(folder, company, landing).run("--all")

    return Home(made_once(tmp_path_factory, company, run), company, landing)


@pytest.fixture(scope="session")
def adventureworks(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The bicycle maker after one run over all its days, and so the two below."""
    return _ran("adventureworks", real_data, tmp_path_factory)


@pytest.fixture(scope="session")
def olist(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    return _ran("olist", real_data, tmp_path_factory)


@pytest.fixture(scope="session")
def online_retail(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    return _ran("online_retail", real_data, tmp_path_factory)


@pytest.fixture(params=FOLDERS)
def company(request: pytest.FixtureRequest) -> Home:
    """Each real company in turn."""
    home: Home = request.getfixturevalue(request.param)
    return home
