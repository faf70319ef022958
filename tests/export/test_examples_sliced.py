"""The notebooks of `examples/` go into an export whole, and nothing of their exploration does."""

from __future__ import annotations

import pytest

from jupyter_durable.export.notebook import read_notebook
from jupyter_durable.export.slice import select
from tests.conftest import ROOT
from tests.export.writing import imported, text_of

EXAMPLES = {
    "document_batch": ("measure_all", {"measure", "_imported"}, {"library", "inbox", "rewrite", "shutil", "add"}),
    "model_sweep": ("sweep", {"bayes", "_accuracy", "forest"}, {"configurations", "request", "results", "os"}),
    "research_agent": ("research", {"TOOLS", "ask", "investigate", "use_tool"}, {"questions", "answers", "request"}),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_keeps_its_application_and_what_that_needs(name: str) -> None:
    root, needed, left = EXAMPLES[name]
    selection = select(read_notebook(ROOT / f"examples/{name}.ipynb"))
    assert [each.name for each in selection.roots] == [root]
    bound = {each for piece in selection.pieces for each in getattr(piece, "binds", ())}
    assert needed | {root} <= bound
    assert bound.isdisjoint(left)
    assert "load_ext" not in text_of(selection)


@pytest.mark.parametrize(
    "name", ["document_batch", "research_agent", pytest.param("model_sweep", marks=pytest.mark.full)]
)
def test_what_of_an_example_goes_in_can_be_imported(name: str, tmp_path) -> None:
    selection = select(read_notebook(ROOT / f"examples/{name}.ipynb"))
    with imported(selection, tmp_path) as module:
        assert callable(getattr(module, EXAMPLES[name][0]))


def test_of_two_definitions_in_the_sweep_the_mended_one_goes_in() -> None:
    selection = select(read_notebook(ROOT / "examples/model_sweep.ipynb"))
    assert text_of(selection).count("def bayes") == 1
    assert "MinMaxScaler(), MultinomialNB" in text_of(selection)
