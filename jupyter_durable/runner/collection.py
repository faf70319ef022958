"""Calls over many items: map and reduce, and values that are recorded as they are made.

Rules of this file
- A map is a node of its own with one child per item. The node is never reused itself: its items are, each by its own
  checkpoint. A failed item does not stop the others; the map raises the first failure when all have ended.
- Items hand their outcome to the store's thread and go on; the map returns when all are durable, so nobody sees a
  result before it is.
- A reduce is a chain: each link is reused only while all earlier ones were. Links are told apart by the digest of what
  was accumulated, and only the newest accumulated value is kept.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from jupyter_durable.context import MapOptions, current, drive, drive_async
from jupyter_durable.core.model import CallRow, Dropped, Flag, Kind
from jupyter_durable.core.replay import reusable
from jupyter_durable.errors import SDKUsageError
from jupyter_durable.executor.thread import ThreadExecutor
from jupyter_durable.function import Results
from jupyter_durable.future import Future, in_copied_context, refuse_nested, settled, settled_async
from jupyter_durable.runner import waiting
from jupyter_durable.runner.stop import RunStopped
from jupyter_durable.serializer.digest import args_digest, value_digest

if TYPE_CHECKING:
    from jupyter_durable.function import Spec
    from jupyter_durable.runner.body import Body
    from jupyter_durable.runner.call import ActiveCall, Served


Outcome = tuple[Any, BaseException | None]
"""Result of an item, or what it raised."""


def _combined(digests: Iterable[bytes]) -> bytes:
    return blake2b(b"".join(digests), digest_size=16).digest()


def _items(items: Any) -> list[Any]:
    if isinstance(items, Future):
        items = items.result()
    try:
        return list(items)
    except TypeError:
        raise SDKUsageError(f"map and reduce take an iterable, not {type(items).__name__}") from None


def _digests(spec: Spec, values: list[Any]) -> list[tuple[bytes, bool]]:
    digests = [args_digest(spec.params, (value,), {}) for value in values]
    if any(weak for _, weak in digests):
        refuse_nested(f"{spec.name}.map", values)
    return digests


def _node(parent: ActiveCall, spec: Spec, kind: str, digest: bytes, seq: int | None) -> ActiveCall:
    """Begin a map or reduce: it takes its place and identity, and always executes."""
    from jupyter_durable.runner.call import ActiveCall

    parent.check()
    run = parent.run
    plan = run.node_plan(spec)
    body = parent.body or parent.open_body()
    row = None
    with body.lock:
        if seq is None:
            seq = body.next_seq
            body.next_seq = seq + 1
        if body.matcher is not None:
            row, _ = run.match(parent, body, (seq, kind, plan.name, digest))
    node = ActiveCall(parent, run, spec, kind, plan, (body.pass_no, seq, digest, 0))
    node.enter(row, (), {})
    return node


def _begin_items(node: ActiveCall, spec: Spec, items: list[Any], digests: list[tuple[bytes, bool]]) -> list[Any]:
    """One execution (served or to be driven) for each item, matched together."""
    from jupyter_durable.runner.call import ActiveCall

    run = node.run
    plan = run.plans.get(spec) or run.plan(spec)
    body = node.open_body()
    begun: list[Any] = []
    with body.lock:
        rows: Sequence[tuple[CallRow | None, bool]] = [(None, False)] * len(items)
        if body.matcher is not None:
            rows = run.match_items(body, plan.name, [digest for digest, _ in digests])
        body.next_seq = len(items)
        for seq, (row, changed) in enumerate(rows):
            if row is not None and plan.durable and reusable(row):
                if not changed or run.options.reuse_changed:
                    begun.append(node.serve(body, row, seq, plan, changed))
                    continue
                row = row._replace(flags=row.flags | Flag.TAKEN_OVER)
            digest, weak = digests[seq]
            call = ActiveCall(node, run, spec, Kind.MAP_ITEM, plan, (body.pass_no, seq, digest, plan.flags | weak))
            call.row = row
            begun.append(call)
        if body.matcher is not None:
            run.later_all(body.matcher.take_reached())
    for item, call in zip(items, begun, strict=True):
        if not call.reused:
            call.enter(call.row, (item,), {})
    return begun


class _Tally:
    """Counts the items of a map that are not durable yet."""

    def __init__(self, node: ActiveCall, count: int) -> None:
        self._node = node
        self._left = count
        self._lock = threading.Lock()
        self.over = threading.Event()
        if not count:
            self.over.set()

    def durable(self, error: BaseException | None) -> None:
        """One outcome was committed or refused."""
        if error is not None:
            self._node.run.stop(error)
        self.down()

    def down(self) -> None:
        """One item needs no waiting any more."""
        with self._lock:
            self._left -= 1
            if self._left <= 0:
                self.over.set()


def run_map(parent: ActiveCall, spec: Spec, items: Any, options: MapOptions, seq: int | None) -> Results[Any]:
    """Call a synchronous function for each item."""
    __tracebackhide__ = True
    values = settled(_items(items), parent)
    digests = _digests(spec, values)
    node = _node(parent, spec, Kind.MAP, _combined(digest for digest, _ in digests), seq)
    token = node.attempt()
    try:
        begun = _begin_items(node, spec, values, digests)
        outcomes = _drive_items(node, begun, options)
        results = _gathered(outcomes, options)
    except BaseException as error:
        current.reset(token)
        node.fail(error)
        raise
    current.reset(token)
    node.succeed(None)
    return results


def _drive_items(
    node: ActiveCall, begun: list[ActiveCall | Served], options: MapOptions
) -> list[tuple[Any, BaseException | None]]:
    """Drive the items that execute; (value, error) of all."""
    outcomes: list[Outcome] = [(call.value, None) for call in begun]
    execute = [n for n, call in enumerate(begun) if not call.reused]
    tally = _Tally(node, len(execute))
    if not execute:
        return outcomes

    def one(n: int) -> None:
        call: Any = begun[n]
        call.handoff = tally.durable
        try:
            if node.cancelled:
                tally.down()
                return
            outcomes[n] = (drive(call), None)
        except BaseException as error:  # noqa: BLE001 - a user's function was called; the map raises it at its end
            outcomes[n] = (None, error)
            tally.down()

    first: Any = begun[execute[0]]
    if first.plan.inline or len(execute) == 1:
        for n in execute:
            one(n)
            if isinstance(outcomes[n][1], Exception | None):
                continue
            raise outcomes[n][1] or RunStopped
    else:
        _on_threads(node, execute, one, _limit(node, first, options))
    _until_durable(node, tally)
    return outcomes


def _limit(node: ActiveCall, call: ActiveCall, options: MapOptions) -> ThreadExecutor:
    """The threads a map runs on: the shared ones, or its own where it has a limit."""
    limit = options.max_concurrency
    if limit is not None:
        return ThreadExecutor(limit)
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

    own = node.open_body()
    count = min(len(execute), max(threads.slots, 1))
    own.spawned.extend(threads.submit(in_copied_context(body)) for _ in range(count))
    spare = len(execute) - count
    # Bodies beyond the slots begin only where a slot is given back by an item that waits.
    own.spawned.extend(threads.submit(in_copied_context(body)) for _ in range(min(spare, 64)))


def _until_durable(node: ActiveCall, tally: _Tally) -> None:
    with node.blocked():
        while not tally.over.wait(waiting.POLL_SECONDS):
            node.check()
    node.check()


def _gathered(outcomes: list[tuple[Any, BaseException | None]], options: MapOptions) -> Results[Any]:
    __tracebackhide__ = True
    if not options.return_exceptions:
        for _, error in outcomes:
            if error is not None:
                raise error
    return Results(error if error is not None else value for value, error in outcomes)


async def run_map_async(
    parent: ActiveCall, spec: Spec, items: Any, options: MapOptions, seq: int | None
) -> Results[Any]:
    """Call an async function for each item, in the running loop."""
    __tracebackhide__ = True
    if seq is None:
        seq = parent.reserve()
    values = await settled_async(await items if isinstance(items, Future) else _items(items))
    digests = _digests(spec, values)
    node = _node(parent, spec, Kind.MAP, _combined(digest for digest, _ in digests), seq)
    token = node.attempt()
    try:
        begun = _begin_items(node, spec, values, digests)
        permits = asyncio.Semaphore(options.max_concurrency or node.run.threads_of(node.run.plan(spec)).slots)

        async def one(call: Any) -> tuple[Any, BaseException | None]:
            if call.reused:
                return call.value, None
            async with permits:
                try:
                    return await drive_async(call), None
                except Exception as error:  # noqa: BLE001 - a user's function was called; the map raises it at its end
                    return None, error

        outcomes = list(await asyncio.gather(*(one(call) for call in begun)))
        results = _gathered(outcomes, options)
    except BaseException as error:
        current.reset(token)
        node.fail(error)
        raise
    current.reset(token)
    await node.succeed_async(None)
    return results


class _Chain:
    """The links of a reduce: what was accumulated so far, and which rows the next links take over."""

    def __init__(self, node: ActiveCall, spec: Spec, values: list[Any], initial: tuple[Any, ...]) -> None:
        self.node = node
        self.spec = spec
        self.plan = node.run.plans.get(spec) or node.run.plan(spec)
        self.accumulated: Any = initial[0] if initial else values[0]
        self.items = values if initial else values[1:]
        self.digest, self.weak = value_digest(self.accumulated)
        self.done = 0
        self.taken_over: list[CallRow] = []
        self.newest = 0

    def _link(self, item: Any) -> tuple[bytes, bool]:
        digest, weak = value_digest(item)
        return _combined((self.digest, digest)), weak or self.weak

    def reuse(self) -> None:
        """Serve the links at the beginning that are recorded; the newest one's value is opened."""
        body = self.node.open_body()
        rows = self._recorded(body)
        if not rows:
            return
        if rows[-1].mac is None:
            # Its value was dropped for a newer one: what is needed has to be accumulated again.
            self.digest, self.weak = value_digest(self.accumulated)
            self.taken_over = rows + self.taken_over
            return
        for seq, row in enumerate(rows):
            served = self.node.serve(body, row, seq, self.plan, False, opened=seq == len(rows) - 1)
            self.accumulated = served.value
        self.done, self.newest = len(rows), rows[-1].identity

    def _recorded(self, body: Body) -> list[CallRow]:
        rows: list[CallRow] = []
        if body.matcher is None:
            return rows
        for seq, item in enumerate(self.items):
            digest, _ = self._link(item)
            row, _ = self.node.run.match(self.node, body, (seq, Kind.REDUCE_STEP, self.plan.name, digest))
            if row is None:
                break
            if not (self.plan.durable and reusable(row)) or row.result is None:
                self.taken_over = [row]
                break
            rows.append(row)
            self.digest = row.result
        return rows

    def begin(self, item: Any) -> ActiveCall:
        """The next link, to be driven."""
        from jupyter_durable.runner.call import ActiveCall

        node = self.node
        digest, weak = self._link(item)
        place = (node.open_body().pass_no, self.done, digest, self.plan.flags | weak)
        call = ActiveCall(node, node.run, self.spec, Kind.REDUCE_STEP, self.plan, place)
        call.enter(self.taken_over.pop(0) if self.taken_over else None, (self.accumulated, item), {})
        return call

    def add(self, call: ActiveCall, value: Any) -> None:
        """The link has its value; the value before it is not needed any more."""
        if self.newest:
            call.run.later(Dropped(self.node.identity, self.newest))
        self.newest = call.identity
        self.accumulated = value
        self.digest, self.weak = value_digest(value)
        self.done += 1

    def end(self) -> None:
        """All items were folded."""
        self.node.open_body().next_seq = len(self.items)


