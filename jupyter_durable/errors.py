"""Every error this library raises.

    DurableError
    ├── SDKUsageError            the call or the arguments cannot work; nothing ran
    │   └── InputMismatch        the input of an application does not fit its type hints (also a SerializationError)
    ├── RequestNotFinished       output asked for before the end
    ├── RequestFailed            the request ended in failure
    │   └── RequestError         raised by user code to fail the request, message verbatim, never retried
    ├── FunctionError            a durable call failed (also of the original exception's type)
    ├── TimeoutError             a call ran out of its time (also a builtin TimeoutError)
    ├── ReplayError              a strict replay diverged from the recorded path
    ├── SerializationError       a value cannot be stored
    ├── DeserializationError     a stored value cannot be restored
    ├── StoreError               the store failed; user code cannot catch it inside a request
    │   ├── CheckpointError      a write was refused; the result is kept in memory
    │   ├── LeaseLost            another process owns the request now
    │   ├── StoreGone            the file of the store was deleted, replaced or moved while it was in use
    │   └── StoreVersionError    the store was written by a newer version
    ├── WorkerLost               a worker process died; the call may be retried
    ├── Cancelled                the request, or the attempt, was cancelled
    ├── ExportError              a notebook cannot be exported
    ├── RemoteAPIError           the remote backend answered with an error status
    └── InternalError            a bug of ours

A message says what happened, to which call, and what to do next.
"""

from __future__ import annotations

import builtins

__all__ = [
    "Cancelled",
    "CheckpointError",
    "DeserializationError",
    "DurableError",
    "ExportError",
    "FunctionError",
    "InputMismatch",
    "InternalError",
    "LeaseLost",
    "RemoteAPIError",
    "ReplayError",
    "RequestError",
    "RequestFailed",
    "RequestNotFinished",
    "SDKUsageError",
    "SerializationError",
    "StoreError",
    "StoreGone",
    "StoreVersionError",
    "TimeoutError",
    "WorkerLost",
]


class DurableError(Exception):
    """Base of every error raised by jupyter_durable."""

    @property
    def message(self) -> str:
        """The text given when the error was raised."""
        return str(self.args[0]) if self.args else ""


class SDKUsageError(DurableError):
    """The library was used in a way that cannot work; nothing was run."""


class RequestNotFinished(DurableError):
    """The output of a request was asked for before the request ended."""


class RequestFailed(DurableError):
    """The request ended in failure; the cause is chained where it is known."""


class RequestError(RequestFailed):
    """Raise it in a durable function to fail the whole request. Never retried."""


class FunctionError(DurableError):
    """A durable call failed. `__cause__` is the exception that its function raised."""


class TimeoutError(DurableError, builtins.TimeoutError):
    """A durable call used up its `timeout`."""


class ReplayError(DurableError):
    """A strict replay left the recorded path."""


class SerializationError(DurableError):
    """A value cannot be stored; the message gives its path."""


class InputMismatch(SDKUsageError, SerializationError):
    """The input of an application does not fit its type hints; no request was made of it."""


class DeserializationError(DurableError):
    """A stored value is damaged, foreign or cannot be rebuilt here."""


class StoreError(DurableError):
    """The store cannot be read or written."""


class CheckpointError(StoreError):
    """A checkpoint could not be written. The result is kept in memory, never silently lost."""


class LeaseLost(StoreError):
    """Another process has taken over the request; this one stops."""


class StoreGone(StoreError):
    """The file of the store was deleted, replaced or moved while it was in use; what is open here can be copied."""


class StoreVersionError(StoreError):
    """The store was written by a newer version of jupyter_durable."""


class WorkerLost(DurableError):
    """A worker process died before its call ended."""


class Cancelled(DurableError):
    """The request was cancelled, or this attempt is no longer the current one."""


class ExportError(DurableError):
    """The notebook cannot be exported; the message names the cell and the cause."""


class RemoteAPIError(DurableError):
    """The remote backend answered with an error.

    `status_code` is the HTTP status.
    """

    def __init__(self, status_code: int, message: str) -> None:
        super().__init__(message)
        self.status_code = status_code

    def __reduce__(self) -> tuple[type[RemoteAPIError], tuple[int, str]]:
        return type(self), (self.status_code, self.message)


class InternalError(DurableError):
    """Something that should not be possible happened. Please report it."""
