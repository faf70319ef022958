"""Random requests: trees of calls that succeed, fail, are retried, time out, are cancelled, interrupted or killed.

A request is a cell that holds a tree: what it calls, what that does and calls in turn.
"""

from __future__ import annotations

import random
from typing import Any, Final

NAMES: Final = ("f", "g", "h")
PREPARED: Final = """
from jupyter_durable import RequestContext, Retries, function
TRIED = {}
def act(what, parts):
    RequestContext.get().metrics.counter(what, 1 + len(parts))
    if what == "caught":
        for part in parts:
            try:
                made(part)
            except Exception:
                pass
        return what
    trees = [tree for _, tree in parts]
    if what == "mapped":
        return f.map(trees)
    if what == "mapped, caught":
        return f.map(trees, return_exceptions=True)
    if what == "started":
        futures = [g.future(tree).run() for tree in trees]
        return [future.result() for future in futures]
    if what == "reduced":
        return add.reduce([len(str(part)) for part in parts], 0)
    for part in parts:
        made(part)
    if what == "fails":
        raise ValueError(str(len(parts)))
    if what == "stops":
        stop()
    return what
@function()
def f(tree):
    return act(*tree)
@function()
def g(tree):
    return act(*tree)
@function()
def h(tree):
    return act(*tree)
@function()
def add(one, other):
    return one + other
@function(retries=Retries(max_retries=2, initial_delay=0.0, jitter=False))
def again(key, tree):
    TRIED[key] = TRIED.get(key, 0) + 1
    act(*tree)
    if TRIED[key] % 3:
        raise OSError(key)
    return key
@function(timeout=1)
def late(tree):
    act(*tree)
    while True:
        time.sleep(0.01)
def made(part):
    name, tree = part
    if name == "again":
        return again(str(tree), tree)
    return {"f": f, "g": g, "h": h, "late": late}[name](tree)
"""


STOPPING: Final[dict[str, float]] = {"does": 10, "fails": 2, "caught": 3, "reduced": 1, "stops": 0.5}
BESIDE: Final[dict[str, float]] = {
    "does": 10,
    "fails": 2,
    "caught": 3,
    "reduced": 1,
    "mapped": 2,
    "mapped, caught": 2,
    "started": 2,
}


def tree(chance: random.Random, deeds: dict[str, float], depth: int = 0) -> list[tuple[str, Any]]:
    """What a body calls, in order: names with what they do and call in turn; `deeds` with how often each is done."""
    found = []
    for _ in range(chance.choice((0, 1, 1, 2, 3, 4)) if depth else chance.randint(1, 4)):
        what = chance.choices(list(deeds), list(deeds.values()))[0]
        name = chance.choices((*NAMES, "again", "late"), (5, 5, 5, 1.5, 0.4))[0]
        parts = tree(chance, deeds, depth + 1) if depth < 3 else []
        found.append((name, (what, parts)))
    return found


def edited(chance: random.Random, parts: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """The same with something swapped, left out, inserted, mended or broken."""
    parts = list(parts)
    if not parts or chance.random() < 0.3:
        parts.insert(chance.randint(0, len(parts)), (chance.choice(NAMES), ("does", [])))
    at = chance.randrange(len(parts))
    name, (what, inner) = parts[at]
    match chance.randrange(4):
        case 0:
            del parts[at]
        case 1:
            parts[at] = (name, ("does" if what in ("fails", "stops") else "fails", inner))
        case 2:
            parts[at] = (name, (what, edited(chance, inner)))
        case _:
            chance.shuffle(parts)
    return parts


def cell(parts: list[tuple[str, Any]]) -> str:
    """The text of a cell that does it."""
    return f"%%durable\nfor part in {parts!r}:\n    made(part)\n"
