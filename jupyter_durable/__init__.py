"""Durable execution for Jupyter: every call is checkpointed as it returns, and a replay goes on where it stopped."""

from __future__ import annotations

import importlib
import random as _random
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
from jupyter_durable.logger import Logger
from jupyter_durable.options import ApplicationCapability, Retries
from jupyter_durable.request_context import Progress, RequestContext, State
from jupyter_durable.signature import DurableFunction
from jupyter_durable.values import File, Headers, HttpBody, Image

if TYPE_CHECKING:
    import uuid as _uuid

    from jupyter_durable.client import (
        Call,
        ReplayMode,
        Request,
        configure,
        copy_store,
        get_request,
        list_requests,
        run_local_application,
    )
    from jupyter_durable.protocols import Engine

# Tensorlake's names for what is called otherwise here: code written for it needs only another import.
Function = DurableFunction
FunctionProgress = Progress
RequestState = State
TensorlakeError = TensorlakeException = DurableError

__version__ = "0.1.0"

__all__ = [
    "RETURN_WHEN",
    "ApplicationCapability",
    "Call",
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
    "function",
    "get_request",
    "list_requests",
    "now",
    "random",
    "run_local_application",
    "uuid4",
]

_OF_THE_CLIENT = frozenset(
    {
        "Call",
        "ReplayMode",
        "Request",
        "configure",
        "copy_store",
        "get_request",
        "list_requests",
        "run_local_application",
    }
)


def __getattr__(name: str) -> Any:
    # The client is two thirds of the import, and a module that only defines functions does not need it.
    if name not in _OF_THE_CLIENT:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(importlib.import_module("jupyter_durable.client"), name)
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
    return float(_recorded("random", _random.random))


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
