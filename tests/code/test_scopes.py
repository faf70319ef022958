"""Whose a name is: a variable of one function is no global of another, and what code changes itself is its memory."""

from __future__ import annotations

import sys
from textwrap import dedent

import pytest

from jupyter_durable.code.hashing import CodeHashes, changed, code_hash, explain
from tests.code.notebook import Notebook, bring_back

HIDING = {
    "a local": "def h():\n    words = []\n    words.append(1)",
    "a parameter": "def h(words=None):\n    words['seen'] = 1",
    "a parameter by keyword": "def h(*, words=None):\n    words.update(a=1)",
    "all arguments": "def h(*words):\n    words[0].append(1)",
    "a loop's": "def h():\n    for words in [[]]:\n        words.append(1)",
    "a sum": "def h():\n    words = 0\n    for i in range(3):\n        words += i",
    "a file's": "def h():\n    with open('f') as words:\n        words.x = 1",
    "an error's": "def h():\n    try:\n        pass\n    except ValueError as words:\n        words.x = 1",
    "a pattern's": "def h(x=0):\n    match x:\n        case [words, *_]:\n            words.append(1)",
    "a pattern's rest": "def h(x=0):\n    match x:\n        case {'a': 1, **words}:\n            words.clear()",
    "a pattern's star": "def h(x=0):\n    match x:\n        case [_, *words]:\n            words.clear()",
    "an expression's": "def h():\n    if words := []:\n        words.append(1)",
    "an expression's in a comprehension": "def h():\n    [(words := [i]) for i in range(2)]\n    words.append(1)",
    "an import's": "def h():\n    import json as words\n    words.x = 1",
    "an unpacked one": "def h():\n    (a, *words) = 1, 2\n    words.append(1)",
    "a deleted one": "def h(x=None):\n    words = x\n    del words[0]\n    del words",
    "a definition's": "def h():\n    def words(): ...\n    words.x = 1",
    "a lambda's": "h = lambda words=None: words.append(1)",
    "a comprehension's": "def h():\n    return [words.append(1) for words in [[]]]",
    "a second generator's": "def h():\n    return {words.append(1) for a in [[[]]] for words in a}",
    "an inner function's": (
        "def h():\n    def g():\n        words = []\n        words.append(1)\n    g()\n    return words"
    ),
    "one of the function around": (
        "def h():\n    words = []\n    def g():\n        words.append(1)\n    def k():\n        nonlocal words\n"
        "        words = words + [1]\n    g(), k()"
    ),
    "a closure's": "def make():\n    words = []\n    def h():\n        words.append(1)\n    return h\nh = make()",
    "that of a class in a function": "def h():\n    class A:\n        words = []\n        words.append(1)",
    "an added one of a class": "def h():\n    class A:\n        words = 1\n        words += 1",
    "a method's": "class A:\n    def m(self):\n        words = []\n        words.append(1)\nh = A",
    "a class's own": "class A:\n    words = []\n    words.append(1)\n    def m(self): ...\nh = A",
    "that of a class's function around": (
        "def make():\n    words = []\n    class A:\n        def m(self):\n"
        "            words.append(1)\n    return A\nh = make()"
    ),
    "an asynchronous function's": "async def h():\n    async for words in x:\n        words.append(1)",
    "a sum that begins with it": "def h():\n    n = words\n    n += ['c']\n    n = words\n    n = n + ['d']",
    "a number's second name": "def h():\n    n = words[0]\n    n += 'c'",
    "one that is given to a function": "def put(x):\n    x = x + ['c']\n    x.append(1)\ndef h():\n    put(words)",
    "one that is given among all": "def put(*x):\n    x[0].append(1)\ndef h():\n    put(words, words)",
    "one that is given beside another": "def put(x, y):\n    y.append(1)\ndef h():\n    put(words, [])",
    "one that is given to a variable": "def put(x):\n    x.append(1)\ndef h(put=print):\n    put(words)",
    "a variable that is given": "def put(x):\n    x.append(1)\ndef h():\n    words = []\n    put(words)",
    "what is given and summed": "def put(x):\n    x += 'c'\ndef h():\n    put(words[0])",
    "a copy": "def h():\n    n = words\n    n = list(n)\n    n.append(1)",
    "a copied one": "def h():\n    n = list(words)\n    n.append(1)",
    "an attribute": "def h(x=None):\n    x.words = 1\n    x.words.append(1)",
}


