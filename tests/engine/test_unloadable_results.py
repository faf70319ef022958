"""Results whose class pickles them in a way that does not load."""

from __future__ import annotations

import pytest

from jupyter_durable.errors import DeserializationError
from tests.engine.conftest import Notebook

UNIT = """
class Unit(float):
    def __new__(cls, value, unit):
        self = super().__new__(cls, value); self.unit = unit; return self
"""


def test_a_result_that_would_not_load_executes_again_and_its_request_ends(notebook: Notebook) -> None:
    notebook.cell(UNIT, key=None)
    notebook.cell("%%durable\ndef read(i):\n    ran(i)\n    return Unit(i, 'C')", key=None)
    for _ in range(3):
        notebook.cell("r = [read(1), read(2)]\nassert r[0].unit == 'C'")
        assert notebook.executed() == [1, 2]
    assert "not checkpointed" in notebook.warnings[0]
    assert notebook.last().replay().status == "succeeded"


def test_a_stored_result_that_its_class_does_not_load_any_more_is_named_with_the_way_out(notebook: Notebook) -> None:
    """The class was edited since: the error says which call, and what executes it again."""
    notebook.cell("class Held:\n    def __init__(self): self.a = 1", key=None)
    notebook.cell("%%durable\ndef read(i):\n    ran(i)\n    return Held()", key=None)
    with pytest.raises(ZeroDivisionError):
        notebook.cell("read(1)\n1 / 0")
    notebook.cell("class Held:\n    def __setstate__(self, state): raise KeyError('b')", key=None)
    with pytest.raises(DeserializationError, match=r'result of read cannot be served: .*KeyError.*--rerun "read"'):
        notebook.cell("read(1)")
