"""The trace of one run: a span for the request, one for each call. Hears the run as any listener.

Rules of this file
- A span is there when its call begins and ends when the outcome is durable. What was cut off by a kill never ended, so
  nobody gets it; the next run does not tell it again.
- A call that is served from its checkpoint is a span without length, with a link to the span that did the work. What it
  covers is not told again.
- Held are spans that have not ended: as many as there are calls that execute now.
- The text of an error is masked, as it is wherever it is shown.
- Providers, processors and samplers are the user's code, and no call fails because of them: tracing of the run ends.
"""

# ruff: noqa: ARG002 - a listener takes what every listener gets
from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Concatenate, Final, ParamSpec

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanContext, StatusCode, TraceFlags, Tracer

from jupyter_durable.code.credentials import masked
from jupyter_durable.core.model import ROOT, Attempted, CallRow, Kind, Logged, Progressed, Status
from jupyter_durable.errors import StoreError
from jupyter_durable.records import NamedTuple
from jupyter_durable.runner.run import Run
from jupyter_durable.serializer.failure import failure_text
from jupyter_durable.serializer.pickle import decode_unsigned
from jupyter_durable.tracing import names
from jupyter_durable.tracing.ids import ComputedIds, span_id, trace_id

CALL: Final = contexts.create_key("durable call")
"""In a context: whose code this is, as the trace of its run and the identity of its call."""
_CELLS: Final = frozenset({Kind.CELL, Kind.SCRIPT})

_Given = ParamSpec("_Given")


class Asked(NamedTuple):
    """What of a request its trace begins with."""

    application: str
    kind: str
    asker: SpanContext | None
    """The span that asked for the request, when it was accepted."""
    forked_from: SpanContext | None = None
    """The last run of the request that this one is a fork of."""
    origin: str | None = None
    """The id of that."""


