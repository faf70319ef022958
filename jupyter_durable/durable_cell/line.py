"""The first line of a `%%durable` cell: what it may say, and what it means for the functions of the cell.

Rules of this file
- A line that cannot be understood is an `SDKUsageError` of one line that names the word and what is known.
- Values are checked here, before anything of the cell runs.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from jupyter_durable.errors import SDKUsageError
from jupyter_durable.function import Spec, durable_wrapper, make_durable
from jupyter_durable.options import FunctionOptions, as_retries

USAGE: Final = (
    "%%durable [NAME] [--plain NAMES] [--retries N] [--timeout SECONDS] [--executor inline|thread] [--once | --fresh]"
)
FLAGS: Final = ("--once", "--fresh")
VALUED: Final = ("--plain", "--retries", "--timeout", "--executor")


@dataclass(frozen=True, slots=True)
class CellOptions:
    """What the first line of a `%%durable` cell says."""

    name: str | None = None
    plain: tuple[str, ...] = ()
    once: bool = False
    fresh: bool = False
    function: FunctionOptions = field(default_factory=FunctionOptions)

    def make_durable(self, fn: Callable[..., Any]) -> Any:
        """What the decorator of the cell does with a function."""
        return make_durable(fn, self.function)

    def make_recorded(self, fn: Callable[..., Any]) -> Any:
        """The same for recorded code: it does not take the place of the live function of its name."""
        return durable_wrapper(Spec(fn, self.function))


def line_said(line: str) -> str:
    """What the line of a magic says: without a remark, and without the semicolon that silences a cell's value."""
    return re.sub(r"(^|\s)#.*$", "", line).strip().rstrip(";").strip()


def parsed_options(source: str) -> CellOptions:
    """The options of a `%%durable` cell from its source. Raises `SDKUsageError`."""
    first = line_said(next((line for line in source.split("\n") if line.strip()), ""))
    try:
        words = iter(shlex.split(first)[1:])
    except ValueError as error:
        raise SDKUsageError(f"%%durable: {error} in {first!r}. Usage: {USAGE}") from None
    options = CellOptions()
    for word in words:
        if word.startswith("-"):
            options = _with_option(options, word, words)
        elif options.name is not None:
            raise SDKUsageError(f"%%durable: one NAME is enough, not {options.name!r} and {word!r}. Usage: {USAGE}")
        else:
            options = replace(options, name=word)
    if options.once and options.fresh:
        raise SDKUsageError("%%durable: --once goes on with the last request, --fresh starts a new one; choose one")
    return options


def _with_option(options: CellOptions, word: str, words: Iterator[str]) -> CellOptions:
    name, equals, given = word.partition("=")
    if name in FLAGS and not equals:
        return replace(options, once=options.once or name == "--once", fresh=options.fresh or name == "--fresh")
    if name in ("--help", "-h"):
        raise SDKUsageError("%%durable: %%durable? shows its help; the line of a cell has its options only")
    if name not in VALUED:
        known = (*VALUED, *FLAGS)
        import difflib  # for those who mistype

        near = difflib.get_close_matches(name.lower(), known, 1)
        hint = f"did you mean {near[0]}? Known" if near else "known"
        raise SDKUsageError(f"%%durable: unknown option {word!r}; {hint} are {', '.join(known)}")
    value = given if equals else next(words, None)
    if not value or value.startswith("--"):
        raise SDKUsageError(f"%%durable: {name} needs a value. Usage: {USAGE}")
    if name == "--plain":
        names = tuple(part for part in value.replace(",", " ").split() if part)
        return replace(options, plain=(*options.plain, *names))
    return replace(options, function=_function_options(options.function, name[2:], value))


def _function_options(function: FunctionOptions, name: str, value: str) -> FunctionOptions:
    made: Any = value
    if name == "retries":
        made = as_retries("%%durable --retries", _number(name, value, int))
    elif name == "timeout":
        made = None if value.lower() == "none" else _number(name, value, float)
    changed = replace(function, **{name: made})
    try:
        changed.check("%%durable")
    except SDKUsageError as error:
        raise SDKUsageError(str(error).removeprefix("@function on ")) from None
    return changed


def _number(name: str, value: str, kind: Callable[[str], Any]) -> Any:
    try:
        return kind(value)
    except ValueError:
        what = "a whole number" if kind is int else "a number of seconds"
        raise SDKUsageError(f"%%durable: --{name} takes {what}, not {value!r}") from None
