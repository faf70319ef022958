"""Files beside the notebook that its code reads.

Rules of this file
- A file goes in when it is named by a literal relative path, is there, and lies in the notebook's folder; `.env` never.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from jupyter_durable.code.credentials import looks_secret
from jupyter_durable.core.escaping import escaped
from jupyter_durable.export.selection import DataFile
from jupyter_durable.export.slicing.imports import Imports
from jupyter_durable.export.slicing.problems import Problem

SMALL: Final = 1_000_000
"""Bytes of a file that may be read at import."""
LARGE: Final = 100_000_000
"""Bytes of a file that is not copied without being asked for."""
_LOOKS_LIKE_PATH: Final = re.compile(r"/|\w\.\w{1,8}\Z")
_WRITES: Final = re.compile(r"to_|save|dump|write|print|mkdir|unlink|touch")
_OPENERS: Final = re.compile(
    r"(?:open|Path|PurePath|read_\w+|load\w*|imread|from_file|from_csv|genfromtxt|safe_load|FileSystemLoader|copy\w*|ZipFile"
    r"|File|ImageFont|truetype|connect|scan_\w+|parse)"
)
"""Names of what is given the path of a file to read."""


class Files:
    """The files beside one notebook."""

    def __init__(self, directory: Path, imports: Imports) -> None:
        self._directory = directory
        self._imports = imports

    def named(self, node: ast.AST) -> list[Path]:
        """Files that a piece of source reads by a literal relative path, as written; folders by what is in them."""
        found: dict[Path, None] = {}
        for text in _paths(node, self._imports):
            path = Path(text)
            if not self.is_there(path):
                continue
            inside = self._directory / path
            if inside.is_dir():
                within = (each for each in sorted(inside.rglob("*")) if each.is_file())
                found.update({each.relative_to(self._directory): None for each in within})
            else:
                found[path] = None
        return [path for path in found if not path.name.startswith(".env") and "__pycache__" not in path.parts]

    def is_there(self, path: Path) -> bool:
        """Whether this is a relative path to something in the notebook's folder, or above it."""
        try:
            return bool(path.parts) and not path.is_absolute() and (self._directory / path).exists()
        except (OSError, ValueError):
            return False

    def read_small(self, node: ast.AST) -> bool:
        """Whether a piece of source names files beside the notebook, all of which are small."""
        named = self.named(node)
        return bool(named) and all(self.size(path) <= SMALL for path in named)

    def size(self, path: Path) -> int:
        """Bytes of a file."""
        try:
            return (self._directory / path).stat().st_size
        except OSError:
            return 0

    def problems(self, file: DataFile) -> Iterator[Problem]:
        """Why a file cannot go in."""
        shown = escaped(str(file.path))
        if ".." in file.path.parts:
            yield Problem(
                f"cell {file.cell}: {shown} lies outside of the notebook's folder, so it cannot go in with it. "
                "Put it beside the notebook, or read its folder from an environment variable.",
                cell=file.cell,
            )
            return
        if (self._directory / file.path).is_symlink() and not _inside(self._directory / file.path, self._directory):
            yield Problem(f"cell {file.cell}: {shown} is a link to a file elsewhere. Put the file itself there.")
            return
        size = self.size(file.path)
        if size > LARGE:
            yield Problem(
                f"cell {file.cell}: {shown} has {size // 1_000_000:,} MB, too much to be copied into an export. Give "
                "the application its path by an environment variable (`os.environ[…]`).",
                cell=file.cell,
            )
        elif size <= SMALL and _holds_secret(self._directory / file.path):
            yield Problem(
                f"cell {file.cell}: in {shown} stands what looks like a key or a password, and an export must hold "
                "none. Read it from an environment variable (`os.environ[…]`).",
                cell=file.cell,
            )


def _inside(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def _holds_secret(path: Path) -> bool:
    try:
        return looks_secret(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError):
        return False


def _paths(node: ast.AST, imports: Imports) -> Iterator[str]:
    """Literal texts of a piece of source that may be paths of files."""
    for part in ast.walk(node):
        if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Div):
            joined = _joined(part)
            if joined is not None:
                yield joined
        if isinstance(part, ast.Call):
            name = getattr(part.func, "attr", getattr(part.func, "id", ""))
            if imports.dotted(part.func) == "os.path.join" or (name in ("Path", "PurePath") and len(part.args) > 1):
                joined = _parts(part.args)
                if joined is not None:
                    yield joined
            elif _OPENERS.fullmatch(name) and not _writes(part):
                given = [*part.args[:1], *(word.value for word in part.keywords)]
                yield from (text for each in given if (text := _text(each)) is not None)
        text = _text(part)
        if text is not None and _LOOKS_LIKE_PATH.search(text) and "\n" not in text and not _is_written(node, text):
            yield text


def _text(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and 0 < len(node.value) < 260:
        return node.value
    return None


def _joined(node: ast.expr) -> str | None:
    """`data/x.csv` of `Path("data") / "x.csv"`."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        left, right = _joined(node.left), _text(node.right)
        return f"{left}/{right}" if left is not None and right is not None else None
    if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in ("Path", "PurePath"):
        return _parts(node.args) if node.args else "."
    return None


def _parts(nodes: list[ast.expr]) -> str | None:
    texts = [_text(each) for each in nodes]
    return None if None in texts else "/".join(text for text in texts if text is not None)


def _writes(call: ast.Call) -> bool:
    """Whether `open` is told to write."""
    given = [*call.args[1:2], *(word.value for word in call.keywords if word.arg == "mode")]
    return any(set(mode) & set("wxa") for mode in map(_text, given) if mode is not None)


def _is_written(node: ast.AST, text: str) -> bool:
    """Whether something is written to a file of that name: `to_csv("out.csv")`, `savefig("plot.png")`."""
    for part in ast.walk(node):
        if isinstance(part, ast.Call) and text in map(_text, [*part.args, *(word.value for word in part.keywords)]):
            name = getattr(part.func, "attr", getattr(part.func, "id", ""))
            return _writes(part) if name == "open" else _WRITES.match(name) is not None
    return False
