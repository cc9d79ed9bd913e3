"""A backfill as an engineer launches it: over the UI's own GraphQL, run by the daemon, equal to the command line's."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import Demo, Home
from tests.integration.ui import Ui


@pytest.fixture
def home(demo: Demo, tmp_path: Path) -> Home:
    return Home(tmp_path, demo.profile, demo.landing)


@pytest.fixture
def ui(home: Home) -> Iterator[Ui]:
    service = Ui(home)
    yield service
    service.stop()


def test_a_backfill_from_the_ui_is_one_run_and_equals_the_command_line(
    ui: Ui, home: Home, demo: Demo, backfilled: Home
) -> None:
    ended = ui.backfill(ui.asset_paths(), [str(day) for day in demo.days])
    assert ended["status"] == "COMPLETED_SUCCESS", ended
    assert [run["status"] for run in ended["runs"]] == ["SUCCESS"]
    tags = {tag["key"]: tag["value"] for tag in ended["runs"][0]["tags"]}
    assert tags["dagster/asset_partition_range_start"] == str(demo.days[0])
    assert tags["dagster/asset_partition_range_end"] == str(demo.days[-1])
    assert home.digests() == backfilled.digests()
