"""Durable calls at the top: which request owns them.

Rules of this file
- All durable calls of one execution of a cell, or of a script's top level, form one request, made with the first of
  them. An application called there is a request of its own, unless the cell's body is durable itself.
- A cell, or a script, whose last request is anything but a success resumes it with the code of now.
- The kernel says when a cell begins and ends; outside of a kernel there is one session, ended with the process.
- A task belongs to the cell that made it, known by its context, also when another cell executes. What is still running
  when its cell ends keeps that request open (`lingering`); what it calls later joins it, or opens another one.
- A process that multiprocessing or joblib started, or a fork of one that has a request: functions are plain.
"""

from __future__ import annotations

import atexit
import contextvars
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from jupyter_durable.client import beginning, conducting, lingering, ownership
from jupyter_durable.client.beginning import Begun
from jupyter_durable.client.process import Process
from jupyter_durable.client.session import Cell, Session, script_cell
from jupyter_durable.client.uncaught import Uncaught
from jupyter_durable.code.texts import make_newest
from jupyter_durable.core.model import RequestRow
from jupyter_durable.errors import SDKUsageError, StoreError
from jupyter_durable.function import Spec
from jupyter_durable.loops import running_task
from jupyter_durable.runner.call import ActiveCall
from jupyter_durable.runner.ending import end_stopped
from jupyter_durable.runner.run import CallRecord, Run
from jupyter_durable.runner.start import enter_root
from jupyter_durable.runner.stop import RunStopped

_here: contextvars.ContextVar[Session | None] = contextvars.ContextVar("jupyter_durable_session", default=None)
"""The session of this context: tasks take it along."""