def _reduce_node(
    parent: ActiveCall, spec: Spec, values: list[Any], initial: tuple[Any, ...], seq: int | None
) -> ActiveCall:
    digests = [value_digest(value)[0] for value in (*initial[:1], *values)]
    return _node(parent, spec, Kind.REDUCE, _combined(digests), seq)


def _nothing_to_reduce(spec: Spec, values: list[Any], initial: tuple[Any, ...]) -> bool:
    """Whether the reducer is never called. Raises `SDKUsageError` when there is no value at all."""
    if len(initial) > 1:
        raise SDKUsageError(f"{spec.name}.reduce takes the items and at most one initial value")
    if not values and not initial:
        raise SDKUsageError("reduce of empty iterable with no initial value")
    return len(values) + len(initial) == 1


def run_reduce(parent: ActiveCall, spec: Spec, items: Any, initial: tuple[Any, ...], seq: int | None) -> Any:
    """Fold the items with a synchronous function."""
    __tracebackhide__ = True
    values, initial = settled(_items(items), parent), tuple(settled(initial, parent))
    if _nothing_to_reduce(spec, values, initial):
        return (*initial, *values)[0]
    node = _reduce_node(parent, spec, values, initial, seq)
    token = node.attempt()
    try:
        chain = _Chain(node, spec, values, initial)
        chain.reuse()
        for item in chain.items[chain.done :]:
            call = chain.begin(item)
            chain.add(call, drive(call))
        chain.end()
    except BaseException as error:
        current.reset(token)
        node.fail(error)
        raise
    current.reset(token)
    node.succeed(None)
    return chain.accumulated


