"""What the page asks of a kernel, on the control channel: it is heard while a cell runs, which comms are not.

Rules of this file
- The thread that hears must stay free: it only sets flags. What reads the store, or takes long, is done on a thread of
  its own and answered later.
- Code of the user runs only where the user asked for it: a replay and a fork, on a thread; never a look at something.
- Every message gets one answer: `{"status": "ok", "reply": …}` or `{"status": "error", "message": …}`.
- Resuming a cell is told here first: its request by id, so that the cell that executes next goes on with that one.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jupyter_durable.client import verbs
from jupyter_durable.client.request import Call, Request
from jupyter_durable.core.calltree import CallNode, walk
from jupyter_durable.core.model import ENDED, RequestRow, Status
from jupyter_durable.errors import DurableError, SDKUsageError
from jupyter_durable.store.base import Filter
from jupyter_durable_kernel.cells import missing_names
from jupyter_durable_kernel.control import differences
from jupyter_durable_kernel.view import as_json, as_value, call_details, from_store
from jupyter_durable_kernel.view.call_values import Values
from jupyter_durable_kernel.view.live_views import Views

if TYPE_CHECKING:
    from jupyter_durable.client.engine import Engine

MESSAGE: Final = "durable_request"
REPLY: Final = "durable_reply"
SETTLED_SECONDS: Final = 1.5
"""A replay that fails at once is answered with its error; one that lasts longer, with the news that it runs."""
Content = dict[str, Any]
Operation = Callable[[Content], Any]


class Wanted(NamedTuple):
    """What the cell that executes next goes on with."""

    row: RequestRow
    cell: str
    """Id of that cell."""

    def is_for(self, key: str | None, cell_id: str | None) -> bool:
        """Whether the cell that begins is the one; where a front end tells no ids, it is the next."""
        return cell_id in (None, self.cell) or key == self.row.cell


class Control:
    """Answers the page. One for each kernel."""

    def __init__(self, kernel: Any, engine: Engine, views: Views, further: Mapping[str, Operation]) -> None:
        """`further`: what is answered later by what knows the notebook."""
        self._kernel = kernel
        self._engine = engine
        self._views = views
        self._readers = ThreadPoolExecutor(2, thread_name_prefix="durable-page")
        self._wanted: Wanted | None = None
        self._executing = False
        self._at_once: dict[str, Operation] = {
            "here": self._here,
            "place": self._place,
            "cancel": self._cancel,
        }
        self._later: dict[str, Operation] = {
            "snapshot": self._snapshot,
            "page": self._page,
            "detail": self._detail,
            "preview": self._preview,
            "changes": self._changes,
            "keep": self._keep,
            "resume": self._resume,
            "replay": self._replay,
            "fork": self._fork,
            **further,
        }

    def install(self) -> None:
        """Listen from now on."""
        self._kernel.control_handlers[MESSAGE] = self.hear

    def remove(self) -> None:
        """Listen no more."""
        self._kernel.control_handlers.pop(MESSAGE, None)
        self._readers.shutdown(wait=False)

    def begins(self, key: str | None, cell_id: str | None) -> RequestRow | None:
        """A cell begins; the request that it goes on with because the page said so. That holds for one cell."""
        wanted, self._wanted, self._executing = self._wanted, None, True
        return wanted.row if wanted is not None and wanted.is_for(key, cell_id) else None

    def ends(self) -> None:
        """The cell has ended."""
        self._executing = False

    def hear(self, stream: Any, ident: Any, parent: Any) -> None:
        """A message has come; in the thread of the control channel."""
        content = parent["content"]
        op = str(content.get("op"))

        def send(answer: Content) -> None:
            self._kernel.session.send(stream, REPLY, answer, parent, ident)

        if op in self._at_once:
            send(_answered(self._at_once[op], content))
        elif op in self._later:
            loop = asyncio.get_running_loop()
            body = self._later[op]
            self._readers.submit(lambda: loop.call_soon_threadsafe(send, _answered(body, content)))
        else:
            send(_refused(f"{op!r} is nothing this kernel can do; its jupyter_durable may be older than the page's"))

    # what is answered at once

    def _here(self, content: Content) -> Content:
        """The extension is loaded; whether a cell executes, which the status of a kernel that answers pages hides."""
        del content
        return {"executing": self._executing}

    def _place(self, content: Content) -> Content:
        """The request that is shown at a place of this kernel: for those to whom nobody passes on that it is filled."""
        shown = self._views.outputs.shown_at(str(content["place"]))
        return {"request": shown or "", "known": shown is not None}

    def _cancel(self, content: Content) -> Content:
        return {"request": verbs.cancel(self._engine, content["request"]).id}

    # what is read

    def _snapshot(self, content: Content) -> Content:
        """The state of now."""
        request = verbs.find(self._engine, content["request"])
        row = request._now()
        return as_json.snapshot(from_store.state_of(self._engine, row), Values(self._engine, row, self._views.words))

    def _page(self, content: Content) -> Content:
        """Some of the calls of one parent, or of those of one name."""
        request = verbs.find(self._engine, content["request"])
        row = request._now()
        values = Values(self._engine, row, self._views.words)
        return from_store.calls(from_store.state_of(self._engine, row), content, values)

    def _detail(self, content: Content) -> Content:
        """Inputs, output, error and log of one call."""
        request = verbs.find(self._engine, content["request"])
        return call_details.detail(Call(request._stored, _node(request, content["call"]), None))

    def _preview(self, content: Content) -> Content:
        """What a replay would do."""
        request = verbs.find(self._engine, content["request"])
        return from_store.plan(verbs.preview(self._engine, request.id, _wish(request, content)))

    def _keep(self, content: Content) -> Content:
        """What belongs into a place that somebody left empty although its request has ended: for one, who writes it."""
        place = str(content["place"])
        shown = self._views.outputs.shown_at(place)
        if not shown:
            return {"data": None}
        request = verbs.find(self._engine, shown)
        ended = request._now().status in ENDED
        return {"data": as_value.bundle_of(request) if ended and self._views.outputs.hand_on(place) else None}

    def _changes(self, content: Content) -> Content:
        """Names of functions whose code is another one now, and of those that are not defined here."""
        return dict(differences.changes(self._engine, verbs.find(self._engine, content["request"])))

    def _resume(self, content: Content) -> Content:
        """The cell `cell`, whose text is `source`, goes on with a request when it executes next; the page sees to that.

        Nothing is wanted while names that it reads are missing here, unless `anyway` says so. Raises `SDKUsageError`
        for a request that runs, or that belongs to no cell.
        """
        row = verbs.find(self._engine, content["request"])._now()
        if row.cell is None:
            raise SDKUsageError(f"request {row.id} belongs to no cell; replay it: %durable replay {row.id}")
        info = verbs.info(self._engine, row)
        if info.status == Status.RUNNING:
            raise SDKUsageError(
                f"request {row.id} runs ({info.held_by or 'in this kernel'}); cancel it, or wait for its end"
            )
        missing = [] if content.get("anyway") else missing_names.missing(self._engine, row, str(content["source"]))
        if not missing:
            self._wanted = Wanted(row, str(content["cell"]))
        return {"request": row.id, "missing": missing}

    # what runs code

    def _replay(self, content: Content) -> Content:
        """Run a request again, on a thread; its pictures go to the output that asked."""
        request = verbs.find(self._engine, content["request"])
        wish = _wish(request, content)
        display = str(content.get("display") or "")
        run = request._now().run + 1
        key = as_json.display_of(request.id, run)
        if display:
            self._views.outputs.continued[key] = self._views.outputs.continued.get(display, display)
        try:
            _begun(lambda: verbs.replay(self._engine, request.id, wish), self._views.outputs.begun_for(display))
        finally:
            if request._now().run < run:  # it did not begin: the run of that number will be another one's
                self._views.outputs.continued.pop(key, None)
        return {"request": request.id}

    def _fork(self, content: Content) -> Content:
        """The same with other input, in a new request, on a thread."""
        request = verbs.find(self._engine, content["request"])
        given = differences.given(request._now(), str(content["input"]))
        home = self._views.outputs.begun_for(str(content.get("display") or ""))
        _begun(lambda: verbs.fork(self._engine, request.id, input=given), home)
        newest = self._engine.store.requests(Filter(limit=20))
        return {"fork": next((row.id for row in newest if row.forked_from == request.id), "")}


def _answered(body: Callable[[Content], Any], content: Content) -> Content:
    try:
        return {"status": "ok", "reply": body(content)}
    except (DurableError, LookupError, TypeError, ValueError) as error:
        return _refused(str(error))
    # A replay or a value of the user's may raise anything; the page must get an answer all the same.
    except Exception as error:  # noqa: BLE001
        return _refused(f"{type(error).__name__}: {error}")


def _refused(message: str) -> Content:
    return {"status": "error", "message": message}


def _begun(body: Callable[[], object], home: contextvars.Context) -> None:
    """Do `body` on a thread of its own, in a context; what it raises at once is raised here."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            body()
        # Kept for the caller, which raises it or has gone on: the request keeps its own failure.
        except Exception as error:  # noqa: BLE001
            failed.append(error)

    thread = threading.Thread(target=lambda: home.run(run), name="durable-replay", daemon=True)
    end = time.monotonic() + SETTLED_SECONDS
    thread.start()
    thread.join(max(0.0, end - time.monotonic()))
    if failed:
        raise failed[0]


def _node(request: Request, identity: Any) -> CallNode:
    root = request._root()
    for node in walk(root) if root is not None else ():
        if node.identity == identity:
            return node
    raise SDKUsageError(f"request {request.id} has no such call any more; its last run went another way")


def _wish(request: Request, content: Content) -> verbs.Wish:
    """The page names calls by their identity, `Request.replay` by `name[n]`. A mended call runs as it is now."""
    rerun, start = content.get("rerun"), content.get("from_call")
    chosen = {name: _node(request, each) for name, each in (("rerun", rerun), ("from_call", start)) if _is_call(each)}
    return verbs.Wish(
        strict=bool(content.get("strict")),
        latest=bool(content.get("latest")) or _mended(request, {each.name for each in chosen.values()}),
        from_call=chosen["from_call"].label if "from_call" in chosen else None,
        rerun=chosen["rerun"].label if "rerun" in chosen else rerun,
    )


def _mended(request: Request, names: set[str]) -> bool:
    return bool(names) and not names.isdisjoint(differences.changes(request._process, request)["changed"])


def _is_call(chosen: Any) -> bool:
    return chosen is not None and not isinstance(chosen, str)
