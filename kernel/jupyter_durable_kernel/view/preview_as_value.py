"""A preview as the value of a cell: the sum, and below it what a replay would do with each call.

Rules of this file
- Pure: a preview in, texts out; the lines are those of `core/outline.py`, some at most.
- Names and reasons are foreign text: masked, escaped, and no markup.
"""

from __future__ import annotations

import html
from typing import Any, Final

from jupyter_durable.code.credentials import masked
from jupyter_durable.core import outline
from jupyter_durable.core.escaping import escaped
from jupyter_durable.core.selection import Preview
from jupyter_durable_kernel.view.saved_forms import HTML, TEXT

SHOWN: Final = 300
"""Lines that a notebook shows and keeps."""
OPEN: Final = 12
"""So many lines stand open."""
_CELL: Final = "text-align:left;padding:1px 16px 1px 0"
_QUIET: Final = "color:var(--jp-ui-font-color2,#757575)"


def bundle_of(preview: Preview) -> dict[str, Any]:
    """The MIME bundle of a preview."""
    text = str(preview).split("\n")
    more = [f"… {len(text) - 1 - SHOWN:,} more lines"] if len(text) > SHOWN + 1 else []
    return {TEXT: "\n".join([*(escaped(masked(line)) for line in text[: SHOWN + 1]), *more]), HTML: _html(preview)}


def _html(preview: Preview) -> str:
    lines = outline.lines(preview.calls)
    rows = "".join(_row(line) for line in lines[:SHOWN])
    more = f'<div style="{_QUIET}">… {len(lines) - SHOWN:,} more lines</div>' if len(lines) > SHOWN else ""
    opened = " open" if len(lines) <= OPEN else ""
    return (
        '<div style="font:13px/1.5 var(--jp-ui-font-family,system-ui,sans-serif)">'
        f"<details{opened}><summary><b>{_text(outline.summary(preview.calls, preview.saved))}</b></summary>"
        f'<table style="border-collapse:collapse">{rows}</table>{more}</details></div>'
    )


def _row(line: outline.Line) -> str:
    why = f' <span style="{_QUIET}">{_text(line.why)}</span>' if line.why else ""
    return (
        f'<tr><td style="{_CELL};padding-left:{18 * line.depth}px"><code>{_text(line.call)}</code></td>'
        f'<td style="{_CELL}">{_text(line.verdict)}{why}</td></tr>'
    )


def _text(text: str) -> str:
    return html.escape(escaped(masked(text)))
