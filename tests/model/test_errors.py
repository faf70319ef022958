"""Failures: of two types at once, caught or not, recorded and read again."""

from __future__ import annotations

import asyncio
import json
import subprocess
import traceback
import urllib.error
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from jupyter_durable import (
    FunctionError,
    RequestError,
    RequestFailed,
    RequestNotFinished,
    Retries,
    SDKUsageError,
    application,
    function,
    get_request,
    run_local_application,
)
from jupyter_durable.testing import Bench, executions
from tests.model.shared import double

KNOBS: dict[str, Any] = {}


class Plain(Exception):
    pass


class Odd(Exception):
    def __init__(self, code: int, *, detail: str) -> None:
        super().__init__(f"code {code}: {detail}")
        self.code = code
        self.detail = detail


class NoArgs(ValueError):
    def __init__(self) -> None:
        super().__init__("no arguments")


class Slotted(Exception):
    __slots__ = ("where",)

    def __init__(self, where: str) -> None:
        super().__init__(where)
        self.where = where


class OwnText(Exception):
    def __str__(self) -> str:
        return "its own text"


class Final(Exception):
    def __init_subclass__(cls, **kwargs: Any) -> None:
        raise TypeError("no subclasses")


class Model(BaseModel):
    n: int


def invalid() -> Exception:
    try:
        Model.model_validate({"n": "x"})
    except ValidationError as error:
        return error
    raise AssertionError


MANY = [
    ValueError("bad"),
    KeyError("missing"),
    ZeroDivisionError(),
    OSError(2, "No such file", "a.txt"),
    FileNotFoundError(2, "No such file", "a.txt"),
    ConnectionResetError(104, "reset"),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    json.JSONDecodeError("Expecting value", "x", 0),
    subprocess.CalledProcessError(1, ["false"]),
    urllib.error.HTTPError("http://x", 404, "Not Found", None, None),  # type: ignore[arg-type]
    AssertionError("asserted"),
    NotImplementedError(),
    RecursionError("deep"),
    TimeoutError("slow"),
    asyncio.QueueEmpty(),
    Plain("p", 1),
    Odd(7, detail="odd"),
    NoArgs(),
    Slotted("here"),
    OwnText(),
]


@function()
def raises(number: int) -> None:
    raise MANY[number]


@pytest.mark.parametrize("number", range(len(MANY)), ids=lambda n: type(MANY[n]).__name__)
def test_a_failure_is_a_function_error_and_of_its_own_type(bench: Bench, number: int) -> None:
    original = MANY[number]
    with pytest.raises(type(original)) as caught:
        raises(number)
    error = caught.value
    assert isinstance(error, FunctionError)
    assert error.__cause__ is original
    assert str(original) in str(error)
    for name in ("code", "detail", "where", "errno", "filename", "returncode", "doc", "start"):
        assert getattr(error, name, None) == getattr(original, name, None)


@pytest.mark.parametrize("number", range(len(MANY)), ids=lambda n: type(MANY[n]).__name__)
def test_a_failure_is_the_same_when_it_is_read_from_the_store(bench: Bench, number: int) -> None:
    @application()
    @function()
    def app() -> None:
        raises(number)

    request = run_local_application(app)
    original = MANY[number]
    for error in (request.error, request.call("raises").error):
        assert isinstance(error, type(original))
        assert str(original) in str(error)
    with pytest.raises(RequestFailed, match=f"{request.id} of .*app failed") as caught:
        request.output()
    assert isinstance(caught.value.__cause__, type(original))


def test_errors_of_libraries_are_both_too(bench: Bench) -> None:
    @function()
    def validates() -> None:
        raise invalid()

    with pytest.raises(ValidationError) as caught:
        validates()
    assert "1 validation error for Model" in str(caught.value)


def test_a_type_that_refuses_gives_its_nearest_base(bench: Bench) -> None:
    @function()
    def fails() -> None:
        raise Final("final")

    with pytest.raises(FunctionError, match="final") as caught:
        fails()
    assert isinstance(caught.value.__cause__, Final)


def test_it_is_never_dual_twice(bench: Bench) -> None:
    @function()
    def outer() -> None:
        raises(0)

    with pytest.raises(ValueError, match="bad") as caught:
        outer()
    bases = [base for base in type(caught.value).__mro__ if base is FunctionError]
    assert bases == [FunctionError]
    first_bases = type(caught.value).__bases__
    assert len(first_bases) == 2


def test_one_dual_class_for_each_type(bench: Bench) -> None:
    kinds = set()
    for _ in range(2):
        with pytest.raises(ValueError, match="bad") as caught:
            raises(0)
        kinds.add(type(caught.value))
    assert len(kinds) == 1


