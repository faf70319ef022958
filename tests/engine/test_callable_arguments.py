"""Functions, classes and their instances as arguments count by what they do now."""

from __future__ import annotations

import pytest

HELPERS = """
import functools, dataclasses, types, collections, enum
def scaled(x): return x * K
def by_helper(x): return scaled(x)
def times(k, x): return x * k
class Reads:
    def __call__(self, x): return x * K
    def of(self, x): return x * K
    @classmethod
    def made(cls, x): return x * K
    @staticmethod
    def plain(x): return x * K
    @property
    def now(self): return K
class Below(Reads): pass
class Holds:
    def __init__(self, f): self.f = f
    def __call__(self, x): return self.f(x)
@dataclasses.dataclass
class Step:
    f: object
    def __call__(self, x): return self.f(x)
Pair = collections.namedtuple("Pair", "f n")
@dataclasses.dataclass
class Config:
    k: int = 0
config, space, table, listed = Config(), types.SimpleNamespace(k=0), {"k": 0}, [0]
def decorated(f):
    @functools.wraps(f)
    def inner(x): return f(x)
    return inner
def maker(k):
    def made(x): return x * k
    return made
def called(f):
    if isinstance(f, types.MethodType): return f(10)
    if isinstance(f, type): return f.by * 10 if hasattr(f, "by") else f()(10)
    if isinstance(f, dict): return called(list(f.values())[0])
    if isinstance(f, (list, tuple)): return called(f[0])
    if isinstance(f, set): return called(list(f)[0])
    return f(10)
"""
USE = "%%durable\ndef use(f):\n    ran(called(f))\n    return called(f)"
ARGUMENTS = {
    "a lambda that reads a loop variable": "lambda x: x * k",
    "a lambda with a default": "lambda x, k=k: x * k",
    "a lambda in a comprehension": "[lambda x: x * m for m in [k]][0]",
    "a helper that reads a global": "scaled",
    "a helper of a helper": "by_helper",
    "a lambda over a helper": "lambda x: by_helper(x)",
    "a closure": "maker(k)",
    "a closure over a function": "(lambda f: lambda x: f(x))(lambda x: x * k)",
    "a decorated function": "decorated(scaled)",
    "a cached function": "functools.lru_cache(lambda x: x * k)",
    "a cached helper": "functools.cache(scaled)",
    "a partial": "functools.partial(times, k)",
    "a partial of a lambda": "functools.partial(lambda y, x: x * k, 1)",
    "a bound method": "Reads().of",
    "a class method": "Reads.made",
    "a static method": "Reads.plain",
    "an inherited method": "Below().of",
    "a class": "Reads",
    "a class below it": "Below",
    "an instance": "Reads()",
    "an instance below it": "Below()",
    "an instance that holds a function": "Holds(lambda x: x * k)",
    "a dataclass that holds a helper": "Step(scaled)",
    "a named tuple that holds one": "Pair(scaled, 1)",
    "a list of lambdas": "[lambda x: x * k]",
    "a table of helpers": "{'f': scaled}",
    "nested containers": "({'a': [Step(lambda x: x * k)]},)",
    "a set of functions": "{scaled}",
    "a function that reads a dataclass": "lambda x: x * config.k",
    "a function that reads a namespace": "lambda x: x * space.k",
    "a function that reads a dict": "lambda x: x * table['k']",
    "a function that reads a list": "lambda x: x * listed[0]",
    "a class made in the loop": "type('Made', (), {'by': k})",
    "a class statement in the loop": "(exec('class Made:\\n    by = K', globals()), Made)[1]",
    "a constant of a class that was assigned": "(setattr(Reads, 'by', k), Reads)[1]",
    "an attribute of a function that was assigned": "(setattr(scaled, 'by', k), scaled)[1]",
}
LOOP = "for k in {over}:\n    K = config.k = space.k = table['k'] = listed[0] = k\n    got.append(use({argument}))\n"


@pytest.mark.parametrize("durable", [True, False], ids=["durable body", "plain cell"])
@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_loop_that_is_edited_gives_each_call_its_own_result(notebook, name, durable):
    """The cell ran over (2, 3), fails, is edited to (1, 2, 3) and run again."""
    notebook.cell(HELPERS, key=None)
    notebook.cell(USE, key=None)
    loop = ("%%durable\n" if durable else "") + "got = []\n" + LOOP.replace("{argument}", ARGUMENTS[name])
    with pytest.raises(AssertionError):
        notebook.cell(loop.replace("{over}", "(2, 3)") + "assert False")
    assert notebook.executed() == [20, 30]
    request = notebook.cell(loop.replace("{over}", "(1, 2, 3)"))
    assert notebook.namespace["got"] == [10, 20, 30]
    assert notebook.executed() == [10]
    assert [call.args_changed for call in request.calls("use")] == [False] * 3


@pytest.mark.parametrize("name", ARGUMENTS)
def test_what_is_the_same_is_served_in_a_fresh_kernel(notebook, name):
    """Nothing executes again where nothing changed, in another process, after its definitions moved."""
    loop = "got = []\n" + LOOP.replace("{argument}", ARGUMENTS[name]).replace("{over}", "(2, 3)")
    notebook.cell(HELPERS, key=None)
    notebook.cell(USE, key=None)
    with pytest.raises(AssertionError):
        notebook.cell(loop + "assert False")
    notebook.executed()
    notebook.restart()
    notebook.cell("# moved\n\n" + HELPERS, key=None)
    notebook.cell(USE, key=None)
    request = notebook.cell(loop)
    assert notebook.namespace["got"] == [20, 30]
    assert notebook.executed() == []
    assert not any(call.args_changed or call.code_changed for call in request.calls("use"))


