"""What must hold of a case, judged from the log outside of the store and from what the store said after each kill.

A call is in one of three states: started, acknowledged (its caller had the value), or durable but not acknowledged
(killed after the commit, before the return). The letters are those of the laws of the design.

a  acknowledged or durable: never executed again in a replay, and every later value of it is the same one
b  executed at most 1 + kills while it was in flight
c  a value is the one of its own call
e  an accepted request is never lost
f  the store opens after every kill, and is whole
i  attempts count on over kills; no retry beyond the budget
r  (drills) what a replay sets aside commits with the start of its run
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from tests.crash.shapes import Shape
from tests.crash.witness import ACCEPTED, ACKNOWLEDGED, STARTED, Event


class Look(NamedTuple):
    """What the store said after a kill, read in another process from a copy."""

    process: int
    """The process that was killed."""
    error: str
    """Why it could not be read; empty when it could."""
    integrity: str
    requests: list[str]
    durable: dict[str, str]
    """Value, in short, of each call that is recorded as succeeded, by key; a value that was dropped is empty."""
    doubled: list[str]
    """Keys with more than one recorded success."""
    runs: int
    """Runs of the first request."""


class Run(NamedTuple):
    """All that was seen of one case."""

    shape: Shape
    events: Sequence[Event]
    killed: Sequence[int]
    """Processes that died by SIGKILL."""
    looks: Sequence[Look]
    failure: str
    """Why the last, undisturbed process did not reach its end; empty when it did."""
    output: list[str] | None


def judge(run: Run) -> list[str]:
    """Which laws were broken, in words that begin with their letter."""
    broken = [f"stuck or failed: {run.failure}"] if run.failure else []
    return broken + _values(run) + _executions(run) + _budgets(run) + kept(run) + _output(run)


def _of(run: Run, kind: str) -> dict[str, list[Event]]:
    found: dict[str, list[Event]] = defaultdict(list)
    for event in run.events:
        if event.kind == kind and not event.key.startswith("__"):
            found[event.key].append(event)
    if kind == ACKNOWLEDGED and run.shape.starts_over:
        return defaultdict(list, {key: [event for event in events if event.detail.startswith(f"{key}:")]
                                  for key, events in found.items()})  # fmt: skip
    return found


def _values(run: Run) -> list[str]:
    broken = []
    for key, events in _of(run, ACKNOWLEDGED).items():
        values = {event.detail for event in events}
        if len(values) > 1:
            broken.append(f"a: {key} was acknowledged with different values {sorted(values)}")
        broken += [f"c: {key} got the value {value}" for value in values if not value.startswith(f"{key}:")]
    return broken


def _executions(run: Run) -> list[str]:
    broken = []
    acknowledged = _of(run, ACKNOWLEDGED)
    for key, started in _of(run, STARTED).items():
        had = {event.process for event in acknowledged[key]}
        again = [event.process for event in started if any(process < event.process for process in had)]
        again += [event.process for event in started for look in run.looks
                  if look.process < event.process and key in look.durable]  # fmt: skip
        if again:
            broken.append(f"a: {key} was acknowledged or durable, and executed again in processes {sorted(set(again))}")
        if key in run.shape.budgets:
            continue
        in_flight = {event.process for event in started if event.process in run.killed and event.process not in had}
        if len(started) > 1 + len(in_flight):
            broken.append(f"b: {key} was executed {len(started)} times, killed in flight {len(in_flight)} times")
    return broken


def _budgets(run: Run) -> list[str]:
    broken = []
    for key, started in _of(run, STARTED).items():
        budget = run.shape.budgets.get(key)
        if budget is None:
            continue
        for before, after in itertools.pairwise(started):
            number, last = int(after.detail), int(before.detail)
            # A process between the two may have begun the fresh budget and died before the function could say so.
            unseen = sum(before.process < process < after.process for process in run.killed)
            fresh = number <= 1 + unseen and last >= budget and before.process < after.process
            if number <= last and not fresh:
                broken.append(f"i: {key} was tried as number {number} after number {last}")
            if before.process == after.process and number > budget:
                broken.append(f"i: {key} was tried {number} times, its budget is {budget}")
    return broken


def kept(run: Run) -> list[str]:
    """Which laws the stores that were looked at break: what was acknowledged is there, and is whole."""
    broken = []
    acknowledged = _of(run, ACKNOWLEDGED)
    for look in run.looks:
        seen = [event for event in run.events if event.process <= look.process]
        after = f"after process {look.process} was killed"
        if look.error or look.integrity != "ok":
            broken.append(f"f: {after} the store was not whole: {look.error or look.integrity}")
            continue
        broken += [f"b: {after} {key} had two outcomes" for key in look.doubled]
        accepted = {event.key for event in seen if event.kind == ACCEPTED}
        broken += [f"e: {after} request {id} was gone" for id in sorted(accepted - set(look.requests))]
        if not look.requests and any(event.kind == STARTED for event in seen):
            broken.append(f"e: {after} there was no request, though calls of it had run")
        for key, events in acknowledged.items():
            had = [event for event in events if event.process <= look.process]
            kept = look.durable.get(key)
            if had and kept is None:
                broken.append(f"a: {after} {key}, which was acknowledged, was not in the store")
            elif had and kept != had[0].detail and not (kept == "" and key.startswith(run.shape.dropped)):
                broken.append(f"c: {after} {key} had the value {kept}, acknowledged was {had[0].detail}")
    return broken


def _output(run: Run) -> list[str]:
    if run.output is None:
        return [] if run.failure else ["stuck or failed: the request succeeded and has no output"]
    keys = [value.partition(":")[0] for value in run.output]
    # Killed in the last commit of the first run, the request succeeded with the code of then.
    if run.shape.output and "gone" not in keys and keys != run.shape.output.split():
        return [f"c: the output is that of {keys}"]
    acknowledged = {event.detail.split("|")[0] for event in run.events if event.kind == ACKNOWLEDGED}
    return [f"c: the output has {value}, which nobody got" for value in run.output if value[:40] not in acknowledged]
