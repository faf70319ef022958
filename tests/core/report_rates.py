"""Reports how often a result is wrong, with and without a mark, over 5,000 trials of each kind of edit.

    python -m tests.core.report_rates [TRIALS]

A trial runs a random program, kills it or not, edits it, replays it with up to two more kills and lets the last replay
finish. Wrong: the final result is not the one the edited program gives without checkpoints. Ends with 1 when a result
was wrong without a mark, or wrong at all where all arguments are stable.
"""

from __future__ import annotations

import sys

from tests.core.laws import NEVER_WRONG
from tests.core.simulate import DRIFTING, STABLE, trial


def report(trials: int) -> int:
    """Print the table; the exit status."""
    status = 0
    print(f"{'edit':<18} {'trials':>7} {'wrong, unmarked':>16} {'wrong, marked':>14} {'calls executed':>15}")
    for kind in (*STABLE, *DRIFTING):
        outcomes = [trial(seed, kind, chained=kind in ("reorder", "swap")) for seed in range(trials)]
        marked = sum(one.wrong and one.marks > 0 for one in outcomes)
        unmarked = sum(one.wrong and not one.marks for one in outcomes)
        executed = sum(one.executions for one in outcomes) / trials
        print(f"{kind:<18} {trials:>7} {unmarked:>16} {marked:>14} {executed:>15.1f}")
        if unmarked or (marked and kind in NEVER_WRONG):
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(report(int(sys.argv[1]) if len(sys.argv) > 1 else 5000))
