"""Calls that are served from their checkpoints; and a request of a million calls.

The application raises at its end, so that its replays run its body again; what it measured is in the message.
"""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path
from typing import Any

from benchmarks.floor import BareTable, recorded_row
from benchmarks.measure import Figure, Size, paired, resident, seconds_of
from jupyter_durable import Request, RequestError, application, function, run_local_application
from jupyter_durable.client import this_engine
from jupyter_durable.core.model import ROOT

REPLAYS = 15
BAR_US = 10.0


@function()
def recorded(number: int) -> int:
    return number


@application()
@function()
def many(count: int) -> None:
    """`count` calls in ten parts, each timed."""
    parts, part = [], max(1, count // 10)
    before = resident()
    for first in range(0, count, part):
        start = time.perf_counter()
        for number in range(first, min(first + part, count)):
            recorded(number)
        parts.append((time.perf_counter() - start) / part)
    raise RequestError(json.dumps({"parts": parts, "memory": resident() - before}))


def _measured(request: Request) -> dict[str, Any]:
    text = str(request.error)
    found: dict[str, Any] = json.loads(text[text.index("{") : text.rindex("}") + 1])
    return found


def run(size: Size, folder: Path) -> list[Figure]:
    """A request of some calls, replayed several times, in turn with reading and loading as many rows."""
    recorded(1)
    bare = BareTable(folder / "bare-replay.db", recorded_row())
    bare.together(size.recorded)
    request = run_local_application(many, size.recorded)
    pairs = paired(
        {
            "bare": lambda: bare.load(size.recorded),
            "reused": lambda: statistics.mean(_measured(request.replay())["parts"]),
        },
        REPLAYS,
    )
    name, against = f"reused call at {size.recorded:,}", "point read and load"
    took, floor = pairs.median("reused") * 1e6, pairs.median("bare") * 1e6
    return [Figure("replay", name, took, "us", None, floor, against, pairs.ratio("reused", "bare"), 2.0)]


def run_million(size: Size, _: Path) -> list[Figure]:
    """A very long request: it runs, it replays, it lists."""
    count = size.million
    request = run_local_application(many, count)
    first = _measured(request)
    again = _measured(request.replay())
    store, serial = this_engine().store, request._row.serial
    page = statistics.median(
        seconds_of(lambda at=at: store.children(serial, ROOT, at, 100))  # type: ignore[misc]
        for at in range(1, count, max(1, count // 20))
    )
    case = f"{count:,} calls"
    parts = first["parts"]
    return [
        Figure(case, "a call", statistics.mean(parts) * 1e6, "us"),
        Figure(
            case,
            "last tenth of the run",
            parts[9] * 1e6,
            "us",
            None,
            parts[0] * 1e6,
            "first tenth",
            parts[9] / parts[0],
        ),
        Figure(case, "memory of the run", first["memory"] * 1e-6, "MB"),
        Figure(case, "reused call", statistics.mean(again["parts"]) * 1e6, "us", BAR_US),
        Figure(case, "memory of the replay", again["memory"] * 1e-6, "MB"),
        Figure(case, "a page of 100 calls", page * 1e3, "ms"),
    ]