class Sessions:
    """The cell that executes now and the request of its durable calls."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._lock = threading.RLock()
        self._now: Session | None = None
        """The cell that executes."""
        self._left: list[Session] = []
        """Sessions that are over and whose requests were left open."""
        self._kernel = False
        self._thread_id = threading.main_thread().ident
        self.on_begin: list[Callable[[RequestRow, Run, bool], None]] = []
        """Called with the request of a cell when it begins; the last argument says whether it was resumed."""

        self.amend: Callable[[Cell], Cell] = lambda cell: cell
        """What becomes of a cell before it begins: `jupyter durable run` says here how it executes a notebook."""
        self._forked = False

    def forked(self, busy: bool) -> None:
        """This process is a fork now. `busy`: the other one runs a request; it is the other one's alone."""
        self._forked = self._forked or busy or self._now is not None
        self._lock = threading.RLock()
        self._now, self._left = None, []
        _here.set(None)
        self._thread_id = threading.get_ident()

    @property
    def foreign(self) -> bool:
        """Whether durable functions are plain here: this process works for another one, which has the requests."""
        known = sys.modules.get("multiprocessing.process")
        return self._forked or (known is not None and known.parent_process() is not None)

    def begin(self, cell: Cell) -> None:
        """A cell begins to execute."""
        cell = self.amend(cell)
        make_newest(cell.source)
        with self._lock:
            self._kernel = True
            self._now = Session(self, cell)
            self._thread_id = threading.get_ident()
        _here.set(self._now)

    def end(self, error: BaseException | None) -> RequestRow | None:
        """The cell has ended; its request, if it had one.

        After a success what is still running keeps the request open, and the cell does not wait for it. Durable calls
        that come later from anything but a task of the cell raise. Raises `StoreError` when the end of a cell that
        succeeded could not be written.
        """
        with self._lock:
            session, self._now = self._now, None
        if session is None:
            return None
        session.end()
        run, root = session.run, session.root
        if run is None or root is None:
            return None
        if error is None and self._kernel and lingering.busy(run):
            self._linger(session, run, root)
        elif (unwritten := self._settle(run, root, error)) is not None and error is None:
            raise unwritten
        return session.row

    def _linger(self, session: Session, run: Run, root: ActiveCall) -> None:
        self._left = [*filter(Session.open, self._left), session]
        lingering.linger(run, root, partial(self._settle_later, run, root))

    def _settle_later(self, run: Run, root: ActiveCall) -> None:
        if (unwritten := self._settle(run, root, None)) is not None:
            self._process.warn(f"the end of request {run.id} was not recorded ({unwritten}); it reads as interrupted")

    def _settle(self, run: Run, root: ActiveCall, error: BaseException | None) -> StoreError | None:
        """End the request of a cell; why the store did not take it."""
        if run.ended:
            return run.stopped if isinstance(run.stopped, StoreError) else None
        if run.stopped is None and not isinstance(error, conducting.leaving()):
            if error is not None:
                root.settle_failed(error)
                return None
            try:
                root.succeed(None)
            except RunStopped:
                error = None
            else:
                return None
        reason = end_stopped(run, root, error)
        return reason if isinstance(reason, StoreError) else None

    @property
    def run(self) -> Run | None:
        """The run of the cell that executes now."""
        return self._now.run if self._now is not None else None

    @property
    def row(self) -> RequestRow | None:
        """The request of the cell that executes now, once it has one."""
        return self._now.row if self._now is not None else None

    @property
    def root(self) -> ActiveCall | None:
        """The root call of the cell that executes now."""
        return self._now.root if self._now is not None else None

    def place(self) -> tuple[str | None, str | None]:
        """Notebook and cell of what executes now."""
        cell = self._cell()
        return cell.notebook, cell.key

    def _cell(self) -> Cell:
        session = self._session()
        return session.cell if session is not None else script_cell()

    def _session(self) -> Session | None:
        """The session of what calls now: of the cell that made its task, else of the cell that executes."""
        here = _here.get()
        if here is not None and here.sessions is self and here.over and running_task() is not here.task:
            return here
        return self._now

    def root_for(self, spec: Spec | None) -> CallRecord | None:
        """The root call that owns a call of `spec` made now; None when it is to be a request of its own."""
        session = self._session()
        if spec is not None and spec.application is not None and not (session and session.cell.durable_body):
            return None
        root: CallRecord | None = session.root if session is not None and (session.open() or not session.over) else None
        if threading.get_ident() != self._thread_id and session is self._now:
            with self._lock:  # the request of the cell may be on its way, which is one and not two
                root = self._root_for_thread(spec) or (session.root if session is not None else None)
            if session is not None and root is session.root:
                session.threads.add(threading.get_ident())
        if root is not None:
            return root
        if self.foreign:
            return None
        with self._lock:
            return self._opened(session)

    def _root_for_thread(self, spec: Spec | None) -> CallRecord | None:
        """A thread that user code started without a context says nothing of its call: the only run that goes on has it.

        The cell counts as one when its own thread is free to make calls. A request that was left open counts where the
        thread is known to be of its cell, or there is no other. Raises `SDKUsageError` when there are several.
        """
        left = [session for session in self._left if session.open()]
        for session in left:
            if threading.get_ident() in session.threads:
                return session.root
        aside = [session.run for session in left] if self._now is not None else []
        runs = [run for run in list(self._process.active.values()) if not run.ended and run not in aside]
        now = self._now
        cell = (now is None or now.run is None) and (now is not None or not self._kernel)
        owners = len(runs) + (cell and all(run.thread_id != self._thread_id for run in runs))
        if owners > 1:
            name = spec.name if spec is not None else "a durable call"
            raise SDKUsageError(
                f"{name} was called in a thread of its own while {owners} requests run, "
                "and nothing says whose call it is: use f.map(items), which runs items on threads, or "
                "start the thread with contextvars.copy_context().run(...)"
            )
        return runs[0].root_call if runs else None

    def _opened(self, session: Session | None) -> ActiveCall:
        """The root of the request of a session, which begins now if it has none. The lock is held."""
        if session is None:  # or another thread of the script has come first meanwhile
            session = self._now = self._now or self._of_script()
        if session.root is not None and (session.open() or not session.over):
            return session.root
        session.row, session.run, session.root, resumed = ownership.as_read(
            lambda: beginning.of_cell(self._process, session.cell)
        )
        enter_root(session.root)
        if session.over:
            self._linger(session, session.run, session.root)
        for told in self.on_begin:
            told(session.row, session.run, resumed)
        return session.root

    def _of_script(self) -> Session:
        if self._kernel:
            raise SDKUsageError(
                "a durable function was called after its cell had ended (from a thread or callback); call it in a "
                "cell, or as an application with .submit()"
            )
        _ = self._process.store  # opened first, so that it is closed last: the script's end is written to it
        atexit.register(self._at_exit)
        return Session(self, script_cell())

    def absent(self, resumed: RequestRow | None = None) -> list[str]:
        """What the cell reads, its last request had, and the kernel has not: a line each. `resumed`: that request.

        A cell that lacks nothing does not open the store for it.
        """
        cell = self._now.cell if self._now is not None else None
        return [] if cell is None else beginning.absent(self._process, cell, resumed)

    def call_application(self, spec: Spec, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """An application called at the top: a request of its own, resumed when its last one here did not succeed."""
        __tracebackhide__ = True
        if self.foreign:
            return spec.call(*args, **kwargs)
        row, run, root, resumed = ownership.as_read(lambda: self._application_begun(spec, args, kwargs))
        session = self._session()
        if session is not None:
            session.gone_on.add(row.id)
        for told in self.on_begin:
            told(row, run, resumed)
        return conducting.conduct_async(run, root) if spec.is_async else conducting.conduct(run, root)

    def _application_begun(self, spec: Spec, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Begun:
        session = self._session()
        cell = session.cell if session is not None else script_cell()
        taken = session.gone_on if session is not None else ()
        return beginning.of_application(self._process, spec, (args, kwargs), cell, taken)

    def _at_exit(self) -> None:
        """The script ends; whether by an exception, `sys.excepthook` has seen."""
        error = getattr(sys, "last_value", None) or Uncaught.seen
        self.end(error)
