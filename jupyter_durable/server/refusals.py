"""What a server answers when it does not do what it was asked: JSON with a code, a message, and what else is known.

Rules of this file
- The code is the name of an error class where the client is to raise one (`store/http/wire.py` knows those), else one
  of ours. The message says what to do next. Nothing of the server's insides is told: no path, no traceback.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from jupyter_durable.errors import (
    CheckpointError,
    DeserializationError,
    DurableError,
    LeaseLost,
    RemoteAPIError,
    RequestNotFinished,
    SDKUsageError,
    StoreGone,
)
from jupyter_durable.store.base import NotAsRead, StoreAway
from jupyter_durable.store.http.wire import Malformed

log = logging.getLogger("jupyter_durable.server")
_STATUS: Final[tuple[tuple[type[DurableError], int], ...]] = (
    (Malformed, 400),
    (StoreAway, 503),
    (NotAsRead, 409),
    (LeaseLost, 409),
    (RequestNotFinished, 409),
    (CheckpointError, 507),
    (StoreGone, 503),
    (DeserializationError, 404),
    (SDKUsageError, 400),
)
"""The HTTP status of each error, the first that fits; 500 for others."""


class Refusal(RemoteAPIError):
    """What is refused before it is tried, with a code of our own."""

    def __init__(self, status_code: int, code: str, message: str, **more: Any) -> None:
        super().__init__(status_code, message)
        self.code = code
        self.more = more


def status_of(error: DurableError) -> int:
    """The HTTP status of an error."""
    if isinstance(error, RemoteAPIError):
        return error.status_code
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def answer(status: int, code: str, message: str, **more: Any) -> JSONResponse:
    """A refusal as it is sent."""
    headers = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "1"}}.get(status)
    return JSONResponse({"code": code, "message": message, **more}, status, headers)


async def _durable(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, DurableError)
    if isinstance(error, Refusal):
        return answer(error.status_code, error.code, error.message, **error.more)
    return answer(status_of(error), type(error).__name__, error.message)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = [{"at": list(each["loc"]), "message": each["msg"]} for each in error.errors()]
    first = f"{'.'.join(map(str, errors[0]['at']))}: {errors[0]['message']}" if errors else "it does not fit"
    return answer(422, "InputMismatch", f"the request does not fit what this route takes: {first}", errors=errors)


async def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    codes = {404: "NotFound", 405: "MethodNotAllowed"}
    return answer(error.status_code, codes.get(error.status_code, "Refused"), str(error.detail))


async def _unforeseen(request: Request, error: Exception) -> JSONResponse:
    log.error("unforeseen error", exc_info=error, extra={"told": {"route": request.url.path}})
    return answer(500, "InternalError", "something that should not be possible happened; the server's log says what")


def install(app: FastAPI) -> None:
    """Have an app answer so."""
    app.add_exception_handler(DurableError, _durable)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unforeseen)
