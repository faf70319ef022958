"""Requests: start, get, list, replay, fork, preview, cancel."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_durable.client import settings as _settings
from jupyter_durable.client.accepting import Origin
from jupyter_durable.client.engine import Engine
from jupyter_durable.client.settings import Settings
from jupyter_durable.client.uncaught import watch_uncaught
from jupyter_durable.context import current, engine
from jupyter_durable.errors import SDKUsageError
from jupyter_durable.function import registry
from jupyter_durable.relay import before_fork, relay
from jupyter_durable.store.base import Filter

if TYPE_CHECKING:
    from jupyter_durable.client.deploying import Deployment
    from jupyter_durable.client.remote import RemoteRequest
    from jupyter_durable.client.request import Call, ReplayMode, Request

__all__ = [
    "Call",
    "Engine",
    "ReplayMode",
    "Request",
    "Settings",
    "configure",
    "copy_store",
    "deploy",
    "get_request",
    "list_requests",
    "run_local_application",
    "run_remote_application",
    "this_engine",
]


def __getattr__(name: str) -> Any:
    # What users hold can draw a request, load its code and replay it: a durable call needs none of that.
    if name not in ("Call", "ReplayMode", "Request"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from jupyter_durable.client import request

    return getattr(request, name)


def this_engine() -> Engine:
    """The engine of this process."""
    return engine.get()  # type: ignore[return-value]  # the client puts nothing else there


def new_engine() -> Engine:
    """An engine for this process, with the settings of its environment."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=before_fork, after_in_child=_forked)
    made = Engine(lambda: _settings.load(os.environ, Path.cwd()))
    watch_uncaught(lambda: made.sessions.run)
    return made


def _forked() -> None:
    """In a fork no request of the other process is ours, nor does the call run here in which it forked."""
    current.set(None)
    relay.forked()
    this_engine().forked()


def configure(**changes: Any) -> Settings:
    """Change settings of this process: store, executor, max_concurrency, default_timeout, display, save_view,
    inputs, reprint, fresh, digest_budget, otel, server.

    Only the keys given change. Returns what holds, and where each key came from. Raises `SDKUsageError` for a wrong
    value and `StoreError` for a store that cannot be opened; then nothing has changed.
    """
    own = this_engine()
    return own.configure(changes) if changes else own.settings


def copy_store(place: str) -> Path:
    """Write all requests of the store, with their values, into a new one; its path.

    `place` is a path or `sqlite:///PATH` where nothing is yet. It works while requests run, and keeps what this
    process has open when the store's file was deleted, replaced or moved (`StoreGone`):
    `configure(store=f"sqlite:///{path}")` then goes on with it. Raises `SDKUsageError` when something is there
    already, `StoreError` when it cannot be written.
    """
    return this_engine().copy(place).path


def run_local_application(app: Any, *args: Any, **kwargs: Any) -> Request:
    """Run an application, given as itself or by its name, as a request to its end.

    A failure does not raise here; `output()` raises it. Raises `SDKUsageError` for what is no application, for
    missing arguments, and (`InputMismatch`, also a `SerializationError`) for those that do not fit its type hints.
    """
    from jupyter_durable.client.request import Request

    spec = registry.get(app) if isinstance(app, str) else getattr(app, "__durable__", None)
    if spec is None and isinstance(app, str):
        raise SDKUsageError(f"run_local_application: no durable function named {app!r} is defined in this process")
    if spec is None or spec.application is None:
        raise SDKUsageError(f"run_local_application takes an application, not {app!r}: write @application() above it")
    own = this_engine()
    asker, token = current.get(), current.set(None)
    try:
        row = own.run_application(spec, args, kwargs, Origin(*own.sessions.place()), asker)
    finally:
        current.reset(token)
    return Request(own, own.store.request(row.id))


def run_remote_application(app: Any, *args: Any, **kwargs: Any) -> RemoteRequest:
    """Start a request of a deployed application, given as itself or by its name, on the server of the settings.

    It goes on there; `output()` waits for it. The version that was deployed last runs, whatever is defined here.
    Raises `SDKUsageError` for what is no application and where no server is set, `InputMismatch` for an input that does
    not fit, `RemoteAPIError` for what the server refuses.
    """
    from jupyter_durable.client.remote import run_remote

    spec = registry.get(app) if isinstance(app, str) else getattr(app, "__durable__", None)
    if not isinstance(app, str) and (spec is None or spec.application is None):
        raise SDKUsageError(f"run_remote_application takes an application or its name, not {app!r}")
    known = spec if spec is not None and spec.application is not None else None
    named = known.name if known is not None else str(app)
    return run_remote(this_engine(), named, known, (args, kwargs), None)


def deploy(app: Any = None) -> list[Deployment]:
    """Send applications to the server of the settings: one, by itself or its name, or all that are defined here.

    Their requests run there from then on with the code of now. Raises `SDKUsageError` for one that needs what is not
    kept with its code, `RemoteAPIError` for what the server refuses.
    """
    from jupyter_durable.client import deploying

    own = this_engine()
    spec = None if isinstance(app, str) else getattr(app, "__durable__", None)
    if spec is not None and spec.application is not None:
        return [deploying.deploy(own, spec)]
    if app is not None and not isinstance(app, str):
        raise SDKUsageError(f"deploy takes an application or its name, not {app!r}")
    return [deploying.deploy(own, each) for each in deploying.applications_here([app] if app else [])]


def get_request(id: str) -> Request:
    """A request by id, by a prefix of it that only one has, or `last`. Raises `SDKUsageError`."""
    from jupyter_durable.client.request import Request

    if not isinstance(id, str):
        raise SDKUsageError(f"get_request takes the id of a request, the beginning of one, or 'last', not {id!r}")
    own = this_engine()
    return Request(own, own.store.request(id))


def list_requests(
    status: str | None = None,
    application: str | None = None,
    notebook: str | None = None,
    limit: int = 100,
    before: Request | str | None = None,
) -> list[Request]:
    """At most `limit` requests, newest accepted first; `before`, a request or its id, gives the next page.

    `status` is the one that holds now: `interrupted` finds those whose process is gone. Raises `SDKUsageError` for an
    unknown status.
    """
    from jupyter_durable.client.request import listed, requests_of

    own = this_engine()
    if isinstance(before, str):
        before = get_request(before)
    serial = before._row.serial if before is not None else None
    wanted = Filter(status=status, application=application, notebook=notebook, before=serial, limit=limit)
    return requests_of(own, listed(own, wanted))
