"""A request as the value of a cell: the same view as under the cell that made it, of the state it has now.

Rules of this file
- Nothing runs for it; a request that is gone is shown as Python's own text.
"""

from __future__ import annotations

from typing import Any

from jupyter_durable.client.journal import load_tree
from jupyter_durable.client.request import Request, status_of
from jupyter_durable.core.model import Status
from jupyter_durable.errors import DurableError
from jupyter_durable_kernel import page, saving
from jupyter_durable_kernel.values import Values


def register(shell: Any) -> None:
    """Show requests from now on."""
    shell.display_formatter.mimebundle_formatter.for_type(Request, bundle_of)


def unregister(shell: Any) -> None:
    """Show them as any other object."""
    shell.display_formatter.mimebundle_formatter.pop(Request, None)


def bundle_of(request: Request) -> dict[str, Any] | None:
    """The MIME bundle of a request as it is now; None when it cannot be read."""
    engine = request._engine
    try:
        row = request._now()
        status = status_of(row, engine)
        root = load_tree(engine.store, row, live=status == Status.RUNNING)[1]
    except DurableError:
        return None
    counts = page.counted(root, {}) if root is not None else page.NOTHING
    state = page.State(row, status, root, {}, counts, False, engine.clock.now())
    settings = engine.settings
    return saving.shaped(page.bundle(state, Values(engine, row), settings.save_view), settings.display)
