"""`%load_ext jupyter_durable`: the hooks round the execution of a cell.

Rules of this file
- A cell's session begins in `pre_run_cell` and ends in `post_run_cell`; cells that run inside of a cell belong to it.
- Nothing here may break a cell that calls no durable function: it does not even open a store.
- What is added to the shell is remembered, and taken away by `%unload_ext`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from jupyter_durable.client import this_engine
from jupyter_durable.core.model import Kind, Status
from jupyter_durable.durable_cell.definitions import DECORATOR, Verdict
from jupyter_durable.durable_cell.line import CellOptions
from jupyter_durable.errors import Cancelled, DurableError, SDKUsageError
from jupyter_durable.runner.stop import RunStopped
from jupyter_durable_kernel.cells import decorating, identity, tracebacks
from jupyter_durable_kernel.cells.beat import Beat
from jupyter_durable_kernel.cells.callees import Reached
from jupyter_durable_kernel.cells.displayed import Displays, Told
from jupyter_durable_kernel.cells.head import Head, as_comments
from jupyter_durable_kernel.cells.printed import Tee
from jupyter_durable_kernel.cells.printed_again import Reprint
from jupyter_durable_kernel.cells.remarks import Remarks
from jupyter_durable_kernel.cells.time_and_capture import Beside
from jupyter_durable_kernel.cells.titles import NAMELESS, title_of
from jupyter_durable_kernel.control.channel import Control
from jupyter_durable_kernel.magics import DurableMagics, complete
from jupyter_durable_kernel.verbs.notebook import Notebook
from jupyter_durable_kernel.view import as_value
from jupyter_durable_kernel.view.live_views import Views

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from jupyter_durable.client.engine import Engine
    from jupyter_durable.core.model import RequestRow
    from jupyter_durable.runner.run import Run

_SLOT: Final = "jupyter_durable_extension"


class Extension:
    """What this package adds to one shell."""

    def __init__(self, shell: InteractiveShell, engine: Engine) -> None:
        self.shell: Any = shell
        self.engine = engine
        self._notebook = Notebook(shell, engine)
        self.views = Views(self.shell, engine)
        kernel = getattr(shell, "kernel", None)
        self._control = Control(kernel, engine, self.views, {"export": self._exported}) if kernel is not None else None
        self._tee = Tee(self._output_comes)
        told = Told(self._output_comes, self._result_comes, self.views.cleared)
        self._displays = Displays(self.shell, told)
        self._beside = Beside(self.shell)
        self._decorating = decorating.Decorating(self._body_begins)
        self._depth = 0
        self._key = ""
        self._anew = False
        """Whether the cell asks for a new request."""
        self._durable_body = False
        self._reach: Reached | None = None
        self._swallows = False
        """Whether the cell is run by another cell magic, which may show an error and go on."""
        self._shown: BaseException | None = None
        """The error that was shown last in this cell."""
        self._remarks = Remarks(engine, self.views)
        self._begun: list[tuple[RequestRow, Run]] = []
        self._cancelled: RequestRow | None = None
        """The request whose cancel ends this cell."""
        self._wanted: str | None = None
        """The request that this cell was told to go on with."""
        self._beat = Beat()
        self._before: dict[str, Any] = {}

    # adding and taking away

    def load(self) -> None:
        """Add everything to the shell."""
        shell, engine = self.shell, self.engine
        shell.events.register("pre_run_cell", self.pre_run_cell)
        shell.events.register("post_run_cell", self.post_run_cell)
        shell.input_transformers_cleanup.append(self.comment_head)
        shell.ast_transformers.append(self._decorating)
        DurableMagics(self._notebook).register(shell)
        shell.set_hook("complete_command", self.complete, str_key="%durable")
        self._before["showtraceback"] = shell.showtraceback
        shell.showtraceback = self.showtraceback
        self.views.install()
        as_value.register(shell)
        self._displays.install()
        engine.sessions.on_begin.append(self.begun)
        if self._control is not None:
            self._control.install()  # the page may ask before any cell has run
        self._begin_loading_cell()

    def unload(self) -> None:
        """Take everything away. A cell that runs keeps its request to its end."""
        shell, engine = self.shell, self.engine
        shell.events.unregister("pre_run_cell", self.pre_run_cell)
        shell.events.unregister("post_run_cell", self.post_run_cell)
        shell.input_transformers_cleanup.remove(self.comment_head)
        shell.ast_transformers.remove(self._decorating)
        for kind in ("line", "cell"):
            shell.magics_manager.magics[kind].pop("durable", None)
        shell.showtraceback = self._before["showtraceback"]
        self.views.remove()
        as_value.unregister(shell)
        engine.sessions.on_begin.remove(self.begun)
        self._tee.remove()
        self._displays.remove()
        if self._control is not None:
            self._control.remove()
        self._end(None)

    def _begin_loading_cell(self) -> None:
        """The cell that loads the extension has begun already: its durable calls are one request, too."""
        source, cell_id = identity.told(self.shell)
        self._depth = 1 if source else 0
        if source:
            self._begin((source, source), cell_id)
        else:
            self.engine.sessions.begin(identity.made_cell(None, "", (self._notebook.directory, NAMELESS, ""), False))
            self.engine.sessions.end(None)

    # a cell

    def comment_head(self, lines: list[str]) -> list[str]:
        """The text transformer; inside of a running cell a `%%durable` is not the cell's first line, and an error."""
        return lines if self._depth else as_comments(lines)

    def pre_run_cell(self, info: Any) -> None:
        """A cell begins."""
        self._depth += 1
        if self._depth > 1:
            return
        transformed = getattr(info, "transformed_cell", None)
        if transformed is None:
            self._depth = 0  # older IPython: the text is not in the record, and our transformer must see it
            try:
                transformed = self.shell.transform_cell(info.raw_cell)
            except SyntaxError:
                transformed = info.raw_cell
            self._depth = 1
        cell_id = getattr(info, "cell_id", None) or identity.told(self.shell)[1]
        self._begin((info.raw_cell, transformed), cell_id)

    def _begin(self, texts: tuple[str, str], cell_id: str | None) -> None:
        """`texts`: the cell as written, and as Python."""
        self._notebook.cells.begins(cell_id, texts[0])
        text = decorating.text_of(*texts, self.shell.transform_cell)
        said = self._understood(text.head)
        namespace = self.shell.user_ns
        self._reach = decorating.reach_of(text.source, said, namespace)
        name = said.name if said is not None else None
        path = identity.notebook_path(namespace, self._notebook.directory)
        place = (path, title_of(name, text.source, self._reach), text.source)
        cell = identity.made_cell(said, identity.cell_key(name, cell_id, text.key), place, self._notebook.once)
        self._swallows = text.head is None and texts[0].lstrip().startswith("%%")
        wanted = self._control.begins(cell.key, cell_id) if self._control is not None else None
        self._wanted = wanted.id if wanted is not None else None
        if wanted is not None:
            once = cell.once or wanted.status == Status.SUCCEEDED
            cell = cell._replace(resumes=wanted.id, once=once, fresh=False)
        self._key = cell.key or ""
        self._anew = cell.fresh
        self._begun.clear()
        self._cancelled = self._shown = None
        self.engine.sessions.begin(cell)
        self._durable_body = said is not None
        expecting = self._reach is not None and self._reach.durable
        self.views.begin_cell(durable_body=self._durable_body, expecting=expecting)
        self._tee.install()
        self._beat.start()
        if said is not None:
            self._remarks.absent(None)

    def _understood(self, head: Head | None) -> CellOptions | None:
        """What the head of a cell says, and how its tree is changed; None where it is not durable, or does not run."""
        options = decorating.options_of(head)
        if head is not None and isinstance(options, CellOptions):
            try:
                self._beside.prepare(head.others)
            except SDKUsageError as error:
                options = error
        self._decorating.switch(options)
        if not isinstance(options, CellOptions):
            return None
        self.shell.user_ns[DECORATOR] = options.make_durable
        self.shell.user_ns_hidden[DECORATOR] = None
        return options

    def post_run_cell(self, result: Any) -> None:
        """A cell has ended."""
        if self._depth == 0:
            return  # an empty cell, or one that began before the extension was loaded
        self._depth -= 1
        if self._depth == 0:
            self._beside.end()
            error = KeyboardInterrupt() if result is None else result.error_in_exec or result.error_before_exec
            self._end(error)
            if self._cancelled is not None:
                self._end_calmly(self._cancelled, result)

    def _end(self, error: BaseException | None) -> None:
        self._decorating.switch(None)
        self._remarks.tell()
        error = error or (self._shown if self._swallows else None)
        self._beat.stop()
        run, row = self.engine.sessions.run, self.engine.sessions.row
        try:
            self.engine.sessions.end(error)
            if run is not None and isinstance(run.stopped, Cancelled) and error is None:
                self._cancelled = row  # it came when nothing was left to do
        except (DurableError, RunStopped) as failure:
            self.views.warn(f"the end of this cell's request was not recorded ({failure}); it reads as interrupted")
        self._tee.forget()
        self.views.end_cell()
        self._remarks.not_resumed(self._wanted, [row.id for row, _ in self._begun])
        self._wanted = None
        if self._control is not None:
            self._control.ends()

    def _end_calmly(self, row: RequestRow, result: Any) -> None:
        """One line in place of a traceback; to whoever started the cell it has failed as with any other error."""
        error = self._remarks.cancelled(row)
        self.shell._last_traceback = [str(error)]
        if result is not None and result.error_in_exec is not None:
            result.error_in_exec = error

    def begun(self, row: RequestRow, run: Run, resumed: bool) -> None:
        """A request of this cell begins."""
        self._begun.append((row, run))
        self.views.begun(run, resumed)
        if resumed and self.engine.settings.reprint:
            run.listeners.append(Reprint(run, self._tee.show))
        elif not resumed and not self._anew:
            self._remarks.paid_again(row)
        if row.kind == Kind.CELL and not self._durable_body:
            self._remarks.not_durable(self._reach)
            if resumed:
                self._remarks.absent(row)
        self._remarks.tell()

    def _body_begins(self, found: Sequence[Verdict]) -> None:
        """The first statement of a durable cell is about to run."""
        self._remarks.judged(self._key, found, self._reach)
        self._beside.begin()

    def _output_comes(self) -> None:
        """Something is about to be put out: views stand above it, and what is said of the cell."""
        self.views.come_first()
        self._remarks.tell()

    def _result_comes(self) -> None:
        """The value of the cell is about to be shown."""
        self.views.result_comes()
        self._remarks.tell()

    # what the magics ask for

    def complete(self, shell: Any, event: Any) -> list[str]:
        """What may come next in a line of `%durable`; IPython passes the shell first."""
        del shell
        return complete(self.engine, event.text_until_cursor.lstrip())

    def _exported(self, content: dict[str, Any]) -> dict[str, Any]:
        """What the page's notebook would be as a project."""
        from jupyter_durable_kernel.verbs import exporting

        return exporting.for_page(self._notebook, content)

    # errors

    def showtraceback(self, exc_tuple: Any = None, *args: Any, **kwargs: Any) -> Any:
        """As the shell shows it, with the user's frames only and how to go on."""
        found = exc_tuple if exc_tuple is not None else sys.exc_info()
        if not isinstance(found, tuple) or len(found) != 3 or found[1] is None or isinstance(found[1], SyntaxError):
            return self._before["showtraceback"](exc_tuple, *args, **kwargs)
        self._cancelled = tracebacks.cancelled(found[1], self._begun)
        if self._cancelled is not None:
            return None
        self._shown = found[1]
        run = self.engine.sessions.run
        shown = tracebacks.tidied(found[1], found[2], run.stopped if run is not None else None)
        if run is not None or self._begun:
            self._output_comes()
        id = tracebacks.failing(self.engine, self._begun)
        line = f"request {id} · resume: run the cell again, or %durable replay {id}" if id is not None else None
        with tracebacks.noted(shown[1], line):
            return self._before["showtraceback"](shown, *args, **kwargs)


def loaded(shell: Any) -> Extension | None:
    """What this package added to a shell; None where it is not loaded."""
    found: Extension | None = getattr(shell, _SLOT, None)
    return found


def load_ipython_extension(shell: InteractiveShell) -> None:
    """`%load_ext jupyter_durable`."""
    extension = Extension(shell, this_engine())
    setattr(shell, _SLOT, extension)
    extension.load()


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """`%unload_ext jupyter_durable`."""
    extension = loaded(shell)
    if extension is not None:
        extension.unload()
        delattr(shell, _SLOT)
