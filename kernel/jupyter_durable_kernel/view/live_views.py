"""Live outputs: what a request does, shown under its cell while it does it.

Rules of this file
- A view appears for a `%%durable` body, for an application, and for any request of a cell that lasts over a second,
  fails or is resumed. A short successful one stays silent.
- At most ten updates a second; the last state is always shown. The calls themselves only append to a queue.
- One thread looks after all views, and only while there are any.
"""

from __future__ import annotations

import contextlib
import contextvars
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from jupyter_durable.client.counted import span_of
from jupyter_durable.client.journal import load_tree, records, root_row
from jupyter_durable.client.request import status_of
from jupyter_durable.core.counting import NOTHING, CallNode
from jupyter_durable.core.model import CallRow, Kind, Logged, Progressed, RequestRow, Status
from jupyter_durable.errors import DurableError
from jupyter_durable.runner.stop import RunStopped
from jupyter_durable_kernel.view import as_json, mime_bundle
from jupyter_durable_kernel.view.call_values import Values, Words
from jupyter_durable_kernel.view.cell_outputs import Outputs
from jupyter_durable_kernel.view.live_tree import Folding
from jupyter_durable_kernel.view.short_calls import Thrift
from jupyter_durable_kernel.view.state import Span, State
from jupyter_durable_kernel.view.tallies import Group, Tally, counted

if TYPE_CHECKING:
    from jupyter_durable.client.engine import Engine
    from jupyter_durable.runner.run import Run
    from jupyter_durable.runner.settings import Listener

Snapshot = dict[str, Any]
Drawn = tuple[CallNode | None, Mapping[Group, Tally]]
"""A tree, and the calls that are not in it."""
PERIOD: Final = 0.1
SILENT_SECONDS: Final = 1.0
CLOCK_SECONDS: Final = 1.0
"""Where only time passes, a view is shown anew this often."""
PARTIAL_SECONDS: Final = 0.5
WHOLE: Final = 5_000
"""A request of up to so many calls is read back from the store for its last state."""
VIEWS_OF_A_CELL: Final = 12
_SLOT: Final = "jupyter_durable_views"
"""Under this name the views of a kernel stand on its shell."""


