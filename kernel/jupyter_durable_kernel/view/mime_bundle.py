"""A state of a request as an output: JSON for our page, `text/html` and `text/plain` in one MIME bundle.

Rules of this file
- Pure: a state and previews in, texts out. Each form is made in a file of its own.
- All forms together are at most `BYTES` in a notebook's file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from jupyter_durable.core.escaping import escaped
from jupyter_durable_kernel.view import as_html, as_json, as_text
from jupyter_durable_kernel.view.call_values import Values
from jupyter_durable_kernel.view.saved_forms import FULL, HTML, MIME, NONE, TEXT
from jupyter_durable_kernel.view.state import State

BYTES: Final = 100_000
"""Of the notebook's file, for JSON, HTML and text together."""


def bundle(state: State, values: Values, save_view: str = FULL) -> dict[str, Any]:
    """The MIME bundle: for our page, for other front ends, for terminals; as much of it as may be saved."""
    if save_view == FULL:
        return {
            MIME: as_json.snapshot(state, values),
            HTML: as_html.view(state, values),
            TEXT: as_text.text(state, values),
        }
    small = as_json.reduced(state, values, save_view)
    if save_view == NONE:
        lines = [f"durable request {state.row.id}: its view is not saved here, %durable show {state.row.id} shows it"]
        return {MIME: small, HTML: as_html.notice(lines), TEXT: lines[0]}
    root = state.root and replace(state.root, children=(), logs=())
    return {
        MIME: small,
        HTML: as_html.view(state._replace(root=root, tallies={}), values),
        TEXT: as_text.text(state._replace(root=None), values),
    }


def notice(lines: Sequence[str], *, warning: bool = False) -> dict[str, str]:
    """A remark of a line or a few."""
    return {
        HTML: as_html.notice(lines, warning=warning),
        TEXT: "\n".join(escaped(line) for line in lines),
    }
