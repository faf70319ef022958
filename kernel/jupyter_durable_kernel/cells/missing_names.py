"""What a cell needs of a kernel before it can go on with its request.

Rules of this file
- Nothing runs: its text is read, and the recorded code of its request says how each name was made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from IPython.core.inputtransformer2 import TransformerManager

from jupyter_durable.client import trusted, versions
from jupyter_durable.core.model import RequestRow
from jupyter_durable_kernel.cells.decorating import text_of
from jupyter_durable_kernel.cells.head import as_comments

if TYPE_CHECKING:
    from jupyter_durable.client.engine import Engine

OF_THE_SHELL: Final = frozenset({"display", "get_ipython", "__IPYTHON__"})
"""Names that are there while a cell runs, and only then."""


def missing(engine: Engine, row: RequestRow, source: str) -> list[str]:
    """Names that a cell and its functions read and this kernel has not, with what makes each: a line each."""
    manager = TransformerManager()  # type: ignore[no-untyped-call]  # IPython's
    manager.cleanup_transforms.append(as_comments)
    try:
        text = text_of(source, manager.transform_cell(source), manager.transform_cell).source
    except SyntaxError:
        return []  # the cell itself will say so
    reading = versions.Reading({}, text)
    lacking = versions.lacking(reading, lambda: trusted.code_of(engine, row), engine.signer)
    known = dict(zip(lacking.names, lacking.lines, strict=True))
    names = {*reading.absent_from_cell(), *lacking.names} - OF_THE_SHELL
    return [known.get(name, f"`{name}`: run the cell that makes it") for name in sorted(names)]
