"""What users write: `@function()`, `@application()`, `@cls()`, and the durable functions these make.

Rules of this file
- A durable function is a plain Python function with attributes, so that `inspect` and tracebacks see a function.
- What a wrapper does is begin a call in the running scope and drive it; what is decided is decided by the `Execution`.
- Wrappers reach the engine through the module `context` alone: cloudpickle takes modules by name, so that joblib can
  send a durable function of a notebook to its processes, where it is plain.
- `Spec` and `Results` are found here, too: the pickles in stores name them so.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import math
import sys
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from types import FunctionType, MethodType, ModuleType
from typing import Any, Final, ParamSpec, TypeVar, cast

from jupyter_durable import context, static
from jupyter_durable.context import (
    Deferred,
    begin_late,
    drive,
    drive_async,
    reused_value,
    scope_here,
)
from jupyter_durable.coroutine import DurableCoroutine
from jupyter_durable.entry import called_by_user
from jupyter_durable.errors import SDKUsageError
from jupyter_durable.executor.visit import left
from jupyter_durable.future import FutureMaker
from jupyter_durable.options import (
    MAX_TIMEOUT,
    UNWRITTEN,
    ApplicationOptions,
    FunctionOptions,
    Retries,
    Unwritten,
    as_retries,
    bounded,
)
from jupyter_durable.owner import Owner
from jupyter_durable.protocols import MapOptions, Scope
from jupyter_durable.signature import DurableFunction
from jupyter_durable.signature import Results as Results
from jupyter_durable.spec import Spec as Spec
from jupyter_durable.targets import require_function

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C", bound=type)


def _sync_wrapper(spec: Spec) -> Callable[..., Any]:
    def durable(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        scope = context.current.get() or context.engine.get().outermost(spec)
        if scope is None:
            return context.engine.get().call_application(spec, spec.bind(args), kwargs)
        if scope.visit is not None:
            return _from_thread(scope, spec, args, kwargs)
        call = scope.begin(spec, args, kwargs)
        if call.reused:
            return call.value
        return drive(call)

    return durable


def _from_thread(scope: Scope, spec: Spec, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A call by a function that an error may be thrown into: not while the engine is at it."""
    __tracebackhide__ = True
    with left(scope.visit):
        call = scope.begin(spec, args, kwargs)
        return call.value if call.reused else drive(call)


def _async_wrapper(spec: Spec) -> Callable[..., Any]:
    # Not `async def`: the call takes its place when the coroutine is made, so that gather() keeps program order.
    @called_by_user
    def durable(*args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        __tracebackhide__ = True
        scope = context.current.get() or context.engine.get().outermost(spec)
        if scope is None:
            return DurableCoroutine(spec.name, context.engine.get().call_application(spec, spec.bind(args), kwargs))
        if any(isinstance(value, Deferred) for value in (*args, *kwargs.values())):
            return DurableCoroutine(spec.name, begin_late(scope, spec, args, kwargs, scope.reserve()), scope.request_id)
        call = scope.begin(spec, args, kwargs)
        return DurableCoroutine(spec.name, reused_value(call) if call.reused else drive_async(call), scope.request_id)

    mark = getattr(inspect, "markcoroutinefunction", None)
    if mark is not None:
        mark(durable)
    else:  # Python 3.11
        import asyncio.coroutines

        durable._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]
    return durable


def durable_wrapper(spec: Spec) -> Any:
    """The function that stands in the user's namespace for `spec.fn`."""
    wrapper: Any = _async_wrapper(spec) if spec.is_async else _sync_wrapper(spec)
    functools.update_wrapper(wrapper, spec.fn)

    def local(*args: Any, **kwargs: Any) -> Any:
        return spec.call(*spec.bind(args), **kwargs)

    @called_by_user
    def map_items(items: Any, *, max_concurrency: int | None = None, return_exceptions: bool = False) -> Any:
        options = MapOptions(max_concurrency, return_exceptions).checked(spec.name)
        scope = scope_here()
        if spec.is_async:  # its place is that of the call, not of the first await: gather() keeps program order
            return scope.map_async(spec, items, options, scope.reserve())
        return scope.map(spec, items, options)

    @called_by_user
    def reduce_items(items: Iterable[Any], *initial: Any) -> Any:
        scope = scope_here()
        if spec.is_async:
            return scope.reduce_async(spec, items, initial, scope.reserve())
        return scope.reduce(spec, items, initial)

    @called_by_user
    def submit(*args: Any, idempotency_key: str | None = None, **kwargs: Any) -> Any:
        if spec.application is None:
            raise SDKUsageError(f"{spec.name}.submit: only an application can be submitted; add @application() above")
        return context.engine.get().submit(spec, args, kwargs, idempotency_key)

    wrapper.__durable__ = spec
    wrapper.local = local
    wrapper.map = map_items
    wrapper.reduce = reduce_items
    wrapper.submit = submit
    wrapper.future = wrapper.awaitable = FutureMaker(spec)
    spec.wrapper = wrapper
    return wrapper


