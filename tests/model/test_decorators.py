"""`@function`, `@application`, `@cls` and `Retries`: what they take, and what they say to what they do not take."""

from __future__ import annotations

import contextlib
import inspect
from typing import Any

import pytest

import jupyter_durable as jd
from jupyter_durable import Image, Retries, SDKUsageError, application, cls, function, run_local_application
from jupyter_durable.core.retry import decide
from jupyter_durable.function import options_of, redecorate
from jupyter_durable.testing import Bench, FakeClock, memory_store


def test_function_takes_every_documented_option(bench: Bench) -> None:
    @application(
        tags={"team": "a"},
        retries=Retries(max_retries=2),
        region="us-east-1",
        input_deserializer="json",
        output_serializer="json",
        allow=["unauthenticated_requests"],
    )
    @function(
        description="adds",
        cpu=2,
        memory=4.5,
        ephemeral_disk=10,
        gpu=["A100", "H100"],
        timeout=300,
        image=Image("own"),
        secrets=["KEY"],
        retries=3,
        region="eu-west-1",
        durable=True,
        max_concurrency=4,
        warm_containers=1,
        min_containers=1,
        max_containers=2,
        executor="thread",
    )
    def everything(n: int) -> int:
        return n + 1

    assert run_local_application(everything, 1).output() == 2


def test_a_timeout_has_bounds_and_the_error_names_them(bench: Bench) -> None:
    def f() -> None: ...

    decorator: Any = function
    for value in (1, 172_800):
        decorator(timeout=value)(f)
    for wrong in (0.5, 172_800.5, "2", True, float("nan")):
        with pytest.raises(SDKUsageError, match=r"f: timeout must be a number from 1 to 172800"):
            decorator(timeout=wrong)(f)


@pytest.mark.parametrize("option", ["cpu", "memory", "ephemeral_disk"])
def test_resources_are_finite_numbers_above_zero(bench: Bench, option: str) -> None:
    """How much there may be is for the platform to say: the documentation and the package of Tensorlake differ."""

    def f() -> None: ...

    decorator: Any = function
    for value in (0.1, 1.0, 64):
        decorator(**{option: value})(f)
    for wrong in (0, -1, "2", True, None, float("nan"), float("inf")):
        with pytest.raises(SDKUsageError, match=rf"f: {option} must be a finite number above 0, not"):
            decorator(**{option: wrong})(f)


def test_the_order_of_the_two_decorators_does_not_matter(bench: Bench) -> None:
    @function(timeout=7, retries=2)
    @application(tags={"a": "b"})
    def below(n: int) -> int:
        return n + 1

    spec: Any = below
    assert (spec.__durable__.options.timeout, spec.__durable__.options.retries.max_retries) == (7, 2)
    assert spec.__durable__.application.tags == {"a": "b"}
    assert run_local_application(below, 1).output() == 2
    with pytest.raises(SDKUsageError, match="it is durable already"):
        function()(below)
    with pytest.raises(SDKUsageError, match="cpu must be"):

        @function(cpu=0)
        @application()
        def wrong() -> None: ...


def test_an_application_is_run_by_its_name_too(bench: Bench) -> None:
    @application()
    @function()
    def named(n: int) -> int:
        return n + 1

    @function()
    def no_application() -> None: ...

    assert run_local_application("named", 1).output() == 2
    with pytest.raises(SDKUsageError, match="no durable function named 'nobody'"):
        run_local_application("nobody")
    with pytest.raises(SDKUsageError, match="takes an application, not 'no_application'"):
        run_local_application("no_application")


