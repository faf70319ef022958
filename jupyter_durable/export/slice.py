"""Which of a notebook's code goes into an export: the one call that the CLI, the kernel and the targets make.

Rules of this file
- Nothing runs and nothing is imported; a notebook that cannot be exported is one `ExportError` with all its reasons.
- The rooms that decide are in `slicing`; here they are asked in order, and their answers become records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jupyter_durable.export.selection import Cell, Notebook, Root, Selection
from jupyter_durable.export.slicing import modules
from jupyter_durable.export.slicing.cells import Split, split
from jupyter_durable.export.slicing.flow import Flow
from jupyter_durable.export.slicing.imports import OURS, Imports
from jupyter_durable.export.slicing.modules import LocalModules
from jupyter_durable.export.slicing.pieces import pieces_of
from jupyter_durable.export.slicing.problems import raise_for
from jupyter_durable.export.slicing.roots import durable_of, roots_of
from jupyter_durable.export.slicing.slicer import Asked, Slicer


def select(
    notebook: Notebook,
    apps: Sequence[str] = (),
    *,
    include: Sequence[str] = (),
    bundled: Mapping[str, bytes] | None = None,
) -> Selection:
    """All that goes into an export of a notebook, and why.

    apps: Applications, or durable functions and classes, by name; all applications of the notebook where none is named.
    include: Names of globals that may be computed when the module is imported.
    bundled: JSON texts in UTF-8, by the name that the module binds their value to.

    Raises `ExportError` that tells everything that stands in the way, with the cells and the ways out.
    """
    parts = _split(notebook)
    imports = Imports(parts.statements)
    roots = roots_of(parts, imports, apps)
    asked = Asked(frozenset(include), frozenset(bundled or ()))
    local = _local(notebook, parts)
    slicer = Slicer(parts, _flow(parts, local), asked, lambda _: None)
    _walk(slicer, roots)
    order = slicer.order()
    raise_for(slicer.problems)
    for kept in order:
        local.take(kept.statement.node)
    return Selection(
        notebook.name,
        tuple(roots),
        tuple(pieces_of(notebook, order)),
        tuple(local.taken[name] for name in sorted(local.taken)),
        tuple(sorted(local.outside)),
        bundled={name: value for name, value in (bundled or {}).items() if name in slicer.bundled},
    )


def durable_roots(notebook: Notebook) -> list[Root]:
    """All durable functions of a notebook, in order: what may be chosen. None where there are none."""
    parts = _split(notebook)
    return durable_of(parts, Imports(parts.statements))


def _walk(slicer: Slicer, roots: Sequence[Root]) -> None:
    for root in roots:
        slicer.root(root.name)
    slicer.rule()
    slicer.run()


def _split(notebook: Notebook) -> Split:
    """The statements of a notebook, with the import of the decorator that `%%durable` stands for."""
    found = split(notebook.cells)
    if not found.durable:
        return found
    binders = [each for each in found.statements if "function" in each.reading.binds and each.ruling != "exclude"]
    if binders and all(Imports([each]).names.get("function") == f"{OURS}.function" for each in binders):
        return found
    written, line = (
        ("function", f"from {OURS} import function") if not binders else (f"{OURS}.function", f"import {OURS}")
    )
    first = found.durable[0]
    return split([Cell(first.id, first.number, "code", line), *notebook.cells], written)


def _local(notebook: Notebook, parts: Split) -> LocalModules:
    written: dict[str, str] = {}
    for cell, note in parts.notes:
        if note.magic in ("%%writefile", "%%file") and note.said.endswith(".py") and "-a" not in note.said.split():
            written[note.said.split()[-1].removeprefix("./")] = cell.source.partition("\n")[2] + "\n"
    folders = modules.folders(notebook.directory, [each.node for each in parts.statements])
    return LocalModules(folders, written)


def _flow(parts: Split, local: LocalModules) -> Flow:
    kept = [each for each in parts.statements if each.ruling != "exclude"]
    stars = {
        each.place: local.star(modules.resolved(0, each.reading.star.lstrip("."), ""))
        for each in kept
        if each.reading.star
    }
    return Flow(kept, stars)
