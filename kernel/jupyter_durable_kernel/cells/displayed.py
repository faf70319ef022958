"""What a cell displays, as it is about to be put out; what it prints comes through `printed`.

Rules of this file
- IPython has no hook that holds for all threads, so two methods of its publisher and one of its display hook are
  extended, on these objects only, and put back at the end.
- What `%%capture` keeps is none of the outputs of the cell.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Told(NamedTuple):
    """Who is told."""

    output: Callable[[], None]
    """Something is about to be displayed."""
    result: Callable[[], None]
    """The value of the cell is about to be shown."""
    cleared: Callable[[bool], None]
    """The outputs were cleared; True: they will be with the next one."""


class Displays:
    """Passes on what is displayed, and tells before."""

    def __init__(self, shell: Any, told: Told) -> None:
        self._publisher = shell.display_pub
        self._hook = shell.displayhook
        self._told = told

    def install(self) -> None:
        """Begin."""
        told = self._told
        publish, clear = self._publisher.publish, self._publisher.clear_output
        start = self._hook.start_displayhook

        def published(*args: Any, **kwargs: Any) -> Any:
            if not kwargs.get("update"):
                told.output()
            return publish(*args, **kwargs)

        def clear_output(wait: bool = False) -> None:
            clear(wait)
            told.cleared(wait)

        def start_displayhook() -> None:
            told.result()
            start()

        self._publisher.publish = published
        self._publisher.clear_output = clear_output
        self._hook.start_displayhook = start_displayhook

    def remove(self) -> None:
        """End."""
        for name in ("publish", "clear_output"):
            vars(self._publisher).pop(name, None)
        vars(self._hook).pop("start_displayhook", None)
