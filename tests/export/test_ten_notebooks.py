"""Ten notebooks, written in the way people write them: what goes in is all that is needed, and no more, and it runs.

The module of the pieces is executed and its application called; a call of a durable function in it is a call of the
plain function (`local`), since nothing of this is about durability.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from jupyter_durable.errors import ExportError
from jupyter_durable.export.notebook import read_notebook
from jupyter_durable.export.selection import Notebook, Piece, Section, Selection
from jupyter_durable.export.slice import select
from tests.conftest import ROOT
from tests.export.writing import imported, text_of

FOLDER = ROOT / "tests/export/notebooks"


def read(name: str) -> Notebook:
    """One of the notebooks, with the modules and files that lie beside it."""
    return replace(read_notebook(FOLDER / f"{name}.ipynb"), directory=FOLDER / "beside")


def bound(selection: Selection) -> list[str]:
    """What the pieces bind, in order, imports left out."""
    pieces = [piece for piece in selection.pieces if isinstance(piece, Piece) and piece.kind != "import"]
    return [name for piece in pieces for name in piece.binds]


Called = Callable[[ModuleType], Any]
RUNS: dict[str, tuple[list[str], Called, Any]] = {
    "out_of_order": (
        ["BASE", "load_rates", "MARKUP", "RATES", "bill", "fee", "SHORT"],
        lambda module: module.bill.local(3),
        365.0,
    ),
    "rebinding_chain": (
        ["stopwords", "stopwords", "stopwords", "stopwords", "pattern", "pattern", "top_words"],
        lambda module: module.top_words.local("the Sea and the sea were the old man"),
        ["sea", "old"],
    ),
    "magics": (
        ["CURRENCIES", "price", "order"],
        lambda module: module.price.local("pen", 2),
        "6 EUR",
    ),
    "plots": (
        ["WIDTH", "outside", "alarms"],
        lambda module: module.alarms.local([1.0] * 50 + [90.0]),
        [90.0],
    ),
    "live_globals": (
        ["cache", "hits", "lookup", "limit", "totals"],
        lambda module: module.totals.local([1, 2, 2, 50]),
        {"sums": [0, 1, 1, 45], "hits": 1},
    ),
    "class_in_function": (
        ["Iterable", "Shape", "rounded", "DIGITS", "Circle", "Unit", "total", "areas"],
        lambda module: module.areas.local([1, 2]),
        "15.7 cm2",
    ),
    "two_definitions": (
        ["score", "BASELINE", "score", "VOWELS", "compare"],
        lambda module: module.compare.local(["aeiou", "xyz"]),
        [2, -5],
    ),
}


@pytest.mark.parametrize("name", RUNS)
def test_what_goes_in_is_minimal_and_runs(name: str) -> None:
    expected, call, output = RUNS[name]
    selection = select(read(name))
    assert bound(selection) == expected
    with imported(selection) as module:
        assert call(module) == output


@pytest.mark.parametrize("name", RUNS)
def test_nothing_of_the_exploration_goes_in(name: str) -> None:
    text = text_of(select(read(name)))
    for word in ("print(", "display(", "plt.", "list_requests", "load_ext", "timeit", "pip install", "!"):
        assert word not in text, word


def test_local_modules_are_found_beside_the_notebook_and_where_it_says(tmp_path, monkeypatch) -> None:
    selection = select(read("local_modules"))
    found = [(module.dotted, module.is_package) for module in selection.modules]
    assert found == [
        ("cleaning", False),
        ("settings", False),
        ("textkit", True),
        ("textkit.report", False),
        ("textkit.rules", False),
        ("textkit.stems", False),
    ]
    assert [(str(file.path), file.cell) for file in selection.files] == [("endings.txt", 3)]
    assert [(key.name, key.cell, key.has_default) for key in selection.environment] == [("STEMS_MOST", 2, True)]
    (tmp_path / "endings.txt").write_text("ing\ned\n")
    monkeypatch.chdir(tmp_path)
    with imported(selection, tmp_path) as module:
        assert module.stemmed.local([" walking", "talked "]) == ["WALK", "TALK"]


def test_what_the_notebook_installs_and_sets_is_listed() -> None:
    selection = select(read("magics"))
    assert selection.requirements == ("rich>=13", "python-dateutil==2.9.0", "httpx[http2]", "pydantic")
    assert [(key.name, key.has_default) for key in selection.environment] == [
        ("SHOP_REGION", True),
        ("SHOP_TOKEN", False),
    ]
    assert "not-a-real-one" not in repr(selection)
    assert selection.imports == ("jupyter_durable",)


def test_headings_stand_above_what_goes_in_below_them() -> None:
    selection = select(read("plots"))
    order = [(type(part).__name__, part.cell) for part in selection.pieces if part.cell != 2]
    assert order == [("Section", 1), ("Section", 5), ("Piece", 6), ("Piece", 6), ("Piece", 7)]
    assert next(part.text for part in selection.pieces if isinstance(part, Section)) == "# How noisy is a sensor?"


def refusal(name: str, **asked: Any) -> str:
    with pytest.raises(ExportError) as error:
        select(read(name), **asked)
    return error.value.message


def test_a_model_that_is_fitted_in_a_cell_of_its_own_is_refused() -> None:
    assert refusal("trained_model") == (
        "the notebook cannot be exported as it is: cell 4: `model.fit(words)` changes model (by .fit()), which "
        "classify needs: without it the application would start, and be wrong. Include it; bundle the value of model; "
        "or make it a function that builds model. Exclude it, if it does not matter.\n"
        "  To include: tag the cell `durable-include`, or write `# durable: include` behind or above a statement.\n"
        "  To bundle a value as a file: `--bundle NAME`; it must be one that JSON has.\n"
        "  To exclude: tag the cell `durable-exclude`, or write `# durable: exclude` behind or above a statement."
    )


def test_it_goes_in_when_the_name_or_the_cell_is_included() -> None:
    by_name = select(read("trained_model"), include=["model"])
    notebook = read("trained_model")
    tagged = [replace(cell, tags=("durable-include",)) if cell.number == 4 else cell for cell in notebook.cells]
    for selection in (by_name, select(replace(notebook, cells=tagged))):
        assert "model.fit(words)" in text_of(selection)
        with imported(selection) as module:
            assert module.classify.local("c") == 3


def test_all_that_stands_in_the_way_is_told_at_once_in_the_order_of_the_cells() -> None:
    said = refusal("graph_and_frame").splitlines()
    assert said[0] == "the notebook cannot be exported as it is, for 6 reasons:"
    assert [line.split(":")[0].strip() for line in said[1:7]] == [
        "1. cell 2", "2. cell 4", "3. cell 5", "4. cell 5", "5. cell 5", "6. cell 6",
    ]  # fmt: skip
    assert "would run pd.read_csv() at every start" in said[1]
    assert "may change g (by .add_edge()), and with it graph" in said[2]
    assert "did you mean user?" in said[6]


def test_the_environment_of_these_tests_sets_no_region() -> None:
    assert "SHOP_REGION" not in os.environ
