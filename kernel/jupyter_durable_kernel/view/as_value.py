"""A request as the value of a cell: the same view as under the cell that made it, of the state it has now.

A preview is its sum and its table.

Rules of this file
- Nothing runs for it; a request that is gone is shown as Python's own text.
"""

from __future__ import annotations

from typing import Any

from jupyter_durable.client.request import Request
from jupyter_durable.core.selection import Preview
from jupyter_durable.errors import DurableError
from jupyter_durable_kernel.view import cell_outputs, from_store, mime_bundle, preview_as_value, saved_forms
from jupyter_durable_kernel.view.call_values import Values
from jupyter_durable_kernel.view.state import State


def register(shell: Any) -> None:
    """Show requests from now on."""
    shell.display_formatter.mimebundle_formatter.for_type(Request, bundle_of)
    shell.display_formatter.mimebundle_formatter.for_type(Preview, preview_as_value.bundle_of)


def unregister(shell: Any) -> None:
    """Show them as any other object."""
    for shown in (Request, Preview):
        shell.display_formatter.mimebundle_formatter.pop(shown, None)


def state_of(request: Request) -> tuple[State, Values]:
    """A request as it is now, with its previews. Raises what the store raises."""
    process, row = request._process, request._now()
    return from_store.state_of(process, row), Values(process, row)


def bundle_of(request: Request) -> dict[str, Any] | None:
    """The MIME bundle of a request as it is now; None when it cannot be read."""
    settings = request._process.settings
    try:
        widget = cell_outputs.as_widget(request) if settings.display == saved_forms.WIDGET else None
        made = widget or mime_bundle.bundle(*state_of(request), settings.save_view)
    except DurableError:
        return None
    return saved_forms.shaped(made, settings.display)
