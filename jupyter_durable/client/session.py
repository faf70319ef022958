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
import hashlib
import inspect
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jupyter_durable.client import conducting, finding, lingering, ownership, versions
from jupyter_durable.client.launching import Launch
from jupyter_durable.client.lingering import running_task
from jupyter_durable.client.uncaught import Uncaught
from jupyter_durable.code.statements import once_called
from jupyter_durable.core.model import Kind, NewRequest, RequestRow, Status
from jupyter_durable.errors import SDKUsageError, StoreError
from jupyter_durable.function import Spec
from jupyter_durable.protocols import Scope
from jupyter_durable.runner.call import ActiveCall
from jupyter_durable.runner.run import Run
from jupyter_durable.runner.stop import RunStopped

if TYPE_CHECKING:
    from jupyter_durable.client.engine import Engine


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

    def __init__(self, sessions: Sessions, cell: Cell) -> None:
        self.sessions = sessions
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


_here: contextvars.ContextVar[Session | None] = contextvars.ContextVar("jupyter_durable_session", default=None)
"""The session of this context: tasks take it along."""


class Sessions:
    """The cell that executes now and the request of its durable calls."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
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
            self._engine.warn(f"the end of request {run.id} was not recorded ({unwritten}); it reads as interrupted")

    def _settle(self, run: Run, root: ActiveCall, error: BaseException | None) -> StoreError | None:
        """End the request of a cell; why the store did not take it."""
        if run.ended:
            return run.stopped if isinstance(run.stopped, StoreError) else None
        if run.stopped is None and not isinstance(error, KeyboardInterrupt | SystemExit | RunStopped):
            if error is not None:
                root.settle_failed(error)
                return None
            try:
                root.succeed(None)
            except RunStopped:
                error = None
            else:
                return None
        reason = run.end_stopped(root, error)
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
        return session.cell if session is not None else self._script()

    def _session(self) -> Session | None:
        """The session of what calls now: of the cell that made its task, else of the cell that executes."""
        here = _here.get()
        if here is not None and here.sessions is self and here.over and running_task() is not here.task:
            return here
        return self._now

    def root_for(self, spec: Spec | None) -> Scope | None:
        """The root call that owns a call of `spec` made now; None when it is to be a request of its own."""
        session = self._session()
        if spec is not None and spec.application is not None and not (session and session.cell.durable_body):
            return None
        root = session.root if session is not None and (session.open() or not session.over) else None
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

    def _root_for_thread(self, spec: Spec | None) -> ActiveCall | None:
        """A thread that user code started without a context says nothing of its call: the only run that goes on has it.

        The cell counts as one when its own thread is free to make calls. A request that was left open counts where the
        thread is known to be of its cell, or there is no other. Raises `SDKUsageError` when there are several.
        """
        left = [session for session in self._left if session.open()]
        for session in left:
            if threading.get_ident() in session.threads:
                return session.root
        aside = [session.run for session in left] if self._now is not None else []
        runs = [run for run in list(self._engine.active.values()) if not run.ended and run not in aside]
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
        if session is None:
            session = self._now = self._of_script()
        if session.root is not None and (session.open() or not session.over):
            return session.root
        session.row, session.run, session.root, resumed = ownership.as_read(lambda: self._begun(session.cell))
        session.run.enter_root(session.root)
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
        _ = self._engine.store  # opened first, so that it is closed last: the script's end is written to it
        atexit.register(self._at_exit)
        return Session(self, self._script())

    def _begun(self, cell: Cell) -> tuple[RequestRow, Run, ActiveCall, bool]:
        """The request to go on with, or a new one, its run, and whether it is resumed."""
        engine = self._engine
        found = finding.of_cell(engine, cell)
        row = found.row if found.row is not None else self._accepted(cell, found)
        wanted = self._launch(cell, row, found.row is not None)
        return row, *engine.launch(row, wanted, None), found.row is not None

    def _accepted(self, cell: Cell, found: finding.Found) -> RequestRow:
        from jupyter_durable.client.engine import new_id

        engine = self._engine
        version = versions.current_version({}, cell.source, engine.signer)
        id, now = new_id(), engine.clock.now()
        new = NewRequest(id, cell.title, cell.kind, now, None, b"", version, cell.notebook, cell.key, None, None, None)
        sealer = engine.sealer(id, versions.live_code(None))
        return engine.store.accept(sealer.vouched(new), seen=found.seen)[0]

    def absent(self, resumed: RequestRow | None = None) -> list[str]:
        """What the cell reads, its last request had, and the kernel has not: a line each. `resumed`: that request.

        A cell that lacks nothing does not open the store for it.
        """
        cell = self._now.cell if self._now is not None else None
        reading = versions.Reading({}, cell.source if cell is not None else "")
        if cell is None or not reading.absent():
            return []
        row = resumed or finding.of_cell(self._engine, cell).row
        if row is None:
            return []
        return versions.lacking_lines(reading, self._engine.code_of(row), self._engine.signer, row.id)

    def _launch(self, cell: Cell, row: RequestRow, resumed: bool) -> Any:
        from jupyter_durable.client import replay

        rule = once_called(cell.source)
        if not resumed:
            return Launch(versions.live_code(None, cell.source), place_rule=rule)
        recorded = partial(self._engine.code_of, row)
        code, complete = versions.code_of_now(versions.Reading({}, cell.source), recorded, self._engine.signer)
        once = cell.once and complete
        aside = replay.changed_calls(self._engine, row, code) if once else ()
        return Launch(code, set_aside=aside, place_rule=rule, reuse_changed=not once)

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

    def _application_begun(
        self, spec: Spec, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[RequestRow, Run, ActiveCall, bool]:
        from jupyter_durable.client import replay
        from jupyter_durable.client.engine import Origin

        engine = self._engine
        session, cell = self._session(), self._cell()
        taken = session.gone_on if session is not None else ()
        found = finding.of_application(engine, spec, (args, kwargs), cell, taken)
        row, resumed = found.row, found.row is not None
        code, complete = versions.live_code(None), True
        if row is not None:
            reading = versions.Reading({spec.name: spec.wrapper}, None)
            recorded = partial(engine.code_of, row)
            code, complete = versions.code_of_now(reading, recorded, engine.signer)
        else:
            row, _ = engine.accept(spec, args, kwargs, Origin(*self.place(), seen=found.seen), code)
        again = resumed and complete and row.status == Status.SUCCEEDED and cell.once
        aside = replay.changed_calls(engine, row, code) if again else ()
        wanted = Launch(code, set_aside=aside, reuse_changed=not (cell.once and complete))
        return row, *engine.launch(row, wanted, spec), resumed

    def _script(self) -> Cell:
        """The top level of a script; a REPL has no name, so nothing of it is resumed."""
        path = getattr(sys.modules["__main__"], "__file__", None)
        if path is None:
            return Cell(None, None, "interactive", "", Kind.SCRIPT)
        try:
            source = inspect.getsource(sys.modules["__main__"])
        except (OSError, TypeError):
            source = ""
        arguments = hashlib.blake2b("\0".join(sys.argv[1:]).encode(), digest_size=8).hexdigest()
        return Cell(str(Path(path).absolute()), f"script:{arguments}", Path(path).name, source, Kind.SCRIPT)

    def _at_exit(self) -> None:
        """The script ends; whether by an exception, `sys.excepthook` has seen."""
        error = getattr(sys, "last_value", None) or Uncaught.seen
        self.end(error)
