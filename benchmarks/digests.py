"""How long a look at arguments takes: real objects, beside pickling them.

Libraries that are not installed are left out. Times are of the thread, so that a busy machine changes little; the
least of some runs counts. The bar is the budget, which holds for what is over it, too. A figure's name says how the
value is compared: canonical, weak (as the pickler sees it), or over the budget, which the user is told.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any, Final

import cloudpickle

from benchmarks.measure import Figure, Size
from jupyter_durable.core.model import Flag
from jupyter_durable.serializer.canonical import BUDGET_SECONDS, Digesting
from jupyter_durable.serializer.digest import value_digest

Objects = dict[str, Callable[[], Any]]
WORDS: Final = ["the", "quick", "brown", "fox", "jumps", "over", "the", "lazy", "dog"]


class Node:
    """An object of a user's class."""

    def __init__(self, **state: Any) -> None:
        self.__dict__.update(state)


def _chunk(n: int) -> Node:
    return Node(text=" ".join(WORDS * 20), meta={"page": n, "source": "a.pdf", "tags": WORDS[:3]}, vector=[0.1] * 16)


def _linked(count: int) -> Node:
    first = last = Node(n=0, next=None, previous=None)
    for n in range(1, count):
        last.__dict__["next"] = Node(n=n, next=None, previous=last)
        last = last.__dict__["next"]
    return first


def _shared(depth: int) -> list[Any]:
    value: list[Any] = ["x"]
    for _ in range(depth):
        value = [value, value]
    return value


def _nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def plain() -> Objects:
    """What needs no library."""
    return {
        "an object with 737 chunks": lambda: Node(chunks=[_chunk(n) for n in range(737)]),
        "an object with 1,000 chunks": lambda: Node(chunks=[_chunk(n) for n in range(1_000)]),
        "a linked list of 2,000": lambda: _linked(2_000),
        "2 ** 60 paths": lambda: _shared(60),
        "a list 5,000 deep": lambda: _nested(5_000),
        "1,000 rows": lambda: [{"id": n, "name": str(n), "tags": ["a", "b"]} for n in range(1_000)],
        "20,000 rows": lambda: [{"id": n, "name": str(n), "tags": ["a", "b"]} for n in range(20_000)],
        "100,000 numbers": lambda: list(range(100_000)),
        "10,000 pairs": lambda: {n: (n, str(n)) for n in range(10_000)},
        "10,000 words": lambda: {f"word {n}" for n in range(10_000)},
        "a text of 1 MB": lambda: "word " * 200_000,
        "10 MB of bytes": lambda: bytearray(10_000_000),
        "1,000,000 numbers": lambda: [n / 7 for n in range(1_000_000)],
        "200,000 texts": lambda: [f"text {n}" for n in range(200_000)],
        "1,000 vectors": lambda: [[n / 7] * 768 for n in range(1_000)],
        "a document of 10 MB": lambda: Node(name="a.pdf", content=bytes(range(256)) * 40_000),
    }


def numpy() -> Objects:
    """Arrays."""
    import numpy as np

    return {
        "an array of 10 MB": lambda: np.zeros(1_250_000),
        "1,000 arrays": lambda: [np.arange(10) for _ in range(1_000)],
        "objects in an array": lambda: np.array([{"a": n} for n in range(1_000)], dtype=object),
    }


def pandas() -> Objects:
    """Frames."""
    import numpy as np
    import pandas as pd

    frame = pd.DataFrame({f"c{n}": np.arange(100_000) for n in range(10)})
    return {
        "a frame of 100,000 × 10": lambda: frame,
        "a frame of texts": lambda: pd.DataFrame({"text": [f"text {n}" for n in range(100_000)]}),
        "a frame of 200 columns": lambda: pd.DataFrame({f"c{n}": [n] for n in range(200)}),
        "moments and categories": lambda: pd.DataFrame(
            {"at": pd.date_range("2026-01-01", periods=50_000), "kind": pd.Categorical(["a", "b"] * 25_000)}
        ),
        "groups of a frame": lambda: frame.groupby("c0"),
    }


def polars() -> Objects:
    """Frames, and plans."""
    import polars as pl

    frame = pl.DataFrame({"a": range(100_000), "b": [f"text {n}" for n in range(100_000)]})
    return {"a polars frame": lambda: frame, "a plan": lambda: frame.lazy().filter(pl.col("a") > 10)}


def pyarrow() -> Objects:
    """Tables."""
    import pyarrow as pa

    return {"an Arrow table": lambda: pa.table({"a": range(100_000), "b": [f"text {n}" for n in range(100_000)]})}


def scipy() -> Objects:
    """Sparse matrices."""
    import scipy.sparse

    return {"a sparse matrix": lambda: scipy.sparse.random_array((10_000, 1_000), density=0.01, rng=1, format="csr")}


