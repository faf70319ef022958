"""What must hold of an image: nothing that a user was told before the cut is missing or another.

The laws are those of `tests.crash.oracle`, which judges what a store holds and what a replay on it executes. Besides:

t  what a request was said to have ended with holds; a pinned one is pinned, a deleted one is gone
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from jupyter_durable.client import Request, list_requests
from tests.crash import witness
from tests.crash.case import open_engine, read_all
from tests.crash.oracle import Look, Run, judge, kept
from tests.crash.shapes import SHAPES, START, Shape
from tests.crash.witness import ACCEPTED, Event, Witness, read_log
from tests.power.days import BEGUN, DELETED, DELETING, LONG, PINNED, PLACE, SETTLED, SOURCE, ended

BEFORE: Final = 0
AFTER: Final = 1
"""The process before the cut, and the one that replays."""


class Found(NamedTuple):
    """What an image holds."""

    look: Look
    ends: dict[str, str]
    """How each request ended, as `ended` says it."""
    pinned: frozenset[str]


def unfold(image: dict[str, bytes | None], home: Path) -> None:
    """Write an image into a new folder."""
    home.mkdir(mode=0o700)
    for path, data in image.items():
        if data is None:
            (home / path).mkdir(mode=0o700)
        else:
            descriptor = os.open(home / path, os.O_WRONLY | os.O_CREAT, 0o600)
            os.write(descriptor, data)
            os.close(descriptor)


def look_at(home: Path) -> Found:
    """Open an image with the project's own code, and read all that it holds."""
    nothing = Look(BEFORE, "", "ok", [], {}, [], 0)
    try:
        engine = open_engine(home / PLACE)
        try:
            look = Look(**{**nothing._asdict(), **read_all(engine)})
            requests = list_requests()
            ends = {request.id: ended(request) for request in requests}
            return Found(
                look, ends, frozenset(request.id for request in requests if engine.store.request(request.id).pinned)
            )
        finally:
            engine.store.close()
    except Exception as error:  # noqa: BLE001 - whatever it is, the store did not open
        return Found(nothing._replace(error=f"{type(error).__name__}: {error}"), {}, frozenset())


def judge_image(day: str, events: Sequence[Event], found: Found) -> list[str]:
    """Which laws an image breaks, of what was told in `events`."""
    run = _run(day, events, found)
    broken = kept(run)
    return broken if found.look.error else broken + _ends(events, found)


def _run(day: str, events: Sequence[Event], found: Found, failure: str = "", output: list[str] | None = None) -> Run:
    gone = {event.key: event.detail for event in events if event.kind == DELETING}
    days = tuple(f"{each}." for each in gone.values())
    left = [event for event in events if event.key not in gone and not event.key.startswith(days or "\0")]
    return Run(SHAPES.get(day, Shape("")), left, [BEFORE], [found.look], failure, output)


def _ends(events: Sequence[Event], found: Found) -> list[str]:
    told: dict[str, str | None] = {}
    broken = []
    for event in events:
        if event.kind == SETTLED:
            told[event.key] = event.detail
        elif event.kind == BEGUN:
            told[event.key] = None
        elif event.kind == DELETING:
            told.pop(event.key, None)
        elif event.kind == DELETED and event.key in found.look.requests:
            broken.append(f"t: {event.key} was deleted, and is there")
        elif event.kind == PINNED and event.key not in found.pinned:
            broken.append(f"t: {event.key} was pinned, and is not")
    broken += [
        f"t: {id} ended with {end}, and is {found.ends.get(id, 'gone')}"
        for id, end in told.items() if end is not None and found.ends.get(id) != end
    ]  # fmt: skip
    return broken


def replay(home: Path, day: str, events: Sequence[Event]) -> list[str]:
    """Replay what has not succeeded in an image; which laws that breaks."""
    found = look_at(home)
    log = home.with_name(home.name + ".log")
    witness.holder[:] = [Witness(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT), AFTER, lambda: None)]
    Path("mended").touch()
    open_engine(home / PLACE)
    exec(START + (SOURCE if day == LONG else SHAPES[day].source), vars(sys.modules["__main__"]))
    requests = list_requests()
    if not requests:
        return judge_image(day, events, found)
    outputs: dict[str, list[str]] = {}
    failures = [text for request in requests if (text := _go_on(request, outputs))]
    seen = [*events, *read_log(log.read_text())]
    log.unlink()
    gone = {event.key for event in events if event.kind == DELETING}
    output = [value for id, each in outputs.items() if id not in gone for value in each]
    run = _run(day, seen, found, "; ".join(failures), output)
    accepted = {event.key for event in run.events if event.kind == ACCEPTED}
    return judge(run) + [f"e: {id} is gone" for id in sorted(accepted - set(outputs))]


def _go_on(request: Request, outputs: dict[str, list[Any]]) -> str:
    if request.status != "succeeded":
        request.replay()
    if request.status != "succeeded":
        return f"{request.status}: {request.error}"
    outputs[request.id] = request.output()
    return ""
