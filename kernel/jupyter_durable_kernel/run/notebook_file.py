"""The notebook that `jupyter durable run` reads and the one it writes.

Rules of this file
- What is written replaces the file at once and whole: a killed run leaves the notebook as of its last finished cell.
- The place of a view that never came shows nothing, and is not written.
- Parameters stand in a cell of their own behind the one tagged `parameters`, as papermill has it.
"""

from __future__ import annotations

import contextlib
import copy
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import nbformat

from jupyter_durable.code.statements import top_level_bindings
from jupyter_durable.errors import SDKUsageError
from jupyter_durable_kernel.view.saved_forms import is_empty

TAG: Final = "parameters"
INJECTED: Final = "injected-parameters"
_FORMAT: Final[Any] = nbformat  # its functions have no types


def read(path: Path, parameters: Mapping[str, Any]) -> Any:
    """The notebook to execute, without outputs. Raises `SDKUsageError`."""
    try:
        notebook = _FORMAT.read(path, as_version=4)
    except (OSError, UnicodeDecodeError, nbformat.reader.NotJSONError, nbformat.ValidationError) as error:
        reason = str(error).partition("\n")[0]
        raise SDKUsageError(f"{path} cannot be read as a notebook: {reason}") from error
    notebook.cells = [cell for cell in notebook.cells if not (parameters and INJECTED in _tags(cell))]
    if parameters:
        _inject(notebook, path, parameters)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def _tags(cell: Any) -> list[str]:
    return list(cell.metadata.get("tags", ()))


def _inject(notebook: Any, path: Path, parameters: Mapping[str, Any]) -> None:
    at = next((n for n, cell in enumerate(notebook.cells) if TAG in _tags(cell)), None)
    if at is None:
        raise SDKUsageError(f"{path.name} has no cell tagged `{TAG}`: tag the cell that gives the defaults")
    with contextlib.suppress(SyntaxError):  # a magic among the defaults: then any name will do
        known = top_level_bindings(notebook.cells[at].source)
        unknown = sorted(set(parameters) - known)
        if unknown:
            there = ", ".join(sorted(known)) or "none"
            raise SDKUsageError(f"{path.name} has no parameter {', '.join(unknown)}; its parameters are {there}")
    source = "\n".join(["# Parameters", *(f"{name} = {value!r}" for name, value in parameters.items())])
    cell = _FORMAT.v4.new_code_cell(source, id=INJECTED, metadata={"tags": [INJECTED]})
    if (notebook.nbformat, notebook.nbformat_minor) < (4, 5):
        del cell["id"]
    notebook.cells.insert(at + 1, cell)


def write(notebook: Any, path: Path) -> None:
    """Put the notebook there in one move. Raises `SDKUsageError` when the place cannot be written."""
    try:
        descriptor, written = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                _FORMAT.write(_shown(notebook), file)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(written, path.stat().st_mode if path.exists() else 0o666 & ~_umask())
            os.replace(written, path)
        except BaseException:
            Path(written).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise SDKUsageError(
            f"{path} cannot be written: {error.strerror or error}; choose another place with -o"
        ) from error


def _shown(notebook: Any) -> Any:
    """The notebook without outputs that show nothing. The other one stays: it is still written to."""
    made = copy.copy(notebook)
    made.cells = [copy.copy(cell) for cell in notebook.cells]
    for cell in made.cells:
        if cell.cell_type == "code":
            cell.outputs = [each for each in cell.outputs if not is_empty(each.get("data", {}))]
    return made


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