@pytest.mark.parametrize("option", ["max_concurrency", "warm_containers", "min_containers", "max_containers"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True, "1"])
def test_counts_are_whole_numbers_from_one(bench: Bench, option: str, value: Any) -> None:
    with pytest.raises(SDKUsageError, match=f"{option} must be a whole number >= 1"):
        function(**{option: value})(lambda: None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_containers": 3, "max_containers": 2}, "min_containers 3 is more than max_containers 2"),
        ({"executor": "ray"}, "executor='ray' is not built yet; use one of inline, thread"),
        ({"executor": "process"}, "executor='process' is not built yet"),
        ({"executor": "gpu"}, "executor must be one of inline, thread"),
        ({"region": "mars"}, "region must be one of us-east-1, eu-west-1"),
        ({"image": "python:3.12"}, "image must be an Image, not str"),
        ({"retries": "3"}, "retries takes Retries"),
        ({"retries": True}, "retries takes Retries"),
        ({"retries": 11}, "max_retries must be a whole number from 0 to 10"),
        ({"secrets": "KEY"}, "secrets must be a list of names"),
        ({"secrets": [1]}, "secrets must be a list of names"),
        ({"gpu": 1}, "gpu must be a text or a list of texts"),
        ({"durable": "no"}, "durable must be True or False"),
        ({"description": 3}, "description must be a text, not 3"),
        ({"cpus": 2}, "unknown option 'cpus'; known are .*cpu, "),
    ],
)
def test_function_names_the_option_that_is_wrong(bench: Bench, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SDKUsageError, match=message):
        function(**options)(lambda: None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_retries": -1}, "from 0 to 10"),
        ({"max_retries": 11}, "from 0 to 10"),
        ({"max_retries": 1.0}, "whole number"),
        ({"max_retries": True}, "whole number"),
        *(
            ({name: value}, f"{name} must be a finite number of seconds >= 0, not")
            for name in ("initial_delay", "max_delay")
            for value in (-1, True, float("inf"), float("nan"), "1", None)
        ),
        *(
            ({"delay_multiplier": value}, "delay_multiplier must be a finite number >= 1, not")
            for value in (0.5, True, float("inf"), float("nan"), "2")
        ),
        ({"jitter": 3}, "jitter must be True or False"),
        ({"retry_on": (int,)}, "retry_on takes exception types"),
        ({"retry_on": ValueError("x")}, "retry_on takes exception types"),
    ],
)
def test_retries_have_bounds(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SDKUsageError, match=message):
        Retries(**options)


def test_retries_defaults_are_those_of_the_documentation() -> None:
    assert Retries() == Retries(0, 1.0, 60.0, 2.0, True, (Exception,))
    assert Retries(10).max_retries == 10
    assert Retries(retry_on=ValueError).retry_on == (ValueError,)  # type: ignore[arg-type]


def test_retries_may_be_a_number(bench: Bench) -> None:
    tries: list[int] = []

    @function(retries=2)
    def f() -> int:
        tries.append(1)
        if len(tries) < 3:
            raise ConnectionError
        return len(tries)

    with memory_store(FakeClock()):
        assert f() == 3


def test_decorators_must_be_called() -> None:
    def f() -> None: ...

    class C: ...

    decorators: list[Any] = [function, application]
    for decorator in decorators:
        with pytest.raises(SDKUsageError, match=rf"write @{decorator.__name__}\(\) above"):
            decorator(f)
    with pytest.raises(SDKUsageError, match=r"write @cls\(\) above"):
        cls(C)  # type: ignore[arg-type]


def test_function_is_not_for_classes_nor_generators() -> None:
    class C: ...

    def generator() -> Any:
        yield 1

    async def async_generator() -> Any:
        yield 1

    for decorate in (function(), application()):
        with pytest.raises(SDKUsageError, match=r"on the class C: use @cls\(\)"):
            decorate(C)
        for made in (generator, async_generator):
            with pytest.raises(SDKUsageError, match=r"generator.*return a list instead"):
                decorate(made)
        with pytest.raises(SDKUsageError, match="above a function"):
            decorate(3)  # type: ignore[arg-type]


def test_function_twice_is_an_error_and_application_alone_is_enough(bench: Bench) -> None:
    with pytest.raises(SDKUsageError, match="durable already"):

        @function()
        @function()
        def twice() -> None: ...

    @application()
    def app(n: int) -> int:
        return n

    assert run_local_application(app, 3).output() == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input_deserializer": "xml"}, "input_deserializer must be"),
        ({"output_serializer": "xml"}, "output_serializer must be"),
        ({"region": "mars"}, "region must be one of"),
        ({"retries": "x"}, "retries takes"),
        ({"tags": ["a"]}, "tags must map texts to texts"),
        ({"tags": {"a": 1}}, "tags must map texts to texts"),
        ({"allow": ["everything"]}, "allow"),
    ],
)
def test_application_names_the_option_that_is_wrong(bench: Bench, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SDKUsageError, match=message):
        application(**options)(lambda: None)


