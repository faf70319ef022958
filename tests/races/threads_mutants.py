"""Planted bugs in locks, orders and fences. Each is put into the process of the runs by name, and must be found there.

The value of a mutant is the scenarios in which it shows.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from jupyter_durable.client.sessions import Sessions
from jupyter_durable.executor import thread, visit
from jupyter_durable.executor.thread import ThreadExecutor
from jupyter_durable.function import Results
from jupyter_durable.future import Future, in_copied_context
from jupyter_durable.runner import children, mapping, reducing, waiting
from jupyter_durable.runner.call import ActiveCall
from jupyter_durable.runner.countdown import Countdown
from jupyter_durable.runner.matching import open_body
from jupyter_durable.runner.run import CallRecord
from jupyter_durable.runner.stop import RunStopped
from jupyter_durable.runner.traces import Traces
from jupyter_durable.store.memory import MemoryJournal
from jupyter_durable.store.sqlite.journal import SqliteJournal


class Mutant(NamedTuple):
    """One planted bug."""

    plant: Callable[[], None]
    scenarios: Sequence[str]
    runs: int = 120
    """In how many runs it is found by far."""


def plant(name: str | None) -> None:
    """Put a bug into this process."""
    if name is not None:
        MUTANTS[name].plant()


def replace(owner: Any, name: str, value: Any) -> None:
    """Change a method or a function of this process."""
    assert hasattr(owner, name), f"the planted bug no longer fits the code: {name}"
    setattr(owner, name, value)


class _NoLock:
    """Stands for a lock that nobody takes."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


def _map_counts_what_is_durable_only() -> None:
    """A map ends with the last commit, though a worker has not kept its outcome yet."""

    def hand_over(self: Any, row: Any, writes: Any) -> None:
        self._node.run.post(row, self._durable, writes)

    def down(self: Any) -> None:
        with self._lock:
            self._left -= 1
            if self._left <= 0:
                self.over.set()

    def gathered(node: Any, outcomes: Any, options: Any) -> Any:
        return Results((outcome or (None, None))[0] for outcome in outcomes)

    replace(mapping._Tally, "hand_over", hand_over)
    replace(mapping._Tally, "down", down)
    replace(mapping, "_gathered", gathered)


def _slots_without_a_lock() -> None:
    """Slots are counted by several threads at once."""

    def take_again(self: ThreadExecutor) -> None:
        free = self._free
        threading.Event().wait(0.001)
        self._free = free - 1

    replace(ThreadExecutor, "_take_again", take_again)


def _slot_kept_while_waiting() -> None:
    """A thread that waits for calls of its own keeps its slot."""
    replace(thread, "blocked", contextlib.nullcontext)
    replace(waiting, "blocked", contextlib.nullcontext)
    replace(CallRecord, "blocked", lambda self: contextlib.nullcontext())


def _slot_not_taken_again() -> None:
    """A thread that goes on after a wait does so without a slot."""
    replace(ThreadExecutor, "_take_again", lambda self: None)


def _started_twice() -> None:
    """A Future that two ask for at once starts twice."""

    def claim(self: Any) -> bool:
        first = not self._started
        threading.Event().wait(0.001)
        self._started = True
        return first

    replace(Future, "_claim", claim)


def _next_item_without_a_lock() -> None:
    """Workers of a map take items from a list that they do not share well: two take the same."""

    def on_threads(node: Any, execute: list[int], one: Any, threads: ThreadExecutor) -> None:
        left = list(execute)

        def body() -> None:
            while left and not node.cancelled:
                n = left[0]
                threading.Event().wait(0.0005)
                with contextlib.suppress(ValueError):
                    left.remove(n)
                in_copied_context(lambda n=n: one(n))()  # type: ignore[misc]

        own = open_body(node)
        own.spawned.extend(threads.submit(in_copied_context(body)) for _ in range(min(len(left), 8)))

    replace(mapping, "_on_threads", on_threads)


def _state_of_children_lost() -> None:
    """What several calls wrote into the state is merged without a lock."""

    def merge(self: Traces, writes: Any) -> None:
        own = dict(self.writes)
        threading.Event().wait(0.0005)
        own.update(writes)
        self.writes = own

    replace(Traces, "merge_writes", merge)


def _children_not_awaited() -> None:
    """A call ends while what it started goes on."""
    replace(children, "for_children", lambda call: None)


def _told_before_the_commit() -> None:
    """An outcome that is handed over is told of before it is written."""
    for journal in (MemoryJournal, SqliteJournal):
        real: Any = journal.post

        def post(self: Any, row: Any, done: Any, writes: Any = (), real: Any = real) -> None:
            done(None)
            timer = threading.Timer(0.3, real, (self, row, lambda error: None, writes))
            timer.daemon = True
            timer.start()

        replace(journal, "post", post)


