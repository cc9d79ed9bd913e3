"""Named seams at which a test may kill, fail or stop this process; nothing but the name stands where one is.

`OPSCOPE_FAILPOINT=<name>:<action>[:<turn>]` arms one, for the turn-th time it is reached. What must hold after it is
the tests' business. A seam is a place between two lasting effects; do not add one where nothing lasting has happened.
"""

import errno
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from pipelines.errors import OpscopeError
from pipelines.settings import Settings

Name = Literal[
    "ingest.landed",  # the copy has its name, the warehouse knows nothing of it
    "ingest.before_commit",
    "ingest.after_commit",
    "transform.built",  # dbt has written the marts, nobody has judged them
    "transform.judged",  # the stale days are still noted
    "forecast.before_commit",
    "report.built",
    "checks.kept",  # some outcomes stand, others do not
    "step.left",  # between two steps of a run
    "publish.checkpointed",  # the candidate is whole, and only in memory of the file system
    "publish.synced",
    "publish.named",  # beside the served version under its final name
    "switch.linked",  # the new link lies beside the old one
    "publish.switched",  # served, and not in the log
    "publish.logged",  # served and logged, old versions not yet removed
    "prune.begun",  # an old version has lost its manifest, and nothing else
]
NAMES: tuple[Name, ...] = get_args(Name)


def reach(name: Name) -> None:
    """Say that a seam is reached. Does nothing unless this seam is armed."""
    if _state.armed is None:
        _state.armed = parse(Settings().failpoint)
    if _state.armed.name == name:
        _state.armed.turns_left -= 1
        if _state.armed.turns_left == 0:
            ACTIONS[_state.armed.action](name)


def arm(spec: str) -> None:
    """Arm a seam in this process, in place of what the settings say; an empty spec disarms."""
    _state.armed = parse(spec)


@dataclass
class Armed:
    """One seam and what is to happen there. Disarmed, its name is empty."""

    name: str = ""
    action: str = ""
    turns_left: int = 0


@dataclass
class _State:
    armed: Armed | None = None


_state = _State()


def parse(spec: str) -> Armed:
    """`name:action` or `name:action:turn`.

    Raises:
        OpscopeError: there is no such name or action, or the turn is no number from 1.
    """
    if not spec:
        return Armed()
    name, action, turn = [*spec.split(":"), "1"][:3] if spec.count(":") in (1, 2) else ("", "", "")
    if name not in NAMES or action not in ACTIONS or not turn.isdigit() or int(turn) < 1:
        raise OpscopeError(
            "OPSCOPE_FAILPOINT",
            f"{spec!r} arms nothing",
            f"Unset it, or give name:action or name:action:turn. Names: {', '.join(NAMES)}. "
            f"Actions: {', '.join(ACTIONS)}.",
        )
    return Armed(name, action, int(turn))


def _raise(name: Name) -> None:
    raise RuntimeError(f"failpoint {name}")


def _no_space(name: Name) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)


# `stop` waits for SIGCONT, so that a test decides how long the process is away.
ACTIONS: dict[str, Callable[[Name], None]] = {
    "kill": lambda _: os.kill(os.getpid(), signal.SIGKILL),
    "raise": _raise,
    "enospc": _no_space,
    "stop": lambda _: os.kill(os.getpid(), signal.SIGSTOP),
}
