"""What a store says of a request, as the page reads it: the kernel answers with it, and so does the Jupyter server.

Rules of this file
- Nothing runs and nothing is written. Whether values are loaded is the business of the `Values` that are given.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from jupyter_durable.client.counted import span_of
from jupyter_durable.client.journal import load_tree
from jupyter_durable.client.request import status_of
from jupyter_durable.core import outline
from jupyter_durable.core.calltree import CallNode, walk
from jupyter_durable.core.counting import NOTHING
from jupyter_durable.core.model import RequestRow, Status
from jupyter_durable.core.selection import Preview
from jupyter_durable.errors import SDKUsageError
from jupyter_durable_kernel.view import as_json
from jupyter_durable_kernel.view.call_values import Values
from jupyter_durable_kernel.view.state import State
from jupyter_durable_kernel.view.tallies import counted

if TYPE_CHECKING:
    from jupyter_durable.client.process import Process

PAGE: Final = 50
PREVIEW_ROWS: Final = 300


def state_of(process: Process, row: RequestRow) -> State:
    """A request as it is now."""
    status = status_of(row, process)
    root = load_tree(process.store, row, live=status == Status.RUNNING)[1]
    counts = counted(root, {}) if root is not None else NOTHING
    span = span_of(process.store.runs(row.serial))
    return State(row, status, root, {}, counts, row.run > 1, process.clock.now(), span)


def calls(state: State, wanted: Mapping[str, Any], values: Values) -> dict[str, Any]:
    """Some of the calls of one `parent`, or of those of one `name` and `kind`; `failed`: of those that failed."""
    found = [
        child
        for child in node_of(state, wanted["parent"]).children
        if (not wanted.get("name") or (child.name, child.kind) == (wanted["name"], wanted["kind"]))
        and (not wanted.get("failed") or child.status == Status.FAILED)
    ]
    if wanted.get("failures_first"):
        found.sort(key=lambda child: child.status != Status.FAILED)
    first = int(wanted.get("offset", 0))
    shown = [as_json.shown_call(node, values) for node in found[first : first + PAGE]]
    return {"calls": shown, "total": len(found)}


def plan(found: Preview) -> dict[str, Any]:
    """What a replay would do: its sums, and its lines."""
    lines = outline.lines(found.calls)
    rows = [
        {"call": "  " * each.depth + each.call, "action": each.verdict, "why": each.why, "saved": each.saves}
        for each in lines[:PREVIEW_ROWS]
    ]
    counts = outline.sums(found.calls)._asdict()
    return {"rows": rows, "counts": counts, "saved": found.saved, "more": max(0, len(lines) - PREVIEW_ROWS)}


def node_of(state: State, identity: object) -> CallNode:
    """The call of an identity. Raises `SDKUsageError`."""
    for node in walk(state.root) if state.root is not None else ():
        if node.identity == identity:
            return node
    raise SDKUsageError(f"request {state.row.id} has no such call any more; its last run went another way")