def _slot_lost() -> None:
    """A body that is thrown out does not give its slot back."""
    real: Any = thread._run

    def run(body: Any, done: Any) -> None:
        real(body, done)
        if done.exception() is not None:
            raise SystemExit

    replace(thread, "_run", run)
    replace(ThreadExecutor, "_lost", lambda self, waiter, seat: None)


def _thrown_anywhere() -> None:
    """An error may come up in the engine's own code, and what is under way is not taken back."""
    replace(visit._Thread, "close", lambda self: None)
    replace(visit, "SPARED", ())


def _goes_on_where_it_was_left() -> None:
    """A reduce that is told to stop calls its function once more."""
    real: Any = vars(reducing)["drive"]

    def drive(call: Any) -> Any:
        try:
            return real(call)
        except RunStopped:
            threading.Event().wait(0.01)
            return call.plan.fn(*call.args)

    replace(reducing, "drive", drive)


def _one_limit_for_all_maps_of_a_loop() -> None:
    """An item of an async map keeps a turn that the maps below it need."""
    real = asyncio.Semaphore
    known: dict[Any, asyncio.Semaphore] = {}

    def shared(value: int = 1) -> asyncio.Semaphore:
        return known.setdefault((asyncio.get_running_loop(), value), real(value))

    replace(asyncio, "Semaphore", shared)


def _waiting_items_outlive_a_cancel() -> None:
    """Items of an async map that wait for their turn hear of no cancel, and begin when it comes to them."""
    real = ActiveCall._refuse

    def refuse(self: ActiveCall, first: bool) -> None:
        if not self.plan.is_async:
            real(self, first)

    def contained(body: Any) -> Any:
        return asyncio.shield(asyncio.ensure_future(body))

    replace(ActiveCall, "_refuse", refuse)
    replace(mapping, "contained", contained)


def _one_request_becomes_two() -> None:
    """A thread does not wait for the request of its cell, which another one is just making."""
    real = Sessions.__init__

    def init(self: Sessions, *arguments: Any) -> None:
        real(self, *arguments)
        self._lock = _NoLock()  # type: ignore[assignment]

    replace(Sessions, "__init__", init)


def _progress_forgotten() -> None:
    """Progress does not give the time back."""
    replace(Countdown, "progressed", lambda self: None)


def _turns_count() -> None:
    """The time of a call runs while its function waits for its turn."""
    made = Countdown.__init__

    def running(self: Countdown, limit: float | None, monotonic: Callable[[], float]) -> None:
        made(self, limit, monotonic)
        self.resume()

    replace(Countdown, "__init__", running)
    replace(Countdown, "pause", lambda self: None)


MUTANTS: Final = {
    "a map counts what is durable only": Mutant(_map_counts_what_is_durable_only, ("a_map", "a_map_of_maps")),
    "slots are counted without a lock": Mutant(_slots_without_a_lock, ("a_map_of_maps", "limited_maps", "a_map")),
    "a slot is kept while its thread waits": Mutant(_slot_kept_while_waiting, ("a_map_of_maps",)),
    "a slot is not taken again after a wait": Mutant(_slot_not_taken_again, ("a_map_of_maps",)),
    "a Future starts twice": Mutant(_started_twice, ("futures_of_futures", "shared_futures")),
    "two workers take the same item": Mutant(_next_item_without_a_lock, ("a_map",)),
    "state of children is merged without a lock": Mutant(_state_of_children_lost, ("state_of_a_map",)),
    "a call does not await its children": Mutant(_children_not_awaited, ("unasked_futures",)),
    "an outcome is told of before it is written": Mutant(_told_before_the_commit, ("a_failing_map",)),
    "a slot is lost with its body": Mutant(_slot_lost, ("cancelled_futures", "a_cancelled_map_of_maps")),
    "errors come up anywhere": Mutant(_thrown_anywhere, ("a_cancelled_map", "a_cancelled_map_of_maps"), 400),
    "progress does not reset a timeout": Mutant(_progress_forgotten, ("timeouts_that_progress_resets",)),
    "waiting for a turn is part of a timeout": Mutant(_turns_count, ("calls_that_time_out",)),
    "a reduce goes on where it was left": Mutant(_goes_on_where_it_was_left, ("a_cancelled_reduce",)),
    "async maps share one limit": Mutant(_one_limit_for_all_maps_of_a_loop, ("an_async_map_of_maps",)),
    "items that wait outlive a cancel": Mutant(
        _waiting_items_outlive_a_cancel, ("a_cancelled_async_map", "a_cancelled_async_map_of_maps")
    ),
    "one request of a cell becomes two": Mutant(_one_request_becomes_two, ("calls_of_a_cell",)),
}
