"""`%durable export`, and the same for the page: the notebook of this kernel as a project.

Rules of this file
- The code of the notebook is read, not run; of the kernel come the cells that ran, and values that are bundled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from jupyter_durable.errors import ExportError
from jupyter_durable.export import exporting
from jupyter_durable.export.exporting import DEFAULT_TARGET, Foreseen, Wish
from jupyter_durable.export.selection import Cell
from jupyter_durable.export.selection import Notebook as Source
from jupyter_durable_kernel.verbs.notebook import Notebook

KINDS: Final = ("code", "markdown", "raw")


def exported(notebook: Notebook, directory: str, options: Mapping[str, str]) -> str:
    """What `%durable export DIR` does and says. Raises `ExportError`."""
    foreseen = exporting.foresee(notebook.cells.notebook(notebook.path), _wish(notebook, options))
    if "check" in options:
        return foreseen.text
    written = exporting.export(foreseen, notebook.place(directory), force="force" in options)
    return "\n".join([exporting.said(written), *(f"Note: {each}" for each in foreseen.plan.notes)])


def _wish(notebook: Notebook, options: Mapping[str, str]) -> Wish:
    return Wish(
        exporting.names(options.get("app", "")),
        options.get("target", DEFAULT_TARGET),
        exporting.bundled(exporting.names(options.get("bundle", "")), notebook.evaluated),
        exporting.recorded(notebook.engine, exporting.names(options.get("record", ""))),
    )


def for_page(notebook: Notebook, content: Mapping[str, Any]) -> dict[str, Any]:
    """What an export of the page's notebook would hold, or why it cannot be; with `write` it is written.

    Raises `ExportError` for what is to be written and cannot be.
    """
    source = _source(notebook, content["cells"])
    wish = Wish(tuple(map(str, content["apps"])), str(content["target"]))
    place = notebook.place(str(content["directory"]))
    answer: dict[str, Any] = {"folder": str(place), "decisions": [], "files": [], "refusal": "", "roots": []}
    if content.get("write"):
        foreseen = exporting.foresee(source, wish)
        written = exporting.export(foreseen, place, force=bool(content.get("force")))
        return answer | {"folder": str(written.directory), "files": sorted(foreseen.plan.files)}
    answer["roots"] = [each._asdict() for each in exporting.roots(source)]
    try:
        return answer | _shown(exporting.foresee(source, wish))
    except ExportError as refusal:
        return answer | {"refusal": str(refusal)}


def _shown(foreseen: Foreseen) -> dict[str, Any]:
    decisions = [
        {"cell": each.cell, "what": each.what, "kept": each.kept, "why": each.why} for each in foreseen.decisions
    ]
    return {"decisions": decisions, "files": sorted(foreseen.plan.files)}


def _source(notebook: Notebook, cells: Sequence[Mapping[str, Any]]) -> Source:
    """The notebook as the page has it: its file may be older."""
    known = notebook.cells.notebook(notebook.path)
    made = [
        Cell(str(each["id"]), number, each["kind"], str(each["source"]), tuple(map(str, each["tags"])))
        for number, each in enumerate(cells, 1)
        if each["kind"] in KINDS
    ]
    return Source(known.name, known.directory, made)
