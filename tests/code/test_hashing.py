"""What changes a code hash, and what does not."""

from __future__ import annotations

import subprocess
import sys
import types
from pathlib import Path

import pytest

from jupyter_durable.code.hashing import CodeHashes, changed, class_hash, code_hash, explain
from tests.code.notebook import Notebook, bring_back

ROOT = Path(__file__).resolve().parents[2]
PLAIN = "K = {'b', 'a', 'c'}\ndef h(x):\n    return x + 1\ndef main(x):\n    return h(x), K\n"

SAME = {
    "comments": (PLAIN, PLAIN.replace("return x + 1", "# why\n    return x + 1  # so")),
    "a docstring": (PLAIN, PLAIN.replace("return x + 1", "'says'\n    return x + 1")),
    "blank lines and spacing": (
        PLAIN,
        "\n\n" + PLAIN.replace("x + 1", "x+1").replace("return h(x), K", "\n\n    return (h(x),  K)"),
    ),
    "the order of a set": (PLAIN, PLAIN.replace("{'b', 'a', 'c'}", "{'c', 'b', 'a'}")),
    "the order of a dict": (
        "D = {'a': 1, 'b': 2}\ndef main():\n    return D",
        "D = {'b': 2, 'a': 1}\ndef main():\n    return D",
    ),
    "our decorator and its options": ("def main(x):\n    return x", "@function(cpu=2)\ndef main(x):\n    return x"),
    "a durable function it calls": (
        "@function()\ndef low(x):\n    return x\ndef main(x):\n    return low(x)",
        "@function()\ndef low(x):\n    return x + 1\ndef main(x):\n    return low(x)",
    ),
    "a durable method of a class it uses": (
        "class A:\n    @function()\n    def m(self):\n        return 1\ndef main():\n    return A()",
        "class A:\n    @function()\n    def m(self):\n        return 2\ndef main():\n    return A()",
    ),
    "a global it does not read": (PLAIN, PLAIN + "other = 5\n"),
    "an attribute with the name of a global": (
        "size = 1\ndef main(x):\n    return x.size",
        "size = 2\ndef main(x):\n    return x.size",
    ),
    "a client": (
        "import threading\nc = threading.Lock()\ndef main():\n    return c",
        "import threading\nc = threading.RLock()\ndef main():\n    return c",
    ),
    "a credential": (
        "API_KEY = 'one-one-one'\ndef main():\n    return API_KEY",
        "API_KEY = 'two-two-two'\ndef main():\n    return API_KEY",
    ),
    "large data": ("D = 'a' * 70_000\ndef main():\n    return D", "D = 'b' * 70_000\ndef main():\n    return D"),
}
DIFFERENT = {
    "the function": (PLAIN, PLAIN.replace("h(x), K", "h(x)"), ["K", "main"]),
    "a helper": (PLAIN, PLAIN.replace("x + 1", "x + 2"), ["h"]),
    "a helper's helper": (
        "def a():\n    return 1\ndef b():\n    return a()\ndef main():\n    return b()",
        "def a():\n    return 2\ndef b():\n    return a()\ndef main():\n    return b()",
        ["a"],
    ),
    "a global": (PLAIN, PLAIN.replace("'c'}", "'d'}"), ["K"]),
    "True for 1": ("K = 1\ndef main():\n    return K", "K = True\ndef main():\n    return K", ["K"]),
    "a closure's function": (
        "def make():\n    def low():\n        return 1\n    return lambda: low()\nmain = make()",
        "def make():\n    def low():\n        return 2\n    return lambda: low()\nmain = make()",
        ["make.<locals>.<lambda>.low"],
    ),
    "a closure's value": (
        "def make(n):\n    def main():\n        return n\n    return main\nmain = make(1)",
        "def make(n):\n    def main():\n        return n\n    return main\nmain = make(2)",
        ["make.<locals>.main.n"],
    ),
    "a default": (
        "D = 1\ndef main(x=D):\n    return x",
        "D = 2\ndef main(x=D):\n    return x",
        ["main.default 0"],
    ),
    "a class it uses": (
        "class A:\n    def m(self):\n        return 1\ndef main():\n    return A()",
        "class A:\n    def m(self):\n        return 2\ndef main():\n    return A()",
        ["A"],
    ),
    "a class without methods": (
        "class A:\n    x: int = 1\ndef main():\n    return A",
        "class A:\n    x: int = 2\ndef main():\n    return A",
        ["A"],
    ),
    "a base class": (
        "class A:\n    k = 1\nclass B(A): ...\ndef main():\n    return B",
        "class A:\n    k = 2\nclass B(A): ...\ndef main():\n    return B",
        ["A"],
    ),
    "a function in a table": (
        "def a():\n    return 1\nT = {'a': a}\ndef main():\n    return T['a']()",
        "def a():\n    return 2\nT = {'a': a}\ndef main():\n    return T['a']()",
        ["T.a"],
    ),
    "behind lru_cache": (
        "import functools\n@functools.lru_cache\ndef a():\n    return 1\ndef main():\n    return a()",
        "import functools\n@functools.lru_cache\ndef a():\n    return 2\ndef main():\n    return a()",
        ["a"],
    ),
    "another library's decorator": (
        "import functools\n@functools.lru_cache(maxsize=1)\ndef a():\n    return 1\ndef main():\n    return a()",
        "import functools\n@functools.lru_cache(maxsize=2)\ndef a():\n    return 1\ndef main():\n    return a()",
        ["a"],
    ),
}


