"""Which of a notebook's code goes into an export: the one call that the CLI, the kernel and the targets make.

Rules of this file
- Nothing runs and nothing is imported; a notebook that cannot be exported is one `ExportError` with all its reasons.
- The rooms that decide are in `slicing`; here they are asked in order, and their answers become records.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from jupyter_durable.export.selection import (
    Cell,
    DataFile,
    EnvironmentKey,
    Notebook,
    Root,
    Selection,
)
from jupyter_durable.export.slicing import modules, problems
from jupyter_durable.export.slicing.cells import Split, split
from jupyter_durable.export.slicing.changes import changes_in
from jupyter_durable.export.slicing.cost import Cost
from jupyter_durable.export.slicing.deciding import decisions
from jupyter_durable.export.slicing.environment import Environment
from jupyter_durable.export.slicing.files import Files
from jupyter_durable.export.slicing.flow import Flow
from jupyter_durable.export.slicing.forbidden import harmless, in_selection
from jupyter_durable.export.slicing.hidden import hidden
from jupyter_durable.export.slicing.imports import OURS, Imports
from jupyter_durable.export.slicing.installs import requirements_of
from jupyter_durable.export.slicing.modules import LocalModules
from jupyter_durable.export.slicing.pieces import pieces_of
from jupyter_durable.export.slicing.problems import Problem
from jupyter_durable.export.slicing.roots import durable_of, roots_of
from jupyter_durable.export.slicing.slicer import Asked, Kept, Slicer


def select(
    notebook: Notebook,
    apps: Sequence[str] = (),
    *,
    include: Sequence[str] = (),
    bundled: Mapping[str, bytes] | None = None,
) -> Selection:
    """All that goes into an export of a notebook, and why.

    apps: Applications, or durable functions and classes, by name; all applications of the notebook where none is named.
    include: Names of globals that may be computed, and changed, when the module is imported.
    bundled: JSON texts in UTF-8, by the name that the module binds their value to.

    Raises `ExportError` that tells everything that stands in the way, with the cells and the ways out.
    """
    export = _Export.of(notebook)
    roots = roots_of(export.parts, export.imports, apps)
    slicer = export.slicer(Asked(frozenset(include), frozenset(bundled or ())))
    slicer.walk([root.name for root in roots])
    order = slicer.order()
    found = [*slicer.problems, *slicer.lost_changes()]
    for kept in order:
        export.local.take(kept.statement.node)
    pieces = tuple(map(harmless, pieces_of(notebook, order)))
    files = list(export.files_of(order))
    requirements = list(export.requirements())
    found += [
        *export.local.problems,
        *in_selection(pieces, export.local.taken.values(), requirements),
        *export.of_files(files),
    ]
    problems.raise_for(found)
    return Selection(
        notebook.name,
        tuple(roots),
        pieces,
        tuple(export.local.taken[name] for name in sorted(export.local.taken)),
        tuple(sorted(export.local.outside)),
        tuple(requirements),
        tuple(export.environment(order)),
        tuple(files),
        tuple(decisions(export.parts, slicer.kept, slicer.moved(order), export.imports)),
        {name: value for name, value in (bundled or {}).items() if name in slicer.bundled},
    )


def durable_roots(notebook: Notebook) -> list[Root]:
    """All durable functions of a notebook, in order: what may be chosen. None where there are none."""
    parts = _split(notebook)
    return durable_of(parts, Imports(parts.statements))


@dataclass(frozen=True, slots=True)
class _Export:
    """What is known of a notebook before anything of it is chosen."""

    notebook: Notebook
    parts: Split
    imports: Imports
    local: LocalModules
    files: Files

    @classmethod
    def of(cls, notebook: Notebook) -> _Export:
        parts = _split(notebook)
        parts = replace(parts, hidden=tuple(hidden(parts.notes, notebook.directory)))
        imports = Imports(parts.statements)
        return cls(notebook, parts, imports, _local(notebook, parts), Files(notebook.directory, imports))

    def slicer(self, asked: Asked) -> Slicer:
        flow = self._flow()
        changes = changes_in(self.parts.statements, self.imports, flow)
        cost = Cost(self.imports, flow, self.files.read_small)
        return Slicer(self.parts, flow, asked, cost.of, changes)

    def _flow(self) -> Flow:
        used = [each for each in self.parts.statements if each.ruling != "exclude"]
        stars = {each.place: self.local.star(star.lstrip(".")) for each in used if (star := each.reading.star)}
        return Flow(used, stars)

    def requirements(self) -> Iterator[str]:
        """What the notebook installs, once each."""
        found = [each for _, note in self.parts.notes for each in requirements_of(note, self.notebook.directory)]
        yield from dict.fromkeys(found)

    def files_of(self, order: Sequence[Kept]) -> Iterator[DataFile]:
        """Files that what goes in reads, each once."""
        seen = set()
        for kept in order:
            for path in self.files.named(kept.statement.node):
                if path not in seen:
                    seen.add(path)
                    yield DataFile(path, kept.statement.number)

    def of_files(self, files: Sequence[DataFile]) -> Iterator[Problem]:
        """Why files cannot go in."""
        for file in files:
            yield from self.files.problems(file)

    def environment(self, order: Sequence[Kept]) -> list[EnvironmentKey]:
        """Variables that what goes in reads, and that the notebook sets."""
        found = Environment(self.imports)
        kept = {each.statement.place: each.statement for each in order}
        for statement in self.parts.statements:
            if statement.place in kept:
                found.read_by(statement)
            elif statement.ruling != "exclude":
                found.set_by(statement)
        for module in self.local.taken.values():
            found.read_by_module(module, kept.values())
        found.noted(self.parts.notes)
        return found.keys()


def _split(notebook: Notebook) -> Split:
    """The statements of a notebook, with the import of the decorator that `%%durable` stands for."""
    found = split(notebook.cells)
    if not found.durable:
        return found
    binders = [each for each in found.statements if "function" in each.reading.binds and each.ruling != "exclude"]
    if binders and all(Imports([each]).names.get("function") == f"{OURS}.function" for each in binders):
        return found
    name, line = (f"{OURS}.function", f"import {OURS}") if binders else ("function", f"from {OURS} import function")
    first = found.durable[0]
    return split([Cell(first.id, first.number, "code", line), *notebook.cells], name)


def _local(notebook: Notebook, parts: Split) -> LocalModules:
    written: dict[str, tuple[int, str]] = {}
    for cell, note in parts.notes:
        if note.magic in ("%%writefile", "%%file") and note.said.endswith(".py") and "-a" not in note.said.split():
            written[note.said.split()[-1].removeprefix("./")] = cell.number, _body(cell.source)
    return LocalModules(modules.folders(notebook.directory, [each.node for each in parts.statements]), written)


def _body(source: str) -> str:
    """What a `%%writefile` cell writes."""
    return source.lstrip().partition("\n")[2] + "\n"
