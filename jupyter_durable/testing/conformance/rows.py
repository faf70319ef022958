"""Rows for the store's tests."""

from __future__ import annotations

from jupyter_durable.core.model import CallRow, CodeVersion, Lease, NewRequest, NewRun, Owner
from jupyter_durable.store.base import Filter, Finish, Journal, Store

ME = Owner("here", "boot", "namespace", 100, "then")
OTHER = Owner("there", "boot", "namespace", 200, "then")
CODE = CodeVersion(b"k" * 32, b"source", b"m" * 32)
BODY = 1 << 16


def new_request(id: str = "r1", **changes: object) -> NewRequest:
    new = NewRequest(id, "app", "function_call", 10.0, b"input", b"i" * 16, CODE, None, None, None, None, None)
    return new._replace(**changes)  # type: ignore[arg-type]


def mark(identity: int, parent: int = 1, **changes: object) -> CallRow:
    """A started call."""
    row = CallRow(
        parent, identity, BODY, identity, "function_call", "f", "running", 0, b"d" * 16, b"c" * 16,
        1, 11.0, None, "", None, None, None, None, None, None, None,
    )  # fmt: skip
    return row._replace(**changes)  # type: ignore[arg-type]


def outcome(identity: int, parent: int = 1, **changes: object) -> CallRow:
    """A call that succeeded."""
    row = mark(identity, parent)._replace(
        status="succeeded", duration=0.5, codec="plain", value=b"value %d" % identity, mac=b"s" * 36, children=0
    )
    return row._replace(**changes)  # type: ignore[arg-type]


def new_run(at: float = 20.0, **changes: object) -> NewRun:
    return NewRun("adaptive", at, None, ())._replace(**changes)  # type: ignore[arg-type]


def ended(root: CallRow | None = None, status: str = "succeeded", at: float = 30.0) -> Finish:
    return Finish(root, status, status, None if status == "succeeded" else "it failed", at, 3, 2, 1.5)


def taken(store: Store, serial: int, owner: Owner = OTHER) -> Lease:
    """The request as it is now, taken over from whoever owns it; a lease until 200."""
    epoch = next(row.epoch for row in store.requests(Filter()) if row.serial == serial)
    return store.begin(serial, owner, new_run(21.0), 200.0, epoch=epoch)


def started(store: Store, id: str = "r1", **changes: object) -> Journal:
    """A request that is accepted and begun by `ME`, with a lease until 100."""
    row, _ = store.accept(new_request(id, **changes))
    return store.journal(store.begin(row.serial, ME, new_run(), 100.0))
