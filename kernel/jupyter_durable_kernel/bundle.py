"""A request as JSON for the page: one numbered picture of one state, what `labextension/src/protocol.ts` reads.

Rules of this file
- Pure: a state and previews in, values of JSON out. The kernel shows it live, a notebook keeps it.
- At most 100 kB: failures come first, then what runs, then program order; what is left out can be asked for in pages.
- A snapshot is whole. Its number grows with time, so that one that is late or repeated is known as such.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Final

from jupyter_durable.client.render import FOLD
from jupyter_durable.core.calltree import CallNode, Counts, call_json, walk
from jupyter_durable.core.model import Status
from jupyter_durable_kernel.folding import Group, Tally
from jupyter_durable_kernel.previews import shortened
from jupyter_durable_kernel.values import Values

if TYPE_CHECKING:
    from jupyter_durable_kernel.page import State

MIME: Final = "application/vnd.jupyter-durable.request+json"
VERSION: Final = 1
BYTES: Final = 100_000
_ROWS: Final = (150, 60, 20, 5)
_OF_A_GROUP: Final = 25
"""Calls sent of one group: its failures, else its first."""
_TEXT: Final = 200
_ERROR: Final = 2_000
_LOG: Final = 1_000


def display_of(request: str, run: int) -> str:
    """The name of the output that shows a run."""
    return f"{request}-{run}"


def snapshot(state: State, values: Values, headline: str) -> dict[str, Any]:
    """The picture."""
    made: dict[str, Any] = {}
    for limit in _ROWS:
        made = _made(state, values, headline, limit)
        if len(json.dumps(made, ensure_ascii=False).encode("utf-8", "replace")) <= BYTES:
            break
    return made


def timeless(made: Mapping[str, Any]) -> dict[str, Any]:
    """What a snapshot says, apart from when: two that are equal so need not both be shown."""
    return {**made, "sequence": 0, "at": 0.0}


def _made(state: State, values: Values, headline: str, limit: int) -> dict[str, Any]:
    row, root = state.row, state.root
    nodes = walk(root) if root is not None else []
    groups = _groups(nodes, state.tallies)
    sent = _sent(root, groups, limit) if root is not None else frozenset[int]()
    calls = [node for node in nodes if node.identity in sent]
    return {
        "version": VERSION,
        "sequence": int(state.now * 1000),
        "at": state.now,
        "display": display_of(row.id, max(row.run, 1)),
        "request": {
            "id": row.id,
            "application": row.application,
            "kind": row.kind,
            "status": state.status,
            "run": max(row.run, 1),
            "error": shortened(row.error or "", _ERROR) if state.status != Status.SUCCEEDED else "",
            "started_at": root.started_at if root is not None else row.started_at,
            "finished_at": _ended_at(root) if root is not None else row.finished_at,
            "forked_from": row.forked_from or "",
        },
        "counts": {name: getattr(state.counts, name) for name in Counts.__slots__},
        "summary": headline,
        "calls": [shown_call(node, values, state.tallies) for node in calls],
        "groups": [_group(node, group, calls, tally) for (node, group), (calls, tally) in groups.items()],
        "omitted": len(nodes) - len(calls) + sum(tally.ran + tally.reused for tally in state.tallies.values()),
    }


def shown_call(node: CallNode, values: Values, tallies: Mapping[Group, Tally] | None = None) -> dict[str, Any]:
    """One call with its previews."""
    told = values.of(node)
    counted = [tally for key, tally in (tallies or {}).items() if key[0] == node.identity]
    made = call_json(node)
    made["children"] += sum(tally.ran + tally.reused for tally in counted)
    made["logs"] = _logs(node)
    made["arguments"] = shortened(told.arguments, _TEXT)
    made["output"] = shortened(told.output, _TEXT)
    made["error"] = shortened(told.error, _ERROR)
    return made


def _logs(node: CallNode) -> list[tuple[str, str]]:
    """The last of what the call printed."""
    room, found = _LOG, []
    for log in reversed(node.logs):
        if room <= 0:
            break
        found.append((log.stream, log.text[-room:]))
        room -= len(log.text)
    return found[::-1]


_Siblings = dict[tuple[int, Group], tuple[list[CallNode], Tally]]


def _groups(nodes: list[CallNode], tallies: Mapping[Group, Tally]) -> _Siblings:
    """Siblings of one name that are too many for rows of their own."""
    found: dict[tuple[int, Group], list[CallNode]] = defaultdict(list)
    for node in nodes:
        if node.depth:
            found[node.parent, (node.parent, node.kind, node.name)].append(node)
    for key in tallies:
        found.setdefault((key[0], key), [])
    nothing = Tally()
    known = {key: (calls, tallies.get(key[1], nothing)) for key, calls in found.items()}
    return {
        key: (calls, tally) for key, (calls, tally) in known.items() if len(calls) + tally.ran + tally.reused > FOLD
    }


def _group(parent: int, group: Group, calls: list[CallNode], tally: Tally) -> dict[str, Any]:
    failed = sum(call.status == Status.FAILED for call in calls) + tally.failed
    running = sum(call.status == Status.RUNNING for call in calls)
    total = len(calls) + tally.ran + tally.reused
    starts = [call.started_at for call in calls]
    ends = [call.started_at + (call.duration or 0.0) for call in calls]
    return {
        "parent": parent,
        "name": group[2],
        "kind": group[1],
        "total": total,
        "succeeded": total - failed - running,
        "failed": failed,
        "running": running,
        "reused": sum(call.source == "checkpoint" for call in calls) + tally.reused,
        "started_at": min(starts, default=0.0),
        "seconds": max(ends, default=0.0) - min(starts, default=0.0),
    }


def _sent(root: CallNode, groups: _Siblings, limit: int) -> frozenset[int]:
    """Identities of the calls that are sent."""
    spared: set[int] = set()
    for calls, _ in groups.values():
        ranked = sorted(calls, key=lambda call: call.status not in (Status.FAILED, Status.RUNNING))
        spared.update(call.identity for call in ranked[_OF_A_GROUP:])
    return chosen(root, limit, spared)


def _ended_at(root: CallNode) -> float | None:
    return root.started_at + root.duration if root.duration is not None else None


def chosen(root: CallNode, limit: int, spared: Collection[int] = ()) -> frozenset[int]:
    """Identities of at most `limit` calls (and their callers) to show: failures first, none of `spared`."""
    nodes = walk(root)
    parents = {node.identity: node.parent for node in nodes}
    found: set[int] = set()
    for node in sorted(nodes, key=_urgency):
        if len(found) >= limit:
            break
        identity = node.identity
        if identity in spared:
            continue
        while identity in parents and identity not in found:
            found.add(identity)
            identity = parents[identity]
    return frozenset(found)


def _urgency(node: CallNode) -> int:
    if node.status in (Status.FAILED, Status.CANCELLED, Status.INTERRUPTED):
        return 0
    return 1 if node.status == Status.RUNNING or node.args_changed or node.code_changed else 2
