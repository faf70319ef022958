"""What a cell is told in a line or two: what became durable and what did not, what is missing, how it ended.

Rules of this file
- A remark stands below the view of its cell, so it waits for the view where one will come.
- What was said once is not said again: of a cell until it changes, of a name not in this kernel.
- It names what costs (a function or a class of the user's that a cell calls and that is not durable) and the remedy.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from jupyter_durable.client.journal import load_tree
from jupyter_durable.core.counting import NOT_COUNTED, walk
from jupyter_durable.core.model import RequestRow, Status
from jupyter_durable.durable_cell.definitions import Verdict
from jupyter_durable.errors import Cancelled, DurableError
from jupyter_durable_kernel.cells import paid_again
from jupyter_durable_kernel.cells.callees import Plain, Reached
from jupyter_durable_kernel.view.live_views import Views

if TYPE_CHECKING:
    from jupyter_durable.client.engine import Engine

NAMED: Final = 5
"""Functions and classes that are not durable and told by name."""
COUNTED_BACK: Final = 5_000
"""Of a run with more calls nobody counts those that are kept."""


class Remarks:
    """Of the cells of one kernel."""

    def __init__(self, engine: Engine, views: Views) -> None:
        self._engine = engine
        self._views = views
        self._untold: list[str] = []
        self._verdicts: dict[str, list[str]] = {}
        """What was told last of what a cell defines, by what finds its request."""
        self._known: set[str] = set()
        """Names of what is not durable, and was told to be so."""
        self._offered = False
        """Whether `%durable once on` was offered."""

    def judged(self, key: str, found: Sequence[Verdict], reach: Reached | None) -> None:
        """A `%%durable` cell is about to run."""
        lines = verdict_lines(found)
        self._known.update(verdict.name for verdict in found if not verdict.durable)
        if self._verdicts.get(key) != lines:
            self._verdicts[key] = lines
            self._untold += lines
        self.not_durable(reach)
        if reach is None or not reach.durable:
            self.tell()

    def not_durable(self, reach: Reached | None) -> None:
        """What a cell calls that is not durable."""
        found = [each for each in (reach.plain if reach is not None else ()) if each.name not in self._known]
        self._known.update(each.name for each in found)
        self._untold += plain_lines(found)

    def tell(self) -> None:
        """Say what waits to be said."""
        if self._untold:
            lines, self._untold = self._untold, []
            self._views.notice(lines)

    def absent(self, resumed: RequestRow | None) -> None:
        """What a cell that goes on will miss in this kernel, before it runs."""
        with contextlib.suppress(DurableError):  # a store that fails says so when it is needed
            absent = self._engine.sessions.absent(resumed)
            if absent:
                self._views.notice(
                    ["this cell goes on with its last request; it reads what is not defined here:", *absent]
                )

    def not_resumed(self, wanted: str | None, begun: Sequence[str]) -> None:
        """A cell that was to go on with a request and made another one says so: somebody may pay for it."""
        if wanted is not None and begun and wanted not in begun:
            self._views.notice(
                [f"request {wanted} was not resumed: the cell does not call it with that input any more", "it is kept"]
            )

    def paid_again(self, row: RequestRow) -> None:
        """A cell that had succeeded begins anew after another one did not end. Told once in a kernel."""
        if not self._offered:
            with contextlib.suppress(DurableError):  # a store that fails says so when it is needed
                lines = paid_again.again(self._engine, row)
                self._offered = bool(lines)
                self._untold += lines

    def cancelled(self, row: RequestRow) -> Cancelled:
        """A cell has ended because its request was cancelled; the error that it ends with."""
        error = Cancelled(cancelled_line(self._engine, row))
        self._views.notice([str(error)])
        return error


def verdict_lines(found: Sequence[Verdict]) -> list[str]:
    """What became durable, and what did not and why: a line each."""
    durable = [verdict.name for verdict in found if verdict.durable]
    plain = [f"{verdict.name} ({verdict.why})" for verdict in found if not verdict.durable]
    lines = [f"durable: {', '.join(durable)}"] if durable else []
    return lines + ([f"left as they are: {', '.join(plain)}"] if plain else [])


def plain_lines(found: Sequence[Plain]) -> list[str]:
    """What of the user's runs again each time, and how its results would be kept: two lines, or none."""
    if not found:
        return []
    names = [_spoken(each) for each in found[:NAMED]]
    more = [f"and {len(found) - NAMED} more"] if len(found) > NAMED else []
    return [f"not durable here: {', '.join([*names, *more])}", f"to keep their results: {' · '.join(_remedies(found))}"]


def _spoken(plain: Plain) -> str:
    if plain.methods is None:
        return f"{plain.name} (imported)" if plain.imported else plain.name
    methods = f"{plain.methods} method{'s' if plain.methods > 1 else ''}"
    return f"class {plain.name} ({methods}{', imported' if plain.imported else ''})"


def _remedies(found: Sequence[Plain]) -> list[str]:
    classes = any(each.methods is not None for each in found)
    modules = sorted({each.name.partition(".")[0] for each in found if each.imported and each.methods is None})
    cells = any(each.methods is None and not each.imported for each in found)
    told = ["@cls() above a class, @function() above its methods"] if classes else []
    told += [f"@function() in {', '.join(modules)}"] if modules else []
    return told + (["%%durable in the cell that defines the function"] if cells else [])


def cancelled_line(engine: Engine, row: RequestRow) -> str:
    """What became of a cell whose request was cancelled, and how to go on, in one line."""
    kept = _kept(engine, row)
    again = "run the cell again" if row.cell is not None else "call it again"
    return f"cancelled · {kept} · {again} to go on, or %durable replay {row.id}"


def _kept(engine: Engine, row: RequestRow) -> str:
    last = engine.store.runs(row.serial)[-1:]
    if not last or last[0].executed + last[0].reused > COUNTED_BACK:
        return "what had succeeded is kept"
    root = load_tree(engine.store, row, live=False)[1]
    done = sum(
        node.status == Status.SUCCEEDED and node.kind not in NOT_COUNTED and node.depth > 0
        for node in (walk(root) if root is not None else ())
    )
    if not done:
        return "no call had ended"
    return f"{done:,} finished call{'s are' if done > 1 else ' is'} kept"
