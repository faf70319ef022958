"""One execution of a cell, or of a script's top level: what it is of, and its request once it has one."""

from __future__ import annotations

import inspect
import sys
import threading
from pathlib import Path

from jupyter_durable.core.model import Kind, RequestRow
from jupyter_durable.hashes import blake2b
from jupyter_durable.loops import running_task
from jupyter_durable.records import NamedTuple
from jupyter_durable.runner.call import ActiveCall
from jupyter_durable.runner.run import Run


class Cell(NamedTuple):
    """One execution of a cell, or of a script's top level."""

    notebook: str | None
    """Path of the notebook or script."""
    key: str | None
    """What finds its request again, `cell:…` where it is the id of a cell; None: nothing is ever resumed."""
    title: str
    source: str
    kind: str = Kind.CELL
    durable_body: bool = False
    """`%%durable`: the body is the root call, applications called in it are children."""
    once: bool = False
    """After a success too the last request goes on, with what changed set aside."""
    fresh: bool = False
    """Always a new request."""
    resumes: str | None = None
    """Id of the request that this execution goes on with, whatever it came to: the user named it."""


class Session:
    """One execution of a cell: its request, once it has one."""

    __slots__ = ("_before", "cell", "gone_on", "over", "root", "row", "run", "sessions", "task", "threads")

    def __init__(self, sessions: object, cell: Cell) -> None:
        self.sessions = sessions
        """Whose it is; nothing is asked of them."""
        self.cell = cell
        self.task = running_task()
        """The task that executes the cell, where a loop does."""
        self.run: Run | None = None
        self.root: ActiveCall | None = None
        self.row: RequestRow | None = None
        self.gone_on: set[str] = set()
        """Requests that applications called here have made or gone on with: each is one call's."""
        self.over = False
        self._before = _threads()
        self.threads: set[int] = set()
        """Threads whose calls are its own: those it started, once it is over, and those that called."""

    def end(self) -> None:
        """The cell has executed."""
        self.over = True
        self.threads |= _threads() - self._before

    def open(self) -> bool:
        """Whether its request takes calls."""
        return self.run is not None and not self.run.ended


def _threads() -> frozenset[int]:
    return frozenset(thread.ident for thread in threading.enumerate() if thread.ident is not None)


def script_cell() -> Cell:
    """The top level of a script; a REPL has no name, so nothing of it is resumed."""
    path = getattr(sys.modules["__main__"], "__file__", None)
    if path is None:
        return Cell(None, None, "interactive", "", Kind.SCRIPT)
    try:
        source = inspect.getsource(sys.modules["__main__"])
    except (OSError, TypeError):
        source = ""
    arguments = blake2b("\0".join(sys.argv[1:]).encode(errors="surrogateescape"), digest_size=8).hexdigest()
    title = Path(path).name.encode(errors="backslashreplace").decode()  # it is signed, and a name need not be UTF-8
    return Cell(str(Path(path).absolute()), f"script:{arguments}", title, source, Kind.SCRIPT)
