"""`Logger`: lines of JSON on the standard output, as Tensorlake's; in a durable call they are part of its log.

Rules of this file
- One line a message, written at once. A value that JSON does not know is written as its text: a log never fails.
"""

from __future__ import annotations

import datetime
import json
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["Logger"]


class Logger:
    """Writes messages with named values. Get one with `Logger.get_logger(**context)`."""

    __slots__ = ("_context", "_fields")

    def __init__(self, context: dict[str, Any], fields: Callable[[], dict[str, Any]] = dict) -> None:
        self._context = context
        self._fields = fields

    @classmethod
    def get_logger(cls, **context: Any) -> Logger:
        """A logger that writes `context` with every message."""
        return cls(context)

    def bind(self, **context: Any) -> Logger:
        """A logger that writes `context` too; this one stays as it is."""
        return Logger({**self._context, **context}, self._fields)

    def with_call(self) -> Logger:
        """A logger that also writes which durable request, call and attempt each message comes from."""
        from jupyter_durable.log_records import call_fields

        return Logger(self._context, call_fields)

    def debug(self, message: str, **values: Any) -> None:
        """Write a message of level `debug`."""
        self._write("debug", message, values)

    def info(self, message: str, **values: Any) -> None:
        """Write a message of level `info`."""
        self._write("info", message, values)

    def warning(self, message: str, **values: Any) -> None:
        """Write a message of level `warning`."""
        self._write("warning", message, values)

    def error(self, message: str, **values: Any) -> None:
        """Write a message of level `error`."""
        self._write("error", message, values)

    def _write(self, level: str, message: str, values: dict[str, Any]) -> None:
        at = datetime.datetime.now(datetime.UTC).isoformat()
        told = {**self._fields(), **self._context, **values, "level": level, "timestamp": at, "message": message}
        sys.stdout.write(json.dumps(told, ensure_ascii=False, skipkeys=True, default=str) + "\n")
        sys.stdout.flush()