def sklearn() -> Objects:
    """Estimators."""
    import numpy as np
    from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(300, 10)), rng.integers(0, 2, 300)
    texts = [" ".join(rng.choice(WORDS, 20)) for _ in range(200)]
    return {
        "a pipeline": lambda: make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y),
        "a forest of 100": lambda: RandomForestClassifier(100, random_state=1).fit(x, y),
        "boosted trees": lambda: GradientBoostingClassifier(n_estimators=50, random_state=1).fit(x, y),
        "a vectorizer": lambda: TfidfVectorizer().fit(texts),
    }


def bs4() -> Objects:
    """Rows of a page, each of which holds the whole page."""
    from bs4 import BeautifulSoup

    def page(rows: int) -> Any:
        row = "<tr><td class='a b'>{0}</td><td><a href='/{0}'>text {0}</a></td><td>x</td></tr>"
        return BeautifulSoup(f"<table>{''.join(row.format(n) for n in range(rows))}</table>", "html.parser")

    return {
        "5 rows of a page": lambda: page(5).find_all("tr"),
        "10 rows of a page": lambda: page(10).find_all("tr"),
        "a row of a page of 2,000": lambda: page(2_000).find("tr"),
    }


def matplotlib() -> Objects:
    """Figures."""
    from matplotlib.figure import Figure as Plot

    def axes() -> Any:
        made = Plot().subplots()
        made.plot([1, 2, 3], label="a")
        made.legend()
        return made

    return {"Axes": axes, "a figure": lambda: axes().figure}


def sqlalchemy() -> Objects:
    """A parent and its children."""
    from sqlalchemy import Column, ForeignKey, Integer, String
    from sqlalchemy.orm import declarative_base, relationship

    base: Any = declarative_base()

    def columns(name: str, **more: Any) -> dict[str, Any]:
        key = Column(Integer, primary_key=True)
        return {"__tablename__": name, "__module__": __name__, "id": key, "name": Column(String), **more}

    parent = type("Parent", (base,), columns("parent", children=relationship("Child", back_populates="parent")))
    child = type(
        "Child",
        (base,),
        columns(
            "child",
            parent_id=Column(Integer, ForeignKey("parent.id")),
            parent=relationship("Parent", back_populates="children"),
        ),
    )
    return {
        "a parent and 5 children": lambda: parent(name="p", children=[child(name=str(n)) for n in range(5)]),
        "a parent and 500 children": lambda: parent(name="p", children=[child(name=str(n)) for n in range(500)]),
    }


def networkx() -> Objects:
    """Graphs."""
    import networkx as nx

    return {
        "a graph of 1,000": lambda: nx.gnp_random_graph(1_000, 0.005, seed=1),
        "a tree": lambda: nx.balanced_tree(2, 9),
    }


def torch() -> Objects:
    """Modules."""
    import torch as library

    def model() -> Any:
        return library.nn.Sequential(*[library.nn.Linear(256, 256) for _ in range(8)])

    return {"a module": model, "a state dict": lambda: model().state_dict()}


def optuna() -> Objects:
    """Trials."""
    import optuna as library

    library.logging.set_verbosity(library.logging.ERROR)
    return {"a trial": lambda: library.create_study().ask()}


LIBRARIES: Final = (
    numpy,
    pandas,
    polars,
    pyarrow,
    scipy,
    sklearn,
    bs4,
    matplotlib,
    sqlalchemy,
    networkx,
    torch,
    optuna,
)


def objects() -> Iterator[tuple[str, Any]]:
    """All that can be made here."""
    for of in (plain, *LIBRARIES):
        if of is plain or find_spec(of.__name__) is not None:
            yield from ((name, make()) for name, make in of().items())


def _least(what: Callable[[], Any], rounds: int) -> float:
    """Seconds of this thread."""
    times = []
    for _ in range(rounds):
        start = time.thread_time()
        what()
        times.append(time.thread_time() - start)
    return min(times)


def _pickled(value: Any) -> float | None:
    """Seconds that pickling takes; None for what cannot be pickled."""
    start = time.thread_time()
    try:
        cloudpickle.CloudPickler(io.BytesIO(), protocol=5, buffer_callback=lambda _: None).dump(value)
    except Exception:  # noqa: BLE001 - pickling runs whatever the library thinks fit
        return None
    return time.thread_time() - start


def run(size: Size, _: Path) -> Iterator[Figure]:
    """One figure for each object."""
    rounds, how = min(size.rounds, 5), Digesting()
    for name, value in islice(objects(), 4 if size.name == "smallest" else None):
        digest, flags = value_digest(value, how)
        known = "canonical" if not flags else "over the budget" if flags & Flag.TOO_LARGE else "weak"
        if digest != value_digest(value, how)[0]:
            known += ", equals nothing"
        took = _least(lambda value=value: value_digest(value, how), rounds)  # type: ignore[misc]
        pickled = _pickled(value)
        yield Figure(
            "digest",
            f"{name}: {known}",
            took * 1e3,
            "ms",
            bar=BUDGET_SECONDS * 1e3,
            floor=None if pickled is None else pickled * 1e3,
            against="pickling" if pickled is not None else "",
            ratio=None if not pickled else took / pickled,
        )
