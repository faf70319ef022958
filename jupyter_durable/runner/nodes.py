"""What map, reduce and recorded values have in common: a node of the tree that has no function of its own."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from jupyter_durable.context import Deferred, current, drive
from jupyter_durable.core.model import Kind
from jupyter_durable.core.replay import drift_of, reusable
from jupyter_durable.errors import SDKUsageError
from jupyter_durable.future import settled
from jupyter_durable.runner.matching import match
from jupyter_durable.serializer.digest import args_digest

if TYPE_CHECKING:
    from jupyter_durable.function import Spec
    from jupyter_durable.runner.call import ActiveCall


def combined(digests: Iterable[bytes]) -> bytes:
    """One digest over several, in order."""
    return blake2b(b"".join(digests), digest_size=16).digest()


def items_of(items: Any, parent: ActiveCall) -> list[Any]:
    """The items of a map or reduce; `parent` waits for them where they are a result to come.

    Raises `SDKUsageError` for what cannot be iterated.
    """
    if isinstance(items, Deferred):
        (items,) = settled([items], parent)
    try:
        return list(items)
    except TypeError:
        raise SDKUsageError(f"map and reduce take an iterable, not {type(items).__name__}") from None


def begin_node(parent: ActiveCall, spec: Spec, kind: str, digest: bytes, seq: int | None) -> ActiveCall:
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
            row, changed = match(parent, body, (seq, Kind.VALUE, name, digest))
            if row is not None and reusable(row):
                return parent.serve(body, row, seq, plan, drift_of(row, 0) if changed else 0).value
    call = ActiveCall(parent, run, None, Kind.VALUE, plan, (body.pass_no, seq, digest, 0))
    call.enter(row, (), {})
    call.invoke = make
    return drive(call)
