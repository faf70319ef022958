"""What spans and their attributes are called. Literals: the conventions for GenAI have moved house twice.

Rules of this file
- A name that is out is in queries and dashboards of operators: it does not change.
- A request is a span `invoke_workflow {application}`, as the GenAI conventions say. Attributes of theirs (`gen_ai.…`)
  are for calls of models, which nothing here knows to be such.
"""

from __future__ import annotations

from typing import Final

from jupyter_durable.core.model import Flag, Kind

REQUEST: Final = "invoke_workflow {application}"
SCOPE: Final = "jupyter_durable"

REQUEST_ID: Final = "durable.request.id"
APPLICATION: Final = "durable.application"
FORKED_FROM: Final = "durable.forked_from"
RUN: Final = "durable.run"
MODE: Final = "durable.mode"
EXECUTED: Final = "durable.calls.executed"
REUSED_CALLS: Final = "durable.calls.reused"
SAVED: Final = "durable.saved_seconds"

NAME: Final = "durable.call.name"
KIND: Final = "durable.call.kind"
IDENTITY: Final = "durable.call.identity"
PLACE: Final = "durable.call.place"
ATTEMPT: Final = "durable.attempt"
STATUS: Final = "durable.status"
REUSED: Final = "durable.reused"
DRIFT: Final = "durable.drift"
WORK_RUN: Final = "durable.work.run"
"""Of a reused call: the run that did the work."""
LINK: Final = "durable.link"
"""Of a link, what it leads to: `caller`, `former run`, `work`, `forked from`, `run`."""

ATTEMPT_FAILED: Final = "durable.attempt.failed"
ATTEMPT_STARTED: Final = "durable.attempt.started"
EXCEPTION: Final = "exception"
EXCEPTION_TYPE: Final = "exception.type"
EXCEPTION_MESSAGE: Final = "exception.message"
EXCEPTION_TRACE: Final = "exception.stacktrace"
ERROR_TYPE: Final = "error.type"

_ENDINGS: Final = {Kind.MAP: ".map", Kind.REDUCE: ".reduce"}
_DRIFT: Final = (
    (Flag.ARGS_CHANGED, "arguments changed"),
    (Flag.NOT_COMPARABLE, "arguments not comparable"),
    (Flag.CODE_CHANGED, "code changed"),
    (Flag.FILE_CHANGED, "file changed"),
)


def span_name(kind: str, name: str) -> str:
    """What the span of a call is called: the name of its function, and of few others."""
    return name + _ENDINGS.get(kind, "")


def drift_words(flags: int) -> tuple[str, ...]:
    """The marks of a reused call as words."""
    return tuple(word for flag, word in _DRIFT if flags & flag)
