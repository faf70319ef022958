"""Canonical bytes of arrays and frames: numpy, pandas, Arrow.

Rules of this file
- Nothing is imported that the process has not loaded: a value of a library's type proves that it is there.
- Buffers count by their BLAKE3, in C order; memory layout and alignment do not count, dtype and shape do.
- Object columns are walked item by item.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from blake3 import blake3

__all__ = ["canonical"]

BytesOf = Callable[[Any], bytes]


def canonical(bytes_of: BytesOf, value: Any) -> bytes | None:
    """Bytes of an array, a frame or one of their relatives; None for any other value."""
    for library, encode in (("numpy", _numpy), ("pandas", _pandas), ("pyarrow", _arrow)):
        module = sys.modules.get(library)
        # A library that is only half imported has no types yet.
        if module is not None and hasattr(module, "__version__"):
            found = encode(module, bytes_of, value)
            if found is not None:
                return found
    return None


def _numpy(np: Any, bytes_of: BytesOf, value: Any) -> bytes | None:
    if isinstance(value, np.ma.MaskedArray):
        return bytes_of(("masked", np.asarray(value.filled()), np.ma.getmaskarray(value)))
    if isinstance(value, np.ndarray):
        return _array(np, bytes_of, value)
    if isinstance(value, np.generic):
        return _array(np, bytes_of, np.asarray(value))
    if isinstance(value, np.dtype):
        return bytes_of(repr(value))
    if isinstance(value, np.random.Generator):
        return bytes_of(value.bit_generator.state)
    if isinstance(value, np.random.RandomState):
        return bytes_of(value.get_state(legacy=False))
    return None


def _array(np: Any, bytes_of: BytesOf, value: Any) -> bytes:
    dtype = value.dtype
    if dtype.hasobject or dtype.kind == "T":
        return bytes_of((str(dtype), value.shape, np.asarray(value).ravel().tolist()))
    if dtype.names is not None:  # field by field: the padding between them is not part of the value
        return bytes_of((str(dtype), value.shape, [np.asarray(value[name]) for name in dtype.names]))
    flat = np.ascontiguousarray(value).reshape(-1)
    return bytes_of((dtype.str, str(dtype), value.shape, blake3(flat.view("u1").data).digest() if flat.nbytes else b""))


def _pandas(pd: Any, bytes_of: BytesOf, value: Any) -> bytes | None:
    if isinstance(value, pd.DataFrame):
        columns = [_column(pd, value.iloc[:, at]) for at in range(value.shape[1])]
        return bytes_of(("frame", value.shape, value.columns, value.index, columns))
    if isinstance(value, pd.Series):
        return bytes_of(("series", value.name, value.index, _column(pd, value)))
    if isinstance(value, pd.MultiIndex):
        levels = [value.get_level_values(at) for at in range(value.nlevels)]
        return bytes_of(("multi", list(value.names), levels))
    if isinstance(value, pd.RangeIndex):
        return bytes_of(("range", value.name, value.start, value.stop, value.step))
    if isinstance(value, pd.Index):
        return bytes_of(("index", value.name, _column(pd, value)))
    if isinstance(value, pd.api.extensions.ExtensionArray):
        return bytes_of(_column(pd, value))
    if isinstance(value, (pd.Timestamp, pd.Timedelta, pd.Period, pd.Interval, type(pd.NaT), type(pd.NA))):
        return bytes_of((repr(value), getattr(value, "unit", None)))
    return bytes_of(repr(value)) if isinstance(value, pd.api.extensions.ExtensionDtype) else None


def _column(pd: Any, column: Any) -> tuple[Any, ...]:
    """A column as its dtype and something numpy: codes, ticks, numbers, or objects."""
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        categorical = column if isinstance(column, pd.Categorical) else column.array
        if not isinstance(categorical, pd.Categorical):
            categorical = pd.Categorical(column)
        return "category", dtype.ordered, dtype.categories, pd.array(categorical.codes).to_numpy()
    if isinstance(dtype, pd.DatetimeTZDtype):
        return "moments", str(dtype), column.to_numpy(dtype="M8[ns]")
    if isinstance(dtype, pd.api.extensions.ExtensionDtype):
        return "extension", str(dtype), column.to_numpy(dtype=object)
    return "plain", str(dtype), column.to_numpy()


def _arrow(pa: Any, bytes_of: BytesOf, value: Any) -> bytes | None:
    if isinstance(value, (pa.Array, pa.ChunkedArray)):
        value = pa.table({"": value})
    if isinstance(value, pa.RecordBatch):
        value = pa.Table.from_batches([value])
    if not isinstance(value, pa.Table):
        return bytes_of(str(value)) if isinstance(value, (pa.Schema, pa.DataType, pa.Field)) else None
    sink = pa.BufferOutputStream()
    table = value.combine_chunks()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return bytes_of(("arrow", blake3(memoryview(sink.getvalue())).digest()))
