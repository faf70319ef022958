"""The answers of the server: plain functions of the stores, without a word about HTTP.

Rules of this file
- What is wrong is raised: `UnknownRequest`, `Refused`, or an error of the library, whose text can be shown.
- A list costs what it shows, however many requests a store has.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from operator import itemgetter
from pathlib import PurePath
from typing import Any, Final, NamedTuple

from jupyter_durable.client import replay as replay_of
from jupyter_durable.client import verbs
from jupyter_durable.client.engine import Engine
from jupyter_durable.client.request import listed, status_of
from jupyter_durable.core.model import RequestRow, Status
from jupyter_durable.errors import SDKUsageError
from jupyter_durable.store.base import Filter
from jupyter_durable.store.location import default_url
from jupyter_durable_kernel.view import as_json, from_store
from jupyter_durable_server import plain
from jupyter_durable_server.asked import Detail, Page, Plan, Wanted
from jupyter_durable_server.stores import Opened, Stores

ALIVE: Final = 200
"""Requests that run at once and are looked at, in each store."""
NOTEBOOKS: Final = 500
"""Newest requests of a store whose notebooks are named in the filter."""
Answer = dict[str, Any]


class _Found(NamedTuple):
    store: Opened
    row: RequestRow
    running: bool


class _Part(NamedTuple):
    """What one store has to say."""

    found: list[_Found]
    running: int
    notebooks: set[str]


def listing(stores: Stores, wanted: Wanted, root: str) -> Answer:
    """Requests of all stores, running first, then newest first. `root`: where the server's notebooks lie."""
    parts, wrong = stores.each(lambda store: _part(store, wanted))
    found = [one for part in parts for one in part.found]
    found.sort(key=_order)
    by_store: dict[str, list[_Found]] = {}
    for one in found[: wanted.limit]:
        by_store.setdefault(one.store.name, []).append(one)
    shown, wrong_too = stores.some({name: partial(_shown_all, ones=ones, root=root) for name, ones in by_store.items()})
    return {
        "requests": [answer for _, answer in sorted((pair for pairs in shown for pair in pairs), key=itemgetter(0))],
        "running": sum(part.running for part in parts),
        "more": len(found) > wanted.limit,
        "notebooks": sorted({name for part in parts for name in part.notebooks}),
        "problems": list(dict.fromkeys((*wrong, *wrong_too))),
    }


def _order(one: _Found) -> tuple[bool, float, str]:
    return not one.running, -one.row.accepted_at, one.row.id


def _shown_all(store: Opened, ones: list[_Found], root: str) -> list[tuple[tuple[bool, float, str], Answer]]:
    return [(_order(one), _shown(one._replace(store=store), root)) for one in ones]


def _part(store: Opened, wanted: Wanted) -> _Part:
    alive = [_Found(store, row, True) for row in _running(store.engine)]
    found = [one for one in alive if _matches(one.row, wanted)] if wanted.status in ("", Status.RUNNING) else []
    if wanted.status != Status.RUNNING:
        there = {one.row.id for one in found}
        found += [one for one in _rest(store, wanted) if one.row.id not in there]
    return _Part(found, len(alive), _notebooks(store.engine))


def _running(engine: Engine) -> Iterable[RequestRow]:
    rows = engine.store.requests(Filter(status=Status.RUNNING, limit=ALIVE))
    return (row for row in rows if status_of(row, engine) == Status.RUNNING)


def _rest(store: Opened, wanted: Wanted) -> Iterable[_Found]:
    """One more than wanted, so that it is known whether there are more."""
    asked = Filter(wanted.status or None, None, wanted.notebook or None, None, wanted.text or None)
    return (_Found(store, row, False) for row in listed(store.engine, asked._replace(limit=wanted.limit + 1)))


def _matches(row: RequestRow, wanted: Wanted) -> bool:
    """As the store filters."""
    texts = (row.id, row.application, row.notebook, row.cell, row.error)
    return (not wanted.notebook or row.notebook == wanted.notebook) and (
        not wanted.text or any(wanted.text.lower() in (text or "").lower() for text in texts)
    )


