"""One pass through the code of a call: the places of its children, and what was recorded of them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from jupyter_durable.core.model import ArgumentsDecide, CallRow, Reached
from jupyter_durable.core.replay import Matched
from jupyter_durable.errors import InternalError
from jupyter_durable.runner.sealing import Sealer
from jupyter_durable.store.base import Store

if TYPE_CHECKING:
    import concurrent.futures


class Matcher(Protocol):
    """Adaptive or strict."""

    def match(self, seq: int, kind: str, name: str, digest: bytes) -> Matched: ...

    def match_items(self, first_seq: int, name: str, digests: Sequence[bytes]) -> list[Matched]: ...

    def reuse(self, seq: int, row: CallRow, flags: int) -> None: ...

    def take_reached(self) -> list[Reached]: ...

    def ended(self, row: CallRow) -> None: ...

    def stands_at(self, seq: int, kind: str, name: str) -> int | None: ...

    def is_claimed(self, identity: int) -> bool: ...


class Journalled:
    """The recorded children of one parent, read from the store (`core.replay.Recorded`)."""

    __slots__ = ("_parent", "_sealer", "_serial", "_store")

    def __init__(self, store: Store, serial: int, parent: int, sealer: Sealer) -> None:
        self._store = store
        self._serial = serial
        self._parent = parent
        self._sealer = sealer

    def page(self, after: int, limit: int) -> Sequence[CallRow]:
        """Rows in order of identity."""
        return self._store.children(self._serial, self._parent, after, limit)

    def reached(self) -> Sequence[Reached]:
        """Stretches of reused calls. Raises `DeserializationError`."""
        return self._sealer.sound(self._store.reached(self._serial, self._parent))

    def decided(self) -> Sequence[ArgumentsDecide]:
        """Functions for which arguments decide. Raises `DeserializationError`."""
        return self._sealer.sound(self._store.decided(self._serial, self._parent))

    def row(self, identity: int) -> CallRow:
        """One row with its value."""
        row = self._store.call(self._serial, self._parent, identity)
        if row is None:
            raise InternalError(f"call {identity} has left the journal while it was read; please report this")
        return row


class Body:
    """Places and children of one pass. Guarded by `lock`: children may begin in any thread."""

    __slots__ = ("coroutines", "lock", "matcher", "next_seq", "pass_no", "spawned", "strict")

    def __init__(self, pass_no: int, matcher: Matcher | None, strict: Any = None) -> None:
        self.pass_no = pass_no
        self.matcher = matcher
        """None: nothing is recorded, every call is new."""
        self.strict = strict
        """The matcher once more when it is a strict one: it has a say when the body ends."""
        self.next_seq = 0
        self.lock = threading.Lock()
        self.spawned: list[concurrent.futures.Future[Any]] = []
        """Children that run beside the body."""
        self.coroutines: set[Any] = set()
        """Calls of async functions that have not ended: awaited here, in tasks of the user's, or never."""

    def take_reached(self) -> list[Reached]:
        """Stretches of reused calls that are to be written."""
        if self.matcher is None:
            return []
        with self.lock:
            return self.matcher.take_reached()
