"""What calls measured, summed: records into sums, sums into text.

Rules of this file
- Names and units are the user's: a counter is added up under its name, a timer is seconds.
- A call's row holds the sums of its subtree (`packed`), so that they are known wherever it is served.
- Kept text may be damaged: what is no sum counts as none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from jupyter_durable.core.words import spoken
from jupyter_durable.records import NamedTuple

COUNTER: Final = "counter"
TIMER: Final = "timer"
MOST_NAMES: Final = 50
"""Names that one call sums; records of more are kept, but in no sum."""
_TOLD: Final = 4
_NAME: Final = 40

Totals = dict[tuple[str, str], float]
"""Sums by kind and name."""
Measured = tuple[tuple[str, str, float], ...]
"""The same in order: kind, name, sum."""


def add(totals: Totals, kind: str, name: str, value: float) -> None:
    """One more record."""
    if (kind, name) in totals or len(totals) < MOST_NAMES:
        totals[kind, name] = totals.get((kind, name), 0.0) + value


def merge(totals: Totals, others: Mapping[tuple[str, str], float]) -> None:
    """The sums of another call."""
    for (kind, name), value in others.items():
        add(totals, kind, name, value)


def packed(totals: Mapping[tuple[str, str], float]) -> str | None:
    """As the text of a row; None when there are none."""
    if not totals:
        return None
    import json

    return json.dumps(measured(totals))


def unpacked(text: str | None) -> Totals:
    """The sums in the text of a row."""
    if not text:
        return {}
    import json

    found: Totals = {}
    try:
        for kind, name, value in json.loads(text):
            if kind in (COUNTER, TIMER) and isinstance(name, str) and math.isfinite(value):
                add(found, kind, name, float(value))
    except (ValueError, TypeError, OverflowError, RecursionError):
        return {}
    return found


def measured(totals: Mapping[tuple[str, str], float]) -> Measured:
    """Sums in order: counters, then timers, by name."""
    return tuple((kind, name, value) for (kind, name), value in sorted(totals.items()))


class Sums(NamedTuple):
    """What the summary says of metrics."""

    ran: Measured = ()
    """Of the calls that executed in this run."""
    saved: Measured = ()
    """Of the reused ones, when they ran."""


def sums_of(all_recorded: Totals, all_saved: Totals) -> Sums:
    """Both, from what was recorded in any run and what of it was saved in this one."""
    return Sums(measured(without(all_recorded, all_saved)), measured(all_saved))


def without(totals: Mapping[tuple[str, str], float], others: Mapping[tuple[str, str], float]) -> Totals:
    """What is left of sums when others are taken away; rounding leaves nothing."""
    left = {key: value - others.get(key, 0.0) for key, value in totals.items()}
    return {key: value for key, value in left.items() if abs(value) > 1e-9 * abs(totals[key])}


def told(sums: Measured) -> str:
    """`41,200 tokens, 3 pages, model 3 min 12 s`; of many the first, in the user's names."""
    parts = [_told(*each) for each in sums[:_TOLD]]
    if len(sums) > _TOLD:
        parts.append(f"{len(sums) - _TOLD} more")
    return ", ".join(parts)


def _told(kind: str, name: str, value: float) -> str:
    short = name if len(name) <= _NAME else name[: _NAME - 1] + "…"
    return f"{short} {spoken(value)}" if kind == TIMER else f"{number(value)} {short}"


_LARGE: Final = 1e15
"""Numbers from here on are not written out."""


def number(value: float) -> str:
    """`41,200`, `0.0123`, `12.35`: as many digits as say something."""
    if not abs(value) < _LARGE:
        return f"{value:.3g}"
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.2f}" if abs(value) >= 1 else f"{value:.3g}"


def as_json(sums: Measured) -> list[list[Any]]:
    """Holds only what JSON has."""
    return [list(each) for each in sums]
