"""What goes into an export and what does not, as text: a line for each statement of the notebook, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from jupyter_durable.core.escaping import escaped
from jupyter_durable.export.selection import Decision

HEAD: Final = ("cell", "", "what", "why")
WIDTH: Final = 40
"""Characters of what a statement binds that are shown."""


def table(decisions: Sequence[Decision], *, kept_only: bool = False) -> str:
    """The decisions, aligned, without trailing space. Text of the notebook has its control characters escaped."""
    rows = [HEAD, *(_row(each) for each in decisions if each.kept or not kept_only)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [f"{row[0]:>{widths[0]}}  {row[1]:{widths[1]}}  {row[2]:{widths[2]}}  {row[3]}".rstrip() for row in rows]
    kept = sum(each.kept for each in decisions)
    return "\n".join([*lines, f"{kept} of {len(decisions)} statements go in."])


def _row(decision: Decision) -> tuple[str, str, str, str]:
    what = escaped(decision.what)
    short = f"{what[: WIDTH - 1]}…" if len(what) > WIDTH else what
    return str(decision.cell), "kept" if decision.kept else "dropped", short, escaped(decision.why)
