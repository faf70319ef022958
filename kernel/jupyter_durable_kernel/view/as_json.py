"""A request as JSON for the page: one numbered picture of one state, read by the page (`protocol.ts`).

Rules of this file
- Pure: a state and previews in, values of JSON out. The kernel shows it live, a notebook keeps it.
- At most `BYTES` where it is saved: failures come first, then what runs, then program order; what is left out can be
  asked for in pages. A field of a call that says nothing (no error, not changed) is left out: the page knows.
- Free text is masked before it is cut: half of a credential is none that can be told. Of a log its end is, which may be
  of any length: a pattern holds up all threads while it looks.
- A snapshot is whole. Its number grows with time, so that one that is late or repeated is known as such.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from jupyter_durable.code.credentials import masked, masked_field
from jupyter_durable.core.calltree import CHECKPOINT, CallNode, call_json
from jupyter_durable.core.counting import ahead, counts_json
from jupyter_durable.core.model import ENDED, Logged, Progressed, Status, joined
from jupyter_durable_kernel.view.call_values import Values
from jupyter_durable_kernel.view.ranked import Laid, chosen, laid_out
from jupyter_durable_kernel.view.saved_forms import MIME as MIME
from jupyter_durable_kernel.view.saved_forms import NONE, fitted
from jupyter_durable_kernel.view.short_values import shortened, shortened_trace
from jupyter_durable_kernel.view.state import State, headline
from jupyter_durable_kernel.view.tallies import Group, Tally, together

VERSION: Final = 1
BYTES: Final = 58_000
_CALLS: Final = 150
"""Calls sent at most."""
_GROUPS: Final = 60
"""Groups sent at most, those with failures first."""
_TEXT: Final = 200
_ERROR: Final = 2_000
_LOG: Final = 1_000
_BEFORE: Final = 16_384
"""Characters before what is shown of a log that are masked with it: longer than any credential that can be told."""
_ATTRIBUTES: Final = 10
_SAYS_NOTHING: Final[Mapping[str, Any]] = {
    "logs": [], "progress": None, "arguments": "", "output": "", "error": "", "duration": None,
    "args_changed": False, "not_comparable": False, "code_changed": False, "file_changed": False, "stored": True,
    "children": 0, "tries": [], "metrics": [], "last_try_at": None, "run": 0,
}  # fmt: skip
"""What the page takes a field for that is not there."""


def display_of(request: str, run: int) -> str:
    """The name of the output that shows a run."""
    return f"{request}-{run}"


def snapshot(state: State, values: Values) -> dict[str, Any]:
    """The picture."""
    laid = laid_out(state)
    made: dict[str, Any] = fitted(lambda limit: _made(state, values, (laid, limit)), _CALLS, BYTES)
    return made


def reduced(state: State, values: Values, save_view: str) -> dict[str, Any]:
    """The picture without its calls, of which no value is told; for `none` without what was made of it, too.

    `partial` tells the page to ask whoever knows the rest.
    """
    made = {**_made(state, values, (laid_out(state), 1)), "partial": True, "groups": []}
    secret = ("arguments", "output", "error", "logs", "tries", "last_try_at")
    made["calls"] = [{name: value for name, value in call.items() if name not in secret} for call in made["calls"]]
    if save_view == NONE:
        request = {**made["request"], "error": ""}
        made |= {
            "calls": [],
            "ahead": None,
            "counts": dict.fromkeys(made["counts"], 0),
            "summary": "",
            "request": request,
        }
    return made


def timeless(made: Mapping[str, Any]) -> dict[str, Any]:
    """What a snapshot says, apart from when: two that are equal so need not both be shown."""
    return {**made, "sequence": 0, "at": 0.0}


def as_of(made: Mapping[str, Any], now: float) -> dict[str, Any]:
    """A snapshot that still holds, as one of now."""
    return {**made, "sequence": int(now * 1000), "at": now}


def _made(state: State, values: Values, part: tuple[Laid, int]) -> dict[str, Any]:
    """`part`: the calls there are, and how many of them are sent at most."""
    row = state.row
    (nodes, groups, _), limit = part
    sent = chosen(*part)
    calls = [node for node in nodes if node.identity in sent]
    below: Counter[int] = Counter()
    for group, tally in state.tallies.items():
        below[group[0]] += tally.size
    return {
        "version": VERSION,
        "sequence": int(state.now * 1000),
        "at": state.now,
        "display": display_of(row.id, max(row.run, 1)),
        "request": {
            "id": row.id,
            "application": shortened(row.application, _TEXT),
            "kind": row.kind,
            "status": state.status,
            "run": max(row.run, 1),
            "error": shortened(masked(row.error or ""), _ERROR) if state.status != Status.SUCCEEDED else "",
            "started_at": state.span[0],
            "finished_at": state.span[1],
            "forked_from": row.forked_from or "",
        },
        "counts": counts_json(state.counts),
        "ahead": _ahead(state),
        "summary": headline(state),
        "calls": [shown_call(node, values, below[node.identity]) for node in calls],
        "groups": _some([_group(key, *found, state.now) for key, found in groups.items()], limit),
        "omitted": len(nodes) - len(calls) + sum(tally.told + tally.below.deeper for tally in state.tallies.values()),
    }


def shown_call(node: CallNode, values: Values, counted: int = 0) -> dict[str, Any]:
    """One call with its previews; `counted`: how many more it calls than are in the tree."""
    told = values.of(node)
    made = call_json(node)
    made["children"] += counted
    made["tries"] = [dict(each._asdict()) for each in told.tries]
    made["last_try_at"] = told.last_try_at
    made["run"] = node.row.pass_no >> 16 if node.source == CHECKPOINT else 0
    made["logs"] = logs_of(node.logs, _LOG)
    made["progress"] = _progress(made["progress"], node.progress)
    for name, text, most in (
        ("label", node.label, _TEXT),
        ("name", node.name, _TEXT),
        ("arguments", told.arguments, _TEXT),
        ("output", told.output, _TEXT),
    ):
        made[name] = shortened(text, most)
    made["error"] = shortened_trace(told.error, _ERROR)
    return {name: value for name, value in made.items() if name not in _SAYS_NOTHING or value != _SAYS_NOTHING[name]}


def _progress(made: dict[str, Any] | None, progress: Progressed | None) -> dict[str, Any] | None:
    if made is None or progress is None:
        return None
    attributes = list(made["attributes"].items())[:_ATTRIBUTES]
    message = None if progress.message is None else shortened(masked(progress.message), _TEXT)
    return {
        **made,
        "message": message,
        "attributes": {
            shortened(masked(name), 40): shortened(masked_field(name, str(value)), _TEXT) for name, value in attributes
        },
    }


def logs_of(logs: Sequence[Logged], room: int) -> list[tuple[str, str]]:
    """The last of what a call printed, in `room` characters."""
    found: list[tuple[str, str]] = []
    for log in reversed(joined(logs)):
        if room <= 0:
            break
        text = masked(log.text[-(room + _BEFORE) :])[-room:]
        found.append((log.stream, text))
        room -= len(text)
    return found[::-1]


def _ahead(state: State) -> dict[str, int] | None:
    """What going on with it would execute and reuse; None where nobody asks, or not all of its calls are here."""
    if state.root is None or state.tallies or state.status not in ENDED or state.status == Status.SUCCEEDED:
        return None
    return dict(ahead(state.root)._asdict())


def _some(groups: list[dict[str, Any]], limit: int) -> list[dict[str, Any]]:
    """Some of the groups, in their order: failures first, then what runs."""
    most = min(limit, _GROUPS)
    ranked = sorted(groups, key=lambda group: (not group["failed"], not group["running"]))[:most]
    kept = {id(group) for group in ranked}
    return [group for group in groups if id(group) in kept]


def _group(key: tuple[int, Group], calls: list[CallNode], tally: Tally, now: float) -> dict[str, Any]:
    parent, group = key
    return {
        "parent": parent,
        "name": shortened(group[2], _TEXT),
        "kind": group[1],
        **together(calls, tally, now)._asdict(),
    }
