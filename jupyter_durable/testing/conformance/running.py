"""Holds a store to the laws, one by one.

Rules of this file
- Each law gets a store without requests. It is emptied through the store's own verbs, so any store will do; and so only
  one that is empty at first is taken.
- A law that failed ends nothing: all are tried.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from jupyter_durable.core.model import Status
from jupyter_durable.errors import SDKUsageError
from jupyter_durable.store.base import Filter, Store

_LAW: Final = "test_"


class Broken(NamedTuple):
    """A law that the store does not keep."""

    law: str
    error: Exception
    """What came instead: an `AssertionError`, or what the store raised."""


def laws_of(suite: type[Any]) -> Iterator[tuple[str, Callable[..., None]]]:
    """The laws as sentences, in the order in which they are written."""
    for part in suite.__mro__:
        for name, law in vars(part).items():
            if name.startswith(_LAW):
                yield name.removeprefix(_LAW).replace("_", " "), law


def broken_laws(
    suite: type[Any], open: Callable[[], Store], told: Callable[[str, Exception | None], None] | None = None
) -> list[Broken]:
    """The laws of `suite` that the store breaks which `open` opens, the same one each time; `told` hears of each law.

    Raises `SDKUsageError` for a store that has requests: the laws would delete them.
    """
    if not __debug__:
        raise SDKUsageError("the laws are assertions, which python -O leaves out; run them without -O")
    with_requests = open()
    found = with_requests.requests(Filter(limit=1))
    with_requests.close()
    if found:
        raise SDKUsageError(
            f"the store has requests ({found[0].id}, …), which the laws would delete; give an empty one"
        )
    broken = []
    for law, check in laws_of(suite):
        error = _broken(suite, check, open)
        if error is not None:
            broken.append(Broken(law, error))
        if told is not None:
            told(law, error)
    return broken


def _broken(suite: type[Any], law: Callable[..., None], open: Callable[[], Store]) -> Exception | None:
    """Why a law does not hold, or None."""
    opened: list[Store] = []

    def another() -> Store:
        opened.append(open())
        return opened[-1]

    try:
        try:
            law(suite(), another(), *([another] if "another" in inspect.signature(law).parameters else []))
        finally:
            for store in opened:
                store.close()
            _empty(open())
    except Exception as error:  # noqa: BLE001 - the store under test is somebody's code, and any error breaks the law
        return error
    return None


def _empty(store: Store) -> None:
    """Delete all requests, and close the store."""
    try:
        for row in store.requests(Filter(limit=1_000)):
            if row.status in (Status.RUNNING, Status.WAITING):
                store.settle(row.serial, row.epoch, Status.CANCELLED, 0.0)
            store.delete(row.serial)
    finally:
        store.close()
