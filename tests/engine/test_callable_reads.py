"""Functions and classes as arguments count by what they read that is no plain data, and by what they were made of."""

from __future__ import annotations

import pytest

HELPERS = """
import array, collections, dataclasses, functools, operator, pydantic, msgspec, types, typing
import numpy as np, pandas as pd
class Plain:
    def __init__(self, k): self.k = k
    def by(self, x): return x * self.k
    def __call__(self, x): return x * self.k
class Slots:
    __slots__ = ("k",)
    def __init__(self, k): self.k = k
class Struct(msgspec.Struct):
    k: int = 0
plain = Plain(0)
class Reads:
    def __call__(self, x): return x * int(held.k.iloc[0])
def made_in_closure(k):
    class Step:
        def __call__(self, x): return x * k
    return Step
def made_with_default(k):
    class Step:
        def __call__(self, x, k=k): return x * k
    return Step
def made_with_method(k):
    class Step:
        @staticmethod
        def by(x): return x * k
        def __call__(self, x): return self.by(x)
    return Step
def made_with_member(member):
    class Step:
        held = member
        def __call__(self, x): return x * self.held.k
    return Step
class Wraps:
    def __init__(self, f, k):
        functools.update_wrapper(self, f)
        self.k = k
    def __call__(self, x): return x * self.k
def helper(x): return x * int(held.k.iloc[0])
def called(f): return f(10)
"""
ORDER = "([('a', 2), ('b', 3)] if k == 2 else [('b', 3), ('a', 2)] if k == 3 else [('c', 1), ('a', 2)])"
ARGUMENTS = {
    "a frame": ("held = pd.DataFrame({'k': [k]})", "lambda x: x * int(held.k.iloc[0])"),
    "a frame that a helper reads": ("held = pd.DataFrame({'k': [k]})", "lambda x: helper(x)"),
    "a frame that a method reads": ("held = pd.DataFrame({'k': [k]})", "Reads()"),
    "a frame that the method of a class reads": ("held = pd.DataFrame({'k': [k]})", "lambda x: Reads()(x)"),
    "a series": ("held = pd.Series([k])", "lambda x: x * int(held.iloc[0])"),
    "a large array": ("held = np.full(10_000, k)", "lambda x: x * int(held[-1])"),
    "a large dict": ("held = {str(i): k for i in range(20_000)}", "lambda x: x * held['7']"),
    "an array of objects": ("held = np.array([k, None], dtype=object)", "lambda x: x * held[0]"),
    "an array.array": ("held = array.array('i', [k])", "lambda x: x * held[0]"),
    "a struct": ("held = Struct(k)", "lambda x: x * held.k"),
    "an instance": ("held = Plain(k)", "lambda x: x * held.k"),
    "an instance that is changed": ("plain.k = k", "lambda x: x * plain.k"),
    "an instance with slots": ("held = Slots(k)", "lambda x: x * held.k"),
    "a list of instances": ("held = [Plain(k)]", "lambda x: x * held[0].k"),
    "a table of instances": ("held = {'a': Plain(k)}", "lambda x: x * held['a'].k"),
    "a callable instance": ("held = Plain(k)", "lambda x: held(x)"),
    "a bound method": ("held = Plain(k).by", "lambda x: held(x)"),
    "a method of a list": ("held = [None, k].pop", "lambda x: x * held.__self__[1]"),
    "a partial": ("held = functools.partial(operator.mul, k)", "lambda x: held(x)"),
    "a partial over an instance": ("held = functools.partial(Plain.by, Plain(k))", "lambda x: held(x)"),
    "an operator": ("held = operator.methodcaller('__mul__', k)", "lambda x: held(x)"),
    "the order of an OrderedDict": (
        f"held = collections.OrderedDict({ORDER})",
        "lambda x: x * next(iter(held.values()))",
    ),
    "functions in an OrderedDict": (
        "held = collections.OrderedDict(f=(lambda k: lambda x: x * k)(k))",
        "lambda x: held['f'](x)",
    ),
    "a module that was made": ("held = types.ModuleType('made'); held.k = k", "lambda x: x * held.k"),
    "a frame that was put on a function": (
        "helper.frame = pd.DataFrame({'k': [k]})",
        "(lambda x: x * int(helper.frame.k.iloc[0]))",
    ),
    "an instance that was put on a class": ("Slots.other = Plain(k)", "(lambda x: x * Slots.other.k)"),
    "an instance in a class made in a function": ("pass", "made_with_member(Plain(k))()"),
    "a callable that wraps a function": ("held = Wraps(len, k)", "lambda x: held(x)"),
    "a class made in a closure": ("pass", "made_in_closure(k)()"),
    "the class itself": ("pass", "(lambda C: lambda x: C()(x))(made_in_closure(k))"),
    "a class made with a default": ("pass", "made_with_default(k)()"),
    "a class made with a static method": ("pass", "made_with_method(k)()"),
    "a method that was assigned": ("Plain.by = (lambda k: lambda self, x: x * k)(k)", "(lambda p: p.by)(Plain(1))"),
    "a made dataclass": ("C = dataclasses.make_dataclass('C', [('k', int, k)])", "(lambda C: lambda x: x * C().k)(C)"),
    "a made model": ("C = pydantic.create_model('C', k=(int, k))", "(lambda C: lambda x: x * C().k)(C)"),
    "a made struct": ("C = msgspec.defstruct('C', [('k', int, k)])", "(lambda C: lambda x: x * C().k)(C)"),
    "a typed dict": (
        "C = typing.TypedDict('C', {'k': [None, int, str, float][k]})",
        "(lambda C: lambda x: x * {int: 1, str: 2, float: 3}[C.__annotations__['k']])(C)",
    ),
    "the base of a made class": (
        "C = type('C', ((None, list, tuple, set)[k],), {})",
        "(lambda C: lambda x: x * {list: 1, tuple: 2, set: 3}[C.__mro__[1]])(C)",
    ),
    "an object in a made class": ("C = type('C', (), {'o': Plain(k)})", "(lambda C: lambda x: x * C.o.k)(C)"),
    "a partial method": (
        "C = type('C', (), {'m': functools.partialmethod(lambda self, k, x: x * k, k)})",
        "(lambda C: lambda x: C().m(x))(C)",
    ),
}
USE = "%%durable\ndef use(f):\n    ran(called(f))\n    return called(f)"
LOOP = "got = []\nfor k in {over}:\n    {setup}\n    got.append(use({argument}))\n"


