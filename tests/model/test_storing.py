"""Results that cannot be stored, fresh arguments for each attempt, and the JSON edge of applications."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from pydantic import BaseModel

from jupyter_durable import (
    File,
    Headers,
    HttpBody,
    Image,
    Retries,
    SDKUsageError,
    SerializationError,
    application,
    function,
    get_request,
    list_requests,
    now,
    random,
    run_local_application,
    uuid4,
)
from jupyter_durable.testing import Bench, executions
from tests.model.shared import double

KNOBS: dict[str, Any] = {}
SEEN: list[Any] = []


@pytest.fixture(autouse=True)
def _clean() -> None:
    KNOBS.clear()
    SEEN.clear()


@function()
def makes_a_client(n: int) -> dict[str, Any]:
    return {"n": n, "client": {"_lock": threading.Lock()}}


@application()
@function()
def uses_a_client() -> int:
    double(1)
    client = makes_a_client(3)
    double(2)
    if KNOBS.get("fail", True):
        raise RuntimeError("later")
    return int(client["n"])


def test_a_result_that_cannot_be_stored_goes_on_with_one_warning(bench: Bench) -> None:
    request = run_local_application(uses_a_client)
    assert str(request.error) == "later"
    assert request.call("makes_a_client").status == "succeeded"
    (warning,) = bench.warnings
    assert "makes_a_client: completed, not checkpointed" in warning
    assert "result['client']['_lock'] (threading.Lock)" in warning.replace("_thread.lock", "threading.Lock")


def test_on_replay_only_that_call_runs_again(bench: Bench) -> None:
    request = run_local_application(uses_a_client)
    KNOBS["fail"] = False
    assert request.replay().output() == 3
    assert executions(request) == {"makes_a_client": 1}


def test_its_output_cannot_be_asked_for(bench: Bench) -> None:
    request = run_local_application(uses_a_client)
    with pytest.raises(SDKUsageError, match="completed, but its result was not checkpointed"):
        request.call("makes_a_client").output()


def test_an_open_file_is_refused_by_name(bench: Bench, tmp_path: Any) -> None:
    path = tmp_path / "a.txt"
    path.write_text("x")

    @function()
    def opens() -> Any:
        return [open(path)]

    opens()[0].close()
    assert "result[0]" in bench.warnings[0]
    assert "file" in bench.warnings[0]


def test_arguments_that_cannot_be_stored_are_kept_as_previews(bench: Bench) -> None:
    @function()
    def takes(lock: Any) -> int:
        return 1

    assert takes(threading.Lock()) == 1
    (args, _) = get_request("last").call("takes").inputs()
    assert "lock object" in args[0]


# attempts


@function(retries=Retries(2, initial_delay=0))
def mutates(rows: list[int], *, options: dict[str, int]) -> list[int]:
    SEEN.append((list(rows), dict(options)))
    rows.append(1)
    options["x"] = 1
    if len(SEEN) < 3:
        raise ConnectionError
    return rows


def test_every_attempt_gets_fresh_arguments(bench: Bench) -> None:
    assert mutates([0], options={}) == [0, 1]
    assert SEEN == [([0], {})] * 3


async def test_every_attempt_of_an_async_function_too(bench: Bench) -> None:
    @function(retries=Retries(2, initial_delay=0))
    async def mutates_async(rows: list[int]) -> int:
        SEEN.append(list(rows))
        rows.append(1)
        if len(SEEN) < 3:
            raise ConnectionError
        return len(rows)

    assert await mutates_async([0]) == 2
    assert SEEN == [[0]] * 3


def test_what_cannot_be_copied_is_shared_with_a_warning(bench: Bench) -> None:
    @function(retries=Retries(1, initial_delay=0))
    def takes(lock: Any) -> int:
        SEEN.append(lock)
        if len(SEEN) == 1:
            raise ConnectionError
        return 1

    lock = threading.Lock()
    assert takes(lock) == 1
    assert [lock, lock] == SEEN
    assert "takes: its arguments cannot be copied" in bench.warnings[0]


def test_without_retries_arguments_are_passed_by_reference(bench: Bench) -> None:
    given: list[int] = []

    @function()
    def same(rows: list[int]) -> list[int]:
        assert rows is given
        return rows

    assert same(given) is given


# the JSON edge


class Order(BaseModel):
    item: str
    amount: int = 1


@application()
@function()
def total(order: Order, factor: float = 2) -> Order:
    assert isinstance(order, Order)
    return Order(item=order.item, amount=int(order.amount * factor))


@application()
@function()
def echo(value: Any) -> Any:
    SEEN.append(value)
    return value


def test_pydantic_models_pass_by_their_hints(bench: Bench) -> None:
    assert run_local_application(total, Order(item="a", amount=3)).output() == Order(item="a", amount=6)
    given: Any = {"item": "b"}
    assert run_local_application(total, given, factor=5).output() == Order(item="b", amount=5)


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ((1, 2), "value"),
        ({"a": (1,)}, "value['a']"),
        ({1: "a"}, "value (its keys)"),
        ([{"k": {2: 3}}], "value[0]['k']"),
        ({1, 2}, "value"),
    ],
)
def test_what_json_changes_is_warned_of_with_its_path(bench: Bench, value: Any, path: str) -> None:
    run_local_application(echo, value)
    inputs = [text for text in bench.warnings if "its input" in text]
    assert len(inputs) == 1
    assert path in inputs[0]
    assert 'input_deserializer="pickle"' in inputs[0]


@pytest.mark.parametrize("value", [object(), threading.Lock(), {"a": object()}])
def test_what_is_not_json_is_refused_and_pickle_named(bench: Bench, value: Any) -> None:
    with pytest.raises(SerializationError, match=r'`value` of application echo.*input_deserializer="pickle"'):
        run_local_application(echo, value)
    assert list_requests() == []


def test_what_does_not_fit_its_hint_is_refused_before_anything_runs(bench: Bench) -> None:
    wrong: Any = {"item": "a", "amount": "many"}
    with pytest.raises(SDKUsageError, match=r"`order` of application total does not fit"):
        run_local_application(total, wrong)
    assert list_requests() == []


def test_an_output_that_is_not_json_fails_the_request(bench: Bench) -> None:
    @application()
    @function()
    def gives() -> Any:
        return object()

    request = run_local_application(gives)
    assert request.status == "failed"
    assert isinstance(request.error, SerializationError)
    assert 'output_serializer="pickle"' in str(request.error)


def test_with_pickle_anything_passes(bench: Bench) -> None:
    @application(input_deserializer="pickle", output_serializer="pickle")
    @function()
    def app(value: Any) -> Any:
        return value

    assert run_local_application(app, {(1, 2): {3}}).output() == {(1, 2): {3}}
    assert bench.warnings == []


@pytest.mark.parametrize("value", [File(b"\x00\x01", "image/png"), HttpBody(b"{}", "application/json")])
def test_files_and_bodies_pass_as_they_are(bench: Bench, value: Any) -> None:
    assert run_local_application(echo, value).output() == value
    assert [value] == SEEN
    assert bench.warnings == []


def test_calls_between_functions_take_any_python_value(bench: Bench) -> None:
    @function()
    def same(value: Any) -> Any:
        return value

    value = {(1, 2): {3}, "f": 1j}
    assert same(value) == value
    assert bench.warnings == []


# recorded values


@application()
@function()
def recorded() -> list[Any]:
    values = [now(), random(), str(uuid4()), now()]
    SEEN.append(values)
    if KNOBS.get("fail", True):
        raise RuntimeError
    return values


def test_now_random_and_uuid4_are_recorded(bench: Bench) -> None:
    request = run_local_application(recorded)
    KNOBS["fail"] = False
    assert request.replay().output() == SEEN[0]
    assert SEEN[0] == SEEN[1]
    assert len(set(map(str, SEEN[0]))) == 4
    assert 0 <= SEEN[0][1] < 1


def test_two_requests_do_not_share_them(bench: Bench) -> None:
    run_local_application(recorded)
    run_local_application(recorded)
    assert SEEN[0] != SEEN[1]


# values of their own


def test_headers_are_found_in_any_case() -> None:
    headers = Headers([("Accept", "a"), ("accept", "b"), ("X-Id", "1")])
    assert headers["ACCEPT"] == "a"
    assert headers.getlist("Accept") == ["a", "b"]
    assert headers.multi_items() == [("accept", "a"), ("accept", "b"), ("x-id", "1")]
    assert dict(headers) == {"accept": "a", "x-id": "1"}
    assert headers.get("none") is None


def test_bodies_are_read_as_text_and_json() -> None:
    assert HttpBody(b'{"a": 1}').json() == {"a": 1}
    assert HttpBody("é".encode("latin-1"), "text/plain; charset=latin-1").text() == "é"


@pytest.mark.parametrize("make", [lambda: File("text", "a"), lambda: HttpBody("text")])  # type: ignore[arg-type]
def test_files_and_bodies_hold_bytes(make: Any) -> None:
    with pytest.raises(SDKUsageError, match="takes bytes, not str"):
        make()


def test_an_image_is_a_list_of_instructions() -> None:
    image = Image("ocr", base_image="python:3.12").run(["a", "b"]).env("K", 'v"').copy("x", "y").workdir("/app")
    assert image.dockerfile() == 'FROM python:3.12\nRUN a\nRUN b\nENV K="v\\""\nCOPY x y\nWORKDIR /app\n'


def test_a_function_takes_an_image(bench: Bench) -> None:
    @function(image=Image("ocr"))
    def f() -> int:
        return 1

    assert f() == 1
