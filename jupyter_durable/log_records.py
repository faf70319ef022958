"""Which request and call a log record comes from: fields of the standard library's records, where they are asked for.

Rules of this file
- It only reads the running call: a record of code that no call runs has empty fields, so that a format never fails.
- The fields are set where the record is made, in the thread and task of the call; who handles it later finds them.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

from jupyter_durable.context import current

__all__ = ["CallFilter"]


class CallFilter(logging.Filter):
    """Adds `durable_request`, `durable_call` and `durable_attempt` to each record: for a handler, or for all.

    For one handler: `handler.addFilter(CallFilter())`. For every record of the process, those of libraries too:
    `CallFilter.everywhere()`. The fields are "" where no durable call runs.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Every record passes; one that has the fields already keeps them."""
        if not hasattr(record, "durable_request"):
            vars(record).update(call_fields())
        return True

    @staticmethod
    def everywhere() -> None:
        """Every record that is made from now on has the fields. A second time it does nothing."""
        make = logging.getLogRecordFactory()
        if not (isinstance(make, functools.partial) and make.func is _made):
            logging.setLogRecordFactory(functools.partial(_made, make))


def call_fields() -> dict[str, str | int]:
    """What is said of the running call."""
    scope = current.get()
    if scope is None:
        return {"durable_request": "", "durable_call": "", "durable_attempt": ""}
    return {
        "durable_request": scope.request_id,
        "durable_call": scope.described,
        "durable_attempt": scope.attempt_number,
    }


def _made(make: Callable[..., logging.LogRecord], *args: Any, **kwargs: Any) -> logging.LogRecord:
    record = make(*args, **kwargs)
    vars(record).update(call_fields())
    return record
