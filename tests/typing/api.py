"""Read by mypy, never run: what a type checker sees of the public API. Each ignored line is an error
(an ignore that is not needed is one too)."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, assert_type

from jupyter_durable import (
    Future,
    Request,
    RequestContext,
    Retries,
    application,
    cls,
    configure,
    function,
    get_request,
    list_requests,
    now,
    run_local_application,
)


@function()
def double(n: int, *, deep: bool = False) -> int:
    return 2 * n


@function(retries=Retries(3), timeout=60, cpu=2)
async def fetch(url: str) -> bytes:
    return url.encode()


@application(tags={"team": "a"}, retries=2)
@function(description="adds")
def total(numbers: list[int]) -> float:
    return sum(numbers)


@cls()
class Model:
    def __init__(self) -> None:
        self.weight = 1.0

    @function()
    def predict(self, x: float) -> float:
        return self.weight * x


assert_type(double(1), int)
assert_type(double(1, deep=True), int)
assert_type(double.local(1), int)
coroutine = assert_type(fetch("a"), Coroutine[Any, Any, bytes])
assert_type(total([1]), float)
assert_type(double.future(1), Future[int])
assert_type(fetch.future("a"), Future[bytes])
assert_type(double.future(1).run().result(), int)
assert_type(double.map([1])[0], int)
assert_type(double.future.map([1]).result()[0], int)
assert_type(Model().predict(1.0), float)
assert_type(Model.predict(Model(), 1.0), float)
assert_type(Model().predict.map([1.0])[0], float)
assert_type(Future.wait([double.future(1)])[0], list[Future[Any]])
assert_type(run_local_application(total, [1]), Request)
assert_type(get_request("last"), Request)
assert_type(list_requests(), list[Request])
assert_type(RequestContext.get().attempt, int)
assert_type(now(), float)
configure(store="memory:")


async def awaits() -> None:
    assert_type(await fetch("a"), bytes)
    assert_type((await fetch.map(["a"]))[0], bytes)
    assert_type(await fetch.future("a"), bytes)
    assert_type(await double.future(1), int)


double("1")  # type: ignore[arg-type]
double(1, 2)  # type: ignore[call-arg, arg-type]
double()  # type: ignore[call-arg]
double(1, deeper=True)  # type: ignore[call-arg]
double.local("1")  # type: ignore[arg-type]
_ = fetch(1)  # type: ignore[arg-type]
total("abc")  # type: ignore[arg-type]
Model().predict("x")  # type: ignore[arg-type]
Model().predict()  # type: ignore[call-arg]
text: str = double(1)  # type: ignore[assignment]
text = double.map([1])[0]  # type: ignore[assignment]
_ = double.other  # type: ignore[attr-defined]
function(3)  # type: ignore[arg-type]
function(retries="3")  # type: ignore[arg-type]
function(timeout="3")  # type: ignore[arg-type]
application(retries="3")  # type: ignore[arg-type]
Retries("3")  # type: ignore[arg-type]
