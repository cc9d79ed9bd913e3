"""The switch of a failpoint: off it does nothing, on it does one thing once, wrong it says so."""

from collections.abc import Iterator

import pytest

from pipelines.errors import OpscopeError
from pipelines.failpoints import ACTIONS, NAMES, arm, parse, reach


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    arm("")


def test_a_seam_acts_at_its_turn_and_only_there() -> None:
    arm("publish.named:raise:2")
    reach("publish.named")
    reach("publish.synced")
    with pytest.raises(RuntimeError, match=r"publish\.named"):
        reach("publish.named")
    reach("publish.named")


def test_disarmed_nothing_happens() -> None:
    arm("")
    for name in NAMES:
        reach(name)


@pytest.mark.parametrize(
    "spec", ["publish.named", "nowhere:kill", "publish.named:explode", "publish.named:kill:0", "a:b:c:d"]
)
def test_what_arms_nothing_is_refused_with_what_would(spec: str) -> None:
    with pytest.raises(OpscopeError, match="arms nothing") as refused:
        parse(spec)
    assert all(word in str(refused.value) for word in (*NAMES, *ACTIONS))
