"""A loop over a set of texts, killed and resumed under another hash seed: no call gets another call's result."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from tests.crash.witness import ACKNOWLEDGED, STARTED
from tests.laws.scripts import answer, log_of, start

WORDS = {"kiwi", "fig", "pear", "plum", "lime", "date", "apple", "melon"}


@pytest.mark.parametrize("where", ["function", "cell"])
@pytest.mark.parametrize("seed", range(3))
def test_resumed_under_another_hash_seed_every_word_has_its_own_result(tmp_path: Path, where: str, seed: int) -> None:
    """Killed twice, then ended; each process iterates the set in another order."""
    draw = random.Random(f"{where}{seed}")
    kills = [draw.randrange(3, 7), draw.randrange(1, 3), 0]
    for kill in kills:
        said = answer(start("sets", tmp_path, where, kill, seed=draw.randrange(1, 1_000_000)))
    events = log_of(tmp_path)
    last = events[-1].process
    final = {event.key: event.detail for event in events if event.kind == ACKNOWLEDGED and event.process == last}
    assert set(final) == WORDS
    assert all(value.startswith(f"{word}:") for word, value in final.items()), final
    if where == "function":
        assert all(value.startswith(f"{word}:") for word, value in said.items()), said
    else:  # nothing is ever taken back in the body of a cell
        assert all(event.detail.startswith(f"{event.key}:") for event in events if event.kind == ACKNOWLEDGED)
    had: dict[str, set[int]] = defaultdict(set)
    for event in events:
        if event.kind == ACKNOWLEDGED and event.detail.startswith(f"{event.key}:"):
            had[event.key].add(event.process)
    order = list(dict.fromkeys(event.process for event in events))
    again = [event for event in events if event.kind == STARTED
             and any(order.index(process) < order.index(event.process) for process in had[event.key])]  # fmt: skip
    assert not again, "an acknowledged call executed again"
    assert max(Counter(event.key for event in events if event.kind == STARTED).values()) <= len(kills)
