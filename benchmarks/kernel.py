"""The same calls in cells of a real kernel, driven as a front end drives it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from benchmarks.measure import Figure, Size, read_figure

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


def _execute(client: Any, source: str) -> str:
    """What a cell printed. Raises `RuntimeError` with its traceback."""
    texts: list[str] = []

    def output(message: dict[str, Any]) -> None:
        if message["msg_type"] == "stream":
            texts.append(message["content"]["text"])

    reply = client.execute_interactive(source, store_history=True, output_hook=output, timeout=CELL_SECONDS)
    if reply["content"]["status"] != "ok":
        raise RuntimeError("\n".join(reply["content"].get("traceback", ["the cell was aborted"])))
    return "".join(texts)


def run(size: Size, folder: Path) -> list[Figure]:
    """With the extension loaded, so that the live view is on."""
    from jupyter_client.manager import KernelManager

    manager = KernelManager(kernel_name="python3")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [os.getcwd(), os.getenv("PYTHONPATH")]))}
    manager.start_kernel(env=environment)
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=START_SECONDS)
        try:
            _execute(client, "%load_ext jupyter_durable")
            case = "kernel"
        except RuntimeError:
            case = "kernel without the extension"  # said in the table: the view is off
        names = {"store": f"sqlite:///{folder}/store.db", "folder": str(folder), "size": size.name, "case": case}
        printed = [_execute(client, source.format(**names)) for source in (DEFINE, SEQUENTIAL, AWAITED)]
    finally:
        client.stop_channels()
        manager.shutdown_kernel()
    return [figure for line in "".join(printed).splitlines() if (figure := read_figure(line)) is not None]
