"""Results of types that the notebook made without a `class` statement of their name."""

from __future__ import annotations

import pytest

from tests.kernel.conftest import LOGGING, Kernel, Log, Start

TYPES = {
    "a named tuple": ("from collections import namedtuple\nSize = namedtuple('Extent', 'w h')", "Size(x, 2)"),
    "a typed named tuple": ("from typing import NamedTuple\nSize = NamedTuple('Extent', [('w', int)])", "Size(x)"),
    "an enum": ("from enum import Enum\nSize = Enum('Extent', 'W H')", "Size.H"),
    "an enum with values": ("from enum import StrEnum\nSize = StrEnum('Extent', {'W': 'a', 'H': 'b'})", "Size('b')"),
    "a flag": ("from enum import Flag\nSize = Flag('Extent', 'W H')", "Size.W | Size.H"),
    "a dataclass": (
        "from dataclasses import make_dataclass\nSize = make_dataclass('Extent', ['w', 'h'])",
        "Size(x, 2)",
    ),
    "a made class": (
        "Size = type('Extent', (), {'__init__': lambda self, w: setattr(self, 'w', w),\n"
        "    '__eq__': lambda self, other: self.w == other.w})",
        "Size(x)",
    ),
    "a model": ("from pydantic import create_model\nSize = create_model('Extent', w=(int, ...))", "Size(w=x)"),
    "a generic model": (
        "from typing import Generic, TypeVar\nfrom pydantic import BaseModel\nT = TypeVar('T')\n"
        "class Page(BaseModel, Generic[T]):\n    of: T\nclass Size(BaseModel):\n    w: int",
        "Page[Size](of=Size(w=x))",
    ),
    "a typed dict": ("from typing import TypedDict\nSize = TypedDict('Extent', {'w': int})", "Size(w=x)"),
    "a new type": ("from typing import NewType\nSize = NewType('Extent', int)", "Size(x)"),
    "an alias": (
        "class Extent:\n    w = 1\n    def __eq__(self, other): return True\nSize = Extent\ndel Extent",
        "Size()",
    ),
    "a generic alias": ("class Row(list): pass\nSize = dict[str, Row]", "Size(a=Row([x]))"),
    "an exception": (
        "Size = type('Extent', (ValueError,), {'__eq__': lambda self, o: self.args == o.args})",
        "Size(x)",
    ),
    "a class in a class": (
        "from collections import namedtuple\nclass Outer:\n    Size = namedtuple('Extent', 'w')\nSize = Outer.Size",
        "Outer.Size(x)",
    ),
    "a class of a table": (
        "from collections import namedtuple\nSize = {'a': namedtuple('A', 'w'), 'b': namedtuple('B', 'w')}",
        "Size['b'](x)",
    ),
    "two of one name": (
        "from collections import namedtuple\nOther = namedtuple('Extent', 'a b')\nSize = namedtuple('Extent', 'w h')",
        "(Size(x, 2), Other(x, 3))",
    ),
    "a class that a function made": (
        "def make():\n    class Extent:\n        def __init__(self, w): self.w = w\n"
        "        def __eq__(self, other): return self.w == other.w\n    return Extent\nSize = make()",
        "Size(x)",
    ),
    "a type made in the call": ("from collections import namedtuple\nSize = 0", "namedtuple('Extent', 'w')(x)"),
    "a list and a dict of them": (
        "from collections import namedtuple\nSize = namedtuple('Extent', 'w')",
        "{'a': [Size(x)], Size(2): (Size(3),)}",
    ),
}
CELL = (
    "%%durable\ndef make_size(x):\n    _log(x)\n    return {expression}\n"
    "first = make_size(1)\nassert os.environ.get('READY')\nsecond = make_size(2)"
)
NAME = "type(first).__name__ if type(first).__module__ != 'builtins' else repr(first)"
SHOWN = f"({NAME}, repr(first) if ' at 0x' not in repr(first) else '')"


TOGETHER = ["a named tuple", "an enum", "a model", "a type made in the call", "two of one name"]


def _batches():
    """What is tested together, in three kernels; rare types alone, in the long run."""
    rare = [[name] for name in TYPES if name not in TOGETHER]
    return [TOGETHER, *(pytest.param(names, marks=pytest.mark.full) for names in rare)]


@pytest.mark.parametrize("names", _batches(), ids=", ".join)
def test_a_result_of_a_type_with_another_name_is_stored_and_loaded(start: Start, log: Log, names: list[str]) -> None:
    """In its kernel, in a fresh one that ran the cells, and in a fresh one that has only the recorded code. The types
    have cells of their own and the three kernels in common: three starts instead of three for each."""
    kernel = start("types.ipynb")
    made = {name: _made(kernel, name) for name in names}
    kernel.kill()
    assert log.take() == ["1"] * len(names)

    kernel = start("types.ipynb")
    for name, (_, expected) in made.items():
        definitions, expression = TYPES[name]
        kernel.run(LOGGING + definitions + "\nos.environ['READY'] = '1'", f"types of {name}")
        ran = kernel.run(CELL.format(expression=expression), name)
        assert not ran.error, (name, ran.error)
        assert log.take() == ["2"], name
        assert kernel.value(SHOWN) == expected, name
        if "in the call" not in name and "that a function" not in name and "table" not in name:
            assert kernel.value("type(first) is type(second)"), name
    kernel.kill()

    kernel = start("types.ipynb")
    kernel.run("import os; os.environ['READY'] = '1'\nfrom jupyter_durable import get_request")
    for name, (request, expected) in made.items():
        kernel.run(f"first = get_request({request!r}).call('make_size', 0).output()")
        assert kernel.value(SHOWN) == expected, name
        ran = kernel.run(f"%durable replay {request}")
        assert ran.stderr == "", (name, ran.stderr)
        assert kernel.value(f"get_request({request!r}).status") == "succeeded", name
        assert log.take() == [], name
    kernel.close()


def _made(kernel: Kernel, name: str) -> tuple[str, object]:
    """The request that has stored a first result of a type, and how that is shown."""
    definitions, expression = TYPES[name]
    ran = kernel.run(LOGGING + definitions, f"types of {name}")
    assert not ran.error, (name, ran.error)
    assert "AssertionError" in kernel.run(CELL.format(expression=expression), name).error, name
    request = kernel.value("__import__('jupyter_durable').get_request('last').id")
    return request, kernel.value(SHOWN)


def test_an_instance_is_one_of_the_class_that_the_variable_holds(kernel: Kernel) -> None:
    """After the cell is run again a served value is of the new class, so `isinstance` holds."""
    definition = "from collections import namedtuple\nSize = namedtuple('Extent', 'w h')"
    kernel.run(definition)
    cell = "%%durable held\ndef sized(x): return Size(x, 2)\ngot = sized(1)\nassert globals().get('ready')"
    assert "AssertionError" in kernel.run(cell, "held").error
    kernel.run(definition + "\nready = True")
    assert not kernel.run(cell, "held").error
    assert kernel.value("isinstance(got, Size)")
