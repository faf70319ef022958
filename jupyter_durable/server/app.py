"""The ASGI app of a server.

What stands on it keeps to this:
- `create_app(settings)` makes an app from a `ServerSettings`; `jupyter durable serve` and tests call it alike.
- A package that adds routes has an `APIRouter`, named in `_routers`; what it keeps beside the routes, and has to be
  begun and ended, is an async context manager of the `Server`, named in `_lifetimes`.
- A route asks for what it needs by its parameters: `access: Reader | Writer | Admin` (`auth`), `request: Request`; then
  `server_of(request).namespaces.store(access.namespace)` is the store it works on, and `.settings` what holds.
- Routes that touch a store are plain functions, which FastAPI runs on threads; those that wait are async and hand
  each look at the store to `starlette.concurrency.run_in_threadpool`.
- What goes wrong is raised: any `DurableError`, or `Refusal(status, code, message)`; `refusals` makes the answer.
- Bodies are limited before a route sees them (`limits`): size, size after zstd, depth of JSON.
- Lifespan only: nothing is begun by an import, and nothing is left when the app ends.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from typing import TypeAlias

from fastapi import APIRouter, FastAPI
from starlette.concurrency import run_in_threadpool

from jupyter_durable.server import described, health, refusals, retention, seen
from jupyter_durable.server.applications import routes as applications
from jupyter_durable.server.limits import LimitBodies
from jupyter_durable.server.namespaces import Namespaces
from jupyter_durable.server.page import routes as page
from jupyter_durable.server.remote import changes, routes
from jupyter_durable.server.settings import ServerSettings
from jupyter_durable.server.state import Server
from jupyter_durable.server.tokens import TokenFile

Lifetime: TypeAlias = Callable[[Server], AbstractAsyncContextManager[None]]


def _routers() -> Sequence[APIRouter]:
    own = (health.router, seen.router, described.router, page.router)
    return (*own, routes.router, changes.router, applications.router())


def _lifetimes() -> Sequence[Lifetime]:
    return (applications.lifetime, page.lifetime, retention.lifetime)


def create_app(settings: ServerSettings) -> FastAPI:
    """The app of a server with these settings."""
    server = Server(settings, TokenFile(settings.folder), Namespaces(settings))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            async with AsyncExitStack() as stack:
                for lifetime in _lifetimes():
                    await stack.enter_async_context(lifetime(server))
                yield
        finally:
            await run_in_threadpool(server.namespaces.close)

    app = FastAPI(
        title="jupyter-durable",
        version=version("jupyter-durable"),
        lifespan=lifespan,
        openapi_url=None,  # see `described`
        docs_url=None,
        redoc_url=None,
    )
    app.state.server, app.state.remote, app.state.figures = server, routes.Remote(), seen.Figures()
    refusals.install(app)
    app.add_middleware(LimitBodies, settings=settings)
    app.add_middleware(seen.Watch, figures=app.state.figures)
    for router in _routers():
        app.include_router(router)
    return app
