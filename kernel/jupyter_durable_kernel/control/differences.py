"""What a replay or a fork may do differently: functions that changed since, and other input.

Rules of this file
- Nothing runs and nothing is written: recorded hashes are compared with those of the code that is defined now.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jupyter_durable.client import replay, versions
from jupyter_durable.client.request import Request
from jupyter_durable.core.model import Kind, RequestRow
from jupyter_durable.core.nodes import preorder
from jupyter_durable.errors import SDKUsageError
from jupyter_durable.runner.counts import COUNTED

if TYPE_CHECKING:
    from jupyter_durable.client.process import Process


def changes(process: Process, request: Request) -> dict[str, list[str]]:
    """Functions that the request called: those whose code is another one now, and those that are not defined here."""
    known = replay.recorded(process, request._now())
    ran: dict[str, set[bytes]] = {}
    for node in preorder(known.root) if known is not None else ():
        if node.row.kind in COUNTED:
            ran.setdefault(node.row.name, set()).add(node.row.code)
    code = versions.live_code(None)
    now = {name: code.code_named(name) for name in ran}
    return {
        "changed": [name for name in ran if now[name] is not None and ran[name] != {now[name]}],
        "missing": [name for name in ran if now[name] is None],
    }


def given(row: RequestRow, text: str) -> tuple[Any, ...]:
    """The arguments that a JSON text stands for: a list as they come, an object by their names.

    Raises `SDKUsageError` that says what is wrong with it.
    """
    try:
        read = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SDKUsageError(f"the input is no JSON: {error}") from None
    if isinstance(read, list):
        return tuple(read)
    if isinstance(read, dict):
        return _by_name(row, read)
    raise SDKUsageError(
        "the input is a JSON list, the arguments of the application, or a JSON object, its arguments by name"
    )


def _by_name(row: RequestRow, named: Mapping[str, Any]) -> tuple[Any, ...]:
    if row.kind != Kind.FUNCTION:
        raise SDKUsageError(f"request {row.id} is of a cell, which has no input")
    taken = inspect.signature(versions.live_code(None).spec(row.application).fn)
    try:
        bound = taken.bind(**named)
    except TypeError as error:
        raise SDKUsageError(f"{row.application}: {error}; it takes {taken}") from None
    bound.apply_defaults()
    if bound.kwargs:
        names = ", ".join(bound.kwargs)
        raise SDKUsageError(
            f"{row.application} takes {names} by name only; a fork passes arguments by position. Call it with that "
            "input instead: its request is a new one, too"
        )
    return bound.args
