"""Outputs of cells that show requests, in the form that the display setting asks for.

Rules of this file
- A view is the first output of its cell. Whoever puts out anything first takes the places of the views that may come:
  an empty output each, which the view fills. A cell that puts out nothing has no such place.
- A front end knows no way to take one output away: the place of a view that never comes stays, empty.
- What is begun for a view (a fork, a replay) puts out where that view stands, not where a cell has executed last; where
  that is not known here, its view is shown nowhere: the page follows it by its id.
- An output keeps its display id for as long as its request, and whoever replays it there, has something to show.
- Without anywidget a request is shown as if nothing had been said; `request.widget()` says what to install.
- A widget changes by itself: its output is written when it appears, and once more when the run has ended, so that what
  stands for it in a saved notebook is its last state.
"""

from __future__ import annotations

import contextvars
import os
import threading
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jupyter_durable.client.request import Request
from jupyter_durable.core.model import Status
from jupyter_durable.errors import SDKUsageError
from jupyter_durable_kernel.view.saved_forms import EMPTY, HTML, MIME, TEXT, WIDGET, Bundle, empty, shaped

if TYPE_CHECKING:
    from jupyter_durable.client.engine import Engine


@dataclass(slots=True)
class Place:
    """The output in which a view stands, or will."""

    display: str
    """Its display id."""
    bundle: Bundle
    """What was put there last."""
    due: bool = True
    """Whether it is to be put out before anything else is."""
    there: bool = False
    """Whether it has been put out."""
    nowhere: bool = False
    """Whether there is no cell that it belongs to."""


class Outputs:
    """Publishes views."""

    def __init__(self, shell: Any, engine: Engine) -> None:
        self._publish = shell.display_pub.publish  # the cell's own, also while `%%capture` keeps what is displayed
        self._engine = engine
        self.continued: dict[str, str] = {}
        """Display ids of runs that go on in the output of an earlier run, to the id of that run."""
        self._widgets: dict[str, Bundle] = {}
        """Widgets of runs that have not ended, by display id."""
        self._lock = threading.RLock()
        self._places: list[Place] = []
        """Of the views of the cell that executes, in their order."""
        self._expected: Place | None = None
        """Of the first view of the cell, until its run begins."""
        self._filled: dict[str, str] = {}
        """Display ids of runs whose place was taken before they began, to that of the place."""
        self._shown: dict[str, str] = {}
        """Requests that were shown, by the display id of their place; of a place where none was, nothing."""
        self._handed_on: set[str] = set()
        """Places whose last state somebody writes into the notebook."""
        self._context = contextvars.copy_context()
        self._cells: dict[str, contextvars.Context] = {}
        """What a cell puts out goes by, by the display ids of the views in it."""
        self._begun_for: contextvars.ContextVar[str | None] = contextvars.ContextVar("durable_begun_for", default=None)
        """Display id of the view for which something was begun on a thread."""
        self._process = os.getpid()

    # places

    def begin_cell(self, *, expecting: bool) -> None:
        """A cell begins; `expecting`: it may well make a request."""
        with self._lock:
            self._context = contextvars.copy_context()
            self._expected = Place(f"durable-{uuid.uuid4().hex[:12]}", EMPTY) if expecting else None
            self._places = [self._expected] if self._expected is not None else []

    def reserve(self, id: str) -> Place:
        """The place of a run that begins, by the display id of the run."""
        with self._lock:
            if id in self.continued:
                before = self.continued[id]
                going_on = Place(self._filled.get(before, before), EMPTY, due=False, there=True)
                return self._put_into(self._cells.get(before), going_on, id)
            asked_from = self._begun_for.get()
            if asked_from is not None:
                cell = self._cells.get(asked_from)
                return self._put_into(cell, Place(id, EMPTY, due=False, nowhere=cell is None), id)
            place, self._expected = self._expected, None
            if place is None:
                place = Place(id, EMPTY)
                self._places.append(place)
            else:
                self._filled[id] = place.display
            return self._put_into(self._context, place, id)

    def _put_into(self, cell: contextvars.Context | None, place: Place, id: str) -> Place:
        if cell is not None:
            self._cells[id] = self._cells[place.display] = cell
        return place

    def begun_for(self, display: str) -> contextvars.Context:
        """In which to begin what was asked from the view of that display id; it may be none of this kernel."""
        context = self._cells.get(display, contextvars.copy_context()).copy()
        context.run(self._begun_for.set, display)
        return context

    @property
    def waiting(self) -> bool:
        """Whether a place is to be taken before anything else is put out."""
        return any(place.due for place in self._places) and os.getpid() == self._process

    def take_places(self) -> None:
        """Something is about to be put out: views come first."""
        with self._lock:
            for place in self._places:
                if place.due:
                    self._take(place)

    def shown_at(self, display: str) -> str | None:
        """The request that is shown at a place; empty where none is, None for a place of another kernel."""
        return self._shown.get(display)

    def hand_on(self, display: str) -> bool:
        """Whether who asks is the first: two who write into one shared notebook would write twice."""
        with self._lock:
            first = display not in self._handed_on
            self._handed_on.add(display)
            return first

    def cleared(self, *, wait: bool) -> None:
        """The outputs of the cell have been cleared, or will be with the next one (`wait`)."""
        with self._lock:
            for place in self._places:
                place.due = place.due or place.there
                place.there = place.there and wait

    def end_cell(self) -> None:
        """A cell has ended: what it cleared of the views, and put out nothing after, is there again."""
        with self._lock:
            for place in self._places:
                if place.bundle != EMPTY and not place.there:
                    self._take(place)

    # views

    def say(self, bundle: Bundle) -> None:
        """A remark of a line or a few, under the views."""
        if self.waiting:
            self.take_places()
        self._publish(data=bundle, metadata={})

    def publish(self, bundle: Bundle, place: Place) -> None:
        """Show or update a view."""
        made: Bundle | None = bundle
        if self._engine.settings.display == WIDGET:
            made = self._as_widget(bundle, place.display)
        if made is None or place.nowhere:
            return
        with self._lock:
            place.bundle = shaped(made, self._engine.settings.display)
            self._shown[place.display] = bundle[MIME]["request"]["id"]
            self._put(place.bundle, place.display, place.there)
            # One that waits to come first again after `clear_output(wait=True)` still waits.
            place.due, place.there = place.due and place.there, True

    def _take(self, place: Place) -> None:
        self._shown.setdefault(place.display, "")
        bundle = empty(place.display, self._engine.settings.display) if place.bundle == EMPTY else place.bundle
        self._context.copy().run(self._put, bundle, place.display, False)
        place.due, place.there = False, True

    def _put(self, data: Bundle, display: str, update: bool) -> None:
        self._publish(data=data, metadata={}, transient={"display_id": display}, update=update)

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
    """The bundle of a new widget of a request, with what stands for it; None where anywidget is not installed."""
    try:
        made = request.widget()._repr_mimebundle_()
    except SDKUsageError:  # it says what to install, which nobody asked for here
        return None
    return made[0] if made is not None else {}
