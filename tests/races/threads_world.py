"""The world of a race: an engine of its own, and a witness outside of the store of what was executed."""

from __future__ import annotations

import contextlib
import random
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from jupyter_durable import Request, context
from jupyter_durable.client import Engine
from jupyter_durable.client.session import Cell
from jupyter_durable.client.settings import Settings
from jupyter_durable.clock import Clock, SystemClock
from jupyter_durable.core.model import Kind, RequestRow
from jupyter_durable.errors import TimeoutError
from jupyter_durable.runner.run import Run
from jupyter_durable.serializer.signing import KeySigner
from jupyter_durable.store import open_store
from tests.races.machine import Control

LONGEST_REST: Final = 0.003
LATE_SECONDS: Final = 0.9
SETTLED_SECONDS: Final = 1.0
"""Within which a cancelled request settles."""
SOON_SECONDS: Final = 60.0
"""What is waited for comes within this time, on a busy machine too; else it hangs."""


class Witness:
    """What functions say while they execute: which began, and which ended, in this order."""

    def __init__(self) -> None:
        self.began: list[tuple[str, Any]] = []
        self.ended: list[tuple[str, Any]] = []
        self._inside: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        """The most that were inside of a function at once."""
        self.failing: frozenset[int] = frozenset()
        """For which arguments a function fails."""
        self.draw = random.Random(0)
        self.settled: list[float] = []
        """Seconds that each cancelled request took to settle."""
        self.late: list[str] = []
        """Where the threads were when one was not settled after `LATE_SECONDS`."""
        self.over_time: list[tuple[float, float]] = []
        """Those that took longer than `SETTLED_SECONDS`, and for how long of it the machine held up all threads."""
        self.control = Control()
        self._lock = threading.Lock()
        self.on_begin: Callable[[int], None] = _nothing
        """Called with how many have begun."""

    @contextlib.contextmanager
    def inside(self, name: str, what: Any) -> Iterator[None]:
        """A body executes. It takes a little time, or none."""
        with self._lock:
            self.began.append((name, what))
            count = len(self.began)
            self._inside[name] += 1
            self.most[name] = max(self.most[name], self._inside[name])
        try:
            self.on_begin(count)
            time.sleep(self.rest())
            yield
        finally:
            with self._lock:
                self.ended.append((name, what))
                self._inside[name] -= 1

    def rest(self) -> float:
        """Seconds that something takes."""
        return self.draw.random() * LONGEST_REST if self.draw.random() < 0.5 else 0.0

    def times(self, name: str) -> Counter[Any]:
        """How often a function began with each argument."""
        return Counter(what for who, what in list(self.began) if who == name)

    def settles(self, began: float, request: Request) -> None:
        """Wait until a request that was cancelled at `began` has ended, and keep how long that took."""
        try:
            request.wait(LATE_SECONDS)
        except TimeoutError:
            self.late.append(stacks())
            request.wait(SOON_SECONDS)
        ended = time.monotonic()
        self.settled.append(round(ended - began, 3))
        if ended - began > SETTLED_SECONDS:
            held_up = self.control.held_up(began, ended)
            self.over_time.append((round(ended - began, 3), round(held_up, 3)))

    def forget(self) -> None:
        """A new run is looked at."""
        with self._lock:
            self.began, self.ended, self.failing = [], [], frozenset()
            self._inside.clear()
            self.most.clear()
            self.on_begin = _nothing


def _nothing(count: int) -> None:
    del count


CELL: Final = Cell(None, "race", "race", "", Kind.SCRIPT)


class World:
    """An engine and what a scenario draws from."""

    def __init__(self, engine: Engine, draw: random.Random, clock: Clock) -> None:
        self.engine = engine
        self.draw = draw
        self.clock: Any = clock

    def cell(self, error: BaseException | None = None) -> None:
        """The cell that ran ends, and is run again."""
        self.engine.sessions.end(error)
        self.engine.sessions.begin(CELL)

    @contextlib.contextmanager
    def ends(self, told: Callable[[], None]) -> Iterator[None]:
        """`told` hears of the end of each run that begins inside, at the moment at which it is settled."""

        def observe(run: Run, row: RequestRow) -> None:
            del row
            run.on_end.append(told)

        self.engine.observers.append(observe)
        try:
            yield
        finally:
            self.engine.observers.remove(observe)

    def all_out(self) -> bool:
        """Whether all threads have left the user's code: every slot is back, and no root runs."""
        workers = self.engine.workers
        executors = [workers.threads, *workers._limited.values()]
        names = [thread.name for thread in threading.enumerate()]
        return all(each._free == each.slots for each in executors) and not any(
            name.startswith(("durable-req", "durable-stack")) for name in names
        )


WITNESS: Final = Witness()
"""The witness of this process: functions of scenarios are defined once, as those of a notebook are."""


@contextlib.contextmanager
def world(draw: random.Random, folder: Path | None, *, clock: Clock | None = None, slots: int = 4) -> Iterator[World]:
    """A fresh engine; on SQLite where a folder is given, else in memory."""
    url = f"sqlite:///{folder}/store.db" if folder is not None else "memory:"
    settings = Settings(store="memory:").changed({"max_concurrency": slots}, "world()")
    store = open_store(url)
    clock = clock if clock is not None else SystemClock()
    engine = Engine(settings, clock, lambda text: None, store=store, signer=KeySigner(b"r" * 32))
    WITNESS.forget()
    WITNESS.draw = draw
    token = context.current.set(None)
    engine.sessions.begin(CELL)
    context.engine.set(engine)
    made = World(engine, draw, clock)
    try:
        yield made
        engine.sessions.end(None)
        wait_until(made.all_out)
    finally:
        context.current.reset(token)
        store.close()


def stacks() -> str:
    """Where all threads are, a line each, the innermost frames first."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    found = []
    for ident, top in sys._current_frames().items():
        frames = [f"{Path(each.filename).name}:{each.lineno} {each.name}" for each in traceback.extract_stack(top)]
        found.append(f"{names.get(ident, ident)}: {' < '.join(reversed(frames[-8:]))}")
    return "\n".join(found)


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for what comes soon."""
    end = time.monotonic() + SOON_SECONDS
    while not condition():
        assert time.monotonic() < end, "what should come soon has not come"
        time.sleep(0.002)
