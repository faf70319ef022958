"""Values as bytes: plain where nothing can run on load, else cloudpickle.

Rules of this file
- An exact None, bool, int, float, str or bytes, and builtin containers of these, are `plain`. Nothing else is.
- Plain bytes are loaded by an unpickler that resolves no name, so that damaged or foreign bytes cannot run code.
- Classes of `__main__` are written as a name, never by value: an instance comes back as one of the class that the
  caller's `find_class` answers, so `isinstance` and `except` hold after a cell is run again.
- What would come back as something else (open files, memoryviews) is refused by name, not converted.
- Buffers of 64 KiB and more leave the pickle; smaller ones stay in it, so an `Encoded` without buffers is one piece.
"""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NoReturn

from jupyter_durable.errors import DeserializationError, SerializationError
from jupyter_durable.serializer.base import PICKLE, PLAIN, Encoded
from jupyter_durable.serializer.pickler import OUT_OF_BAND_BYTES, PROTOCOL, class_by_name, describe, reason_of

if TYPE_CHECKING:
    from jupyter_durable.serializer.refusing import IsLocal, NameOf, RefusingPickler

__all__ = ["OUT_OF_BAND_BYTES", "ValueSerializer", "decode_unsigned"]

FindClass = Callable[[str, str], Any]

_ATOMS: Final = frozenset({type(None), bool, int, float, str, bytes})
_is_flat: Final = _ATOMS.issuperset
# The opcodes that name a global: without one of these bytes a pickle has nothing that it could call.
_NAMING: Final = b"ci\x82\x83\x84\x93"
_SHORT: Final = 64
_WRITTEN: Final = frozenset(
    [
        "PROTO",
        "FRAME",
        "STOP",
        "MARK",
        "NONE",
        "NEWTRUE",
        "NEWFALSE",
        "BININT",
        "BININT1",
        "BININT2",
        "LONG1",
        "LONG4",
        "BINFLOAT",
        "SHORT_BINUNICODE",
        "BINUNICODE",
        "BINUNICODE8",
        "SHORT_BINBYTES",
        "BINBYTES",
        "BINBYTES8",
        "EMPTY_LIST",
        "APPEND",
        "APPENDS",
        "EMPTY_TUPLE",
        "TUPLE",
        "TUPLE1",
        "TUPLE2",
        "TUPLE3",
        "EMPTY_DICT",
        "SETITEM",
        "SETITEMS",
        "EMPTY_SET",
        "ADDITEMS",
        "FROZENSET",
        "MEMOIZE",
        "BINGET",
        "LONG_BINGET",
    ]
)
"""All that is written for plain values. Not among them: what takes as much memory as a number in it says."""


