"""Durable execution for Jupyter: every call is checkpointed as it returns, and a replay goes on where it stopped."""

from __future__ import annotations

import importlib
import time as _time
from typing import TYPE_CHECKING, Any

from jupyter_durable.context import current, engine
from jupyter_durable.errors import (
    Cancelled,
    CheckpointError,
    DeserializationError,
    DurableError,
    ExportError,
    FunctionError,
    InternalError,
    LeaseLost,
    RemoteAPIError,
    ReplayError,
    RequestError,
    RequestFailed,
    RequestNotFinished,
    SDKUsageError,
    SerializationError,
    StoreError,
    StoreGone,
    StoreVersionError,
    TimeoutError,
    WorkerLost,
)
from jupyter_durable.function import application, cls, function
from jupyter_durable.future import RETURN_WHEN, Future
from jupyter_durable.options import ApplicationCapability, Retries
from jupyter_durable.signature import DurableFunction

if TYPE_CHECKING:
    import uuid as _uuid

    from jupyter_durable.client import (
        Call,
        ReplayMode,
        Request,
        configure,
        copy_store,
        deploy,
        get_request,
        list_requests,
        run_local_application,
        run_remote_application,
    )
    from jupyter_durable.log_records import CallFilter
    from jupyter_durable.logger import Logger
    from jupyter_durable.protocols import Engine
    from jupyter_durable.request_context import Progress as FunctionProgress
    from jupyter_durable.request_context import RequestContext
    from jupyter_durable.request_context import State as RequestState
    from jupyter_durable.values import File, Headers, HttpBody, Image

# Tensorlake's names for what is called otherwise here: code written for it needs only another import.
Function = DurableFunction
TensorlakeError = TensorlakeException = DurableError

__version__ = "0.1.0"

__all__ = [
    "RETURN_WHEN",
    "ApplicationCapability",
    "Call",
    "CallFilter",
    "Cancelled",
    "CheckpointError",
    "DeserializationError",
    "DurableError",
    "DurableFunction",
    "ExportError",
    "File",
    "Function",
    "FunctionError",
    "FunctionProgress",
    "Future",
    "Headers",
    "HttpBody",
    "Image",
    "InternalError",
    "LeaseLost",
    "Logger",
    "RemoteAPIError",
    "ReplayError",
    "ReplayMode",
    "Request",
    "RequestContext",
    "RequestError",
    "RequestFailed",
    "RequestNotFinished",
    "RequestState",
    "Retries",
    "SDKUsageError",
    "SerializationError",
    "StoreError",
    "StoreGone",
    "StoreVersionError",
    "TensorlakeError",
    "TensorlakeException",
    "TimeoutError",
    "WorkerLost",
    "application",
    "cls",
    "configure",
    "copy_store",
    "deploy",
    "function",
    "get_request",
    "list_requests",
    "now",
    "random",
    "run_local_application",
    "run_remote_application",
    "uuid4",
]

_LATER = {
    "client": (
        "Call",
        "ReplayMode",
        "Request",
        "configure",
        "copy_store",
        "deploy",
        "get_request",
        "list_requests",
        "run_local_application",
        "run_remote_application",
    ),
    "log_records": ("CallFilter",),
    "logger": ("Logger",),
    "request_context": ("Progress", "RequestContext", "State"),
    "values": ("File", "Headers", "HttpBody", "Image"),
}
_MODULE_OF = {name: module for module, names in _LATER.items() for name in names}
_OURS_FOR = {"FunctionProgress": "Progress", "RequestState": "State"}


def __getattr__(name: str) -> Any:
    # The client is two thirds of the import, and a module that only defines functions does not need it, nor these.
    ours = _OURS_FOR.get(name, name)
    if ours not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"jupyter_durable.{_MODULE_OF[ours]}")
    found = globals()[name] = getattr(module, ours)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _new_engine() -> Engine:
    from jupyter_durable.client import new_engine

    return new_engine()


engine.made_by(_new_engine)


def _recorded(name: str, make: Any) -> Any:
    scope = current.get() or engine.get().outermost(None)
    return make() if scope is None else scope.recorded(name, make)


def now() -> float:
    """The Unix time in seconds, recorded: a replay gets the same."""
    return float(_recorded("now", _time.time))


def random() -> float:
    """A random number in [0, 1), recorded: a replay gets the same."""
    import random

    return float(_recorded("random", random.random))


def uuid4() -> _uuid.UUID:
    """A random UUID, recorded: a replay gets the same."""
    import uuid

    return uuid.UUID(_recorded("uuid4", lambda: uuid.uuid4().hex))


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext jupyter_durable`: the notebook side is a package of its own, found by name."""
    importlib.import_module("jupyter_durable_kernel").load_ipython_extension(shell)


def unload_ipython_extension(shell: Any) -> None:
    """`%unload_ext jupyter_durable`."""
    importlib.import_module("jupyter_durable_kernel").unload_ipython_extension(shell)
