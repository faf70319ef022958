"""Globals that answer as they like: cells that bind `thing` to an object which nobody may ask anything.

Where an object would be asked, it raises, answers nonsense, or calls `asked()`, which stops the process: nothing can
pass over that in silence.
"""

from __future__ import annotations

from typing import Final

PRELUDE: Final = """
import os, sys, traceback
class Asked(BaseException): pass
def asked(*args, **kwargs):
    traceback.print_stack()
    sys.stderr.flush()
    os._exit(77)
def refuse(*args, **kwargs):
    raise RuntimeError("working outside of application context")
"""


PROXIED: Final = (
    "__class__", "__dict__", "__wrapped__", "__doc__", "__module__", "__bool__", "__len__", "__eq__", "__hash__",
    "__repr__", "__call__", "__iter__", "__getattr__", "__durable__",
)  # fmt: skip
"""What the proxies of web frameworks answer for the object of the current request."""


def _answering(*methods: str, by: str = "asked") -> str:
    body = "\n".join(f"    {method} = {by}" for method in methods)
    return f"class Odd:\n{body}\nthing = object.__new__(Odd)"


_GETATTRIBUTE: Final = "class Odd:\n    def __getattribute__(self, name):\n        {0}\nthing = Odd()"

ZOO: Final[dict[str, str]] = {
    "a dict of classes": "thing = {'id': str, 'n': int}",
    "a list of classes and aliases": "thing = [str, list[int], int | None, dict[str, list[float]]]",
    "aliases of typing": (
        "import typing as t\nthing = {'a': t.Optional[int], 'b': t.List[str], 'c': t.Literal['x'], 'd': t.Any}"
    ),
    "type variables and new types": "import typing as t\nthing = (t.TypeVar('T'), t.NewType('Id', int), t.Callable)",
    "a sparse matrix": "import scipy.sparse as sp\nthing = sp.csr_matrix([[1, 0], [0, 2]])",
    "a sparse array in a table": "import scipy.sparse as sp\nthing = {'m': [sp.coo_array([[1, 0], [0, 2]])]}",
    "a length that raises": _answering("__len__", by="refuse"),
    "a length that is asked": _answering("__len__"),
    "a truth that is asked": _answering("__bool__"),
    "an equality that is asked": _answering("__eq__", "__ne__", "__hash__"),
    "an unhashable object": "class Odd:\n    def __eq__(self, other): asked()\nthing = Odd()",
    "an attribute that is asked": _answering("__getattr__"),
    "every attribute raises": _GETATTRIBUTE.format("raise RuntimeError(name)"),
    "every attribute is asked": _GETATTRIBUTE.format("asked()"),
    "a class that is asked": "class Odd:\n    __class__ = property(asked)\nthing = Odd()",
    "a class that lies": (
        "import types\nclass Odd:\n    __class__ = property(lambda self: types.FunctionType)\nthing = Odd()"
    ),
    "a dictionary that is asked": "class Odd:\n    __dict__ = property(asked)\nthing = Odd()",
    "a repr that is asked": _answering("__repr__", "__str__", "__format__"),
    "a pickle that raises": _answering("__reduce__", "__reduce_ex__", by="refuse"),
    "a pickle that is asked": _answering("__reduce__", "__reduce_ex__", "__getstate__", "__deepcopy__", "__copy__"),
    "iteration that is asked": _answering("__iter__", "__contains__", "__getitem__"),
    "iteration without end": "class Odd:\n    def __getitem__(self, n): return n\n    def __len__(self): return 10**18\nthing = Odd()",
    "a callable that answers everything with itself": (
        "class Odd:\n    def __getattr__(self, name): return self\n    def __call__(self, *a, **k): return self\nthing = Odd()"
    ),
    "wrappers without end": (
        "class Odd:\n    def __call__(self): pass\n    __wrapped__ = property(lambda self: Odd())\nthing = Odd()"
    ),
    "a function that wraps itself": "def thing(): pass\nthing.__wrapped__ = thing",
    "two functions that wrap each other": (
        "def thing(): pass\ndef other(): pass\nthing.__wrapped__, other.__wrapped__ = other, thing"
    ),
    "a function that wraps an odd object": _answering("__getattr__", "__call__").replace("thing =", "odd =")
    + "\ndef thing(): pass\nthing.__wrapped__ = odd",
    "mock.call": "from unittest.mock import call as thing",
    "a chain of mock.call": "from unittest.mock import call\nthing = call.a.b(1)",
    "a mock": "from unittest.mock import Mock\nthing = Mock()",
    "a magic mock in a table": "from unittest.mock import MagicMock\nthing = {'client': MagicMock(), 'others': [MagicMock()]}",
    "a mock of a class": "from unittest.mock import create_autospec\nclass Real:\n    def m(self): pass\nthing = create_autospec(Real)",
    "a server proxy": "import xmlrpc.client\nthing = xmlrpc.client.ServerProxy('http://127.0.0.1:9')",
    "a method of a server proxy": "import xmlrpc.client\nthing = xmlrpc.client.ServerProxy('http://127.0.0.1:9').run",
    "a proxy of a context that is not there": (
        "class Look:\n    def __get__(self, held, owner): return self if held is None else refuse()\n"
        "class LocalProxy:\n    __slots__ = ('_get',)\n    " + " = ".join(PROXIED) + " = Look()\nthing = LocalProxy()"
    ),
    "a weak proxy of what is gone": (
        "import weakref\nclass Real: pass\nreal = Real()\nthing = weakref.proxy(real)\ndel real"
    ),
    "a lazy module": (
        "import importlib.util, sys\nspec = importlib.util.find_spec('antigravity')\n"
        "spec.loader = importlib.util.LazyLoader(spec.loader)\nthing = importlib.util.module_from_spec(spec)"
    ),
    "a module that is asked": (
        "import types\nclass Odd(types.ModuleType):\n    def __getattribute__(self, name): asked()\n"
        "thing = types.ModuleType.__new__(Odd, 'odd')\ntypes.ModuleType.__init__(thing, 'odd')"
    ),
    "a metaclass that answers": (
        "class Meta(type):\n    def __getattr__(cls, name): asked()\nclass thing(metaclass=Meta): pass"
    ),
    "a metaclass that compares": (
        "class Meta(type):\n    def __eq__(cls, other): asked()\n    def __hash__(cls): asked()\n"
        "class Odd(metaclass=Meta): pass\nthing = Odd()"
    ),
    "a metaclass without a hash": (
        "class Meta(type):\n    def __eq__(cls, other): return False\nclass Odd(metaclass=Meta): pass\nthing = [Odd()]"
    ),
    "a metaclass that checks instances": (
        "class Meta(type):\n    __instancecheck__ = __subclasscheck__ = asked\nclass thing(metaclass=Meta): pass"
    ),
    "a class attribute that raises": "class Deep:\n    def __get__(self, held, owner): raise RuntimeError\nclass thing:\n    deep = Deep()",
    "a dataclass with a property for a field": (
        "import dataclasses\n@dataclasses.dataclass\nclass Odd:\n    x: int = 1\nOdd.x = property(asked, lambda self, value: None)\n"
        "thing = Odd()"
    ),
    "a dataclass that says how it is pickled": (
        "import dataclasses\n@dataclasses.dataclass\nclass Odd:\n    x: int = 1\n    __reduce_ex__ = __getstate__ = asked\nthing = Odd()"
    ),
    "a dict that answers": (
        "class Odd(dict):\n    __getitem__ = __iter__ = __len__ = items = keys = values = get = __contains__ = asked\nthing = Odd(a=1)"
    ),
    "a list that answers": "class Odd(list):\n    __iter__ = __len__ = __getitem__ = __bool__ = asked\nthing = Odd([1])",
    "a named tuple that answers": (
        "import collections\nclass Odd(collections.namedtuple('Odd', 'x y')):\n    __iter__ = __len__ = asked\n    x = property(asked)\n"
        "thing = Odd(1, 2)"
    ),
    "a text that answers": "class Odd(str):\n    __hash__ = __eq__ = __len__ = __bool__ = encode = asked\nthing = Odd('x')",
    "an attribute dictionary of itself": (
        "class Odd(dict):\n    def __init__(self):\n        self.__dict__ = self\n    get = items = asked\nthing = Odd()"
    ),
    "an enum that answers": (
        "import enum\nclass Odd(enum.Enum):\n    A = 1\n    __repr__ = __hash__ = __reduce_ex__ = asked\nthing = Odd.A"
    ),
    "a zone that answers": (
        "import datetime\nclass Odd(datetime.tzinfo):\n    utcoffset = __repr__ = __reduce__ = asked\n"
        "thing = datetime.datetime(2026, 1, 1, tzinfo=Odd())"
    ),
    "an array of objects": _answering("__eq__", "__len__", "__getattr__").replace("thing =", "odd =")
    + "\nimport numpy as np\nthing = np.empty(2, dtype=object)\nthing[0] = odd",
    "an array that answers": (
        "import numpy as np\nclass Odd(np.ndarray):\n    nbytes = dtype = property(asked)\nthing = np.zeros(2).view(Odd)"
    ),
    "a frame of objects": "import pandas as pd\nthing = pd.DataFrame({'a': [object(), print]}, index=[object, 2])",
    "a frame that answers": (
        "import pandas as pd\nclass Odd(pd.DataFrame):\n    __len__ = __getattr__ = memory_usage = asked\nthing = Odd({'a': [1]})"
    ),
    "a partial of an odd object": _answering("__call__", "__getattr__").replace("thing =", "odd =")
    + "\nimport functools\nthing = functools.partial(odd, odd, k=odd)",
    "a partial that answers": (
        "import functools\nclass Odd(functools.partial):\n    func = args = keywords = property(asked)\nthing = Odd(print)"
    ),
    "a table with odd keys": _answering("__repr__", "__str__").replace("thing =", "odd =")
    + "\nthing = {odd: print, (odd, 1): len}",
    "a cyclic list": "thing = []\nthing.extend([thing, thing])",
    "lists within lists without number": "thing = [0]\nfor _ in range(60):\n    thing = [thing, thing, print]",
    "a view of a mapping that answers": (
        "import types\nclass Odd(dict):\n    __iter__ = __getitem__ = keys = items = asked\nthing = types.MappingProxyType(Odd(a=1))"
    ),
    "a property that is no property": "class Odd(property):\n    fget = fset = asked\nclass thing:\n    it = Odd(len)",
    "a static method that answers": "class Odd(staticmethod):\n    __func__ = property(asked)\nclass thing:\n    it = Odd(len)",
    "a signature that answers": (
        "class Odd:\n    __class__ = property(asked)\ndef thing(x=1): pass\nthing.__signature__ = Odd()\nthing.__annotations__ = {'x': Odd()}"
    ),
    "a function with odd names": "def thing(): pass\nthing.__module__ = 5\nthing.__name__ = 'x.y'\nthing.__defaults__ = (1, 2, 3)",
    "a class with odd names": "class thing: pass\nthing.__module__ = property(asked)",
    "an exception that answers": "class Odd(Exception):\n    __reduce__ = __str__ = __getattr__ = asked\nthing = Odd()",
    "a running generator": "thing = (n for n in range(3))\nnext(thing)",
    "a lock, a socket, an open file": "import threading, socket\nthing = (threading.Lock(), socket.socket(), open(os.devnull))",
}
"""What it is, and the cell that binds `thing`."""

READERS: Final[dict[str, str]] = {
    "by name": "def _look(x):\n    return x if thing is not None else thing\n",
    "in a closure": "def made(held):\n    def _look(x):\n        return x if held is not None else held\n    return _look\n_look = made(thing)\n",
    "as a default": "def _look(x, held=thing, *, other=[thing]):\n    return x\n",
    "in a class": "class Holder:\n    held = thing\n    def get(self):\n        return thing\ndef _look(x):\n    return x if Holder is not None else 5\n",
    "in a table": "TABLE = {'a': thing, 'b': [thing, print], 'c': (thing, {'d': thing})}\ndef _look(x):\n    return x if TABLE is not None else TABLE\n",
}
"""Where code meets it, and the cell that defines `_look`."""
