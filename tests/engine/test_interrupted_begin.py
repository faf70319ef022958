"""An interrupt that arrives while the root of a request begins is that interrupt, and the request goes on."""

from __future__ import annotations

import sys
from types import CodeType, FrameType
from typing import Any

import pytest

from jupyter_durable.context import drive
from jupyter_durable.runner import ending
from jupyter_durable.runner.call import ActiveCall
from tests.engine.conftest import Notebook

BEGINS = (drive.__code__, ActiveCall.attempt.__code__)
LINES = 24
"""More than are executed before the function is called."""


class InterruptAt:
    """Traces a thread: `KeyboardInterrupt` at one of the lines that begin a call, counted from the first."""

    def __init__(self, line: int) -> None:
        self.left = line

    def __call__(self, frame: FrameType, event: str, _: Any) -> Any:
        code: CodeType = frame.f_code
        return self._line if code in BEGINS else None

    def _line(self, frame: FrameType, event: str, _: Any) -> Any:
        self.left -= event == "line"
        if self.left < 0:
            sys.settrace(None)
            raise KeyboardInterrupt
        return self._line


@pytest.mark.parametrize("line", range(LINES))
def test_an_interrupt_at_any_line_of_the_beginning_is_told_and_the_request_goes_on(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch, line: int
) -> None:
    """It was an `AttributeError` of ours before the first attempt had begun."""
    monkeypatch.setattr(ending, "END_SECONDS", 0.1)
    notebook.cell("@application()\ndef app(n): return n + 1\n", key=None)
    before = sys.gettrace()
    sys.settrace(InterruptAt(line))
    try:
        with pytest.raises(KeyboardInterrupt):
            notebook.cell("run_local_application(app, 1)", key=None)
    finally:
        sys.settrace(before)
    request = notebook.last()
    assert request.status in ("cancelled", "interrupted")
    assert request.replay().output() == 2