def _notebooks(engine: Engine) -> set[str]:
    return {row.notebook for row in engine.store.requests(Filter(limit=NOTEBOOKS)) if row.notebook}


def _shown(one: _Found, root: str) -> Answer:
    info = verbs.info(one.store.engine, one.row)
    return {**info._asdict(), "store": one.store.name, "path": contents_path(info.notebook, root)}


def contents_path(notebook: str | None, root: str) -> str | None:
    """What the contents of this server call a notebook; None for one that lies elsewhere, or is none."""
    if not notebook or not root or not notebook.endswith(".ipynb"):
        return None
    path = PurePath(notebook)
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else None


def snapshot(stores: Stores, store: str, id: str) -> Answer:
    """The picture of a request, as a kernel makes it."""

    def look(held: Opened, row: RequestRow) -> Answer:
        engine = held.engine

        def made() -> Answer:
            with stores.uncollected():
                return as_json.snapshot(from_store.state_of(engine, row), plain.PlainValues(engine, row))

        status = status_of(row, engine)
        answer = stores.recent.answer((held.name, "snapshot"), row, status, made)
        return answer if status == Status.RUNNING else as_json.as_of(answer, engine.clock.now())

    return stores.holding(store, id, look, long=True)


def info(stores: Stores, store: str, id: str, root: str) -> Answer:
    """A request as lists show it, and the URL of its store where a new kernel would look elsewhere."""

    def look(held: Opened, row: RequestRow) -> Answer:
        url = held.engine.settings.store
        return {**_shown(_Found(held, row, False), root), "store_url": "" if url == default_url() else url}

    return stores.holding(store, id, look)


def page(stores: Stores, store: str, id: str, wanted: Page) -> Answer:
    """Some calls of a request."""

    def look(held: Opened, row: RequestRow) -> Answer:
        engine = held.engine

        def made() -> Answer:
            with stores.uncollected():
                values = plain.PlainValues(engine, row)
                return from_store.calls(from_store.state_of(engine, row), wanted.model_dump(), values)

        return stores.recent.answer((held.name, wanted), row, status_of(row, engine), made)

    return stores.holding(store, id, look, long=True)


def preview(stores: Stores, store: str, id: str, wanted: Plan) -> Answer:
    """What a replay would do, without the code that only a kernel has."""

    def look(held: Opened, row: RequestRow) -> Answer:
        with stores.uncollected():
            chosen = replay_of.Choice(upgrade=True)
            return from_store.plan(replay_of.preview(held.engine, row, chosen, strict=wanted.strict))

    return stores.holding(store, id, look, long=True)


def detail(stores: Stores, store: str, id: str, wanted: Detail) -> Answer:
    """A closer look at one call."""

    def look(held: Opened, row: RequestRow) -> Answer:
        with stores.uncollected():
            node = from_store.node_of(from_store.state_of(held.engine, row), wanted.call)
            return plain.detail(held.engine, row, node)

    return stores.holding(store, id, look, long=True)


def cancel(stores: Stores, store: str, id: str) -> Answer:
    """Ask whoever runs the request to stop."""
    return stores.holding(store, id, lambda held, row: {"request": verbs.cancel(held.engine, row.id).id})


def delete(stores: Stores, store: str, id: str) -> Answer:
    """Remove a request with its values."""
    return stores.holding(store, id, lambda held, row: {"request": verbs.delete(held.engine, row.id)}, long=True)


def pin(stores: Stores, store: str, id: str, pinned: bool) -> Answer:
    """Keep a request from garbage collection, or no longer."""
    return stores.holding(store, id, lambda held, row: {"request": verbs.pin(held.engine, row.id, pinned).id})


def replay(stores: Stores, store: str, id: str) -> Answer:
    """Refused: it runs code. Raises `SDKUsageError`."""

    def refuse(_: Opened, row: RequestRow) -> Answer:
        raise SDKUsageError(
            f"A replay runs code, which the Jupyter server does not. Open the notebook of {row.id} and press Replay "
            f"there, or run `jupyter durable replay {row.id}` in a terminal."
        )

    return stores.holding(store, id, refuse)
