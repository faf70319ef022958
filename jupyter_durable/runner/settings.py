"""What a run needs from the outside, in frozen records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

from jupyter_durable.clock import Clock, SystemClock
from jupyter_durable.core.model import CallRow, Logged, Progressed
from jupyter_durable.core.retry import RetryPolicy
from jupyter_durable.records import NamedTuple
from jupyter_durable.runner.workers import Workers
from jupyter_durable.serializer.base import Signer
from jupyter_durable.serializer.digesting import BUDGET_SECONDS
from jupyter_durable.serializer.pickle import ValueSerializer
from jupyter_durable.spec import Spec
from jupyter_durable.store.base import Store

if TYPE_CHECKING:
    from jupyter_durable.values import Headers

LEASE_SECONDS: Final = 15.0
RENEW_SECONDS: Final = 5.0
INPUT_BYTES: Final = 64 * 1024
SLOTS: Final = 16


class Listener(Protocol):
    """Sees what happens in a run, in the thread where it happens: it must be quick and must not raise."""

    hears_starts: bool
    """False: `started` is not called; what executes now is seen in `Run.open`."""

    def started(self, row: CallRow) -> None:
        """A call began to execute."""

    def settled(self, row: CallRow) -> None:
        """A call ended and is durable, or was cut off, which becomes durable with the next commit."""

    def reused(self, row: CallRow, seq: int, pass_no: int, flags: int) -> None:
        """A call was served from its checkpoint at a place."""

    def progressed(self, progress: Progressed) -> None:
        """A call reported how far it is."""

    def logged(self, log: Logged) -> None:
        """A call printed."""


class RunSettings(NamedTuple):
    """How runs behave in this process."""

    clock: Clock = SystemClock()
    default_timeout: float | None = None
    executor: str | None = None
    max_concurrency: int = SLOTS
    input_bytes: int = INPUT_BYTES
    digest_budget: float = BUDGET_SECONDS
    lease_seconds: float = LEASE_SECONDS
    warn: Callable[[str], None] = print
    """Tells the user something once."""
    around: Callable[[Callable[..., Any], bool], Callable[..., Any]] | None = None
    """Makes of each function (and whether it is async) what is called in its place, once for a run."""


class Code(Protocol):
    """The code a run executes; answers are remembered."""

    def code_of(self, spec: Spec) -> bytes:
        """16 bytes over the code of a function."""

    def holds(self, spec: Spec) -> Callable[[], bool] | None:
        """What tells whether that is still its code; None where it reads no data that could change."""

    def code_named(self, name: str) -> bytes | None:
        """The same for the function of a name; None when there is none."""

    def as_argument(self, value: Any) -> bytes | None:
        """The same for a function or class that is passed to a call, as it is now; None where its name says it all."""

    def read_by(self, value: Any) -> Mapping[str, object]:
        """What that reads and its hash leaves out, since it is no plain data."""


class RunOptions(NamedTuple):
    """How this run goes about its request."""

    strict: bool = False
    good_runs: frozenset[int] = frozenset()
    """Runs that make up the reference path."""
    place_rule: frozenset[str] | None = None
    """In the body of a cell: the functions that may match by place."""
    reuse_changed: bool = True
    """False with `rerun="changed"`: a call with other arguments than the recorded ones executes, under its identity."""
    match_by_place: bool = True
    """False in a fork with another input: rule (2) is off everywhere."""
    retries: RetryPolicy | None = None
    """The application's, for functions that have none."""
    headers: Headers | None = None
    """None where the request came with none."""


class Environment(NamedTuple):
    """What runs of a process have in common."""

    store: Store
    serializer: ValueSerializer
    signer: Signer
    settings: RunSettings
    workers: Workers
