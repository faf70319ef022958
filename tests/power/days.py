"""The workloads whose disk is recorded: everything that writes to a store, with a mark for whatever a user was told.

Runs in a fork of the server, with the recorder. A day of the shapes of `tests.crash.shapes` is one run of its
application; the long day has several requests, a replay, a submit, a pin, a delete, a sweep, a new key, and restarts.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from jupyter_durable.client import Engine, Request, list_requests, run_local_application
from jupyter_durable.serializer.signing import KeyFile
from jupyter_durable.store import mounts
from jupyter_durable.store.location import default_url
from jupyter_durable.store.sqlite import commits, journal, link
from tests.crash import witness
from tests.crash.case import open_engine
from tests.crash.mutants import replace
from tests.crash.shapes import SHAPES, START
from tests.crash.witness import ACCEPTED, Event, Witness, line, short

SETTLED: Final = "settled"
"""A request has ended, and its caller knows: the request, its status and output."""
BEGUN: Final = "begun"
"""A request is replayed: what was said of its end no longer holds."""
DELETING: Final = "deleting"
DELETED: Final = "deleted"
PINNED: Final = "pinned"
WAL: Final = "wal"
ROLLBACK: Final = "rollback"
LONG: Final = "long day"
PLACE: Final = "made/by us"
"""Where the store lies in the folder that is recorded: the directories above it are new, too."""
CHECKPOINT_EVERY: Final = 7

SOURCE: Final = """
import os
@function()
def small(key): return ran(key)
@function()
def large(key): return ran(key, 70_000)
@function()
def outer(key):
    got(f"{key}.in", small(f"{key}.in"))
    return ran(key)
@function()
def keeps(key):
    value = ran(key)
    RequestContext.get().state.set(key, value)
    return value
@application()
def flow(day):
    keys = [f"{day}.{name}" for name in ("one", "two")]
    values = [got(key, small(key)) for key in keys]
    values += [got(key, make(key))[:40] for make, key in ((large, f"{day}.large"), (outer, f"{day}.outer"))]
    values.append(got(f"{day}.state", keeps(f"{day}.state")))
    items = [f"{day}.item{i}" for i in range(3)]
    values += [got(key, value) for key, value in zip(items, small.map(items))]
    if day == "b" and not os.path.exists("mended"):
        raise OSError("not yet")
    return values
"""


class Recorded(Witness):
    """A witness that speaks into the trace."""

    def __init__(self, shim: Any) -> None:
        super().__init__(os.open(os.devnull, os.O_WRONLY), 0, lambda: None)
        self._mark = shim.power_mark

    def say(self, kind: str, key: str, detail: str = "") -> None:
        text = line(Event(self.process, kind, key, detail))
        self._mark(text, len(text))


def record(home: Path, trace: Path, day: str, kind: str, plant: Callable[[], None] | None) -> dict[str, Any]:
    """Live a day on a new store below `home` (absolute), whose disk goes to `trace`."""
    shim = witness.shim()
    witness.holder[:] = [Recorded(shim)]
    for module in (commits, journal, link):
        replace(module, "CHECKPOINT_EVERY", CHECKPOINT_EVERY)
    use(kind)
    if plant is not None:
        plant()
    shim.power_record(os.fsencode(home), os.fsencode(trace))
    try:
        engine = open_engine(home / PLACE)
        _long_day(engine, home) if day == LONG else _shape(engine, day)
    finally:
        shim.power_end()
    return {}


def use(kind: str) -> None:
    """Let stores of this process have a write-ahead log, or the rollback journal that network file systems get."""
    replace(link, "is_network", lambda path: kind == ROLLBACK)
    assert hasattr(mounts, "is_network")


def ended(request: Request) -> str:
    """How a request ended, in short."""
    return f"{request.status} {short(request.output()) if request.status == 'succeeded' else ''}"


def _settled(request: Request) -> Request:
    witness.witness().say(SETTLED, request.id, ended(request))
    return request


def _shape(engine: Engine, day: str) -> None:
    exec(START + SHAPES[day].source, vars(sys.modules["__main__"]))
    _settled(run_local_application(vars(sys.modules["__main__"])["flow"]))
    engine.store.close()


def _long_day(engine: Engine, home: Path) -> None:
    say = witness.witness().say
    names = vars(sys.modules["__main__"])
    exec(START + SOURCE, names)
    first = _settled(run_local_application(names["flow"], "a"))
    second = _settled(run_local_application(names["flow"], "b"))
    Path("mended").touch()
    say(BEGUN, second.id)
    _settled(second.replay())
    third = names["flow"].submit("c", idempotency_key="c")
    say(ACCEPTED, third.id)
    third.wait(100)
    _settled(third)
    say(DELETING, first.id, "a")
    first.delete()
    say(DELETED, first.id)
    second.pin()
    say(PINNED, second.id)
    engine.store.close()

    KeyFile(Path(default_url().removeprefix("sqlite:///")).parent / "key").rotate()
    engine = open_engine(home / PLACE)
    names = vars(sys.modules["__main__"])
    exec(START + SOURCE, names)
    fourth = _settled(run_local_application(names["flow"], "d"))
    say(DELETING, third.id, "c")
    say(DELETING, fourth.id, "d")
    engine.store.gc(older_than=-1.0, now=time.time() + 1.0, dry_run=False)
    say(DELETED, third.id)
    say(DELETED, fourth.id)
    fifth = _settled(run_local_application(names["flow"], "e"))
    assert {request.id for request in list_requests()} == {second.id, fifth.id}
    engine.store.close()
