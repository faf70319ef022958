"""Laws a, e, f: the power is cut at any moment, and nothing that a user was told is missing or another.

`POWER_SEED` chooses the cuts (it is printed); `POWER_IMAGES` how many images the long run judges, so that it can be
done in pieces: the same seed gives the same cuts of a day, whose threads may interleave in another way.
"""

from __future__ import annotations

import os
import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.crash.fleet import Fleet
from tests.crash.shapes import SHAPES
from tests.power.bugs import BUGS
from tests.power.days import LONG, ROLLBACK, WAL
from tests.power.server import Order, Verdict

SHORT_IMAGES = 200
LONG_IMAGES = 100_000
PIECE = 400
BATCHES = (24, 100, 400)
IN_SHORT = (
    "the log is never synced", "a checkpoint does not sync the database", "the name of a large value is not synced",
    "the names of new folders are not synced", "the name of the key is not synced",
)  # fmt: skip


def cut(servers: Fleet, orders: list[Order]) -> None:
    """Judge the images of some orders; all laws must hold in each."""
    began = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        verdicts = [Verdict(**said) for said in pool.map(servers.ask, orders)]
    broken = [f"{order}: {text}" for order, found in zip(orders, verdicts, strict=True) for text in found.broken]
    images, replays, operations, told = (
        sum(getattr(found, name) for found in verdicts) for name in ("images", "replays", "operations", "told")
    )
    lasted = time.monotonic() - began
    print(f"\nPOWER_SEED={orders[0].seed}: {images} images ({replays} replayed) of {operations} operations in "
          f"{len(orders)} days, {told} things told, {len(broken)} lost or wrong, {lasted:.0f} s")  # fmt: skip
    assert not broken, "\n".join(broken[:10])


def seed() -> int:
    """Chosen from outside, or drawn."""
    return int(os.environ.get("POWER_SEED") or random.SystemRandom().randrange(1_000_000))


def test_a_power_cut_loses_nothing_that_was_told(servers: Fleet) -> None:
    """Requests, calls, large values, state, pins, deletes, a new key, restarts; with a log, and on a network's disk."""
    first = int(os.environ.get("POWER_SEED") or 1)
    cut(servers, [Order(LONG, kind, first, SHORT_IMAGES // 2, 50) for kind in (WAL, ROLLBACK)])


def found(servers: Fleet, name: str) -> bool:
    """Whether some images of the long day with a planted bug break a law."""
    return any(servers.ask(Order(LONG, BUGS[name].kind, 1, count, 1_000, name))["broken"] for count in BATCHES)


@pytest.mark.parametrize("name", IN_SHORT)
def test_a_planted_bug_of_durability_is_found(servers: Fleet, name: str) -> None:
    """Law s, for the bugs that cost little to plant."""
    assert found(servers, name)


@pytest.mark.full
@pytest.mark.parametrize("name", [name for name in BUGS if name not in IN_SHORT])
def test_every_planted_bug_of_durability_is_found(servers: Fleet, name: str) -> None:
    """Law s, for all others."""
    assert found(servers, name)


@pytest.mark.full
@pytest.mark.timeout(7200)
def test_a_hundred_thousand_power_cuts_lose_nothing_that_was_told(servers: Fleet) -> None:
    """The long day, and every shape of the kill harness, with both journals."""
    pieces = -(-int(os.environ.get("POWER_IMAGES") or LONG_IMAGES) // PIECE)
    days = [(LONG, WAL), (LONG, ROLLBACK)] * 3 + [(shape, kind) for shape in SHAPES for kind in (WAL, ROLLBACK)]
    first = seed()
    cut(servers, [Order(*days[n % len(days)], first + n, PIECE) for n in range(pieces)])
