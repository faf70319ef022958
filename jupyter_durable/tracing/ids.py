"""Ids of traces and spans that can be computed from what the journal holds, so that links need no record of them.

Rules of this file
- A trace is a run: its id is a hash of request and run number. A span is one execution of a call: its id is a hash of
  request, pass and identity, which stand in the row of the call.
- The first run of a request that was asked for in a trace goes on with that one, whose id is in the request's headers.
- The generator of ids belongs to whoever set up the provider, and goes on making those of all other spans: ours stands
  before it in our own tracer only. A tracer without one is no SDK's: then ids are as they come, and nothing is linked.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from jupyter_durable.hashes import blake2b

_W3C: Final = TraceContextTextMapPropagator()


def asked_in(headers: Mapping[str, str] | None) -> trace.SpanContext | None:
    """The span that asked for a request with these headers."""
    if not headers or "traceparent" not in headers:
        return None
    carrier = {name: headers[name] for name in ("traceparent", "tracestate") if name in headers}
    found = trace.get_current_span(_W3C.extract(carrier)).get_span_context()
    return found if found.is_valid else None


def as_headers() -> dict[str, str]:
    """The current span as headers, none where there is none."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier)
    return carrier


def trace_id(request: str, run: int, asker: trace.SpanContext | None) -> int:
    """Id of the trace of a run; `asker`: the span that asked for the request."""
    return asker.trace_id if asker is not None and run == 1 else _hashed(f"trace/{request}/{run}", 16)


def span_id(request: str, pass_no: int, identity: int) -> int:
    """Id of the span of one execution of a call."""
    return _hashed(f"span/{request}/{pass_no}/{identity}", 8)


def _hashed(text: str, size: int) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=size).digest(), "big") or 1


class ComputedIds:
    """Gives the next span of this thread the ids that were asked for; all others are made as ever."""

    def __init__(self, others: Any) -> None:
        self._others = others
        self._next = threading.local()

    def give(self, trace: int, span: int) -> None:
        """The ids of the next span of this thread; that of its trace counts where it begins one."""
        self._next.trace, self._next.span = trace, span

    def generate_trace_id(self) -> int:
        """As an `IdGenerator` of the SDK."""
        return getattr(self._next, "trace", 0) or int(self._others.generate_trace_id())

    def generate_span_id(self) -> int:
        """As an `IdGenerator` of the SDK; asked for last."""
        given = getattr(self._next, "span", 0)
        self.give(0, 0)
        return given or int(self._others.generate_span_id())

    def __getattr__(self, name: str) -> Any:
        # Whatever else a generator is asked: whether its ids are random, as hashes are, too.
        return getattr(self._others, name)


def computed_ids(tracer: trace.Tracer) -> ComputedIds | None:
    """What gives the spans of a tracer their ids; None where nothing can."""
    others = getattr(tracer, "id_generator", None)
    if others is None or isinstance(others, ComputedIds):
        return others
    own = ComputedIds(others)
    tracer.id_generator = own  # type: ignore[attr-defined]  # of the SDK's tracers
    return own
