"""What the pickler of values refuses, and how it says so.

Rules of this file
- What would come back as something else, or as a dead copy, is refused by name: open files, sockets, memoryviews.
- `class_by_name` and `with_links` are part of the stored format: they keep their names and their module.
"""

from __future__ import annotations

import _socket
import io
import pickle
import types
from typing import Any, Final, NoReturn

from jupyter_durable.errors import DeserializationError

__all__ = ["OUT_OF_BAND_BYTES", "PROTOCOL", "class_by_name", "describe", "reason_of", "refusal", "with_links"]

PROTOCOL: Final = 5
OUT_OF_BAND_BYTES: Final = 64 * 1024
"""Buffers from this size on are kept beside the pickle, where they can be written and mapped without a copy."""

_REASONS: Final[tuple[tuple[type | tuple[type, ...], str], ...]] = (
    (io.IOBase, "an open file"),
    (_socket.socket, "a socket"),  # the base of `socket.socket`, whose module costs several times as much
    ((types.GeneratorType, types.AsyncGeneratorType), "a generator"),
    (types.CoroutineType, "a coroutine"),
    (types.FrameType, "a frame"),
    (types.TracebackType, "a traceback"),
    (memoryview, "a memoryview; bytes() of it can be stored"),
)
_REFUSED: Final = tuple(kind for kind, _ in _REASONS)
_KEPT: Final = frozenset({io.BytesIO, io.StringIO})
_MODULES: Final = {"_thread": "threading", "_io": "io", "_socket": "socket", "_ssl": "ssl"}
_NAMES: Final = {"lock": "Lock"}


def refusal(value: object) -> str | None:
    """Why a value of this type is never stored, None when it may be.

    `BytesIO` and `StringIO` come back as they were and are kept; subclasses of theirs are judged as files.
    """
    if not isinstance(value, _REFUSED) or type(value) in _KEPT:
        return None
    return next(reason for kind, reason in _REASONS if isinstance(value, kind))


def describe(value: object) -> str:
    """The type of a value by its full name, in the words of the documentation: `threading.Lock`."""
    kind = value if isinstance(value, type) else type(value)
    module = _MODULES.get(kind.__module__, kind.__module__)
    name = _NAMES.get(kind.__qualname__, kind.__qualname__)
    return name if module == "builtins" else f"{module}.{name}"


def reason_of(error: BaseException) -> str:
    """An error as a reason: ours by its text, others by type and text."""
    if isinstance(error, RefusedError):
        return str(error)
    return f"{describe(error)}: {error}"


class RefusedError(pickle.PicklingError):
    """The pickler met something that is never stored."""


def class_by_name(module: str, qualname: str) -> NoReturn:
    """What a class of `__main__` is written as; our unpickler puts its own look-up in the place of this function."""
    raise DeserializationError(f"{module}.{qualname} can be loaded by jupyter_durable only")


def with_links(error: BaseException, held: tuple[Any, BaseException | None, BaseException | None, bool]) -> None:
    """Give an exception that was loaded its state, cause and context."""
    state, error.__cause__, error.__context__, suppressed = held
    if state is not None:
        error.__setstate__(state)
    error.__suppress_context__ = suppressed
