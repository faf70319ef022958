"""Maps: one call for each item.

Rules of this file
- A map is a node of its own with one child per item. The node is never reused itself: its items are, each by its own
  checkpoint. A failed item does not stop the others; the map raises the first failure when all have ended.
- Items hand their outcome to the store's thread and go on; the map returns when all are durable, so nobody sees a
  result before it is, and when all workers have kept what they have, whichever of the two comes last.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from jupyter_durable.context import Deferred, drive, drive_async
from jupyter_durable.core.model import CallRow, Flag, Kind, Write
from jupyter_durable.core.replay import drift_of, reusable
from jupyter_durable.errors import InternalError
from jupyter_durable.executor.loop import Contained, contained
from jupyter_durable.executor.thread import ThreadExecutor
from jupyter_durable.function import Results
from jupyter_durable.future import in_copied_context, refuse_nested, settled, settled_async
from jupyter_durable.protocols import MapOptions, Scope
from jupyter_durable.runner.call import ActiveCall
from jupyter_durable.runner.matching import match_items, open_body, refused
from jupyter_durable.runner.nodes import Last, Turn, begin_node, combined, items_of, reserve
from jupyter_durable.runner.run import CallRecord, Run
from jupyter_durable.runner.serving import Served, serve
from jupyter_durable.runner.waiting import POLL_SECONDS
from jupyter_durable.serializer.digest import value_digest
from jupyter_durable.serializer.parts import FLAT
from jupyter_durable.spec import Spec

Outcome = tuple[Any, BaseException | None]
"""Result of an item, or what it raised."""


def _digests(run: Run, spec: Spec, values: list[Any]) -> list[tuple[bytes, int]]:
    if FLAT.issuperset(map(type, values)):
        digests = [value_digest(value, run.digesting) for value in values]
    else:
        from jupyter_durable.serializer.together import value_digests  # with all that walks: only where something does

        digests = value_digests(values, run.digesting)
    if any(weak for _, weak in digests):
        refuse_nested(f"{spec.name}.map", values)
        large = next((value for value, (_, weak) in zip(values, digests, strict=True) if weak & Flag.TOO_LARGE), None)
        if large is not None:
            run.notices.too_large(spec, (large,), {})
    return digests


def _begin_items(node: ActiveCall, spec: Spec, items: list[Any], digests: list[tuple[bytes, int]]) -> list[Any]:
    """One execution (served or to be driven) for each item, matched together."""
    run = node.run
    plan = run.planner.plan(spec)
    body = open_body(node)
    begun: list[Any] = []
    again: list[tuple[int, int, bool]] = []
    with body.lock:
        rows: Sequence[tuple[CallRow | None, bool]] = [(None, False)] * len(items)
        if body.matcher is not None:
            rows = match_items(node, [digest for digest, _ in digests])
        body.next_seq = len(items)
        for seq, (row, changed) in enumerate(rows):
            if row is not None and plan.durable and reusable(row):
                why = refused(run, row, plan, changed)
                if not why:
                    drift = drift_of(row, digests[seq][1]) if changed else 0
                    if digests[seq][1]:
                        run.unread.served(plan.name, spec.params, ((items[seq],), {}))
                    begun.append(serve(node, body, row, seq, plan, drift))
                    continue
                again += [(row.identity, seq, True)] if changed else []
                row = row._replace(flags=row.flags | why)
            elif row is None and body.matcher is not None:
                stands = body.matcher.stands_at(seq, Kind.MAP_ITEM, plan.name)
                again += [(stands, seq, False)] if stands is not None else []
            digest, weak = digests[seq]
            if weak:
                run.unread.refuse(plan.name, spec.params, ((items[seq],), {}))
            call = ActiveCall(node, run, spec, Kind.MAP_ITEM, plan, (body.pass_no, seq, digest, plan.flags | weak))
            call.row = row
            begun.append(call)
        if body.matcher is not None:
            run.later_all(run.sealer.placed(body.matcher.take_reached()))
    for identity, seq, sure in again[:2]:
        run.notices.ran_again(node.identity, identity, spec, ((items[seq],), {}), sure=sure)
    for item, call in zip(items, begun, strict=True):
        if not call.reused:
            call.enter(call.row, (item,), {})
    return begun


class _Tally:
    """Counts what a map waits for: one for each item until its outcome is kept, and one for each outcome handed over
    until it is durable. An outcome is counted before it is handed over, so nothing ends between the two."""

    def __init__(self, node: ActiveCall, count: int) -> None:
        self._node = node
        self._left = count
        self._lock = threading.Lock()
        self.over = threading.Event()

    def hand_over(self, row: CallRow, writes: Sequence[Write]) -> None:
        """Give the outcome of an item to the store's thread."""
        with self._lock:
            self._left += 1
        try:
            self._node.run.post(row, self._durable, writes)
        except BaseException:
            self.down()
            raise

    def _durable(self, error: BaseException | None) -> None:
        """One outcome was committed or refused."""
        if error is not None:
            self._node.run.stop(error)
        self.down()

    def down(self) -> None:
        """One thing less to wait for."""
        with self._lock:
            self._left -= 1
            if self._left <= 0:
                self.over.set()


