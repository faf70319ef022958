"""A project written of a selection: planned as a whole, then put into a directory.

Rules of this file
- `plan` writes nothing, and all that can be wrong is found by it; `write` then puts all of it there, or nothing.
- What is shown before it is written is what is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from jupyter_durable.errors import ExportError
from jupyter_durable.export.selection import Selection
from jupyter_durable.export.targets import target_of
from jupyter_durable.export.writing import canary, differences, folder, manifest, tidy
from jupyter_durable.export.writing.project_of import project_of
from jupyter_durable.export.writing.records import Project, Recording


@dataclass(frozen=True, slots=True)
class Plan(Mapping[str, bytes]):
    """What would be written: files by their relative path."""

    files: Mapping[str, bytes]
    notes: tuple[str, ...]
    """What to know of it, a sentence each."""
    project: Project
    target: str

    def __getitem__(self, path: str) -> bytes:
        return self.files[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self.files)

    def __len__(self) -> int:
        return len(self.files)


@dataclass(frozen=True, slots=True)
class Written:
    """What was done to a directory: relative paths."""

    directory: Path
    created: tuple[str, ...]
    updated: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: tuple[str, ...]
    kept: tuple[str, ...]
    """Edited by hand, and left as they are."""


def plan(
    selection: Selection,
    target: str,
    name: str | None = None,
    *,
    directory: Path | None = None,
    recorded: Sequence[Recording] = (),
) -> Plan:
    """The project that a selection makes. `directory` is the notebook's, where the files lie that go along.

    `name` is the package's, else the notebook's. `recorded` are requests that become tests. Nothing is written. Raises
    `ExportError`.
    """
    write_target = target_of(target)
    notes: list[str] = []
    project = project_of(selection, directory or Path.cwd(), name, recorded, notes)
    files = dict(write_target(project))
    python = {path: data.decode() for path, data in files.items() if path.endswith(".py")}
    tidied = tidy.tidied(python, project.package, project.python)
    files |= {path: text.encode() for path, text in tidied.items()}
    for each in recorded:
        for function, seconds in each.slow.items():
            notes.append(
                f"`{function}` took {seconds:.0f} s in {each.id}; where it is deployed, its timeout is 300 s unless "
                "@function(timeout=…) says otherwise"
            )
    canary.check_files(files, canary.secrets_of(selection.environment))
    for path in files:
        if path.startswith("/") or ".." in path.split("/"):
            raise ExportError(f"{path} would lie outside of the project")
    return Plan(MappingProxyType(files), tuple(notes), project, target)


def write(plan: Plan, directory: Path | str, *, force: bool = False) -> Written:
    """Put a plan into a directory. What was edited there by hand is not written over unless `force` says so.

    Raises `ExportError`; then the directory is as it was.
    """
    place = Path(directory).absolute()
    if place.exists() and not place.is_dir():
        raise ExportError(f"{directory} is no directory; nothing was written")
    with folder.turn(place):
        folder.restore(place)
        before = manifest.read(place)
        found = differences.compared(plan.files, before, place)
        if found.edited and not force:
            raise differences.refusal(plan.files, found)
        updated = [*found.updated, *found.edited]
        files = {path: plan.files[path] for path in [*found.created, *updated]}
        digests = {path: manifest.digest(data) for path, data in plan.files.items()}
        ours = manifest.Manifest(plan.target, plan.project.selection.notebook, digests)
        if before is None or before.text() != ours.text():
            files[manifest.NAME] = ours.text()
        if files or found.removed:
            folder.put(files, found.removed, place, found.seen)
    return Written(
        place,
        tuple(found.created),
        tuple(updated),
        tuple(found.removed),
        tuple(found.unchanged),
        tuple(found.kept),
    )
