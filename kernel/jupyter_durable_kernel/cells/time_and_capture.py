"""What `%%time` and `%%capture` do for a `%%durable` cell.

Rules of this file
- The cell is executed once, as any other: its errors, its line numbers and its request are what they would be.
- `%%capture` reads its line as IPython's does, and keeps what the cell puts out; views are no output of the cell.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from IPython.core.error import UsageError
from IPython.core.magic_arguments import parse_argstring
from IPython.core.magics.execution import ExecutionMagics
from IPython.utils.capture import capture_output

from jupyter_durable.errors import SDKUsageError
from jupyter_durable_kernel.cells.head import Magic

_PARSED: Final[Any] = parse_argstring  # it has no types
_UNITS: Final = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))


class Beside:
    """The magics beside `%%durable` in the cell that executes."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._magics: Sequence[Magic] = ()
        self._ending: list[Callable[[], None]] = []

    def prepare(self, magics: Sequence[Magic]) -> None:
        """A cell begins with these. Raises `SDKUsageError` for a line that cannot be read."""
        self._magics = ()
        for magic in magics:
            if magic.name == "capture":
                self._capture_arguments(magic.line)
        self._magics = magics

    def begin(self) -> None:
        """The first statement is about to run."""
        for magic in self._magics:
            if magic.name == "time":
                self._ending.insert(0, self._timed())
            else:
                self._ending.append(self._captured(magic.line))
        self._magics = ()

    def end(self) -> None:
        """The cell has run."""
        ending, self._ending = self._ending, []
        for each in ending:
            each()

    def _timed(self) -> Callable[[], None]:
        began, wall = os.times(), time.perf_counter()

        def told() -> None:
            now = os.times()
            user, system = now.user - began.user, now.system - began.system
            total = f"total: {_spoken(user + system)}"
            print(f"CPU times: user {_spoken(user)}, sys: {_spoken(system)}, {total}")
            print(f"Wall time: {_spoken(time.perf_counter() - wall)}")

        return told

    def _captured(self, line: str) -> Callable[[], None]:
        arguments = self._capture_arguments(line)
        kept = contextlib.ExitStack()
        streams = (not arguments.no_stdout, not arguments.no_stderr, not arguments.no_display)
        taken = kept.enter_context(capture_output(*streams))

        def done() -> None:
            hook = sys.displayhook  # by now the one that was there before the cell
            kept.close()
            sys.displayhook = hook
            if arguments.output:
                self._shell.user_ns[arguments.output] = taken

        return done

    @staticmethod
    def _capture_arguments(line: str) -> Any:
        try:
            return _PARSED(ExecutionMagics.capture, line)
        except UsageError as error:
            raise SDKUsageError(f"%%capture: {error}") from None


def _spoken(seconds: float) -> str:
    """A duration as `%%time` gives it: three digits and their unit."""
    if seconds >= 60:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes}min {rest}s"
    size, unit = next((each for each in _UNITS if seconds >= each[0]), _UNITS[-1])
    return f"{seconds / size:.3g} {unit}"