class Registry:
    """The durable functions of this process by name: one flat namespace, as in a deployed application."""

    __slots__ = ("_lock", "_outside", "_specs")

    def __init__(self) -> None:
        self._specs: dict[str, Spec] = {}
        self._outside: dict[str, Spec] = {}
        self._lock = threading.Lock()

    def add(self, spec: Spec) -> None:
        """Raises `SDKUsageError` when another module has defined the name; in one module it is a redefinition."""
        with self._lock:
            known = self._specs.get(spec.name)
            if known is not None and known.module != spec.module and known is not self._outside.get(spec.name):
                raise SDKUsageError(
                    f"the durable function {spec.name} is defined in {known.module} and in {spec.module}; "
                    "names are one namespace: rename one of them"
                )
            self._specs[spec.name] = spec

    def get(self, name: str) -> Spec | None:
        """The newest definition of a name."""
        return self._specs.get(name)

    @contextlib.contextmanager
    def as_it_was(self) -> Iterator[None]:
        """What is defined inside is forgotten at the end, and may take names that are taken outside."""
        outside, before = self._outside, dict(self._specs)
        self._outside = before
        try:
            yield
        finally:
            with self._lock:
                self._specs, self._outside = before, outside


registry = Registry()


def _unwrap(what: str, target: Any) -> Spec | None:
    """The spec of a durable function, None for a plain function. Raises `SDKUsageError` for anything else."""
    spec = durable_of(target)
    if spec is not None:
        return spec
    require_function(what, target)
    return None


BY_APPLICATION: Final = FunctionOptions()
"""Of a function that `@application()` made durable by itself: an `@function()` above it says the rest."""


def make_durable(fn: Callable[..., Any], options: FunctionOptions) -> Any:
    """A durable function from a plain one: what `@function(...)` and `%%durable` both do."""
    spec = Spec(fn, options)
    options.check(spec.name)
    registry.add(spec)
    return durable_wrapper(spec)


def function(
    description: str = "",
    *,
    retries: Retries | int | None = None,
    timeout: float | Unwritten | None = UNWRITTEN,
    durable: bool = True,
    executor: str | None = None,
    **resources: Any,
) -> Callable[[Callable[P, R]], DurableFunction[P, R]]:
    """Make a function durable: each call of it in a request is checkpointed, and served from there on replay.

    `retries` takes `Retries(...)` or an int, `timeout` seconds from 1 to 172800 or None for no limit, `durable=False`
    executes it whenever it is reached, `executor` is None, "inline" or "thread". `resources` are the options of a
    deployment: cpu (cores), memory and ephemeral_disk (GB), each above 0, gpu, image, secrets, region,
    max_concurrency, warm_containers, min_containers, max_containers. Raises `SDKUsageError` for values out of bounds.
    """
    if callable(description) or hasattr(type(description), "__get__"):  # a function, a property, a static method
        raise SDKUsageError("@function must be called: write @function() above the function")
    known = FunctionOptions.__dataclass_fields__
    for name in resources:
        if name not in known:
            raise SDKUsageError(f"@function: unknown option {name!r}; known are {', '.join(sorted(known))}")
    if "secrets" in resources:
        names = resources["secrets"]
        resources["secrets"] = tuple(names) if isinstance(names, list) else names

    def decorate(fn: Callable[P, R]) -> DurableFunction[P, R]:
        spec = _unwrap("function", fn)
        if spec is not None and spec.options is not BY_APPLICATION:
            raise SDKUsageError(f"@function() on {fn.__qualname__}: it is durable already")
        own = as_retries(f"@function on {fn.__qualname__}", retries)
        options = FunctionOptions(
            description, retries=own, timeout=timeout, durable=durable, executor=executor, **resources
        )
        if spec is None:
            return cast(DurableFunction[P, R], make_durable(fn, options))
        options.check(spec.name)
        spec.options = options
        return cast(DurableFunction[P, R], fn)

    return decorate