class ValueSerializer:
    """The `Serializer` of values.

    `find_class(module, qualname)` answers the classes of `__main__` while a value is loaded; None looks them up in
    the running `__main__`. It raises `AttributeError` for a name it does not know. `name_of` gives the name that
    `find_class` will know a class by; None takes what the class calls itself. `is_local(module)` says which modules
    are the user's own beside `__main__`: their classes are not believed to load as they were.
    """

    def __init__(
        self, find_class: FindClass | None = None, name_of: NameOf | None = None, is_local: IsLocal | None = None
    ) -> None:
        self._find_class = find_class or main_class
        self._name_of = name_of
        self._is_local = is_local

    def encode(self, value: object, root: str = "result", *, links: bool = True) -> Encoded:
        """The value as bytes. Raises `SerializationError` with the path, from `root`, of what cannot be stored.

        `links`: with causes and contexts of exceptions. Those that cannot be stored are told.
        """
        if type(value) in _ATOMS:
            return tuple.__new__(Encoded, (PLAIN, pickle.dumps(value, PROTOCOL), ()))
        head = _plain(value)
        return Encoded(PLAIN, head) if head is not None else self._pickled(value, root, links)

    def encode_arguments(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], limit: int) -> Encoded | None:
        """As `encode((args, kwargs))`; None where they cannot be stored or take more than `limit` bytes.

        It stops at the limit and does not say why: a large object is not pickled whole for each call. Flat arguments
        are seen to be plain without a look at the pickle (1 us less).
        """
        if not kwargs and _is_flat(map(type, args)):
            head = pickle.dumps((args, kwargs), PROTOCOL)
            return tuple.__new__(Encoded, (PLAIN, head, ())) if len(head) <= limit else None
        try:
            plain = _plain((args, kwargs), limit)
            return Encoded(PLAIN, plain) if plain is not None else self._pickled_within((args, kwargs), limit)
        except _LimitError:
            return None

    def _pickled_within(self, value: object, limit: int) -> Encoded | None:
        from jupyter_durable.serializer.refusing import RefusingPickler

        file, buffers = _Limited(limit), list[memoryview]()
        pickler = RefusingPickler(file, buffers)
        try:
            pickler.dump(value)
            encoded = Encoded(PICKLE, file.getvalue())
            if pickler.doubtful is not None and issubclass(pickler.doubtful, BaseException):
                self._loaded(value, encoded, "arguments", pickler)
        # Pickling runs `__reduce__` and `__getstate__` of the user's classes, which may raise anything.
        except Exception:  # noqa: BLE001
            return None
        return None if buffers else encoded

    def decode(self, codec: str, head: bytes, buffers: list[memoryview]) -> object:
        """The value of bytes whose MAC was checked. Raises `DeserializationError`."""
        try:
            if codec == PLAIN:
                return _load_plain(head)
            if codec == PICKLE:
                return _Unpickler(head, buffers, self._find_class).load()
        except DeserializationError:
            raise
        # Loading runs `__setstate__` and constructors of the user's classes, which may raise anything.
        except Exception as error:
            raise DeserializationError(f"the stored value cannot be rebuilt here: {reason_of(error)}") from error
        raise DeserializationError(f"the stored value is encoded as {codec!r}, which this version does not know")

    def _pickled(self, value: object, root: str, links: bool) -> Encoded:
        from jupyter_durable.serializer.refusing import KEPT, LEFT, TOLD

        if not links:
            return self._verified(value, root, self._pickler(LEFT))[0]
        pickler, _, _ = made = self._pickler(KEPT)
        try:
            encoded, loaded = self._verified(value, root, made)
        except SerializationError:
            if not pickler.linked:
                raise
            return self._verified(value, root, self._pickler(TOLD))[0]
        if pickler.compared:
            _same(value, loaded, root, pickler.adding)
        return encoded

    def _pickler(self, links: int) -> tuple[RefusingPickler, io.BytesIO, list[memoryview]]:
        from jupyter_durable.serializer.refusing import RefusingPickler

        file, buffers = io.BytesIO(), list[memoryview]()
        return RefusingPickler(file, buffers, self._name_of, self._is_local, links), file, buffers

    def _verified(
        self, value: object, root: str, made: tuple[RefusingPickler, io.BytesIO, list[memoryview]]
    ) -> tuple[Encoded, object]:
        """The value as it is written, and as it is loaded where the pickler met a class that it does not believe."""
        pickler, file, buffers = made
        with file:
            try:
                pickler.dump(value)
            # Pickling runs `__reduce__` and `__getstate__` of the user's classes, which may raise anything.
            except Exception as error:
                from jupyter_durable.serializer.explain import explain

                raise SerializationError(explain(value, root, error)) from error
            encoded = Encoded(PICKLE, file.getvalue(), tuple(buffers))
        return encoded, self._loaded(value, encoded, root, pickler) if pickler.is_loaded else None

    def _loaded(self, value: object, encoded: Encoded, root: str, pickler: RefusingPickler) -> object:
        """Many exceptions and classes pickle and then do not load: find out now, while the value still exists."""
        try:
            return self.decode(PICKLE, encoded.head, list(encoded.buffers))
        except DeserializationError as error:
            what = "an exception that" if issubclass(pickler.doubtful or object, BaseException) else "what"
            text = f"{root} ({describe(value)}) holds {what} cannot be loaded again: {error}"
            raise SerializationError(text) from error


