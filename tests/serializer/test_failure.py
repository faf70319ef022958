"""Laws of failures: a caller sees both types, a record keeps no frames, and what was recorded comes back."""

from __future__ import annotations

import asyncio
import concurrent.futures
import copy
import functools
import gc
import json
import pickle
import subprocess
import threading
import traceback
import weakref
from collections.abc import Callable
from typing import Any

import pydantic
import pytest

from jupyter_durable import errors
from jupyter_durable.errors import FunctionError
from jupyter_durable.serializer.base import PLAIN
from jupyter_durable.serializer.failure import as_function_error, decode_failure, encode_failure, failure_text
from jupyter_durable.serializer.pickle import ValueSerializer

CALL = "in fetch[2], attempt 1"


class Two(Exception):
    """Takes other arguments than it hands on: plain pickle cannot load it."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")
        self.one, self.two = one, two


class KeywordOnly(Exception):
    def __init__(self, *, code: int) -> None:
        self.code = code

    def __str__(self) -> str:
        return f"code {self.code}"


class Reduced(Exception):
    def __init__(self, *, code: int) -> None:
        super().__init__(code)
        self.code = code

    def __reduce__(self) -> Any:
        return functools.partial(type(self), code=self.code), ()


class Assigns(ValueError):
    """Assigns what `DurableError` has as a read-only property, and holds what cannot be stored."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.lock = threading.Lock()


class Slotted(Exception):
    __slots__ = ("code",)


class Sealed(LookupError):
    def __init_subclass__(cls, **options: Any) -> None:
        raise TypeError("sealed")


class Mute(ValueError):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class Model(pydantic.BaseModel):
    x: int


def invalid() -> Exception:
    with pytest.raises(pydantic.ValidationError) as caught:
        Model(x="a")  # type: ignore[arg-type]
    return caught.value


ORDINARY: list[Exception] = [
    ValueError("x"), ValueError(), KeyError("k"), OSError(2, "nope", "file"), ConnectionResetError("r"), Two(1, 2),
    KeywordOnly(code=3), Reduced(code=4), Assigns("m"), Slotted("s"), ZeroDivisionError("z"), AssertionError(),
    UnicodeDecodeError("utf8", b"x", 0, 1, "bad"), subprocess.CalledProcessError(1, ["x"]), ImportError("m", name="n"),
    json.JSONDecodeError("m", "doc", 1), SyntaxError("bad", ("f", 1, 2, "t")), ExceptionGroup("g", [ValueError(1)]),
    TimeoutError("t"), errors.TimeoutError("t"), errors.RemoteAPIError(404, "no"), errors.WorkerLost("w"),
    errors.SDKUsageError("u"), RecursionError("r"), concurrent.futures.CancelledError(), NotImplementedError("n"),
    invalid(),
]  # fmt: skip
VERBATIM: list[BaseException] = [
    KeyboardInterrupt(), SystemExit(3), asyncio.CancelledError(), GeneratorExit(), errors.RequestError("r"),
    errors.CheckpointError("c"), errors.LeaseLost("l"), errors.Cancelled("c"), errors.ReplayError("r"),
    FunctionError("f"),
]  # fmt: skip


def raised(error: BaseException) -> BaseException:
    """The same error, after it was raised in a frame of this file."""
    try:
        raise error
    except BaseException as caught:  # noqa: BLE001
        return caught


def every(_: str) -> bool:
    return True


@pytest.mark.parametrize("original", ORDINARY, ids=repr)
def test_a_failure_is_of_both_types_with_the_same_text(original: Exception) -> None:
    dual = as_function_error(original, CALL)
    assert isinstance(dual, FunctionError)
    assert isinstance(dual, type(original))
    assert str(dual) == str(original)
    assert dual.__cause__ is original
    assert dual.__notes__ == [CALL]
    for name, value in vars(original).items():
        assert getattr(dual, name) == value or name == "__notes__"


@pytest.mark.parametrize("original", ORDINARY, ids=repr)
def test_there_is_one_dual_class_for_a_type_and_no_dual_of_a_dual(original: Exception) -> None:
    dual = as_function_error(original, CALL)
    assert type(as_function_error(original)) is type(dual)
    assert as_function_error(dual, "elsewhere") is dual
    assert dual.__notes__ == [CALL]