TYPES = "import enum, ipaddress, pydantic, typing\nimport numpy as np\nfrom typing import *\n"
VALIDATED = "def check(n): return n * 2\nK = {}\nclass M(pydantic.BaseModel):\n    n: K\ndef main(): return M(n=1).n"
CONSTANTS = {
    "a literal": ("Literal['yes', 'no']", "Literal['yes', 'no', 'unclear']"),
    "a literal in a table": ("{'answer': Literal['yes', 'no']}", "{'answer': Literal['yes']}"),
    "an annotated type": ("Annotated[int, 'metres']", "Annotated[int, 'feet']"),
    "an alias": ("dict[str, int]", "dict[str, float]"),
    "an optional type": ("Optional[int]", "Optional[str]"),
    "a type that is named in a text": ("List['A']", "List['B']"),
    "a callable type": ("Callable[[int], str]", "Callable[[str], str]"),
    "a new type": ("NewType('K', int)", "NewType('K', str)"),
    "a type variable": ("TypeVar('K', bound=int)", "TypeVar('K', bound=str)"),
    "an address": ("ipaddress.ip_address('10.0.0.1')", "ipaddress.ip_address('10.0.0.2')"),
    "a network": ("ipaddress.ip_network('10.0.0.0/8')", "ipaddress.ip_network('10.0.0.0/9')"),
    "the fields of an array": ("np.zeros(1, [('a', 'i4')])", "np.zeros(1, [('b', 'i4')])"),
}


@pytest.mark.parametrize("name", CONSTANTS)
def test_a_constant_that_is_a_type_or_a_value_of_a_library_counts(name):
    before, edited = (Notebook(TYPES, f"K = {value}\ndef main(): return K") for value in CONSTANTS[name])
    assert changed(explain(before["main"]), explain(edited["main"])) == ["K"]
    again = Notebook(TYPES, f"K = {CONSTANTS[name][0]}\ndef main(): return K")
    assert code_hash(again["main"]) == code_hash(before["main"])


@pytest.mark.parametrize(
    "alias", ["Annotated[int, pydantic.AfterValidator({})]", "list[Annotated[int, pydantic.AfterValidator({})]]"]
)
@pytest.mark.parametrize("validator", ["check", "lambda n: n * 2"])
def test_the_functions_in_what_annotates_a_type_count(alias, validator):
    cell = VALIDATED.replace("{}", alias.replace("{}", validator))
    before, edited = Notebook(TYPES, cell), Notebook(TYPES, cell.replace("n * 2", "n * 3"))
    assert code_hash(before["main"], before.names) != code_hash(edited["main"], edited.names)


@pytest.mark.parametrize("name", SAME)
def test_does_not_change_the_hash(name):
    old, new = (Notebook(text) for text in SAME[name])
    assert changed(explain(old["main"]), explain(new["main"])) == []
    assert code_hash(old["main"]) == code_hash(new["main"])


@pytest.mark.parametrize("name", DIFFERENT)
def test_changes_the_hash_and_names_what_changed(name):
    before, after, parts = DIFFERENT[name]
    old, new = Notebook(before), Notebook(after)
    assert code_hash(old["main"]) != code_hash(new["main"])
    assert changed(explain(old["main"]), explain(new["main"])) == parts


