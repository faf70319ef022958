"""A cell goes on with the request that the page names, and with no other: real kernels, the control channel."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_durable_kernel.view.saved_forms import MIME
from tests.kernel.conftest import Kernel
from tests.page.test_control import ask

SETUP = """from jupyter_durable import application, function, get_request, list_requests
import os, pathlib
ran = []
fail = True"""
PAID = """@function()
def paid(n):
    ran.append(n)
    if n == 3 and fail:
        raise RuntimeError("no answer")
    return n * 10"""
CHAIN = """@application()
@function()
def chain(n: int) -> int:
    return sum(paid(i) for i in range(n))"""
BODY = "%%durable\ntotal = [paid(n) for n in range(5)]"
TWO = "small, large = chain(2), chain(5)"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def started(home: Path, module: str = "jupyter_durable_kernel") -> Kernel:
    return Kernel(Path(sys.executable), {"JUPYTER_DATA_DIR": str(home)}, module)


@pytest.fixture
def kernel(home: Path) -> Iterator[Kernel]:
    """A kernel with functions of which one fails."""
    made = started(home)
    for source in (SETUP, PAID, CHAIN):
        assert not made.run(source).error
    yield made
    made.close()


def newest(kernel: Kernel) -> str:
    found: str = kernel.value("list_requests(limit=1)[0].id")
    return found


def count(kernel: Kernel) -> int:
    found: int = kernel.value("len(list_requests(limit=100))")
    return found


def told(kernel: Kernel, request: str, source: str, **more: Any) -> dict[str, Any]:
    return ask(kernel, "resume", request=request, cell="here", source=source, **more)


def test_a_kernel_answers_before_any_cell_has_run(home: Path) -> None:
    fresh = started(home)
    try:
        assert ask(fresh, "here")["status"] == "ok"
        assert "req_none" in ask(fresh, "preview", request="req_none")["message"]
    finally:
        fresh.close()


@pytest.mark.parametrize("source", [BODY, "total = chain(5)", "total = [paid(n) for n in range(5)]"])
def test_a_failed_request_goes_on_under_its_own_id(kernel: Kernel, source: str) -> None:
    """Whether it is of a body, of an application or of a cell."""
    assert "no answer" in kernel.run(source, cell_id="here").error
    request = newest(kernel)
    kernel.run("fail = False; ran.clear()")
    assert told(kernel, request, source)["reply"] == {"request": request, "missing": []}
    assert not kernel.run(source, cell_id="here").error
    assert (newest(kernel), count(kernel)) == (request, 1)
    assert kernel.value("ran") == [3, 4]


@pytest.mark.parametrize("source", [BODY, BODY.replace("%%durable", "%%durable --fresh"), "total = chain(5)"])
def test_a_stale_mark_pays_for_nothing(kernel: Kernel, source: str) -> None:
    """The page says "failed" of a request that has succeeded since: what is true when it is pressed counts."""
    kernel.run("fail = False")
    kernel.run(source, cell_id="here")
    request = newest(kernel)
    kernel.run("ran.clear(); del total")
    told(kernel, request, source)
    assert not kernel.run(source, cell_id="here").error
    assert kernel.value("ran") == []
    assert (newest(kernel), count(kernel)) == (request, 1)
    assert kernel.value("total") in (100, [0, 10, 20, 30, 40])


def test_an_earlier_request_is_the_one_that_goes_on_when_it_is_named(kernel: Kernel) -> None:
    """By itself the cell would go on with its last one."""
    assert kernel.run(BODY, cell_id="here").error
    first = newest(kernel)
    assert kernel.run(BODY.replace("%%durable", "%%durable --fresh"), cell_id="here").error
    assert newest(kernel) != first
    kernel.run("fail = False; ran.clear()")
    told(kernel, first, BODY)
    assert not kernel.run(BODY, cell_id="here").error
    assert kernel.value(f"get_request({first!r}).status") == "succeeded"
    assert kernel.value("ran") == [3, 4]


def test_other_applications_of_the_cell_that_succeeded_go_on_too(kernel: Kernel) -> None:
    assert kernel.run(TWO, cell_id="here").error
    request = newest(kernel)
    kernel.run("fail = False; ran.clear()")
    told(kernel, request, TWO)
    assert not kernel.run(TWO, cell_id="here").error
    assert kernel.value("(ran, small, large)") == ([3, 4], 10, 100)
    assert count(kernel) == 2


def test_equal_calls_of_an_application_are_requests_of_their_own(kernel: Kernel) -> None:
    source = "both = chain(2), chain(2), chain(5)"
    assert kernel.run(source, cell_id="here").error
    request = newest(kernel)
    kernel.run("fail = False; ran.clear()")
    told(kernel, request, source)
    assert not kernel.run(source, cell_id="here").error
    assert kernel.value("ran") == [3, 4]
    assert {kernel.value(f"list_requests()[{n}].runs.__len__()") for n in range(3)} == {2}


def test_a_cell_that_calls_something_else_now_says_that_it_did_not_go_on(kernel: Kernel) -> None:
    assert kernel.run("total = chain(5)", cell_id="here").error
    request = newest(kernel)
    told(kernel, request, "total = chain(2)")
    done = kernel.run("total = chain(2)", cell_id="here")
    assert f"request {request} was not resumed" in done.text
    assert kernel.value(f"get_request({request!r}).status") == "failed"


def test_it_holds_for_the_next_cell_only_and_for_no_other_cell(kernel: Kernel) -> None:
    kernel.run("fail = False")
    kernel.run(BODY, cell_id="here")
    request = newest(kernel)
    told(kernel, request, BODY)
    kernel.run(BODY, cell_id="elsewhere")
    assert count(kernel) == 2
    kernel.run(BODY, cell_id="here")
    assert count(kernel) == 3


def test_what_cannot_go_on_is_refused_before_anything_runs(kernel: Kernel) -> None:
    """A request that nobody knows, one that runs, and one of no cell."""
    assert "req_none" in told(kernel, "req_none", BODY)["message"]
    sent = kernel.send(
        "%%durable\nimport time\n@function()\ndef nap():\n    time.sleep(60)\nnap()",
        "here",
    )
    kernel.client.get_iopub_msg(timeout=100)
    request = _running(kernel)
    assert "runs" in told(kernel, request, BODY)["message"]
    ask(kernel, "cancel", request=request)
    kernel.result(sent)


def _running(kernel: Kernel) -> str:
    """The request that runs, asked while its cell does."""
    for _ in range(400):
        text = ask(kernel, "here")
        assert text["status"] == "ok"
        answer = ask(kernel, "snapshot", request="last")
        if answer["status"] == "ok" and answer["reply"]["request"]["status"] == "running":
            found: str = answer["reply"]["request"]["id"]
            return found
    raise AssertionError("it never ran")


def test_in_a_new_kernel_the_names_that_are_missing_are_told_and_nothing_runs(kernel: Kernel, home: Path) -> None:
    assert kernel.run(BODY, cell_id="here").error
    request = newest(kernel)
    other = started(home)
    try:
        (line,) = told(other, request, BODY)["reply"]["missing"]
        assert line.startswith("`paid`: run `def paid(n):`")
        done = other.run(BODY, cell_id="here")
        assert "NameError" in done.error
        for source in (SETUP, PAID, "fail = False"):
            other.run(source)
        assert told(other, request, "display(1)\n" + BODY.split("\n")[1])["reply"]["missing"] == []
        assert told(other, request, BODY)["reply"]["missing"] == []
        assert not other.run(BODY, cell_id="here").error
        assert other.value("ran") == [3, 4]
        assert newest(other) == request
    finally:
        other.close()


def test_a_name_that_the_recorded_code_did_not_have_is_told_too(kernel: Kernel) -> None:
    assert kernel.run(BODY, cell_id="here").error
    request = newest(kernel)
    missing = told(kernel, request, "%%durable\n%matplotlib inline\nlater = paid(2) + unheard_of")["reply"]["missing"]
    assert missing == ["`unheard_of`: run the cell that makes it"]
    assert told(kernel, request, "unheard_of", anyway=True)["reply"]["missing"] == []


def test_a_place_names_its_request_to_whom_nobody_tells_that_it_was_filled(kernel: Kernel) -> None:
    """The place of a view that came, of one that never does, and one of another kernel."""
    kernel.run("fail = False")
    shown = kernel.run(f"print('first')\n{BODY.split(chr(10))[1]}\nimport time\ntime.sleep(1.2)", cell_id="shown")
    (place,) = [id for id in shown.outputs if id.startswith("durable-")]
    assert ask(kernel, "place", place=place)["reply"] == {"request": newest(kernel), "known": True}
    silent = kernel.run("print('first')\npaid(1)\nNone", cell_id="silent")
    (place,) = [id for id in silent.outputs if id.startswith("durable-")]
    bundle: dict[str, Any] = dict(silent.outputs[place])
    assert bundle[MIME] == {"place": place}
    assert ask(kernel, "place", place=place)["reply"] == {"request": "", "known": True}
    assert ask(kernel, "place", place="durable-none")["reply"] == {"request": "", "known": False}


def test_what_belongs_into_an_empty_place_is_given_to_one_and_when_its_request_has_ended(kernel: Kernel) -> None:
    """Two that write into one shared notebook would write it twice; a place of nobody has nothing to be kept."""
    kernel.run("fail = False")
    shown = kernel.run(f"print('first')\n{BODY.split(chr(10))[1]}\nimport time\ntime.sleep(1.2)", cell_id="kept")
    (place,) = [id for id in shown.outputs if id.startswith("durable-")]
    first, second = (ask(kernel, "keep", place=place)["reply"]["data"] for _ in range(2))
    assert first[MIME]["request"]["id"] == newest(kernel)
    assert first[MIME]["request"]["status"] == "succeeded"
    assert "text/html" in first
    assert second is None
    assert ask(kernel, "keep", place="durable-none")["reply"] == {"data": None}


def test_a_bare_kernel_answers_when_the_page_has_loaded_the_extension(home: Path) -> None:
    bare = started(home, "ipykernel_launcher")
    try:
        bare.run("%load_ext jupyter_durable")
        assert ask(bare, "here")["status"] == "ok"
    finally:
        bare.close()
