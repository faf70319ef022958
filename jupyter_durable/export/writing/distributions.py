"""Which distributions the imports of the code come from.

Rules of this file
- Nothing is imported to find out. A distribution owns a module when its RECORD holds the module's file: the names that
  `packages_distributions` gives are those of all who put something into that folder, which may be another one.
- A requirement that the notebook wrote down is kept as it was written; else what is installed here is the least.
"""

from __future__ import annotations

import ast
import importlib.metadata as metadata
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

from jupyter_durable.export.writing.records import Distribution
from jupyter_durable.records import NamedTuple

OURS: Final = "jupyter-durable"
_REQUIREMENT: Final = re.compile(r"\s*(?P<name>[A-Za-z0-9][\w.-]*)\s*(?P<extras>\[[^\]]*\])?\s*(?P<rest>.*?)\s*\Z")
_SUFFIXES: Final = ("/__init__.py", ".py", "/__init__.pyi")


class Found(NamedTuple):
    """What the code needs, and what is to be said of it."""

    distributions: list[Distribution]
    notes: list[str]


def modules_imported(texts: Iterable[str]) -> set[str]:
    """Dotted names of what these texts import, what is taken from a module included: it may be one."""
    found: set[str] = set()
    for text in texts:
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                found.update(each.name for each in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                found.update(f"{node.module}.{each.name}" for each in node.names)
    return found


class Known(NamedTuple):
    """A distribution that is installed here."""

    name: str
    """As it writes it itself."""
    version: str
    requires: tuple[str, ...]


class Environment:
    """What is installed here, each distribution read once."""

    def __init__(self) -> None:
        self._known: dict[str, Known | None] = {}
        self._files: dict[str, frozenset[str]] = {}
        self._owners: Mapping[str, list[str]] | None = None

    def known(self, name: str) -> Known | None:
        """A distribution by its name; None: it is not installed."""
        key = canonical(name)
        if key not in self._known:
            try:
                said = metadata.distribution(name).metadata
                requires = tuple(said.get_all("Requires-Dist") or ())
                self._known[key] = Known(said["Name"], said["Version"], requires)
            except metadata.PackageNotFoundError:
                self._known[key] = None
        return self._known[key]

    def owner_of(self, dotted: str) -> str | None:
        """The distribution whose RECORD holds a module, or the longest part of its name that is one; None: none."""
        parts = dotted.split(".")
        candidates = self._candidates(parts[0])
        for length in range(len(parts), 0, -1):
            stem = "/".join(parts[:length])
            for name in candidates:
                if _holds(self._files_of(name), stem):
                    return name
        return candidates[0] if len(candidates) == 1 else None

    def _candidates(self, top: str) -> list[str]:
        if self._owners is None:
            self._owners = metadata.packages_distributions()
        return list(dict.fromkeys(self._owners.get(top, ())))

    def _files_of(self, name: str) -> frozenset[str]:
        if name not in self._files:
            self._files[name] = frozenset(path.as_posix() for path in metadata.distribution(name).files or ())
        return self._files[name]


def _holds(files: Collection[str], stem: str) -> bool:
    if any(f"{stem}{suffix}" in files for suffix in _SUFFIXES):
        return True
    return any(file.startswith(f"{stem}.") and file.endswith((".so", ".pyd")) for file in files)


def canonical(name: str) -> str:
    """A name as all its spellings have it in common."""
    return re.sub(r"[-_.]+", "-", name).lower()


def found_for(here: Environment, imports: Sequence[str], dotted: Collection[str], requirements: Sequence[str]) -> Found:
    """The distributions of the modules `imports`, top-level names, of which `dotted` is imported."""
    wanted: dict[str, list[str]] = {}
    notes: list[str] = []
    for top in sorted(set(imports) - {"jupyter_durable"}):
        names = [name for name in dotted if name == top or name.startswith(f"{top}.")] or [top]
        owners = sorted({owner for name in names for owner in [here.owner_of(name)] if owner is not None})
        if not owners:
            notes.append(f"`{top}` is in no distribution that is installed here; {OURS} took its name for it")
        for owner in owners or [top.replace("_", "-")]:
            wanted.setdefault(owner, []).append(top)
    asked = dict(_asked(requirements, notes))
    by_key = {canonical(owner): owner for owner in wanted}
    found = []
    for key in sorted({*by_key, *asked}):
        name = by_key.get(key) or _requirement_name(asked[key])
        known = here.known(name)
        least = f"{name}>={known.version}" if known is not None else name
        written = asked.get(key)
        said = written if written is not None and _REQUIREMENT.match(written)["rest"] else None  # type: ignore[index]
        found.append(
            Distribution(
                name,
                known.version if known is not None else None,
                said or _with_extras(least, written),
                tuple(wanted.get(name, ())),
            )
        )
    return Found(found, notes)


def _asked(requirements: Sequence[str], notes: list[str]) -> Iterator[tuple[str, str]]:
    """What the notebook asked for itself, by name; the last one of a name holds."""
    for text in requirements:
        found = _REQUIREMENT.match(text)
        if found is None or text.lstrip().startswith("-") or found["rest"].startswith(("/", "\\", ":")):
            notes.append(f"the requirement {text!r} of the notebook is no name of a distribution, and was left out")
        elif canonical(found["name"]) != OURS:
            yield canonical(found["name"]), text.strip()


def _requirement_name(text: str) -> str:
    found = _REQUIREMENT.match(text)
    return found["name"] if found is not None else text


def _with_extras(requirement: str, written: str | None) -> str:
    """A requirement with the extras that were asked for: `dask[array]`."""
    found = _REQUIREMENT.match(written or "")
    if found is None or not found["extras"]:
        return requirement
    return re.sub(r"\A[\w.-]+", lambda name: f"{name[0]}{found['extras']}", requirement)
