"""A loaded call tree in its lightest form, and how calls are named in it.

Rules of this file
- A `Node` holds the calls of its newest body in program order, and apart from them the recorded calls that this body
  did not reach any more (`others`).
- A call is written `name[n]`, n counting from 0 the calls of that name in program order (preorder) over the request.
  Map and reduce nodes are counted apart: `name.map[n]`, `name.reduce[n]`.
- No recursion: trees may be thousands of calls deep.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from jupyter_durable.core.model import CallRow, Kind
from jupyter_durable.records import NamedTuple

__all__ = ["GROUPS", "Node", "called", "numbered", "preorder"]

GROUPS: Final = frozenset({Kind.MAP, Kind.REDUCE})
"""Kinds of nodes that only hold their items."""


class Node(NamedTuple):
    """A recorded call with what is below it."""

    row: CallRow
    children: tuple[Node, ...] = ()
    """Calls of its newest body, in program order."""
    others: tuple[Node, ...] = ()
    """Recorded calls that the newest body did not reach."""


def preorder(root: Node, *, others: bool = False) -> Iterator[Node]:
    """The node and all below it, in program order; with `others`, also what is no longer reached."""
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        if others:
            stack.extend(reversed(node.others))
        stack.extend(reversed(node.children))


def called(kind: str, name: str) -> str:
    """The name under which a call is counted and shown."""
    return f"{name}.{kind}" if kind in GROUPS else name


def numbered(root: Node) -> dict[int, str]:
    """`name[n]` of every call of the tree, by identity."""
    counts: dict[str, int] = {}
    names = {}
    for node in preorder(root):
        name = called(node.row.kind, node.row.name)
        n = counts.get(name, 0)
        counts[name] = n + 1
        names[node.row.identity] = f"{name}[{n}]"
    return names
