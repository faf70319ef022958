"""Which calls a replay sets aside, and what it will do: `rerun=`, `from_call=` and `preview`.

Rules of this file
- Pure functions over a loaded tree (`nodes.Node`). Calls are named by identity; a set-aside is (parent, identity).
- A chosen call is set aside with everything recorded below it, and always with all its callers.
- `from_call` also sets aside what is later in program order: at each caller the siblings after the one on the way to
  the call, except the items of one map. What the newest body no longer reached is not earlier, so it goes too.
- `preview` assumes that the same calls are made. After a set-aside call matching by place is off, so its later
  siblings are reused only if their arguments stay the same: "depends on arguments".
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import pairwise
from typing import Final

from jupyter_durable.core import outline
from jupyter_durable.core.model import CallRow, Flag, Kind, Status
from jupyter_durable.core.nodes import GROUPS, Node, called, numbered, preorder
from jupyter_durable.core.outline import Verdict
from jupyter_durable.core.replay import reusable
from jupyter_durable.records import NamedTuple

__all__ = [
    "DEPENDS",
    "EXECUTED",
    "REUSED",
    "Preview",
    "Verdict",
    "callers",
    "choose",
    "from_call",
    "later",
    "preview",
    "rerun",
    "subtree",
]

REUSED: Final = "reused"
EXECUTED: Final = "executed"
DEPENDS: Final = "depends on arguments"
ITEMS: Final = "its items are matched one by one"

SetAside = tuple[tuple[int, int], ...]


def path_to(root: Node, identity: int) -> tuple[Node, ...]:
    """The calls from the root down to `identity`, both included. Raises `KeyError` when it is not in the tree."""
    above: dict[int, Node] = {}
    for node in preorder(root):
        if node.row.identity == identity:
            path = [node]
            while path[-1].row.identity in above:
                path.append(above[path[-1].row.identity])
            return tuple(reversed(path))
        above.update((child.row.identity, node) for child in node.children)
    raise KeyError(identity)


def callers(root: Node, identity: int) -> tuple[Node, ...]:
    """Who called it, from the root down."""
    return path_to(root, identity)[:-1]


def subtree(node: Node) -> list[Node]:
    """The call and everything recorded below it, reached or not."""
    return list(preorder(node, others=True))


def later(root: Node, identity: int) -> list[Node]:
    """Calls after `identity` in program order, with all that is recorded below them. Its own subtree is not later."""
    found: list[Node] = []
    path = path_to(root, identity)
    for caller, callee in pairwise(path):
        tops = list(caller.others)
        if caller.row.kind != Kind.MAP:
            at = next(n for n, child in enumerate(caller.children) if child is callee)
            tops += caller.children[at + 1 :]
        for top in tops:
            found.extend(subtree(top))
    return found


def choose(root: Node, wanted: Callable[[CallRow], bool]) -> tuple[int, ...]:
    """Identities of the calls of the tree that `wanted` picks, in program order."""
    return tuple(node.row.identity for node in preorder(root) if wanted(node.row))


def rerun(root: Node, chosen: Iterable[int]) -> SetAside:
    """What `rerun=` sets aside: the chosen calls, all below them, and all their callers."""
    nodes: list[Node] = []
    for identity in chosen:
        path = path_to(root, identity)
        nodes.extend(path[:-1])
        nodes.extend(subtree(path[-1]))
    return _set_aside(nodes)


def from_call(root: Node, identity: int) -> SetAside:
    """What `from_call=` sets aside: the call, all below it, its callers, and everything later."""
    path = path_to(root, identity)
    return _set_aside([*path[:-1], *subtree(path[-1]), *later(root, identity)])


def _set_aside(nodes: Iterable[Node]) -> SetAside:
    return tuple(sorted({(node.row.parent, node.row.identity) for node in nodes}))


class Preview(NamedTuple):
    """What a replay will do with the recorded calls, in program order. `str()` is the sum and a table, folded."""

    calls: tuple[Verdict, ...]
    saved: float
    """Seconds saved by the calls that are reused for sure."""

    def __str__(self) -> str:
        return outline.text(self.calls, self.saved)

    def __repr__(self) -> str:
        return str(self)


class _Seen(NamedTuple):
    node: Node
    depth: int
    verdict: str
    why: str
    covered: bool


def preview(root: Node, set_aside: Collection[int], changed: Mapping[int, str]) -> Preview:
    """What a replay will do. Runs nothing.

    `set_aside`: identities from `rerun` or `from_call`. `changed`: identity to what changed ("code changed"), for
    calls that would be reused all the same, or that are set aside for it.
    """
    aside = set(set_aside)
    seen = _judge(root, aside)
    after: dict[int, str] = {}
    for one in reversed(seen):  # a map or reduce is as its items are
        after[one.node.row.identity] = _of_items(one, after)
    names = numbered(root)
    calls = []
    for one in seen:
        row = one.node.row
        verdict = after[row.identity]
        why = one.why if verdict == one.verdict else ""
        if row.identity in changed and (verdict == REUSED or why == "set aside"):
            why = changed[row.identity]
        counts = verdict == REUSED and not one.covered and row.kind not in GROUPS
        saves = (row.duration or 0.0) if counts else 0.0
        calls.append(
            Verdict(
                row.identity,
                names[row.identity],
                one.depth,
                verdict,
                why,
                row.duration,
                saves,
                called(row.kind, row.name),
                row.kind,
            )
        )
    return Preview(tuple(calls), sum(call.saves for call in calls))


def _judge(root: Node, aside: set[int]) -> list[_Seen]:
    """Verdicts in program order; those of map and reduce nodes are preliminary."""
    verdict, why = _alone(root.row, aside)
    stack = [_Seen(root, 0, verdict, why, False)]
    seen = []
    while stack:
        one = stack.pop()
        seen.append(one)
        stack.extend(reversed(_children(one, aside)))
    return seen


def _children(caller: _Seen, aside: set[int]) -> list[_Seen]:
    if caller.verdict != EXECUTED:
        covered = caller.verdict == REUSED
        return [_Seen(child, caller.depth + 1, caller.verdict, "", covered) for child in caller.node.children]
    found = []
    kind = caller.node.row.kind
    place_off, earlier = False, REUSED
    for child in caller.node.children:
        verdict, why = _alone(child.row, aside)
        if verdict == REUSED and kind == Kind.REDUCE and earlier != REUSED:
            verdict, why = earlier, "an earlier step of the reduce may not be reused"
        elif place_off and kind != Kind.MAP and (verdict == REUSED or why == ITEMS):
            verdict, why = DEPENDS, "a call before it runs again"
        place_off = place_off or child.row.identity in aside
        earlier = verdict if earlier == REUSED else earlier
        found.append(_Seen(child, caller.depth + 1, verdict, why, False))
    return found


def _alone(row: CallRow, aside: set[int]) -> tuple[str, str]:
    """The verdict on a call whose caller executes, looking at nothing else."""
    if row.identity in aside or row.flags & Flag.SET_ASIDE:
        return EXECUTED, "set aside"
    if row.kind in GROUPS:
        return EXECUTED, ITEMS
    if reusable(row):
        return REUSED, ""
    if row.flags & Flag.VOLATILE:
        return EXECUTED, "durable=False"
    if row.flags & Flag.NOT_STORED:
        return EXECUTED, "its result could not be stored"
    return EXECUTED, "did not finish" if row.status == Status.RUNNING else row.status


def _of_items(one: _Seen, after: Mapping[int, str]) -> str:
    if one.node.row.kind not in GROUPS or one.verdict != EXECUTED or one.why == "set aside":
        return one.verdict
    verdicts = {after[child.row.identity] for child in one.node.children}
    if EXECUTED in verdicts:
        return EXECUTED
    return DEPENDS if DEPENDS in verdicts else REUSED
