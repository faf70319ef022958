"""Cases of three processes: a run, a replay with a wish that is killed, and the replay after it.

"set aside": what `rerun=` sets aside commits with the start of its run, or not at all.
"shifted": what a replay served, and where, is known once an outcome after it is durable; so the next replay, in which
the arguments have changed, finds each call at its new place.
"""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from jupyter_durable.client import Request, list_requests, run_local_application
from tests.crash.case import Order, Stage, Stagehand, Verdict
from tests.crash.oracle import Look
from tests.crash.shapes import START
from tests.crash.witness import ACKNOWLEDGED, STARTED, Event, read_log

SET_ASIDE: Final = """
@function()
def first(i): return ran(f"first{i}")
@function()
def second(i): return ran(f"second{i}")
@application()
def flow():
    return [got(f"first{i}", first(i)) for i in range(3)] + [got(f"second{i}", second(i)) for i in range(2)]
"""
FUNCTIONS: Final = """
@function()
def noise(i): return ran(f"noise{i}")
@function()
def extra(): return ran("extra")
@function()
def last(): return ran("last")
@application()
def flow():
"""
BEFORE: Final = FUNCTIONS + """
    for i in range(3): got(f"noise{i}", noise(i))
    raise OSError("to be replayed")
"""  # fmt: skip
SHIFTED: Final = FUNCTIONS + """
    got("extra", extra())
    for i in range(3): got(f"noise{i}", noise(i))
    got("last", last())
    raise OSError("to be replayed")
"""  # fmt: skip
CHANGED: Final = FUNCTIONS + """
    values = [got("extra", extra())] + [got(f"place{i}", noise(f" with other arguments {i}")) for i in range(3)]
    return values + [got("last", last())]
"""  # fmt: skip


class Seen(NamedTuple):
    """What a drill left behind."""

    events: Sequence[Event]
    look: Look | None
    """The store after the second process was killed; None when it was not."""


def _set_aside(seen: Seen) -> list[str]:
    begun = seen.look is None or seen.look.runs >= 2
    started = Counter(event.key for event in seen.events if event.kind == STARTED)
    had = {event.key for event in seen.events if event.kind == ACKNOWLEDGED and event.process == 1}
    cut_off = {event.key for event in seen.events if event.kind == STARTED and event.process == 1} - had
    broken = []
    for key, count in started.items():
        wanted = {2, 3} if begun and key in cut_off else {2} if begun and key.startswith("first") else {1}
        if count not in wanted:
            broken.append(f"r: the rerun {'had' if begun else 'had not'} begun, and {key} was executed {count} times")
    return broken


def _shifted(seen: Seen) -> list[str]:
    if seen.look is not None and "last" not in seen.look.durable:
        return []
    broken = [f"a: {event.key} was executed again" for event in seen.events
              if event.kind == STARTED and event.process == 2]  # fmt: skip
    for event in seen.events:
        if event.key.startswith("place") and not event.detail.startswith(f"noise{event.key[5:]}:"):
            broken.append(f"c: {event.key} got {event.detail}")
    return broken


class Drill(NamedTuple):
    """Sources of the three processes, what the second asks for, and what must hold."""

    sources: tuple[str, str, str]
    rerun: list[str] | None
    judge: Callable[[Seen], list[str]]


DRILLS: Final = {
    "set aside": Drill((SET_ASIDE, SET_ASIDE, SET_ASIDE), ["first"], _set_aside),
    "shifted": Drill((BEFORE, SHIFTED, CHANGED), None, _shifted),
}


class DrillStage(Stage):
    """A stage whose processes follow a drill."""

    def __init__(self, folder: Path, order: Order) -> None:
        super().__init__(folder, order)
        self.drill = DRILLS[order.shape]

    def _go_on(self, number: int) -> Request:
        names = vars(sys.modules["__main__"])
        exec(START + self.drill.sources[number], names)
        if not number:
            return run_local_application(names["flow"])
        rerun = self.drill.rerun if number == 1 else None
        return list_requests()[0].replay(upgrade_to_latest_version=rerun is None, rerun=rerun)


def play(hand: Stagehand, order: Order) -> Verdict:
    """Run a drill to its end and judge it."""
    key = order.shape, order.scratch
    if key not in hand.counted:
        hand.counted[key] = _count(hand, order)
    stage = DrillStage(hand.folder(order), order)
    kill_at = 1 + int(order.at * hand.counted[key])
    stage.process(0, "before")
    second = stage.process(kill_at, stage.order.moment)
    third = stage.process(0, "before")
    seen = Seen(read_log(stage.log.read_text()), stage.looks[0] if stage.looks else None)
    broken = stage.drill.judge(seen)
    if third.result.get("error"):
        broken.append(f"stuck or failed: {third.result['error']}")
    broken += [f"f: {look.error or look.integrity}" for look in stage.looks if look.error or look.integrity != "ok"]
    if not broken:
        shutil.rmtree(stage.folder)
    return Verdict(len(stage.killed), int(second.killed), stage.slowest, broken, str(stage.folder))


def _count(hand: Stagehand, order: Order) -> int:
    """How many operations the second process has when it is not killed."""
    sound = order._replace(mutant=None)
    rehearsal = DrillStage(hand.folder(sound), sound)
    rehearsal.process(0, "before")
    return int(rehearsal.process(0, "before").result["operations"])
