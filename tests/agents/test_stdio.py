"""An agent starts a process and speaks with it over stdio: the same tools, from a ledger that outlives the process."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from mcp import Client, StdioServerParameters

from tests.agents.agent import Agent, Tasks
from tests.applications.conftest import until
from tests.applications.test_deaths import has_ended

PROGRAM = """
import os, time
from jupyter_durable import application, function

print("this is no message of the protocol")

@function()
def fetch(n: int) -> int:
    with open(os.environ["EXECUTION_LOG"], "a") as file:
        file.write(f"{n} {os.getpid()} {os.getppid()}\\n")
    while n == 3 and not os.path.exists(os.environ["GATE"]):
        time.sleep(0.05)
    return n

@application()
@function()
def total(upto: int) -> int:
    \"\"\"Adds numbers.\"\"\"
    return sum(fetch(n) for n in range(upto))
"""


@asynccontextmanager
async def agent(folder: Path) -> AsyncIterator[Agent]:
    environment = {
        **os.environ,
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "EXECUTION_LOG": str(folder / "log"),
        "GATE": str(folder / "gate"),
    }
    command = [sys.executable, "-m", "jupyter_durable.cli", "mcp", str(folder / "program.py")]
    server = StdioServerParameters(command=command[0], args=command[1:], env=environment)
    async with Client(server, extensions=[Tasks()]) as client:
        yield Agent(client)


async def test_a_task_goes_on_when_the_next_process_of_the_agent_comes(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    log, gate = tmp_path / "log", tmp_path / "gate"
    async with agent(tmp_path) as first:
        tools = await first.tools()
        assert [(tool.name, tool.description) for tool in tools.values()] == [("total", "Adds numbers.")]
        id = await first.begin("total", upto=5)
        line = until(
            lambda: log.exists() and [each for each in log.read_text().splitlines() if each[0] == "3"], "call 4"
        )
        worker, its_server = (int(word) for word in line[0].split()[1:])
        async with agent(tmp_path) as second:
            assert (await second.ask("get", id))["status"] == "working", "another process sees the same task"
            os.kill(its_server, signal.SIGKILL)  # the first, in the middle of call 4
            until(lambda: has_ended(worker), "its worker went along")
            gate.touch()
            settled = await second.settled(id)
            assert settled["result"]["content"][0]["text"] == "10", "the second has taken the turn of the first"
    executed = [int(line.split()[0]) for line in log.read_text().splitlines()]
    assert executed == [0, 1, 2, 3, 3, 4], "only the call in flight executed again"
