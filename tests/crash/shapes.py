"""The workloads that are killed: one application each, as the text of a notebook cell.

Every function says `ran(key)` when it executes and every caller `got(key, value)` when it has the result. Keys are
unique in a shape. `flow` is the application; its output is the list of the values it got.
"""

from __future__ import annotations

from typing import Final, NamedTuple

START: Final = """
import asyncio, time
from jupyter_durable import *
from tests.crash.witness import got, ran
"""

SEQUENTIAL: Final = """
@function()
def first(i): return ran(f"first{i}")
@function()
def large(i): return ran(f"large{i}", 100_000)
@application()
def flow():
    values = [got(f"first{i}", first(i)) for i in range(3)]
    values.append(got("large0", large(0))[:40])
    return values + [got(f"first{i}", first(i)) for i in range(3, 5)]
"""

NESTED: Final = """
@function()
def leaf(i, j):
    return ran(f"leaf{i}.{j}")
@function()
def middle(i):
    value = ran(f"middle{i}")
    for j in range(2):
        got(f"leaf{i}.{j}", leaf(i, j))
    return value
@function()
def top():
    value = ran("top")
    for i in range(2):
        got(f"middle{i}", middle(i))
    return value
@application()
def flow():
    return [got("top", top())]
"""

MAP: Final = """
@function()
def item(i): return ran(f"item{i}")
@function()
def before(): return ran("before")
@application()
def flow():
    values = [got("before", before())]
    return values + [got(f"item{i}", value) for i, value in enumerate(item.map(range(8)))]
"""

REDUCE: Final = """
@function()
def step(accumulated, i):
    if i:
        got(f"step{i - 1}", accumulated)
    return ran(f"step{i}")
@function()
def after(value): return ran("after")
@application()
def flow():
    value = got("step4", step.reduce(range(5), "nothing"))
    return [value, got("after", after(value))]
"""

CLASS: Final = """
@cls()
class Counter:
    def __init__(self):
        self.made = ran("__init__")
    @function()
    def count(self, i):
        return ran(f"count{i}")
    @function()
    def twice(self, i):
        value = ran(f"twice{i}")
        got(f"count{i}", self.count(i))
        return value
@application()
def flow():
    counter = Counter()
    return [got(f"twice{i}", counter.twice(i)) for i in range(3)] + [got("count9", counter.count(9))]
"""

ASYNC: Final = """
@function()
async def leaf(i):
    value = ran(f"leaf{i}")
    await asyncio.sleep(0.001)
    return value
@function()
async def branch(i):
    value = ran(f"branch{i}")
    got(f"leaf{i}", await leaf(i))
    return value
async def one(i):
    return got(f"branch{i}", await branch(i))
@application()
async def flow():
    values = [got("leaf9", await leaf(9))]
    return values + list(await asyncio.gather(*(one(i) for i in range(4))))
"""

RETRIES: Final = """
@function(retries=Retries(max_retries=2, initial_delay=0.0, jitter=False))
def flaky(i):
    value = ran(f"flaky{i}")
    if RequestContext.get().attempt <= i:
        raise OSError("not yet")
    return value
@function(retries=Retries(max_retries=1, initial_delay=0.0, jitter=False))
def hopeless():
    ran("hopeless")
    raise OSError("never")
@application()
def flow():
    values = [got(f"flaky{i}", flaky(i)) for i in range(3)]
    try:
        hopeless()
    except OSError:
        pass
    return values + [got("flaky2.5", flaky_again())]
@function()
def flaky_again(): return ran("flaky2.5")
"""

TIMEOUT: Final = """
@function(timeout=60)
def slow(i):
    value = ran(f"slow{i}")
    RequestContext.get().progress.update(1, 2)
    return value
@function(timeout=60)
def outer(i):
    value = ran(f"outer{i}")
    got(f"slow{i}", slow(i))
    return value
@application()
def flow():
    return [got(f"outer{i}", outer(i)) for i in range(2)] + [got(f"slow{i}", slow(i)) for i in range(5, 8)]
"""

STATE: Final = """
@function()
def leaf(i):
    value = ran(f"leaf{i}")
    RequestContext.get().state.set("newest", value)
    RequestContext.get().state.set(f"leaf{i}", value)
    return value
@function()
def keep(i):
    value = ran(f"keep{i}")
    RequestContext.get().state.set(f"keep{i}", value)
    got(f"leaf{i}", leaf(i))
    return value
@application()
def flow():
    state = RequestContext.get().state
    values = []
    for i in range(3):
        value = got(f"keep{i}", keep(i))
        assert state.get(f"keep{i}") == value, (i, state.get(f"keep{i}"), value)
        assert state.get("newest") == state.get(f"leaf{i}") and state.get("newest").startswith(f"leaf{i}:")
        values.append(value)
    assert all(state.get(f"keep{i}") == values[i] for i in range(3))
    return values
"""

PROGRESS: Final = """
@function()
def report(i):
    value = ran(f"report{i}")
    context = RequestContext.get()
    for n in context.progress.track(range(5)):
        context.progress.update(n, 5, f"{i}.{n}", {"at": str(n)})
    context.metrics.counter("reports", 1)
    print("report", i)
    time.sleep(0.02)
    return value
@application()
def flow():
    return [got(f"report{i}", report(i)) for i in range(5)]
"""

UPGRADE: Final = """
@function()
def draw(i): return ran(f"draw{i}")
@function()
def gone(): return ran("gone")
@function()
def over(i):
    value = ran(f"over{i}")
    got(f"draw{i}", draw(i))
    return value
@application()
def flow():
    values = [got("gone", gone())]
    values += [got(f"draw{i}", draw(i)) for i in (10, 11)]
    return values + [got(f"over{i}", over(i)) for i in range(4)]
"""
UPGRADED: Final = """
@function()
def draw(i):
    value = ran(f"draw{i}")
    return value
@function()
def new(): return ran("new")
@function()
def over(i):
    value = ran(f"over{i}")
    got(f"new{i}", new_for(i))
    got(f"draw{i}", draw(i))
    return value
@function()
def new_for(i): return ran(f"new{i}")
@application()
def flow():
    values = [got("new", new())]
    # draw(11), when it is new, takes the place of draw(10) until that arrives; then the body starts over.
    values += [got(f"draw{i}", draw(i)) for i in (11, 10)]
    return values + [got(f"over{i}", over(i)) for i in (0, 1, 2, 3, 5)]
"""


class Shape(NamedTuple):
    """A workload, and the code it has when it is replayed, where that is another."""

    source: str
    later: str | None = None
    budgets: dict[str, int] = {}  # noqa: RUF012 - a NamedTuple; never changed
    """Attempts that a call may make by retrying."""
    starts_over: bool = False
    """What was got in a pass that is given up does not count."""
    output: str = ""
    """Keys of the output, where `starts_over`."""
    dropped: str = "\0"
    """Beginning of the keys whose value the store need not keep."""


SHAPES: Final = {
    "sequential": Shape(SEQUENTIAL),
    "nested": Shape(NESTED),
    "map": Shape(MAP),
    "reduce": Shape(REDUCE, dropped="step"),
    "class": Shape(CLASS),
    "async": Shape(ASYNC),
    "retries": Shape(RETRIES, budgets={"flaky0": 3, "flaky1": 3, "flaky2": 3, "hopeless": 2}),
    "timeout": Shape(TIMEOUT),
    "state": Shape(STATE),
    "progress": Shape(PROGRESS),
    "upgrade": Shape(
        UPGRADE, later=UPGRADED, starts_over=True, output="new draw11 draw10 over0 over1 over2 over3 over5"
    ),
}
