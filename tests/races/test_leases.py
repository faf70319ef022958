"""Law g: of the processes that want one request one runs it, and every other one is told who that is.

A race that failed prints the order that reproduces it: `Race(seed=…)`. `LEASE_RACES` is how many the long test runs.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.laws.scripts import ROOT, ended
from tests.races.leases_mutants import MUTANTS
from tests.races.leases_race import DEEDS, OWNERS, drawn
from tests.races.leases_verdict import AGAINST, Race

SEED = int(os.environ.get("CRASH_SEED", "1"))
SEARCHED = 60
"""Races in which a planted bug must be found."""


class Track:
    """Runs races, on one fork server or more."""

    def __init__(self, servers: Sequence[subprocess.Popen[str]]) -> None:
        self._servers = servers

    def run(self, races: Sequence[Race]) -> list[str]:
        """What was wrong with them."""
        shares = [races[at :: len(self._servers)] for at in range(len(self._servers))]
        with ThreadPoolExecutor(len(self._servers)) as pool:
            found = pool.map(self._some, self._servers, shares)
            return [text for share in found for text in share]

    def _some(self, server: subprocess.Popen[str], races: Sequence[Race]) -> list[str]:
        return [text for race in races for text in self._one(server, race)]

    @staticmethod
    def _one(server: subprocess.Popen[str], race: Race) -> list[str]:
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(json.dumps(race._asdict()) + "\n")
        server.stdin.flush()
        answer = server.stdout.readline()
        assert answer, f"the fork server ended at {race}"
        return json.loads(answer)


@contextlib.contextmanager
def tracks(folder: Path, count: int = 1) -> Iterator[Track]:
    servers = [
        subprocess.Popen(
            [sys.executable, "-B", "-m", "tests.races.leases_race", str(folder / f"races{number}")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )
        for number in range(count)
    ]  # fmt: skip
    with ended(*servers):
        try:
            yield Track(servers)
        finally:
            for server in servers:
                assert server.stdin is not None
                with contextlib.suppress(BrokenPipeError):
                    server.stdin.close()


@pytest.fixture(scope="module")
def track(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Track]:
    with tracks(tmp_path_factory.mktemp("leases")) as made:
        yield made


@pytest.mark.timeout(900)
def test_of_the_processes_that_want_a_request_one_runs_it_and_the_others_say_who(track: Track) -> None:
    """Every kind of owner, every way to want a request, two to six at once; counted outside of the store."""
    replays = [Race(SEED * 1000 + at, owner, "replay", 2 + at % 3) for at, owner in enumerate(OWNERS[:-1])]
    others = [Race(SEED * 2000 + at, "none", deed, 2 + at) for at, deed in enumerate(DEEDS[1:4])]
    against = [Race(SEED * 4000 + at, "failed", deed, 3) for at, deed in enumerate(AGAINST)]
    assert track.run([*replays, *others, *against, *(drawn(SEED * 3000 + at) for at in range(2))]) == []


@pytest.mark.full
@pytest.mark.timeout(7200)
def test_a_thousand_races(tmp_path: Path) -> None:
    races = [drawn(SEED * 1_000_000 + at) for at in range(int(os.environ.get("LEASE_RACES", "1000")))]
    with tracks(tmp_path, min(2, os.cpu_count() or 1)) as made:
        wrong = made.run(races)
    print(Counter((race.owner, race.deed) for race in races))
    assert wrong == []


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_bug_is_found(track: Track, name: str) -> None:
    mutant = MUTANTS[name]
    draw = random.Random(SEED)
    for number in range(SEARCHED):
        race = Race(number, draw.choice(mutant.owners), draw.choice(mutant.deeds), draw.randint(2, 5), name)
        wrong = track.run([race])
        assert not any("in plant" in text for text in wrong), "the planted bug no longer fits the code"
        if wrong:
            print(f"found in race {number + 1}: {wrong[0]}")
            return
    pytest.fail(f"{name} was not found in {SEARCHED} races")
