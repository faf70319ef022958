"""Arrays and frames among globals: how large they are, and their bytes.

Rules of this file
- numpy and pandas are looked at only where they are loaded already.
- Only what these libraries made themselves is read: a class of the user's can answer as it likes. Python objects in an
  array or a frame make it no plain data.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any, Final

from jupyter_durable import static

_FRAMES: Final = ("DataFrame", "Series", "Index", "RangeIndex", "DatetimeIndex")
_TEXT: Final = frozenset({"str", "string"})
_LABELS: Final = static.Kinds(str, int, float, bool, type(None))


def size_of(value: object) -> int | None:
    """Bytes of an array, a numpy scalar or a frame without Python objects in it; None for any other value."""
    return _array_size(value) if _is_array(value) else _frame_size(value)


def bytes_of(value: Any) -> bytes | None:
    """The content of an array or a numpy scalar of `size_of`; None for any other value, frames included."""
    if not _is_array(value) or value.dtype.hasobject:
        return None
    kind = value.dtype.str if value.dtype.names is None else value.dtype  # the names of its fields are in no code
    return f"{kind}{value.shape}".encode() + bytes(value.tobytes())


def held(value: Any) -> dict[str, object] | None:
    """What a frame of `size_of` or the type of an array's items is made of; None for any other value."""
    np = _library("numpy")
    if np is not None and static.is_a(value, np.dtype):
        return None if value.hasobject else {"type": repr(value)}
    if _frame_size(value) is None:
        return None
    if type(value) is not _library("pandas").DataFrame:  # type: ignore[union-attr]  # it has a frame's size
        return {"values": _items(value), **({"index": _items(value.index)} if hasattr(value, "index") else {})}
    columns = [_items(value.iloc[:, n]) for n in range(value.shape[1])]
    return {"columns": _items(value.columns), "index": _items(value.index), "values": columns}


def _items(values: Any) -> tuple[str, object]:
    """The type of a column or of labels, and the items: an array, or a list where they are texts."""
    found = values.to_numpy()
    return str(values.dtype), found.tolist() if found.dtype.hasobject else found


def _library(name: str) -> ModuleType | None:
    """A loaded library; one that is half imported has no types yet."""
    found = sys.modules.get(name)
    return found if found is not None and "__version__" in static.attributes(found) else None


def _is_array(value: object) -> bool:
    np = _library("numpy")
    if np is None or not static.is_a(value, (np.ndarray, np.generic)):
        return False
    home = static.importable(type(value))
    return home is not None and home.partition(".")[0] == "numpy"


def _array_size(value: Any) -> int | None:
    return None if value.dtype.hasobject else int(value.nbytes)


def _frame_size(value: Any) -> int | None:
    pd = _library("pandas")
    kind = type(value)
    if pd is None or not any(kind is static.attributes(pd).get(name) for name in _FRAMES):
        return None
    frame = kind is pd.DataFrame
    dtypes = list(value.dtypes) if frame else [value.dtype]
    labels = [value.index, value.columns] if frame else [value.index] if kind is pd.Series else []
    if not all(map(_holds_no_objects, dtypes)) or not all(map(_plain_labels, labels)):
        return None
    used = value.memory_usage(deep=False)
    return int(used.sum()) if frame else int(used)


def _holds_no_objects(dtype: Any) -> bool:
    home = static.importable(type(dtype)) or static.module_name(type(dtype)) or ""
    if home.partition(".")[0] not in {"numpy", "pandas"}:
        return False
    return bool(dtype.kind != "O") or str(dtype) in _TEXT


def _plain_labels(index: Any) -> bool:
    """Whether an index can be read: its labels may be objects of anybody's."""
    if _holds_no_objects(index.dtype):
        return True
    labels: Iterable[object] = index.array
    return static.importable(type(index)) is not None and _LABELS.hold(labels)
