"""What must not leave this machine: credentials, and paths of somebody's home.

Rules of this file
- In code, values and data they are refused, with the place and the way out: nobody can say what else would be meant.
- In prose (comments, markdown) they are masked, and a home is `~`.
- What is looked at is what will be written, byte for byte; the environment's own values are looked for, too.
"""

from __future__ import annotations

import ast
import io
import json
import os
import re
import tokenize
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from jupyter_durable.code.credentials import holds_credential, looks_secret, masked, redacted, without_credentials
from jupyter_durable.errors import ExportError
from jupyter_durable.export.selection import EnvironmentKey, Piece, Section, Selection

_HOMES: Final = re.compile(
    r"(?<![\w.])(?:/home/[A-Za-z_][\w.-]*|/Users/[A-Za-z_][\w.-]*|/root"
    r"|[A-Za-z]:(?:\\{1,2}|/)Users(?:\\{1,2}|/)[\w .-]+?)"
    r"(?=[/\\\"'\s:,;)\]}]|\Z)"
)
_SHARED: Final = ("/Users/Shared", "/home/jovyan")
"""Homes of nobody in particular."""
SHORTEST: Final = 8
"""Characters of a value of the environment that is looked for."""
IN_CODE: Final = (
    "read it from the environment instead: os.environ[NAME]; .env.example then names it, and the value stays with you"
)
IN_PATH: Final = "write the path relative to the notebook, or read it from the environment"


def home_in(text: str) -> str | None:
    """A path of somebody's home in a text."""
    own = str(Path.home())
    if len(own) > 1 and re.search(rf"(?<![\w.]){re.escape(own)}(?![\w.-])", text):
        return own
    return next((found[0] for found in _HOMES.finditer(text) if found[0] not in _SHARED), None)


def without_homes(text: str) -> str:
    """A text in which each home is `~`."""
    own = str(Path.home())
    if len(own) > 1:
        text = re.sub(rf"(?<![\w.]){re.escape(own)}(?![\w.-])", "~", text)
    return _HOMES.sub(lambda found: found[0] if found[0] in _SHARED else "~", text)


def prose(text: str) -> str:
    """A text for people, without what must not leave."""
    return without_homes(masked(text))


def safe_code(text: str, place: str, secrets: Collection[str] = ()) -> str:
    """Code as it may be written: its comments are cleared. Raises `ExportError` for what stands in the code itself."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            value = node.value if isinstance(node.value, str) else node.value.decode("latin-1")
            home = home_in(value)
            if home is not None:
                raise ExportError(
                    f"{place}, line {node.lineno}: the path {home} exists on this machine only; {IN_PATH}"
                )
            if looks_secret(value) or value in secrets:
                raise ExportError(f"{place}, line {node.lineno}: a credential stands in the code; {IN_CODE}")
    cleared = _comments_cleared(text)
    if holds_credential(cleared):
        shown = [line.strip() for line in redacted(cleared).split("\n") if "***" in line]
        raise ExportError(f"{place}: a credential stands in the code{f' (`{shown[0]}`)' if shown else ''}; {IN_CODE}")
    return cleared


def _comments_cleared(text: str) -> str:
    lines = text.split("\n")
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, SyntaxError):
        return text
    for token in tokens:
        if token.type == tokenize.COMMENT and prose(token.string) != token.string:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column] + prose(token.string)
    return "\n".join(lines)


def secrets_of(environment: Iterable[EnvironmentKey]) -> frozenset[str]:
    """Values of the variables that the code reads, as they are here: they must be nowhere in what is written."""
    values = {os.environ.get(key.name, "") for key in environment}
    return frozenset(value for value in values if len(value) >= SHORTEST)


def cleared(selection: Selection) -> Selection:
    """A selection without what must not leave. Raises `ExportError`."""
    from dataclasses import replace

    secrets = secrets_of(selection.environment)
    pieces: list[Piece | Section] = []
    for part in selection.pieces:
        if isinstance(part, Section):
            pieces.append(replace(part, text=prose(part.text)))
        else:
            pieces.append(replace(part, text=safe_code(part.text, f"cell {part.cell}", secrets)))
    modules = [
        replace(each, source=safe_code(each.source, f"module {each.dotted}", secrets)) for each in selection.modules
    ]
    roots = [replace(root, description=prose(root.description)) for root in selection.roots]
    for name, value in selection.bundled.items():
        check_json(value, f"the bundled value of `{name}`")
    return replace(selection, pieces=pieces, modules=modules, roots=roots)


def check_json(data: bytes, place: str) -> None:
    """Raise `ExportError` where a JSON text holds what must not leave."""
    value: Any = json.loads(data)
    if without_credentials(value) != value:
        raise ExportError(f"{place} holds a credential; {IN_CODE}")
    check_bytes(data, place)


def check_bytes(data: bytes, place: str, secrets: Collection[str] = ()) -> None:
    """Raise `ExportError` where bytes hold what must not leave."""
    text = data.decode("latin-1")
    if looks_secret(text) or any(secret in text for secret in secrets):
        raise ExportError(f"{place} holds a credential: take it out, or leave this out of the export")
    home = home_in(text)
    if home is not None:
        raise ExportError(f"{place} holds the path {home}, which exists on this machine only; {IN_PATH}")


def check_files(files: Mapping[str, bytes], secrets: Collection[str]) -> None:
    """The last look, at all that will be written. Raises `ExportError`."""
    for path, data in files.items():
        check_bytes(data, path, secrets)
