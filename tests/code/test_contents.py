"""Code that a function reaches through what containers and objects hold counts as its own."""

from __future__ import annotations

import pytest

from jupyter_durable.code.hashing import CodeHashes, code_hash
from tests.code.notebook import Notebook

FUNCTION = "def h(x): return 1\n"
METHOD = "class S:\n    def m(self, x=0): return 1\n"
SLOTS = "class S:\n    __slots__ = ('f',)\n    def __init__(self, f): self.f = f\n"
DATACLASS = "import dataclasses\n@dataclasses.dataclass(frozen=True)\nclass S:\n    f: object\n"
REGISTRY = "class B:\n    known = {}\n    def __init_subclass__(cls): B.known[cls.__name__] = cls\n"
HELD = {
    "a list of instances": METHOD + "T = [S()]",
    "a dict of instances": METHOD + "T = {'a': S()}",
    "a set of instances": METHOD + "T = {S()}",
    "an instance in an instance": METHOD + "class H: pass\nT = H()\nT.held = [S()]",
    "a bound method": METHOD + "T = S().m",
    "a table of bound methods": METHOD + "T = {'a': [S().m]}",
    "a dataclass of functions": FUNCTION + DATACLASS + "T = S(h)",
    "a list of dataclasses of functions": FUNCTION + DATACLASS + "T = [S(h)]",
    "an object with slots": FUNCTION + SLOTS + "T = [S(h)]",
    "a namespace": FUNCTION + "from types import SimpleNamespace\nT = SimpleNamespace(f=h)",
    "an OrderedDict": FUNCTION + "from collections import OrderedDict\nT = OrderedDict(f=h)",
    "a defaultdict": FUNCTION + "from collections import defaultdict\nT = defaultdict(None, f=h)",
    "the factory of a defaultdict": FUNCTION + "from collections import defaultdict\nT = defaultdict(h)",
    "a deque": FUNCTION + "from collections import deque\nT = deque([h])",
    "a mapping proxy": FUNCTION + "from types import MappingProxyType\nT = MappingProxyType({'f': h})",
    "a chain of maps": FUNCTION + "from collections import ChainMap\nT = ChainMap({}, {'f': h})",
    "a named tuple": FUNCTION + "from collections import namedtuple\nT = namedtuple('T', 'f')(h)",
    "a subclass of dict": FUNCTION + "class R(dict): pass\nT = R(f=h)",
    "a subclass of list": FUNCTION + "class R(list): pass\nT = R([h])",
    "a member of an enum": FUNCTION
    + "import functools, enum\nclass E(enum.Enum):\n    A = functools.partial(h)\nT = [E.A]",
    "a registry": FUNCTION + "class R:\n    def __init__(self): self.known = {}\nT = R()\nT.known['h'] = h",
    "a callable that holds a list": FUNCTION
    + "class P:\n    def __init__(self, *f): self.f = f\n    def __call__(self, x): return self.f[0](x)\nT = P(h)",
    "the deepest of many tables": FUNCTION + "T = {'a': {'b': {'c': {'d': {'e': {'f': [h]}}}}}}",
    "a registry of subclasses": REGISTRY + "class A(B):\n    def m(self): return 1\nT = B",
    "a method that was assigned": "class A:\n    def m(self): return 0\nA.m = lambda self: 1 + 0\nT = A",
    "a class made in a function": FUNCTION
    + "def make(f):\n    class S:\n        def m(self, x): return f(x)\n    return S\nT = make(h)",
}
DATA = {
    "an OrderedDict": ("from collections import OrderedDict as O\nT = O([{}])", "(1, 1), (2, 2)", "(2, 2), (1, 1)"),
    "an array.array": ("import array\nT = array.array('d', [{}])", "1.0", "2.0"),
    "the length of a deque": ("from collections import deque\nT = deque([1], maxlen={})", "2", "3"),
    "an itemgetter": ("import operator\nT = operator.itemgetter({})", "1", "2"),
    "an attrgetter": ("import operator\nT = operator.attrgetter({})", "'a'", "'b'"),
    "a methodcaller": ("import operator\nT = operator.methodcaller('m', {})", "1", "2"),
    "a partial": ("import functools\nT = functools.partial(int, {})", "'1'", "'2'"),
    "a frozen dataclass": (DATACLASS + "T = S({})", "1", "2"),
    "a named tuple": ("from collections import namedtuple\nT = namedtuple('T', 'k')({})", "1", "2"),
    "a date": ("import datetime\nT = datetime.date(2026, 1, {})", "1", "2"),
    "a moment": ("import datetime\nT = datetime.datetime(2026, 1, 1, {})", "1", "2"),
    "a duration": ("import datetime\nT = [datetime.timedelta(seconds={})]", "1", "2"),
    "a path": ("import pathlib\nT = pathlib.Path({})", "'a/b'", "'a/c'"),
    "a path in a table": ("import pathlib\nT = {'in': pathlib.PurePosixPath({})}", "'a'", "'b'"),
    "a pattern": ("import re\nT = re.compile({})", "'a+'", "'a*'"),
    "the flags of a pattern": ("import re\nT = re.compile('a', {})", "0", "re.I"),
    "an enum": ("import enum\nclass E(enum.Enum):\n    A = 1\n    B = 2\nT = E.{}", "A", "B"),
    "an attrs instance": ("import attrs\n@attrs.define\nclass S:\n    f: object\nT = S({})", "1", "2"),
    "a frozen attrs instance": ("import attrs\n@attrs.frozen\nclass S:\n    f: object\nT = [S({})]", "1", "2"),
    "a pydantic instance": ("import pydantic\nclass S(pydantic.BaseModel):\n    f: int\nT = S(f={})", "1", "2"),
    "a namespace": ("from types import SimpleNamespace\nT = SimpleNamespace(f={})", "1", "2"),
    "a numpy array": ("import numpy\nT = numpy.array([0, {}])", "1", "2"),
    "the type of a numpy array": ("import numpy\nT = numpy.zeros(3, {})", "'i4'", "'f4'"),
    "the shape of a numpy array": ("import numpy\nT = numpy.zeros({})", "(2, 3)", "(3, 2)"),
    "the last of 64 KiB": ("import numpy\nT = numpy.arange(8_000)\nT[-1] = {}", "1", "2"),
    "what is put into a class": ("class S: rate = 0.0\nS.rate = {}\nT = S", "0.1", "0.2"),
}  # fmt: skip
PLAIN = "class S:\n    def __init__(self, f): self.f = f\n"
PANDAS = "import pandas as pd\n"
OBJECTS = {
    "a frame": (PANDAS + "T = pd.DataFrame({'a': [{}]})", "1", "2"),
    "a frame's texts": (PANDAS + "T = pd.DataFrame({'a': ['x'], 'b': [{}]})", "'1'", "'2'"),
    "a frame's column": (PANDAS + "T = pd.DataFrame({{}: [1]})", "'a'", "'b'"),
    "a frame's index": (PANDAS + "T = pd.DataFrame({'a': [1, 2]}, index=[{}])", "0, 1", "1, 0"),
    "a frame's types": (PANDAS + "T = pd.DataFrame({'a': [1]}, dtype={})", "'i4'", "'i8'"),
    "a series": (PANDAS + "T = pd.Series([{}])", "1", "2"),
    "an index": (PANDAS + "T = pd.Index([{}])", "'a'", "'b'"),
    "a type of items": ("import numpy\nT = numpy.dtype({})", "'f4'", "'f8'"),
    "a type of records": ("import numpy\nT = numpy.dtype([('a', {})])", "'f4'", "'f8'"),
    "a msgspec struct": ("import msgspec\nclass S(msgspec.Struct):\n    f: int\nT = S({})", "1", "2"),
    "a template": ("import string\nT = string.Template('a' * {})", "1", "2"),
    "an instance of a plain class": (PLAIN + "T = S({})", "1", "2"),
    "what is put into an instance": (PLAIN + "T = S(1)\nT.g = {}", "1", "2"),
    "an instance with slots": (PLAIN.replace(":", ":\n    __slots__ = 'f',", 1) + "T = S({})", "1", "2"),
    "an instance in an instance": (PLAIN + "T = S([S({})])", "1", "2"),
    "an instance in a table": (PLAIN + "T = {'a': (S({}),)}", "1", "2"),
    "an instance that can be called": (PLAIN + "    def __call__(self): return self.f\nT = S({})", "1", "2"),
    "an instance of a subclass": (PLAIN + "class R(S): pass\nT = R({})", "1", "2"),
    "an instance of a generic class": (
        "import typing\nX = typing.TypeVar('X')\nclass S(typing.Generic[X]):\n    def __init__(self, f): self.f = f\n"
        "T = S({})", "1", "2",
    ),
}  # fmt: skip
COLLECTS = "class S:\n    def __init__(self): self.n = []\n"
MEMORY = {
    "an instance that counts": "class S:\n    n = 0\n    def note(self): self.n += 1\nT = S()",
    "an instance that collects": COLLECTS + "    def note(self): self.n.append(1)\nT = S()",
    "an instance in a table": "class S:\n    n = 0\n    def note(self): self.n += 1\nT = {'a': S()}",
    "an instance with a cache": COLLECTS.replace("[]", "{}") + "    def note(self): self.n['a'] = 1\nT = S()",
    "an instance whose base counts": "class B:\n    n = 0\n    def note(self): self.n += 1\nclass S(B): pass\nT = S()",
}
NOT_SEEN = {
    "an instance of a library's class": ("import email.message as m\nT = m.Message()\nT['a'] = {}", "'1'", "'2'"),
    "the environment": ("import os\nos.environ['JD_TEST'] = {}\nT = os.environ", "'1'", "'2'"),
    "an attribute of a library module": ("import textwrap as T\nT.added_here = {}", "1", "2"),
    "a list that is put into a class": ("class S: rates = []\nS.rates = [{}]\nT = S", "1", "2"),
    "the order of a dict": ("T = {{}}", "'a': 1, 'b': 2", "'b': 2, 'a': 1"),
    "more than 64 KiB": ("import numpy\nT = numpy.arange(9_000)\nT[-1] = {}", "1", "2"),
}  # fmt: skip
MAIN = "\ndef main(x): return T\n"


