"""Arguments of all kinds in a real kernel: no call receives another call's result unmarked, and each digest ends.

One kernel for all, which imports what data science does, once.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.kernel.conftest import LOGGING, Kernel, Log

SETUP = """
import array, collections, types
import numpy as np, pandas as pd, polars as pl, pyarrow as pa
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression
from jupyter_durable import get_request
class Quantity(np.ndarray):
    def __array_finalize__(self, other): self.unit = getattr(other, "unit", None)
    def __reduce__(self): return quantity, (list(self), self.unit)
def quantity(values, unit):
    made = np.array(values).view(Quantity)
    made.unit = unit
    return made
class Survey(pd.DataFrame):
    _metadata = ["wave"]
    @property
    def _constructor(self): return Survey
def survey(wave):
    made = Survey({"a": [1]})
    made.wave = wave
    return made
def noted(note):
    made = pd.DataFrame({"a": [1]})
    made.attrs["note"] = note
    return made
def nested(value, depth=60):
    for _ in range(depth): value = [value]
    return value
def innermost(value):
    while isinstance(value, list): value, = value
    return value
def fitted(model, slope): return model.fit([[0], [1]], [0, slope])
def cyclic(value):
    made = [value]
    made.append(made)
    return made
FACTORIES = [None, int, list, dict]
"""


class Kind(NamedTuple):
    """How an argument is made of `k`, and how `k` is read from it, as `x`."""

    make: str
    read: str


KINDS = {
    "an array with a unit": Kind("quantity([1.0], k)", "x.unit"),
    "a frame with attrs": Kind("noted(k)", "x.attrs['note']"),
    "a frame with metadata": Kind("survey(k)", "x.wave"),
    "an ordered dict": Kind("collections.OrderedDict.fromkeys(sorted((1, 2, 3), key=lambda n: n != k))", "[*x][0]"),
    "a default dict": Kind("collections.defaultdict(FACTORIES[k], a=1)", "FACTORIES.index(x.default_factory)"),
    "a polars frame": Kind("pl.DataFrame({'a': [k]})", "x['a'][0]"),
    "a polars series": Kind("pl.Series('a', [k])", "x[0]"),
    "a lazy polars frame": Kind("pl.DataFrame({'a': [1]}).lazy().with_columns(a=pl.lit(k))", "x.collect()['a'][0]"),
    "an Arrow scalar": Kind("pa.scalar(k)", "x.as_py()"),
    "an array of numbers": Kind("array.array('q', [k])", "x[0]"),
    "a memory view": Kind("memoryview(bytes([k]))", "x[0]"),
    "a namespace": Kind("types.SimpleNamespace(k=k)", "x.k"),
    "a fitted line": Kind("fitted(LinearRegression(), k)", "round(x.coef_[0])"),
    "a fitted forest": Kind(
        "fitted(RandomForestRegressor(1, bootstrap=False, random_state=1), k)", "round(x.predict([[1]])[0])"
    ),
    "a value 60 deep": Kind("nested(k)", "innermost(x)"),
    "a list that holds itself": Kind("cyclic(k)", "x[1][1][0]"),
}
CELL = """%%durable
def applied(x):
    found = 10 * int({read})
    _log(found)
    return found
got = []
for k in {over}:
    got.append(applied({make}))
{end}"""


@pytest.fixture(scope="module")
def python() -> Path:
    """The interpreter that has numpy and its kin; what an argument is has nothing to do with the kernel's version."""
    return Path(sys.executable)


@pytest.fixture(scope="module", autouse=True)
def _made(kernel: Kernel) -> None:
    ran = kernel.run(LOGGING + SETUP)
    assert not ran.error, ran.error


