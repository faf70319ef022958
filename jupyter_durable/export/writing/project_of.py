"""A project made of a selection: package, modules, files, distributions and exact versions."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from jupyter_durable.errors import ExportError
from jupyter_durable.export.selection import Piece, Selection
from jupyter_durable.export.writing import canary, distributions, local_modules, locking, naming
from jupyter_durable.export.writing.module_text import Names, docstring, module_text
from jupyter_durable.export.writing.records import Project, Recording

OWN: Final = f"{distributions.OURS}[server]"
MOST_BYTES: Final = 50 * 1024 * 1024
"""Of a file that comes along."""


def project_of(
    selection: Selection, directory: Path, name: str | None, recorded: Sequence[Recording], notes: list[str]
) -> Project:
    """What a target is given. `directory`: where the notebook's files are. Raises `ExportError`."""
    selection = canary.cleared(selection)
    secrets = canary.secrets_of(selection.environment)
    local = frozenset(module.dotted.partition(".")[0] for module in selection.modules)
    package = naming.package_name(selection.notebook, name, selection.imports)
    main = naming.main_module(local)
    files = {each.path.as_posix(): naming.data_path(PurePosixPath(each.path.as_posix())) for each in selection.files}
    names = Names(package, local, files)
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    texts = {"__init__.py": docstring(_summary(selection)) + "\n", f"{main}.py": module_text(selection, names)}
    for module in selection.modules:
        path = naming.module_path(module.dotted, is_package=module.is_package)
        texts[path] = local_modules.in_package(module.source, package, local, files)
    data = {
        f"{naming.FILES}/{files[each.path.as_posix()]}": _read(directory / each.path, secrets)
        for each in selection.files
    }
    data |= {f"{naming.FILES}/{each}.json": value for each, value in selection.bundled.items()}
    if data:
        texts[f"{naming.FILES}/__init__.py"] = local_modules.finder_text()
    for path, text in texts.items():
        _compiles(path, text)
    here = distributions.Environment()
    sources = [piece.text for piece in selection.pieces if isinstance(piece, Piece)]
    sources += [module.source for module in selection.modules]
    found = distributions.found_for(
        here, selection.imports, distributions.modules_imported(sources), selection.requirements
    )
    notes += found.notes
    lock = locking.locked(here, [OWN, *(each.requirement for each in found.distributions)], notes)
    return Project(package, main, selection, texts, data, found.distributions, lock, python, tuple(recorded))


def _summary(selection: Selection) -> str:
    names = ", ".join(root.function for root in selection.roots)
    return f"{names}: exported from the notebook {selection.notebook}."


def _read(path: Path, secrets: frozenset[str]) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ExportError(f"the file {path.name}, which the code opens, cannot be read: {error.strerror}") from error
    if len(data) > MOST_BYTES:
        raise ExportError(
            f"the file {path.name} has {len(data):,} bytes, more than goes into an export: load it where it is kept"
        )
    canary.check_bytes(data, f"the file {path.name}", secrets)
    return data


def _compiles(path: str, text: str) -> None:
    try:
        compile(text, path, "exec", dont_inherit=True)
    except SyntaxError as error:
        line = text.split("\n")[(error.lineno or 1) - 1].strip()
        raise ExportError(f"{path} would not be Python: {error.msg}, at `{line}`") from error
