"""The context of a call in the processes that its function starts: what they ask goes to the process of the call.

Rules of this file
- State, progress, metrics and facts of the call are relayed, nothing else: a durable function is plain elsewhere.
- The channel is a local socket in a folder of this user, behind a key that only these processes have. It is opened
  when a process is started while a call runs, and costs nothing before.
- A connection serves one question, so that no process holds up another, and a fork shares none.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import threading
import weakref
from typing import TYPE_CHECKING, Any, Final, cast

from jupyter_durable.context import current
from jupyter_durable.errors import SDKUsageError
from jupyter_durable.protocols import Scope
from jupyter_durable.records import NamedTuple

if TYPE_CHECKING:
    from multiprocessing.connection import Connection, Listener

FACTS: Final = ("request_id", "attempt_number", "is_replay", "cancelled", "headers")
VERBS: Final = ("set_state", "get_state", "report_progress", "measure", "idempotency_key")


class Channel(NamedTuple):
    """Where the process of the calls listens."""

    address: str
    key: bytes


class Relay:
    """Answers, in the process of the calls, what other processes ask of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._scopes: weakref.WeakValueDictionary[int, Scope] = weakref.WeakValueDictionary()
        self._names: weakref.WeakKeyDictionary[Scope, int] = weakref.WeakKeyDictionary()
        """No `id`: the scope of the next call may stand where that of a call that has ended stood."""
        self._numbers = itertools.count(1)
        self._channel: Channel | None = None
        self._process = 0

    def reach(self, scope: Scope) -> Channel:
        """Let other processes ask `scope`, which they name by its number (`name_of`)."""
        with self._lock:
            if self._channel is None or self._process != os.getpid():
                self._open()
            if scope not in self._names:
                self._names[scope] = next(self._numbers)
                self._scopes[self._names[scope]] = scope
        return cast(Channel, self._channel)

    def name_of(self, scope: Scope) -> int:
        """The number of a scope that was reached; 0, which nobody has, where it was not."""
        return self._names.get(scope, 0)

    def channel(self) -> Channel:
        """In a fork: where the process listens that was forked.

        Raises `SDKUsageError` when it was forked outside of a call.
        """
        if self._channel is None:
            raise SDKUsageError(
                "this process was started outside of the durable function whose RequestContext it was given: start it "
                "inside, or in a thread that runs in contextvars.copy_context()"
            )
        return self._channel

    def forked(self) -> None:
        """In a fork: the lock may be held by a thread that is not there."""
        self._lock = threading.Lock()

    def _open(self) -> None:
        import secrets  # both for those alone who start processes
        from multiprocessing.connection import Listener

        key = secrets.token_bytes(32)
        listener = Listener(authkey=key)
        self._channel, self._process = Channel(str(listener.address), key), os.getpid()
        threading.Thread(target=self._listen, args=(listener,), name="durable-relay", daemon=True).start()

    def _listen(self, listener: Listener) -> None:
        from multiprocessing import AuthenticationError

        while True:
            # Whoever has not the key, or is gone before the handshake ends, is not answered.
            with contextlib.suppress(AuthenticationError, EOFError, OSError):
                connection = listener.accept()
                threading.Thread(target=self._answer, args=(connection,), name="durable-relay", daemon=True).start()

    def _answer(self, connection: Connection) -> None:
        with contextlib.suppress(EOFError, OSError), connection:  # it did not wait for the answer
            named, what, args = connection.recv()
            connection.send(self._asked(named, what, args))

    def _asked(self, named: int, what: str, args: tuple[Any, ...]) -> tuple[Any, BaseException | None]:
        scope = self._scopes.get(named)
        if scope is None or scope.ended:  # somebody, a traceback say, may hold on to it
            return None, SDKUsageError(
                "the call whose RequestContext this process was given has ended: wait for your processes inside of it"
            )
        if what not in FACTS and what not in VERBS:
            return None, SDKUsageError(f"{what} is not to be had from another process")
        try:
            return (getattr(scope, what)(*args) if what in VERBS else getattr(scope, what)), None
        except BaseException as error:  # noqa: BLE001 - it is raised in the process that asked
            return None, error


relay: Final = Relay()


class RemoteScope:
    """A call of another process, as far as a `RequestContext` asks it."""

    def __init__(self, channel: Channel, named: int) -> None:
        self.channel = channel
        self.named = named

    def ask(self, what: str, *args: Any) -> Any:
        """The answer of the call. Raises what it raises there, and `SDKUsageError` when its process is gone."""
        from multiprocessing import AuthenticationError
        from multiprocessing.connection import Client

        try:
            with Client(self.channel.address, authkey=self.channel.key) as connection:
                connection.send((self.named, what, args))
                value, error = connection.recv()
        except (AuthenticationError, EOFError, OSError) as lost:
            raise SDKUsageError(f"the process of the durable call cannot be reached any more ({lost})") from None
        if error is not None:
            raise error
        return value

    def __getattr__(self, name: str) -> Any:
        if name in FACTS:
            return self.ask(name)
        if name in VERBS:
            return functools.partial(self.ask, name)
        raise AttributeError(name)


def reached(scope: Scope) -> Scope:
    """In a fork: the call that `scope` is a copy of, in the process where it runs."""
    remote: Any = scope if isinstance(scope, RemoteScope) else RemoteScope(relay.channel(), relay.name_of(scope))
    return cast(Scope, remote)


def before_fork() -> None:
    """A process is about to be forked: the call that runs here can be asked from it."""
    scope = current.get()
    if scope is not None:
        relay.reach(scope)
