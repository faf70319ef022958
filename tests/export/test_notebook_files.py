"""A notebook file is read without Jupyter; what is none is refused with what it is instead."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jupyter_durable.errors import ExportError
from jupyter_durable.export.notebook import read_notebook


def written(folder: Path, document: Any, name: str = "mine.ipynb") -> Path:
    path = folder / name
    path.write_text(document if isinstance(document, str) else json.dumps(document), "utf-8")
    return path


def document(*cells: dict, **more: Any) -> dict:
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": list(cells), **more}


def code(source: Any, **more: Any) -> dict:
    return {"cell_type": "code", "metadata": {}, "source": source, "outputs": [], "execution_count": None, **more}


def test_cells_are_numbered_over_all_kinds_and_keep_their_ids_and_tags(tmp_path) -> None:
    path = written(
        tmp_path,
        document(
            {"cell_type": "markdown", "metadata": {}, "source": ["# Title\n", "text"], "id": "a"},
            {"cell_type": "raw", "metadata": {}, "source": "raw"},
            code("x = 1\r\ny = 2", id="c", metadata={"tags": ["durable-include", 3]}, execution_count=7),
        ),
    )
    notebook = read_notebook(path)
    assert (notebook.name, notebook.directory) == ("mine", tmp_path)
    assert [(cell.id, cell.number, cell.kind, cell.source) for cell in notebook.cells] == [
        ("a", 1, "markdown", "# Title\ntext"),
        ("cell-2", 2, "raw", "raw"),
        ("c", 3, "code", "x = 1\ny = 2"),
    ]
    assert (notebook.cells[2].tags, notebook.cells[2].execution_count) == (("durable-include",), 7)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is no notebook: it is empty"),
        ("x = 1", "is no notebook: it is no JSON"),
        ("[" * 100_000, "is no notebook: its JSON is nested too deeply"),
        ([1], "is no notebook: it is JSON without an `nbformat`"),
        ({"cells": []}, "is no notebook: it is JSON without an `nbformat`"),
        (document(nbformat=3), "has notebook format 3, and 4 is read here. Open and save it in JupyterLab"),
        ({"nbformat": 4}, "is damaged: it has no list of cells"),
        (document({"cell_type": "heading"}), "is damaged: cell 1 is neither code nor markdown nor raw"),
        ({"nbformat": 4, "cells": [code("x"), 3]}, "is damaged: cell 2 is neither code nor markdown nor raw"),
        (document(code(5)), "is damaged: the source of cell 1 is no text"),
        (document(metadata={"kernelspec": {"language": "R"}}), "is a notebook in R; only Python can be exported"),
        (document(metadata={"language_info": {"name": "julia"}}), "is a notebook in julia; only Python"),
    ],
)
def test_what_is_no_notebook_is_refused(tmp_path, content, said) -> None:
    with pytest.raises(ExportError) as error:
        read_notebook(written(tmp_path, content))
    assert said in error.value.message
    assert "mine.ipynb" in error.value.message


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path) -> None:
    with pytest.raises(ExportError, match="does not exist"):
        read_notebook(tmp_path / "none.ipynb")
    with pytest.raises(ExportError, match="cannot be read"):
        read_notebook(tmp_path)
    (tmp_path / "bytes.ipynb").write_bytes(b"\xff\xfe")
    with pytest.raises(ExportError, match="it is not UTF-8"):
        read_notebook(tmp_path / "bytes.ipynb")
    with pytest.raises(ExportError, match=r"The export takes an \.ipynb"):
        read_notebook(written(tmp_path, "x = 1", "mine.py"))


def test_a_file_with_a_byte_order_mark_is_read(tmp_path) -> None:
    (tmp_path / "bom.ipynb").write_bytes(b"\xef\xbb\xbf" + json.dumps(document(code("x"))).encode())
    assert read_notebook(tmp_path / "bom.ipynb").cells[0].source == "x"