class LiveView:
    """One run of one request under its cell. A `Listener` of the run."""

    hears_starts = False

    def __init__(self, views: Views, run: Run, row: RequestRow, urgent: bool) -> None:
        self._views = views
        self.run = run
        self.row = row._replace(run=run.number, error=None)  # as it was read before this run began
        self._urgent = urgent
        self.resumed = run.number > 1
        self._began = time.monotonic()
        self._queue: deque[tuple[Any, ...]] = deque()
        self._folding = Folding(run, lambda call: records(views.engine.store, row.serial, below=call.identity))
        self._values = Values(views.engine, row, views.words)
        run.in_hand = self._values.in_hand
        self._thrift = Thrift(views.told)
        self._context = contextvars.copy_context()
        self._lock = threading.Lock()
        self._span: Span = (None, None)
        self._said: dict[str, Any] = {}
        """What was drawn last, without the time of day."""
        self._place = views.outputs.reserve(as_json.display_of(row.id, run.number))
        self._shown = False
        self._published = 0.0
        self._not_before = 0.0
        self.over = False

    # what the run tells

    def started(self, row: CallRow) -> None:
        """Not asked for."""

    def settled(self, row: CallRow) -> None:
        """A call ended and is durable."""
        self._queue.append((row,))

    def reused(self, row: CallRow, seq: int, pass_no: int, flags: int) -> None:
        """A call was served from its checkpoint at a place."""
        self._queue.append((row, seq, pass_no, flags))

    def progressed(self, progress: Progressed) -> None:
        """A call reported how far it is."""
        self._queue.append((None, progress))

    def logged(self, log: Logged) -> None:
        """A call printed."""
        self._queue.append((None, log))

    # what is shown

    def look(self) -> None:
        """Take in what was told, and show it when there is reason to."""
        with self._lock:
            if self.over:
                return
            self._take_in()
            if self.run.ended:
                self._finish()
            elif time.monotonic() >= self._not_before and (self._due() or self._views.followed(self.row.id)):
                self._show(Status.RUNNING, (self._folding.tree(), self._folding.counted()), self._due())

    def _due(self) -> bool:
        return self._urgent or self.resumed or time.monotonic() - self._began > SILENT_SECONDS

    def due_soon(self) -> bool:
        """Whether there is reason to show it; where there is none its time begins anew, so that none comes at once."""
        with self._lock:
            if self._due() or self.run.counts.reused or time.monotonic() - self._began > SILENT_SECONDS / 2:
                return True
            self._began = time.monotonic()
            return False

    def finish(self) -> None:
        """The run has ended: show its last state, unless nobody needs to see it."""
        with self._lock:
            if not self.over:
                self._take_in()
                self._finish()

    def _take_in(self) -> None:
        queue, folding = self._queue, self._folding
        while queue:
            told = queue.popleft()
            if told[0] is None:
                folding.told(told[1])
            elif len(told) == 1:
                folding.settled(told[0])
                remark = self._thrift.settled(told[0])
                if remark is not None:
                    self._context.run(self._views.notice, [remark])
            else:
                folding.reused(*told)

    def _finish(self) -> None:
        self.over = True
        self.row = self._views.engine.store.request(self.row.id)
        status = status_of(self.row, self._views.engine)
        seen = self._due() or self._shown or self.run.counts.reused > 0 or status != Status.SUCCEEDED
        if seen or self._views.followed(self.row.id):
            self._show(status, self._last_state(), seen)

    def _last_state(self) -> Drawn:
        """Read back where calls stand in the store that nobody told of: below reused ones, in earlier runs."""
        folding, run, store = self._folding, self.run, self._views.engine.store
        root = root_row(store, self.row.serial)
        if root is not None:
            folding.settled(root)
        executed = root is not None and root.pass_no >> 16 == run.number == 1
        if (executed and folding.whole) or run.lease.next_identity + run.counts.executed > WHOLE:
            return folding.tree(), folding.counted()
        return load_tree(store, self.row, live=False)[1], {}

    def _show(self, status: str, drawn: Drawn, seen: bool) -> None:
        """Draw a state; `seen`: as an output, not only for those that follow the request."""
        began = time.monotonic()
        root, tallies = drawn
        engine = self._views.engine
        if self._span[0] is None or status != Status.RUNNING:
            self._span = span_of(engine.store.runs(self.row.serial))
        counts = counted(root, tallies) if root is not None else NOTHING
        state = State(self.row, status, root, tallies, counts, self.resumed, engine.clock.now(), self._span)
        made = mime_bundle.bundle(state, self._values, engine.settings.save_view)
        said = as_json.timeless(made[as_json.MIME])
        if said != self._said or began > self._published + CLOCK_SECONDS:
            if seen:
                self._context.run(self._views.outputs.publish, made, self._place)
                self._shown = True
            self._context.run(self._views.tell, self.row.id, made[as_json.MIME])
            self._said, self._published = said, began
        # A large tree takes long to draw: never more than a tenth of the time goes into views.
        # What is saved in part the page asks for in full, each time.
        wait = PARTIAL_SECONDS if made[as_json.MIME].get("partial") else 0.0
        self._not_before = time.monotonic() + max(wait, 10 * (time.monotonic() - began))


