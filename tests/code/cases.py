"""Cells, what is captured of them, and what a process that has none of these cells gets."""

from __future__ import annotations

from typing import NamedTuple


class Case(NamedTuple):
    cells: tuple[str, ...]
    ask: str
    """Expression in the restored namespace."""
    answer: str
    missing: tuple[str, ...] = ()
    roots: tuple[str, ...] = ("main",)


def _main(body: str, ask: str, answer: str, **rest) -> Case:
    return Case((body,), ask, answer, **rest)


CASES = {
    "a plain function": _main("def main(x):\n    return x + 1", "main(1)", "2"),
    "helpers in other cells": Case(
        ("def low(x):\n    return x * 2", "def mid(x):\n    return low(x) + 1", "def main(x):\n    return mid(x)"),
        "main(3)",
        "7",
    ),
    "recursion": _main("def main(n):\n    return 1 if n < 2 else n * main(n - 1)", "main(5)", "120"),
    "mutual recursion": _main(
        "def even(n):\n    return n == 0 or odd(n - 1)\ndef odd(n):\n    return n != 0 and even(n - 1)\nmain = even",
        "main(7), main(8)",
        "(False, True)",
    ),
    "a closure": _main(
        "def adder(n):\n    def add(x):\n        return x + n\n    return add\nmain = adder(5)", "main(1)", "6"
    ),
    "two closures share a variable": _main(
        "def pair():\n    n = 0\n    def up():\n        nonlocal n\n        n += 1\n    def get():\n        return n\n"
        "    return up, get\nup, get = pair()\ndef main():\n    up(); up()\n    return get()",
        "main()",
        "2",
    ),
    "a recursive closure": _main(
        "def make():\n    def down(n):\n        return 0 if n == 0 else down(n - 1)\n    return down\nmain = make()",
        "main(3)",
        "0",
    ),
    "lambdas on one line": _main(
        "f, g = lambda x: x + 1, lambda x: x * 10\ndef main(x):\n    return f(x), g(x)", "main(2)", "(3, 20)"
    ),
    "defaults and keyword defaults": _main(
        "def h():\n    return 4\ndef main(a, b=[1, 2], *, c={'k': 3}, d=h):\n    return a, b, c, d()",
        "main(0)",
        "(0, [1, 2], {'k': 3}, 4)",
    ),
    "plain globals": _main(
        "import datetime, decimal, pathlib\nA = {'x': [1, (2, 3)], 'y': {4}}\nS = {'p', 'q', 'r', 's'}\n"
        "B = datetime.date(2026, 1, 2)\n"
        "C = decimal.Decimal('1.5')\nD = pathlib.PurePosixPath('a/b')\n"
        "def main():\n    return A, B.year, C, str(D), len(S)",
        "main()",
        "({'x': [1, (2, 3)], 'y': {4}}, 2026, Decimal('1.5'), 'a/b', 4)",
    ),
    "arrays and frames": _main(
        "import numpy as np, pandas as pd\nW = np.arange(4.0)\nT = pd.DataFrame({'a': [1, 2], 'b': ['x', 'y']})\n"
        "def main():\n    return float(W.sum()), list(T['b'])",
        "main()",
        "(6.0, ['x', 'y'])",
    ),
    "modules and imported names": _main(
        "import os.path\nimport json as j\nfrom math import sqrt, pi\nfrom collections import Counter as Count\n"
        "def main():\n    return os.path.basename('a/b'), j.dumps([1]), sqrt(4), round(pi, 2), Count('aa')['a']",
        "main()",
        "('b', '[1]', 2.0, 3.14, 2)",
    ),
    "a submodule reached through its package": _main(
        "import xml.dom.minidom\ndef main():\n    return xml.dom.minidom.parseString('<a/>').firstChild.tagName",
        "main()",
        "'a'",
    ),
    "a class with super and inheritance": _main(
        "class A:\n    K = 2\n    def __init__(self, x):\n        self.x = x\n    def get(self):\n        return self.x\n"  # noqa: E501
        "class B(A):\n    def get(self):\n        return super().get() * self.K\ndef main():\n    return B(4).get()",
        "main(), isinstance(B(1), A)",
        "(8, True)",
    ),
    "properties, class and static methods": _main(
        "class A:\n    @property\n    def p(self):\n        return h()\n    @classmethod\n    def c(cls):\n"
        "        return cls.__name__\n    @staticmethod\n    def s():\n        return h() + 1\ndef h():\n    return 1\n"
        "def main():\n    return A().p, A.c(), A.s()",
        "main()",
        "(1, 'A', 2)",
    ),
    "an abstract class": _main(
        "import abc\nclass Shape(abc.ABC):\n    @abc.abstractmethod\n    def area(self): ...\nclass Square(Shape):\n"
        "    def area(self):\n        return 4\n@Shape.register\nclass Odd: ...\n"
        "def main():\n    return Square().area(), issubclass(Odd, Shape), Odd()",
        "main()[:2]",
        "(4, True)",
    ),
    "a dataclass and an instance of it": _main(
        "import dataclasses\n@dataclasses.dataclass(frozen=True)\nclass Config:\n    rate: float = 0.1\n"
        "    names: tuple = ('a',)\nCONFIG = Config(0.5)\ndef main():\n    return dataclasses.replace(CONFIG, rate=2)",
        "main(), type(CONFIG) is Config",
        "(Config(rate=2, names=('a',)), True)",
    ),
    "a dataclass with slots": _main(
        "import dataclasses\n@dataclasses.dataclass(slots=True)\nclass P:\n    x: int\n    def up(self):\n"
        "        return P(self.x + 1)\ndef main():\n    return P(1).up().x",
        "main()",
        "2",
    ),
    "an enum, members and all": _main(
        "import enum\nclass Color(enum.Enum):\n    RED = 1\n    BLUE = 2\n    def low(self):\n"
        "        return self.name.lower()\nBEST = Color.BLUE\ndef main():\n    return BEST.low(), BEST is Color.BLUE",
        "main()",
        "('blue', True)",
    ),
    "named tuples": _main(
        "from collections import namedtuple\nfrom typing import NamedTuple\nP = namedtuple('P', 'x y')\n"
        "class Q(NamedTuple):\n    a: int = 3\nO = P(1, 2)\ndef main():\n    return O, Q()",
        "main(), type(O) is P",
        "((P(x=1, y=2), Q(a=3)), True)",
    ),
    "a pydantic model": _main(
        "from pydantic import BaseModel, field_validator\nclass Inner(BaseModel):\n    n: int = 1\n"
        "class Model(BaseModel):\n    inner: Inner = Inner()\n    @field_validator('inner')\n    @classmethod\n"
        "    def good(cls, v):\n        return check(v)\ndef check(v):\n    assert v.n > 0\n    return v\n"
        "M = Model()\ndef main():\n    return Model(inner={'n': '3'}).inner.n, M.inner.n",
        "main()",
        "(3, 1)",
    ),
    "a metaclass": _main(
        "class Meta(type):\n    def __call__(cls, *a):\n        return super().__call__(*a), 'made'\n"
        "class A(metaclass=Meta): ...\ndef main():\n    return A()[1]",
        "main()",
        "'made'",
    ),
    "an exception class": _main(
        "class Bad(ValueError):\n    def __init__(self, n):\n        super().__init__(n)\n        self.n = n\n"
        "def main():\n    try:\n        raise Bad(3)\n    except Bad as error:\n        return error.n",
        "main()",
        "3",
    ),
    "lru_cache": _main(
        "import functools\n@functools.lru_cache(maxsize=7)\ndef slow(x):\n    return h(x)\ndef h(x):\n    return -x\n"
        "def main(x):\n    return slow(x), slow.cache_info().maxsize",
        "main(2)",
        "(-2, 7)",
    ),
    "a decorator from another cell": Case(
        (
            "import functools\ndef twice(fn):\n    @functools.wraps(fn)\n    def inner(*a):\n"
            "        return fn(*a), fn(*a)\n    return inner",
            "@twice\ndef main(x):\n    return x",
        ),
        "main(1)",
        "(1, 1)",
    ),
    "a context manager by a library's decorator": _main(
        "import contextlib\n@contextlib.contextmanager\ndef opened(x):\n    yield h(x)\ndef h(x):\n    return x + 1\n"
        "def main(x):\n    with opened(x) as y:\n        return y",
        "main(1)",
        "2",
    ),
    "partials and tables of functions": _main(
        "import functools\ndef a(x):\n    return h(x)\ndef b(x, y):\n    return x + y\ndef h(x):\n    return -x\n"
        "TABLE = {'a': a, 'b': functools.partial(b, 10)}\ndef main(n, x):\n    return TABLE[n](x)",
        "main('a', 1), main('b', 2)",
        "(-1, 12)",
    ),
    "a durable function calls a durable function": _main(
        "@function(cpu=2)\ndef low(x):\n    return x + 1\n@function(memory=4)\ndef main(x):\n    return low(x) * 2",
        "main(1), main.__durable__.options, low.__durable__.options, low.__durable__.fn(1)",
        "(4, {'memory': 4}, {'cpu': 2}, 2)",
    ),
    "a durable method": _main(
        "class Worker:\n    @function(cpu=1)\n    def run(self, x):\n        return self.help(x)\n"
        "    def help(self, x):\n        return super().__init__() or x + K\nK = 5\n"
        "def main(x):\n    return Worker().run(x), Worker.run.__durable__.options",
        "main(1)",
        "(6, {'cpu': 1})",
    ),
    "a class named in options": _main(
        "class Limited(Exception):\n    code = 9\n@function(retry_on=(Limited,))\ndef main():\n    return 1",
        "main.__durable__.options['retry_on'][0] is Limited, Limited.code",
        "(True, 9)",
    ),
    "async functions and generators": _main(
        "import asyncio\nasync def low(x):\n    return x\ndef gen():\n    yield from (1, 2)\n"
        "def main():\n    return asyncio.run(low(3)), list(gen())",
        "main()",
        "(3, [1, 2])",
    ),
    "annotations and docstrings": _main(
        "class T: ...\ndef main(x: 'T', y: T = None) -> int:\n    'says'\n    return 1",
        "main.__doc__, main.__annotations__['y'] is T, main.__name__",
        "('says', True, 'main')",
    ),
    "a client is missing, with its statement": _main(
        "import threading\nclient = threading.Lock()\ndef main():\n    return client",
        "callable(main)",
        "True",
        missing=("client = threading.Lock()",),
    ),
    "a default that cannot be stored": _main(
        "import threading\nlock = threading.Lock()\ndef h(x, l=lock):\n    return x\ndef main():\n    return h(1)",
        "callable(main)",
        "True",
        missing=("def h(x, l=lock):\n    return x",),
    ),
    "credentials": _main(
        "import os\nAPI_KEY = 'hunter2-very'\nurl = 'postgres://me:letmein99@db/x'\nCONF = {'a': {'password': 'zzz'}}\n"
        "okay = 'plain text'\nmax_tokens = 100\ndef main():\n    return API_KEY, url, CONF, okay, max_tokens",
        "okay, max_tokens",
        "('plain text', 100)",
        missing=("API_KEY = '***'", "CONF = {'a': {'password': '***'}}", "url = 'postgres://***@db/x'"),
    ),
    "a large list": _main(
        "rows = list(range(600_000))\ndef main():\n    return len(rows)",
        "callable(main)",
        "True",
        missing=("rows = list(range(600_000))",),
    ),
    "types of another name than their variable": _main(
        "import collections, dataclasses, enum, typing\nSize = collections.namedtuple('Extent', 'w h')\n"
        "Kind = enum.Enum('Colour', 'RED')\nRow = dataclasses.make_dataclass('Line', ['a'])\n"
        "Odd = type('Made', (Exception,), {})\ndef main():\n    return Size(1, 2), Kind.RED, Row(3), Odd(4)",
        "main()",
        "(Extent(w=1, h=2), <Colour.RED: 1>, Line(a=3), Made(4))",
    ),
    "typed dicts, new types and type variables": _main(
        "import typing as t\nRow = t.TypedDict('Line', {'a': int, 'b': t.NotRequired[str]})\n"
        "Id = t.NewType('Key', int)\n"
        "T = t.TypeVar('T', bound=int)\nclass Wide(Row):\n    c: int\n"
        "TABLE = {'rows': list[Row], 'id': Id, 'wide': Wide, 'both': Row | None}\n"
        "def main(x: 'T'):\n    return Row(a=x), Id(x), T.__name__, sorted(Wide.__required_keys__), sorted(TABLE)",
        "main(1)",
        "({'a': 1}, 1, 'T', ['a', 'c'], ['both', 'id', 'rows', 'wide'])",
    ),
    "data of types of another name": _main(
        "import collections, enum\nSize = collections.namedtuple('Extent', 'w')\nKind = enum.Enum('Colour', 'RED')\n"
        "DATA = {'s': Size(1), 'k': [Kind.RED]}\ndef main():\n    return DATA['s'].w, DATA['k'][0].name",
        "main()",
        "(1, 'RED')",
    ),
}
