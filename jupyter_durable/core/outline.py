"""A preview in lines: many calls of one name are one line, and the sum stands above them.

Rules of this file
- Pure: verdicts in, lines out. What is shown, in a notebook, a terminal or a page, is these lines.
- Siblings of one name with the same verdict, for the same reason, are one line where they are more than `FOLD`; what is
  below them is not shown.
- Sums count what the summary of a request counts: calls, items and steps, not the root, nor maps and recorded values.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from jupyter_durable.core.counting import NOT_COUNTED, spoken
from jupyter_durable.core.model import Kind
from jupyter_durable.records import NamedTuple

FOLD: Final = 50
"""More siblings of one name than this are one line."""
LEAST_SAVED: Final = 0.05
"""Seconds that are worth a word."""


class Verdict(NamedTuple):
    """What a replay will do with one recorded call."""

    identity: int
    call: str
    """`name[n]`."""
    depth: int
    verdict: str
    """`reused`, `executed` or `depends on arguments`."""
    why: str
    """Why it is executed, or what to know about its reuse; may be empty."""
    seconds: float | None
    """How long it took when it ran."""
    saves: float
    """Seconds saved by reusing it; 0 where a reused caller already covers it."""
    name: str
    """The function, `name.map` or `name.reduce`."""
    kind: str


class Line(NamedTuple):
    """One call, or many of one name."""

    call: str
    """`name[n]`, or `name ×997`."""
    depth: int
    verdict: str
    why: str
    saves: float
    """Seconds."""
    calls: int


def lines(calls: Sequence[Verdict]) -> list[Line]:
    """The lines of a preview, in program order; a line of many stands where the first of them was."""
    groups = _groups(calls)
    found: list[Line] = []
    hidden: int | None = None
    for at, call in enumerate(calls):
        if hidden is not None and call.depth > hidden:
            continue
        members = groups[at]
        hidden = call.depth if members is not None else None
        if members is None:
            found.append(Line(_called(call), call.depth, call.verdict, call.why, call.saves, 1))
        elif members[0] is call:
            saves = sum(each.saves for each in members)
            found.append(
                Line(f"{call.name} ×{len(members):,}", call.depth, call.verdict, call.why, saves, len(members))
            )
    return found


def _called(call: Verdict) -> str:
    """A cell is one, so it has no number."""
    return call.name if call.kind in (Kind.CELL, Kind.SCRIPT) else call.call


def _groups(calls: Sequence[Verdict]) -> list[list[Verdict] | None]:
    """Of each call the siblings with which it is one line; None for one that has a line of its own."""
    found: dict[tuple[int, str, str, str], list[Verdict]] = defaultdict(list)
    keys = list(_keys(calls))
    for key, call in zip(keys, calls, strict=True):
        found[key].append(call)
    return [found[key] if len(found[key]) > FOLD else None for key in keys]


def _keys(calls: Sequence[Verdict]) -> Iterator[tuple[int, str, str, str]]:
    """What siblings have in common: caller, name, verdict and reason. Calls come in program order."""
    callers: list[int] = []
    for at, call in enumerate(calls):
        del callers[call.depth :]
        yield (callers[-1] if callers else -1), call.name, call.verdict, call.why
        callers.append(at)


class Sums(NamedTuple):
    """Calls of a preview, counted as the summary of a request counts them."""

    reused: int
    executed: int
    depending: int
    """Reused only if their arguments stay the same."""
    marks: tuple[tuple[str, int], ...]
    """What is to know of reused calls, and of how many."""


def sums(calls: Sequence[Verdict]) -> Sums:
    """How many calls a replay would reuse and execute."""
    counted = [call for call in calls if call.depth and call.kind not in NOT_COUNTED]
    verdicts = Counter(call.verdict for call in counted)
    kept = [call for call in calls if call.verdict == "reused" and call.kind not in NOT_COUNTED]
    marks = Counter(_mark(call.why) for call in kept if call.why)  # of the root too: it may have read a file
    return Sums(verdicts["reused"], verdicts["executed"], verdicts["depends on arguments"], tuple(marks.items()))


def summary(calls: Sequence[Verdict], saved: float) -> str:
    """`56 reused · 4 executed · saves 3 min 12 s`, with what is to know about the reused ones."""
    found = sums(calls)
    said = [f"{found.reused:,} reused", f"{found.executed:,} executed"]
    depending = found.depending
    said += [f"{depending:,} depend{'' if depending > 1 else 's'} on arguments"] if depending else []
    said += [f"saves {spoken(saved)}"] if saved >= LEAST_SAVED else []
    said += [f"{count:,} reused though {why}" for why, count in found.marks]
    return " · ".join(said)


def _mark(why: str) -> str:
    """What is to know about a reuse, without the name of the file."""
    return "a file changed" if why.startswith("file ") else why


def text(calls: Sequence[Verdict], saved: float) -> str:
    """The sum and the lines as a table."""
    shown = [("  " * line.depth + line.call, line) for line in lines(calls)]
    width = max((len(label) for label, _ in shown), default=0)
    rows = [f"{label:<{width}}  {line.verdict}{': ' + line.why if line.why else ''}" for label, line in shown]
    return "\n".join([summary(calls, saved), *rows])
