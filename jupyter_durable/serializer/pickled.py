"""What is too large for a walk: its pickled bytes, as far as the budget goes.

Rules of this file
- The pickler is C, so it gets over far more than a walk. Its bytes differ for equal values, so they make a digest weak.
- Bytes in the pickle and objects that are asked how to make them are counted, not time. Buffers outside do not count:
  hashing them is as fast as reading them.
- A class of the notebook counts by its code.
"""

from __future__ import annotations

import io
import pickle
from typing import Any, Final

import cloudpickle
from blake3 import blake3

from jupyter_durable.serializer.canonical import CodeOf, Digesting
from jupyter_durable.serializer.pickler import PROTOCOL, refusal

__all__ = ["pickled_digest"]

BYTES_A_SECOND: Final = 100 * 1024 * 1024
OBJECTS_A_SECOND: Final = 50_000


class _StoppedError(Exception):
    """The budget is spent, or the value holds what is never pickled."""


class _Hash(io.RawIOBase):
    """A file that keeps only the hash of what is written, and takes no more than `limit` bytes."""

    def __init__(self, limit: float) -> None:
        self.hash = blake3()
        self._left = limit

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        self._left -= size
        if self._left < 0:
            raise _StoppedError
        self.hash.update(data)
        return size


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    def __init__(self, file: _Hash, limit: float, code_of: CodeOf | None) -> None:
        super().__init__(file, protocol=PROTOCOL, buffer_callback=lambda buffer: self._apart(file, buffer))
        self._left = limit
        self._code_of = code_of

    @staticmethod
    def _apart(file: _Hash, buffer: pickle.PickleBuffer) -> bool:
        view = buffer.raw()
        file.hash.update(view.nbytes.to_bytes(8, "little"))
        file.hash.update(view)
        return False

    def reducer_override(self, obj: Any) -> Any:
        self._left -= 1
        if self._left < 0 or refusal(obj) is not None:
            raise _StoppedError
        if isinstance(obj, type):
            code = None if self._code_of is None else self._code_of(obj)
            if code is not None:
                return type, (f"{obj.__module__}.{obj.__qualname__}", (), {"code": code})
        return super().reducer_override(obj)


def pickled_digest(value: Any, how: Digesting) -> bytes | None:
    """32 bytes over the pickled value; None where it cannot be pickled within the budget."""
    file = _Hash(how.budget * BYTES_A_SECOND)
    try:
        _Pickler(file, how.budget * OBJECTS_A_SECOND, how.code_of).dump(value)
    # Pickling runs `__reduce__` and `__getstate__` of the user's classes, which may raise anything.
    except Exception:  # noqa: BLE001
        return None
    return file.hash.digest()