def cells(notebook, name):
    notebook.cell(HELPERS, key=None)
    notebook.cell(USE, key=None)
    setup, argument = ARGUMENTS[name]
    return LOOP.replace("{setup}", setup).replace("{argument}", argument)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_no_call_gets_the_result_of_another_value_that_its_function_reads(notebook, name):
    """The cell ran over (2, 3), fails, is edited to (1, 2, 3) and run again."""
    loop = cells(notebook, name)
    with pytest.raises(AssertionError):
        notebook.cell(loop.replace("{over}", "(2, 3)") + "assert False")
    assert notebook.executed() == [20, 30]
    notebook.cell(loop.replace("{over}", "(1, 2, 3)"))
    assert notebook.namespace["got"] == [10, 20, 30]
    assert notebook.executed() == [10]


@pytest.mark.parametrize("name", ARGUMENTS)
def test_what_it_reads_is_the_same_in_a_fresh_kernel(notebook, name):
    """Nothing executes again, and nothing is marked."""
    loop = cells(notebook, name)
    with pytest.raises(AssertionError):
        notebook.cell(loop.replace("{over}", "(2, 3)") + "assert False")
    notebook.executed()
    notebook.restart()
    request = notebook.cell(cells(notebook, name).replace("{over}", "(2, 3)"))
    assert notebook.namespace["got"] == [20, 30]
    assert notebook.executed() == []
    assert not any(call.args_changed or call.code_changed for call in request.calls("use"))


CLIENT = "import threading\nclass Client:\n    def __init__(self, k): self.k, self.lock = k, threading.Lock()\n"


def test_a_function_that_reads_a_client_is_as_little_comparable_as_the_client(notebook):
    """What a call is served then is marked; in a loop it executes."""
    notebook.cell(HELPERS + CLIENT, key=None)
    notebook.cell(USE, key=None)
    notebook.cell("client = Client(2)", key=None)
    cell = "%%durable\nuse(lambda x: x * client.k)"
    with pytest.raises(AssertionError):
        notebook.cell(cell + "\nassert False")
    notebook.cell("client = Client(3)", key=None)
    request = notebook.cell(cell)
    [call] = request.calls("use")
    assert call.args_changed


def test_a_method_that_reads_a_client_keeps_its_instances_comparable(notebook):
    agent = "class Agent:\n    def __call__(self, x): return x * client.k\nclient = Client(2)\n"
    for fails in ("assert False", ""):
        notebook.cell(HELPERS + CLIENT + agent, key=None)
        notebook.cell(USE, key=None)
        try:
            request = notebook.cell(f"for _ in range(2): use(Agent())\n{fails}")
        except AssertionError:
            assert notebook.executed() == [20, 20]
            notebook.restart()
    assert notebook.executed() == []
    assert not any(call.args_changed for call in request.calls("use"))


def test_what_functions_read_of_each_other_has_an_end(notebook):
    """They hold themselves and each other, through tables, instances and the globals of methods."""
    notebook.cell(HELPERS, key=None)
    notebook.cell(
        "class Node:\n    def __call__(self, x): return x * len(nodes)\n"
        "def f(x): return x * len(table['all'])\n"
        "nodes = [Node(), Plain(1)]\nnodes.append(nodes)\ntable = {'all': [f, nodes, Plain(2)]}\ntable['own'] = table",
        key=None,
    )
    notebook.cell(USE, key=None)
    with pytest.raises(AssertionError):
        notebook.cell("use(f), use(Node())\nassert False")
    assert notebook.executed() == [30, 30]
    notebook.cell("use(f), use(Node())")
    assert notebook.executed() == []
