"""Tracebacks as users read them: their frames, the original exception once, and how to go on.

Rules of this file
- An exception that crossed durable calls is shown as one traceback, from the cell down to where it was raised.
- Frames of the engine, and of what it waits with, are left out; nothing of the user's is, but for the middle of a
  runaway recursion: IPython looks through all modules for each frame, which took two minutes for a thousand.
- A cancel is no mistake in any line: it has no traceback.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final

import jupyter_durable
from jupyter_durable.core.model import RequestRow, Status
from jupyter_durable.errors import Cancelled, DurableError, FunctionError, StoreError
from jupyter_durable.runner.stop import RunStopped

if TYPE_CHECKING:
    from jupyter_durable.client.engine import Engine
    from jupyter_durable.runner.run import Run

_ENGINE: Final = (str(Path(jupyter_durable.__file__).parent), str(Path(__file__).parents[1]))
_WAITING: Final = tuple(
    str(Path(file).parent) if Path(file).name == "__init__.py" else file
    for file in (asyncio.__file__, concurrent.futures.__file__, threading.__file__)
)
MAX_FRAMES: Final = 60
"""As many as are recorded of a failure: half from the cell down, half up from where it was raised."""
Exc = tuple[type[BaseException], BaseException, TracebackType | None]


def tidied(error: BaseException, trace: TracebackType | None, stopped: BaseException | None = None) -> Exc:
    """The exception to show, with a traceback of the user's frames; `stopped`: why the cell's run ended under it."""
    entries = list(_entries(trace))
    if isinstance(error, KeyboardInterrupt) and isinstance(stopped, StoreError):
        error = RunStopped(stopped)  # the interrupt was ours: the main thread had to leave its call
    if isinstance(error, RunStopped):
        reason = error.args[0] if error.args else stopped
        error = reason if isinstance(reason, BaseException) else error
    while isinstance(error, FunctionError) and error.__cause__ is not None:
        error = error.__cause__
        entries += _entries(error.__traceback__)
    kept: list[TracebackType] = []
    seen: set[tuple[int, int]] = set()
    waiting = False
    for entry in entries:
        filename = entry.tb_frame.f_code.co_filename
        ours = filename.startswith(_ENGINE)
        waiting = ours or (waiting and filename.startswith(_WAITING))
        place = (id(entry.tb_frame), entry.tb_lasti)
        if not waiting and place not in seen:
            seen.add(place)
            kept.append(entry)
    if len(kept) > MAX_FRAMES:
        kept = kept[: MAX_FRAMES // 2] + kept[-MAX_FRAMES // 2 :]
    return type(error), error, _joined(kept)


def cancelled(error: BaseException, begun: Sequence[tuple[RequestRow, Run]]) -> RequestRow | None:
    """The request whose cancel the exception is, of those that the cell began; None for any other exception."""
    if not isinstance(error, Cancelled | RunStopped | KeyboardInterrupt | asyncio.CancelledError):
        return None
    return next((row for row, run in reversed(begun) if isinstance(run.stopped, Cancelled)), None)


def failing(engine: Engine, begun: Sequence[tuple[RequestRow, Run]]) -> str | None:
    """The request that fails with the exception that is shown now: that of the cell, or the last that it began."""
    row = engine.sessions.row
    if row is not None:
        return row.id
    with contextlib.suppress(DurableError):  # a store that fails must not hide the traceback
        for each, _ in reversed(begun):
            if engine.store.request(each.id).status != Status.SUCCEEDED:
                return each.id
    return None


def _entries(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _joined(entries: list[TracebackType]) -> TracebackType | None:
    joined: TracebackType | None = None
    for entry in reversed(entries):
        joined = TracebackType(joined, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return joined


@contextmanager
def noted(error: BaseException, line: str | None) -> Iterator[None]:
    """A line under the traceback while it is shown; what is recorded of the exception does not have it.

    Nor is shown what the store caught before it raised an error of its own, which says the same in words.
    """
    before = list(getattr(error, "__notes__", ()))
    cause, context = error.__cause__, error.__context__
    if isinstance(error, StoreError):
        error.__cause__ = error.__context__ = None
    if line is not None:
        error.add_note(line)
    try:
        yield
    finally:
        if isinstance(error, StoreError):
            error.__cause__, error.__context__ = cause, context
        if line is not None:
            error.__notes__ = before
