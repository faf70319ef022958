"""A durable function as the engine knows it.

Rules of this file
- What decorators write down of a function, and how it is called undecorated; nothing of requests, calls and Futures.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Final

from jupyter_durable.options import ApplicationOptions, FunctionOptions
from jupyter_durable.owner import Owner


class Spec:
    """A durable function as the engine knows it: `wrapper.__durable__`."""

    __slots__ = ("application", "fn", "is_async", "module", "name", "options", "owner", "params", "wrapper")

    kind: Final = "function"
    __module__ = "jupyter_durable.function"  # its address in the pickles of stores

    def __init__(self, fn: Callable[..., Any], options: FunctionOptions) -> None:
        self.fn = fn
        self.name: str = fn.__qualname__.removeprefix("<locals>.").rpartition("<locals>.")[2]
        self.module: str = fn.__module__
        self.options = options
        self.application: ApplicationOptions | None = None
        self.owner: Owner | None = None
        self.is_async = inspect.iscoroutinefunction(fn)
        self.params = _positional(fn)
        self.wrapper: Any = None

    def bind(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments without the `self` of a `@cls` class."""
        if self.owner is not None and args and isinstance(args[0], self.owner.cls):
            return args[1:]
        return args

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """The undecorated function, on the instance of its class where it has one."""
        if self.owner is not None:
            return self.fn(self.owner.instance(), *args, **kwargs)
        return self.fn(*args, **kwargs)


def _positional(fn: Callable[..., Any]) -> tuple[str, ...]:
    code = fn.__code__
    return code.co_varnames[: code.co_argcount]
