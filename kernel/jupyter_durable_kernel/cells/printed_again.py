"""What served calls had printed, printed once more where they are served.

Rules of this file
- Only in a cell that goes on with its request, where the setting `reprint` says so.
- In the order of the cell: a call's log stands where the call was served, with what the calls below it printed.
- Every line is marked as being from a log, and is not kept again as the output of whoever called.
- A store that cannot be read is no reason to stop the cell: what is missing is output that was seen before.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from jupyter_durable.client.journal import records
from jupyter_durable.core.calltree import CallTree, walk
from jupyter_durable.core.model import CallRow, Logged, Progressed
from jupyter_durable.errors import DurableError

if TYPE_CHECKING:
    from jupyter_durable.runner.run import Run

MARK: Final = "│ "
"""Before each line that is from a log."""
Show = Callable[[str, str], None]
"""Takes the name of a stream and a text."""


class Reprint:
    """Prints what the served calls of one run had printed. A `Listener` of the run."""

    hears_starts = False

    def __init__(self, run: Run, show: Show) -> None:
        self._run = run
        self._show = show
        run.on_end.append(self._ended)

    def started(self, row: CallRow) -> None:
        """Not asked for."""

    def settled(self, row: CallRow) -> None:
        """What executes prints by itself."""

    def progressed(self, progress: Progressed) -> None:
        """Not printed."""

    def logged(self, log: Logged) -> None:
        """Is printed already."""

    def reused(self, row: CallRow, seq: int, pass_no: int, flags: int) -> None:
        """A call was served from its checkpoint."""
        del seq, pass_no, flags
        with contextlib.suppress(DurableError):
            for stream, text in marked(row.name, list(self._printed(row))):
                self._show(stream, text)

    def _ended(self) -> None:
        """An application that was served as a whole made no call, and was none."""
        root = self._run.root_call
        if root is not None and root.row is not None and not root.started_at:
            self.reused(root.row, 0, 0, 0)

    def _printed(self, row: CallRow) -> Iterator[Logged]:
        """What a call and those below it printed when they ran, in the order in which they did."""
        run = self._run
        tree = CallTree()
        tree.apply([row, *(records(run.store, run.lease.serial, below=row.identity) if row.children else ())])
        node = tree.tree(run.number, live=False, top=row.identity)
        found = [
            log
            for call in (walk(node) if node is not None else ())
            for log in run.store.logs(run.lease.serial, call.identity)
            if log.pass_no == call.row.pass_no
        ]
        yield from sorted(found, key=lambda log: log.at)


def marked(name: str, logs: list[Logged]) -> Iterator[tuple[str, str]]:
    """Texts by stream, under a line that says whose they are."""
    if not logs:
        return
    yield "stdout", f"{MARK}{name}, from its log:\n"
    within: dict[str, bool] = {}
    """Whether a stream stands within a line."""
    for log in logs:
        text = log.text.replace("\n", f"\n{MARK}")
        ends = log.text.endswith("\n")
        yield log.stream, ("" if within.get(log.stream) else MARK) + (text.removesuffix(MARK) if ends else text)
        within[log.stream] = not ends
    for stream, unended in within.items():
        if unended:
            yield stream, "\n"
