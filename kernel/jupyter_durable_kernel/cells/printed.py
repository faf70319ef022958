"""What durable calls print: shown as ever, under the view of their request, and kept with the call that printed it.

Rules of this file
- The stream objects stay in place (libraries hold on to them); only their `write` is extended.
- What a call prints beyond a limit is shown and not kept: a journal is no place for a million lines.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any, Final

from jupyter_durable.context import current

KEPT_CHARACTERS: Final = 64 * 1024
"""Of what one call prints in one cell."""


class Tee:
    """Passes on what is written to stdout and stderr, and tells the running call.

    `before` is called before anything is shown.
    """

    def __init__(self, before: Callable[[], None]) -> None:
        self.before = before
        self._undo: dict[str, Callable[[], None]] = {}
        self._room: dict[tuple[str, int], int] = {}
        self.here = threading.local()

    def install(self) -> None:
        """Extend what `sys.stdout` and `sys.stderr` are now; again at each cell, since IPython puts back its own."""
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if not isinstance(getattr(stream, "write", None), _Write):
                self._extend(stream, name)

    def remove(self) -> None:
        """End."""
        for undo in self._undo.values():
            undo()
        self._undo.clear()

    def forget(self) -> None:
        """A cell has ended: its calls are over."""
        self._room.clear()

    def _extend(self, stream: Any, name: str) -> None:
        write = _Write(self, name, stream.write)
        try:
            stream.write = write
        except AttributeError:
            return  # a stream that takes no attributes: its output is shown, not kept
        self._undo[name] = lambda: _restored(stream, write)

    def show(self, name: str, text: str) -> None:
        """Write a text that is no output of the running call."""
        self.before()
        self.here.writing = True
        try:
            getattr(sys, name, sys.stdout).write(text)
        finally:
            self.here.writing = False

    def keep(self, name: str, text: str) -> None:
        """Tell the running call, where there is one."""
        call: Any = current.get()
        if call is not None and text:
            self._keep(call, name, text)

    def _keep(self, call: Any, name: str, text: str) -> None:
        key = (call.request_id, call.identity)
        room = self._room.get(key, KEPT_CHARACTERS)
        if room <= 0:
            return
        self._room[key] = room - len(text)
        call.log(name, text if len(text) <= room else text[:room] + "\n… (what follows was shown, not kept)\n")


class _Write:
    """Stands for the `write` of a stream."""

    def __init__(self, tee: Tee, name: str, before: Callable[[str], Any]) -> None:
        self._tee = tee
        self._name = name
        self._before = before

    def __call__(self, text: str) -> Any:
        here = self._tee.here
        if getattr(here, "writing", False):
            return self._before(text)  # IPython has put its own `write` between two of ours
        here.writing = True
        try:
            self._tee.keep(self._name, text)
            self._tee.before()
            return self._before(text)
        finally:
            here.writing = False


def _restored(stream: Any, write: _Write) -> None:
    """Take our `write` away, unless somebody has put theirs over it."""
    if vars(stream).get("write") is write:
        del stream.write