@pytest.mark.parametrize("error", VERBATIM, ids=repr)
def test_what_is_no_failure_of_the_function_passes_as_it_is(error: BaseException) -> None:
    assert as_function_error(error, CALL) is error
    assert not hasattr(error, "__notes__")


@pytest.mark.parametrize("original", [StopIteration(1), StopAsyncIteration()], ids=repr)
def test_what_would_end_a_generator_becomes_a_plain_function_error(original: Exception) -> None:
    dual = as_function_error(original)
    assert type(dual) is FunctionError
    assert dual.__cause__ is original


def test_a_type_that_refuses_gives_way_to_its_nearest_base() -> None:
    dual = as_function_error(Sealed("s"))
    assert isinstance(dual, (FunctionError, LookupError))
    assert isinstance(dual, FunctionError)
    assert isinstance(dual, LookupError)
    assert not isinstance(dual, Sealed)
    assert str(dual) == "s"


def test_an_exception_without_a_text_is_still_a_function_error() -> None:
    dual = as_function_error(Mute("m"))
    assert isinstance(dual, FunctionError)
    assert isinstance(dual, ValueError)
    assert "text cannot be made" in str(dual)


def test_notes_are_copied_not_shared() -> None:
    original = ValueError("x")
    original.add_note("n")
    dual = as_function_error(original, CALL)
    assert (original.__notes__, dual.__notes__) == (["n"], ["n", CALL])


def test_message_is_the_assigned_one_else_the_text() -> None:
    assert as_function_error(Assigns("m")).message == "m"  # type: ignore[attr-defined]
    assert as_function_error(ValueError("x")).message == "x"  # type: ignore[attr-defined]
    assert as_function_error(ValueError()).message == ""  # type: ignore[attr-defined]


def test_except_star_and_except_by_type_work() -> None:
    caught: list[Exception] = []
    try:
        raise as_function_error(ExceptionGroup("g", [ValueError("v"), KeyError("k")]))
    except* ValueError as group:
        caught += group.exceptions
    except* KeyError as group:
        caught += group.exceptions
    assert [str(error) for error in caught] == ["v", "'k'"]


@pytest.mark.parametrize("original", [*ORDINARY[:4], Reduced(code=1), Sealed("s"), StopIteration(1)], ids=repr)
def test_a_dual_survives_copy_and_pickle(original: Exception) -> None:
    dual = as_function_error(original, CALL)
    dual.add_note("later")
    serializer: Any = ValueSerializer()
    encoded = serializer.encode([dual])
    for again in (
        copy.copy(dual),
        pickle.loads(pickle.dumps(dual)),
        serializer.decode(encoded.codec, encoded.head, [])[0],
    ):
        assert type(again) is type(dual)
        assert str(again) == str(dual)
        assert again.__notes__ == [CALL, "later"]
        assert type(again) is FunctionError or type(again.__cause__) is type(original)


def test_a_dual_class_does_not_keep_the_class_of_a_cell() -> None:
    kind = type("Temporary", (ValueError,), {})
    as_function_error(kind("x"))
    gone = weakref.ref(kind)
    del kind
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(
    "make", [lambda error: error, lambda error: as_function_error(error, CALL)], ids=["own", "dual"]
)
@pytest.mark.parametrize("original", [*ORDINARY, *VERBATIM, Sealed("s"), StopIteration(1)], ids=repr)
def test_a_recorded_failure_is_plain_data_and_comes_back_with_type_and_text(
    original: BaseException, make: Callable[[BaseException], BaseException]
) -> None:
    error = raised(make(original))
    data = encode_failure(error, every)
    serializer = ValueSerializer()
    encoded = serializer.encode(data)
    assert encoded.codec == PLAIN
    again = decode_failure(serializer.decode(PLAIN, encoded.head, []))  # type: ignore[arg-type]
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert isinstance(again, FunctionError) is isinstance(error, FunctionError)
    assert again.__traceback__ is None
    assert "Traceback of the recorded failure" in again.__notes__[-1]
    assert "in raised" in again.__notes__[-1]


def test_attributes_come_back_unless_one_of_them_cannot_be_stored() -> None:
    again = decode_failure(encode_failure(Two(1, 2), every))
    assert (again.one, again.two) == (1, 2)  # type: ignore[attr-defined]
    assert not hasattr(decode_failure(encode_failure(Assigns("m"), every)), "lock")


