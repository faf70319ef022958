"""A server that is killed in the middle of a task: the same id completes, and nothing acknowledged executes again."""

from __future__ import annotations

import random
import time
from functools import partial

import pytest

from tests.agents.agent import agent_of
from tests.applications.conftest import Served, until
from tests.applications.programs import HEAD

STEPS = 8
EIGHT = (
    HEAD
    + f"""
@function()
def step(which: str, n: int) -> int:
    executed(f"begun {{which}} {{n}}")
    time.sleep(0.05)
    executed(f"ended {{which}} {{n}}")
    return n

@application()
@function()
def eight(which: str) -> int:
    return sum(step(which, n) for n in range({STEPS}))

deploy()
"""
)


@pytest.mark.parametrize("kills", [2, pytest.param(100, marks=pytest.mark.full)])
async def test_a_task_completes_under_its_id_however_often_the_server_is_killed(server: Served, kills: int) -> None:
    server.script(EIGHT)
    draw = random.Random(kills)
    ids: dict[str, str] = {}
    for at in range(kills):
        which = f"w{at}"
        async with agent_of(server.url, server.token) as agent:
            ids[which] = await agent.begin("eight", which=which)
        begun = f"begun {which} {draw.randrange(STEPS)}"
        until(partial(server.executions, begun), begun)
        time.sleep(draw.random() * 0.06)
        server.kill()
        server.start()
    async with agent_of(server.url, server.token) as agent:
        for id in ids.values():
            settled = await agent.settled(id)
            assert settled["taskId"] == id
            assert settled["result"]["content"][0]["text"] == str(sum(range(STEPS)))
    for which in ids:
        steps = [int(line.split()[2]) for line in server.executions(f"begun {which} ")]
        twice = [n for n in range(STEPS) if steps.count(n) > 1]
        assert set(steps) == set(range(STEPS))
        assert len(steps) <= STEPS + 1, "one server died in the middle of this task: one call was in flight"
        assert len(twice) <= 1
    if kills >= 100:
        assert sum(len(server.executions(f"begun {which} ")) > STEPS for which in ids) > kills // 4, "kills in flight"
