"""Arrays of numpy, Arrow, scipy and torch, and estimators."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pyarrow as pa
import scipy.sparse
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.engine.arguments.made import (
    Quantity,
    Rows,
    fitted,
    sparse,
)

NUMPY: Rows = [
    ("array", lambda: np.arange(6), lambda: np.array([0, 1, 2, 3, 4, 6])),
    ("shape", lambda: np.arange(6).reshape(2, 3), lambda: np.arange(6).reshape(3, 2)),
    ("dtype", lambda: np.arange(3, dtype="i4"), lambda: np.arange(3, dtype="i8")),
    ("byte order", lambda: np.arange(3, dtype="<i8"), lambda: np.arange(3, dtype=">i8")),
    ("the sign of zero", lambda: np.array([0.0]), lambda: np.array([-0.0])),
    ("the unit of a subclass", lambda: Quantity([1.0, 2.0], "m"), lambda: Quantity([1.0, 2.0], "s")),
    ("array and its subclass", lambda: np.array([1.0]), lambda: Quantity([1.0], "m")),
    ("matrix", lambda: np.array([[1]]), lambda: np.array([[1]]).view(np.matrix)),
    ("mask", lambda: np.ma.array([1, 2], mask=[False, True]), lambda: np.ma.array([1, 2], mask=[True, False])),
    (
        "fill value",
        lambda: np.ma.array([1], mask=[True], fill_value=7),
        lambda: np.ma.array([1], mask=[True], fill_value=8),
    ),
    (
        "fields",
        lambda: np.array([(1, 2.0)], dtype=[("a", "i8"), ("b", "f8")]),
        lambda: np.array([(1, 2.0)], dtype=[("a", "i8"), ("c", "f8")]),
    ),
    (
        "a field",
        lambda: np.array([(1, 2.0)], dtype=[("a", "i8"), ("b", "f8")]),
        lambda: np.array([(1, 3.0)], dtype=[("a", "i8"), ("b", "f8")]),
    ),
    ("recarray", lambda: np.rec.array([(1, "a")]), lambda: np.rec.array([(1, "b")])),
    ("objects", lambda: np.array([{"a": 1}, None], dtype=object), lambda: np.array([{"a": 2}, None], dtype=object)),
    ("texts", lambda: np.array(["a", "b"]), lambda: np.array(["a", "c"])),
    (
        "variable texts",
        lambda: np.array(["a"], dtype=np.dtypes.StringDType()),
        lambda: np.array(["b"], dtype=np.dtypes.StringDType()),
    ),
    ("scalar and number", lambda: np.float64(1), lambda: 1.0),
    ("scalar", lambda: np.float32(1), lambda: np.float64(1)),
    ("bool", lambda: np.bool_(True), lambda: True),
    ("datetime64", lambda: np.datetime64("2026-01-01"), lambda: np.datetime64("2026-01-01", "s")),
    ("timedelta64", lambda: np.timedelta64(60, "s"), lambda: np.timedelta64(1, "m")),
    ("dtype itself", lambda: np.dtype("i4"), lambda: np.dtype("u4")),
    (
        "metadata of a dtype",
        lambda: np.zeros(2, np.dtype("f8", metadata={"u": 1})),
        lambda: np.zeros(2, np.dtype("f8", metadata={"u": 2})),
    ),
    ("generator", lambda: np.random.default_rng(1), lambda: np.random.default_rng(2)),
    ("RandomState", lambda: np.random.RandomState(1), lambda: np.random.RandomState(2)),
    ("polynomial", lambda: np.polynomial.Polynomial([1, 2]), lambda: np.polynomial.Polynomial([1, 2], domain=[0, 1])),
    ("a list of arrays", lambda: [np.arange(3), {"a": np.ones(2)}], lambda: [np.arange(3), {"a": np.zeros(2)}]),
]

ARROW: Rows = [
    ("scalar", lambda: pa.scalar(1), lambda: pa.scalar(2)),
    ("type of a scalar", lambda: pa.scalar(1), lambda: pa.scalar(1, pa.int32())),
    ("nested scalar", lambda: pa.scalar({"a": [1]}), lambda: pa.scalar({"a": [2]})),
    ("array", lambda: pa.array([1, None]), lambda: pa.array([1, 0])),
    ("chunked array", lambda: pa.chunked_array([[1], [2]]), lambda: pa.chunked_array([[1], [3]])),
    ("table", lambda: pa.table({"a": [1], "b": ["x"]}), lambda: pa.table({"a": [1], "b": ["y"]})),
    (
        "metadata of a table",
        lambda: pa.table({"a": [1]}).replace_schema_metadata({"k": "1"}),
        lambda: pa.table({"a": [1]}).replace_schema_metadata({"k": "2"}),
    ),
    ("record batch", lambda: pa.RecordBatch.from_pydict({"a": [1]}), lambda: pa.RecordBatch.from_pydict({"a": [2]})),
    ("dictionary", lambda: pa.array(["x"]).dictionary_encode(), lambda: pa.array(["y"]).dictionary_encode()),
    ("schema", lambda: pa.schema([("a", pa.int64())]), lambda: pa.schema([pa.field("a", pa.int64(), nullable=False)])),
    (
        "metadata of a schema",
        lambda: pa.schema([("a", pa.int64())], metadata={"k": "1"}),
        lambda: pa.schema([("a", pa.int64())], metadata={"k": "2"}),
    ),
    ("field", lambda: pa.field("a", pa.int64()), lambda: pa.field("b", pa.int64())),
    ("type", lambda: pa.timestamp("s"), lambda: pa.timestamp("s", "UTC")),
    ("buffer", lambda: pa.py_buffer(b"ab"), lambda: pa.py_buffer(b"ac")),
]

SCIENCE: Rows = [
    ("csr", lambda: sparse(scipy.sparse.csr_array, 1.0), lambda: sparse(scipy.sparse.csr_array, 2.0)),
    ("format", lambda: sparse(scipy.sparse.csr_array, 1.0), lambda: sparse(scipy.sparse.csc_array, 1.0)),
    ("coo matrix", lambda: sparse(scipy.sparse.coo_matrix, 1.0), lambda: sparse(scipy.sparse.coo_matrix, 2.0)),
    ("array and matrix", lambda: sparse(scipy.sparse.csr_array, 1.0), lambda: sparse(scipy.sparse.csr_matrix, 1.0)),
    ("a parameter", lambda: LogisticRegression(C=0.5), lambda: LogisticRegression(C=1e-9)),
    ("fitted and not", LinearRegression, lambda: fitted(LinearRegression(), 1)),
    ("fitted", lambda: fitted(LinearRegression(), 1), lambda: fitted(LinearRegression(), 2)),
    (
        "a fitted forest",
        lambda: fitted(RandomForestClassifier(3, random_state=1), 1),
        lambda: fitted(RandomForestClassifier(3, random_state=1), 2),
    ),
    (
        "a fitted pipeline",
        lambda: fitted(make_pipeline(StandardScaler(), LogisticRegression()), 1),
        lambda: fitted(make_pipeline(StandardScaler(), LogisticRegression()), 2),
    ),
    (
        "clusters",
        lambda: fitted(KMeans(2, n_init=1, random_state=1), 1),
        lambda: fitted(KMeans(2, n_init=1, random_state=1), 2),
    ),
]


def torch_rows() -> Rows:
    if importlib.util.find_spec("torch") is None:
        return []
    import torch

    def linear(seed: int, bias: bool = True) -> Any:
        torch.manual_seed(seed)
        return torch.nn.Sequential(torch.nn.Linear(3, 2, bias=bias), torch.nn.ReLU(), torch.nn.Linear(2, 1))

    return [
        ("tensor", lambda: torch.tensor([0.5]), lambda: torch.tensor([1e-9])),
        ("dtype", lambda: torch.zeros(2), lambda: torch.zeros(2, dtype=torch.bfloat16)),
        ("shape", lambda: torch.zeros(2, 3), lambda: torch.zeros(3, 2)),
        ("gradient wanted", lambda: torch.zeros(2), lambda: torch.zeros(2, requires_grad=True)),
        ("parameter", lambda: torch.nn.Parameter(torch.zeros(2)), lambda: torch.nn.Parameter(torch.ones(2))),
        ("sparse", lambda: torch.tensor([[0.0, 1.0]]).to_sparse(), lambda: torch.tensor([[0.0, 2.0]]).to_sparse()),
        ("module", lambda: linear(1), lambda: linear(2)),
        ("a bias", lambda: linear(1), lambda: linear(1, bias=False)),
        ("training", lambda: linear(1), lambda: linear(1).eval()),
        ("state dict", lambda: linear(1).state_dict(), lambda: linear(2).state_dict()),
        (
            "optimizer",
            lambda: torch.optim.SGD(linear(1).parameters(), 0.5),
            lambda: torch.optim.SGD(linear(1).parameters(), 1e-9),
        ),
        ("generator", lambda: torch.Generator().manual_seed(1), lambda: torch.Generator().manual_seed(2)),
        ("dtype itself", lambda: torch.float32, lambda: torch.float16),
        ("device", lambda: torch.device("cpu"), lambda: torch.device("meta")),
    ]
