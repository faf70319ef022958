"""A notebook without a kernel: cells run as they do in one, on a real store, in a `__main__` of their own."""

from __future__ import annotations

import linecache
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from jupyter_durable import context
from jupyter_durable.client import Engine, Request, this_engine
from jupyter_durable.client.session import Cell
from jupyter_durable.client.settings import Settings
from jupyter_durable.durable_cell.definitions import DECORATOR, with_decorators
from jupyter_durable.function import make_durable, registry
from jupyter_durable.options import FunctionOptions
from jupyter_durable.runner.pulse import Pulse


class Killed(BaseException):
    """The kernel died here: nothing after it was written."""


class DeadJournal:
    """The journal of a process that was killed: nothing is written any more."""

    def __init__(self, lease: Any) -> None:
        self.lease = lease

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: None


class Die:
    """`die()` in user code: SIGKILL as the store sees it. What was queued had its 50 ms."""

    def __init__(self, notebook: Notebook) -> None:
        self._notebook = notebook

    def __call__(self) -> None:
        engine = self._notebook.engine
        for run in list(engine.active.values()):
            Pulse(run).mark()
            run.reports.end()
            run.journal.flush()
            run.journal = DeadJournal(run.lease)
        raise Killed

    def __reduce__(self) -> Any:
        raise TypeError("not to be stored")


class Ran:
    """`ran(x)` in user code: an execution, seen from outside of the store. Like a client, it cannot be stored."""

    def __init__(self, log: list[Any]) -> None:
        self._log = log

    def __call__(self, what: Any) -> None:
        self._log.append(what)

    def __reduce__(self) -> Any:
        raise TypeError("not to be stored")


class Notebook:
    """Runs cells; `restart` is a new kernel on the same store."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = path
        self._patch = monkeypatch
        self.log: list[Any] = []
        """What user code said with `ran(...)`: executions, seen from outside of the store."""
        self.restart()

    def restart(self) -> None:
        """A fresh kernel: an empty namespace, a new engine, the same store."""
        main = ModuleType("__main__")
        self.namespace: dict[str, Any] = vars(main)
        self._patch.setitem(sys.modules, "__main__", main)
        registry._specs.clear()
        self.warnings: list[str] = []
        self.engine = Engine(Settings(store=f"sqlite:///{self.path}"), warn=self.warnings.append)
        context.engine.set(self.engine)
        self.namespace.update(ran=Ran(self.log), die=Die(self), Killed=Killed)
        self.namespace[DECORATOR] = lambda fn: make_durable(fn, FunctionOptions())
        exec("import time, jupyter_durable as jd\nfrom jupyter_durable import *\nimport random", self.namespace)

    def cell(self, source: str, *, key: str | None = "cell", **options: Any) -> Request | None:
        """Run a cell; its request, if it made one. What the cell raises is raised, except `Killed`."""
        name = f"<cell {zlib.crc32(source.encode())}>"  # as in a kernel: the same text has the same name
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        durable = source.lstrip().startswith("%%durable")
        sessions = self.engine.sessions
        sessions.begin(Cell("/nb.ipynb", key, "cell", source, durable_body=durable, **options))
        error: BaseException | None = None
        try:
            exec(compile(with_decorators(source), name, "exec"), self.namespace)
        except Killed:
            self.engine.active.clear()
            return Request(self.engine, sessions.row) if sessions.row is not None else None
        except BaseException as raised:  # noqa: BLE001 - the cell of a test was executed
            error = raised
        row = sessions.end(error)
        if error is not None:
            raise error
        return Request(self.engine, self.engine.store.request(row.id)) if row is not None else None

    def last(self) -> Request:
        """The newest request."""
        return Request(self.engine, self.engine.store.request("last"))

    def executed(self) -> list[Any]:
        """What was logged since the last look."""
        seen, self.log[:] = list(self.log), []
        return seen


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Notebook]:
    """A notebook on a SQLite store."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    before = this_engine()
    made = Notebook(tmp_path / "store.db", monkeypatch)
    yield made
    made.engine.store.close()
    context.engine.set(before)