@pytest.mark.parametrize("kind", KINDS)
def test_a_loop_that_is_edited_gives_each_call_its_own_result(kernel: Kernel, log: Log, kind: str) -> None:
    """It ran over (2, 3) and failed; over (1, 2, 3) one call executes, and each has its own result."""
    make, read = KINDS[kind]
    first = CELL.format(read=read, make=make, over="(2, 3)", end="assert False")
    assert "AssertionError" in kernel.run(first, kind).error
    assert log.take() == ["20", "30"]
    ran = kernel.run(CELL.format(read=read, make=make, over="(1, 2, 3)", end=""), kind)
    assert not ran.error, ran.error
    assert kernel.value("got") == [10, 20, 30]
    assert log.take() == ["10"]
    assert "2 from checkpoint" in ran.text
    assert "arguments" not in ran.text


DEFINED = """
def scaled(x): return x * 10
def by_inner(x): return scaled(x)
class Scale:
    factor = 10
    def __call__(self, x): return x * self.factor
"""
EDITS = {
    "a helper's constant": ("scaled", "x * 10", "x * 7"),
    "an inner helper": ("by_inner", "x * 10", "x * 7"),
    "a class": ("Scale", "factor = 10", "factor = 7"),
    "an instance of an edited class": ("Scale()", "x * self.factor", "x * 7"),
}
USES = """%%durable
def applied(f, x):
    found = (f() if isinstance(f, type) else f)(x)
    _log(found)
    return found
def alone(f):
    return applied(f, 5)
"""
EDITED = """%%durable
one = alone({argument})
got = []
for k in {over}:
    got.append(applied({argument}, k))
{end}"""


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_definition_is_another_argument(kernel: Kernel, log: Log, edit: str) -> None:
    """The calls of a loop execute again; a single one is served by its place, and is marked."""
    argument, old, new = EDITS[edit]
    kernel.run(DEFINED, "definitions")
    kernel.run(USES)
    first = EDITED.format(argument=argument, over="(2, 3)", end="assert False")
    assert "AssertionError" in kernel.run(first, edit).error
    assert log.take() == ["50", "20", "30"]
    kernel.run(DEFINED.replace(old, new), "definitions")
    ran = kernel.run(EDITED.format(argument=argument, over="(1, 2, 3)", end=""), edit)
    assert not ran.error, ran.error
    assert log.take() == ["7", "14", "21"]
    assert kernel.value("got, one") == ([7, 14, 21], 50)
    assert "1 reused with changed arguments: re-run them" in ran.text


TRAINING = """
from sklearn.datasets import make_blobs
from sklearn.linear_model import SGDClassifier
X, y = make_blobs(60, centers=[[-4, -4], [4, 4]], random_state=1)
class Net:
    def __init__(self):
        self.weights = np.zeros(2)
    def fit(self, lr):
        error = y - 1 / (1 + np.exp(-self.scored(X)))
        self.weights = self.weights + lr * X.T @ error / len(X)
        return self
    def scored(self, X): return X @ self.weights
def trained(net, lr):
    for _ in range(3): net = epoch(net, lr)
    return net
def torch_net(lr):
    import torch
    torch.manual_seed(1)
    net, data = torch.nn.Linear(2, 1, dtype=torch.float64), torch.tensor(X)
    for part in net.parameters(): torch.nn.init.zeros_(part)
    optimizer = torch.optim.SGD(net.parameters(), lr)
    for _ in range(3):
        optimizer.zero_grad()
        torch.nn.BCEWithLogitsLoss()(net(data)[:, 0], torch.tensor(y, dtype=data.dtype)).backward()
        optimizer.step()
    return net
"""
MODELS = {
    "a network, in torch's place": Kind("trained(Net(), lr)", "x.scored(X)"),
    "an estimator": Kind(
        "SGDClassifier(learning_rate='constant', eta0=lr, random_state=1).fit(X, y)", "x.decision_function(X)"
    ),
    "a forest": Kind("RandomForestRegressor(2, random_state=1).fit(X, lr * y)", "x.predict(X)"),
    "a lazy frame": Kind("pl.LazyFrame(dict(s=X.sum(axis=1))).select(pl.col('s') * lr)", "x.collect()['s'].to_numpy()"),
    "a torch network": Kind("torch_net(lr)", "x(__import__('torch').tensor(X)).detach().numpy()[:, 0]"),
}
MEASURES = """%%durable
def epoch(net, lr):
    return net.fit(lr)
def accuracy(x):
    return float((({read} > 1e-3) == y).mean())
def accuracy_in_a_loop(x):
    return accuracy(x)
"""
NOTEBOOK = """%%durable {once}
lr = {lr}
model = {make}
score = accuracy(model)
scores = [accuracy_in_a_loop(each) for each in (model,)]
{end}"""


