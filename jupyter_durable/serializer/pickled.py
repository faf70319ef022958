"""What is too large for a walk: its pickled bytes, as far as the budget goes.

Rules of this file
- The pickler is C, so it gets over far more than a walk. Its bytes differ for equal values, so they make a digest weak.
- Bytes in the pickle and objects that are asked how to make them are counted, not time. Buffers outside do not count,
  and long texts and bytes hardly: hashing them is as fast as reading them.
- The budget is that of a call, however many of its arguments are too large.
- A class of the notebook counts by its code.
"""

from __future__ import annotations

import io
import pickle
from typing import Any, Final

import cloudpickle
from blake3 import blake3

from jupyter_durable.serializer.canonical import Walk
from jupyter_durable.serializer.digesting import Digesting
from jupyter_durable.serializer.pickler import PROTOCOL, refusal
from jupyter_durable.serializer.weights import Weigh, weight_of

__all__ = ["Pickling"]

BYTES_A_SECOND: Final = 30_000_000
"""So many bytes of small parts for each second of the budget: a fifth of it, after a walk that was given up."""
IN_PLACE_OF_A_WALK: Final = 2
"""A walk that is not begun leaves time for so many times as much."""
OBJECT: Final = 500
"""An object that is asked how to make it takes as long as so many bytes."""
OF_UNIT: Final = 100
"""A unit of what a value costs to begin with (`weights`) takes as long as so many bytes."""
LONG: Final = 64 * 1024
"""The pickler hands on longer parts as they are; a piece of the pickle is no longer by more than a small part."""
OF_LONG: Final = 16
"""So many bytes of these take as long as one of a small part."""


class _StoppedError(Exception):
    """The budget is spent, or the value holds what is never pickled."""


class _Hash(io.RawIOBase):
    """A file that keeps only the hash of what is written, as long as there is something left of the budget."""

    def __init__(self, left: float) -> None:
        self.hash = blake3()
        self.left = left

    def spend(self, work: float) -> None:
        """Raises `_StoppedError` where that is too much."""
        self.left -= work
        if self.left < 0:
            raise _StoppedError

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        self.spend(size if size <= 2 * LONG else size / OF_LONG)
        self.hash.update(data)
        return size


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    def __init__(self, file: _Hash, how: Digesting) -> None:
        super().__init__(file, protocol=PROTOCOL, buffer_callback=lambda buffer: self._apart(file, buffer))
        self._file = file
        self._how = how
        self._weigh: dict[type, Weigh | None] = {}

    @staticmethod
    def _apart(file: _Hash, buffer: pickle.PickleBuffer) -> bool:
        view = buffer.raw()
        file.hash.update(view.nbytes.to_bytes(8, "little"))
        file.hash.update(view)
        return False

    def _weight(self, obj: Any) -> int:
        """What it costs to ask an object how to make it: it may copy all that it holds."""
        kind = type(obj)
        if kind not in self._weigh:
            self._weigh[kind] = weight_of(kind)
        weigh = self._weigh[kind]
        return 0 if weigh is None else weigh(obj)

    def reducer_override(self, obj: Any) -> Any:
        self._file.spend(OBJECT + self._weight(obj) * OF_UNIT)
        if refusal(obj) is not None:
            raise _StoppedError
        if isinstance(obj, type):
            code = None if self._how.code_of is None else self._how.code_of(obj)
            if code is not None:
                read = {"read": Walk(self._how).name_of(obj)} if self._how.read_by(obj) else {}
                return type, (f"{obj.__module__}.{obj.__qualname__}", (), {"code": code, **read})
        return super().reducer_override(obj)


class Pickling:
    """Hashes of pickled values, as far as one budget goes for all of them. `spare`: the share that a walk has left."""

    def __init__(self, how: Digesting, spare: float) -> None:
        self._left = how.budget * BYTES_A_SECOND * (1 + IN_PLACE_OF_A_WALK * spare)
        self._how = how

    def digest(self, value: Any) -> bytes | None:
        """32 bytes over the pickled value; None where it cannot be pickled with what is left."""
        file = _Hash(self._left)
        try:
            _Pickler(file, self._how).dump(value)
        # Pickling runs `__reduce__` and `__getstate__` of the user's classes, which may raise anything.
        except Exception:  # noqa: BLE001
            return None
        finally:
            self._left = file.left
        return file.hash.digest()
