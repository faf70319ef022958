"""Classes of a notebook that call themselves by one name: a stored value is of the class it was of, or of none."""

from __future__ import annotations

import pytest

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
