"""The span of a call is the current one while its function runs, and nowhere else.

Rules of this file
- It is attached round the function itself, in whichever thread or task that runs: what instrumented libraries do in it
  stands below the call, and nothing is left behind in the context of who called.
- `CALL` says in a context whose code this is. Spans that the user's code opens there keep it, so a call that is made
  below them stands below them in the trace, too; in a context without it the trace follows the calls.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextvars import Token
from typing import Any

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.context import Context

from jupyter_durable.context import current
from jupyter_durable.runner.scope import CallScope
from jupyter_durable.tracing.spans import CALL, RunTrace

Entered = tuple[Context, Token[Context]]


def around(fn: Callable[..., Any], is_async: bool) -> Callable[..., Any]:
    """A function in which the span of the call that runs it is the current one."""
    if is_async:

        @functools.wraps(fn)
        async def traced(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            entered = _enter()
            try:
                return await fn(*args, **kwargs)
            finally:
                _leave(entered)
    else:

        @functools.wraps(fn)
        def traced(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            entered = _enter()
            try:
                return fn(*args, **kwargs)
            finally:
                _leave(entered)

    return traced


def _enter() -> Entered | None:
    scope = current.get()
    if not isinstance(scope, CallScope):
        return None
    for listener in scope.call.run.listeners:
        if isinstance(listener, RunTrace) and (span := listener.span_of(scope.identity)) is not None:
            inside = contexts.set_value(CALL, (listener, scope.identity), trace.set_span_in_context(span))
            return inside, contexts.attach(inside)
    return None


def _leave(entered: Entered | None) -> None:
    # A coroutine that is thrown away is closed in whichever context that happens: there nothing was attached.
    if entered is not None and contexts.get_current() is entered[0]:
        contexts.detach(entered[1])