def hash_of(text: str) -> bytes:
    book = Notebook(text + MAIN)
    return code_hash(book["main"], book.names)


@pytest.mark.parametrize("name", HELD)
def test_an_edit_of_what_a_value_holds_is_an_edit_of_the_code_that_reads_it(name):
    text = HELD[name]
    edited = text.replace("return 1", "return 2").replace("1 + 0", "1 + 1")
    assert edited != text
    assert hash_of(text) == hash_of(text)
    assert hash_of(text) != hash_of(edited)


@pytest.mark.parametrize("name", DATA)
def test_constants_of_many_kinds_count(name):
    text, one, other = DATA[name]
    assert hash_of(text.replace("{}", one)) == hash_of(text.replace("{}", one))
    assert hash_of(text.replace("{}", one)) != hash_of(text.replace("{}", other))


@pytest.mark.parametrize("name", OBJECTS)
def test_objects_that_nothing_changes_count_by_what_they_hold(name):
    text, one, other = OBJECTS[name]
    assert hash_of(text.replace("{}", one)) == hash_of(text.replace("{}", one))
    assert hash_of(text.replace("{}", one)) != hash_of(text.replace("{}", other))


@pytest.mark.parametrize("name", MEMORY)
def test_what_the_methods_of_an_object_change_is_its_memory(name):
    book = Notebook(MEMORY[name] + MAIN)
    before = code_hash(book["main"], book.names)
    held = book["T"]
    (held["a"] if isinstance(held, dict) else held).note()
    assert code_hash(book["main"], book.names) == before


def test_an_object_that_is_changed_between_two_calls_is_seen_at_the_second():
    book = Notebook(PLAIN + "T = S(1)" + MAIN)
    hashes = CodeHashes(book.names)
    before = hashes.of(book["main"])
    assert hashes.of(book["main"]) == before
    book["T"].f = 2
    assert hashes.of(book["main"]) != before


@pytest.mark.parametrize("name", NOT_SEEN)
def test_what_the_guarantees_say_is_not_seen(name, monkeypatch):
    """A list that is shorter than what is not seen would be a promise."""
    monkeypatch.setenv("JD_TEST", "0")  # and put back
    text, one, other = NOT_SEEN[name]
    before = hash_of(text.replace("{}", one))
    assert before == hash_of(text.replace("{}", other))
