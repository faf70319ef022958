"""The routes under `/jupyter-durable/`.

Rules of this file
- Every route is for who is logged in and authorized (resource `jupyter_durable`); what changes something passes the
  server's XSRF check, as all of its own routes do.
- The stores are read and written on threads of their own, never on the event loop.
- An error is JSON: `message`, a sentence that can be shown, and `ours`, which says that it is.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from pydantic import BaseModel
from tornado.web import authenticated

from jupyter_durable.core.escaping import finite
from jupyter_durable.errors import DurableError, StoreError
from jupyter_durable_server import answers
from jupyter_durable_server.asked import Detail, Nothing, Page, Pin, Plan, Refused, Wanted, read
from jupyter_durable_server.stores import ANY, Stores, UnknownRequest

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

ROOT: Final = "jupyter-durable"
THREADS: Final = 32
"""That wait for what stores answer, each in threads of its own (`lanes`)."""
_REQUEST: Final = rf"requests/(?P<store>[0-9a-f]{{16}}|{ANY})/(?P<id>req_[0-9a-f]{{1,64}})"
_Model = TypeVar("_Model", bound=BaseModel)


class _Route(APIHandler):
    auth_resource = "jupyter_durable"
    _track_activity = False  # the panel asks by itself: an idle server stays idle

    def initialize(self, stores: Stores, threads: ThreadPoolExecutor) -> None:
        self._stores = stores
        self._threads = threads

    @property
    def _root(self) -> str:
        return str(getattr(self.contents_manager, "root_dir", ""))

    def _query(self, model: type[_Model]) -> _Model:
        """The question, without what belongs to HTTP: a way to log in, and the time that keeps caches away."""
        names = [name for name in self.request.query_arguments if name != "token" and not name.isdigit()]
        given = {name: self.get_query_argument(name) for name in names}
        return read(model, given)

    def _body(self, model: type[_Model]) -> _Model:
        try:
            given = json.loads(self.request.body or b"{}")
        except (ValueError, RecursionError) as error:  # of any depth
            raise Refused(f"the body is no JSON that is read here: {error}") from None
        if not isinstance(given, Mapping):
            raise Refused("the body must be a JSON object")
        return read(model, given)

    async def _answer(self, make: Callable[[], Callable[[], Any]]) -> None:
        """Read what was asked here, and answer it on a thread."""
        try:
            body = make()
            answer = await asyncio.get_running_loop().run_in_executor(self._threads, body)
            self.finish(json.dumps(finite(answer), allow_nan=False))
        except UnknownRequest as error:
            self._say(404, error)
        except Refused as error:
            self._say(400, error)
        except StoreError as error:
            self._say(503, error)
        except DurableError as error:
            self._say(409, error)

    def _say(self, status: int, error: Exception) -> None:
        self.set_status(status)
        self.finish(json.dumps({"message": str(error), "ours": True}))


class ListRoute(_Route):
    """Requests of all stores."""

    @authenticated
    @authorized
    async def get(self) -> None:
        await self._answer(lambda: partial(answers.listing, self._stores, self._query(Wanted), self._root))


class LookRoute(_Route):
    """What can be read of one request."""

    @authenticated
    @authorized
    async def get(self, store: str, id: str, what: str) -> None:
        await self._answer(lambda: self._look(store, id, what))

    def _look(self, store: str, id: str, what: str) -> Callable[[], Any]:
        if what == "page":
            return partial(answers.page, self._stores, store, id, self._query(Page))
        if what == "detail":
            return partial(answers.detail, self._stores, store, id, self._query(Detail))
        if what == "preview":
            return partial(answers.preview, self._stores, store, id, self._query(Plan))
        self._query(Nothing)
        if what == "info":
            return partial(answers.info, self._stores, store, id, self._root)
        return partial(answers.snapshot, self._stores, store, id)


class ActRoute(_Route):
    """What can be done with one request."""

    @authenticated
    @authorized
    async def post(self, store: str, id: str, what: str) -> None:
        await self._answer(lambda: self._act(store, id, what))

    def _act(self, store: str, id: str, what: str) -> Callable[[], Any]:
        if what == "pin":
            return partial(answers.pin, self._stores, store, id, self._body(Pin).pinned)
        if what == "replay":
            return partial(answers.replay, self._stores, store, id)
        self._body(Nothing)
        return partial(answers.cancel if what == "cancel" else answers.delete, self._stores, store, id)


def install(app: ServerApp) -> None:
    """Serve the routes from now on."""
    shared = {"stores": Stores(), "threads": ThreadPoolExecutor(THREADS, thread_name_prefix="durable-server")}
    at = partial(url_path_join, app.web_app.settings["base_url"], ROOT)
    app.web_app.add_handlers(  # type: ignore[no-untyped-call]  # tornado's
        ".*$",
        [
            (at("requests"), ListRoute, shared),
            (at(_REQUEST, "(?P<what>snapshot|page|detail|preview|info)"), LookRoute, shared),
            (at(_REQUEST, "(?P<what>cancel|delete|pin|replay)"), ActRoute, shared),
        ],
    )
