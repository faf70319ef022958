"""kill -9 at the operations of eleven workloads, and again in their recovery: nothing acknowledged is lost or redone.

`CRASH_SEED` chooses the cases (it is printed); `CRASH_POINTS` how many kills the long run makes.
"""

from __future__ import annotations

import os
import random
import time

import pytest

from tests.crash.drills import DRILLS
from tests.crash.fleet import Fleet, orders, told
from tests.crash.shapes import SHAPES

SHORT_POINTS = 100
LONG_POINTS = 10_000


def kill(servers: Fleet, points: int) -> None:
    """Play cases until `points` kills were made; all laws must hold in each."""
    seed = int(os.environ.get("CRASH_SEED") or random.SystemRandom().randrange(1_000_000))
    started = time.monotonic()
    kills = recoveries = cases = 0
    shapes: dict[str, int] = dict.fromkeys(SHAPES, 0)
    broken: list[str] = []
    slowest = 0.0
    while kills < points:
        chosen = orders(seed + cases, max(len(SHAPES), min(550, round((points - kills) / 1.6))))
        for order, verdict in zip(chosen, servers.play(chosen), strict=True):
            kills += verdict.kills
            recoveries += verdict.recoveries_killed
            shapes[order.shape] += verdict.kills
            slowest = max(slowest, verdict.slowest)
            broken += [told(order, verdict)] * bool(verdict.broken)
        cases += len(chosen)
    lost = sum("was not in the store" in text or " was gone" in text for text in broken)
    again = sum("executed" in text for text in broken)
    print(f"\nCRASH_SEED={seed}: {kills} kills ({recoveries} of recoveries) in {cases} cases, {lost} lost, "
          f"{again} executed again, {len(broken)} cases broken, {time.monotonic() - started:.0f} s, "
          f"slowest process {slowest:.1f} s; {shapes}")  # fmt: skip
    assert not broken, f"CRASH_SEED={seed}\n" + "\n".join(broken[:10])
    assert recoveries > points / 20, "hardly a recovery was killed"
    assert min(shapes.values()) > points / 50, "a shape was hardly killed"


def test_a_hundred_kills_lose_and_repeat_nothing(servers: Fleet) -> None:
    """Laws a, b, c, e, f, i, in a few seconds."""
    kill(servers, SHORT_POINTS)


@pytest.mark.parametrize("drill", DRILLS)
@pytest.mark.parametrize("count", [12, pytest.param(600, marks=pytest.mark.full)])
def test_a_replay_with_a_wish_is_killed(servers: Fleet, drill: str, count: int) -> None:
    """What it set aside and what it served is known wholly or not at all."""
    chosen = orders(int(os.environ.get("CRASH_SEED") or 5), count, [drill])
    verdicts = servers.play(chosen)
    broken = [told(order, verdict) for order, verdict in zip(chosen, verdicts, strict=True) if verdict.broken]
    assert not broken, "\n".join(broken[:5])
    assert sum(verdict.kills for verdict in verdicts) > count / 2


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_ten_thousand_kills_lose_and_repeat_nothing(servers: Fleet) -> None:
    """The same at every operation of every workload."""
    kill(servers, int(os.environ.get("CRASH_POINTS") or LONG_POINTS))
