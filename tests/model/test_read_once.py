"""Arguments that can be read once: no attempt, replay or fresh start finds them empty and succeeds with that."""

from __future__ import annotations

import csv
import dataclasses
import functools
import gzip
import io
import itertools
import os
import tempfile
import time
import types
from collections import deque
from typing import Any

import pytest

from jupyter_durable import RequestContext, Retries, SDKUsageError, application, function, run_local_application
from jupyter_durable.errors import FunctionError, RequestError
from jupyter_durable.runner import arguments
from jupyter_durable.testing import Bench

TWICE = Retries(max_retries=2, initial_delay=0.01, jitter=False)
MARKED_SECONDS = 0.2
"""Whoever runs for so long has a started mark in the store."""


@dataclasses.dataclass
class Batch:
    rows: Any
    name: str = "batch"


class Plain:
    def __init__(self, rows: Any) -> None:
        self.rows = rows


class Slotted:
    __slots__ = ("rows",)

    def __init__(self, rows: Any) -> None:
        self.rows = rows


class Countdown:
    """An iterator of the user's own."""

    def __init__(self, rows: Any) -> None:
        self.left = iter(rows)

    def __iter__(self) -> Countdown:
        return self

    def __next__(self) -> Any:
        return next(self.left)


def generated(rows: Any) -> Any:
    yield from rows


async def asynchronous(rows: Any) -> Any:
    for row in rows:
        yield row


def text_file(rows: Any) -> Any:
    file = tempfile.TemporaryFile("w+")  # noqa: SIM115 - it is the argument of a call
    file.write("\n".join(map(str, rows)))
    file.seek(0)
    return file


def zipped(rows: Any) -> Any:
    return gzip.GzipFile(fileobj=io.BytesIO(gzip.compress("\n".join(map(str, rows)).encode())))


ONCE: dict[str, Any] = {
    "generator": generated,
    "generator expression": lambda rows: (row for row in rows),
    "iterator of a list": iter,
    "iterator of a set": lambda rows: iter(set(rows)),
    "iterator of a dict": lambda rows: iter(dict.fromkeys(rows)),
    "map": lambda rows: map(int, rows),
    "map over a generator": lambda rows: map(int, generated(rows)),
    "filter": lambda rows: filter(lambda _: True, rows),
    "zip": lambda rows: zip(rows, rows, strict=True),
    "enumerate": enumerate,
    "reversed": reversed,
    "chain": lambda rows: itertools.chain(generated(rows), ()),
    "islice": lambda rows: itertools.islice(generated(rows), 10),
    "tee": lambda rows: itertools.tee(generated(rows))[0],
    "cycle, cut": lambda rows: itertools.islice(itertools.cycle(rows), len(rows)),
    "csv": lambda rows: csv.reader([str(row) for row in rows]),
    "until a sentinel": lambda rows: iter([*rows, None].__iter__().__next__, None),
    "an iterator of one's own": Countdown,
    "one of one's own over a generator": lambda rows: Countdown(generated(rows)),
    "iterators of iterators": lambda rows: (iter([row]) for row in rows),
    "file": text_file,
    "compressed file": zipped,
    "bytes in memory": lambda rows: io.BytesIO("\n".join(map(str, rows)).encode()),
    "text in memory": lambda rows: io.StringIO("\n".join(map(str, rows))),
}
REFUSED: dict[str, Any] = {
    "asynchronous generator": asynchronous,
    "groups": lambda rows: itertools.groupby(rows),
    "rows with names": lambda rows: csv.DictReader(["a", *map(str, rows)]),
    "a stream": lambda _: Stream(),
    "without an end": lambda rows: generated(itertools.count()),
}
PLACES: dict[str, Any] = {
    "alone": lambda once: once,
    "in a list": lambda once: [1, once],
    "in a dict in a tuple": lambda once: ({"rows": once},),
    "in a deque": lambda once: deque([once]),
    "in a dataclass": Batch,
    "in an object": Plain,
    "in slots": Slotted,
    "in a namespace": lambda once: types.SimpleNamespace(rows=once),
    "in a partial": lambda once: functools.partial(list, once),
    "deep": lambda once: [[[[{"a": Batch([Plain((once,))])}]]]],
    "twice": lambda once: [once, once],
}


class Stream(io.RawIOBase):
    """It can be read, and cannot go back."""

    def readable(self) -> bool:
        return True