def application(
    tags: Mapping[str, str] | None = None,
    retries: Retries | int | None = None,
    region: str | None = None,
    input_deserializer: str = "json",
    output_serializer: str = "json",
    allow: Iterable[str] | None = None,
) -> Callable[[Callable[P, R]], DurableFunction[P, R]]:
    """Make a durable function an entry point: write it above or below `@function()`.

    `retries` and `region` hold for every function called in it that has none of its own. Input and output pass
    through JSON and the type hints, or through pickle where `input_deserializer` or `output_serializer` says so.
    """
    if callable(tags):
        raise SDKUsageError("@application must be called: write @application() above the function")

    def decorate(target: Callable[P, R]) -> DurableFunction[P, R]:
        spec = _unwrap("application", target)
        durable: Any = target if spec else make_durable(target, BY_APPLICATION)
        own: Spec = durable.__durable__
        options = ApplicationOptions(
            tags or {},
            as_retries(f"@application on {own.name}", retries),
            region,
            input_deserializer,
            output_serializer,
            tuple(allow or ()),
        )
        options.check(own.name)
        own.application = options
        return cast(DurableFunction[P, R], durable)

    return decorate


def cls(init_timeout: float | None = None) -> Callable[[C], C]:
    """Make the `@function()` methods of a class durable functions `Class.method`.

    `__init__(self)` runs once per process, on first use of a method (within `init_timeout` seconds where it is given);
    `Class()` itself does nothing.
    """
    if isinstance(init_timeout, type):
        raise SDKUsageError("@cls must be called: write @cls() above the class")
    if init_timeout is not None:
        bounded("@cls", "init_timeout", init_timeout, 1, MAX_TIMEOUT)

    def decorate(target: C) -> C:
        if not isinstance(target, type):
            raise SDKUsageError(f"@cls() is for classes, not for {target!r}")
        init = target.__init__  # type: ignore[misc]
        if init is not object.__init__ and len(inspect.signature(init).parameters) > 1:
            raise SDKUsageError(f"@cls() on {target.__name__}: __init__ takes no parameters but self")
        target.__init__ = _empty_init  # type: ignore[misc]
        target.__durable_init__ = init  # type: ignore[attr-defined]
        target.__durable_init_timeout__ = init_timeout  # type: ignore[attr-defined]
        own_methods(target)
        return target

    return decorate


def own_methods(target: type) -> None:
    """Tell the durable methods of a `@cls()` class whose they are, where they do not know it yet."""
    init = static.members(target).get("__durable_init__")
    if init is None:
        return
    owner = Owner(target, init, static.members(target).get("__durable_init_timeout__"))
    for member in static.members(target).values():
        spec = durable_of(member)
        if spec is not None and spec.owner is None:
            spec.owner = owner
            spec.params = spec.params[1:]


def _empty_init(self: object) -> None:
    """Stands for the `__init__` of a `@cls()` class, which runs on first use of a method."""


def options_of(spec: Spec) -> dict[str, Any]:
    """The options of a durable function as plain data, for a code version."""
    return {
        "function": {name: getattr(spec.options, name) for name in FunctionOptions.__dataclass_fields__},
        "application": asdict(spec.application) if spec.application is not None else None,
    }


def _with_finite_delays(retries: Mapping[str, Any]) -> dict[str, Any]:
    """`Retries` as it was recorded: once it took inf, for which the greatest number does the same."""
    return {name: sys.float_info.max if value == math.inf else value for name, value in retries.items()}


def redecorate(fn: Callable[..., Any], options: Mapping[str, Any]) -> Any:
    """A durable function of a recorded code version; it does not take the place of the live one of its name."""
    values = dict(options["function"])
    if isinstance(values.get("timeout"), Unwritten):
        values["timeout"] = UNWRITTEN
    spec = Spec(fn, replace(FunctionOptions(), **values))
    if options["application"] is not None:
        kept = dict(options["application"])
        if kept.get("retries") is not None:
            kept["retries"] = Retries(**_with_finite_delays(kept["retries"]))
        spec.application = ApplicationOptions(**kept)
    return durable_wrapper(spec)


def durable_functions(namespace: Mapping[str, Any] | ModuleType) -> dict[str, Any]:
    """The durable functions of a namespace by name."""
    values = vars(namespace) if isinstance(namespace, ModuleType) else namespace
    return {name: value for name, value in list(values.items()) if durable_of(value) is not None}


def durable_of(value: object) -> Spec | None:
    """The spec of a durable function, or of a method bound to one; None for any other value, which is asked nothing."""
    function = value.__func__ if type(value) is MethodType else value
    found = static.attributes(function).get("__durable__") if type(function) is FunctionType else None
    return found if type(found) is Spec else None
