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
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final

from tests.races import delays

delays.install()

from jupyter_durable.store import open_store  # noqa: E402
from jupyter_durable.testing import FakeClock  # noqa: E402
from tests.races import threads_interrupted, threads_mutants, threads_nested, threads_timed  # noqa: E402, F401
from tests.races.threads_scenarios import BY_HAND, SCENARIOS, Twice  # noqa: E402
from tests.races.threads_world import WITNESS, world  # noqa: E402

HANG_SECONDS: Final = float(os.environ.get("RACES_HANG", "50"))
"""A run that takes longer hangs: the longest takes a second on a quiet machine."""


def runs(options: argparse.Namespace) -> Iterator[tuple[str, int]]:
    """Which scenarios, and the number of each run."""
    names = options.only.split(",") if options.only else sorted(SCENARIOS)
    for number in range(options.runs) if options.at is None else [options.at]:
        yield names[number % len(names)] if options.at is None else names[0], number


def run(name: str, seed: int, number: int, *, slowly: bool) -> Exception | None:
    """One run; what was wrong with it."""
    draw = random.Random(f"{seed} {number} {name}")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        on_disk = draw.random() < 0.25
        slowed = slowly and draw.random() < 0.85
        slots = draw.choice([1, 2, 4, 16])
        clock = FakeClock(by_hand=True) if name in BY_HAND else None
        try:
            with (
                world(draw, Path(folder) if on_disk else None, clock=clock, slots=slots) as made,
                delays.Delays(draw.randrange(2**31)) if slowed else nullcontext(),
            ):
                SCENARIOS[name](made)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it is told
            return error
    return None


def warmed() -> None:
    """What is imported with the first store on a disk takes seconds on a busy machine, and is no part of a run."""
    with tempfile.TemporaryDirectory() as folder:
        open_store(f"sqlite:///{folder}/store.db").close()


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
    counts: Counter[str] = Counter(wrong=0, twice=0)
    warmed()
    began, processor = time.monotonic(), time.process_time()
    for name, number in runs(options):
        print(f"{name} {options.seed} {number}", file=sys.stderr, flush=True)
        faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
        error = run(name, options.seed, number, slowly=not options.no_delays)
        faulthandler.cancel_dump_traceback_later()
        counts["runs"] += 1
        if error is not None:
            counts["twice" if isinstance(error, Twice) else "wrong"] += 1
            told: dict[str, Any] = {"scenario": name, "seed": options.seed, "number": number}
            print(json.dumps(told | {"wrong": "".join(traceback.format_exception(error))}), flush=True)
            if options.first:
                break
    took = {"seconds": round(time.monotonic() - began, 1), "cpu": round(time.process_time() - processor, 2)}
    cancels = {"settled": WITNESS.settled, "over_time": WITNESS.over_time, "late": WITNESS.late}
    print(json.dumps({"end": True, **counts, **took, **cancels}), flush=True)
    sys.stdout.flush()
    os._exit(1 if counts["wrong"] + counts["twice"] else 0)  # threads that a bug has left are no reason to wait


if __name__ == "__main__":
    main()