def test_the_note_names_call_attempt_and_request(bench: Bench) -> None:
    with pytest.raises(ValueError, match="bad") as caught:
        raises(0)
    text = "".join(traceback.format_exception(caught.value))
    assert "raises (call 0 of test), attempt 1, request req_" in text


def test_groups_are_groups(bench: Bench) -> None:
    @function()
    def fails() -> None:
        raise ExceptionGroup("several", [ValueError("a"), OSError("b")])

    with pytest.raises(ExceptionGroup) as caught:
        fails()
    assert isinstance(caught.value, FunctionError)
    assert [type(each) for each in caught.value.exceptions] == [ValueError, OSError]
    caught_by_star: list[type] = []
    try:
        fails()
    except* ValueError:
        caught_by_star.append(ValueError)
    except* OSError:
        caught_by_star.append(OSError)
    assert caught_by_star == [ValueError, OSError]


def test_stop_iteration_is_a_plain_function_error(bench: Bench) -> None:
    @function()
    def fails() -> None:
        raise StopIteration(3)

    with pytest.raises(FunctionError) as caught:
        fails()
    assert not isinstance(caught.value, StopIteration)

    def generator() -> Any:
        yield fails()

    with pytest.raises(FunctionError):
        list(generator())


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_interrupts_pass_as_they_are(bench: Bench, kind: type[BaseException]) -> None:
    @function()
    def fails() -> None:
        raise kind("stop")

    with pytest.raises(kind) as caught:
        fails()
    assert type(caught.value) is kind


async def test_cancelled_errors_of_asyncio_pass_as_they_are(bench: Bench) -> None:
    @function()
    async def fails() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError) as caught:
        await fails()
    assert type(caught.value) is asyncio.CancelledError


def test_a_request_error_passes_verbatim_and_is_never_retried(bench: Bench) -> None:
    tries: list[int] = []

    @function(retries=Retries(5, initial_delay=0))
    def refuses() -> None:
        tries.append(1)
        raise RequestError("no such customer")

    @application()
    @function()
    def app() -> None:
        refuses()

    request = run_local_application(app)
    assert len(tries) == 1
    with pytest.raises(RequestError) as caught:
        request.output()
    assert caught.value.message == "no such customer"
    assert type(caught.value) is RequestError


@application()
@function()
def tolerates() -> str:
    try:
        double(-1)
    except ValueError as error:
        return f"caught {error} {isinstance(error, FunctionError)}"
    return "nothing to catch"


def test_a_caught_failure_does_not_fail_the_request_and_executes_again_on_replay(bench: Bench) -> None:
    request = run_local_application(tolerates)
    assert request.status == "succeeded"
    assert request.output() == "caught negative: -1 True"
    assert request.call("double").status == "failed"


def test_raise_from_keeps_both(bench: Bench) -> None:
    @function()
    def translates() -> None:
        try:
            double(-1)
        except ValueError as error:
            raise LookupError("translated") from error

    @application()
    @function()
    def app() -> None:
        translates()

    request = run_local_application(app)
    error = request.error
    assert isinstance(error, LookupError)
    text = "".join(traceback.format_exception(error))
    assert "translated" in text
    assert "negative: -1" in text


def test_a_recorded_error_shows_the_users_frames(bench: Bench) -> None:
    @application()
    @function()
    def app() -> None:
        double(-1)

    request = run_local_application(app)
    text = request.call("double").error_text
    assert text is not None
    assert "shared.py" in text
    assert "negative: -1" in text
    assert "jupyter_durable/runner" not in text


def test_asking_for_the_output_of_what_did_not_end(bench: Bench) -> None:
    seen: list[str] = []

    @application()
    @function()
    def app() -> None:
        with pytest.raises(RequestNotFinished, match=r"is running; wait for it with \.wait\(\)"):
            get_request("last").output()
        seen.append("asked")

    run_local_application(app)
    assert seen == ["asked"]


def test_a_failed_request_says_how_to_go_on(bench: Bench) -> None:
    @application()
    @function()
    def app() -> None:
        double(-1)

    with pytest.raises(RequestFailed, match=r"ValueError: negative: -1\. Replay it to go on"):
        run_local_application(app).output()


@function()
def breaks() -> int:
    if KNOBS.get("fail", True):
        raise Odd(3, detail="d")
    return 1


@application()
@function()
def fixed() -> int:
    return double(2) + breaks()


def test_a_failed_call_executes_again_on_replay(bench: Bench) -> None:
    KNOBS.clear()
    request = run_local_application(fixed)
    assert isinstance(request.error, Odd)
    KNOBS["fail"] = False
    assert request.replay().output() == 5
    assert executions(request) == {"breaks": 1}


def test_wrong_use_inside_a_call_is_named_as_such(bench: Bench) -> None:
    @function()
    def wrong() -> None:
        double.map(3)

    with pytest.raises(SDKUsageError, match="map and reduce take an iterable"):
        wrong()