@pytest.mark.parametrize("name", HIDING)
def test_a_variable_of_a_function_hides_no_global_of_the_same_name(name):
    text = f"words = ['a']\n{HIDING[name]}\ndef main():\n    h()\n    return words[0]\n"
    old, new = Notebook(text), Notebook(text.replace("['a']", "['b']", 1))
    assert "words" in changed(explain(old["main"], old.names), explain(new["main"], new.names))
    assert CodeHashes(old.names).as_argument(old["main"]) != CodeHashes(new.names).as_argument(new["main"])
    known = CodeHashes(old.names)
    first = known.of(old["main"])
    old["words"].append("c")
    assert known.of(old["main"]) != first


def test_a_module_that_changes_its_global_hides_none_of_another_module(tmp_path, monkeypatch):
    (tmp_path / "hiding.py").write_text("table = {}\ndef put():\n    table['a'] = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    text = "import hiding\ntable = {'k': 1}\ndef main():\n    hiding.put()\n    return table['k'], hiding.table\n"
    old, new = Notebook(text), Notebook(text.replace("'k': 1", "'k': 2"))
    assert changed(explain(old["main"], old.names), explain(new["main"], new.names)) == ["table"]
    before = explain(old["main"], old.names)
    old["main"]()
    assert explain(old["main"], old.names) == before


MEMORY = {
    "bound when it is needed": "n = None\ndef h():\n    global n\n    if n is None:\n        n = {'w': 1}",
    "counted": "n = 0\ndef h():\n    global n\n    n = n + 1",
    "added to": "n = 0\ndef h():\n    global n\n    n += 1",
    "a union": "n = set()\ndef h():\n    global n\n    n = n | {1}",
    "unpacked": "n = 0\ndef h():\n    global n\n    n, _ = 5, 6",
    "deleted": "n = 5\ndef h():\n    global n\n    n = 1\n    del n",
    "of a loop": "n = 0\ndef h():\n    global n\n    for n in range(5): pass",
    "of a file": "import io\nn = 0\ndef h():\n    global n\n    with io.BytesIO() as f, memoryview(b'') as n: pass",
    "of an error": "n = 0\ndef h():\n    global n\n    try:\n        1 / 0\n    except ZeroDivisionError as n: pass",
    "of a pattern": "n = 0\ndef h():\n    global n\n    match [1, 2]:\n        case [n, _]: pass",
    "of an expression": "n = 0\ndef h():\n    global n\n    return (n := 5)",
    "of an expression in a comprehension": "n = 0\ndef h():\n    global n\n    return [(n := i) for i in range(3)]",
    "of an inner function": "n = 0\ndef h():\n    def g():\n        global n\n        n = 5\n    g()",
    "of a class in a function": "n = 0\ndef h():\n    class A:\n        global n\n        n = 5",
    "of a method": "n = 0\nclass A:\n    def m(self):\n        global n\n        n = n + 1\ndef h():\n    A().m()",
    "a table that a method fills": "n = {}\nclass A:\n    def m(self):\n        n[1] = 2\ndef h():\n    A().m()",
    "a table in a table": "n = {'a': {}}\ndef h(k='a'):\n    n[k]['b'] = 1",
    "lists in a table": "n = {'a': []}\ndef h(k='a'):\n    n[k].append(1)",
    "under a second name": "n = {}\ndef h():\n    c = n\n    c[1] = 2",
    "under a second name in a closure": (
        "def make():\n    n = {}\n    def h():\n        c = n\n        c[1] = 2\n    return h\nh = make()"
    ),
    "given to a function": "n = []\ndef note(l, x):\n    l.append(x)\ndef h():\n    note(n, 1)",
    "given to a function second": "n = {}\ndef note(x, l=None):\n    l[x] = x\ndef h():\n    note(1, n)",
    "a heap": "import heapq\nn = []\ndef h():\n    heapq.heappush(n, 1)",
    "a sorted list": "from bisect import insort\nn = [1]\ndef h():\n    insort(n, 1)",
    "without source": "exec('n = 0\\ndef h():\\n    global n\\n    n = n + 1')",
    "a closure's count": (
        "def make():\n    n = 0\n    def h():\n        nonlocal n\n        n = n + 1\n    return h\nh = make()"
    ),
    "a closure's sum": (
        "def make():\n    n = 0\n    def h():\n        nonlocal n\n        n += 1\n    return h\nh = make()"
    ),
    "a closure's table": """
        import functools
        def memo(f):
            cache = {}
            @functools.wraps(f)
            def w(*a):
                if a not in cache:
                    cache[a] = f(*a)
                return cache[a]
            return w
        @memo
        def h(): return 5""",
    "a closure's Counter": (
        "import collections\ndef make():\n    n = collections.Counter()\n"
        "    def h():\n        n['a'] += 1\n    return h\nh = make()"
    ),
    "what two closures share": """
        def make():
            n = []
            def put():
                n.append(1)
            def get():
                return len(n)
            return put, get
        put, get = make()
        def h():
            put()
            return get()""",
    "a lambda's table": "def make():\n    n = []\n    return lambda: n.append(1)\nh = make()",
    "a closure in an inner function": (
        "def make():\n    n = 0\n    def h():\n        def g():\n            nonlocal n\n            n = n + 1\n"
        "        g()\n    return h\nh = make()"
    ),
    "a default": "def h(_seen={}):\n    _seen[1] = 2",
    "a default by keyword": "def h(*, _seen=[]):\n    _seen.append(1)",
    "a default behind others": "def h(a=1, b=2, _seen=set()):\n    _seen.add(a)",
    "a lambda's default": "h = lambda _seen=[]: _seen.append(1)",
}


@pytest.mark.parametrize("name", MEMORY)
def test_what_code_changes_itself_is_no_part_of_it(name):
    book = Notebook(f"{dedent(MEMORY[name]).strip()}\ndef read():\n    return n\ndef main():\n    return h(), read\n")
    before = explain(book["main"], book.names)
    book["main"]()
    assert explain(book["main"], book.names) == before
    book["h"]()
    assert explain(book["main"], book.names) == before


FACTORY = (
    "def make(START):\n    n = START\n    def main():\n        nonlocal n\n        n = n + 1\n"
    "        return n\n    return main\n"
)
BEGINNINGS = {
    "what a closure's count begins as": (FACTORY.replace("= START", "= 0") + "main = make(0)\n", "n = 0", "n = 5"),
    "what a closure's table begins with": (
        "def make():\n    n = {'a': 1}\n    def main():\n        n['b'] = 1\n    return main\nmain = make()",
        "'a': 1",
        "'a': 2",
    ),
    "what was given to who made it": (FACTORY + "main = make(1)\n", "make(1)", "make(2)"),
    "a parameter of who made it": (
        "def make(n):\n    def main():\n        nonlocal n\n        n = n + 1\n    return main\nmain = make(1)\n",
        "make(1)",
        "make(2)",
    ),
    "a parameter that is replaced": (
        "def make(n):\n    n = n or {}\n    def main():\n        n['a'] = 1\n    return main\nmain = make({'k': 1})\n",
        "'k': 1",
        "'k': 2",
    ),
    "what a table is filled with before": (
        (
            "def make(k):\n    n = {}\n    n['k'] = k\n    def main():\n        n['a'] = 1\n"
            "    return main\nmain = make(1)\n"
        ),
        "make(1)",
        "make(2)",
    ),
    "a loop's variable": (
        "def make(ks):\n    for n in ks:\n        def main():\n            nonlocal n\n            n = n + 1\n"
        "    return main\nmain = make([1])\n",
        "make([1])",
        "make([2])",
    ),
    "a global that a closure begins as": (
        "K = {'a': 1}\ndef make():\n    n = K\n    def main():\n        n['b'] = 1\n    return main\nmain = make()\n",
        "'a': 1",
        "'a': 2",
    ),
    "a global that a default is": ("K = [1]\ndef main(n=K):\n    n.append(1)\n", "[1]", "[2]"),
    "a number that a default is": ("K = 1\ndef main(n=K):\n    n += 1\n    return n\n", "K = 1", "K = 2"),
    "a default that a function copies": ("K = [1]\ndef main(n=K):\n    n = list(n)\n    n.append(1)\n", "[1]", "[2]"),
    "a default that is written there": ("def main(n=[1]):\n    n.append(1)\n", "[1]", "[2]"),
}


@pytest.mark.parametrize("name", BEGINNINGS)
def test_what_memory_begins_as_counts(name):
    text, before, after = BEGINNINGS[name]
    assert before in text
    old, new = Notebook(text), Notebook(text.replace(before, after))
    assert code_hash(old["main"], old.names) != code_hash(new["main"], new.names)


def test_a_closure_that_is_an_argument_counts_with_what_it_holds():
    book = Notebook(FACTORY.replace("= START", "= 0") + "one, other = make(0), make(0)\none()\n")
    known = CodeHashes(book.names)
    assert known.as_argument(book["one"]) != known.as_argument(book["other"])


def test_memory_of_restored_code_is_no_part_of_it():
    book = Notebook(dedent(MEMORY["a closure's table"]), "def main():\n    return h()\n")
    before = code_hash(book["main"], book.names)
    book["main"]()
    version = bring_back(book.snapshot("main"))
    assert code_hash(version.namespace["main"], version.namespace) == before


UNREAD = {
    "a parameter": "class A:\n    def __init__(self, prompt):\n        self.prompt = prompt",
    "a local": "class A:\n    def m(self):\n        prompt = 1\n        return prompt",
    "a local of a decorated method": (
        "import contextlib\nclass A:\n    @contextlib.contextmanager\n    def m(self, prompt):\n        yield prompt"
    ),
    "a lambda's": "class A:\n    key = lambda prompt: prompt",
    "a comprehension's": "class A:\n    all = [prompt for prompt in range(3)]",
    "a field": "class A:\n    prompt: str = 'a'\n    loud = prompt.upper()",
    "a field without a value": "class A:\n    prompt: str\n    def m(self): ...",
    "an inner class's field": "class A:\n    class B:\n        prompt = 1\n        more = prompt + 1",
    "an inner function's": (
        "class A:\n    def m(self):\n        def g(prompt):\n            return lambda: prompt\n        return g"
    ),
    "an error's": (
        "class A:\n    def m(self):\n        try: ...\n        except ValueError as prompt:\n            return prompt"
    ),
    "an import's": "class A:\n    def m(self):\n        import json as prompt\n        return prompt",
    "the function's around": (
        "def make(prompt):\n    class A:\n        own = prompt\n        def m(self):\n            return prompt\n"
        "    return A\nA = make(1)"
    ),
    "a class's in a function": (
        "def make():\n    class B:\n        prompt = 1\n        more = prompt + 1\n    return B\nA = make"
    ),
}


@pytest.mark.parametrize("name", UNREAD)
def test_a_variable_in_a_class_is_no_global(name):
    text = f"{UNREAD[name]}\ndef main():\n    return A\n"
    book = Notebook(text, "prompt = 'one'")
    before = explain(book["main"], book.names)
    book.names["prompt"] = "other"
    assert explain(book["main"], book.names) == before
    assert "prompt" not in before


READ = {
    "a field's value": "class A:\n    r = RATE",
    "a field of the same name": "class A:\n    RATE = RATE",
    "a field's value behind a branch": "class A:\n    if not RATE:\n        RATE = 1\n    r = RATE",
    "a default": "class A:\n    def m(self, r=RATE): ...",
    "a decorator": "class A:\n    @deco(RATE)\n    def m(self): ...",
    "a base": "class A(base(RATE)): ...",
    "a keyword": "class B:\n    def __init_subclass__(cls, r=0): ...\nclass A(B, r=RATE): ...",
    "an annotation": "import typing\nclass A:\n    r: typing.Annotated[int, RATE] = 1",
    "a comprehension": "class A:\n    all = [RATE for _ in range(2)]",
    "a lambda": "class A:\n    key = lambda self: RATE",
    "a decorated method": (
        "import contextlib\nclass A:\n    @contextlib.contextmanager\n    def m(self):\n        yield RATE"
    ),
    "a decorated method that comes first": (
        "import contextlib\nclass A:\n    @contextlib.contextmanager\n    def m(self):\n        yield 1\n    r = RATE"
    ),
    "a method in a cache": (
        "import functools\nclass A:\n    @functools.lru_cache\n    def m(self):\n        return RATE"
    ),
    "an inner class": "class A:\n    class B:\n        r = RATE",
    "a member of an Enum": "import enum\nclass A(enum.Enum):\n    r = RATE",
    "a member of a StrEnum": "import enum\nclass A(enum.StrEnum):\n    r = str(RATE)",
    "a method of an Enum": "import enum\nclass A(enum.IntEnum):\n    r = 1\n    def m(self):\n        return RATE",
    "a field of a NamedTuple": "import typing\nclass A(typing.NamedTuple):\n    r: int = RATE",
    "a field of a typed dictionary": "import typing\nclass A(typing.TypedDict):\n    r: typing.Annotated[int, RATE]",
    "a class in a function": "def make():\n    class A:\n        r = RATE\n    return A\nA = make()",
}


@pytest.mark.parametrize("name", READ)
def test_a_global_that_a_class_reads_counts(name):
    text = (
        "RATE = 1\ndef deco(r):\n    return lambda f: f\ndef base(r):\n    return object\n"
        f"{READ[name]}\ndef main():\n    return A\n"
    )
    old, new = Notebook(text), Notebook(text.replace("RATE = 1", "RATE = 2", 1))
    assert "RATE" in changed(explain(old["main"], old.names), explain(new["main"], new.names))


def test_names_of_a_class_without_methods_are_looked_up_in_its_module(tmp_path, monkeypatch):
    source = "import enum\nRATE = 1\nclass A:\n    r = RATE\nclass E(enum.Enum):\n    r = RATE\n"
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "scoped.py").write_text(source)
    book = Notebook("RATE = 5\nfrom scoped import A, E\ndef main():\n    return A.r, E.r\n")
    before = explain(book["main"], book.names)
    assert "RATE" not in before
    vars(sys.modules["scoped"])["RATE"] = 2
    assert changed(before, explain(book["main"], book.names)) == ["scoped.RATE"]
    sys.modules.pop("scoped")


def test_settings_of_which_code_fills_one_entry_count():
    text = "state = {'rate': 1, 'seen': []}\ndef main():\n    state['seen'].append(1)\n    return state['rate']\n"
    old, new = Notebook(text), Notebook(text.replace("'rate': 1", "'rate': 2"))
    assert changed(explain(old["main"], old.names), explain(new["main"], new.names)) == ["state"]


def test_deep_expressions_are_looked_through():
    terms, links = " + ".join(["x"] * 400), ".strip()" * 200
    book = Notebook(f"words = []\ndef main(x):\n    words.append({terms})\n    return words[0]{links}\n")
    assert list(explain(book["main"], book.names)) == ["main"]
