"""Law l on a real kernel: hundreds of interrupts at random moments; it lives, and what a cell was given stays given."""

from __future__ import annotations

import random
import time
from collections import Counter

import pytest

from tests.kernel.conftest import LOGGING, Kernel, Log, Start

DEFINE = """%%durable
import os, time
def part(key):
    _log("ran", key)
    time.sleep(0.002)
    return os.urandom(8).hex()
"""
BODY = "for i in range({calls}):\n    _log('got', f'{turn}.{{i}}', part(f'{turn}.{{i}}'))"
ENGINE = "__import__('jupyter_durable').client.this_engine()"
WRONG = f"[each.text for each in {ENGINE}.store.check() if each.level != 'ok']"


def until(kernel: Kernel, id: str, state: str) -> None:
    """Wait until the kernel says that it is busy with a cell, or idle after it.

    An interrupt between the end of a cell and its reply costs the reply, whatever is loaded, so that is not waited for.
    """
    end = time.monotonic() + 100
    while True:
        message = kernel.client.get_iopub_msg(timeout=max(0.1, end - time.monotonic()))
        ours = message["parent_header"].get("msg_id") == id and message["msg_type"] == "status"
        if ours and message["content"]["execution_state"] == state:
            return


def storm(kernel: Kernel, log: Log, interrupts: int, calls: int, seed: int) -> int:
    """Run a cell again and again, each time interrupted after a moment, and at last to its end; how many were begun.

    A cell that came to its last call is followed by another one.
    """
    draw = random.Random(seed)
    turn = 0
    for _ in range(interrupts):
        sent = kernel.send(BODY.format(calls=calls, turn=turn), f"storm{turn}")
        until(kernel, sent, "busy")
        time.sleep(draw.random() ** 2 * 0.3)
        kernel.interrupt()
        until(kernel, sent, "idle")
        turn += f"got-{turn}.{calls - 1}-" in log.path.read_text()
    last = kernel.run(BODY.format(calls=calls, turn=turn), f"storm{turn}")
    assert (last.status, last.error) == ("ok", "")
    return turn + 1


def judged(log: Log, calls: int, turns: int, interrupts: int) -> None:
    """No call has two values, and none executed again but those that were cut off."""
    lines = [line.split("-") for line in log.take()]
    got: dict[str, set[str]] = {}
    for line in lines:
        if line[0] == "got":
            got.setdefault(line[1], set()).add(line[2])
    assert set(got) == {f"{turn}.{i}" for turn in range(turns) for i in range(calls)}
    assert {len(values) for values in got.values()} == {1}, "an acknowledged call executed again"
    executed = Counter(line[1] for line in lines if line[0] == "ran")
    assert sum(executed.values()) <= calls * turns + interrupts


@pytest.mark.parametrize(
    ("interrupts", "calls"), [(10, 150), pytest.param(400, 3_000, marks=(pytest.mark.full, pytest.mark.timeout(1200)))]
)
def test_a_kernel_lives_through_a_storm_of_interrupts(start: Start, log: Log, interrupts: int, calls: int) -> None:
    """The store is whole, each call has one value, and the kernel answers."""
    kernel = start(f"storm{interrupts}.ipynb")
    kernel.run("%xmode Minimal")  # to draw tracebacks takes longer than all the rest
    kernel.run(LOGGING)
    defined = kernel.run(DEFINE)
    assert not defined.error, defined.error
    turns = storm(kernel, log, interrupts, calls, 7)
    judged(log, calls, turns, interrupts)
    assert kernel.value("1 + 1") == 2
    assert kernel.value(WRONG) == []