@pytest.fixture(scope="module")
def training(kernel: Kernel) -> Kernel:
    """The kernel with data to train on."""
    ran = kernel.run(TRAINING)
    assert not ran.error, ran.error
    return kernel


@pytest.mark.parametrize("name", MODELS)
def test_an_edited_learning_rate_is_never_given_the_accuracy_of_the_old_one_unmarked(
    training: Kernel, name: str
) -> None:
    """The accuracy falls from 1 to a half; where the old one is served it is marked, and `--once` gives the new one."""
    if "torch network" in name:
        pytest.importorskip("torch", reason="the network in its place has run")
    make, read = MODELS[name]
    training.run(MEASURES.replace("{read}", read))
    cell = NOTEBOOK.replace("{make}", make)
    assert "AssertionError" in training.run(cell.format(once="", lr="0.5", end="assert False"), name).error
    assert training.value("score, *scores") == (1.0, 1.0)
    ran = training.run(cell.format(once="", lr="1e-9", end=""), name)
    assert not ran.error, ran.error
    assert training.value("score, *scores") == (1.0, 0.5)
    assert re.search(r"\b1 reused with (changed arguments|arguments not comparable): re-run them", ran.text)
    training.run(cell.format(once="--once", lr="1e-9", end=""), name)
    assert training.value("score, *scores") == (0.5, 0.5)


GRAPHS = """
class Node:
    def __init__(self):
        self.parents, self.children = [], []
def linked(layers, width=3):
    "Each node holds all of the next layer, and these hold it: no walk that forgets where it was ever ends."
    above = root = [Node()]
    for _ in range(layers):
        below = [Node() for _ in range(width)]
        for parent in above:
            for child in below:
                parent.children.append(child)
                child.parents.append(parent)
        above = below
    return root[0]
class Session:
    def __init__(self): self.identity_map = {}
class Record:
    def __init__(self, session, number, owner=None):
        self.session, self.number, self.owner, self.records = session, number, owner, []
        session.identity_map[number] = self
def owner(records):
    first = Record(Session(), 0)
    first.records += [Record(first.session, n, first) for n in range(1, records + 1)]
    return first
def element_tree(rows):
    from xml.etree import ElementTree
    row = "<tr><td>1</td><td a='b'>2</td></tr>"
    return ElementTree.ElementTree(ElementTree.fromstring(f"<table>{row * rows}</table>"))
def document(rows):
    from xml.dom import minidom
    return minidom.parseString(f"<table>{'<tr><td>1</td><td>2</td></tr>' * rows}</table>").documentElement
def class_graph(classes):
    made = []
    for n in range(classes):
        made.append(type(f"C{n}", (), {"uses": tuple(made)}))
    return made[-1]
def page(rows):
    from bs4 import BeautifulSoup
    row = "<tr><td>1</td><td><a href='x'>2</a></td></tr>"
    return BeautifulSoup(f"<table>{row * rows}</table>", "html.parser").find_all("tr")[1]
"""
OBJECTS = {
    "linked nodes": ("linked(40)", False),
    "many linked nodes": ("linked(800)", True),
    "a record with its session, in an ORM's place": ("owner(5)", False),
    "a record of many": ("owner(3000)", True),
    "an XML tree": ("element_tree(20)", False),
    "a row of a document, in BeautifulSoup's place": ("document(3).firstChild", False),
    "a row of a large document": ("document(500).firstChild", True),
    "a class of classes": ("class_graph(60)", False),
    "a row of a page": ("page(10)", False),
}
OBJECT = """%%durable
def looked_at(graph, n):
    _log(n)
    return n
graph = {make}
for n in (1, 2):
    looked_at(graph, n)
{end}"""


