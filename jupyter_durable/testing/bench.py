"""What `jupyter_durable.testing` offers for the tests of durable functions: an engine in memory, and its crashes.

Rules of this file
- Nothing is read from or written to the user's store, key file or settings, and what is defined inside is forgotten.
- A crash is raised through the code that runs, so `finally` blocks do run; but nothing of what they do is kept, and the
  request is left as a killed process would leave it.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

from jupyter_durable import context
from jupyter_durable.client import Engine, Request, this_engine
from jupyter_durable.client.session import Cell
from jupyter_durable.client.settings import Settings
from jupyter_durable.clock import Clock, SystemClock
from jupyter_durable.core.model import CallRow, Kind, Lease, Status, Write
from jupyter_durable.errors import SDKUsageError, StoreError
from jupyter_durable.function import registry
from jupyter_durable.runner.stop import RunStopped
from jupyter_durable.serializer.signing import KeySigner
from jupyter_durable.store.base import Finish, Heartbeat
from jupyter_durable.store.memory import MemoryJournal, MemoryStore

COUNTED: Final = frozenset({Kind.FUNCTION, Kind.MAP_ITEM, Kind.REDUCE_STEP})
END_SECONDS: Final = 5.0
"""How long the threads of a crashed run may take to notice."""


class Crashed(StoreError):
    """The process died here, as far as its requests can tell. Only `crash_after` raises it."""


class Crash:
    """A crash to come: `happened` says whether it came."""

    def __init__(self, calls: int, lose_next: bool) -> None:
        self._left = calls
        self._lose_next = lose_next
        self._lock = threading.Lock()
        self.happened = False

    def before(self) -> None:
        """A call is about to be committed. Raises `Crashed` when that outcome is to be lost."""
        with self._lock:
            if self.happened or (self._lose_next and self._left <= 0):
                self.happened = True
                raise _crashed()

    def after(self) -> None:
        """A call was committed. Raises `Crashed` when it was the last one that should be."""
        with self._lock:
            self._left -= 1
            self.happened = self.happened or (self._left <= 0 and not self._lose_next)
            if self.happened:
                raise _crashed()


def _crashed() -> Crashed:
    return Crashed("the process crashed here (jupyter_durable.testing.crash_after)")


class _MortalJournal(MemoryJournal):
    """A journal that takes no more writes once its process has crashed."""

    def __init__(self, store: _MortalStore, lease: Lease) -> None:
        super().__init__(store, lease)
        self._mortal = store
        self._crash = store.crash

    @property
    def _dead(self) -> bool:
        crash = self._crash = self._crash or self._mortal.crash
        return crash is not None and crash.happened

    def record(self, row: CallRow, writes: Sequence[Write] = ()) -> None:
        if self._dead:
            raise _crashed()
        counts = self._crash is not None and row.kind in COUNTED and row.status == Status.SUCCEEDED and row.parent != 0
        if counts and self._crash is not None:
            self._crash.before()
        super().record(row, writes)
        if counts and self._crash is not None:
            self._crash.after()

    def later(self, write: Write) -> None:
        if not self._dead:
            super().later(write)

    def flush(self) -> None:
        if self._dead:
            raise _crashed()
        super().flush()

    def finish(self, finish: Finish) -> None:
        if self._dead:
            raise _crashed()
        super().finish(finish)

    def renew(self, lease_until: float, lease_boot: float | None = None) -> Heartbeat:
        if self._dead:
            raise _crashed()
        return super().renew(lease_until, lease_boot)


class _MortalStore(MemoryStore):
    """A memory store whose process can crash while the store lives on."""

    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self.bench = bench
        self.crash: Crash | None = None

    def journal(self, lease: Lease) -> MemoryJournal:
        return _MortalJournal(self, lease)


class Bench:
    """What `memory_store` gives: the engine of the test, its clock, and what it warned of."""

    def __init__(self, clock: Clock, settings: Settings) -> None:
        self.clock = clock
        self.warnings: list[str] = []
        """What users would be told, in order."""
        self._settings = settings
        self._store = _MortalStore(self)
        self._signer = KeySigner(secrets.token_bytes(32))
        self.engine = self._engine()

    def _engine(self) -> Engine:
        made = Engine(self._settings, self.clock, self.warnings.append, _store=self._store, _signer=self._signer)
        made.sessions.begin(Cell(None, None, "test", "", Kind.SCRIPT))
        context.engine.set(made)
        return made

    def restart(self) -> None:
        """A new process on the same store, as far as the engine knows: nothing is remembered but what was stored."""
        self.engine = self._engine()

    @contextlib.contextmanager
    def crash(self, crash: Crash) -> Iterator[None]:
        """Let `crash` happen to what runs inside."""
        self._store.crash = crash
        try:
            yield
        except (Crashed, RunStopped) as left:
            if not crash.happened:
                raise
            left.__traceback__ = None
        finally:
            self._settle()
            self._store.crash = None
        if not crash.happened:
            raise AssertionError("crash_after: everything ended before the crash; fewer calls were made than that")

    def _settle(self) -> None:
        """Wait until the threads of crashed runs have noticed; their cell is over."""
        engine = self.engine
        if engine.sessions.run is not None and engine.sessions.run.stopped is not None:
            with contextlib.suppress(StoreError):  # the crash itself: a dead process records no end
                engine.sessions.end(None)
            engine.sessions.begin(Cell(None, None, "test", "", Kind.SCRIPT))
        end = time.monotonic() + END_SECONDS
        while any(run.stopped is not None for run in list(engine.active.values())) and time.monotonic() < end:
            time.sleep(0.001)
        engine.unsaved.clear()  # what a full store refuses is kept in memory; a dead process keeps nothing

    def close(self) -> None:
        """The test is over: the request of its own durable calls ends."""
        self.engine.sessions.end(None)


@contextlib.contextmanager
def memory_store(clock: Clock | None = None, **settings: Any) -> Iterator[Bench]:
    """A fresh engine on a store in memory, for the code inside; a pytest fixture may simply wrap it.

    `settings` are those of `configure()`. Warnings are kept in `Bench.warnings`. Durable functions that are defined
    inside are forgotten at the end. Raises `SDKUsageError` for a wrong setting.
    """
    before = this_engine()
    values = Settings(store="memory:").changed(settings, "memory_store()")
    token = context.current.set(None)
    with registry.as_it_was():
        bench = Bench(clock if clock is not None else SystemClock(), values)
        try:
            yield bench
        finally:
            context.current.reset(token)
            bench.close()
            context.engine.set(before)


@contextlib.contextmanager
def crash_after(calls: int, *, lose_next: bool = False) -> Iterator[Crash]:
    """Crash once `calls` durable calls (map items and reduce steps too) have succeeded inside and are stored.

    Nobody sees the result of the last of them. With `lose_next` one more call executes, and its outcome is lost: the
    window in which a kill makes a call run twice. What the crash raises ends here; the request then reads
    `interrupted`. Raises `AssertionError` when everything ended before, `SDKUsageError` outside of `memory_store`.
    """
    if calls < (0 if lose_next else 1):
        raise SDKUsageError(f"crash_after takes the number of calls that succeed first, not {calls!r}")
    store = this_engine().store
    if not isinstance(store, _MortalStore):
        raise SDKUsageError("crash_after works inside of `with memory_store():` only")
    crash = Crash(calls, lose_next)
    with store.bench.crash(crash):
        yield crash


def executions(request: Request) -> Counter[str]:
    """How many calls of each function executed in the last run of a request; those from checkpoints do not count."""
    return Counter(call.name for call in request.calls() if call.kind in COUNTED and call.source == "ran")
