"""State that is made by mutation never goes lost in silence: the statement goes in, or the export is refused."""

from __future__ import annotations

import pytest

from jupyter_durable.errors import ExportError
from tests.export.writing import HEAD, app, imported, selected, text_of

CLASS = """class Store:
    kinds = []
    def __init__(self):
        self.items = []
        self.n = 0
    def add(self, item):
        self.items.append(item)
        return self
    def count(self):
        self.n += 1
    def twice(self, item):
        self.add(item)
    def look(self):
        return len(self.items)
    def peek(self):
        return self.look()
store = Store()"""


def lost(statement: str, made: str = "state = []", body: str = "return state") -> str:
    """What is said of a cell that changes what the application reads."""
    with pytest.raises(ExportError) as error:
        selected(HEAD, made, statement, app(body))
    said = error.value.message
    assert "cell 3: `" in said
    assert all(way in said for way in ("To include:", "To bundle", "To exclude:"))
    return said


@pytest.mark.parametrize(
    "statement",
    [
        "state.append(1)",
        "state[0] = 1",
        "state[0] += 1",
        "state.done = True",
        "state.part.done = True",
        "state['a']['b'].append(1)",
        "del state[0]",
        "del state.part",
        "x = state.pop()",
        "for i in range(3):\n    state.append(i)",
        "while more():\n    state.insert(0, 1)",
        "with open('f') as f:\n    state.extend(f)",
        "if True:\n    state.clear()",
        "try:\n    state.sort()\nexcept ValueError:\n    pass",
        "[state.append(i) for i in range(3)]",
        "other = state\nother.append(1)",
        "a = b = state; b.append(1)",
        "first, second = state, 2\nfirst.append(2)",
        "part = state['rows']\npart.append(1)",
        "part = state.rows\npart['x'] = 1",
        "part = state.get('rows')\npart.append(1)",
        "for row in state:\n    row['x'] = 1",
        "for key, row in state.items():\n    row.append(1)",
        "for each in (state, 3):\n    each.append(1)",
        "with state as opened:\n    opened.append(1)",
        "(alias := state).append(3)",
        "both = [state, 1]\nboth[0].append(2)",
        "import heapq\nheapq.heappush(state, 1)",
        "import random\nrandom.shuffle(state)",
        "import numpy as np\nnp.random.shuffle(state)",
        "state.add_node('a')",
        "state.add_edge('a', 'b')",
        "history = state.fit([1])",
        "state.partial_fit([1])",
        "state.optimize()",
        "state.load_data('x')",
        "state.compile()",
        "state.eval()",
        "state.zero_()",
        "state.whatever()",
        "async for x in y():\n    state.append(x)",
        "match 3:\n    case n:\n        state.append(n)",
        "def fill(target):\n    target.append(1)\nfill(state)",
        "def fill(target):\n    target.append(1)\nfill(target=state)",
        "def fill():\n    state.append(1)\nfill()",
        "def fill():\n    global state\n    state = [1]\nfill()",
    ],
)
def test_a_statement_that_changes_what_goes_in_is_refused(statement: str) -> None:
    assert "start, and be wrong" in lost(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "print(state)",
        "display(state)",
        "len(state)",
        "state[0]",
        "state.head()",
        "state.describe()",
        "y = state.predict(3)",
        "y = state.whatever()",
        "state.plot(kind='bar')",
        "state.run('hello')",
        "state.invoke({})",
        "for row in state:\n    print(row)",
        "copied = list(state)[:]\nprint(copied)",
        "copied = state.copy()\ncopied.append(1)",
        "copied = sorted(x for x in state)\ncopied.append(1)",
        "other = []\nother.append(state)",
        "other = {}\nother['x'] = state",
        "alias = state\nalias = []\nalias.append(1)",
        "def state_of(state):\n    state.append(1)",
        "later = lambda: state.append(1)",
        "def look(target):\n    return len(target)\nlook(state)",
        "import json\njson.dumps(state)",
    ],
)
def test_what_only_looks_is_dropped_in_silence(statement: str) -> None:
    assert statement.splitlines()[-1] not in text_of(selected(HEAD, "state = []", statement, app("return state")))


@pytest.mark.parametrize("statement", ["store.add(1)", "store.count()", "store.twice(1)", "x = store.twice(2)"])
def test_methods_of_the_notebooks_own_classes_are_read(statement: str) -> None:
    lost(statement, CLASS, "return store")


@pytest.mark.parametrize("statement", ["store.look()", "store.peek()"])
def test_a_method_of_its_own_class_that_changes_nothing_is_dropped(statement: str) -> None:
    assert statement not in text_of(selected(HEAD, CLASS, statement, app("return store")))


