"""What becomes of the options of `@function()`, `@application()`, `@cls()` and `Retries()` on Tensorlake.

Rules of this file
- An option that it has is written out. One that it has not is left out with a note, or refused where the application
  would then do something else.
- A value that is no literal is taken as it is written: it is for their validation to judge.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from typing import Final

from jupyter_durable.errors import ExportError
from jupyter_durable.records import NamedTuple

LONGEST_TIMEOUT: Final = 86_400
SAME: Final = {
    "function": frozenset(
        {
            *("description", "cpu", "memory", "ephemeral_disk", "gpu", "image", "secrets", "region"),
            *("warm_containers", "min_containers", "max_containers"),
        }
    ),
    "application": frozenset({"tags", "region", "allow"}),
    "cls": frozenset({"init_timeout"}),
    "Retries": frozenset({"max_retries"}),
}
"""Options that mean the same there."""
IN_ORDER: Final = {
    "function": ("description",),
    "application": ("tags", "retries", "region", "input_deserializer", "output_serializer", "allow"),
    "cls": ("init_timeout",),
    "Retries": ("max_retries", "initial_delay", "max_delay", "delay_multiplier", "jitter", "retry_on"),
}
"""Names of arguments that are given by position."""
LEFT_OUT: Final = {
    "durable": "every call is stored there",
    "executor": "every call has a container of its own there",
    "initial_delay": "how long it waits between two attempts is its own choice",
    "max_delay": "how long it waits between two attempts is its own choice",
    "delay_multiplier": "how long it waits between two attempts is its own choice",
    "jitter": "how long it waits between two attempts is its own choice",
    "retry_on": "every error is retried there but RequestError",
}
"""What it has not, and what that means."""


class Written(NamedTuple):
    """One option as it goes in."""

    name: str
    text: str


class Given(NamedTuple):
    """A call of a decorator, or of `Retries`."""

    kind: str
    """`function`, `application`, `cls` or `Retries`."""
    of: str
    """What it is said of, as messages name it: `@function on ask`."""
    values: Mapping[str, ast.expr]
    text: Callable[[ast.expr], str]
    """An expression as it is written, with what was changed in it."""


def named(call: ast.Call, kind: str, of: str) -> dict[str, ast.expr]:
    """The arguments of a call by name. Raises `ExportError` where they cannot be read."""
    if any(isinstance(each, ast.Starred) for each in call.args) or any(each.arg is None for each in call.keywords):
        raise ExportError(f"{of}: options given as * or ** cannot be read; write them out")
    order = IN_ORDER[kind]
    if len(call.args) > len(order):
        raise ExportError(f"{of}: {len(call.args)} options by position; write them by name")
    found = dict(zip(order, call.args, strict=False))
    return found | {each.arg: each.value for each in call.keywords if each.arg is not None}


def written(given: Given, note: Callable[[str], None]) -> list[Written]:
    """The options that go in. `note` hears of each that does not, or that changes. Raises `ExportError`."""
    options: list[Written] = []
    for name, value in given.values.items():
        text = _text_of(given, name, value, note)
        if text is not None:
            options.append(Written(name, text))
        elif name == "max_concurrency":
            options += _as_containers(given, value, note)
    return options


def _text_of(given: Given, name: str, value: ast.expr, note: Callable[[str], None]) -> str | None:
    """An option as it is written there; None for one that is not."""
    if name in SAME[given.kind]:
        return given.text(value)
    if name == "timeout":
        return _timeout(given, value, note)
    if name == "retries":
        return _retries(given, value)
    if name in ("input_deserializer", "output_serializer"):
        if not (isinstance(value, ast.Constant) and value.value == "json"):
            raise ExportError(
                f"{given.of}: {name}={given.text(value)} is not possible on Tensorlake, whose applications take and "
                'give JSON; write "json", with type hints that JSON has'
            )
        return None
    if name in LEFT_OUT:
        note(f"{given.of}: {name}={given.text(value)} is left out: {LEFT_OUT[name]}")
        return None
    if name == "max_concurrency":
        return None
    raise ExportError(f"{given.of}: there is no option {name}")


def _timeout(given: Given, value: ast.expr, note: Callable[[str], None]) -> str | None:
    if not isinstance(value, ast.Constant):
        return given.text(value)
    seconds = value.value
    if seconds is None or (isinstance(seconds, int | float) and seconds > LONGEST_TIMEOUT):
        raise ExportError(
            f"{given.of}: timeout={seconds} is not possible on Tensorlake: a call has {LONGEST_TIMEOUT} s at most; "
            "give it a limit, or divide its work among several calls"
        )
    if isinstance(seconds, float):
        note(f"{given.of}: timeout={seconds} is {math.ceil(seconds)} there, which takes whole seconds")
        return str(math.ceil(seconds))
    return given.text(value)


def _retries(given: Given, value: ast.expr) -> str | None:
    if isinstance(value, ast.Constant) and value.value is None:
        return None
    if isinstance(value, ast.Constant) and isinstance(value.value, int):
        return f"Retries(max_retries={value.value})"
    return given.text(value)


def _as_containers(given: Given, value: ast.expr, note: Callable[[str], None]) -> list[Written]:
    """A container does one call at a time, so that as many containers are as many calls."""
    text = given.text(value)
    if isinstance(value, ast.Constant) and value.value is None:
        return []
    if "max_containers" in given.values:
        note(f"{given.of}: max_concurrency={text} is left out: max_containers says how many calls run at a time there")
        return []
    note(f"{given.of}: max_concurrency={text} is max_containers={text} there: each does one call at a time")
    return [Written("max_containers", text)]
