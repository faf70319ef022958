"""The fork server: `python -B -m tests.crash.server FOLDER`, one order a line in, one verdict a line out.

The package is imported once; every process of a case is a fork, which takes milliseconds where a start takes 0.3 s.
Nothing is opened before a fork, and there is one thread.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from tests.crash import drills
from tests.crash.case import Order, Stagehand, preload


def main() -> None:
    preload()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what workloads print is no answer
    hand = Stagehand(Path(sys.argv[1]))
    for request in sys.stdin:
        order = Order(**json.loads(request))
        verdict = drills.play(hand, order) if order.shape in drills.DRILLS else hand.play(order)
        print(json.dumps(verdict._asdict()), file=answers, flush=True)


if __name__ == "__main__":
    main()
