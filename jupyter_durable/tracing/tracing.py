"""What traces the runs of a process: told of each run that begins, of each request that is accepted."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import SpanContext

from jupyter_durable.core.model import RequestRow
from jupyter_durable.errors import SDKUsageError, StoreError
from jupyter_durable.runner.run import Run
from jupyter_durable.tracing import current_span, names
from jupyter_durable.tracing.ids import as_headers, asked_in, computed_ids
from jupyter_durable.tracing.spans import Asked, RunTrace, run_context, why_ended
from jupyter_durable.values import Headers


class Tracing:
    """Makes the trace of each run, with the tracer provider that is there when it begins."""

    def __call__(self, run: Run, row: RequestRow) -> RunTrace | None:
        """Who listens to a run; None while nobody has set up a provider."""
        provider = trace.get_tracer_provider()
        if isinstance(provider, trace.ProxyTracerProvider | trace.NoOpTracerProvider):
            return None
        asked = Asked(row.application, row.kind, asked_in(run.options.headers), _forked(run, row), row.forked_from)
        try:
            tracer = provider.get_tracer(names.SCOPE)
            return RunTrace(run, tracer, computed_ids(tracer), asked)
        except Exception as error:  # noqa: BLE001 - processors and samplers of the user's were called
            run.warn(why_ended(run, error))
            return None

    def around(self, fn: Callable[..., Any], is_async: bool) -> Callable[..., Any]:
        """A function in which the span of the call that runs it is the current one."""
        return current_span.around(fn, is_async)

    def caller(self) -> str | None:
        """The headers of a request that is asked for here, as they are stored; None where no span is current."""
        headers = as_headers()
        return json.dumps([*map(list, headers.items())]) if headers else None


def _forked(run: Run, row: RequestRow) -> SpanContext | None:
    """The last run of the request that this one is a fork of."""
    if row.forked_from is None or run.number > 1:
        return None
    try:
        origin = run.store.request(row.forked_from)
        return run_context(origin.id, origin.run, asked_in(Headers.from_json(origin.headers)))
    except (SDKUsageError, StoreError, ValueError):  # deleted since, or damaged: the fork is there all the same
        return None
