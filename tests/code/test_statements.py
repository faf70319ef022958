"""What cell source binds, reads and calls."""

from __future__ import annotations

import pytest

from jupyter_durable.code.reads import names_needed
from jupyter_durable.code.statements import binding_statement, imported, names_read, once_called, top_level_bindings

ONCE = [
    ("x = f(1)", {"f"}),
    ("f(1)\nf(2)", set()),
    ("print(f.map([1]))", {"print", "f"}),
    ("f.reduce([1], 0); g.future(1)", {"f", "g"}),
    ("f.future.map([1])", {"f"}),
    ("f.local(1)", set()),
    ("for x in range(3):\n    f(x)", set()),
    ("for x in f():\n    pass", set()),
    ("while f():\n    pass", set()),
    ("[f(x) for x in y]", set()),
    ("g = lambda: f()", set()),
    ("def g():\n    f()", set()),
    ("class A:\n    x = f()", set()),
    ("try:\n    f()\nexcept E:\n    pass", set()),
    ("x = f(1)\ny = f", set()),
    ("if a:\n    f()\nelse:\n    g()", {"f", "g"}),
    ("with open(p) as h:\n    f(h)", {"open", "f"}),
    ("await f(1)", {"f"}),
    ("f(g(1))", {"f", "g"}),
    ("f = f(1)", set()),
    ("@function()\ndef f():\n    pass\nf()", set()),
    ("from m import f\nf()", set()),
    ("f(", set()),
]


@pytest.mark.parametrize(("source", "names"), ONCE)
def test_once_called(source, names):
    assert once_called(source) == names


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("x = y", {"y"}),
        ("x = 1\nprint(x)", {"print"}),
        ("print(x)\nx = 1", {"print", "x"}),
        ("x += 1", {"x"}),
        ("def f(a, *b, c=d, **e):\n    return a, b, c, e, g, later\nlater = 1", {"d", "g"}),
        ("[a for a in b if a]\na", {"a", "b"}),
        ("for i in r:\n    i\ni", {"r"}),
        ("import os.path as p\np, os", {"os"}),
        ("with o() as (a, b):\n    a, b, c", {"o", "c"}),
        ("try:\n    x\nexcept E as e:\n    e", {"x", "E"}),
        ("class A(B):\n    k = m\n    def f(self):\n        return k, A", {"B", "m", "k"}),
        ("lambda a: a + b", {"b"}),
        ("(n := m) and n", {"m"}),
        ("%%durable name\nx = f(1)", {"f"}),
        ("x: int\nx", {"int", "x"}),
    ],
)
def test_names_needed_are_read_before_they_are_bound(source, names):
    assert names_needed(source) == names


def test_names_read_holds_every_name():
    assert names_read("x = y\nprint(x)\ndel z") == {"x", "y", "z", "print"}


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("a = b = 1\n(c, *d), e.x = y\nf[0] = 2", {"a", "b", "c", "d"}),
        ("import a.b, c as d\nfrom e import f, g as h", {"a", "d", "f", "h"}),
        ("def f():\n    x = 1\nclass G:\n    y = 2\nasync def h(): ...", {"f", "G", "h"}),
        ("if a:\n    b = 1\nfor c in d:\n    e = 1\nwith f as g: ...\n(h := 1)", {"b", "c", "e", "g", "h"}),
        ("[x for x in y]\nlambda z: z", set()),
        ("match a:\n    case [b, *c]: ...\n    case {'d': d, **e}: ...\n    case F() as g: ...", set("bcdeg")),
    ],
)
def test_top_level_bindings(source, names):
    assert top_level_bindings(source) == names


def test_the_binding_statement_is_the_last_of_the_newest_source():
    cells = ["x = 2\nx = 3  # now\n", "x = 1"]
    assert binding_statement("x", cells) == "x = 3"
    assert binding_statement("f", ["@deco\ndef f():\n    return 1\n"]) == "@deco\ndef f():\n    return 1"
    assert binding_statement("y", cells) is None


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("import os.path", ("os", None)),
        ("import numpy as os", ("numpy", None)),
        ("from a.b import c as os", ("a.b", "c")),
        ("from . import os", None),
        ("os = 1", None),
    ],
)
def test_imported(statement, found):
    assert imported(statement, "os") == found