class Views:
    """All live views of a kernel."""

    def __init__(self, shell: Any, engine: Engine) -> None:
        self._shell = shell
        self.engine = engine
        self._live = hasattr(shell, "kernel")
        self._views: list[LiveView] = []
        self._lock = threading.Lock()
        self._ticking = False
        self._durable_body = False
        self._of_cell = 0
        self.outputs = Outputs(shell, engine)
        self.words = Words()
        self._followers: dict[str, list[weakref.WeakMethod[Callable[[Snapshot], None]]]] = {}
        """What takes each new state of a request, by the request's id."""
        self.told: set[str] = set()
        """Functions whose cost was told."""
        self._shell = shell
        self._warn_before: Callable[[str], None] = engine.warn

    def install(self) -> None:
        """Show what runs from now on; what the engine warns of stands below the cell."""
        self._warn_before = self.engine.warn
        self.engine.warn = self.warn
        self.engine.observers.append(self.observe)
        setattr(self._shell, _SLOT, self)

    def remove(self) -> None:
        """Show nothing that begins from now on."""
        self.engine.warn = self._warn_before
        self.engine.observers.remove(self.observe)
        delattr(self._shell, _SLOT)

    def begin_cell(self, *, durable_body: bool, expecting: bool) -> None:
        """A cell begins; `expecting`: it may well make a request."""
        self._durable_body = durable_body
        self._of_cell = 0
        self.outputs.begin_cell(expecting=self._live and expecting)

    def come_first(self) -> None:
        """Something is about to be put out: what will be seen of the requests of this cell stands above it."""
        if self._live and self.outputs.waiting:
            self.outputs.take_places()

    def result_comes(self) -> None:
        """The value of the cell is about to be shown: a view that has no reason to come needs no place above it."""
        if self._live and self.outputs.waiting:
            due = [view.due_soon() for view in self._all()]
            if any(due):
                self.outputs.take_places()

    def end_cell(self) -> None:
        """A cell has ended: what has ended with it is shown as it is."""
        for view in self._all():
            if view.run.ended:
                self._drop(view)
        self.outputs.end_cell()
        if self._of_cell > VIEWS_OF_A_CELL:
            more = self._of_cell - VIEWS_OF_A_CELL
            self.notice([f"and {more:,} more requests of this cell: %durable list"])

    def observe(self, run: Run, row: RequestRow) -> Listener | None:
        """A run begins. An `Observer` of the engine."""
        self._of_cell += 1
        if self._of_cell > VIEWS_OF_A_CELL and not self.followed(row.id):
            return None
        urgent = row.kind == Kind.FUNCTION or self._durable_body
        view = LiveView(self, run, row, urgent)
        with self._lock:
            self._views.append(view)
            start = self._live and not self._ticking
            self._ticking = self._ticking or start
        if start:
            threading.Thread(target=self._tick, name="durable-views", daemon=True).start()
        return view

    def begun(self, run: Run, resumed: bool) -> None:
        """A request of the cell begins, or an earlier one goes on: what is to be seen is seen from the start."""
        for view in self._all():
            if view.run is run:
                view.resumed = resumed
                if self._live:
                    view.look()

    def _all(self) -> list[LiveView]:
        with self._lock:
            return list(self._views)

    def _drop(self, view: LiveView) -> None:
        with contextlib.suppress(DurableError, RunStopped):  # the store has failed: the run itself has said so
            view.finish()
        with self._lock, contextlib.suppress(ValueError):
            self._views.remove(view)

    def _tick(self) -> None:
        while True:
            time.sleep(PERIOD)
            for view in self._all():
                with contextlib.suppress(DurableError, RunStopped):
                    view.look()
                if view.over:
                    self._drop(view)
            with self._lock:
                if not self._views:
                    self._ticking = False
                    return

    def cleared(self, wait: bool) -> None:
        """The outputs of the cell were cleared; `wait`: they will be with the next one."""
        self.outputs.cleared(wait=wait)

    # followers

    def follow(self, request: str, take: Callable[[Snapshot], None]) -> None:
        """Give each new state of a request to a method, for as long as its object lives."""
        self._followers.setdefault(request, []).append(weakref.WeakMethod(take))

    def followed(self, request: str) -> bool:
        """Whether somebody follows a request."""
        return any(one() is not None for one in self._followers.get(request, ()))

    def tell(self, request: str, snapshot: Snapshot) -> None:
        """Give a state to those that follow its request."""
        for one in self._followers.get(request, ()):
            take = one()
            if take is not None:
                take(snapshot)

    # publishing

    def notice(self, lines: Sequence[str]) -> None:
        """A quiet remark under the cell."""
        self.outputs.say(mime_bundle.notice(lines))

    def warn(self, text: str) -> None:
        """Something the user should know."""
        self.outputs.say(mime_bundle.notice([text], warning=True))


def views_of(shell: Any) -> Views | None:
    """The views of the kernel that a shell is in; None where the extension is not loaded."""
    found: Views | None = getattr(shell, _SLOT, None)
    return found
