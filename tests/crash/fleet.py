"""Fork servers, one a core, and the orders they are given."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from tests.crash.case import MOMENTS, Order, Verdict
from tests.crash.shapes import SHAPES

ROOT: Final = Path(__file__).resolve().parents[2]
COMPILER: Final = shutil.which("cc") or shutil.which("gcc")


SHIM: Final = Path(__file__).with_name("shim.c")


def build_shim(folder: Path, source: Path = SHIM) -> Path:
    """Compile a shim."""
    assert COMPILER is not None
    made = folder / f"{source.stem}.so"
    subprocess.run([COMPILER, "-O2", "-shared", "-fPIC", "-o", str(made), str(source), "-ldl"], check=True)
    return made


class Fleet:
    """Some fork servers; `play` gives each the next order when it is free."""

    def __init__(self, servers: Sequence[subprocess.Popen[str]]) -> None:
        self._servers = servers
        self._free: queue.SimpleQueue[subprocess.Popen[str]] = queue.SimpleQueue()
        for server in servers:
            self._free.put(server)

    def play(self, orders: Sequence[Order]) -> list[Verdict]:
        """A verdict for each order, in their order."""
        with ThreadPoolExecutor(len(self._servers)) as pool:
            return list(pool.map(self.play_one, orders))

    def play_one(self, order: Order) -> Verdict:
        return Verdict(**self.ask(order))

    def ask(self, order: Any) -> dict[str, Any]:
        """What a free server answers to an order, a NamedTuple."""
        server = self._free.get()
        try:
            assert server.stdin is not None
            assert server.stdout is not None
            server.stdin.write(json.dumps(order._asdict()) + "\n")
            server.stdin.flush()
            answer = server.stdout.readline()
            assert answer, f"the fork server ended at {order}"
            said: dict[str, Any] = json.loads(answer)
            return said
        finally:
            self._free.put(server)


@contextlib.contextmanager
def fleet(
    folder: Path, count: int | None = None, *, module: str = "tests.crash.server", shim: Path = SHIM
) -> Iterator[Fleet]:
    """Fork servers with a shim preloaded; ended, by their ids, at the end."""
    environment = {**os.environ, "LD_PRELOAD": str(build_shim(folder, shim)), "PYTHONPATH": str(ROOT)}
    servers = [
        subprocess.Popen(
            [sys.executable, "-B", "-m", module, str(folder / f"server{number}")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment,
        )
        for number in range(count or min(2, os.cpu_count() or 1))
    ]  # fmt: skip
    try:
        yield Fleet(servers)
    finally:
        for server in servers:
            server.kill()
            server.wait()
            assert server.stdin is not None
            assert server.stdout is not None
            with contextlib.suppress(BrokenPipeError):
                server.stdin.close()
            server.stdout.close()


def orders(seed: int, count: int, shapes: Sequence[str] = tuple(SHAPES), mutant: str | None = None) -> list[Order]:
    """Cases spread evenly over shapes, over the operations of each, and over before, torn and after."""
    draw = random.Random(seed)
    each = -(-count // len(shapes))
    made = [
        Order(shape, seed * 1_000_000 + number * len(shapes) + at, (number + draw.random()) / each,
              list(MOMENTS)[(number + at) % 3], number % 8 == 0, mutant)
        for number in range(each) for at, shape in enumerate(shapes)
    ]  # fmt: skip
    draw.shuffle(made)
    return made[:count]


def told(order: Order, verdict: Verdict) -> str:
    """A broken case in words that reproduce it."""
    return f"{order} (files in {verdict.folder}):\n  " + "\n  ".join(verdict.broken)
