"""The notebook that verbs act on: its kernel's shell, the engine, and what was said for all of its cells."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_durable.errors import SDKUsageError
from jupyter_durable_kernel.cells.identity import notebook_path
from jupyter_durable_kernel.cells.notebook_cells import NotebookCells

if TYPE_CHECKING:
    from jupyter_durable.client.engine import Engine


class Notebook:
    """One shell with the extension loaded."""

    def __init__(self, shell: Any, engine: Engine) -> None:
        self.shell = shell
        self.engine = engine
        self.directory = os.getcwd()
        """Where the kernel started."""
        self.cells = NotebookCells(shell)
        self.once = False
        """`%durable once on`: every cell goes on with its last request."""

    @property
    def path(self) -> str:
        """Of its file; where no front end tells it, the directory that the kernel started in."""
        return notebook_path(self.shell.user_ns, self.directory)

    def place(self, said: str) -> Path:
        """A directory that the user named: from the notebook's folder, as its own relative paths are."""
        path = Path(self.path)
        return (path.parent if path.suffix == ".ipynb" else path) / Path(said).expanduser()

    def evaluated(self, expression: str) -> Any:
        """The value of an expression in the user's namespace. Raises `SDKUsageError`."""
        try:
            return eval(expression, self.shell.user_global_ns, self.shell.user_ns)
        # The user's expression was evaluated; it may raise anything.
        except Exception as error:
            raise SDKUsageError(f"{expression!r} raises {type(error).__name__}: {error}") from error

    def show_value(self, value: Any) -> None:
        """Show a value as the last expression of a cell would be."""
        self.shell.displayhook(value)
