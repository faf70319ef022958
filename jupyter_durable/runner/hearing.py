"""Hearing what the running call opens.

Rules of this file
- One audit hook for the process, since none can be removed. It notes, and never raises for a file.
- Whose file it is the context says. A thread without one, as those of the user's executors are, works for the only
  innermost call, where there is only one.
- Files that this package opens, and sources that are loaded or shown, are no inputs.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
from pathlib import PurePath
from types import FrameType
from typing import Any, Final

from jupyter_durable.context import current
from jupyter_durable.core.model import Kind
from jupyter_durable.runner.run import CallRecord, Run

_EVENTS: Final = ("open", "sqlite3.connect", "os.rename", "os.remove")
_WRITES: Final = os.O_WRONLY | os.O_RDWR
_PASSED_ON: Final = frozenset({"pathlib", "pathlib._local", "tokenize", "inspect"})
"""Modules that open a file for whoever calls them."""
_OF_CODE: Final = frozenset({"linecache", "importlib._bootstrap_external", "zipimport"})
"""Modules that open sources: what code is read is seen by its hash."""


def listen(run: Run) -> None:
    """Hear what the calls of a run open, until it has ended."""
    runs = _listener().runs
    runs[id(run)] = run

    def forget() -> None:
        runs.pop(id(run), None)

    run.on_end.append(forget)


def _note(call: CallRecord, event: str, args: tuple[Any, ...], frame: FrameType) -> None:
    """A running call opens, moves or removes a file."""
    path = _path_of(args[0]) if args else None
    if path is None or _for_code(frame) or path.startswith(call.run.files.ignored):
        return
    traces = call.traces or call.leave_traces()
    opened = traces.files or traces.opened_files()
    match event, args:
        case "open", (_, mode, int(flags)) if not flags & _WRITES:
            opened.reads(path, by_name=mode is not None)
        case "sqlite3.connect", _:
            opened.connects(path)
        case "os.rename", (_, target, *_):
            opened.written.update((path, _path_of(target) or path))
        case _:
            opened.written.add(path)


def _path_of(given: object) -> str | None:
    """The absolute path of what is opened; None for a descriptor and a database in memory."""
    if isinstance(given, bytes):
        given = os.fsdecode(given)
    elif isinstance(given, PurePath):
        given = str(given)
    if not isinstance(given, str) or given in ("", ":memory:"):
        return None
    return os.path.abspath(given.removeprefix("file:").partition("?")[0] if given.startswith("file:") else given)


def _for_code(frame: FrameType | None) -> bool:
    """Whether we open the file, or what loads and shows sources."""
    while frame is not None:
        name = frame.f_globals.get("__name__")
        if name in _OF_CODE:
            return True
        if name not in _PASSED_ON:
            return isinstance(name, str) and name.partition(".")[0] in ("jupyter_durable", "jupyter_durable_kernel")
        frame = frame.f_back
    return False


class _Listener:
    """The audit hook of the process."""

    def __init__(self) -> None:
        self.runs: dict[int, Run] = {}
        """What runs now."""
        running, main = current.get, threading.main_thread().ident

        def hook(event: str, args: tuple[Any, ...]) -> None:
            if event in _EVENTS:
                scope: Any = running()
                call = scope.call if scope is not None else None
                if call is None and self.runs and threading.get_ident() != main:
                    call = self._only_call()
                if call is not None:
                    try:
                        _note(call, event, args, sys._getframe(1))
                    except (OSError, ValueError, RecursionError):
                        return  # the working directory is gone, a text is no path, or the caller stands too deep

        sys.addaudithook(hook)

    def _only_call(self) -> CallRecord | None:
        """The call for which a thread works that has no context (of an executor of the user's): the only innermost one.

        None where there are several, or none but a cell, which is never served.
        """
        calls = [call for run in list(self.runs.values()) for call in list(run.open)]
        callers = {id(call.parent) for call in calls}
        innermost = [call for call in calls if id(call) not in callers]
        if len(innermost) != 1 or innermost[0].kind in (Kind.CELL, Kind.SCRIPT):
            return None
        return innermost[0]


@functools.cache
def _listener() -> _Listener:
    """Made once in a process, since no hook can be taken away."""
    return _Listener()