def test_a_moved_cell_changes_nothing():
    helper, main = "def h(x):\n    return x", "def main(x):\n    return h(x)"
    assert code_hash(Notebook(helper, main)["main"]) == code_hash(Notebook(main, "1 + 1\n\n" + helper)["main"])


def test_code_without_source_is_hashed_by_its_instructions():
    def made(text: str):
        names: dict = {"__name__": "__main__"}
        exec(compile(text, "<nowhere>", "exec", dont_inherit=True), names)
        return names["main"]

    one = made("def main(x):\n    'doc'\n    return [y + 1 for y in x]")
    assert code_hash(one) == code_hash(made("\n\ndef main(x):\n    'other'\n    return [y + 1 for y in x]"))
    assert code_hash(one) != code_hash(made("def main(x):\n    return [y + 2 for y in x]"))


def test_a_method_counts_its_class_but_not_its_durable_methods():
    text = (
        "class A:\n    @function()\n    def m(self):\n        return self.h()\n"
        "    @function()\n    def n(self):\n        return 1\n    def h(self):\n        return 1\n"
    )
    old = Notebook(text)
    assert code_hash(old["A"].m) == code_hash(
        Notebook(text.replace("def n(self):\n        return 1", "def n(self):\n        return 2"))["A"].m
    )
    assert code_hash(old["A"].m) != code_hash(
        Notebook(text.replace("def h(self):\n        return 1", "def h(self):\n        return 2"))["A"].m
    )


def test_the_hash_seed_does_not_count():
    program = (
        "from tests.code.notebook import Notebook\nfrom jupyter_durable.code.hashing import code_hash\n"
        "book = Notebook(\"K = {'a', 'b', 'c', 'd'}\\ndef main(x):\\n    return x in {'p', 'q', 'r'}, K\")\n"
        "print(code_hash(book['main']).hex())"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(printed) == 1


def test_hashes_are_remembered_until_told_to_forget():
    book = Notebook(PLAIN)
    known = CodeHashes(book.names)
    first = known.of(book["main"])
    book.run("def h(x):\n    return x + 5")
    assert known.of(book["main"]) == first
    known.forget()
    assert known.of(book["main"]) == code_hash(book["main"]) != first


def test_restored_code_has_the_hash_it_had():
    book = Notebook(
        PLAIN, "class A:\n    def m(self):\n        return h(1)\n", "def use():\n    return A().m(), main(2)"
    )
    version = bring_back(book.snapshot("use"))
    assert code_hash(version.namespace["use"], version.namespace) == code_hash(book["use"], book.names)


def test_a_class_is_the_same_while_only_data_changes():
    text = "K = 1\nclass A:\n    def m(self):\n        return K\n"
    one, two = Notebook(text), Notebook(text.replace("K = 1", "K = 2"))
    assert class_hash(one["A"], one.names) == class_hash(two["A"], two.names)
    assert code_hash(one["A"], one.names) != code_hash(two["A"], two.names)


def _without_source(text: str) -> types.FunctionType:
    names: dict = {"__name__": "__main__"}
    exec(compile(text, "<nowhere>", "exec", dont_inherit=True), names)
    return names["main"]


@pytest.mark.parametrize(
    "text",
    [
        "def main(xs):\n    return ['a' + x for x in xs]",
        "def main(xs):\n    return {'a': x for x in xs}",
        "def main(xs):\n    return {'a' for x in xs}",
        "def main(xs):\n    return ''.join('a' for x in xs)",
        "def main(xs):\n    return sorted(xs, key=lambda x: x['a'])",
        "def main(xs):\n    def g():\n        return [y for y in ['a']]\n    return g",
        "def main(xs):\n    class A:\n        x = ['a' for _ in xs]\n    return A",
        "def main(xs):\n    'says'\n    return 'a'",
        "main = lambda xs: 'a'",
    ],
)
def test_every_text_that_code_without_source_uses_counts(text):
    assert code_hash(_without_source(text)) != code_hash(_without_source(text.replace("'a'", "'b'")))


@pytest.mark.parametrize(
    "text",
    [
        "def main():\n    'a'\n    return 1",
        "def main():\n    'a'",
        "def main():\n    def g():\n        'a'\n        return 1\n    return g",
        "async def main():\n    'a'\n    return 1",
    ],
)
def test_no_docstring_of_code_without_source_counts(text):
    assert code_hash(_without_source(text)) == code_hash(_without_source(text.replace("'a'", "'b'")))
