"""What of a view is saved in a notebook, and in which of its forms.

Rules of this file
- Pure: bundles in, bundles out. Sizes are those of the notebook's file: it indents what is JSON.
- `save_view`: `full` is the view; `summary` is how the request went, without its calls; `none` is its id alone. Of the
  last two the page asks the kernel, or the server, for the rest when it is opened: nothing else is written down.
- `display`: `auto` is every form; `mime`, `html` and `text` are that one and plain text; `widget` is that of
  `request.widget()`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

WIDGET: Final = "widget"
FULL: Final = "full"
SUMMARY: Final = "summary"
NONE: Final = "none"
MIME: Final = "application/vnd.jupyter-durable.request+json"
HTML: Final = "text/html"
TEXT: Final = "text/plain"
DEPTH: Final = 6
"""Levels above one form of an output in a notebook's file."""
_FORMS: Final = {"mime": (MIME, TEXT), "html": (HTML, TEXT), "text": (TEXT,)}
Bundle = dict[str, Any]
EMPTY: Final[Bundle] = {HTML: "", TEXT: ""}
"""The place of a view that has not come: it takes no room in a page, and nbconvert finds a form that it knows."""


def empty(place: str, display: str) -> Bundle:
    """The same with the name of the place, by which the page finds its view where somebody drops what fills it."""
    return {MIME: {"place": place}, **EMPTY} if display in ("auto", "mime") else EMPTY


def is_empty(bundle: Bundle) -> bool:
    """Whether a bundle is the place of a view that has not come."""
    return {form: bundle[form] for form in bundle if form != MIME} == EMPTY


def shaped(bundle: Bundle, display: str) -> Bundle:
    """The forms of a view that a display setting asks for."""
    forms = _FORMS.get(display)
    return bundle if forms is None else {form: bundle[form] for form in forms if form in bundle}


def saved_size(form: Any) -> int:
    """Bytes of one form of an output in a notebook's file; a text of several lines is a list of lines there."""
    value = form.splitlines(keepends=True) if isinstance(form, str) else form
    compact = json.dumps(value, ensure_ascii=False, separators=(",", ": "))
    return len(compact.encode("utf-8", "replace")) + _indents(value, DEPTH)


def _indents(value: Any, depth: int) -> int:
    if not isinstance(value, dict | list | tuple) or not value:
        return 0
    items = value.values() if isinstance(value, dict) else value
    return len(value) * (depth + 2) + depth + 1 + sum(_indents(item, depth + 1) for item in items)


def fitted(make: Callable[[int], Any], limit: int, room: int) -> Any:
    """What `make` gives for the largest number of calls, up to `limit`, with which it takes at most `room` bytes."""
    while True:
        made = make(limit)
        size = saved_size(made)
        if size <= room or limit <= 1:
            return made
        limit = max(1, min(limit * 3 // 4, limit * room // size))
