"""Where an error was raised, as a user calls the place: `cell [3], line 4, in parse`.

Rules of this file
- IPython knows which cell a file name stands for, in the kernel that ran it; in another one a cell has no number.
- IPython is not imported: where it is not there, there are no cells.
"""

from __future__ import annotations

import re
import sys
from typing import Any, Final

from jupyter_durable.code.credentials import masked
from jupyter_durable.code.texts import RESTORED
from jupyter_durable.serializer.failure import failure_text
from jupyter_durable.serializer.pickle import decode_unsigned

_FRAME: Final = re.compile(r'^([ \t]*)File "([^"\n]*)", line (\d+)', re.MULTILINE)
_CELL: Final = re.compile(r"ipykernel_\d+[/\\]\d+\.py$|<ipython-input-(?P<number>\d+)-\w+>$")
_NUMBERED: Final = re.compile(r"In\[(\d+)\]")


def placed(trace: str) -> str:
    """A traceback with its cells called by their numbers."""
    return _FRAME.sub(_place, trace)


def failure_text_of(data: bytes) -> str:
    """The failure of an attempt. Plain bytes: no name is resolved when they are loaded, so they need no signature."""
    failure: Any = decode_unsigned(data)
    return masked(placed(failure_text(failure)))


def _place(found: re.Match[str]) -> str:
    indent, file, line = found.groups()
    if file.startswith(RESTORED):
        return f"{indent}recorded code, line {line}"
    cell = _CELL.search(file)
    if cell is None:
        return found[0]
    number = cell["number"] or _number(file)
    return f"{indent}cell [{number}], line {line}" if number else f"{indent}cell, line {line}"


def _number(file: str) -> str:
    """The number beside the cell of a file; empty when this kernel did not run it."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None:
        return ""
    named = shell.compile.format_code_name(file)
    numbered = _NUMBERED.search(" ".join(named)) if named else None
    return numbered[1] if numbered else ""
