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

from jupyter_durable.serializer.arrays import Take, home, of_library, with_attributes
from jupyter_durable.serializer.instances import shape_of_type, state_of
from jupyter_durable.serializer.parts import Encode

__all__ = ["encoder", "scalar"]

_INNER: Final = frozenset({"_mgr", "_item_cache", "_attrs", "_flags", "_name", "_cacher", "_is_copy", "_typ"})
"""Attributes of a frame or series that hold what is looked at otherwise, or that only one that was loaded has."""
_OF_INDEX: Final = frozenset(
    {"_data", "_range", "_levels", "_codes", "_names", "_name", "_freq", "sortorder", "_cache", "_id", "_references",
     "_engine", "_cacher", "_is_copy", "_attrs"}
)  # fmt: skip
"""The same of an index, and what pandas remembers of it."""
_OF_POLARS: Final = frozenset({"_df", "_s", "_ldf", "_pyexpr", "_accessors"})
_ZONES: Final = frozenset({"pytz", "dateutil"})
"""Packages whose zones are what they are called."""


def encoder(kind: type) -> Encode | None:
    """The encoder of a type of pandas or polars; None for any other one."""
    return of_library(kind, {"pandas": _pandas, "polars": _polars})


def scalar(kind: type) -> Encode | None:
    """The encoder of a scalar of pandas, also of those that are dates to Python, which would not see all of them."""
    return of_library(kind, {"pandas": _pandas_scalar})


def _pandas_scalar(pd: Any, kind: type) -> Take | None:
    if kind in (type(pd.NaT), type(pd.NA)):
        return lambda value: (repr(value), getattr(value, "unit", None), getattr(value, "fold", 0))
    if not issubclass(kind, (pd.Timestamp, pd.Timedelta, pd.Period, pd.Interval)):
        return None
    base: Any = home(kind)
    if issubclass(kind, pd.Interval):
        return with_attributes(kind, base, lambda value: ("interval", value.left, value.right, value.closed))
    said = base.__repr__
    return with_attributes(
        kind,
        base,
        lambda value: (said(value), getattr(value, "unit", None), getattr(value, "fold", 0), *_zone(value)),
    )


def _zone(value: Any) -> tuple[Any, ...]:
    """The zone of moments, where its name, which is part of their text, says too little."""
    zone = getattr(value, "tz", None)
    return () if zone is None or type(zone).__module__.partition(".")[0] in _ZONES else (zone,)


def _pandas(pd: Any, kind: type) -> Take | None:
    if issubclass(kind, pd.DataFrame):
        return _seen(kind, lambda value: _frame(pd, value))
    if issubclass(kind, pd.Series):
        return _seen(kind, lambda value: ("series", value.name, value.index, _column(pd, value)))
    take = _of_pandas(pd, kind)
    base = home(kind)
    # What pandas' own arrays and types keep is their content, and what they remember.
    if take is None or (kind is base and not issubclass(kind, pd.Index)):
        return take
    return with_attributes(kind, base, take, _OF_INDEX if issubclass(kind, pd.Index) else frozenset())


def _of_pandas(pd: Any, kind: type) -> Take | None:
    extensions = pd.api.extensions
    if issubclass(kind, pd.MultiIndex):
        return lambda value: (
            "multi", list(value.names), [value.get_level_values(at) for at in range(value.nlevels)],
        )  # fmt: skip
    if issubclass(kind, pd.RangeIndex):
        return lambda value: ("range", value.name, value.start, value.stop, value.step)
    if issubclass(kind, pd.Index):
        return lambda value: _index(pd, value)
    if issubclass(kind, extensions.ExtensionArray):
        return lambda value: (*_column(pd, value), *_freq(pd, value))
    return (lambda value: _dtype(pd, value)) if issubclass(kind, extensions.ExtensionDtype) else None


def _frame(pd: Any, value: Any) -> tuple[Any, ...]:
    columns = [_column(pd, value.iloc[:, at]) for at in range(value.shape[1])]
    return "frame", value.shape, value.columns, value.index, columns


def _index(pd: Any, value: Any) -> tuple[Any, ...]:
    return "index", value.name, _column(pd, value), *_freq(pd, value)


def _freq(pd: Any, value: Any) -> tuple[Any, ...]:
    """The frequency as its text, or as an object where the text says too little: it leaves out holidays."""
    text = getattr(value, "freqstr", None)
    if text is None:
        return ()
    try:
        said = pd.tseries.frequencies.to_offset(text)
    except ValueError:
        said = None
    period = isinstance(value.dtype, pd.PeriodDtype)
    return (text,) if period or (said == value.freq and type(said) is type(value.freq)) else (text, value.freq)


def _dtype(pd: Any, value: Any) -> tuple[Any, ...]:
    if isinstance(value, pd.CategoricalDtype):
        return "category", value.ordered, value.categories
    return repr(value), *_zone(value)


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
        return "moments", str(dtype), column.to_numpy(dtype=f"M8[{dtype.unit}]"), *_zone(dtype)
    if isinstance(dtype, pd.IntervalDtype):
        held = getattr(column, "array", column)
        return "intervals", str(dtype), held.left, held.right
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
    take = _of_polars(pl, kind)
    return None if take is None else with_attributes(kind, home(kind), take, _OF_POLARS)


def _of_polars(pl: Any, kind: type) -> Take | None:
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
