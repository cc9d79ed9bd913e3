"""What the promise tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.made_once import made_once
from tests.promises import small_shop
from tests.promises.installed import Installed, deliver, installed
from tests.promises.nursery import Nursery
from tests.promises.replayed import Recording, record, recorded
from tests.promises.small_shop import Nights


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """A small demo company, loaded, computed and published. To be copied (`company.copy`), not to be changed."""

    def run(folder: Path) -> None:
        deliver(folder)
        installed(folder).run()

    return installed(made_once(tmp_path_factory, "company", run))


@pytest.fixture(scope="session")
def nurseries() -> Iterator[list[Nursery]]:
    """Two warmed parents for processes of the small shop, so that two cores are busy."""
    started = [Nursery(small_shop.warm) for _ in range(2)]
    yield started
    for nursery in started:
        nursery.close()


@pytest.fixture(scope="session")
def nights(nurseries: list[Nursery], tmp_path_factory: pytest.TempPathFactory) -> Nights:
    """The small shop after its first night, and what its second leads to."""
    return small_shop.nights(nurseries[0], tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Recording:
    """dbt's statements of a night, taken down once for all tests that live many nights."""
    is_soak = bool(request.config.getoption("--soak"))

    def take_down(folder: Path) -> None:
        record(folder, "online_retail", whole=is_soak)

    return recorded(made_once(tmp_path_factory, "recording", take_down), whole=is_soak)
