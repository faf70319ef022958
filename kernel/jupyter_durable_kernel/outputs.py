"""Outputs of cells that show requests, in the form that the display setting asks for.

Rules of this file
- An output keeps its display id for as long as its request, and whoever replays it there, has something to show.
- Without anywidget a request is shown as if nothing had been said; `request.widget()` says what to install.
- A widget changes by itself: its output is written when it appears, and once more when the run has ended, so that what
  stands for it in a saved notebook is its last state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_durable.client.request import Request
from jupyter_durable.core.model import Status
from jupyter_durable_kernel.saving import HTML, MIME, TEXT, WIDGET, Bundle, shaped

if TYPE_CHECKING:
    from jupyter_durable.client.engine import Engine


class Outputs:
    """Publishes views."""

    def __init__(self, shell: Any, engine: Engine) -> None:
        self._shell = shell
        self._engine = engine
        self.continued: dict[str, str] = {}
        """Display ids of runs that go on in the output of an earlier run, to the id of that output."""
        self._widgets: dict[str, Bundle] = {}
        """Widgets of runs that have not ended, by display id."""

    def publish(self, bundle: Bundle, id: str, update: bool) -> None:
        """Show or update an output."""
        shown = self.continued.get(id)
        update = update or shown is not None
        made: Bundle | None = bundle
        if self._engine.settings.display == WIDGET:
            made = self._as_widget(bundle, shown or id)
        if made is not None:
            data = shaped(made, self._engine.settings.display)
            self._shell.display_pub.publish(
                data=data, metadata={}, transient={"display_id": shown or id}, update=update
            )

    def _as_widget(self, bundle: Bundle, display: str) -> Bundle | None:
        """A widget with what stands for it; None where the one that is there shows it already."""
        request = bundle[MIME]["request"]
        ended = request["status"] != Status.RUNNING
        widget = self._widgets.pop(display, None)
        if widget is None:
            widget = as_widget(Request(self._engine, self._engine.store.request(request["id"])))
            if widget is None:
                return bundle
        elif not ended:
            self._widgets[display] = widget
            return None
        if not ended:
            self._widgets[display] = widget
        return {**widget, HTML: bundle[HTML], TEXT: bundle[TEXT]}


def as_widget(request: Request) -> Bundle | None:
    """The bundle of a new widget of a request; None where anywidget is not installed."""
    try:
        from jupyter_durable_kernel.widget import shown_as_widget
    except ImportError:
        return None
    return shown_as_widget(request)