def test_a_durable_function_looks_like_the_function_it_was(bench: Bench) -> None:
    def plain(n: int, *, deep: bool = False) -> int:
        """Says what it does."""
        return n

    async def plain_async() -> None: ...

    durable = function()(plain)
    assert inspect.isfunction(durable)
    assert inspect.signature(durable) == inspect.signature(plain)
    assert (durable.__name__, durable.__doc__) == ("plain", "Says what it does.")
    assert inspect.getsource(durable) == inspect.getsource(plain)
    assert inspect.iscoroutinefunction(function()(plain_async)) or hasattr(inspect, "markcoroutinefunction") is False
    assert durable.__wrapped__ is plain


def test_delays_that_were_recorded_without_an_end_are_restored(bench: Bench) -> None:
    """Retries once took inf; such code versions are in stores, and their requests are replayed."""

    @application(retries=Retries(max_retries=3))
    @function()
    def app() -> int:
        return 1

    recorded: Any = app
    options = options_of(recorded.__durable__)
    options["application"]["retries"]["max_delay"] = float("inf")
    restored = redecorate(recorded.__wrapped__, options).__durable__.application.retries.policy()
    assert decide(restored, 3, ValueError(), 1.0) == 4.0


def test_local_is_the_undecorated_function(bench: Bench) -> None:
    @function()
    def double(n: int) -> int:
        return 2 * n

    assert double.local(4) == 8
    assert jd.list_requests() == []


def test_defining_a_name_again_in_one_module_is_a_redefinition(bench: Bench) -> None:
    def define(result: int) -> Any:
        @application()
        @function()
        def again() -> int:
            return result

        return again

    first, second = define(1), define(2)
    assert run_local_application(second).output() == 2
    assert run_local_application(first).output() == 1


def test_one_name_in_two_modules_is_an_error_that_names_both(bench: Bench) -> None:
    source = "from jupyter_durable import function\n@function()\ndef shared(): pass"
    exec(source, {"__name__": "module_one"})
    exec(source, {"__name__": "module_one"})
    with pytest.raises(SDKUsageError, match=r"shared is defined in module_one and in module_two.*rename"):
        exec(source, {"__name__": "module_two"})


def test_a_method_is_named_with_its_class(bench: Bench) -> None:
    @cls()
    class Model:
        @function()
        def predict(self, x: int) -> int:
            return x

    assert Model.predict.__durable__.name == "Model.predict"


@pytest.mark.parametrize("value", [0, 172_801, "5", True])
def test_the_time_of_an_init_has_bounds(value: Any) -> None:
    with pytest.raises(SDKUsageError, match="init_timeout must be a number from 1 to 172800"):
        cls(init_timeout=value)


def test_the_init_of_a_durable_class_takes_no_parameters() -> None:
    with pytest.raises(SDKUsageError, match=r"Wants: __init__ takes no parameters but self"):

        @cls()
        class Wants:
            def __init__(self, path: str) -> None: ...


def test_cls_is_for_classes() -> None:
    with pytest.raises(SDKUsageError, match=r"@cls\(\) is for classes"):
        cls()(lambda: None)  # type: ignore[type-var]


def test_submit_is_for_applications(bench: Bench) -> None:
    @function()
    def f() -> None: ...

    with pytest.raises(SDKUsageError, match=r"add @application\(\) above"):
        f.submit()
    with pytest.raises(SDKUsageError, match=r"write @application\(\) above"):
        run_local_application(f)


def test_the_retries_of_an_application_hold_for_functions_without_their_own(bench: Bench) -> None:
    tries = {"own": 0, "none": 0, "root": 0}

    @function(retries=0)
    def own() -> None:
        tries["own"] += 1
        raise ConnectionError

    @function()
    def none() -> None:
        tries["none"] += 1
        raise ConnectionError

    @application(retries=Retries(2, initial_delay=0))
    @function()
    def app() -> None:
        for f in (own, none):
            with contextlib.suppress(ConnectionError):
                f()

    run_local_application(app)
    assert tries == {"own": 1, "none": 3, "root": 0}
