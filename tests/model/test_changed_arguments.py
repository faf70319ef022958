"""A call that changes its arguments is warned of once: served from its checkpoint, it would not change them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from jupyter_durable import Retries, application, function, run_local_application
from jupyter_durable.testing import Bench


@function()
def appends(rows: list[int]) -> int:
    rows.append(1)
    return len(rows)


@function()
def sets(*, options: dict[str, int]) -> None:
    options["k"] = 1


@function()
def fills(frame: pd.DataFrame) -> None:
    frame["new"] = 1


@function()
def zeroes(array: Any) -> None:
    array[0] = 0


@function()
def takes(*many: Any) -> None:
    many[1].clear()


@function()
async def appends_async(rows: list[int]) -> int:
    rows.append(1)
    return len(rows)


def test_a_changed_list_is_named_once(bench: Bench) -> None:
    for _ in range(3):
        appends([])
    assert len(bench.warnings) == 1
    assert "appends changed its argument `rows`" in bench.warnings[0]
    assert "return what was changed" in bench.warnings[0]


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: sets(options={}), "options"),
        (lambda: fills(pd.DataFrame({"a": [1, 2]})), "frame"),
        (lambda: zeroes(np.ones(5)), "array"),
        (lambda: takes(1, [1, 2]), "argument 1"),
        (lambda: appends.map([[1], [2]]), "rows"),
    ],
)
def test_keywords_frames_arrays_variable_arguments_and_items_are_watched(bench: Bench, call: Any, name: str) -> None:
    call()
    assert [f"`{name}`" in text for text in bench.warnings] == [True]


async def test_async_functions_are_watched(bench: Bench) -> None:
    await appends_async([])
    assert len(bench.warnings) == 1


class Holder:
    def __init__(self, part: Any) -> None:
        self.part = part


@pytest.mark.parametrize(
    "wrap", [lambda x: x, lambda x: (1, x), lambda x: {"k": [x]}, Holder], ids=["itself", "tuple", "nested", "object"]
)
def test_what_is_in_the_result_may_be_changed(bench: Bench, wrap: Any) -> None:
    @function()
    def accumulate(rows: list[int]) -> Any:
        rows.append(1)
        return wrap(rows)

    accumulate([])
    assert bench.warnings == []


def test_a_reduce_may_change_what_it_accumulates(bench: Bench) -> None:
    @function()
    def collect(found: list[int], item: int) -> list[int]:
        found.append(item)
        return found

    assert collect.reduce([1, 2, 3], []) == [1, 2, 3]
    assert bench.warnings == []


def test_what_only_looks_is_not_warned_of(bench: Bench) -> None:
    @function()
    def looks(rows: list[int], frame: pd.DataFrame, options: dict[str, int]) -> int:
        return len(rows) + len(frame) + len(options)

    looks([1], pd.DataFrame({"a": [1]}), {"a": 1})
    assert bench.warnings == []


def test_a_failed_attempt_that_changed_the_callers_object_is_warned_of(bench: Bench) -> None:
    tries: list[int] = []

    @function(retries=Retries(1, initial_delay=0))
    def flaky(rows: list[int]) -> None:
        tries.append(len(rows))
        if len(tries) == 1:
            rows.append(1)
            raise ConnectionError

    given: list[int] = []
    flaky(given)
    assert tries == [0, 0]
    assert given == [1]
    assert len(bench.warnings) == 1


def test_the_input_of_an_application_is_its_own_copy(bench: Bench) -> None:
    given: list[int] = []

    @application()
    @function()
    def app(rows: list[int]) -> int:
        rows.append(1)
        return len(rows)

    assert run_local_application(app, given).output() == 1
    assert given == []
    assert bench.warnings == []