def count(value: Any) -> int:
    """Reads whatever can be read in a value, and counts it."""
    if isinstance(value, int | str | bytes):
        return 1
    if isinstance(value, functools.partial):
        return count(value())
    if isinstance(value, dict):
        return sum(map(count, value.values()))
    if hasattr(value, "__iter__"):
        return sum(map(count, list(value)))
    fields = vars(value) if hasattr(value, "__dict__") else {name: getattr(value, name) for name in value.__slots__}
    return sum(count(each) for name, each in fields.items() if name != "name")


def attempts_of(make: Any, fails: int = 1) -> list[int]:
    """What each attempt of a call saw whose first ones fail after they have read their argument."""
    seen: list[int] = []

    @function(retries=TWICE)
    def reads(rows):
        seen.append(count(rows))
        if RequestContext.get().attempt <= fails:
            raise OSError("not now")
        return seen[-1]

    @application()
    @function()
    def app() -> Any:
        return reads(make())

    run_local_application(app).output()
    return seen


@pytest.mark.parametrize("once", ONCE)
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_each_attempt_reads_the_same(bench: Bench, once: str) -> None:
    expected = count(ONCE[once](range(5)))
    assert expected >= 5
    assert attempts_of(lambda: ONCE[once](range(5)), 2) == [expected] * 3


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("once", ["generator", "iterator of a list", "map over a generator"])
def test_at_any_depth(bench: Bench, once: str, place: str) -> None:
    make = PLACES[place]
    expected = count(make(ONCE[once](range(5))))
    assert attempts_of(lambda: make(ONCE[once](range(5)))) == [expected] * 2


@pytest.mark.parametrize("place", ["alone", "in a list", "in a dataclass", "deep"])
@pytest.mark.parametrize("once", REFUSED)
def test_what_cannot_be_kept_is_refused_before_the_first_attempt(bench: Bench, once: str, place: str) -> None:
    """The message names the argument and says what to pass instead."""
    ran: list[int] = []

    @function(retries=TWICE)
    def reads(rows):
        ran.append(1)

    @application()
    @function()
    def app() -> None:
        reads(PLACES[place](REFUSED[once](range(5))))

    request = run_local_application(app)
    assert request.status == "failed"
    assert isinstance(request.error, SDKUsageError)
    assert "`rows`" in str(request.error)
    assert "Pass" in str(request.error)
    assert ran == []


def test_it_is_said_once_that_items_were_read(bench: Bench) -> None:
    @function(retries=TWICE)
    def reads(rows):
        return sum(rows)

    @application()
    @function()
    def app() -> int:
        return reads(x for x in range(3)) + reads(x for x in range(4))

    assert run_local_application(app).output() == 9
    assert [text for text in bench.warnings if "can be read once" in text] == [
        "reads may be tried again, and its argument `rows` holds a generator, which can be read once: it was read into "
        "a list before the first attempt, and each attempt gets its items anew. Pass a list"
    ]


def test_without_retries_nothing_is_read_ahead(bench: Bench) -> None:
    """An iterator without an end is an argument like any other; so is a generator that is still fed."""

    @function()
    def first(rows, n):
        return [next(rows) for _ in range(n)]

    @application()
    @function()
    def app() -> list[int]:
        return first(generated(itertools.count()), 3)

    assert run_local_application(app).output() == [0, 1, 2]
    assert bench.warnings == []


def test_iterators_without_an_end_are_copied(bench: Bench) -> None:
    @function(retries=TWICE)
    def numbered(rows, numbers):
        taken = [(next(numbers), row) for row in rows]
        if RequestContext.get().attempt == 1:
            raise OSError("not now")
        return taken

    @application()
    @function()
    def app() -> Any:
        return numbered(["a", "b"], itertools.count(5))

    assert run_local_application(app).output() == [[5, "a"], [6, "b"]]


def test_a_file_goes_on_where_it_stood(bench: Bench) -> None:
    """Each attempt reads from the place at which the call got it."""

    @function(retries=TWICE)
    def rest(file):
        text = file.read()
        if RequestContext.get().attempt == 1:
            raise OSError("not now")
        return text

    @application()
    @function()
    def app() -> str:
        with text_file(["head", "body"]) as file:
            file.readline()
            return rest(file)

    assert run_local_application(app).output() == "body"


