"""What map, reduce and recorded values have in common: a node of the tree that has no function of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jupyter_durable.context import Deferred, current, drive
from jupyter_durable.core.model import Kind
from jupyter_durable.core.replay import drift_of, reusable
from jupyter_durable.errors import SDKUsageError
from jupyter_durable.future import settled
from jupyter_durable.hashes import blake2b
from jupyter_durable.protocols import Scope
from jupyter_durable.runner.call import ActiveCall
from jupyter_durable.runner.matching import match, open_body
from jupyter_durable.runner.run import CallRecord
from jupyter_durable.runner.serving import serve
from jupyter_durable.serializer.digest import args_digest
from jupyter_durable.spec import Spec


def reserve(call: CallRecord) -> int:
    """Keep a place in the body of a call."""
    call.check()
    body = call.body or open_body(call)
    with body.lock:
        seq = body.next_seq
        body.next_seq = seq + 1
    return seq


def combined(digests: Iterable[bytes]) -> bytes:
    """One digest over several, in order."""
    return blake2b(b"".join(digests), digest_size=16).digest()


def items_of(items: Any, scope: Scope) -> list[Any]:
    """The items of a map or reduce; the call of `scope` waits for them where they are a result to come.

    Raises `SDKUsageError` for what cannot be iterated.
    """
    if isinstance(items, Deferred):
        (items,) = settled([items], scope)
    try:
        return list(items)
    except TypeError:
        raise SDKUsageError(f"map and reduce take an iterable, not {type(items).__name__}") from None


def begin_node(parent: CallRecord, spec: Spec, kind: str, digest: bytes, seq: int | None) -> ActiveCall:
    """Begin a map or reduce: it takes its place and identity, and always executes."""
    parent.check()
    run = parent.run
    plan = run.planner.bare(("node", spec), spec.name, spec.is_async)
    body = parent.body or open_body(parent)
    row = None
    with body.lock:
        if seq is None:
            seq = body.next_seq
            body.next_seq = seq + 1
        if body.matcher is not None:
            row, _ = match(parent, body, (seq, kind, plan.name, digest))
    node = ActiveCall(parent, run, spec, kind, plan, (body.pass_no, seq, digest, 0))
    node.enter(row, (), {})
    return node


class Turn:
    """The only attempt of a node, as a context: what is raised in it settles the node as failed."""

    __slots__ = ("_node", "_token")

    def __init__(self, node: ActiveCall) -> None:
        self._node = node

    def __enter__(self) -> None:
        self._token = self._node.attempt()

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        __tracebackhide__ = True
        current.reset(self._token)
        if error is not None:
            self._node.fail(error)


class Last:
    """The end of a node, as a context: however it is left, the node is settled."""

    __slots__ = ("_node",)

    def __init__(self, node: ActiveCall) -> None:
        self._node = node

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        __tracebackhide__ = True
        if error is not None:
            self._node.leave(error)


def recorded_value(parent: CallRecord, name: str, make: Any) -> Any:
    """`make()` the first time, the recorded value on replay."""
    parent.check()
    run = parent.run
    plan = run.planner.bare(("value", name), name, False)
    digest, _ = args_digest((), (), {})
    body = parent.body or open_body(parent)
    row = None
    with body.lock:
        seq = body.next_seq
        body.next_seq = seq + 1
        if body.matcher is not None:
            row, changed = match(parent, body, (seq, Kind.VALUE, name, digest))
            if row is not None and reusable(row):
                return serve(parent, body, row, seq, plan, drift_of(row, 0) if changed else 0).value
    call = ActiveCall(parent, run, None, Kind.VALUE, plan, (body.pass_no, seq, digest, 0))
    call.enter(row, (), {})
    call.invoke = make
    return drive(call)