def run_map(
    parent: CallRecord, scope: Scope, spec: Spec, items: Any, options: MapOptions, seq: int | None
) -> Results[Any]:
    """Call a synchronous function for each item, below `parent`; `scope` is what its code sees of it."""
    __tracebackhide__ = True
    values = settled(items_of(items, scope), scope)
    digests = _digests(parent.run, spec, values)
    node = begin_node(parent, spec, Kind.MAP, combined(digest for digest, _ in digests), seq)
    with Turn(node):
        begun = _begin_items(node, spec, values, digests)
        outcomes = _drive_items(node, begun, options)
        results = _gathered(node, outcomes, options)
    with Last(node):
        node.succeed(None)
    return results


def _drive_items(node: ActiveCall, begun: list[ActiveCall | Served], options: MapOptions) -> list[Outcome | None]:
    """Drive the items that execute; what became of each."""
    outcomes: list[Outcome | None] = [(call.value, None) if call.reused else None for call in begun]
    execute = [n for n, call in enumerate(begun) if not call.reused]
    if not execute:
        return outcomes
    tally = _Tally(node, len(execute))

    def one(n: int) -> None:
        call: Any = begun[n]
        call.handoff = tally.hand_over
        try:
            if not node.cancelled:
                outcomes[n] = (drive(call), None)
        except BaseException as error:  # noqa: BLE001 - a user's function was called; the map raises it at its end
            outcomes[n] = (None, error)
        finally:
            tally.down()

    first: Any = begun[execute[0]]
    if first.plan.inline or len(execute) == 1:
        for n in execute:
            one(n)
            outcome = outcomes[n]
            if outcome is None:
                break  # the map was given up
            if not isinstance(outcome[1], Exception | None):
                raise outcome[1]
    else:
        _on_threads(node, execute, one, _limit(node, first, options))
    _until_durable(node, tally)
    return outcomes


def _limit(node: ActiveCall, call: ActiveCall, options: MapOptions) -> ThreadExecutor:
    """The threads a map runs on: the shared ones, or its own where it has a limit."""
    limit = options.max_concurrency
    if limit is not None:
        return ThreadExecutor(limit, is_of_map=True)
    return node.run.threads_of(call.plan)


def _on_threads(node: ActiveCall, execute: list[int], one: Any, threads: ThreadExecutor) -> None:
    """Workers that each take the next item until none is left; as many as there are slots.

    When an item waits for calls of its own its slot is free, and another worker goes on with the next item: so there
    are as many bodies as items, each of which takes whatever is next.
    """
    left = iter(execute)
    lock = threading.Lock()

    def body() -> None:
        while not node.cancelled:
            with lock:
                n = next(left, None)
            if n is None:
                return
            in_copied_context(lambda n=n: one(n))()  # type: ignore[misc]

    own = open_body(node)
    count = min(len(execute), max(threads.slots, 1))
    own.spawned.extend(threads.submit(in_copied_context(body)) for _ in range(count))
    spare = len(execute) - count
    # Bodies beyond the slots begin only where a slot is given back by an item that waits.
    own.spawned.extend(threads.submit(in_copied_context(body)) for _ in range(min(spare, 64)))


def _until_durable(node: ActiveCall, tally: _Tally) -> None:
    with node.blocked():
        while not tally.over.wait(POLL_SECONDS):
            node.check()
    node.check()


def _gathered(node: ActiveCall, outcomes: Sequence[Outcome | None], options: MapOptions) -> Results[Any]:
    __tracebackhide__ = True
    kept = [outcome for outcome in outcomes if outcome is not None]
    if len(kept) != len(outcomes):
        raise InternalError(f"{node.text()}: the map ended before all of its items had; please report this")
    for _, error in kept:
        if error is not None and not (options.return_exceptions and isinstance(error, Exception)):
            raise error
    return Results(error if error is not None else value for value, error in kept)


async def run_map_async(
    parent: CallRecord, scope: Scope, spec: Spec, items: Any, options: MapOptions, seq: int | None
) -> Results[Any]:
    """Call an async function for each item, in the running loop."""
    __tracebackhide__ = True
    import asyncio

    if seq is None:
        seq = reserve(parent)
    values = await settled_async(items_of(await items if isinstance(items, Deferred) else items, scope))
    digests = _digests(parent.run, spec, values)
    node = begin_node(parent, spec, Kind.MAP, combined(digest for digest, _ in digests), seq)
    with Turn(node):
        begun = _begin_items(node, spec, values, digests)
        permits = asyncio.Semaphore(options.max_concurrency or node.run.threads_of(node.run.planner.plan(spec)).slots)

        async def one(call: Any) -> Outcome:
            if call.reused:
                return call.value, None
            try:
                async with permits:
                    return await drive_async(call), None
            except (KeyboardInterrupt, GeneratorExit):  # the loop's own, which nothing holds up
                raise
            except BaseException as error:  # noqa: BLE001 - a user's function was called; the map raises it at its end
                return None, error

        try:
            outcomes = await asyncio.gather(*(contained(one(call)) for call in begun))
        except Contained as left:
            raise left.error from None
        node.check()
        results = _gathered(node, outcomes, options)
    with Last(node):
        await node.succeed_async(None)
    return results
