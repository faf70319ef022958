"""What user code asks of the call it runs in (`context.Scope`)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from jupyter_durable.code.credentials import masked
from jupyter_durable.core import metrics
from jupyter_durable.core.model import Metric
from jupyter_durable.errors import Cancelled, SDKUsageError
from jupyter_durable.executor.thread import blocked
from jupyter_durable.executor.visit import left
from jupyter_durable.runner.record import CallRecord
from jupyter_durable.runner.stop import RunStopped, StartOver

if TYPE_CHECKING:
    from jupyter_durable.values import Headers


class CallScope(CallRecord):
    """The running call, seen from inside."""

    __slots__ = ()

    @property
    def request_id(self) -> str:
        """Id of the request."""
        return self.run.id

    @property
    def attempt_number(self) -> int:
        """Number of this attempt, from 1."""
        return max(1, self.attempts)

    @property
    def is_replay(self) -> bool:
        """Whether this run is a replay."""
        return self.run.number > 1

    @property
    def cancelled(self) -> bool:
        """Whether this call should stop."""
        return self.fenced or self.run.stopped is not None

    @property
    def headers(self) -> Headers:
        """Headers of the request."""
        return self.run.headers

    def check(self) -> None:
        """Raises when the request was cancelled or the attempt was given up."""
        if self.start_over is not None:
            raise StartOver
        if self.fenced:
            raise Cancelled(f"{self.text()}: this attempt was given up; nothing it does is kept any more")
        if self.run.stopped is not None:
            raise RunStopped(self.run.stopped)
        if self.run.closed:
            raise SDKUsageError(
                f"request {self.run.id} has ended; a durable call made in {self.name} came too late. "
                "Wait for your threads inside the function that starts them."
            )

    @contextlib.contextmanager
    def blocked(self) -> Iterator[None]:
        """While the calling thread waits for durable calls: its slot is free, the clock stands still."""
        clock = self.deadline
        if clock is not None:
            clock.pause()
        try:
            with blocked():
                yield
        finally:
            if clock is not None:
                clock.resume()

    def idempotency_key(self) -> str:
        """Stable for this call: its identity is made durable before the key is handed out."""
        if not self.durable_mark:
            with left(self.visit):
                self._mark_durably()
        return f"{self.run.id}-{self.identity}"

    def set_state(self, key: str, value: Any) -> None:
        """Write a state value; it belongs to this call."""
        self.check()
        run = self.run
        with left(self.visit), run.lock:  # calls below add theirs from other threads
            stamp = run.state.write(key, value)
            if self.writes is None:
                self.writes = {}
            self.writes[key] = (stamp, value)

    def get_state(self, key: str, default: Any) -> Any:
        """The newest value of a key in this run."""
        with left(self.visit):
            return self.run.state.read(key, default)

    def report_progress(
        self, current: float, total: float, message: str | None, attributes: Mapping[str, str] | None
    ) -> None:
        """Report progress; the timeout begins anew."""
        self.check()
        with left(self.visit):
            if (clock := self.deadline) is not None:
                clock.progressed()
            self.run.progressed(self, current, total, message, attributes)

    def measure(self, kind: str, name: str, value: float) -> None:
        """Record a metric."""
        name = masked(name)
        with left(self.visit):
            self.run.later(Metric(self.identity, kind, name, value))
            with self.run.lock:  # the call may have several threads
                if self.measured is None:
                    self.measured = {}
                metrics.add(self.measured, kind, name, value)

    def log(self, stream: str, text: str) -> None:
        """Keep what this call printed."""
        with left(self.visit):
            self.run.log(self, stream, text)
