"""What several test folders need: the real data where there is some, the tier, and where evidence is noted."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.made_once import made_once
from tests.promises.evidence import PROPERTY, Claim, commit_of_the_code

if TYPE_CHECKING:
    from tests.promises.planted import Planted


# Two workers share two cores: a second thread of DuckDB's costs a small company a tenth of its time. The processes that
# tests start inherit it.
os.environ.setdefault("OPSCOPE_THREADS", "1")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="the larger counts of the promise tests: hours, not minutes")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the real data sets; tests that need it are skipped in a clone without them."""
    folder = os.environ.get("OPSCOPE_REAL_DATA")
    if not folder:
        pytest.skip("OPSCOPE_REAL_DATA is not set: the real data sets are not beside this clone")
    return Path(folder)


@pytest.fixture(scope="session")
def trials(request: pytest.FixtureRequest) -> Callable[[int, int], int]:
    """How often to try: `trials(ci, soak)` gives the count of the tier this session runs."""
    is_soak = bool(request.config.getoption("--soak"))
    return lambda ci, soak: soak if is_soak else ci


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> "Planted":
    """A company with a canary in every personal field, after a real run. To be copied, not to be changed."""
    from tests.promises.planted import plant, planted_in

    return planted_in(made_once(tmp_path_factory, "planted", plant))


@pytest.fixture
def evidence(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """`evidence(promise, claim, trials=n, seed=s)` notes what a test has just shown, for docs/reliability.md.

    Call it once what is claimed has been asserted. The outcome is pytest's: a test that fails proves nothing.
    """
    tier = "soak" if request.config.getoption("--soak") else "ci"

    def note(promise: str, claim: str, *, trials: int, seed: int | None = None) -> None:
        record_property(PROPERTY, Claim(promise, claim, trials, seed, tier, commit_of_the_code()).as_text())

    return note