@pytest.fixture(scope="module")
def graphs(kernel: Kernel) -> Kernel:
    """The kernel with what makes graphs."""
    ran = kernel.run(GRAPHS)
    assert not ran.error, ran.error
    return kernel


RARE = ("many linked nodes", "a record of many")
"""What takes long to make."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.full if name in RARE else ()) for name in OBJECTS]
)
def test_a_call_with_a_graph_ends_and_what_is_too_large_is_said_once(graphs: Kernel, log: Log, name: str) -> None:
    """Each part is looked at once, as far as the budget goes; what it does not reach is named, with the remedy."""
    make, large = OBJECTS[name]
    if "page" in name:
        pytest.importorskip("bs4", reason="the document in its place has run")
    ran = graphs.run(OBJECT.format(make=make, end="assert False"), name)
    assert "AssertionError" in ran.error
    said = "looked_at: its argument `graph` has too many parts to be compared within 50 ms"
    assert (ran.text.count(said), log.take()) == (int(large), ["1", "2"])
    ran = graphs.run(OBJECT.format(make=make, end=""), name)
    assert not ran.error, ran.error
    assert ran.text.count(said) == int(large)
    assert large or log.take() == []


SWEEP = """%%durable
def objective(trial):
    _log(trial.number)
    return trial.number
out = [objective(Trial(n)) for n in range(30)]
{end}"""


def test_a_sweep_over_objects_that_hold_the_time_says_what_in_them_differs(kernel: Kernel, log: Log) -> None:
    """All run again, since each is another one; one notice names the part of the argument that is to blame."""
    kernel.run(
        "import datetime\nclass Trial:\n    def __init__(self, number):\n"
        "        self.number, self._start = number, datetime.datetime.now()"
    )
    assert "AssertionError" in kernel.run(SWEEP.format(end="assert False"), "sweep").error
    log.take()
    ran = kernel.run(SWEEP.format(end=""), "sweep")
    assert not ran.error, ran.error
    assert log.take() == [str(n) for n in range(30)]
    assert ran.text.count("objective ran again: ") == 1
    assert "`trial._start` (datetime.datetime)" in ran.text


PARQUET = {
    "polars": "pl.read_parquet(path)['a'].to_list()",
    "polars, lazily": "pl.scan_parquet(path).collect()['a'].to_list()",
    "Arrow": "pyarrow.parquet.read_table(path)['a'].to_pylist()",
    "pandas": "pd.read_parquet(path)['a'].to_list()",
}


@pytest.mark.parametrize("reader", PARQUET)
def test_a_file_that_a_native_reader_opens_is_known_by_the_path_that_it_was_given(
    kernel: Kernel, log: Log, directory: Path, reader: str
) -> None:
    """No audit hook hears Rust and C++ open files; an argument that is an existing path counts as read."""
    path = directory / f"{reader.replace(', ', '-')}.parquet"
    cell = (
        f"%%durable\nimport pyarrow.parquet\ndef load(path):\n    _log('load')\n    return {PARQUET[reader]}\n"
        f"rows = load({str(path)!r})\n"
    )
    kernel.run(f"pl.DataFrame({{'a': [1]}}).write_parquet({str(path)!r})")
    assert "AssertionError" in kernel.run(f"{cell}assert False", reader).error
    kernel.run(f"pl.DataFrame({{'a': [1, 2]}}).write_parquet({str(path)!r})")
    ran = kernel.run(cell, reader)
    assert (log.take(), kernel.value("rows")) == (["load"], [1])
    assert "1 reused with changed files: re-run them" in ran.text
    assert "△ file changed" in ran.text
    kernel.run(cell.replace("%%durable", "%%durable --once"), reader)
    assert (log.take(), kernel.value("rows")) == (["load"], [1, 2])
