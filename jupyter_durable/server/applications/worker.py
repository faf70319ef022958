"""One request in a process of its own, by the ordinary engine on the store of its namespace.

Rules of this file
- Nobody imports it but the process that is started for it (`supervisor.COMMAND`): here code and values are restored,
  which the server's process must never do.
- It is told what to do by one line, and that to end by another; when the line to the server breaks, it ends at once,
  whatever it does. What it has done is in the store, and the next worker goes on from there.
- The code is what whoever may deploy has sent; the key of the server's user vouches for it from here on.
- An outcome is told only after it is in the store. A request that is there already is run again as a replay; one that
  has succeeded is only told.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import threading
import time
from typing import IO, Any, Final

import blake3

from jupyter_durable import packaged
from jupyter_durable.client import accepting, conducting, launching, left_over, ownership, this_engine, versions
from jupyter_durable.client.accepting import Origin
from jupyter_durable.client.engine import Engine
from jupyter_durable.client.launching import Launch
from jupyter_durable.client.request import Request
from jupyter_durable.code.credentials import masked
from jupyter_durable.core.model import CodeVersion, RequestRow, Status
from jupyter_durable.errors import (
    DurableError,
    InputMismatch,
    ReplayError,
    RequestError,
    SDKUsageError,
    StoreError,
    TimeoutError,
)
from jupyter_durable.function import Spec
from jupyter_durable.runner.call import ActiveCall
from jupyter_durable.runner.run import Run
from jupyter_durable.runner.vouching import CODE
from jupyter_durable.server.applications.records import BEGUN, CANCEL, DEFAULT_TIMEOUT, Order, Outcome
from jupyter_durable.values import File, HttpBody

ORPHANED: Final = 86
"""Exit status when the server is gone."""
UNAVAILABLE: Final = 75
"""Exit status when the store cannot be used now (EX_TEMPFAIL): to be tried again."""
LOOK_SECONDS: Final = 0.1


class Line:
    """The line to the server."""

    def __init__(self, reading: IO[bytes], writing: IO[bytes]) -> None:
        self._reading = reading
        self._writing = writing
        self._run: Run | None = None
        self._cancelled = False
        self._lock = threading.Lock()

    def order(self) -> Order:
        """What is to be done; from then on words are listened for."""
        order = Order.read(self._reading.readline())
        self._cancelled = order.cancelled
        threading.Thread(target=self._listen, name="durable-server", daemon=True).start()
        return order

    def _listen(self) -> None:
        for word in self._reading:
            if word.strip() == CANCEL.encode():
                with self._lock:
                    self._cancelled = True
                    run = self._run
                if run is not None:
                    run.cancel()
        os._exit(ORPHANED)

    @property
    def cancelled(self) -> bool:
        """Whether the request was asked to end."""
        return self._cancelled

    def began(self, run: Run) -> None:
        """A run has begun; a word that came before it reaches it now."""
        with self._lock:
            self._run = run
            cancelled = self._cancelled
        if cancelled:
            run.cancel()
        self.tell(BEGUN.encode() + b"\n")

    def tell(self, line: bytes) -> None:
        """Say something to the server."""
        self._writing.write(line)
        self._writing.flush()


def main(reading: int, writing: int) -> None:
    """Do what the line says."""
    line = Line(os.fdopen(reading, "rb"), os.fdopen(writing, "wb"))  # never closed: the listener waits in one of them
    order = line.order()
    try:
        outcome = _outcome(order, line)
    except StoreError as error:
        print(f"request {order.request}: {error}", file=sys.stderr, flush=True)
        os._exit(UNAVAILABLE)
    line.tell(outcome.line())
    os._exit(0)  # threads of the user's code that do not end keep no worker


def _outcome(order: Order, line: Line) -> Outcome:
    engine = this_engine()
    changes: dict[str, Any] = {"store": order.store}
    if engine.settings.default_timeout is None:
        changes["default_timeout"] = DEFAULT_TIMEOUT
    engine.configure(changes)
    row = _recorded(engine, order)
    if line.cancelled:
        if row is not None:
            _wait_for_owner(engine, order)
            left_over.settle_ownerless(engine, order.request, Status.CANCELLED)
        return _cancelled()
    try:
        return _run(engine, order, row, line)
    except ReplayError as error:
        return _failed("replay_error", error)
    except InputMismatch as error:
        return _failed("input_mismatch", error)
    except StoreError:
        raise
    except DurableError as error:
        return _failed("deployment_error", error)


def _run(engine: Engine, order: Order, row: RequestRow | None, line: Line) -> Outcome:
    loaded = _code(engine, order)
    spec = loaded.spec(order.application)
    assert loaded.version is not None
    if row is None:
        origin = Origin(headers=_headers(order), id=order.request)
        args, kwargs = _arguments(order)
        row, _ = accepting.accept(engine, spec, args, kwargs, origin, loaded)
    if row.status != Status.SUCCEEDED or order.strict or row.code_key != loaded.version.key:
        _wait_for_owner(engine, order)
        run = _driven(engine, order, loaded, spec, line)
        if isinstance(run.stopped, ReplayError | StoreError):
            raise run.stopped
    return _told(engine, Request(engine, engine.store.request(order.request)), spec)


def _driven(engine: Engine, order: Order, code: versions.Loaded, spec: Spec, line: Line) -> Run:
    """A run of the request, ended."""

    def begun() -> tuple[Run, ActiveCall]:
        row = engine.store.request(order.request)
        wanted = code._replace(version=None) if row.code_key == code.version.key else code  # type: ignore[union-attr]
        return launching.launch(engine, row, Launch(wanted, strict=order.strict), spec)

    run, root = ownership.as_read(begun)
    line.began(run)
    conducting.quietly(run, root)
    return run


def _wait_for_owner(engine: Engine, order: Order) -> None:
    """A worker of before that is about to end still owns it for a moment."""
    while engine.holder(engine.store.request(order.request)) is not None:
        time.sleep(LOOK_SECONDS)


def _recorded(engine: Engine, order: Order) -> RequestRow | None:
    try:
        return engine.store.request(order.request)
    except SDKUsageError:
        return None


def _code(engine: Engine, order: Order) -> versions.Loaded:
    """The code that was sent, or that of the module it names, which is imported as it is now."""
    module = packaged.referred(order.code)
    if module is None:
        version = _version(engine, order)
        return versions.recorded_code(version, engine.signer, order.request)._replace(version=version)
    packaged.enter(module)
    spec = packaged.application_of(order.application)
    return versions.live_code(versions.current_version({spec.name: spec.wrapper}, None, engine.signer))


def _version(engine: Engine, order: Order) -> CodeVersion:
    key = blake3.blake3(order.code).digest()
    return CodeVersion(key, order.code, engine.signer.voucher(CODE).sign(key))


def _headers(order: Order) -> str | None:
    return json.dumps(order.headers) if order.headers else None


def _arguments(order: Order) -> tuple[tuple[Any, ...], dict[str, Any]]:
    args = tuple(_argument(each) for each in order.input["args"])
    return args, {name: _argument(each) for name, each in order.input["kwargs"].items()}


def _argument(said: dict[str, Any]) -> Any:
    if "json" in said:
        return said["json"]
    made = HttpBody if said["as"] == "HttpBody" else File
    return made(base64.b64decode(said["bytes"]), said["content_type"])


# how it ended


def _told(engine: Engine, request: Request, spec: Spec) -> Outcome:
    """What became of a request that has ended."""
    status = request.status
    if status == Status.CANCELLED:
        return _cancelled()
    if status == Status.SUCCEEDED:
        return _succeeded(engine, request, spec)
    if status != Status.FAILED:
        raise StoreError(f"request {request.id} is {status}: its run was interrupted")
    error = request.error
    root = request.root_call()
    traceback = (root.error_text if root is not None else None) or ""
    if isinstance(error, RequestError):
        return Outcome("failed", "request_error", spec.name, type(error).__name__, error.message, traceback)
    reason = "function_timeout" if isinstance(error, TimeoutError) else "function_error"
    return _failed(reason, error, traceback, spec.name)


def _succeeded(engine: Engine, request: Request, spec: Spec) -> Outcome:
    value = request.output()
    if isinstance(value, File | HttpBody):
        kind = value.content_type or "application/octet-stream"
        return Outcome("succeeded", output=value.content, content_type=kind)
    application = spec.application
    if application is not None and application.output_serializer == "pickle":
        import pickle

        return Outcome("succeeded", output=pickle.dumps(value), content_type="application/python-pickle")
    data = accepting.edge_of(engine, spec).encode_output(value).data
    return Outcome("succeeded", output=data, content_type="application/json")


def _failed(reason: str, error: BaseException | None, traceback: str = "", function: str = "") -> Outcome:
    kind = "" if error is None else type(error).__name__
    return Outcome("failed", reason, function, kind, masked(str(error)), traceback)


def _cancelled() -> Outcome:
    return Outcome("cancelled", "cancelled", message="the request was cancelled")
