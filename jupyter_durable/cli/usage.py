"""The help of commands: what is written, as it is written, in a terminal of 80 columns.

Rules of this file
- A parameter is named by its metavar, with the brackets that say whether it may be left out; types and defaults stand
  in its sentence, in words. The parser's own marks (`<int range>`, `{ID}`) are for programmers.
"""

from __future__ import annotations

import textwrap
from typing import Any, Final

from typer.core import TyperCommand

COLUMNS: Final = 80
_INDENT: Final = 2


class Command(TyperCommand):
    """A command whose help is laid out here."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """What stands behind its name in the line of usage."""
        return ["[OPTIONS]", *(each.metavar for each in _shown(self.get_params(ctx), "argument"))]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Its arguments and options, a row each."""
        parameters = self.get_params(ctx)
        rows = {
            "Arguments": [(each.metavar, each.help) for each in _shown(parameters, "argument")],
            "Options": [(_written(each), each.help) for each in _shown(parameters, "option")],
        }
        for title, entries in rows.items():
            if entries:
                formatter.write(f"\n{title}:\n{_table(entries)}\n")


def _shown(parameters: list[Any], kind: str) -> list[Any]:
    return [each for each in parameters if each.param_type_name == kind and not getattr(each, "hidden", False)]


def _written(option: Any) -> str:
    """An option as it is typed."""
    names = ", ".join(option.opts)
    return names if option.is_flag or option.metavar is None else f"{names} {option.metavar}"


def _table(rows: list[tuple[str, str | None]]) -> str:
    """Words and what they mean, in two columns."""
    column = _INDENT + max(len(words) for words, _ in rows) + 2
    lines = []
    for words, means in rows:
        first, *others = textwrap.wrap(means or "", COLUMNS - column) or [""]
        lines.append(f"{' ' * _INDENT}{words}".ljust(column) + first)
        lines += [" " * column + other for other in others]
    return "\n".join(line.rstrip() for line in lines)
