"""What the verbs of `%durable` answer, as text.

Rules of this file
- Records in, texts out; where a text needs more, it reads the store. All foreign text is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from jupyter_durable.client import verbs
from jupyter_durable.client.render import MARKS, tree_text
from jupyter_durable.client.words import moment
from jupyter_durable.core.counting import count, saved_text, spoken, summary
from jupyter_durable.core.escaping import escaped
from jupyter_durable.core.words import FAR
from jupyter_durable.store.base import Finding, Swept
from jupyter_durable_kernel.view.short_values import shortened

if TYPE_CHECKING:
    pass

LINES: Final = 60
"""Calls shown by `show`; `tree` shows all."""


def ago(at: float, now: float) -> str:
    """How long ago, as people say it."""
    seconds = max(0.0, now - at)
    if seconds > FAR:
        return "at no time"
    for length, name in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= length:
            number = int(seconds // length)
            return f"{number} {name}{'s' if number > 1 else ''} ago"
    return "just now"


def table(requests: Sequence[verbs.Info], now: float) -> str:
    """Requests, a line each."""
    if not requests:
        return "no requests"
    rows = [
        (
            f"{MARKS.get(each.status, '?')} {each.status}",
            each.id,
            shortened(escaped(each.application), 28),
            f"run {each.runs}",
            f"{each.reused} from checkpoint · {each.executed} ran" if each.reused else f"{each.executed} ran",
            ago(each.accepted_at, now),
            shortened(escaped(each.error), 60) if each.error else "",
        )
        for each in requests
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def overview(known: verbs.Overview, now: float) -> str:
    """What `%durable` alone says."""
    lines = [f"store: {known.store} ({verbs.spoken_bytes(known.bytes)})"]
    if known.bytes > verbs.LARGE_STORE:
        lines.append("the store is large; %durable gc --older-than 30d --dry-run shows what could go")
    lines += ["running:", table(known.running, now)] if known.running else ["nothing is running"]
    lines += ["last requests:", table(known.last, now)] if known.last else ["no requests yet"]
    return "\n".join([*lines, "help: %durable?"])


def shown(one: verbs.Shown) -> str:
    """What `%durable show` says."""
    info = one.info
    lines = [f"{MARKS.get(info.status, '?')} {escaped(info.application)} {info.status} · {info.id}"]
    if info.error:
        lines.append(escaped(info.error))
    lines.append(f"accepted {moment(info.accepted_at)}" + (f", runs in {info.held_by}" if info.held_by else ""))
    if info.notebook:
        lines.append(f"notebook {escaped(info.notebook)}")
    if info.forked_from:
        lines.append(f"forked from {info.forked_from}")
    if info.pinned:
        lines.append("pinned: gc leaves it alone")
    for run in one.runs:
        last = run.run == info.runs
        reused, executed, gained, sums = (
            (info.reused, info.executed, info.saved, info.saved_metrics)
            if last
            else (run.reused, run.executed, run.saved, ())
        )
        lasted = f" · {spoken(max(0.0, run.finished_at - run.started_at))}" if run.finished_at is not None else ""
        told = f"run {run.run}: {run.mode} {run.status} · {reused} from checkpoint · {executed} ran{lasted}"
        lines.append(" · ".join(part for part in (told, saved_text(gained, sums)) if part))
    if one.root is not None:
        lines.append(summary(count(one.root)))
        calls = tree_text(one.root).split("\n")
        lines += calls[:LINES]
        if len(calls) > LINES:
            lines.append(f"… {len(calls) - LINES:,} more: %durable tree {info.id}")
    return "\n".join(lines)


def logs(printed: Sequence[verbs.Printed]) -> str:
    """What calls printed, under their names."""
    if not printed:
        return "nothing was printed by its calls"
    lines: list[str] = []
    call = ""
    for one in printed:
        if one.call != call:
            lines.append(("\n" if lines and not lines[-1].endswith("\n") else "") + f"{escaped(one.call)}:\n")
            call = one.call
        lines.append("\n".join(escaped(part) for part in one.text.expandtabs(4).split("\n")))
    return "".join(lines).rstrip("\n")


def swept(found: Swept, dry_run: bool) -> str:
    """What garbage collection removed."""
    verb = "would remove" if dry_run else "removed"
    return f"{verb} {len(found.requests)} requests and {found.blobs} loose values, {verbs.spoken_bytes(found.bytes)}"


def findings(found: Sequence[Finding]) -> str:
    """What `doctor` found."""
    marks = {"ok": "✓", "warning": "△", "error": "✕"}
    return "\n".join(f"{marks.get(one.level, '?')} {one.text}" for one in found)
