"""How user code comes into ours.

Rules of this file
- cloudpickle may take what is made here by value, so it reaches the running call through the module `context`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from jupyter_durable import context
from jupyter_durable.executor import visit

P = ParamSpec("P")
T = TypeVar("T")


def called_by_user(fn: Callable[P, T]) -> Callable[P, T]:
    """A function of ours that user code calls: meanwhile nothing is thrown into its thread."""

    @functools.wraps(fn)
    def ours(*args: P.args, **kwargs: P.kwargs) -> T:
        __tracebackhide__ = True
        scope = context.current.get()
        if scope is None or scope.visit is None:
            return fn(*args, **kwargs)
        with visit.left(scope.visit):
            return fn(*args, **kwargs)

    return ours
