"""Runs scenarios in this process: `python -m tests.races.threads_run --seed 7 --runs 100`.

One line of JSON for each run that failed, one at the end. A hang ends the process with the stacks of all threads. The
same seed and number give the same sizes, moments and slow lines: `--seed 7 --only a_map --at 12` runs one again.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import random
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final

from tests.races import threads_mutants
from tests.races.delays import Delays
from tests.races.threads_scenarios import SCENARIOS
from tests.races.threads_world import WITNESS, world

HANG_SECONDS: Final = float(os.environ.get("RACES_HANG", "50"))
"""A run that takes longer hangs: the longest takes a second on a quiet machine."""


def runs(options: argparse.Namespace) -> Iterator[tuple[str, int]]:
    """Which scenarios, and the number of each run."""
    names = options.only.split(",") if options.only else sorted(SCENARIOS)
    for number in range(options.runs) if options.at is None else [options.at]:
        yield names[number % len(names)] if options.at is None else names[0], number


def run(name: str, seed: int, number: int, *, delays: bool) -> str | None:
    """One run; what was wrong with it."""
    draw = random.Random(f"{seed} {number} {name}")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        on_disk = draw.random() < 0.3
        slowed = delays and draw.random() < 0.85
        slots = draw.choice([1, 2, 4, 16])
        try:
            with (
                world(draw, Path(folder) if on_disk else None, slots=slots) as made,
                Delays(draw.randrange(2**31)) if slowed else nullcontext(),
            ):
                SCENARIOS[name](made)
        except Exception:  # noqa: BLE001 - whatever is wrong with it is told
            return traceback.format_exc()
    return None


def main() -> None:
    """Run what the arguments say; exit code 1 when something was wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--runs", type=int, default=len(SCENARIOS))
    parser.add_argument("--only")
    parser.add_argument("--at", type=int)
    parser.add_argument("--mutant")
    parser.add_argument("--first", action="store_true", help="end with the first failure")
    parser.add_argument("--no-delays", action="store_true")
    options = parser.parse_args()
    threads_mutants.plant(options.mutant)
    counts: Counter[str] = Counter()
    for name, number in runs(options):
        print(f"{name} {options.seed} {number}", file=sys.stderr, flush=True)
        faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
        wrong = run(name, options.seed, number, delays=not options.no_delays)
        faulthandler.cancel_dump_traceback_later()
        counts["runs"] += 1
        if wrong is not None:
            counts["wrong"] += 1
            told: dict[str, Any] = {"scenario": name, "seed": options.seed, "number": number, "wrong": wrong}
            print(json.dumps(told), flush=True)
            if options.first:
                break
    print(json.dumps({"end": True, **counts, "settled": WITNESS.settled}), flush=True)
    sys.stdout.flush()
    os._exit(1 if counts["wrong"] else 0)  # threads that a bug has left behind are no reason to wait


if __name__ == "__main__":
    main()
