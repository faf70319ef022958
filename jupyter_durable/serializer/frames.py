"""What frames are made of: pandas, polars.

Rules of this file
- Nothing is imported that the process has not loaded, as in `arrays`.
- All that a reader can see counts: names and order of columns and categories, index, frequency, zone, `attrs`, flags
  and the attributes of a subclass. How a frame lies in memory does not.
"""

from __future__ import annotations

import io
from typing import Any, Final

from blake3 import blake3

from jupyter_durable.serializer.arrays import Take, of_library
from jupyter_durable.serializer.instances import shape_of_type, state_of
from jupyter_durable.serializer.parts import Encode

__all__ = ["encoder", "scalar"]

_INNER: Final = frozenset({"_mgr", "_item_cache", "_attrs", "_flags", "_name", "_cacher", "_is_copy"})
"""Attributes of a frame or series that hold what is looked at otherwise."""


def encoder(kind: type) -> Encode | None:
    """The encoder of a type of pandas or polars; None for any other one."""
    return of_library(kind, {"pandas": _pandas, "polars": _polars})


def scalar(kind: type) -> Encode | None:
    """The encoder of a scalar of pandas, also of those that are dates to Python, which would not see all of them."""
    return of_library(kind, {"pandas": _pandas_scalar})


def _pandas_scalar(pd: Any, kind: type) -> Take | None:
    known = (pd.Timestamp, pd.Timedelta, pd.Period, pd.Interval, type(pd.NaT), type(pd.NA))
    if not issubclass(kind, known):
        return None
    return lambda value: (repr(value), getattr(value, "unit", None), getattr(value, "fold", 0))


def _pandas(pd: Any, kind: type) -> Take | None:
    extensions = pd.api.extensions
    if issubclass(kind, pd.DataFrame):
        return _seen(kind, lambda value: _frame(pd, value))
    if issubclass(kind, pd.Series):
        return _seen(kind, lambda value: ("series", value.name, value.index, _column(pd, value)))
    if issubclass(kind, pd.MultiIndex):
        return lambda value: (
            "multi", list(value.names), [value.get_level_values(at) for at in range(value.nlevels)],
        )  # fmt: skip
    if issubclass(kind, pd.RangeIndex):
        return lambda value: ("range", value.name, value.start, value.stop, value.step)
    if issubclass(kind, pd.Index):
        return lambda value: _index(pd, value)
    if issubclass(kind, extensions.ExtensionArray):
        return lambda value: _column(pd, value)
    return (lambda value: _dtype(pd, value)) if issubclass(kind, extensions.ExtensionDtype) else None


def _frame(pd: Any, value: Any) -> tuple[Any, ...]:
    columns = [_column(pd, value.iloc[:, at]) for at in range(value.shape[1])]
    return "frame", value.shape, value.columns, value.index, columns


def _index(pd: Any, value: Any) -> tuple[Any, ...]:
    known = ("index", value.name, _column(pd, value))
    freq = getattr(value, "freqstr", None)
    return known if freq is None else (*known, freq)


def _dtype(pd: Any, value: Any) -> tuple[Any, ...]:
    if isinstance(value, pd.CategoricalDtype):
        return "category", value.ordered, value.categories
    return (repr(value),)


def _seen(kind: type, take: Take) -> Take:
    """The content of a frame or series, and what else can be seen of it, where there is anything."""
    shape = shape_of_type(kind)

    def seen(value: Any) -> tuple[Any, ...]:
        own = {name: item for name, item in state_of(value, shape).items() if name not in _INNER}
        extra = {**own, "attrs": value.attrs, "flags": not value.flags.allows_duplicate_labels}
        found = {name: item for name, item in extra.items() if item is not False and item != {}}
        content: tuple[Any, ...] = take(value)
        return (*content, found) if found else content

    return seen


def _column(pd: Any, column: Any) -> tuple[Any, ...]:
    """A column as its dtype and something numpy or Arrow: codes, ticks, numbers, or objects."""
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        categorical = column if isinstance(column, pd.Categorical) else column.array
        if not isinstance(categorical, pd.Categorical):
            categorical = pd.Categorical(column)
        return "category", dtype.ordered, dtype.categories, pd.array(categorical.codes).to_numpy()
    if isinstance(dtype, pd.DatetimeTZDtype):
        return "moments", str(dtype), column.to_numpy(dtype=f"M8[{dtype.unit}]")
    if isinstance(dtype, pd.api.extensions.ExtensionDtype):
        return "extension", str(dtype), _extension(column)
    return "plain", str(dtype), column.to_numpy()


def _extension(column: Any) -> Any:
    """The values of an extension: as Arrow where it is kept so, with a mask where it has one, else as objects."""
    values = getattr(column, "array", column)
    arrow = getattr(values, "_pa_array", None)
    if arrow is not None:
        return arrow
    if hasattr(values, "_mask") and hasattr(values, "_data"):
        mask = values._mask
        held = values._data.copy()
        held[mask] = 0
        return held, mask
    return column.to_numpy(dtype=object)


def _polars(pl: Any, kind: type) -> Take | None:
    if issubclass(kind, pl.DataFrame):
        return lambda value: ("frame", value.shape, [_series(pl, column) for column in value.get_columns()])
    if issubclass(kind, pl.Series):
        return lambda value: _series(pl, value)
    if issubclass(kind, pl.LazyFrame):
        return lambda value: ("plan", blake3(value.serialize()).digest())
    if issubclass(kind, pl.Expr):
        return lambda value: ("expression", blake3(value.meta.serialize()).digest())
    return (lambda value: (repr(value),)) if issubclass(kind, pl.DataType) else None


def _series(pl: Any, value: Any) -> tuple[Any, ...]:
    """A column: name, type, length, and its content as a file of Arrow, with all texts in one buffer."""
    said = ("series", value.name, repr(value.dtype), len(value))
    if value.dtype == pl.Object:
        return *said, value.to_list()
    file = io.BytesIO()
    value.rechunk().to_frame().write_ipc(file, compression="uncompressed", compat_level=pl.CompatLevel.oldest())
    return *said, blake3(file.getbuffer()).digest()
