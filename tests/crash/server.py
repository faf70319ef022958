"""The fork server: `python -B -m tests.crash.server FOLDER`, one order a line in, one verdict a line out.

The package is imported once; every process of a case is a fork, which takes milliseconds where a start takes 0.3 s.
Nothing is opened before a fork, and there is one thread.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
from pathlib import Path
from types import FunctionType
from typing import Final, cast

from pydantic import TypeAdapter

from jupyter_durable.code.sources import find_class, find_function
from tests.crash import drills, witness
from tests.crash.case import Order, Stagehand

PRELOADED: Final = (
    "jupyter_durable.client.execution",
    "jupyter_durable.client.render",
    "jupyter_durable.store.memory",
    "jupyter_durable.store.migrations.v1",
    "jupyter_durable.store.sqlite.store",
    "pydantic",
    "sqlite_utils",
    "zstandard",
)


def main() -> None:
    for name in PRELOADED:
        importlib.import_module(name)
    TypeAdapter(int)  # its first use loads more
    find_function(cast(FunctionType, witness.ran))  # parsed once and not in every fork: all workloads call it
    find_class(witness.Event)
    gc.freeze()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what workloads print is no answer
    hand = Stagehand(Path(sys.argv[1]))
    for request in sys.stdin:
        order = Order(**json.loads(request))
        verdict = drills.play(hand, order) if order.shape in drills.DRILLS else hand.play(order)
        print(json.dumps(verdict._asdict()), file=answers, flush=True)


if __name__ == "__main__":
    main()
