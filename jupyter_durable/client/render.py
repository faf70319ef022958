"""Requests and trees as plain text, for terminals, logs and notebooks without a front end."""

from __future__ import annotations

from typing import Final

from jupyter_durable.code.credentials import masked
from jupyter_durable.core import outline
from jupyter_durable.core.calltree import CallNode, Counts, spoken, summary, walk
from jupyter_durable.core.escaping import escaped
from jupyter_durable.core.metrics import measured, told, unpacked
from jupyter_durable.core.model import RequestRow, Status

MARKS: Final = {
    Status.SUCCEEDED: "✓",
    Status.FAILED: "✕",
    Status.RUNNING: "●",
    Status.CANCELLED: "⊘",
    Status.INTERRUPTED: "◌",
    Status.QUEUED: "…",
    Status.WAITING: "…",
}
FOLD: Final = outline.FOLD
"""More children of one name than this are one line."""
DEEPEST: Final = 40
"""Levels that are indented."""


def request_text(row: RequestRow, status: str, counts: Counts | None) -> str:
    """A request in one line."""
    told = f" · {summary(counts)}" if counts is not None else ""
    error = f" · {escaped(masked(row.error))}" if row.error and status != Status.SUCCEEDED else ""
    return f"{MARKS.get(status, '?')} {row.id} {escaped(row.application)} {status} · run {row.run}{told}{error}"


def call_text(node: CallNode) -> str:
    """A call in one line."""
    source = "from checkpoint" if node.source == "checkpoint" else "ran"
    parts = [f"{MARKS.get(node.status, '?')} {escaped(node.label)}", source]
    if node.attempts > 1:
        parts.append(f"{node.attempts} attempts")
    if node.duration is not None:
        parts.append(_lasted(node.duration))
    if node.row.metrics:
        parts.append(escaped(told(measured(unpacked(node.row.metrics)))))
    if not node.stored:
        parts.append("not checkpointed")
    parts += [f"△ {what}" for what in drift(node)]
    if node.progress is not None and node.status == Status.RUNNING:
        parts.append(f"{node.progress.current:g} of {node.progress.total:g}")
    return " · ".join(parts)


def drift(node: CallNode) -> list[str]:
    """What to know of a reuse, each in two or three words."""
    marks = (
        (node.args_changed, "arguments changed"),
        (node.not_comparable, "arguments not comparable"),
        (node.code_changed, "code changed"),
        (node.file_changed, "file changed"),
    )
    return [what for holds, what in marks if holds]


def _lasted(seconds: float) -> str:
    """A duration; in milliseconds where it would be none."""
    if seconds >= 0.05:
        return spoken(seconds)
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.001 else "< 1 ms"


def tree_text(root: CallNode) -> str:
    """The tree, one call a line; many siblings of one name and state are folded."""
    lines: list[str] = []
    hidden: set[int] = set()
    for node in walk(root):
        if node.parent in hidden or node.identity in hidden:
            hidden.add(node.identity)
            continue
        lines.append(_indent(node.depth) + call_text(node))
        for folded, line in _folds(node):
            hidden.update(folded)
            lines.append(_indent(node.depth + 1) + line)
    return "\n".join(lines)


def _indent(depth: int) -> str:
    """Two spaces a level; deeper than a line is wide the level is said: 10,000 levels would be 100 MB of spaces."""
    return "  " * depth if depth <= DEEPEST else f"{'  ' * DEEPEST}(level {depth:,}) "


def _folds(node: CallNode) -> list[tuple[set[int], str]]:
    groups: dict[tuple[str, str, str], list[CallNode]] = {}
    for child in node.children:
        groups.setdefault((child.name, child.status, child.source), []).append(child)
    folds = []
    for (name, status, source), children in groups.items():
        if len(children) > FOLD and status != Status.FAILED:
            told = "from checkpoint" if source == "checkpoint" else "ran"
            line = f"{MARKS.get(status, '?')} {escaped(name)} ×{len(children)} · {told}"
            folds.append(({child.identity for child in children}, line))
    return folds
