"""Threads that call at the top of a script at once: what they begin is begun once."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from jupyter_durable.client import finding
from jupyter_durable.store.base import Filter
from tests.engine.conftest import Notebook

APPLICATION = """
@function()
def f(x): ran(x); return x
@application()
@function()
def app(x: int) -> int:
    value = f(x)
    if not ready: raise ValueError("not yet")
    return value
"""


class Held:
    """A method of the store that the first thread to call it has done, and does not come back from until it may."""

    def __init__(self, does: Callable[..., Any]) -> None:
        self._does = does
        self.done, self.go_on = threading.Event(), threading.Event()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        given = self._does(*args, **kwargs)
        if not self.done.is_set():
            self.done.set()
            assert self.go_on.wait(60)
        return given


@pytest.fixture
def script(notebook: Notebook) -> Notebook:
    """A script in place of cells, so that threads call at its top level."""
    notebook.namespace["__file__"] = "/script.py"
    notebook.cell(APPLICATION, key=None)
    return notebook


def both(script: Notebook, monkeypatch: pytest.MonkeyPatch, step: str, first: str) -> list[str]:
    """What `first` of a thread raises, and `app(1)`, called while that one is held up after a step of the store."""
    held = Held(getattr(script.engine.store, step))
    ended = []
    with monkeypatch.context() as patch, ThreadPoolExecutor(1) as pool:
        patch.setattr(script.engine.store, step, held)
        other = pool.submit(eval, first, script.namespace)
        assert held.done.wait(60)
        try:
            script.namespace["app"](1)
        except ValueError as error:
            ended.append(str(error))
        finally:
            held.go_on.set()
        failure = other.exception(60)
    return [*ended, *([] if failure is None else [str(failure)])]


@pytest.mark.parametrize("first", ["app(1)", "app.submit(1).wait()"])
@pytest.mark.parametrize("step", ["accept", "begin"])
def test_a_call_that_comes_while_an_equal_one_begins_is_another_request(
    script: Notebook, monkeypatch: pytest.MonkeyPatch, step: str, first: str
) -> None:
    """It neither takes what the other has accepted, nor fails because the other is about to run it."""
    script.namespace["ready"] = True
    assert both(script, monkeypatch, step, first) == []
    assert script.executed() == [1, 1]
    assert [row.status for row in script.engine.store.requests(Filter())] == ["succeeded", "succeeded"]


def test_equal_calls_that_failed_go_on_each_with_one_request(script: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where one is about to run the request that the other has found: nothing is paid again."""
    script.namespace["ready"] = False
    assert both(script, monkeypatch, "begin", "app(1)") == ["not yet", "not yet"]
    assert script.executed() == [1, 1]
    script.namespace["ready"] = True
    assert both(script, monkeypatch, "begin", "app(1)") == []
    assert script.executed() == []
    assert [row.status for row in script.engine.store.requests(Filter())] == ["succeeded", "succeeded"]


def test_two_threads_that_found_one_failed_request_do_not_run_it_both(
    script: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that comes too late begins another one."""
    script.namespace["ready"] = False
    with pytest.raises(ValueError, match="not yet"):
        script.namespace["app"](1)
    script.namespace["ready"] = True
    barrier, looks = threading.Barrier(2), iter(range(2))
    find = finding.of_application

    def together(*args: Any, **kwargs: Any) -> Any:
        found = find(*args, **kwargs)
        if next(looks, None) is not None:
            barrier.wait(60)
        return found

    monkeypatch.setattr(finding, "of_application", together)
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(script.namespace["app"], [1, 1])) == [1, 1]
    assert script.executed() == [1, 1]
    assert [row.status for row in script.engine.store.requests(Filter())] == ["succeeded", "succeeded"]


def test_a_thread_that_begins_a_script_beside_its_main_thread_is_in_its_one_request(
    script: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them has found that there is none yet."""
    sessions = script.engine.sessions
    session, f = sessions._session, script.namespace["f"]

    def looked() -> Any:
        """The thread makes its call when the main thread has looked, and before it goes on."""
        found = session()
        monkeypatch.setattr(sessions, "_session", session)
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(f, 1).result(60) == 1
        return found

    monkeypatch.setattr(sessions, "_session", looked)
    monkeypatch.setattr(sessions, "_kernel", False)
    monkeypatch.setattr(atexit, "register", lambda ends: None)
    assert f(2) == 2
    [row] = script.engine.store.requests(Filter())
    assert row.kind == "script"
    sessions.end(None)
