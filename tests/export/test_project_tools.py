"""The applications of an export are tools of the agent that starts it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters

from tests.agents.agent import Agent, Tasks
from tests.export.exported import Exported, until


@pytest.mark.full
async def test_a_task_of_an_export_goes_on_in_the_next_process_of_the_agent(exported: Exported, tmp_path: Path) -> None:
    """The task's id is the request's: whoever asks for it later gets its result, and nothing executes again for it."""
    environment = {**exported.environment, "JUPYTER_DATA_DIR": str(tmp_path / "data")}
    server = StdioServerParameters(
        command=exported.python, args=["-m", exported.package, "mcp"], env=environment, cwd=os.fspath(exported.folder)
    )
    async with Client(server, extensions=[Tasks()]) as client:
        agent = Agent(client)
        assert list(await agent.tools()) == ["brief"]
        id = await agent.begin("brief", n=100)
        until(lambda: len(exported.executions) > 5, "it runs")
    async with Client(server, extensions=[Tasks()]) as client:
        settled = await Agent(client).settled(id)
    assert settled["result"]["content"][0]["text"] == str(sum(range(100)) * 3)
    executed = exported.executions
    assert len(set(executed)) == 200
    assert len(executed) - len(set(executed)) <= 1, "but for the call that was under way when the first process ended"
