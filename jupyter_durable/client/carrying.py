"""A request carried between two stores, so that it is replayed from there with nothing executed again.

Rules of this file
- Stores are known by their Protocol alone. Large values go first, each durable; then one verb takes in all the rest, or
  nothing: who is killed in between has left values that no request names, and begins again.
- Nobody runs what is carried: a request that somebody holds is refused, one whose owner is gone is settled first. It
  was read whole when its epoch is still the same afterwards.
- A request of that id that is there is replaced only by its own continuation: its runs are the first of those here.
- A large value that is lost is no result any more: it is refused, and its call is to be executed again before.
- Nothing is signed anew: ids and MACs stay, and whoever loads it needs the key that signed it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

from jupyter_durable.client import ownership, versions
from jupyter_durable.client.process import Process
from jupyter_durable.core.history import History
from jupyter_durable.core.model import ENDED, CallRow, RequestRow, Status
from jupyter_durable.errors import DeserializationError, SDKUsageError, StoreError
from jupyter_durable.records import NamedTuple
from jupyter_durable.store import open_store
from jupyter_durable.store.base import Store, not_as_read
from jupyter_durable.store.location import shown

_PAGE: Final = 100
"""Calls that are read at once."""


class Carried(NamedTuple):
    """What was carried, and where it is now."""

    id: str
    store: str
    """URL of the store that has it now, too."""
    origin: str
    calls: int
    values: int
    """Large values."""
    was_there: bool
    """It was there already, as it is here; nothing was done."""
    strange: bool
    """No key that is trusted here has signed it."""


def carried_text(carried: Carried) -> str:
    """What was done, and which of the two to go on with, in words."""
    done = "is already in" if carried.was_there else f"({carried.calls} calls, {carried.values} large values) is now in"
    key = (
        " It was signed with a key that is not trusted here: whoever goes on with it needs that key"
        " (`jupyter durable key export` and `import`)."
        if carried.strange
        else ""
    )
    return (
        f"{carried.id} {done} {carried.store}.{key} Go on with it there; the one in {carried.origin} stays as it"
        " is, and when both are run they are no longer one request"
    )


@contextlib.contextmanager
def other_store(process: Process, url: str | None) -> Iterator[Store]:
    """The store at a URL, or that of the server that is set. Raises `SDKUsageError`, `StoreError`."""
    place = url or process.settings.server
    if not place:
        raise SDKUsageError("which store? Give its URL, as https://HOST:PORT, postgresql://… or sqlite:///PATH")
    store = open_store(place)
    try:
        if store.url == process.store.url:
            raise SDKUsageError(f"{shown(place)} is the store that is in use; name another one")
        yield store
    finally:
        store.close()


def carry(process: Process, id: str, origin: Store, to: Store) -> Carried:
    """Carry a request with all that is recorded of it. Raises `SDKUsageError`, `StoreError`."""
    return ownership.as_read(lambda: _carry(process, id, origin, to))


def _carry(process: Process, id: str, origin: Store, to: Store) -> Carried:
    row = _at_rest(process, origin, origin.request(id))
    history = _history(origin, row)
    known = _known(to, row.id)
    over = None
    if known is not None:
        known = _at_rest(process, to, known)
        over = known.epoch
        _refuse_other(history, known, to)
    was_there = known is not None and to.runs(known.serial) == history.runs
    values = 0 if was_there else _values(history, origin, to)
    if not was_there:
        to.take_in(history, over=over)
    strange = _is_strange(process, history)
    places = shown(to.url), shown(origin.url)
    return Carried(row.id, *places, len(history.calls), values, was_there, strange)


def _known(store: Store, id: str) -> RequestRow | None:
    try:
        found = store.request(id)
    except SDKUsageError:  # none
        return None
    return found if found.id == id else None


def _at_rest(process: Process, store: Store, row: RequestRow) -> RequestRow:
    """The request, which nobody runs. Raises `SDKUsageError` that names who does."""
    if row.status == Status.QUEUED or process.status_of(row) not in ENDED:
        who = "whoever accepted it" if row.owner is None else ownership.described(row.owner, row.started_at)
        raise SDKUsageError(
            f"request {row.id} in {shown(store.url)} is {row.status}, held by {who}: wait for it, or cancel it, and "
            "then carry it"
        )
    if row.status in (Status.RUNNING, Status.WAITING):
        store.settle(row.serial, row.epoch, Status.INTERRUPTED, process.clock.now())
        return store.request(row.id)
    return row


def _history(store: Store, row: RequestRow) -> History:
    """All that is recorded of a request, as it was at one time."""
    serial = row.serial
    calls = list(_calls(store, serial))
    parents = [0, *dict.fromkeys(call.identity for call in calls)]
    runs = store.runs(serial)
    history = History(
        row,
        [store.code(key) for key in dict.fromkeys((row.code_key, *(run.code_key for run in runs)))],
        runs,
        calls,
        [each._replace(flags=int(each.flags)) for parent in parents for each in store.reached(serial, parent)],
        [each for parent in parents for each in store.decided(serial, parent)],
        [each for identity in parents[1:] for each in store.attempts(serial, identity)],
        store.logs(serial),
        store.progress(serial),
        store.metrics(serial),
    )
    now = store.request(row.id)
    if now.epoch != row.epoch:
        raise not_as_read(now)
    return history


def _calls(store: Store, serial: int) -> Iterator[CallRow]:
    """All calls, those of a parent after it."""
    parents, seen = [0], {0}
    while parents:
        parent, after = parents.pop(), 0
        while page := store.children(serial, parent, after, _PAGE):
            after = page[-1].identity
            parents += (call.identity for call in page if call.identity not in seen)  # of a damaged file, too
            seen.update(call.identity for call in page)
            yield from (call._replace(flags=int(call.flags)) for call in page)


def _refuse_other(history: History, known: RequestRow, to: Store) -> None:
    """Raise `SDKUsageError` unless the request that is there is this one, as it is or as it was."""
    row, place = history.request, f"request {known.id} is in {shown(to.url)} already, and"
    same = ("application", "kind", "accepted_at", "input_digest")
    other = [name for name in same if getattr(row, name) != getattr(known, name)]
    if other:
        raise SDKUsageError(f"{place} is another one: its {', '.join(other)} differs. Nothing was changed")
    there = to.runs(known.serial)
    for here, run in zip(history.runs, there, strict=False):
        if here != run:
            raise SDKUsageError(
                f"{place} went on there in its own way: run {run.run} is {run.status} there and {here.status} here, or "
                "is of another time. Go on with one of them, and delete the other. Nothing was changed"
            )
    if len(there) > len(history.runs):
        raise SDKUsageError(
            f"{place} goes further: it has {len(there)} runs there and {len(history.runs)} here. Go on with that one"
        )


def _values(history: History, origin: Store, to: Store) -> int:
    """Carry the large values; how many. Raises `DeserializationError` for one that is missing or damaged."""
    keys = list(dict.fromkeys(call.blob for call in history.calls if call.blob is not None))
    for key in keys:
        if to.put_blob(*origin.get_blob(key)) != key:
            raise StoreError(f"{shown(to.url)} names large values in its own way, so their signatures fail there")
    return len(keys)


def _is_strange(process: Process, history: History) -> bool:
    try:
        versions.check_code(history.code[0], process.signer)
    except DeserializationError:
        return True
    return False
