"""Classes of a notebook that call themselves by one name: a stored value is of the class it was of, or of none."""

from __future__ import annotations

import pytest

from jupyter_durable.code.hashing import code_hash
from jupyter_durable.code.restore import ClassRegistry
from jupyter_durable.errors import DeserializationError
from tests.code.notebook import Notebook

IMPORT = "from collections import namedtuple"
SIZE, OTHER = "Size = namedtuple('Extent', 'w h')", "Other = namedtuple('Extent', 'a b')"


def registry(*cells: str) -> tuple[Notebook, ClassRegistry]:
    notebook = Notebook(IMPORT, *cells)
    return notebook, ClassRegistry(notebook.names)


@pytest.mark.parametrize("cells", [(SIZE, OTHER), (OTHER, SIZE)])
@pytest.mark.parametrize("again", [(SIZE, OTHER), (OTHER, SIZE)])
def test_in_whichever_order_they_were_defined(cells: tuple[str, ...], again: tuple[str, ...]) -> None:
    recorded, names = registry(*cells)
    now, found = registry(*again)
    for variable in ("Size", "Other"):
        name = names.name_of(recorded[variable])
        assert name is not None
        assert found.find_class("__main__", name) is now[variable]


def test_a_value_from_before_the_second_one_is_not_loaded_as_either() -> None:
    recorded, names = registry(SIZE)
    name = names.name_of(recorded["Size"])
    assert name == "Extent"
    _, found = registry(OTHER, SIZE)
    with pytest.raises(DeserializationError, match="2 classes of this kernel call themselves"):
        found.find_class("__main__", name)


def test_a_class_that_was_defined_again_is_the_newest_of_its_name() -> None:
    notebook, names = registry(SIZE)
    older = notebook["Size"]
    notebook.run(SIZE)
    assert names.name_of(older) == "Extent"
    notebook.names["_1"] = older
    assert names.name_of(notebook["Size"]) == "Extent"
    assert ClassRegistry(notebook.names).find_class("__main__", "Extent") is notebook["Size"]


@pytest.mark.parametrize("statement", ["class C: pass", "class C(list): pass", "class C(set, Other): pass"])
@pytest.mark.parametrize("base", ["list", "tuple", "dict"])
def test_a_class_that_a_call_made_is_not_taken_for_a_statement_of_its_name(statement: str, base: str) -> None:
    """Its bases tell: an edit of them was served unmarked where any cell had such a statement."""
    others = {"list", "tuple", "dict"} - {base}
    Notebook("class Other: pass\n" + statement)
    made = "C = type('C', ({},), {{}})\ndef main(): return C"
    hashes = {code_hash(Notebook(made.format(each))["main"]) for each in (base, *others)}
    assert len(hashes) == 3
