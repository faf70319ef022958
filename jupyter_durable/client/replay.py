"""Replays and forks: what is set aside, which code runs, what will happen.

Rules of this file
- Everything a replay sets aside commits with the start of its run; until then nothing has changed.
- A preview runs nothing and writes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from jupyter_durable.client import accepting, trusted, versions
from jupyter_durable.client.journal import records
from jupyter_durable.client.process import Process
from jupyter_durable.code.hashing import CodeHashes
from jupyter_durable.core import selection
from jupyter_durable.core.calltree import CallTree, walk
from jupyter_durable.core.model import ROOT, CallRow, Kind, NewRequest, RequestRow
from jupyter_durable.core.nodes import Node, numbered, preorder
from jupyter_durable.core.replay import reusable
from jupyter_durable.errors import SDKUsageError
from jupyter_durable.records import NamedTuple
from jupyter_durable.runner.counts import COUNTED
from jupyter_durable.runner.opened import changed_file
from jupyter_durable.runner.sealing import Sealer
from jupyter_durable.serializer.digest import Digesting, args_digest

REACHED, NOT_REACHED = 1, 0
"""Passes of copied calls: both are before every pass of the first run."""
COMPARED: Final = "strict: its calls are compared"
"""Why a root that succeeded executes in a strict replay."""
ARGUMENTS_CHANGED: Final = "arguments changed"
NOT_COMPARABLE: Final = "arguments not comparable"
CODE_CHANGED: Final = "code changed"
SetAside = tuple[tuple[int, int], ...]


class ReplayMode:
    """How a replay matches calls."""

    ADAPTIVE = "adaptive"
    STRICT = "strict"


class Choice(NamedTuple):
    """What of a recorded request is to run again."""

    upgrade: bool = False
    rerun: Any = None
    """`"changed"`, or calls, or names of functions or calls (`name[n]`)."""
    from_call: Any = None
    """A call, or `name[n]`."""


class Recorded(NamedTuple):
    """The recorded calls of a request, without values."""

    root: Node
    drifted: Mapping[int, str]
    """Calls that the last run reused by their place, and what is to know of their arguments."""


def recorded(process: Process, row: RequestRow) -> Recorded | None:
    """What is recorded of a request; None before its first run."""
    tree = CallTree()
    tree.apply(records(process.store, row.serial))
    root, shown = tree.nodes(), tree.tree(row.run, live=False)
    if root is None or shown is None:
        return None
    drifted = {node.identity: ARGUMENTS_CHANGED for node in walk(shown) if node.args_changed}
    drifted |= {node.identity: NOT_COMPARABLE for node in walk(shown) if node.not_comparable}
    return Recorded(root, drifted)


def code_for(process: Process, row: RequestRow, upgrade: bool) -> versions.Loaded:
    """The code a replay runs: the recorded version, or what is defined now."""
    recorded = trusted.code_of(process, row)
    if not upgrade:
        return versions.recorded_code(recorded, process.signer, row.id)
    code = versions.live_code(None)
    if row.kind == Kind.FUNCTION:
        spec = code.spec(row.application)
        reading = versions.Reading({spec.name: spec.wrapper}, None)
    else:
        reading = versions.Reading({}, versions.restored_version(recorded, process.signer).body)
    versions.require_names(reading, lambda: recorded, process.signer, row.id)
    return code._replace(version=versions.current_version(*reading, process.signer), body=reading.body)


def set_asides(process: Process, row: RequestRow, choice: Choice, code: versions.Loaded) -> SetAside:
    """What `choice` sets aside, as (parent, identity). Raises `SDKUsageError` for a call that is not there."""
    if choice.rerun is None and choice.from_call is None:
        return ()
    known = recorded(process, row)
    if known is None:
        return ()
    root = known.root
    aside: set[tuple[int, int]] = set()
    if choice.rerun is not None:
        aside.update(selection.rerun(root, _chosen(known, choice.rerun, code, row)))
    if choice.rerun == "changed" and (_root_changed(root.row, code) or _file_changed(root.row)):
        aside.add((0, ROOT))  # it executes; what it calls is matched as ever
    if choice.from_call is not None:
        aside.update(selection.from_call(root, _one(root, choice.from_call, row)))
    return tuple(sorted(aside))


def _root_changed(root: CallRow, code: versions.Loaded) -> bool:
    """Whether the code of an application itself changed. Cells have no code: their body always executes."""
    return root.kind in COUNTED and code.code_named(root.name) not in (None, root.code)


def _file_changed(row: CallRow) -> str | None:
    """Which of the files that the call itself read has changed since, in words."""
    path = changed_file(row.files, below=False) if row.files else None
    return None if path is None else f"file {os.path.basename(path)} changed"


def changed_calls(process: Process, row: RequestRow, code: versions.Loaded) -> SetAside:
    """What `rerun="changed"` sets aside."""
    return set_asides(process, row, Choice(rerun="changed"), code)


def _chosen(known: Recorded, wanted: Any, code: versions.Loaded, row: RequestRow) -> Iterable[int]:
    root = known.root
    if wanted == "changed":
        changed = _changed(known, code)
        return selection.choose(root, lambda call: call.identity in changed)
    if isinstance(wanted, str) or not isinstance(wanted, Iterable):
        wanted = [wanted]
    chosen: list[int] = []
    for each in wanted:
        name = each if isinstance(each, str) else None
        named = [
            call.identity for call in _rows(root) if name is not None and call.name == name and call.kind in COUNTED
        ]
        chosen += named or [_one(root, each, row)]
    return chosen


def _one(root: Node, wanted: Any, row: RequestRow) -> int:
    """The identity of a call given as `name[n]`, a name, or an object with an identity."""
    text, identity = wanted, getattr(wanted, "identity", None)
    names = numbered(root)
    if isinstance(identity, int):
        if identity in names:
            return identity
        text = str(wanted)
    if not isinstance(text, str):
        raise SDKUsageError(f"request {row.id}: a call is named by a text such as 'f[1]', or is a Call, not {wanted!r}")
    for known, name in names.items():
        if name in (text, f"{text}[0]"):
            return known
    near = ", ".join(list(names.values())[:8])
    raise SDKUsageError(f"request {row.id} has no call {text!r}; it has {near}{', …' if len(names) > 8 else ''}")


def _rows(root: Node) -> Iterator[CallRow]:
    return (node.row for node in preorder(root))


def _changed(known: Recorded, code: versions.Loaded) -> dict[int, str]:
    """Identities of calls whose code, arguments or files changed, or may have, and what of them."""
    changed: dict[int, str] = {}
    hashes: dict[str, bytes | None] = {}
    for row in _rows(known.root):
        if row.kind not in COUNTED or row.identity == ROOT:
            continue
        if row.name not in hashes:
            hashes[row.name] = code.code_named(row.name)
        if row.identity in known.drifted:
            changed[row.identity] = known.drifted[row.identity]
        elif hashes[row.name] is not None and row.code != hashes[row.name]:
            changed[row.identity] = CODE_CHANGED
        elif (what := _file_changed(row)) is not None:
            changed[row.identity] = what
    return changed


def preview(process: Process, row: RequestRow, choice: Choice, *, strict: bool) -> selection.Preview:
    """What a replay will do with the recorded calls; runs nothing."""
    code = _code_to_look_at(process, row, choice.upgrade or choice.rerun == "changed")
    known = recorded(process, row)
    if known is None:
        return selection.Preview((), 0.0)
    aside = {identity for _, identity in set_asides(process, row, choice, code)}
    changed = _changed(known, code)
    if (what := _file_changed(known.root.row)) is not None:
        changed[ROOT] = what
    if not strict:
        return selection.preview(known.root, aside, changed)
    chosen = ROOT in aside
    seen = selection.preview(known.root, {*aside, ROOT}, changed)
    root = seen.calls[0] if chosen or not reusable(known.root.row) else seen.calls[0]._replace(why=COMPARED)
    return seen._replace(calls=(root, *seen.calls[1:]))


def _code_to_look_at(process: Process, row: RequestRow, upgrade: bool) -> versions.Loaded:
    if upgrade:
        return versions.live_code(None)
    restored = versions.restored_version(trusted.code_of(process, row), process.signer)
    return versions.live_code(None)._replace(
        namespace=restored.namespace, hashes=CodeHashes(restored.namespace), body=restored.body
    )


def arguments_of(process: Process, row: RequestRow, input: Any, code: versions.Loaded) -> tuple[Any, ...] | None:
    """The arguments that `input` stands for, as the application takes them; None: those it had.

    Raises `SDKUsageError` for a cell, and for what does not fit the type hints.
    """
    if input is None:
        return None
    if row.kind != Kind.FUNCTION:
        raise SDKUsageError(f"fork: request {row.id} is of a cell, which has no input; fork it without `input`")
    given = input if isinstance(input, tuple) else (input,)
    return accepting.passed(process, code.spec(row.application), given, {})[0]


def forked(process: Process, row: RequestRow, arguments: tuple[Any, ...] | None) -> RequestRow:
    """A new request with the journal of another one, signed anew."""
    id, recorded_code = accepting.new_id(), trusted.code_of(process, row)
    code = versions.code_to_read_with(lambda: recorded_code, process.signer)
    old, new = trusted.sealer_of(process, row.id, code), trusted.sealer_of(process, id, code)
    packed = row.input
    digest = row.input_digest
    if arguments is not None:
        digest, _ = args_digest((), arguments, {}, Digesting(code.as_argument, read_by=code.read_by))
        packed = new.pack((arguments, {}))
    elif packed is not None:
        packed = new.pack(old.input(row))
    accepted, _ = process.store.accept(
        new.vouched(
            NewRequest(
                id,
                row.application,
                row.kind,
                process.clock.now(),
                packed,
                digest,
                recorded_code,
                row.notebook,
                None,
                None,
                row.id,
                row.headers,
            )
        ),
        _copied(process, row, old, new),
    )
    return accepted


def _copied(process: Process, row: RequestRow, old: Sealer, new: Sealer) -> Iterator[CallRow]:
    """The calls as if one run before the first had made them: each at its newest place."""
    known = recorded(process, row)
    pending = [(known.root, REACHED, 0)] if known is not None else []
    while pending:
        node, pass_no, seq = pending.pop()
        call = process.store.call(row.serial, node.row.parent, node.row.identity)
        assert call is not None
        yield old.copied(call, new, (pass_no, seq))
        pending += [(child, REACHED, at) for at, child in enumerate(node.children)]
        pending += [(child, NOT_REACHED, child.row.seq) for child in node.others]


def input_set_asides(process: Process, row: RequestRow) -> SetAside:
    """With another input the root executes; what it calls is matched by its arguments."""
    call = process.store.call(row.serial, 0, ROOT)
    return ((0, ROOT),) if call is not None and reusable(call) else ()


__all__ = [
    "Choice",
    "ReplayMode",
    "arguments_of",
    "changed_calls",
    "code_for",
    "forked",
    "preview",
    "recorded",
    "set_asides",
]
