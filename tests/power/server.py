"""The fork server: `python -B -m tests.power.server FOLDER`, one order a line in, one verdict a line out.

An order records a day in a fork, rebuilds images at cuts of its trace, and judges each in another fork, which serves
for many; a sample of them is replayed, each in a fork of its own.
"""

from __future__ import annotations

import faulthandler
import gc
import importlib
import json
import os
import random
import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import TypeAdapter

from tests.crash.case import PRELOADED, in_fork
from tests.power.bugs import BUGS
from tests.power.days import record
from tests.power.disk import MODELS, Disk
from tests.power.judge import judge_image, look_at, replay, unfold
from tests.power.trace import Operation, event, read_trace

BATCH: Final = 200
"""Images that one fork judges."""


class Order(NamedTuple):
    """Images to be judged."""

    day: str
    kind: str
    """The journal of the store: `wal` or `rollback`."""
    seed: int
    images: int
    every: int = 25
    """One image of so many is replayed, too."""
    bug: str | None = None


class Verdict(NamedTuple):
    """What came of an order."""

    images: int
    replays: int
    operations: int
    """Of the recorded day."""
    told: int
    """Marks before the cuts, of all images together: what must not be lost."""
    broken: list[str]


class Cut(NamedTuple):
    """Where an image is cut."""

    after: int
    """Operations that were done."""
    model: str
    seed: int
    replayed: bool


def cuts(operations: Sequence[Operation], order: Order) -> list[Cut]:
    """Half of them behind a mark, where nothing may be lost any more; by model and place."""
    draw = random.Random(order.seed)
    marks = [number + 1 for number, each in enumerate(operations) if each.kind == "M"]
    made = [
        Cut(draw.choice(marks) if n % 2 else draw.randint(0, len(operations)), MODELS[n // 2 % len(MODELS)],
            order.seed * 1_000_003 + n, n % order.every == 0)
        for n in range(order.images)
    ]  # fmt: skip
    return sorted(made, key=lambda cut: (cut.model, cut.after))


class Bench:
    """The folder of a server, and the days it has recorded."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self._recorded: dict[tuple[Any, ...], list[Operation]] = {}
        base.mkdir(parents=True)

    def play(self, order: Order) -> Verdict:
        """Record, cut, judge."""
        operations = self._operations(order)
        chosen = cuts(operations, order)
        told = sum(Counter(each.kind for each in operations[: cut.after])["M"] for cut in chosen)
        broken: list[str] = []
        for at in range(0, len(chosen), BATCH):
            batch = chosen[at : at + BATCH]
            said = in_fork(lambda batch=batch: {"broken": self._judge(order, operations, batch)}, self.base)  # type: ignore[misc]
            broken += said.result.get("broken", [f"f: {said.result.get('error')}"])
        return Verdict(len(chosen), sum(cut.replayed for cut in chosen), len(operations), told, broken)

    def _operations(self, order: Order) -> list[Operation]:
        bug = BUGS[order.bug] if order.bug else None
        plant = bug.plant if bug else None
        key = order.day, order.kind, order.bug if plant else None, order.seed
        if key not in self._recorded:
            self._recorded.clear()
            folder = self.base / "recorded"
            shutil.rmtree(folder, ignore_errors=True)
            (folder / "home").mkdir(parents=True)
            trace = folder / "trace"
            made = in_fork(lambda: record(folder / "home", trace, order.day, order.kind, plant), folder)
            assert not made.result.get("error"), made.result["error"]
            self._recorded[key] = read_trace(trace)
            shutil.rmtree(folder)
        found = self._recorded[key]
        return bug.edit(found) if bug and bug.edit else found

    def _judge(self, order: Order, operations: Sequence[Operation], chosen: Sequence[Cut]) -> list[str]:
        """Judge images, one after the other, in this process."""
        faulthandler.cancel_dump_traceback_later()  # a fork would wait for its thread, which is not there
        broken: list[str] = []
        disk: Disk | None = None
        for cut in chosen:
            if disk is None or disk.model != cut.model:
                disk = Disk(cut.model)
            for operation in operations[disk.done : cut.after]:
                disk.do(operation)
            home = self.base / "image"
            unfold(disk.draw(random.Random(cut.seed)), home)
            events = [said for each in operations[: cut.after] if (said := event(each)) is not None]
            if cut.replayed:
                inner = self.base / "replayed"
                inner.mkdir(exist_ok=True)
                ended = in_fork(lambda: {"broken": replay(home, order.day, events)}, inner)  # noqa: B023
                found = ended.result.get("broken", [f"stuck or failed: {ended.result.get('error')}"])
            else:
                found = judge_image(order.day, events, look_at(home))
            if found and not order.bug and not (self.base / "broken").exists():
                shutil.copytree(home, self.base / "broken")
            shutil.rmtree(home)
            broken += [f"{cut}: {text}" if not order.bug else text for text in found]
        return broken


def main() -> None:
    for name in PRELOADED:
        importlib.import_module(name)
    TypeAdapter(int)  # its first use loads more
    gc.freeze()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what workloads print is no answer
    bench = Bench(Path(sys.argv[1]))
    for request in sys.stdin:
        print(json.dumps(bench.play(Order(**json.loads(request)))._asdict()), file=answers, flush=True)


if __name__ == "__main__":
    main()
