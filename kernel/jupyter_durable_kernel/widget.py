"""`request.widget()`: the view as an ipywidgets widget, by anywidget, from the same source as the page's part.

Rules of this file
- Found by entry point: the library neither imports it nor knows ipywidgets.
- State goes to the page through traits, at most as often as views are drawn. What the page asks for comes over the
  control channel; a comm carries nothing but traits, since its messages wait for the running cell.
- Traits change in the thread that draws views, also while a cell runs; so do callbacks of `observe`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import anywidget
import traitlets

from jupyter_durable.client.request import Request
from jupyter_durable_kernel.view import as_json, as_value, mime_bundle
from jupyter_durable_kernel.view.live_views import Views, views_of
from jupyter_durable_kernel.view.saved_forms import FULL, HTML, TEXT

STATIC: Final = Path(__file__).parent / "static"


class RequestWidget(anywidget.AnyWidget):
    """One request; show it, link its traits, or put it among other widgets."""

    _esm = STATIC / "widget.js"
    _css = STATIC / "widget.css"

    snapshot = traitlets.Dict().tag(sync=True)
    """What is shown, as JSON."""
    status = traitlets.Unicode().tag(sync=True)
    """queued, running, waiting, succeeded, failed, cancelled or interrupted."""
    counts = traitlets.Dict().tag(sync=True)
    """Calls that were reused, executed, failed, run now, have changed arguments or code; and seconds saved."""
    selected_call = traitlets.Unicode().tag(sync=True)
    """`name[n]` of the call that is selected in the view; empty when none is. It can be set."""

    def __init__(self, request: Request, **options: Any) -> None:
        self.request = request
        super().__init__(**options)
        self.refresh()

    def refresh(self) -> None:
        """Take the state of now from the store. Not needed for what runs in this kernel."""
        state, values = as_value.state_of(self.request)
        save_view = self.request._process.settings.save_view
        if save_view == FULL:
            self.take(as_json.snapshot(state, values))
        else:
            self.take(as_json.reduced(state, values, save_view))

    def take(self, snapshot: dict[str, Any]) -> None:
        """Show a newer state."""
        if snapshot["sequence"] < self.snapshot.get("sequence", 0):
            return
        with self.hold_sync():
            self.snapshot = snapshot
            self.counts = snapshot["counts"]
            self.status = snapshot["request"]["status"]

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """With the view as HTML and text, for where widgets are not shown, or the notebook is saved without them."""
        made = super()._repr_mimebundle_(**options)
        return None if made is None else ({**made[0], **self._fallback()}, made[1])

    def _fallback(self) -> dict[str, Any]:
        state, values = as_value.state_of(self.request)
        shown = mime_bundle.bundle(state, values, self.request._process.settings.save_view)
        return {HTML: shown[HTML], TEXT: shown[TEXT]}


def request_widget(request: Request) -> RequestWidget:
    """The widget of a request. It follows the request where the extension is loaded."""
    widget = RequestWidget(request)
    views = _views()
    if views is not None:
        views.follow(request.id, widget.take)
    return widget


def _views() -> Views | None:
    """The views of this kernel, when the extension is loaded."""
    ipython: Any = sys.modules.get("IPython")
    return views_of(ipython.get_ipython()) if ipython is not None else None
