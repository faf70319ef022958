"""Accepting a request: its input as the application takes it, kept before anything of it runs.

Rules of this file
- What is accepted is in the store, signed, when `accept` returns; it is run by whoever acquires it (`launching`).
- What JSON takes and what it changes is said where a value goes in or out, once for each request.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from jupyter_durable.client import trusted, versions
from jupyter_durable.client.process import Process
from jupyter_durable.core.model import Kind, NewRequest, RequestRow
from jupyter_durable.errors import SDKUsageError
from jupyter_durable.function import Spec
from jupyter_durable.records import NamedTuple
from jupyter_durable.runner.call import ActiveCall
from jupyter_durable.runner.run import Run
from jupyter_durable.serializer.digest import Digesting, args_digest
from jupyter_durable.store.base import Seen

if TYPE_CHECKING:
    from jupyter_durable.serializer.json import JsonEdge

Given = tuple[tuple[Any, ...], dict[str, Any]]
"""Arguments of a call, and those by name."""


class Origin(NamedTuple):
    """Where a request comes from."""

    notebook: str | None = None
    cell: str | None = None
    idempotency_key: str | None = None
    forked_from: str | None = None
    headers: str | None = None
    seen: Seen | None = None
    """The look that found no request to go on with."""
    id: str | None = None
    """Of the request, where who accepts it begins it too (`begun_here`)."""


def new_id() -> str:
    """An id for a request."""
    return f"req_{os.urandom(8).hex()}"  # 16 digits say what of it is signed (`runner.vouching`)


def asked_by(process: Process) -> str | None:
    """The headers of a request that is asked for here: the span that does, where requests are traced."""
    tracing = process.tracing
    return tracing.caller() if tracing is not None else None


@contextlib.contextmanager
def begun_here(process: Process) -> Iterator[str]:
    """The id of a request that this thread accepts and then begins: meanwhile no other thread goes on with it."""
    id = new_id()
    process.starting[id] = threading.get_ident()
    try:
        yield id
    finally:
        process.starting.pop(id, None)


def edge_of(process: Process, spec: Spec) -> JsonEdge:
    """The JSON edge of an application."""
    from jupyter_durable.serializer.json import JsonEdge

    known = process.edges.get(spec)
    if known is None:
        known = process.edges[spec] = JsonEdge(spec.fn, bound=spec.owner is not None)
    return known


def as_taken(process: Process, spec: Spec, given: Given) -> Given:
    """As `passed`, without a warning of what JSON changes."""
    application = spec.application
    if application is None or application.input_deserializer != "json":
        return given
    taken = edge_of(process, spec).decode_input(*given)
    return taken.args, taken.kwargs


def passed(process: Process, spec: Spec, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Given:
    """The input of an application after its edge. Raises `SDKUsageError` for what does not fit its type hints."""
    application = spec.application
    if application is None or application.input_deserializer != "json":
        return args, kwargs
    given = edge_of(process, spec).decode_input(args, kwargs)
    _warn_changed(process, spec.name, "input", given.changed)
    if given.ignored:
        process.warn(f"{spec.name} does not take {', '.join(given.ignored)}; they are ignored")
    return given.args, given.kwargs


def accept(
    process: Process, spec: Spec, args: tuple[Any, ...], kwargs: dict[str, Any], origin: Origin, code: versions.Loaded
) -> tuple[RequestRow, bool]:
    """Keep a request before anything of it runs. False: a request of this idempotency key was there.

    Its code version is that of `code`, or a snapshot of now. Raises `NotAsRead` when one was accepted since
    `origin.seen` was looked at.
    """
    args, kwargs = passed(process, spec, args, kwargs)
    digest, _ = args_digest(spec.params, args, kwargs, Digesting(code.as_argument, read_by=code.read_by))
    id = origin.id or new_id()
    version = code.version or versions.current_version({spec.name: spec.wrapper}, None, process.signer)
    sealer = trusted.sealer_of(process, id, code)
    new = NewRequest(
        id,
        spec.name,
        Kind.FUNCTION,
        process.clock.now(),
        sealer.pack((args, kwargs)),
        digest,
        version,
        origin.notebook,
        origin.cell,
        origin.idempotency_key,
        origin.forked_from,
        origin.headers or asked_by(process),
    )
    row, created = process.store.accept(sealer.vouched(new), seen=origin.seen)
    if not created:
        trusted.check(process, row)
    if not created and row.input_digest != digest:
        raise SDKUsageError(
            f"{spec.name}: the idempotency key {origin.idempotency_key!r} belongs to request {row.id}, which has "
            "another input; use another key"
        )
    return row, created


def _warn_changed(process: Process, name: str, what: str, changed: list[str]) -> None:
    if changed:
        process.warn(
            f"{name}: JSON changes its {what} at {', '.join(changed)} (a tuple becomes a list, keys become texts); "
            'give it type hints, or say @application(input_deserializer="pickle", output_serializer="pickle")'
        )


def prepare_input(process: Process, run: Run, root: ActiveCall, row: RequestRow, spec: Spec) -> None:
    """Give the root of an application its arguments, and its output to the edge."""
    root.take(*run.sealer.input(row))
    application = spec.application
    if application is not None and application.output_serializer == "json":
        run.output = lambda value: _output(process, spec, value)


def _output(process: Process, spec: Spec, value: Any) -> Any:
    given = edge_of(process, spec).encode_output(value)
    _warn_changed(process, spec.name, "output", given.changed)
    return given.value
