"""The exception that ends a script.

Rules of this file
- It is remembered, since at exit it is not to be had any more, and passed on to whoever showed it before.
- A script that ends because its request was cancelled says so in one line: no line of it was wrong.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jupyter_durable.errors import Cancelled
from jupyter_durable.runner.stop import RunStopped

if TYPE_CHECKING:
    from jupyter_durable.runner.run import Run


class Uncaught:
    """Stands for `sys.excepthook`. `run` gives the run of the script, where it has one."""

    seen: BaseException | None = None

    def __init__(self, before: Callable[..., Any], run: Callable[[], Run | None]) -> None:
        self._before = before
        self._run = run

    def __call__(self, kind: type[BaseException], error: BaseException, trace: Any) -> None:
        Uncaught.seen = error
        run = self._run()
        stopped = run.stopped if run is not None else None
        if isinstance(stopped, Cancelled) and isinstance(error, KeyboardInterrupt | RunStopped | Cancelled):
            print(f"{stopped}, or start the script again", file=sys.stderr)
        else:
            self._before(kind, error, trace)


def watch_uncaught(run: Callable[[], Run | None]) -> None:
    """See the exception that ends a script, and pass it on."""
    if not isinstance(sys.excepthook, Uncaught):
        sys.excepthook = Uncaught(sys.excepthook, run)
