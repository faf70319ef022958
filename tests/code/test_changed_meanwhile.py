"""Other threads change what is looked at while it is looked at: an answer comes all the same."""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from jupyter_durable.code.capture import capture
from jupyter_durable.code.hashing import CodeHashes, code_hash
from jupyter_durable.serializer.digest import value_digest
from tests.code.notebook import Notebook

LOOKS = 40
CHANGED: dict[str, tuple[Callable[[], Any], Callable[[Any, int], None]]] = {
    "a deque": (lambda: deque([[]] * 50), lambda held, n: held.append([]) if n % 2 else held.popleft()),
    "a set": (lambda: set(range(50)), lambda held, n: held.add(n) if n % 2 else held.discard(n - 1)),
    "a dict": (
        lambda: {k: [] for k in range(50)},
        lambda held, n: held.update({n: []}) if n % 2 else held.pop(n - 1, 0),
    ),
    "an OrderedDict": (
        lambda: OrderedDict((k, []) for k in range(50)),
        lambda held, n: held.update({n: []}) if n % 2 else held.pop(n - 1, 0),
    ),
    "a namespace": (
        lambda: SimpleNamespace(**{f"k{n}": [] for n in range(50)}),
        lambda held, n: setattr(held, f"n{n}", []) if n % 2 else vars(held).pop(f"n{n - 1}", 0),
    ),
    "a class": (
        lambda: type("Settings", (), {f"k{n}": n for n in range(50)}),
        lambda held, n: setattr(held, f"n{n}", 1) if n % 2 else delattr(held, f"n{n - 1}"),
    ),
}  # fmt: skip


@contextmanager
def changing(held: Any, change: Callable[[Any, int], None]) -> Iterator[None]:
    """Meanwhile another thread changes it all the time."""
    over, often = threading.Event(), sys.getswitchinterval()

    def work() -> None:
        n = 1001
        while not over.is_set():
            change(held, n)
            n += 1
        if n % 2 == 0:
            change(held, n)

    thread = threading.Thread(target=work)
    sys.setswitchinterval(1e-6)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        sys.setswitchinterval(often)


@pytest.mark.parametrize("name", CHANGED)
def test_what_is_changed_while_it_is_looked_at_has_a_hash_and_is_captured(name: str) -> None:
    make, change = CHANGED[name]
    book = Notebook("T = None\ndef main(x): return T\n")
    book.names["T"] = held = make()
    with changing(held, change):
        for _ in range(LOOKS):
            assert len(code_hash(book["main"], book.names)) == 16
            hashes = CodeHashes(book.names)
            assert hashes.of(book["main"])
            assert hashes.as_argument(book["main"])
            captured = capture({"main": book["main"]}, book.names)
            assert name != "a class" or b"Settings" in captured, "left out, since it was changed at that moment"


@pytest.mark.parametrize("name", ["a deque", "a set", "a dict", "an OrderedDict"])
def test_what_is_changed_while_it_is_an_argument_has_a_digest(name: str) -> None:
    make, change = CHANGED[name]
    held = make()
    with changing(held, change):
        for _ in range(LOOKS):
            assert value_digest(held)