def test_calls_of_applications_and_durable_functions_are_explored() -> None:
    cells = [
        HEAD,
        "seen = []",
        "@function()\ndef note(x):\n    seen.append(x)",
        app("note(x)\nreturn seen"),
        "app(1)\nnote(2)",
    ]
    assert "app(1)" not in text_of(selected(*cells))


def test_a_change_of_what_is_bound_anew_afterwards_does_not_matter() -> None:
    selection = selected(HEAD, "state = [1]", "state.append(2)", "state = [3]", app("return state"))
    with imported(selection) as module:
        assert module.app.local(0) == [3]


def test_a_change_before_a_rebinding_that_reads_it_matters() -> None:
    with pytest.raises(ExportError, match=r"cell 3: `state\.append\(2\)`"):
        selected(HEAD, "state = [1]", "state.append(2)", "state = state + [3]", app("return state"))


def test_adding_to_a_name_is_a_rebinding_and_goes_in() -> None:
    selection = selected(HEAD, "state = 1", "state += 2", "total = 0\nfor i in range(4):\n    total += i",
                         app("return state + total"))  # fmt: skip
    with imported(selection) as module:
        assert module.app.local(0) == 9


def test_a_change_in_a_cell_above_its_definition_counts() -> None:
    """The cells were run in another order than they stand in."""
    with pytest.raises(ExportError, match=r"cell 2: `state\.append\(1\)`"):
        selected(HEAD, "state.append(1)", "state = []", app("return state"))


def test_what_changes_goes_in_with_all_that_it_needs_when_it_is_included() -> None:
    selection = selected(
        HEAD, "state = []", "rows = [1, 2]\nnames = 3", "state.extend(rows)  # durable: include", app("return state")
    )
    assert "names" not in text_of(selection)
    with imported(selection) as module:
        assert module.app.local(0) == [1, 2]


def test_a_bundled_value_is_changed_by_nobody() -> None:
    cells = [HEAD, "state = []", "state.append(1)", app("return state")]
    selection = selected(*cells, bundled={"state": b"[1]", "other": b"2"})
    assert "state = []" not in text_of(selection)
    assert selection.bundled == {"state": b"[1]"}


def test_a_setting_of_a_module_that_goes_in_is_asked_for() -> None:
    with pytest.raises(ExportError, match="sets something of the module openai, which app needs"):
        selected(HEAD, "import openai", "openai.timeout = 3", app("return openai.ask(x)"))


@pytest.mark.parametrize(
    "line",
    ["pd.options.display.max_rows = 5", "pd.set_option('display.width', 1)", "pd.options.mode['x'] = 1", "pd.seed(0)"],
)
def test_how_a_library_shows_things_is_no_state(line: str) -> None:
    assert line not in text_of(selected(HEAD, "import pandas as pd", line, app("return pd.DataFrame()")))


def test_what_a_decorator_of_the_notebook_registers_is_asked_for_by_name() -> None:
    register = "TOOLS = {}\ndef tool(f):\n    TOOLS[f.__name__] = f\n    return f"
    cells = [HEAD, register, "@tool\ndef add(a, b):\n    return a + b\n@tool\ndef sub(a, b):\n    return a - b"]
    with pytest.raises(ExportError) as error:
        selected(*cells, app("return sorted(TOOLS)"))
    assert "1. cell 3: `def add(a, b): …` changes TOOLS (in tool), which app needs" in error.value.message
    assert "2. cell 3: `def sub(a, b): …` changes TOOLS (in tool), which app needs" in error.value.message
    with imported(selected(*cells, app("return sorted(TOOLS)"), include=["TOOLS"])) as module:
        assert module.app.local(0) == ["add", "sub"]


def test_how_much_is_logged_is_no_state() -> None:
    cells = [HEAD, "import logging\nlogger = logging.getLogger('x')\nlogger.setLevel(10)", app("logger.info(x)")]
    assert "setLevel" not in text_of(selected(*cells))


def test_what_an_included_value_was_built_of_must_go_in_as_well() -> None:
    cells = [HEAD, "from lib import Graph", "b = Graph()\nb.add_node(1)\ng = b.compile()", app("return g")]
    with pytest.raises(ExportError, match=r"would run b\.compile\(\)"):
        selected(*cells)
    with pytest.raises(ExportError, match=r"`b\.add_node\(1\)` may change b"):
        selected(*cells, include=["g"])
    assert "b.add_node(1)" in text_of(selected(*cells, include=["g", "b"]))
