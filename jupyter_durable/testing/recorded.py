"""Requests kept as files, and replayed strictly: each call has to be the recorded one, and none is executed.

    from jupyter_durable.testing.recorded import replayed

    def test_a_recorded_request_has_the_same_output():
        replay = replayed("tests/recorded/req_0123456789abcdef.request", "briefs.application")
        assert replay.executed == {}
        assert replay.output == replay.recorded_output

Rules of this file
- A file stands in a repository beside the code that it tests, and is trusted as that is: its values are loaded though
  no key of this user has signed them. Never replay one that came from elsewhere.
- The body of the request runs. Every durable function that it calls raises when it is executed, but for those that are
  `durable=False`, whose outcome is never kept.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from jupyter_durable import context, packaged
from jupyter_durable.client import Engine
from jupyter_durable.client.request import Request
from jupyter_durable.client.settings import Settings
from jupyter_durable.core.counting import RAN
from jupyter_durable.core.history import History
from jupyter_durable.core.model import Flag, RequestRow
from jupyter_durable.core.nodes import GROUPS
from jupyter_durable.errors import DeserializationError
from jupyter_durable.function import registry
from jupyter_durable.records import NamedTuple
from jupyter_durable.runner.run import Run
from jupyter_durable.serializer.base import Context
from jupyter_durable.store.base import Buffer, Store
from jupyter_durable.store.blob_format import hashed, pieces_of
from jupyter_durable.store.memory import MemoryStore

HEAD: Final = b"jupyter-durable request 1\n"


class Kept(NamedTuple):
    """What is in a file."""

    history: History
    values: dict[str, list[bytes]]
    """Large values by their name in hex: the head, then the buffers."""


class Replay(NamedTuple):
    """What a strict replay came to."""

    output: Any
    recorded_output: Any
    executed: Mapping[str, int]
    """How many calls of each function executed. The body of the request does, and what is `durable=False`: they are
    left out."""
    reused: int


class Executed(AssertionError):
    """A function was executed of which the recorded result was to be served."""


def encoded(kept: Kept) -> bytes:
    """As it is written to a file."""
    return HEAD + msgspec.msgpack.encode(kept)


def read(path: str | Path) -> Kept:
    """What is in a file. Raises `DeserializationError` for one that is none of these."""
    data = Path(path).read_bytes()
    if not data.startswith(HEAD):
        raise DeserializationError(f"{path} is no recorded request, or one of another version")
    try:
        return msgspec.msgpack.decode(data.removeprefix(HEAD), type=Kept)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DeserializationError(f"{path} is damaged: {error}") from error


def replayed(path: str | Path, module: str) -> Replay:
    """Replay a recorded request strictly, with the code of a module.

    Raises `ReplayError` when the code leaves the recorded path, `Executed` when a function is executed,
    `DeserializationError` for a file that cannot be read, `SDKUsageError` when the module cannot be imported.
    """
    kept = read(path)
    before, token = context.engine.get(), context.current.set(None)
    with registry.as_it_was(), packaged.entered(module):
        engine = _Engine(_store(kept), kept.history.request.application)
        context.engine.set(engine)
        try:
            return _replayed(engine, kept.history.request.id)
        finally:
            context.engine.set(before)
            context.current.reset(token)


def _replayed(engine: _Engine, id: str) -> Replay:
    request = Request(engine, engine.store.request(id))
    recorded = request.output()
    request.replay("strict", upgrade_to_latest_version=True)
    if engine.guard.executed:
        raise engine.guard.executed[0]
    calls = [call for call in request.calls() if call.kind not in GROUPS]
    executed = Counter(call.name for call in calls if call.source == RAN and not call._node.row.flags & Flag.VOLATILE)
    reused = sum(call.source != RAN for call in calls)
    return Replay(request.output(), recorded, dict(executed), reused)


def _store(kept: Kept) -> MemoryStore:
    for by_file in (True, False):
        store = _Keeping(by_file=by_file)
        if all(store.put_blob(head, buffers).hex() == name for name, (head, *buffers) in kept.values.items()):
            store.take_in(kept.history)
            return store
    raise DeserializationError(f"a large value of request {kept.history.request.id} is damaged: record it anew")


class _Trusting:
    """The signer of a repository: what is in its files is its own."""

    def voucher(self, domain: str, request: str = "") -> _Trusting:  # noqa: ARG002 - as every signer
        return self

    def sign(self, record: bytes) -> bytes:  # noqa: ARG002
        return b"\0"

    def flaw(self, record: bytes, mac: bytes | None) -> str | None:  # noqa: ARG002
        return None

    def verify(self, context: Context, codec: str, data: bytes, mac: bytes) -> None:
        """All of it is trusted."""


class _Guard:
    """Stands around each function that is executed: all but the body raise."""

    def __init__(self, body: str) -> None:
        self._body = body
        self.executed: list[Executed] = []

    def __call__(self, run: Run, row: RequestRow) -> None:
        """Nobody listens."""

    def caller(self) -> str | None:
        return None

    def around(self, fn: Callable[..., Any], is_async: bool) -> Callable[..., Any]:  # noqa: ARG002 - as tracing has it
        name = fn.__qualname__
        spec = registry.get(name)
        if name == self._body or (spec is not None and not spec.options.durable):
            return fn

        @functools.wraps(fn)
        def raises(*args: Any, **kwargs: Any) -> Any:  # noqa: ARG001
            self.executed.append(Executed(f"{name} was executed, though its result is recorded"))
            raise self.executed[-1]

        return raises


class _Engine(Engine):
    """An engine that only serves."""

    __slots__ = ("guard",)

    def __init__(self, store: MemoryStore, body: str) -> None:
        self.guard = _Guard(body)
        super().__init__(Settings(store="memory:"), warn=lambda _: None, store=store, signer=_Trusting())

    @property
    def tracing(self) -> Any:
        """What stands around functions."""
        return self.guard


class _Keeping(MemoryStore):
    """A store in memory that keeps large values under the names which the store they come from gave them."""

    def __init__(self, *, by_file: bool) -> None:
        super().__init__()
        self.values: dict[str, list[bytes]] = {}
        self._by_file = by_file

    def put_blob(self, head: bytes, buffers: Sequence[Buffer]) -> bytes:
        """A store in memory has names of its own; all others have that of the file."""
        kept = [bytes(head), *(bytes(each) for each in buffers)]
        key = hashed(pieces_of(head, buffers)) if self._by_file else super().put_blob(head, buffers)
        self.values[key.hex()] = kept
        return key

    def get_blob(self, key: bytes) -> tuple[bytes, list[memoryview]]:
        """What was put there."""
        if key.hex() not in self.values:
            return super().get_blob(key)  # raises
        head, *buffers = self.values[key.hex()]
        return head, [memoryview(bytearray(each)) for each in buffers]


class Catching(_Keeping):
    """A store that a request is carried to, to become a file. `origin`: the store that it comes from."""

    def __init__(self, origin: Store) -> None:
        super().__init__(by_file=not isinstance(origin, MemoryStore))
        self.history: History | None = None

    def take_in(self, history: History, *, over: int | None = None) -> RequestRow:
        """As it is kept, and in the file."""
        self.history = history
        return super().take_in(history, over=over)
