"""A cheap look at a mutable value before and after a call, to see that the call changed it.

Rules of this file
- Lists, dicts, sets, arrays and frames only: other objects change inside without anybody minding (clients, caches).
- Sampled: a change may be missed, an unchanged value never looks changed. It only ever leads to a warning.
- Compare within one process: parts that are not looked into count by their identity.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any, Final

from blake3 import blake3

from jupyter_durable.hashes import blake2b
from jupyter_durable.serializer.parts import FLAT

__all__ = ["shape_of"]

SAMPLE: Final = 32
"""Items looked at from either end, or evenly spread over an array or frame: 32 of each, 64 rows, 4,096 elements."""
MAX_PARTS: Final = 500
MAX_DEPTH: Final = 20
WHOLE_BYTES: Final = 64 * 1024
"""Arrays up to this size are looked at whole."""
ELEMENTS: Final = 4096

_is_flat: Final = FLAT.issuperset
_LISTS: Final = (list, tuple, deque)
_SETS: Final = (set, frozenset)


def shape_of(value: object) -> bytes | None:
    """16 bytes that differ when `value` visibly changed; None for what is not watched."""
    if type(value) in FLAT:
        return None
    look = _Look()
    seen = look.at(value)
    return None if look.nothing else blake2b(ascii(seen).encode(), digest_size=16).digest()


class _Look:
    def __init__(self) -> None:
        self._left = MAX_PARTS
        self._depth = 0
        self.nothing = True

    def at(self, value: Any) -> object:
        """What is seen of a value, as something that `ascii` tells apart."""
        kind = type(value)
        if kind in FLAT:
            return _ends(value) if kind in (str, bytes) else (kind.__name__, hex(value) if kind is int else value)
        self._left -= 1
        if self._left <= 0 or self._depth >= MAX_DEPTH:
            return id(value)
        self._depth += 1
        seen = self._container(value)
        self._depth -= 1
        if seen is None:
            return kind.__qualname__, id(value)
        self.nothing = False
        return kind.__qualname__, seen

    def _container(self, value: Any) -> object:
        if isinstance(value, _LISTS):
            return len(value), self._items([*_both_ends(value)])
        if isinstance(value, dict):
            keys = [*_both_ends(value)]
            return len(value), self._items(keys), self._items([value[key] for key in keys])
        if isinstance(value, _SETS):
            return len(value), sorted(ascii(self.at(item)) for item in islice(value, SAMPLE))
        if isinstance(value, bytearray):
            return len(value), _ends(bytes(value[:SAMPLE] + value[-SAMPLE:]))
        return self._array(value)

    def _items(self, items: list[Any]) -> object:
        kinds = tuple(map(type, items))
        # The hash of a text is kept with it, so flat items cost next to nothing; it holds within one process.
        return hash((kinds, tuple(items))) if _is_flat(kinds) else [self.at(item) for item in items]

    def _array(self, value: Any) -> object:
        np, pd = sys.modules.get("numpy"), sys.modules.get("pandas")
        if np is not None and isinstance(value, np.ndarray):
            return value.shape, str(value.dtype), self._elements(np, value)
        if pd is not None and isinstance(value, pd.DataFrame):
            # Label by label: two columns may have one name.
            columns = [self._series(value.iloc[:, at]) for at in range(min(value.shape[1], SAMPLE))]
            return value.shape, [self.at(name) for name in islice(value.columns, SAMPLE)], columns
        return self._series(value) if pd is not None and isinstance(value, pd.Series) else None

    def _series(self, value: Any) -> object:
        every = max(1, len(value) // (2 * SAMPLE))
        items = [*value.iloc[::every].tolist(), *value.iloc[-1:].tolist()]
        return len(value), str(value.dtype), [self._scalar(item) for item in items]

    def _scalar(self, item: Any) -> object:
        return self.at(item) if isinstance(item, (*FLAT, list, dict)) else repr(item)

    def _elements(self, np: Any, value: Any) -> object:
        if value.dtype.hasobject or value.dtype.kind == "T":
            return [self.at(item) for item in value.flat[:SAMPLE].tolist()]
        if value.nbytes > WHOLE_BYTES:
            value = value.flat[:: -(-value.size // ELEMENTS)]
        return blake3(np.ascontiguousarray(value).tobytes()).digest()


def _both_ends(value: Any) -> Iterable[Any]:
    if len(value) <= 2 * SAMPLE:
        return value  # type: ignore[no-any-return]
    last: Iterator[Any] = islice(reversed(value), SAMPLE)
    return chain(islice(value, SAMPLE), last)


def _ends(text: Any) -> object:
    return len(text), text[:SAMPLE], text[-SAMPLE:]
