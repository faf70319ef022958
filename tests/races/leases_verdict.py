"""What a race of processes must have come to, exactly: who ran the request, who was told what, what was executed.

Rules of this file
- Executions are counted by process, outside of the store: who says that it ran the request began each call that was
  open once, who was refused began none, and who was cut off began a call once or not at all.
- The one that acts against the request (cancels, deletes, sweeps) comes before, after or in between; each leaves one
  thing to be seen in the end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

AGAINST: Final = ("cancel", "delete", "gc")
"""Deeds of the last racer against the request, while the others want to replay it."""
GONE: Final = "gone"
"""What the racer says that has removed it."""
PARTS: Final = 3
HELD: Final = "part1"
"""The call in which owner and winner stay."""


class Race(NamedTuple):
    """What a race is to be."""

    seed: int
    owner: str
    deed: str
    racers: int
    mutant: str | None = None


class Seen(NamedTuple):
    """What was seen of a race."""

    ends: Mapping[int, str]
    """How each racer ended."""
    owner: str | None
    """How the owner ended, where it lived to say so."""
    started: Sequence[tuple[int, str]]
    """Process and key of each call that began, in their order."""
    found: Any
    """The requests that are there in the end: status, number of runs, output."""
    pids: Mapping[int, int]


def judged(race: Race, seen: Seen) -> Iterator[str]:
    """What was wrong with a race."""
    if race.deed not in AGAINST:
        yield from _run_once(race, seen)
    elif seen.ends[race.racers] == GONE:
        yield from _removed(seen)
    else:
        yield from _run_beside(race, seen)
    yield from _told(race, seen)


def _run_once(race: Race, seen: Seen) -> Iterator[str]:
    """One has run it: the owner that lives, or one racer."""
    executed = Counter(key for _, key in seen.started)
    twice = int(race.owner in ("dead", "zombie", "failed", "taken over"))
    if executed != {f"part{i}": 1 + twice * (f"part{i}" == HELD) for i in range(PARTS)}:
        yield f"executed {dict(executed)}"
    winners = sum(end in ("ran", "submitted succeeded") for end in seen.ends.values())
    if race.owner in ("alive", "stopped"):
        if seen.owner != "ran" or winners:
            yield f"a live owner ended with {seen.owner}, {winners} ran beside it"
    elif race.deed != "submit" and winners != 1:
        yield f"{winners} ran it"
    if race.owner == "taken over" and not str(seen.owner).startswith("LeaseLost"):
        yield f"the owner that was taken over ended with {seen.owner}"
    yield from _left(seen, "succeeded")


def _removed(seen: Seen) -> Iterator[str]:
    """Nobody ran it, and nothing of it is left."""
    if (by_racers := [each for each in seen.started if each[0] > 0]) or seen.found != []:
        yield f"removed, but {by_racers} executed, and in the end there is {seen.found}"


def _run_beside(race: Race, seen: Seen) -> Iterator[str]:
    """It was not removed: one racer has run it to its end, unless the only one that had begun was cancelled."""
    ran = [number for number, end in seen.ends.items() if end == "ran"]
    cut = [number for number, end in seen.ends.items() if end == "ended cancelled"]
    if race.deed != "cancel" and (cut or len(ran) != 1):
        yield f"{ran} ran it, {cut} were cut off"
    if len(cut) > 1 or len(ran) > 1 or not ran + cut:
        yield f"one cancel, and {cut} were cut off, {ran} ran it"
    if [key for number, key in seen.started if number == 0] != ["part0", HELD]:
        yield f"the owner executed {seen.started}"
    for number in range(1, race.racers + 1):
        keys = [key for by, key in seen.started if by == number]
        whole = [HELD, f"part{PARTS - 1}"]
        if keys != whole if number in ran else keys != whole[: len(keys) if number in cut else 0]:
            yield f"racer {number} executed {keys}, and ended with {seen.ends[number]}"
    yield from _left(seen, "succeeded" if ran else "cancelled")


def _left(seen: Seen, status: str) -> Iterator[str]:
    found = seen.found
    if len(found) != 1 or found[0][0] != status:
        yield f"in the end there is {found}"
    elif found[0][2] not in (None, [f"part{i}" for i in range(PARTS)]):
        yield f"the output is {found[0][2]}"


def _told(race: Race, seen: Seen) -> Iterator[str]:
    """Every loser was told who has the request, the owner or another racer, or that it is gone."""
    gone = seen.ends[race.racers] == GONE
    for number, end in seen.ends.items():
        others = [pid for other, pid in seen.pids.items() if other not in (number, 99)]
        against = race.deed in AGAINST and number == race.racers
        if end.startswith("refused: "):
            named = any(f"is being run by process {pid} on " in end and "take it over" in end for pid in others)
            if not (named if not gone else "there is no request" in end):
                yield f"racer {number} was told {end}"
        elif against:
            if end not in {"cancel": ("cancelled",), "delete": (GONE,), "gc": (GONE, "spared")}[race.deed]:
                yield f"racer {number}, which was to {race.deed}, ended with {end}"
        elif end not in ("ran", "submitted succeeded") and not (race.deed == "cancel" and end == "ended cancelled"):
            yield f"racer {number} ended with {end}"