CALL = "def __call__(self, x): return x * K"
EDITS = {
    "the constant of a helper": ("scaled", "x * K", "x * K * 7"),
    "a helper's helper": ("by_helper", "def scaled(x): return x * K", "def scaled(x): return x * K * 7"),
    "a method of a class": ("Reads", "def __call__(self, x): return x * K", "def __call__(self, x): return x * K * 7"),
    "a method of an instance": (
        "Reads()",
        "def __call__(self, x): return x * K",
        "def __call__(self, x): return x * 7",
    ),
    "a method of a base": ("Below()", "def __call__(self, x): return x * K", "def __call__(self, x): return x * 7"),
    "the class of a part": (
        "[Step(scaled)]",
        "def __call__(self, x): return self.f(x)",
        "def __call__(self, x): return 7",
    ),
    "a decorator": ("decorated(scaled)", "def inner(x): return f(x)", "def inner(x): return f(x) * 7"),
    "a default": ("(lambda x, f=scaled: f(x))", "x * K", "x * K * 7"),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_definition_among_arguments_is_no_equal_argument(notebook, name):
    """In a loop the calls execute again; one that is served by its place is marked."""
    argument, old, new = EDITS[name]
    notebook.cell(HELPERS + "\nK = 1", key=None)
    notebook.cell(USE, key=None)
    loop = f"%%durable\ngot = []\nfor _ in range(2):\n    got.append(use({argument}))\n"
    one = f"%%durable\nonce = use({argument})\n"
    for cell, key in ((loop, "loop"), (one, "one")):
        with pytest.raises(AssertionError):
            notebook.cell(cell + "assert False", key=key)
    before = notebook.namespace["got"][0]
    notebook.cell(HELPERS.replace(old, new) + "\nK = 1", key=None)
    notebook.executed()
    notebook.cell(loop, key="loop")
    assert notebook.namespace["got"][0] == notebook.namespace["got"][1] != before
    assert len(notebook.executed()) == 2
    request = notebook.cell(one, key="one")
    assert [call.args_changed for call in request.calls("use")] == [True]


def test_library_functions_and_classes_count_by_name(notebook):
    """`len`, `json.dumps`, a class of a library and its instances are equal arguments in every process."""
    cell = "import json, datetime, fractions, operator\n"
    cell += "got = [taken(f) for f in (len, json.dumps, fractions.Fraction, [json.dumps], "
    cell += "fractions.Fraction(1, 2), json.JSONDecoder, 'a'.upper, str.lower, operator.add, print)]\n"
    for ready in (False, True):
        notebook.restart()
        notebook.cell("%%durable\ndef taken(f):\n    ran(1)\n    return 1", key=None)
        if not ready:
            with pytest.raises(AssertionError):
                notebook.cell(cell + "assert False")
        else:
            notebook.cell(cell)
    assert len(notebook.executed()) == 10


def test_a_function_that_counts_its_calls_is_the_same_function(notebook):
    """What a function or a class changes itself is its memory, not its code."""
    notebook.cell(
        "seen = []\nclass Counts:\n    made = 0\n    def __init__(self, x=0): Counts.made += 1\n"
        "    def __call__(self, x): return x\n"
        "def noted(x):\n    seen.append(x)\n    noted.calls = getattr(noted, 'calls', 0) + 1\n    return x\n",
        key=None,
    )
    notebook.cell("%%durable\ndef use(f):\n    ran(1)\n    f(1)", key=None)
    loop = "for _ in range(3):\n    use(noted), use(Counts()), use(Counts)\n"
    with pytest.raises(AssertionError):
        notebook.cell(loop + "assert False")
    assert len(notebook.executed()) == 9
    notebook.cell(loop)
    assert notebook.executed() == []


READERS = {
    "a global": ("%%durable\ndef use(x):\n    ran(x * K)\n    return x * K", "K = k"),
    "a global of a helper": ("%%durable\ndef use(x):\n    ran(scaled(x))\n    return scaled(x)", "K = k"),
    "an entry of a dict": ("%%durable\ndef use(x):\n    ran(x)\n    return x * table['k']", "table['k'] = k"),
    "a field": ("%%durable\ndef use(x):\n    ran(x)\n    return x * config.k", "config.k = k"),
}


@pytest.mark.parametrize("over", ["(1, 2, 3)", "(2, 1, 3)", "(3, 2)", "(2, 3)"])
@pytest.mark.parametrize("name", READERS)
def test_a_durable_function_that_reads_a_loop_variable_is_marked_where_that_differs(notebook, name, over):
    """Its arguments are equal in each turn; what the global was is part of its code."""
    define, assign = READERS[name]
    notebook.cell(HELPERS, key=None)
    notebook.cell(define, key=None)
    loop = "got = []\nfor k in {over}:\n    " + assign + "\n    got.append(use(10))\n"
    with pytest.raises(AssertionError):
        notebook.cell(loop.replace("{over}", "(2, 3)") + "assert False")
    request = notebook.cell(loop.replace("{over}", over))
    got, right = notebook.namespace["got"], [10 * k for k in eval(over)]
    marked = [call.code_changed for call in request.calls("use")]
    assert [one != other for one, other in zip(got, right, strict=True)] == marked


def test_with_once_a_call_whose_global_differs_executes(notebook):
    """`--once` serves nothing that was computed from other data."""
    notebook.cell(HELPERS, key=None)
    notebook.cell(READERS["a global"][0], key=None)
    loop = "got = []\nfor K in {over}:\n    got.append(use(10))\n"
    notebook.cell(loop.replace("{over}", "(2, 3)"), once=True)
    for over in ("(2, 3)", "(3, 2)", "(2, 1, 3)", "(1, 1)"):
        notebook.cell(loop.replace("{over}", over), once=True)
        assert notebook.namespace["got"] == [10 * k for k in eval(over)]
