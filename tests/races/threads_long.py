"""The long tier in pieces: `python -m tests.races.threads_long --seeds 1-7 --runs 500 --cancels 250 --out part1.jsonl`.

A line of JSON for each seed, from a process of its own; each piece can run beside others. `--sum part*.jsonl` adds them
up. What fails is told with what runs it again; of a hang the stacks of all threads are told.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent.parent
CANCELLED: Final = ("a_cancelled_map", "a_cancelled_map_of_maps")
SECONDS: Final = 3500.0
SETTLED_SECONDS: Final = 1.0
"""Within which a cancelled request settles, but for what the machine held up."""
LISTS: Final = ("settled", "over_time", "late")
"""Of cancels: seconds to settle; those beyond a second, with what the machine held up; where the threads were."""
COUNTS: Final = ("runs", "cancels", "wrong", "twice", "hung", "cpu", "seconds")


def raced(*arguments: object, seconds: float = SECONDS) -> tuple[list[dict[str, Any]], str]:
    """What the runs of one process said, each failure and the end; its standard error, with the stacks of a hang."""
    command = [sys.executable, "-m", "tests.races.threads_run", *map(str, arguments)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds)
    return [json.loads(line) for line in ended.stdout.splitlines()], ended.stderr[-20_000:]


def of_seed(seed: int, runs: int, cancels: int) -> dict[str, Any]:
    """Runs of all scenarios with delays, and cancels without, under one seed: what became of them, counted."""
    found: dict[str, Any] = {"seed": seed, **dict.fromkeys(COUNTS, 0), **{name: [] for name in LISTS}, "failures": []}
    if runs:
        _add(found, "runs", raced("--seed", seed, "--runs", runs))
        found.update({name: [] for name in LISTS})  # of runs that are delayed on purpose
    if cancels:
        _add(found, "cancels", raced("--seed", seed, "--runs", cancels, "--only", ",".join(CANCELLED), "--no-delays"))
    return found


def _add(found: dict[str, Any], what: str, ended: tuple[list[dict[str, Any]], str]) -> None:
    told, errors = ended
    end = told[-1] if told and "end" in told[-1] else None
    found["failures"] += told[:-1] if end else told
    if end is None:
        found["hung"] += 1
        found["failures"].append({"hung": errors})
        found[what] += errors.count(f" {found['seed']} ") - 1  # each run is named there when it begins
        return
    found[what] += end["runs"]
    for name in ("wrong", "twice", "cpu", "seconds", *LISTS):
        found[name] += end[name]


def total(found: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The sum of what several seeds gave.

    A cancel is late when it took more than a second beyond what a thread that only sleeps was held up meanwhile; those
    that were late with that thread are listed apart, as (seconds, of these held up).
    """
    lines = list(found)
    summed: dict[str, Any] = {name: round(sum(line[name] for line in lines), 1) for name in COUNTS}
    settled = sorted(second for line in lines for second in line["settled"])
    if settled:
        held = [(took, held_up) for line in lines for took, held_up in line["over_time"]]
        summed["settled"] = {
            "median": settled[len(settled) // 2],
            "99 %": settled[len(settled) * 99 // 100],
            "99.9 %": settled[len(settled) * 999 // 1000],
            "most": settled[-1],
            "later than a second": sum(took - held_up > SETTLED_SECONDS for took, held_up in held),
            "held up by the machine": [each for each in held if each[0] - each[1] <= SETTLED_SECONDS],
        }
    failed = [failure for line in lines for failure in line["failures"]]
    return {"seeds": len({line["seed"] for line in lines}), **summed, "failures": failed}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a piece, or add up; exit code 1 when something was wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", default="1-40")
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--cancels", type=int, default=250)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--sum", type=Path, nargs="+")
    options = parser.parse_args(arguments)
    found = [json.loads(line) for path in options.sum or () for line in path.read_text().splitlines()]
    if not options.sum:
        first, _, last = options.seeds.partition("-")
        for seed in range(int(first), int(last or first) + 1):
            found.append(of_seed(seed, options.runs, options.cancels))
            if options.out is not None:
                with options.out.open("a") as out:
                    out.write(json.dumps(found[-1]) + "\n")
            print(json.dumps(total(found[-1:])), flush=True)
    summed = total(found)
    print(json.dumps(summed, indent=1))
    late = summed.get("settled", {}).get("later than a second", 0)
    sys.exit(bool(summed["wrong"] or summed["twice"] or summed["hung"] or late))


if __name__ == "__main__":
    main()
