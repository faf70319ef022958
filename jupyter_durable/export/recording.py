"""Requests that go along with an export, as tests: chosen in the notebook, cleared of what is of this machine.

Rules of this file
- Only a request of an application that succeeded says what its output is to be.
- What no replay needs stays here: code, logs, owners, the notebook's path, signatures. Values go as they are, so one
  that holds a credential, or a path of somebody's home, is refused, with the call that it is of.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

import blake3

from jupyter_durable.client import carrying
from jupyter_durable.client.process import Process
from jupyter_durable.client.request import Request
from jupyter_durable.code.credentials import is_credential, is_secret_field
from jupyter_durable.code.snapshot import capture
from jupyter_durable.core.history import History
from jupyter_durable.core.model import CodeVersion, Kind, Status
from jupyter_durable.errors import ExportError, SDKUsageError
from jupyter_durable.export.writing import canary
from jupyter_durable.export.writing.records import Recording
from jupyter_durable.function import registry
from jupyter_durable.testing.recorded import Catching, Kept, encoded

SLOW: Final = 300.0
"""Seconds: the default timeout of what is deployed."""
REMEDY: Final = "choose another request, or have the function return something else"


def recordings(process: Process, ids: Sequence[str]) -> list[Recording]:
    """Requests by their ids, as tests. Raises `ExportError`, `SDKUsageError`, `StoreError`."""
    return [recording(process, id) for id in dict.fromkeys(ids)]


def recording(process: Process, id: str) -> Recording:
    """A request that succeeded, as a test. Raises `ExportError`, `SDKUsageError`, `StoreError`."""
    request = Request(process, process.store.request(id))
    row = request._row
    if row.kind != Kind.FUNCTION or request.status != Status.SUCCEEDED:
        what = "a cell's" if row.kind != Kind.FUNCTION else request.status
        raise ExportError(
            f"request {row.id} is {what}, so it cannot be a test: record one of an application that succeeded"
        )
    for place, name, value in _values(request):
        if is_credential("", value) or is_secret_field(name, value):
            raise ExportError(
                f"request {row.id} cannot be a test: {place} is, or holds, a credential, which would stand in files "
                f"of the project. {REMEDY[0].upper()}{REMEDY[1:]}; a key is best read from the environment where it is "
                "used"
            )
    caught = Catching(process.store)
    carrying.carry(process, row.id, process.store, caught)
    assert caught.history is not None
    data = encoded(Kept(cleared(caught.history), caught.values))
    try:
        canary.check_bytes(data, f"what is recorded of {row.id}")
    except ExportError as error:
        raise ExportError(f"request {row.id} cannot be a test: {error.message}. Or {REMEDY}") from None
    slow = {call.name: call.duration for call in request.calls() if (call.duration or 0.0) > SLOW}
    return Recording(row.id, row.application, data, {name: each for name, each in slow.items() if each is not None})


def _values(request: Request) -> Iterator[tuple[str, str, Any]]:
    """What would go along: whose it is, the name it has, and the value."""
    root = request.root_call()
    calls = [*([root] if root is not None else []), *request.calls()]
    for call in calls:
        label = call._node.label
        with contextlib.suppress(SDKUsageError):  # its arguments were not kept
            args, kwargs = request._stored.inputs(call._node)
            spec = registry.get(call.name)
            names = [*(spec.params if spec is not None else ()), *("" for _ in args)]
            for name, each in [*zip(names, args, strict=False), *kwargs.items()]:
                yield f"an argument of {label}", name, each
        if call.status == Status.SUCCEEDED and call._node.stored:
            yield f"the result of {label}", call.name, request._stored.value(call._node)
    yield from ((f"the state `{name}`", name, each) for name, each in request.state.items())


def _no_code() -> CodeVersion:
    """A snapshot in which nothing is: the code that is tested is that of the repository."""
    data = capture({}, {})
    return CodeVersion(blake3.blake3(data).digest(), data, b"\0")


def cleared(history: History) -> History:
    """A history without what is of this machine and this user."""
    none = _no_code()
    request = history.request._replace(
        code_key=none.key, notebook=None, cell=None, idempotency_key=None, owner=None, error=None, mac=b"\0"
    )
    return history._replace(
        request=request,
        code=[none],
        runs=[run._replace(code_key=none.key) for run in history.runs],
        calls=[call._replace(mac=b"\0", files=None) for call in history.calls],
        reached=[each._replace(mac=b"\0") for each in history.reached],
        decided=[each._replace(mac=b"\0") for each in history.decided],
        attempts=[],
        logs=[],
        progress=[],
    )
