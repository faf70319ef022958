"""What a notebook asked for by `%pip install` and its kin: requirements, as they are written."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from jupyter_durable.export.slicing.lines import Note

_INSTALL: Final = re.compile(
    r"^(?:.*?[;&|]\s*)?(?:sudo\s+)?(?:(?:\{sys\.executable\}|\S*python[\d.]*)\s+-m\s+)?"
    r"(?P<tool>uv\s+pip|uv|pip3?|conda|mamba)\s+(?:install|add)\s+(?P<rest>.*)$"
)
_VALUED: Final = frozenset(
    {"-r", "--requirement", "-c", "--constraint", "-e", "--editable", "-t", "--target", "-i", "--index-url", "-f",
     "--prefix", "--extra-index-url", "--find-links", "--trusted-host", "--python", "--platform", "-n", "--name",
     "--channel", "--root"}
)  # fmt: skip
"""Options that take the next word."""
_ENDS: Final = re.compile(r"&&|\|\|?|;|&|\d?>")
"""What ends a command of the shell, as a word of its own."""
_NAME: Final = re.compile(r"[A-Za-z0-9][\w.-]*(?:\[[\w,.\s-]*\])?\s*(?:(?:[<>=!~]=?=?|@).*)?")


def requirements_of(note: Note, directory: Path) -> Iterator[str]:
    """The requirements that a line installs; nothing for another line. Files of requirements are read."""
    line = note.said
    if note.magic in ("%pip", "%conda", "%mamba", "%uv") and not _INSTALL.match(line):
        line = f"{note.magic[1:]} {line}"
    elif note.magic not in ("!", "%pip", "%conda", "%mamba", "%uv", "%system", "%sx"):
        return
    found = _INSTALL.match(re.sub(r"\s#.*$", "", line))
    if found is None:
        return
    conda = found["tool"] in ("conda", "mamba")
    yield from _words(found["rest"], directory, conda=conda)


def _words(rest: str, directory: Path, *, conda: bool) -> Iterator[str]:
    try:
        words = iter(shlex.split(rest))
    except ValueError:
        words = iter(rest.split())
    for word in words:
        if _ENDS.match(word):
            return
        if word in ("-r", "--requirement"):
            yield from _of_file(directory / next(words, ""))
        elif word in _VALUED or (conda and word == "-c"):
            next(words, None)
        elif word.startswith("-r") and len(word) > 2:
            yield from _of_file(directory / word[2:])
        elif not word.startswith("-") and _is_requirement(word):
            yield re.sub(r"(?<![=<>!~])=(?!=)", "==", word) if conda else word


def _is_requirement(word: str) -> bool:
    """Not a path, a variable of the shell, or a formatted name."""
    if word.startswith(("git+", "https://", "http://")):
        return True
    name = word.partition("@")[0]
    return _NAME.fullmatch(word) is not None and "/" not in name and not name.endswith((".whl", ".gz"))


def _of_file(path: Path) -> Iterator[str]:
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return  # it is not there any more; what is imported is found without it
    for line in lines:
        said = re.sub(r"(^|\s)#.*$", "", line).strip()
        if said and not said.startswith("-"):
            yield said