async def run_reduce_async(
    parent: ActiveCall, spec: Spec, items: Any, initial: tuple[Any, ...], seq: int | None
) -> Any:
    """Fold the items with an async function."""
    __tracebackhide__ = True
    if seq is None:
        seq = parent.reserve()
    values = await settled_async(await items if isinstance(items, Future) else _items(items))
    initial = tuple(await settled_async(initial))
    if _nothing_to_reduce(spec, values, initial):
        return (*initial, *values)[0]
    node = _reduce_node(parent, spec, values, initial, seq)
    token = node.attempt()
    try:
        chain = _Chain(node, spec, values, initial)
        chain.reuse()
        for item in chain.items[chain.done :]:
            call = chain.begin(item)
            chain.add(call, await drive_async(call))
        chain.end()
    except BaseException as error:
        current.reset(token)
        node.fail(error)
        raise
    current.reset(token)
    await node.succeed_async(None)
    return chain.accumulated


def recorded_value(parent: ActiveCall, name: str, make: Any) -> Any:
    """`make()` the first time, the recorded value on replay."""
    from jupyter_durable.runner.call import ActiveCall

    parent.check()
    run = parent.run
    plan = run.value_plan(name)
    digest, _ = args_digest((), (), {})
    body = parent.body or parent.open_body()
    row = None
    with body.lock:
        seq = body.next_seq
        body.next_seq = seq + 1
        if body.matcher is not None:
            row, changed = run.match(parent, body, (seq, Kind.VALUE, name, digest))
            if row is not None and reusable(row):
                return parent.serve(body, row, seq, plan, changed).value
    call = ActiveCall(parent, run, None, Kind.VALUE, plan, (body.pass_no, seq, digest, 0))
    call.enter(row, (), {})
    call.invoke = make
    return drive(call)
