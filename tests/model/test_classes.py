"""`@cls()`: one instance a process, durable methods."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from jupyter_durable import TimeoutError, application, cls, function, get_request, run_local_application
from jupyter_durable.function import Spec
from jupyter_durable.owner import Owner
from jupyter_durable.testing import Bench, crash_after, executions

INITS: list[str] = []


def forget(target: type) -> None:
    """As in a new process: the instance is not there."""
    for member in vars(target).values():
        spec = getattr(member, "__durable__", None)
        if isinstance(spec, Spec) and spec.owner is not None:
            spec.owner._instance = None


@cls()
class Model:
    def __init__(self) -> None:
        INITS.append("model")
        self.weight = 10
        self.seen: list[int] = []

    @function()
    def predict(self, x: int) -> int:
        self.seen.append(x)
        return self.weight * x

    @function()
    def both(self, x: int) -> int:
        return self.predict(x) + Model().predict(x + 1)

    @function()
    async def predict_async(self, x: int) -> int:
        return self.weight * x

    def plain(self) -> int:
        return self.weight


@pytest.fixture(autouse=True)
def _a_new_process() -> Iterator[None]:
    INITS.clear()
    forget(Model)
    yield
    forget(Model)


@application()
@function()
def predicts(n: int) -> list[int]:
    return [Model().predict(k) for k in range(n)]


def test_init_runs_once_on_first_use(bench: Bench) -> None:
    first, second = Model(), Model()
    assert INITS == []
    assert [first.predict(1), second.predict(2), Model().predict(3)] == [10, 20, 30]
    assert INITS == ["model"]


def test_init_runs_once_when_threads_race(bench: Bench) -> None:
    assert Model().predict.map(range(50)) == [10 * n for n in range(50)]
    assert INITS == ["model"]


def test_methods_are_durable_functions_named_with_their_class(bench: Bench) -> None:
    request = run_local_application(predicts, 3)
    assert [call.name for call in request.calls()] == ["Model.predict"] * 3
    assert [call.inputs() for call in request.calls()] == [((n,), {}) for n in range(3)]


def test_methods_call_each_other_as_children(bench: Bench) -> None:
    assert Model().both(1) == 30
    both = get_request("last").call("Model.both")
    assert [child.name for child in both.children] == ["Model.predict", "Model.predict"]


async def test_async_methods(bench: Bench) -> None:
    assert await Model().predict_async(2) == 20
    assert await Model().predict_async.map([1, 2]) == [10, 20]


def test_a_method_can_be_called_on_the_class(bench: Bench) -> None:
    assert Model.predict(Model(), 3) == 30
    assert Model().predict.local(3) == 30


def test_keyword_arguments_and_futures_of_methods(bench: Bench) -> None:
    assert Model().predict(x=3) == 30
    assert Model().predict.future(3).result() == 30


def test_the_state_of_self_is_not_in_the_digest(bench: Bench) -> None:
    with crash_after(3):
        run_local_application(predicts, 5)
    Model().predict(99)
    from jupyter_durable import list_requests

    (crashed,) = list_requests(application="predicts")
    crashed.replay()
    assert crashed.output() == [0, 10, 20, 30, 40]
    assert executions(crashed) == {"Model.predict": 2}
    assert not any(call.args_changed for call in crashed.calls())


def test_replay_in_a_new_process_makes_the_instance_only_where_a_call_executes(bench: Bench) -> None:
    request = run_local_application(predicts, 3)
    forget(Model)
    INITS.clear()
    assert request.replay().output() == [0, 10, 20]
    assert INITS == []


def test_replay_in_a_new_process_after_a_crash_makes_it_once(bench: Bench) -> None:
    with crash_after(3):
        run_local_application(predicts, 5)
    forget(Model)
    INITS.clear()
    assert get_request("last").replay().output() == [0, 10, 20, 30, 40]
    assert INITS == ["model"]


def test_an_application_may_be_a_method(bench: Bench) -> None:
    @cls()
    class Service:
        def __init__(self) -> None:
            self.greeting = "hello"

        @application()
        @function()
        def greet(self, name: str) -> str:
            return f"{self.greeting} {name}"

    assert run_local_application(Service.greet, "you").output() == "hello you"
    assert Service().greet("you") == "hello you"


def test_a_class_without_init(bench: Bench) -> None:
    @cls()
    class Bare:
        @function()
        def one(self) -> int:
            return 1

    assert Bare().one() == 1


def test_a_failing_init_fails_the_call_and_is_tried_again(bench: Bench) -> None:
    tries: list[int] = []

    @cls()
    class Fragile:
        def __init__(self) -> None:
            tries.append(1)
            if len(tries) == 1:
                raise ConnectionError("no model server")

        @function()
        def one(self) -> int:
            return 1

    with pytest.raises(ConnectionError, match="no model server"):
        Fragile().one()
    assert Fragile().one() == 1


def test_an_init_that_takes_too_long_is_a_timeout(bench: Bench) -> None:
    go = threading.Event()

    class Slow:
        pass

    owner = Owner(Slow, lambda self: [go.wait(100)].clear(), 0.05)
    with pytest.raises(TimeoutError, match=r"Slow\.__init__ has not ended within 0\.05 s"):
        owner.instance()
    go.set()
    assert isinstance(owner.instance(), Slow)


def test_an_init_with_a_limit_raises_its_own_errors(bench: Bench) -> None:
    def init(self: Any) -> None:
        raise KeyError("no")

    with pytest.raises(KeyError):
        Owner(object, init, 5).instance()


def test_a_redefined_class_has_a_new_instance(bench: Bench) -> None:
    def define(weight: int) -> Any:
        @cls()
        class Again:
            def __init__(self) -> None:
                self.weight = weight

            @function()
            def get(self) -> int:
                return self.weight

        return Again

    assert define(1)().get() == 1
    assert define(2)().get() == 2


def test_plain_methods_and_attributes_need_the_instance(bench: Bench) -> None:
    with pytest.raises(AttributeError):
        Model().plain()


def test_an_init_may_be_called_by_hand(bench: Bench) -> None:
    made = Model()
    made.__durable_init__()  # type: ignore[attr-defined]
    assert made.plain() == 10
