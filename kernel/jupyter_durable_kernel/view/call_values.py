"""What is shown of the values of a call: made in the kernel, once, and only for calls that are shown.

Rules of this file
- Only what stands in the row is read: a large value is not loaded to be shown in a few words.
- A value that cannot be read (foreign, damaged, of a class that is gone) is shown as nothing.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jupyter_durable.client import versions
from jupyter_durable.client.calls import Call
from jupyter_durable.client.stored import Stored
from jupyter_durable.code.credentials import masked
from jupyter_durable.core.calltree import CallNode
from jupyter_durable.core.model import ROOT, CallRow, Kind, RequestRow, Status
from jupyter_durable.core.nodes import GROUPS
from jupyter_durable.errors import DurableError
from jupyter_durable_kernel.view import short_values
from jupyter_durable_kernel.view.error_places import failure_text_of, placed

if TYPE_CHECKING:
    from jupyter_durable.client.process import Process


TRIES: Final = 10
"""Attempts told of one call, its last ones."""
TRY_ERROR: Final = 200
KEPT: Final = 2_000
"""Previews of results that are remembered: more than a view shows."""


class Try(NamedTuple):
    """An attempt that failed and was followed by another. Unix seconds, seconds, and the last line of its error."""

    number: int
    started_at: float
    duration: float
    error: str


class Told(NamedTuple):
    """A call's values in words."""

    arguments: str = ""
    output: str = ""
    error: str = ""
    tries: tuple[Try, ...] = ()
    last_try_at: float | None = None
    """When the last of several attempts began, Unix seconds; None while it runs."""


class Words:
    """Previews of results, by call. Made while a result is there: to load it only to show it may have effects.

    The newest `KEPT` of them; any thread may ask.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, int, int], str] = {}
        self._lock = threading.Lock()

    def keep(self, request: str, row: CallRow, value: Any) -> str:
        """The preview of the result of a call."""
        text = _attempted(lambda: short_values.preview(value) if value is not None else "")
        with self._lock:
            self._known[request, row.identity, row.pass_no, row.attempts] = text
            if len(self._known) > KEPT:
                del self._known[next(iter(self._known))]
        return text

    def of(self, request: str, row: CallRow) -> str | None:
        """The preview that was kept; None where there is none."""
        return self._known.get((request, row.identity, row.pass_no, row.attempts))


class Values:
    """Previews of one request, remembered."""

    def __init__(self, process: Process, row: RequestRow, words: Words | None = None) -> None:
        self._stored = Stored(process, row)
        self._words = words if words is not None else Words()
        self._code = versions.live_code(None)
        self._named: dict[str, tuple[str, ...]] = {}
        self._known: dict[tuple[int, int, int, str], Told] = {}

    def in_hand(self, row: CallRow, value: Any) -> None:
        """A result is there, in the run that gave it."""
        self._words.keep(self._stored.id, row, value)

    def of(self, node: CallNode) -> Told:
        """Arguments, output and error of a call that has ended; arguments of one that runs where they are known."""
        row = node.row
        key = (row.identity, row.pass_no, row.attempts, node.status)
        told = self._known.get(key)
        if told is None:
            told = self._read(node)
            if node.status != Status.RUNNING or len(told.tries) >= min(node.attempts - 1, TRIES):
                self._known[key] = told  # the record of an attempt is written a moment after the next one began
        return told

    def _read(self, node: CallNode) -> Told:
        if node.kind in GROUPS:
            return Told()
        tries, last = self._tries(node)
        if node.status == Status.RUNNING:
            return Told(tries=tries)
        call = Call(self._stored, node, None)
        return Told(
            _attempted(lambda: short_values.arguments(*call.inputs(), names=self._params(node.name))),
            _attempted(lambda: self._output(node)) if node.status == Status.SUCCEEDED else "",
            masked(placed(_attempted(lambda: call.error_text or ""))),
            tries,
            last,
        )

    def _tries(self, node: CallNode) -> tuple[tuple[Try, ...], float | None]:
        """The failed attempts of the run that executed the call, and when its last one began."""
        if node.attempts < 2:
            return (), None
        stored = self._stored
        rows = stored.process.store.attempts(stored.row.serial, node.identity)
        known = [row for row in rows if row.pass_no == node.row.pass_no]
        failed = [row for row in known if row.attempt < node.attempts][-TRIES:]
        last = next((row.started_at for row in known if row.attempt == node.attempts), None)
        return tuple(Try(row.attempt, row.started_at, row.duration, _last_line(row.error)) for row in failed), last

    def _params(self, name: str) -> tuple[str, ...]:
        """Names of the parameters of a function, where it is defined here: what is passed by position is known."""
        if name not in self._named:
            try:
                self._named[name] = self._code.spec(name).params
            except DurableError:
                self._named[name] = ()
        return self._named[name]

    def _output(self, node: CallNode) -> str:
        stored = self._stored
        row = stored.process.store.call(stored.row.serial, node.parent, node.identity)
        if row is None or not row.codec or (node.identity == ROOT and row.kind != Kind.FUNCTION):
            return ""
        if row.blob is not None:
            return "<a large value>"
        known = self._words.of(stored.id, row)
        return self._words.keep(stored.id, row, stored.sealer().open(row)) if known is None else known


def _attempted(make: Any) -> str:
    try:
        return str(make())
    # Loading runs code of the user's classes, which may raise anything; a preview is not worth a failed view.
    except Exception:  # noqa: BLE001
        return ""


def _last_line(failure: bytes) -> str:
    """The last line of a traceback, which names the error."""
    lines = _attempted(lambda: failure_text_of(failure)).rstrip().split("\n")
    return short_values.shortened(masked(lines[-1]), TRY_ERROR)