def test_a_failure_whose_class_is_gone_is_a_function_error_that_names_it() -> None:
    def unknown(module: str, name: str) -> Any:
        raise AttributeError(name)

    kind = type("Gone", (ValueError,), {"__module__": "__main__"})
    data = encode_failure(raised(kind("text")), every, ValueSerializer(lambda *_: kind))
    assert type(decode_failure(data, ValueSerializer(lambda *_: kind))) is kind
    again = decode_failure(data, ValueSerializer(unknown))
    assert type(again) is FunctionError
    assert str(again) == "Gone: text"


def test_an_exception_that_cannot_be_loaded_is_recorded_as_text() -> None:
    class Hard(Exception):
        def __new__(cls, *args: Any, **options: Any) -> Hard:
            if "code" not in options:
                raise TypeError("code is missing")
            return super().__new__(cls, *args)

        def __init__(self, *, code: int) -> None:
            super().__init__(f"code {code}")

    data = encode_failure(Hard(code=1), every)
    assert data["value"] is None
    again = decode_failure(data)
    assert type(again) is FunctionError
    assert str(again).endswith("Hard: code 1")


def test_causes_contexts_and_groups_come_back() -> None:
    try:
        try:
            raise KeyError("first")
        except KeyError as first:
            raise ValueError("second") from first
    except ValueError as second:
        error = second
    again = decode_failure(encode_failure(error, every))
    assert type(again.__cause__) is KeyError
    try:
        try:
            raise KeyError("first")
        except KeyError:
            raise ValueError("second")  # noqa: B904
    except ValueError as second:
        error = second
    again = decode_failure(encode_failure(error, every))
    assert type(again.__context__) is KeyError
    assert again.__cause__ is None
    members: list[Any] = [raised(Two(1, 2)), as_function_error(ValueError("v"))]
    group = decode_failure(encode_failure(ExceptionGroup("g", members), every))
    assert isinstance(group, ExceptionGroup)
    assert [type(error).__name__ for error in group.exceptions] == ["Two", "ValueError"]
    assert isinstance(group.exceptions[1], FunctionError)


def test_a_chain_that_goes_round_ends() -> None:
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    data = encode_failure(one, every)
    assert ValueSerializer().encode(data).codec == PLAIN
    assert str(decode_failure(data)) == "one"


def test_only_the_users_frames_are_kept_unless_none_would_remain() -> None:
    error = raised(ValueError("x"))
    try:
        json.loads("{")
    except ValueError as caught:
        error = caught
    here = encode_failure(error, lambda name: name == __file__)["frames"]
    assert [frame[0] for frame in here] == [__file__]
    assert here[0][3] == 'json.loads("{")'
    assert len(encode_failure(error, lambda _: False)["frames"]) > 1


def test_a_runaway_recursion_is_recorded_in_short() -> None:
    def down() -> None:
        down()

    with pytest.raises(RecursionError) as caught:
        down()
    assert len(encode_failure(caught.value, every)["frames"]) == 60


def test_recorded_errors_keep_no_frames() -> None:
    class Big: ...

    def fail() -> None:
        big = Big()
        gone.append(weakref.ref(big))
        raise ValueError("x")

    gone: list[weakref.ref[Big]] = []
    try:
        fail()
    except ValueError as error:
        data = encode_failure(error, every)
    again = decode_failure(data)
    gc.collect()
    assert gone[0]() is None
    assert again.__traceback__ is None


def test_the_text_of_a_failure_reads_like_pythons_own() -> None:
    error = raised(Two(1, 2))
    own = "".join(traceback.format_exception(error))
    told = failure_text(encode_failure(error, every)).splitlines()
    assert told == [line for line in own.splitlines() if "^" not in line]
    assert CALL in failure_text(encode_failure(as_function_error(error, CALL), every))


class Lossy(Exception):
    """Loads without an error, as something else."""

    __slots__ = ("code",)

    def __init__(self, code: int = 0) -> None:
        super().__init__()
        self.code = code

    def __str__(self) -> str:
        return f"code {self.code}"


def test_an_exception_that_loads_as_something_else_is_recorded_as_text() -> None:
    again = decode_failure(encode_failure(Lossy(3), every))
    assert type(again) is FunctionError
    assert str(again).endswith("Lossy: code 3")
    dual = as_function_error(Lossy(3))
    assert isinstance(dual, FunctionError)
    assert str(dual) == "code 3"
