"""Law s: the kill harness finds the bugs that are planted, and the oracle each kind of breach."""

from __future__ import annotations

import pytest

from tests.crash.fleet import Fleet, orders
from tests.crash.mutants import MUTANTS

BATCHES = 12
BATCH = 12
AT_ONCE = 3
"""Cases that are played before what they broke is looked at: most bugs are found in the first few."""


@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_bug_is_found(servers: Fleet, name: str) -> None:
    """Some kills of the shapes in which it shows break one of the laws it breaks."""
    mutant = MUTANTS[name]
    for batch in range(BATCHES):
        chosen = orders(4_000 + batch, BATCH, mutant.shapes, name)
        for at in range(0, BATCH, AT_ONCE):
            broken = [text for verdict in servers.play(chosen[at : at + AT_ONCE]) for text in verdict.broken]
            assert not any("in plant" in text for text in broken), "the planted bug no longer fits the code"
            if any(text[0] in mutant.laws for text in broken):
                return
    pytest.fail(f"{name} was not found in {BATCHES * BATCH} cases; other breaches: {broken[:3]}")