def _harmless(
    hear: Callable[Concatenate[RunTrace, _Given], None],
) -> Callable[Concatenate[RunTrace, _Given], None]:
    """What a listener does, so that it never raises."""

    def heard(self: RunTrace, /, *args: _Given.args, **kwargs: _Given.kwargs) -> None:
        if self.broken:
            return
        try:
            hear(self, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - processors and samplers of the user's were called
            self.broken = True
            self.run.warn(why_ended(self.run, error))

    return heard


def why_ended(run: Run, error: Exception) -> str:
    """What the user is told when OpenTelemetry raised."""
    return (
        f"request {run.id}: tracing of run {run.number} has ended, because OpenTelemetry raised "
        f"{type(error).__name__}: {masked(str(error))}. The run goes on; look at the processors and samplers of your "
        "tracer provider, or switch tracing off by configure(otel=False)"
    )


class RunTrace:
    """The spans of one run."""

    hears_starts = True

    def __init__(self, run: Run, tracer: Tracer, ids: ComputedIds | None, asked: Asked) -> None:
        self.run = run
        self.broken = False
        self._tracer = tracer
        self._ids = ids
        self._asker = asked.asker
        self._root_began = False
        """Its span is there before its first attempt is."""
        self._open: dict[int, tuple[int, Span]] = {}
        """By identity: the pass in which a call executes, and its span."""
        self._caller = trace.get_current_span()
        self._common: dict[str, Any] = {names.REQUEST_ID: run.id, names.RUN: run.number}
        self._root = self._begin_root(asked)
        self.linked = ids is not None and self._root.get_span_context().span_id == self._id(run.number << 16, ROOT)
        """Whether spans have the ids that are computed, so that links lead somewhere."""
        self._open[ROOT] = run.number << 16, self._root
        run.on_end.append(self._end)
        run.on_attempt.append(self.attempted)

    def span_of(self, identity: int) -> Span | None:
        """The span of a call that executes."""
        held = self._open.get(identity)
        return held[1] if held is not None else None

    # the request

    def _begin_root(self, asked: Asked) -> Span:
        run, caller = self.run, self._caller.get_span_context()
        goes_on = asked.asker if run.number == 1 else None
        if goes_on is None:
            parent = trace.set_span_in_context(trace.INVALID_SPAN)  # the user's baggage stays
        elif goes_on.span_id == caller.span_id:
            parent = contexts.get_current()
        else:
            parent = trace.set_span_in_context(trace.NonRecordingSpan(goes_on))
        links = []
        apart = caller.is_valid and goes_on is None
        if apart:
            links.append(Link(caller, {names.LINK: "caller"}))
        if self._ids is not None:
            links += self._to_former(asked)
            self._ids.give(trace_id(run.id, run.number, asked.asker), self._id(run.number << 16, ROOT))
        span = self._tracer.start_span(
            names.REQUEST.format(application=asked.application),
            parent,
            attributes={
                **self._common,
                names.APPLICATION: asked.application,
                names.KIND: asked.kind,
                names.MODE: "strict" if run.options.strict else "adaptive",
                **({names.FORKED_FROM: asked.origin} if asked.origin else {}),
            },
            links=links,
        )
        if apart:
            self._caller.add_link(span.get_span_context(), {names.LINK: "run", names.REQUEST_ID: run.id})
        return span

    def _to_former(self, asked: Asked) -> list[Link]:
        run = self.run
        links = [Link(asked.forked_from, {names.LINK: "forked from"})] if asked.forked_from is not None else []
        if run.number > 1:
            former = run_context(run.id, run.number - 1, asked.asker)
            links.append(Link(former, {names.LINK: "former run", names.RUN: run.number - 1}))
        return links

    @_harmless
    def _end(self) -> None:
        """The run has ended, however that came: the outcome of a root is told to nobody else in all cases."""
        run, span = self.run, self._root
        span.set_attributes(
            {
                names.EXECUTED: run.counts.executed,
                names.REUSED_CALLS: run.counts.reused,
                names.SAVED: run.counts.saved,
            }
        )
        root, status, error = run.root_call, run.outcome or Status.INTERRUPTED, run.error
        if isinstance(run.stopped, StoreError):  # whatever it came to, it is not kept
            status, error = Status.INTERRUPTED, f"{type(run.stopped).__name__}: {masked(str(run.stopped))}"
        span.set_attribute(names.STATUS, status)
        if root is not None and root.row is not None and status == Status.SUCCEEDED and not root.started_at:
            span.set_attribute(names.REUSED, True)  # served as a whole
            self._link_to_work(span, root.row)
        if error:
            span.set_attribute(names.ERROR_TYPE, error.partition(":")[0])
            if status != Status.CANCELLED:
                span.set_status(StatusCode.ERROR, error)
        self._open.clear()
        span.end()

    # calls

    @_harmless
    def started(self, row: CallRow) -> None:
        """A call began to execute, or another attempt of it."""
        held = self._open.get(row.identity)
        if held is not None and held[0] == row.pass_no:
            held[1].set_attribute(names.ATTEMPT, row.attempts)
            if row.identity != ROOT or self._root_began:
                held[1].add_event(names.ATTEMPT_STARTED, {names.ATTEMPT: row.attempts})
            self._root_began = True
            return
        parent, links = self._above(row)
        if self._ids is not None:
            self._ids.give(0, self._id(row.pass_no, row.identity))
        span = self._tracer.start_span(
            names.span_name(row.kind, row.name),
            parent,
            attributes={**self._said(row, row.seq), names.ATTEMPT: row.attempts, names.REUSED: False},
            links=links,
        )
        self._open[row.identity] = row.pass_no, span

    @_harmless
    def attempted(self, failed: Attempted) -> None:
        """An attempt failed, and is followed by another one."""
        span = self.span_of(failed.identity)
        if span is not None:
            failure: Any = decode_unsigned(failed.error)
            span.add_event(names.ATTEMPT_FAILED, {names.ATTEMPT: failed.attempt, **_exception(failure)})

    @_harmless
    def settled(self, row: CallRow) -> None:
        """A call ended and is durable, or was cut off."""
        held = self._open.get(row.identity)
        if row.identity == ROOT or held is None or held[0] != row.pass_no:
            return
        del self._open[row.identity]
        span = held[1]
        if not span.is_recording():
            return
        span.set_attributes({names.STATUS: row.status, names.ATTEMPT: row.attempts})
        if row.status == Status.FAILED:
            failure: Any = self.run.open_value(row)
            said = _exception(failure)
            span.add_event(names.EXCEPTION, said)
            span.set_attribute(names.ERROR_TYPE, said[names.EXCEPTION_TYPE])
            span.set_status(StatusCode.ERROR, f"{said[names.EXCEPTION_TYPE]}: {said[names.EXCEPTION_MESSAGE]}")
        span.end()

    @_harmless
    def reused(self, row: CallRow, seq: int, pass_no: int, flags: int) -> None:
        """A call was served from its checkpoint: a span without length."""
        parent, links = self._above(row)
        now = time.time_ns()
        span = self._tracer.start_span(
            names.span_name(row.kind, row.name),
            parent,
            attributes={
                **self._said(row, seq),
                names.ATTEMPT: row.attempts,
                names.STATUS: row.status,
                names.REUSED: True,
                **({names.DRIFT: words} if (words := names.drift_words(flags)) else {}),
            },
            links=links,
            start_time=now,
        )
        self._link_to_work(span, row)
        span.end(now)

    def progressed(self, progress: Progressed) -> None:
        """A call reported how far it is: it is no event of its span, of which there may be thousands."""

    def logged(self, log: Logged) -> None:
        """A call printed: that is in its log."""

    # what they have in common

    def _said(self, row: CallRow, seq: int) -> dict[str, Any]:
        return {
            **self._common,
            names.NAME: row.name,
            names.KIND: row.kind,
            names.IDENTITY: row.identity,
            names.PLACE: seq,
        }

    def _above(self, row: CallRow) -> tuple[Context, list[Link]]:
        """What the span of a call stands below: spans of its caller's code, else its caller. With links to others."""
        here = contexts.get_current()
        if here.get(CALL) == (self, row.parent):
            return here, []
        links = []
        if row.parent == ROOT and CALL not in here:  # a cell, or a thread of the user's: what they opened is no call
            user = trace.get_current_span(here).get_span_context()
            if user.is_valid and user.span_id != self._caller.get_span_context().span_id:
                links.append(Link(user, {names.LINK: "caller"}))
        return trace.set_span_in_context(self.span_of(row.parent) or self._root, here), links

    def _link_to_work(self, span: Span, row: CallRow) -> None:
        """Lead from a reused call to the span that did the work; of a fork's copies that run is not known."""
        run = row.pass_no >> 16
        if run == 0:
            return
        span.set_attribute(names.WORK_RUN, run)
        if self.linked:
            id = self.run.id
            work = _context(trace_id(id, run, self._asker), self._id(row.pass_no, row.identity))
            span.add_link(work, {names.LINK: "work", names.RUN: run})

    def _id(self, pass_no: int, identity: int) -> int:
        return span_id(self.run.id, pass_no, identity)


def run_context(request: str, run: int, asker: SpanContext | None) -> SpanContext:
    """The span of a run of a request, wherever that was."""
    return _context(trace_id(request, run, asker), span_id(request, run << 16, ROOT))


def _context(trace_id: int, span_id: int) -> SpanContext:
    return SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _exception(failure: dict[str, Any]) -> dict[str, str]:
    """A recorded failure as the attributes of an exception; of one that is two, the one that was raised first."""
    raised = failure
    while "dual" in raised:
        raised = raised["dual"]["of"]
    module, name = raised["module"], raised["type"]
    return {
        names.EXCEPTION_TYPE: name if module == "builtins" else f"{module}.{name}",
        names.EXCEPTION_MESSAGE: masked(raised["text"]),
        names.EXCEPTION_TRACE: masked(failure_text(failure)),
    }
