"""What is to be seen of a request while it runs: its tree, and its progress as a stream of events.

Rules of this file
- It reads the journal without values: rows and progress, never what a call was given or returned.
- A stream says what it has found since it looked last, ends with `RequestFinished`, and begins with all there is: who
  comes back misses nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final

from jupyter_durable.core.calltree import CallNode, CallTree, to_json, walk
from jupyter_durable.core.model import CallRow, Progressed, RequestRow, Status, Write
from jupyter_durable.errors import StoreError
from jupyter_durable.records import NamedTuple
from jupyter_durable.server.applications import form
from jupyter_durable.store.base import Store

PAGE: Final = 1000
LOOK_SECONDS: Final = 0.25
SILENCE_SECONDS: Final = 1.0
"""A stream says that it is alive at least so often."""


class Seen(NamedTuple):
    """A request as a stream sees it."""

    ended: bool
    """Its run has ended, and its outcome is known."""
    begun: bool
    reported: list[tuple[str, Progressed]]
    """By function."""
    finished: dict[str, Any]
    """What `RequestFinished` says."""


def records(store: Store, serial: int) -> Iterator[Write]:
    """Rows of a request without values, parents before children. Raises `StoreError` for a damaged journal."""
    parents, seen = [0], {0}
    while parents:
        parent = parents.pop()
        yield from store.reached(serial, parent)
        for row in _rows_below(store, serial, parent):
            if row.parent != parent or row.identity <= parent or row.identity in seen:
                raise StoreError(f"the journal is damaged: call {row.identity} cannot stand below call {parent}")
            seen.add(row.identity)
            if row.children != 0:
                parents.append(row.identity)
            yield row._replace(value=None, inputs=None, writes=None)


def _rows_below(store: Store, serial: int, parent: int) -> Iterator[CallRow]:
    after = 0
    while page := store.children(serial, parent, after, PAGE):
        yield from page
        if len(page) < PAGE or page[-1].identity <= after:
            return
        after = page[-1].identity


def tree(store: Store, row: RequestRow, *, live: bool) -> CallNode | None:
    """The call tree of the last run; None before the first one."""
    folded = CallTree()
    folded.apply(records(store, row.serial))
    folded.apply(store.progress(row.serial))
    return folded.tree(row.run, live=live)


def tree_json(root: CallNode | None) -> dict[str, Any]:
    """A tree as JSON, a flat list in program order, with its counts."""
    return {"calls": [], "counts": None, "summary": ""} if root is None else to_json(root)


def reports(store: Store, row: RequestRow) -> list[tuple[str, Progressed]]:
    """The newest progress of each call that reported, with the name of its function."""
    found = store.progress(row.serial)
    if not found:
        return []
    root = tree(store, row, live=row.status == Status.RUNNING)
    names = {} if root is None else {node.identity: node.name for node in walk(root)}
    return [(names.get(each.identity, row.application), each) for each in found]


async def events(id: str, look: Callable[[], Seen]) -> AsyncIterator[dict[str, Any] | None]:
    """Events of a request to its end; None: nothing new, it goes on."""
    told: dict[int, Progressed] = {}
    begun, silent = False, 0.0
    while True:
        seen = await asyncio.to_thread(look)
        news: list[dict[str, Any]] = []
        if seen.begun and not begun:
            begun = True
            news.append({"RequestStarted": {"request_id": id}})
        for name, report in seen.reported:
            if told.get(report.identity) != report:
                told[report.identity] = report
                news.append(form.progress_json(id, name, report))
        for event in news:
            yield event
        if seen.ended:
            yield {"RequestFinished": {"request_id": id, **seen.finished}}
            return
        silent = 0.0 if news else silent + LOOK_SECONDS
        if silent >= SILENCE_SECONDS:
            silent = 0.0
            yield None
        await asyncio.sleep(LOOK_SECONDS)


__all__ = ["Seen", "events", "records", "reports", "tree", "tree_json"]
