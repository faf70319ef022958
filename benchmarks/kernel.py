"""The same calls in cells of a real kernel, driven as a front end drives it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from jupyter_client.manager import KernelManager

from benchmarks.measure import Figure, Size, read_figure, seconds_of

START_SECONDS: Final = 60
CELL_SECONDS: Final = 600

DEFINE: Final = """
from pathlib import Path
from benchmarks import calls
from benchmarks.measure import SIZES
from jupyter_durable import configure, function
configure(store={store!r})

@function()
def cell_trivial(number):
    return number

@function(retries=1)
def cell_retried(number):
    return number

@function()
async def cell_awaited(number):
    return number
"""
SEQUENTIAL: Final = """
for figure in calls.figures({case!r}, Path({folder!r}), SIZES[{size!r}], (cell_trivial, cell_retried)):
    print(figure.line())
"""
AWAITED: Final = """
for figure in await calls.figures_awaited({case!r}, Path({folder!r}), SIZES[{size!r}], cell_awaited):
    print(figure.line())
"""


class Kernel:
    """A kernel that cells are sent to as a front end sends them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._manager = KernelManager(kernel_name="python3")
        path = os.pathsep.join(filter(None, [os.getcwd(), os.getenv("PYTHONPATH")]))
        self._environment = {**os.environ, "PYTHONPATH": path, **environment}

    def __enter__(self) -> Kernel:
        self._manager.start_kernel(env=self._environment)
        self._client = self._manager.blocking_client()
        self._client.start_channels()
        try:
            self._client.wait_for_ready(timeout=START_SECONDS)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel()

    def execute(self, source: str) -> str:
        """What a cell printed. Raises `RuntimeError` with its traceback."""
        texts: list[str] = []

        def output(message: dict[str, Any]) -> None:
            if message["msg_type"] == "stream":
                texts.append(message["content"]["text"])

        reply = self._client.execute_interactive(source, store_history=True, output_hook=output, timeout=CELL_SECONDS)
        if reply["content"]["status"] != "ok":
            raise RuntimeError("\n".join(reply["content"].get("traceback", ["the cell was aborted"])))
        return "".join(texts)

    def timed(self, source: str) -> float:
        """Seconds from the request to the answer."""
        return seconds_of(lambda: self.execute(source))


def run(size: Size, folder: Path) -> list[Figure]:
    """With the extension loaded, so that the live view is on."""
    with Kernel({}) as kernel:
        try:
            kernel.execute("%load_ext jupyter_durable")
            case = "kernel"
        except RuntimeError:
            case = "kernel without the extension"  # said in the table: the view is off
        names = {"store": f"sqlite:///{folder}/store.db", "folder": str(folder), "size": size.name, "case": case}
        printed = [kernel.execute(source.format(**names)) for source in (DEFINE, SEQUENTIAL, AWAITED)]
    return [figure for line in "".join(printed).splitlines() if (figure := read_figure(line)) is not None]
