"""The rows of the published suite, under the name that the tests of this folder use."""

from __future__ import annotations

from jupyter_durable.testing.conformance.rows import (
    BODY,
    CODE,
    ME,
    OTHER,
    ended,
    mark,
    new_request,
    new_run,
    outcome,
    started,
    taken,
)

__all__ = ["BODY", "CODE", "ME", "OTHER", "ended", "mark", "new_request", "new_run", "outcome", "started", "taken"]
