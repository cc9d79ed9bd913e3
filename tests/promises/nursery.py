"""Processes to be killed: forked from a parent that has imported everything, so that one costs milliseconds.

The parent is a process of its own. It never opens a database and starts no thread, so what it forks is as good as new;
a test process, in which other tests have run, could not promise that.
"""

import gc
import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from pipelines import failpoints
from pipelines.errors import OpscopeError

PATIENCE_SECONDS = 600
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Ended:
    """How a process ended: `signal` that killed it or 0, what its function returned, or the error it raised."""

    signal: int
    value: Any = None
    error: str = ""
    is_clear: bool = True

    @property
    def was_killed(self) -> bool:
        return self.signal == signal.SIGKILL

    def or_fail(self) -> Any:
        """What the function returned. Fails the test when it did not return."""
        assert self.signal == 0, f"died of signal {self.signal}"
        assert not self.error, self.error
        return self.value


class Child:
    """A process that runs one function. Its id is its own until it is waited for, so a kill hits nobody else."""

    def __init__(self, nursery: "Nursery", pid: int) -> None:
        self._nursery = nursery
        self.pid = pid

    def send(self, number: int) -> None:
        os.kill(self.pid, number)

    def killed_after(self, seconds: float) -> Ended:
        """Let it run for so long, kill it, and say how it ended: it may have been done before."""
        threading.Event().wait(seconds)
        self.send(signal.SIGKILL)
        return self.ended()

    def ended(self) -> Ended:
        return self._nursery.ask("wait", self.pid)

    def is_stopped(self) -> bool:
        """Whether it stands still, as after SIGSTOP. Waits until it does or has ended."""
        return bool(self._nursery.ask("stopped", self.pid))


class Nursery:
    """A warmed parent. One thread at a time may ask it."""

    def __init__(self, warm: Callable[..., None], *arguments: object) -> None:
        self._connection, theirs = multiprocessing.get_context("spawn").Pipe()
        self._process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs, warm, arguments))
        self._process.start()
        theirs.close()
        self._reply()

    def start(self, function: Callable[..., Any], *arguments: object, failpoint: str = "") -> Child:
        return Child(self, self.ask("fork", function, arguments, failpoint))

    def run(self, function: Callable[..., Any], *arguments: object, failpoint: str = "") -> Ended:
        return self.start(function, *arguments, failpoint=failpoint).ended()

    def ask(self, *order: object) -> Any:
        self._connection.send(order)
        return self._reply()

    def close(self) -> None:
        self._connection.close()
        self._process.join(PATIENCE_SECONDS)

    def _reply(self) -> Any:
        assert self._connection.poll(PATIENCE_SECONDS), "the nursery does not answer"
        return self._connection.recv()


def spread(nurseries: list[Nursery], trial: Callable[[Nursery, T], R], items: Sequence[T]) -> list[R]:
    """Try every item, shared out over the nurseries so that all cores are busy; the results in the items' order."""
    found: dict[int, R] = {}

    def work(worker: int) -> None:
        for number in range(worker, len(items), len(nurseries)):
            found[number] = trial(nurseries[worker], items[number])

    with ThreadPoolExecutor(len(nurseries)) as pool:
        list(pool.map(work, range(len(nurseries))))
    return [found[number] for number in range(len(items))]


def _serve(orders: Connection, warm: Callable[..., None], arguments: tuple[object, ...]) -> None:
    warm(*arguments)
    # What is warm stays: no collection of a child walks through it, and the pages stay shared.
    gc.freeze()
    orders.send(None)
    children: dict[int, Connection] = {}
    while True:
        try:
            kind, *rest = orders.recv()
        except EOFError:
            # Whoever asked is gone, by an interrupt perhaps: nothing goes on without them.
            for pid in children:
                os.kill(pid, signal.SIGKILL)
            return
        if kind == "fork":
            ours, theirs = multiprocessing.Pipe()
            pid = os.fork()
            if not pid:
                orders.close()
                _live(theirs, *rest)
            theirs.close()
            children[pid] = ours
            orders.send(pid)
        elif kind == "stopped":
            orders.send(_is_stopped(rest[0]))
        else:
            orders.send(_ended(rest[0], children.pop(rest[0])))


def _is_stopped(pid: int) -> bool:
    found = os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    return found is not None and found.si_code == os.CLD_STOPPED


def _ended(pid: int, told: Connection) -> Ended:
    try:
        ended = told.recv()
    except EOFError:
        ended = None
    _, status = os.waitpid(pid, 0)
    told.close()
    if os.WIFSIGNALED(status):
        return Ended(os.WTERMSIG(status))
    return ended or Ended(0, error=f"ended with exit code {os.waitstatus_to_exitcode(status)}", is_clear=False)


def _live(told: Connection, function: Callable[..., Any], arguments: tuple[object, ...], failpoint: str) -> None:
    os.setsid()
    failpoints.arm(failpoint)
    try:
        told.send(Ended(0, function(*arguments)))
    except BaseException as error:
        text = "".join(traceback.format_exception(error))
        told.send(Ended(0, error=text, is_clear=isinstance(error, OpscopeError)))
    os._exit(0)
