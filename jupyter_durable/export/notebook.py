"""A notebook file as it is exported from: its cells, in their order.

Rules of this file
- An .ipynb is JSON and is read as that: the library runs without Jupyter.
- What is no notebook is an `ExportError` that says what it is instead. Nothing of a notebook runs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from jupyter_durable.core.escaping import escaped
from jupyter_durable.errors import ExportError
from jupyter_durable.export.selection import Cell, Notebook

FORMAT: Final = 4
"""The major version of the format that is read; Jupyter has written it since 2015."""
_KINDS: Final[Mapping[object, Literal["code", "markdown", "raw"]]] = {
    "code": "code",
    "markdown": "markdown",
    "raw": "raw",
}


def read_notebook(path: str | Path) -> Notebook:
    """The notebook in a file. Raises `ExportError` for a file that is not there or is no notebook of format 4."""
    path = Path(path)
    shown = escaped(str(path))
    document = _document(path, shown)
    if not isinstance(document, dict) or "nbformat" not in document:
        raise ExportError(f"{shown} is no notebook: it is JSON without an `nbformat`.")
    if document["nbformat"] != FORMAT:
        raise ExportError(
            f"{shown} has notebook format {escaped(str(document['nbformat']))}, and {FORMAT} is read here. "
            "Open and save it in JupyterLab, which brings it up to date."
        )
    cells = document.get("cells")
    if not isinstance(cells, list):
        raise ExportError(f"{shown} is damaged: it has no list of cells.")
    _refuse_other_language(document.get("metadata"), shown)
    made = tuple(_cell(cell, number, shown) for number, cell in enumerate(cells, 1))
    return Notebook(path.stem, path.parent.resolve(), made)


def _document(path: Path, shown: str) -> Any:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ExportError(f"{shown} does not exist.") from None
    except OSError as error:
        raise ExportError(f"{shown} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError:
        raise ExportError(f"{shown} is no notebook: it is not UTF-8.") from None
    try:
        return json.loads(text)
    except RecursionError:
        raise ExportError(f"{shown} is no notebook: its JSON is nested too deeply.") from None
    except ValueError as error:
        what = "it is empty" if not text.strip() else f"it is no JSON ({error})"
        hint = " The export takes an .ipynb." if path.suffix != ".ipynb" else ""
        raise ExportError(f"{shown} is no notebook: {what}.{hint}") from None


def _refuse_other_language(metadata: object, shown: str) -> None:
    found = metadata if isinstance(metadata, dict) else {}
    spec, info = found.get("kernelspec"), found.get("language_info")
    language = (spec.get("language") if isinstance(spec, dict) else None) or (
        info.get("name") if isinstance(info, dict) else None
    )
    if isinstance(language, str) and language.lower() not in ("python", "ipython", ""):
        raise ExportError(f"{shown} is a notebook in {escaped(language)}; only Python can be exported.")


def _cell(cell: object, number: int, shown: str) -> Cell:
    kind = _KINDS.get(cell.get("cell_type")) if isinstance(cell, dict) else None
    if kind is None or not isinstance(cell, dict):
        raise ExportError(f"{shown} is damaged: cell {number} is neither code nor markdown nor raw.")
    source = _text(cell.get("source", ""))
    if source is None:
        raise ExportError(f"{shown} is damaged: the source of cell {number} is no text.")
    metadata, count, id = cell.get("metadata"), cell.get("execution_count"), cell.get("id")
    return Cell(
        id if isinstance(id, str) and id else f"cell-{number}",
        number,
        kind,
        source.replace("\r\n", "\n").replace("\r", "\n"),
        _tags(metadata if isinstance(metadata, dict) else {}),
        count if isinstance(count, int) else None,
    )


def _text(source: object) -> str | None:
    """A cell's source, which is one text or a list of lines."""
    if isinstance(source, Sequence) and all(isinstance(line, str) for line in source):
        return "".join(source)
    return None


def _tags(metadata: Mapping[str, object]) -> tuple[str, ...]:
    tags = metadata.get("tags")
    return tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else ()
