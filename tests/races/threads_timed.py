"""What is raced with a clock: timeouts that progress resets, and retries after a timeout.

The clock moves by hand, by more than half of the timeout, whenever every call that is in its function has said that it
is ready: a call that has just reported progress never times out, and one that is silent for two moves always does.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from jupyter_durable import RequestContext, Retries, TimeoutError, application, function
from jupyter_durable.testing import FakeClock
from tests.races.threads_scenarios import Twice, by_hand, replayed, scenario, values
from tests.races.threads_world import WITNESS, World, wait_until

TIMEOUT: Final = 10.0
MOVE: Final = 6.0


class Ticks:
    """Moves of the clock, and which calls wait for the next one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.number = 0
        self._inside: Counter[int] = Counter()
        self._ready: set[int] = set()
        self._silent: set[int] = set()

        self._left: set[tuple[int, int]] = set()
        """Attempts that have left their function."""
        self.beside: list[int] = []
        """Calls that were in their function twice at once."""

    def forget(self) -> None:
        """A new run."""
        with self._lock:
            self._inside.clear()
            self._ready.clear()
            self._silent.clear()
            self._left.clear()
            self.beside = []

    def are_out(self) -> bool:
        """Whether nobody is in a function."""
        return not +self._inside

    def enter(self, n: int) -> None:
        """A call is in its function."""
        with self._lock:
            self._inside[n] += 1
            if self._inside[n] > 1:
                self.beside.append(n)

    def leave(self, n: int, attempt: int) -> None:
        with self._lock:
            self._inside[n] -= 1
            self._left.add((n, attempt))
            self._ready.discard(n)
            self._silent.discard(n)

    def ready(self, n: int, silent: bool) -> int:
        """A call has reported, for the last time if it is `silent` from now on; the number of moves so far."""
        with self._lock:
            self._ready.add(n)
            if silent:
                self._silent.add(n)
            return self.number

    def move(self, clock: FakeClock, running: Callable[[], set[tuple[int, int]]], *, in_a_loop: bool) -> None:
        """Let time pass if all wait for it; those that are silent go on waiting. `running`: the attempts whose time
        runs, in their functions, about to be, or just out of them. One that was given up may be in there still. In a
        loop the clock of one that has left its function ends a moment later, and no time may pass before."""
        with self._lock:
            inside = {n for n, count in self._inside.items() if count}
            timed = running()
            if in_a_loop and timed & self._left:
                return
            if not inside or inside - self._ready or {n for n, _ in timed - self._left} != inside:
                return
            clock.advance(MOVE)
            self.number += 1
            self._ready &= self._silent


TICKS: Final = Ticks()


def _is_silent(n: int, attempt: int) -> bool:
    return n in WITNESS.failing and attempt == 1


@function(timeout=TIMEOUT, retries=Retries(max_retries=1, initial_delay=0, jitter=False))
def steps(n: int) -> int:
    with WITNESS.inside("steps", n):
        TICKS.enter(n)
        context = RequestContext.get()
        attempt = context.attempt  # now: it is the call's, which may have another one before this has left
        try:
            for at in range(n % 3 + 1):
                context.progress.update(at, 9)
                seen = TICKS.ready(n, _is_silent(n, attempt))
                while TICKS.number == seen or _is_silent(n, attempt):
                    time.sleep(0.001)
            return n
        finally:
            try:
                time.sleep(WITNESS.rest())
            finally:
                TICKS.leave(n, attempt)


@function(timeout=TIMEOUT, retries=Retries(max_retries=1, initial_delay=0, jitter=False))
async def steps_async(n: int) -> int:
    with WITNESS.inside("steps", n):
        TICKS.enter(n)
        context = RequestContext.get()
        attempt = context.attempt  # now: it is the call's, which may have another one before this has left
        try:
            for at in range(n % 3 + 1):
                context.progress.update(at, 9)
                seen = TICKS.ready(n, _is_silent(n, attempt))
                while TICKS.number == seen or _is_silent(n, attempt):
                    await asyncio.sleep(0.001)
            return n
        finally:
            try:
                await asyncio.sleep(WITNESS.rest())
            finally:
                TICKS.leave(n, attempt)


@function(timeout=TIMEOUT)
def silent(n: int) -> int:
    with WITNESS.inside("silent", n):
        TICKS.enter(n)
        try:
            seen = TICKS.ready(n, n in WITNESS.failing)
            while TICKS.number == seen or n in WITNESS.failing:
                time.sleep(0.001)
            return n
        finally:
            TICKS.leave(n, 1)


@application()
@function()
def maps_steps(numbers: list[int], limit: int | None) -> list[int]:
    return list(steps.map(numbers, max_concurrency=limit))


@application()
@function()
async def maps_steps_async(numbers: list[int], limit: int | None) -> list[int]:
    return list(await steps_async.map(numbers, max_concurrency=limit))


@application()
@function()
def maps_silent(numbers: list[int], limit: int | None) -> list[bool]:
    found = silent.map(numbers, max_concurrency=limit, return_exceptions=True)
    return [isinstance(each, TimeoutError) for each in found]


def _timed(world: World, app: Any, result: Any, numbers: list[int]) -> None:
    limit = world.draw.choice([None, 1, 3])
    WITNESS.failing = frozenset(world.draw.sample(numbers, world.draw.randrange(min(4, len(numbers) + 1))))
    TICKS.forget()
    request = app.submit(numbers, limit)

    def running() -> set[tuple[int, int]]:
        calls = [call for run in list(world.engine.active.values()) for call in list(run.open)]
        clocks = [
            (call.args[0], call.attempts, call.deadline) for call in calls if call.parent is not None and call.args
        ]
        return {(n, attempt) for n, attempt, clock in clocks if clock is not None and not clock._deadline.waits}

    end = time.monotonic() + 60
    while request.status not in ("succeeded", "failed", "cancelled"):
        assert time.monotonic() < end, "it hangs"
        TICKS.move(world.clock, running, in_a_loop=app is maps_steps_async)
        time.sleep(0.002)
    request.wait(60)
    expected = result(WITNESS.failing)
    assert request.output() == expected
    wait_until(TICKS.are_out)
    if TICKS.beside:
        raise Twice(f"two attempts at once: {TICKS.beside}")
    retried = app is not maps_silent
    wanted = Counter({n: 1 + (retried and n in WITNESS.failing) for n in numbers})
    found = WITNESS.times("steps") + WITNESS.times("silent")
    if found - wanted:
        raise Twice(f"{found - wanted} too often")
    assert found == wanted
    if retried:
        WITNESS.failing = frozenset()
        replayed(request, expected)


@scenario
@by_hand
def timeouts_that_progress_resets(world: World) -> None:
    numbers = values(world, 12)
    _timed(world, maps_steps, lambda failing: numbers, numbers)


@scenario
@by_hand
def timeouts_that_progress_resets_in_a_loop(world: World) -> None:
    numbers = values(world, 12)
    _timed(world, maps_steps_async, lambda failing: numbers, numbers)


@scenario
@by_hand
def calls_that_time_out(world: World) -> None:
    numbers = values(world, 12)
    _timed(world, maps_silent, lambda failing: [n in failing for n in numbers], numbers)
