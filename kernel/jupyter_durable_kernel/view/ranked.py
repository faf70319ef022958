"""Which calls of a state are shown where not all of them fit: the same in JSON and in HTML.

Rules of this file
- Pure. Failures come first, then what runs or drifted, then callers before what they call.
- Of many siblings of one name only some are worth a row; the others are told as a group.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from jupyter_durable.client.render import FOLD, drift
from jupyter_durable.core.counting import CallNode, walk
from jupyter_durable.core.model import Status
from jupyter_durable_kernel.view.state import State
from jupyter_durable_kernel.view.tallies import Group, Tally

_OF_A_GROUP: Final = 25
"""Calls shown of one group: its failures, else its first."""

Siblings = dict[tuple[int, Group], tuple[list[CallNode], Tally]]
"""By caller and group: calls of one name, and what is counted of those that are not kept."""


class Laid(NamedTuple):
    """The calls of a tree, ready to be chosen from."""

    nodes: Sequence[CallNode]
    groups: Siblings
    ranked: Sequence[CallNode]
    """In the order in which they are worth a row; of many siblings of one name only some."""


def _groups(nodes: list[CallNode], tallies: Mapping[Group, Tally]) -> Siblings:
    """Siblings of one name that are too many for rows of their own."""
    found: dict[tuple[int, Group], list[CallNode]] = defaultdict(list)
    for node in nodes:
        if node.depth:
            found[node.parent, (node.parent, node.kind, node.name)].append(node)
    for key in tallies:
        found.setdefault((key[0], key), [])
    nothing = Tally()
    known = {key: (calls, tallies.get(key[1], nothing)) for key, calls in found.items()}
    return {key: (calls, tally) for key, (calls, tally) in known.items() if len(calls) + tally.size > FOLD}


def laid_out(state: State) -> Laid:
    """The calls of a state."""
    nodes = walk(state.root) if state.root is not None else []
    groups = _groups(nodes, state.tallies)
    spared: set[int] = set()
    for calls, _ in groups.values():
        worthy = sorted(calls, key=lambda call: call.status not in (Status.FAILED, Status.RUNNING))
        spared.update(call.identity for call in worthy[_OF_A_GROUP:])
    return Laid(nodes, groups, sorted((node for node in nodes if node.identity not in spared), key=_urgency))


def chosen(laid: Laid, limit: int) -> frozenset[int]:
    """Identities of at most `limit` calls to show, their callers among them: failures first."""
    parents = {node.identity: node.parent for node in laid.nodes}
    found: set[int] = set()
    for node in laid.ranked:
        room = limit - len(found)
        if room <= 0:
            break
        path = []
        identity = node.identity
        while identity in parents and identity not in found:
            path.append(identity)
            identity = parents[identity]
        found.update(path[-room:])  # of a chain that is too long, its callers
    return frozenset(found)


def _urgency(node: CallNode) -> tuple[int, int]:
    """What went wrong, what runs or drifted, and then callers before what they call: a tree is read from its root."""
    if node.status in (Status.FAILED, Status.CANCELLED, Status.INTERRUPTED):
        return 0, 0
    if node.status == Status.RUNNING or drift(node):
        return 1, 0
    return 2, node.depth