def _same(value: object, loaded: object, root: str, kind: type | None) -> None:
    """Raises `SerializationError` where the loaded value is another one. Weak digests prove nothing."""
    from jupyter_durable.serializer.digest import value_digest

    (one, weak), (other, vague) = value_digest(value), value_digest(loaded)
    if one != other and not weak and not vague:
        raise SerializationError(
            f"{root} ({describe(value)}) would come back as another value: {describe(kind)} holds more than its base "
            "tells a pickler, or changes what it is given. Let its __reduce__ say how to make it again"
        )


def decode_unsigned(head: bytes) -> object:
    """A plain value for which no MAC vouches, as the failure of an attempt. Raises `DeserializationError`.

    Eight bytes of a pickle can ask for 32 GB, without naming anything: what we never write is not loaded.
    """
    import pickletools  # only where attempts are shown

    try:
        odd = next((code.name for code, _, _ in pickletools.genops(head) if code.name not in _WRITTEN), None)
    # Damaged bytes raise whatever the reader of their opcode does.
    except Exception as error:
        raise DeserializationError(f"the stored value cannot be rebuilt here: {reason_of(error)}") from error
    if odd is not None:
        raise DeserializationError(f"a plain value holds {odd}: it was not written by this library")
    return ValueSerializer().decode(PLAIN, head, [])


def main_class(module: str, qualname: str) -> Any:
    """The object of that name as it is now. Raises `AttributeError` when there is none."""
    found: Any = sys.modules[module]
    for part in qualname.split("."):
        found = getattr(found, part)
    return found


class _NotPlainError(Exception):
    pass


class _PlainPickler(pickle.Pickler):
    def reducer_override(self, obj: object) -> NoReturn:  # noqa: ARG002
        raise _NotPlainError


class _LimitError(Exception):
    pass


class _Limited:
    """A file that takes no more than `limit` bytes. Raises `_LimitError` from the write that is too much."""

    def __init__(self, limit: int) -> None:
        self._written = io.BytesIO()
        self._limit = limit

    def write(self, data: Any) -> int:
        written = self._written.write(data)
        if self._written.tell() > self._limit:
            raise _LimitError
        return written

    def getvalue(self) -> bytes:
        return self._written.getvalue()


def _plain(value: object, limit: int | None = None) -> bytes | None:
    """The value as plain bytes, None when it holds anything but builtin containers and atoms."""
    file = io.BytesIO() if limit is None else _Limited(limit)
    try:
        _PlainPickler(file, PROTOCOL).dump(value)
    except (_NotPlainError, RecursionError):
        return None
    return file.getvalue()


class _Unpickler(pickle.Unpickler):
    def __init__(self, head: bytes, buffers: list[memoryview], find_class: FindClass) -> None:
        super().__init__(io.BytesIO(head), buffers=buffers)
        self._find_class = find_class

    def find_class(self, module: str, name: str, /) -> Any:
        if name == class_by_name.__name__ and module == class_by_name.__module__:
            return self._main_class
        if module == "__main__":
            return self._main_class(module, name)
        return super().find_class(module, name)

    def _main_class(self, module: str, qualname: str) -> Any:
        try:
            return self._find_class(module, qualname)
        except (AttributeError, KeyError) as error:
            text = f"the stored value needs `{qualname}`, which is not defined here: run the cell that defines it"
            raise DeserializationError(text) from error


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str, /) -> NoReturn:
        raise DeserializationError(f"a plain value names {module}.{name}: it was not written by this library")


def _load_plain(head: bytes) -> object:
    if len(head) <= _SHORT and len(head.translate(None, _NAMING)) == len(head):
        return pickle.loads(head)
    return _PlainUnpickler(io.BytesIO(head)).load()