def test_a_file_that_is_only_written_is_shared_as_before(bench: Bench, tmp_path: Any) -> None:
    @function(retries=TWICE)
    def writes(file):
        file.write("x")
        if RequestContext.get().attempt == 1:
            raise OSError("not now")

    @application()
    @function()
    def app() -> None:
        with open(tmp_path / "log", "w") as file:
            writes(file)

    run_local_application(app).output()
    assert (tmp_path / "log").read_text() == "xx"


def test_the_iterators_of_a_library_s_object_are_its_own_business(bench: Bench) -> None:
    """A client that counts its calls is shared between the attempts, as what cannot be copied always is."""
    client = types.ModuleType("client")  # an object of no user's class, and none that can be copied
    client.numbers = generated(itertools.count())  # type: ignore[attr-defined]

    @function(retries=TWICE)
    def calls(client):
        number = next(client.numbers)
        if RequestContext.get().attempt == 1:
            raise OSError("not now")
        return number

    @application()
    @function()
    def app() -> int:
        return calls(client)

    assert run_local_application(app).output() == 1


def test_items_of_a_map(bench: Bench) -> None:
    """Each item that is an iterator is kept for the attempts of its own call."""

    @function(retries=TWICE)
    def total(rows: Any) -> int:
        found = sum(rows)
        if RequestContext.get().attempt == 1:
            raise OSError("not now")
        return found

    @application()
    @function()
    def app() -> list[int]:
        return total.map((x for x in range(n)) for n in range(4))

    assert run_local_application(app).output() == [0, 0, 1, 3]


def test_many_items_are_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arguments, "MOST_ITEMS", 10)
    assert attempts_of(lambda: iter(range(10))) == [10, 10]
    with pytest.raises(Exception, match="more than 10 items"):
        attempts_of(lambda: iter(range(11)))


READERS: dict[str, Any] = {
    "iterator": (lambda: iter("abcdef"), lambda rows: "".join(itertools.islice(rows, 3))),
    "generator": (lambda: generated("abcdef"), lambda rows: "".join(itertools.islice(rows, 3))),
    "file": (lambda: io.BufferedReader(io.BytesIO(b"abcdef")), lambda rows: rows.read(3).decode()),
}


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("mapped", [False, True])
def test_what_a_served_call_would_have_read_is_not_read_by_the_next_one(bench: Bench, kind: str, mapped: bool) -> None:
    """The first of two calls that share an iterator is served on a replay: the second never begins at its start."""
    make, take = READERS[kind]
    fails = [True]

    @function()
    def head(rows: Any) -> str:
        return take(rows)

    @function()
    def tail(rows: Any) -> str:
        if fails:
            raise OSError("not now")
        return take(rows)

    @application()
    @function()
    def app() -> list[str]:
        rows = make()
        first = head.map([rows])[0] if mapped else head(rows)
        return [first, (tail.map([rows])[0] if mapped else tail(rows))]

    request = run_local_application(app)
    assert request.status == "failed"
    fails.clear()
    request.replay()
    assert request.status == "failed"
    assert "head was served from its checkpoint" in str(request.error)


@pytest.mark.parametrize("retries", [None, TWICE])
def test_a_body_that_starts_over_does_not_read_an_empty_argument(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, retries: Any
) -> None:
    """Its calls are others than those recorded, so it begins anew. What it has read is gone, unless it was kept."""

    @function()
    def leaf(x):
        return x

    @function(retries=retries)
    def inner(rows):
        number = len(list(rows))
        time.sleep(MARKED_SECONDS)
        for each in os.environ["ORDER"].split():
            leaf(each)
        if "stop" in os.environ["ORDER"]:
            raise RequestError("stopped here")
        return number

    @application()
    @function()
    def app() -> Any:
        return inner(iter(range(3)))

    monkeypatch.setenv("ORDER", "a b stop")
    request = run_local_application(app)
    assert request.status == "failed"
    monkeypatch.setenv("ORDER", "new a b")
    request.replay()
    if retries is not None:
        assert request.output() == 3
    else:
        assert request.status == "failed"
        assert "has to begin anew" in str(request.error)


def test_the_refusal_is_raised_to_the_caller(bench: Bench) -> None:

    @function(retries=TWICE)
    def reads(rows):
        return 1

    @application()
    @function()
    def app() -> str:
        try:
            reads(asynchronous([]))
        except (SDKUsageError, FunctionError):
            return "refused"
        return "ran"

    assert run_local_application(app).output() == "refused"
