"""The notebook that verbs act on: its kernel's shell, the engine, and what was said for all of its cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_durable.errors import SDKUsageError

if TYPE_CHECKING:
    from jupyter_durable.client.engine import Engine


class Notebook:
    """One shell with the extension loaded."""

    def __init__(self, shell: Any, engine: Engine) -> None:
        self.shell = shell
        self.engine = engine
        self.once = False
        """`%durable once on`: every cell goes on with its last request."""

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
