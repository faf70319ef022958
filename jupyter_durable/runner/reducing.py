"""Reduces: a chain of calls.

Rules of this file
- Each link is reused only while all earlier ones were. Links are told apart by the digest of what was accumulated, and
  only the newest accumulated value is kept.
"""

from __future__ import annotations

from typing import Any

from jupyter_durable.context import Deferred, drive, drive_async
from jupyter_durable.core.model import CallRow, Flag, Kind
from jupyter_durable.core.replay import reusable
from jupyter_durable.errors import SDKUsageError
from jupyter_durable.future import settled, settled_async
from jupyter_durable.protocols import Scope
from jupyter_durable.runner.body import Body
from jupyter_durable.runner.call import ActiveCall
from jupyter_durable.runner.matching import match, open_body, refused
from jupyter_durable.runner.nodes import Last, Turn, begin_node, combined, items_of, reserve
from jupyter_durable.runner.run import CallRecord
from jupyter_durable.runner.serving import pass_over, serve
from jupyter_durable.serializer.digest import value_digest
from jupyter_durable.spec import Spec


class _Chain:
    """The links of a reduce: what was accumulated so far, and which rows the next links take over."""

    def __init__(self, node: ActiveCall, spec: Spec, values: list[Any], initial: tuple[Any, ...]) -> None:
        self.node = node
        self.spec = spec
        self.plan = node.run.planner.plan(spec)
        self.accumulated: Any = initial[0] if initial else values[0]
        self.items = values if initial else values[1:]
        self.digest, self.weak = value_digest(self.accumulated, self.node.run.digesting)
        self.done = 0
        self.taken_over: list[CallRow] = []
        self.newest: CallRow | None = None

    def _told(self, item: Any, weak: int) -> None:
        """What is too large for a digest is named, as the arguments of a call are."""
        if weak & Flag.TOO_LARGE:
            self.node.run.notices.too_large(self.spec, (self.accumulated, item), {})

    def _link(self, item: Any) -> tuple[bytes, int]:
        digest, weak = value_digest(item, self.node.run.digesting)
        return combined((self.digest, digest)), weak | self.weak

    def reuse(self) -> None:
        """Serve the links at the beginning that are recorded; the newest one's value is opened."""
        body = open_body(self.node)
        rows = self._recorded(body)
        if not rows:
            return
        if rows[-1].value is None and rows[-1].blob is None:
            # Its value was dropped for a newer one: what is needed has to be accumulated again.
            self.digest, self.weak = value_digest(self.accumulated, self.node.run.digesting)
            self.taken_over = rows + self.taken_over
            return
        for seq, row in enumerate(rows[:-1]):
            pass_over(self.node, body, row, seq, self.plan)
        self.accumulated = serve(self.node, body, rows[-1], len(rows) - 1, self.plan, 0).value
        self.done, self.newest = len(rows), rows[-1]

    def _recorded(self, body: Body) -> list[CallRow]:
        rows: list[CallRow] = []
        if body.matcher is None:
            return rows
        for seq, item in enumerate(self.items):
            digest, _ = self._link(item)
            row, _ = match(self.node, body, (seq, Kind.REDUCE_STEP, self.plan.name, digest))
            if row is None:
                break
            if (
                not (self.plan.durable and reusable(row))
                or row.result is None
                or refused(self.node.run, row, self.plan, False)
            ):
                self.taken_over = [row]
                break
            rows.append(row)
            self.digest = row.result
        return rows

    def begin(self, item: Any) -> ActiveCall:
        """The next link, to be driven."""
        node = self.node
        digest, weak = self._link(item)
        self._told(item, weak)
        place = (open_body(node).pass_no, self.done, digest, self.plan.flags | weak)
        call = ActiveCall(node, node.run, self.spec, Kind.REDUCE_STEP, self.plan, place)
        call.enter(self.taken_over.pop(0) if self.taken_over else None, (self.accumulated, item), {})
        return call

    def add(self, call: ActiveCall, value: Any) -> None:
        """The link has its value; the value before it is not needed any more."""
        if self.newest is not None:
            call.run.later(call.run.sealer.dropped(self.newest))
        self.newest = call.outcome
        self.accumulated = value
        self.digest, self.weak = value_digest(value, self.node.run.digesting)
        self.done += 1

    def end(self) -> None:
        """All items were folded."""
        open_body(self.node).next_seq = len(self.items)


def _reduce_node(
    parent: CallRecord, spec: Spec, values: list[Any], initial: tuple[Any, ...], seq: int | None
) -> ActiveCall:
    digests = [value_digest(value, parent.run.digesting)[0] for value in (*initial[:1], *values)]
    return begin_node(parent, spec, Kind.REDUCE, combined(digests), seq)


def _nothing_to_reduce(spec: Spec, values: list[Any], initial: tuple[Any, ...]) -> bool:
    """Whether the reducer is never called. Raises `SDKUsageError` when there is no value at all."""
    if len(initial) > 1:
        raise SDKUsageError(f"{spec.name}.reduce takes the items and at most one initial value")
    if not values and not initial:
        raise SDKUsageError("reduce of empty iterable with no initial value")
    return len(values) + len(initial) == 1


def run_reduce(
    parent: CallRecord, scope: Scope, spec: Spec, items: Any, initial: tuple[Any, ...], seq: int | None
) -> Any:
    """Fold the items with a synchronous function, below `parent`; `scope` is what its code sees of it."""
    __tracebackhide__ = True
    values, initial = settled(items_of(items, scope), scope), tuple(settled(initial, scope))
    if _nothing_to_reduce(spec, values, initial):
        return (*initial, *values)[0]
    node = _reduce_node(parent, spec, values, initial, seq)
    with Turn(node):
        chain = _Chain(node, spec, values, initial)
        chain.reuse()
        for item in chain.items[chain.done :]:
            call = chain.begin(item)
            chain.add(call, drive(call))
        chain.end()
    with Last(node):
        node.succeed(None)
    return chain.accumulated


async def run_reduce_async(
    parent: CallRecord, scope: Scope, spec: Spec, items: Any, initial: tuple[Any, ...], seq: int | None
) -> Any:
    """Fold the items with an async function."""
    __tracebackhide__ = True
    if seq is None:
        seq = reserve(parent)
    values = await settled_async(items_of(await items if isinstance(items, Deferred) else items, scope))
    initial = tuple(await settled_async(initial))
    if _nothing_to_reduce(spec, values, initial):
        return (*initial, *values)[0]
    node = _reduce_node(parent, spec, values, initial, seq)
    with Turn(node):
        chain = _Chain(node, spec, values, initial)
        chain.reuse()
        for item in chain.items[chain.done :]:
            call = chain.begin(item)
            chain.add(call, await drive_async(call))
        chain.end()
    with Last(node):
        await node.succeed_async(None)
    return chain.accumulated
