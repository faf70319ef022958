"""Arguments of a call that may run more than once: each attempt gets them as they were before the first.

Rules of this file
- They are copied before the first attempt. What cannot be copied is shared, which is told.
- An iterator or an open file can be read once: the second attempt would find it empty, and succeed with nothing. So an
  iterator is read into a list first and each attempt gets a new one over it; a file is set back to where it stood. What
  is neither (an asynchronous iterator, a stream, an iterator without an end) is refused before the first attempt.
- They are looked for in containers, in dataclasses and models, and in instances of the user's own classes. What a
  library's object holds is its own business: a client may count its calls with an iterator.
- A call that is served does not read its arguments. What it would have read is remembered, so that no call that
  executes after it reads it from the start.
"""

from __future__ import annotations

import copy
import functools
import io
import itertools
import types
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from typing import Any, Final

from jupyter_durable.code.modules import is_local
from jupyter_durable.errors import SDKUsageError
from jupyter_durable.records import NamedTuple
from jupyter_durable.serializer.instances import shape_of_type, state_of
from jupyter_durable.serializer.parts import FLAT
from jupyter_durable.static import copied

MOST_ITEMS: Final = 100_000
"""Items of an iterator that are read for the attempts to come."""
MOST_PARTS: Final = 10_000
"""Parts of the arguments of one call that are looked at."""
REMEMBERED: Final = 1000
_is_flat: Final = FLAT.issuperset
_SEQUENCES: Final = (list, tuple, set, frozenset, deque)
_ENDLESS: Final = (itertools.count, itertools.cycle, itertools.repeat)
"""Iterators that are copied as any other value is."""
_IN_MEMORY: Final = (io.BytesIO, io.StringIO)
_BUILTIN: Final = frozenset({"builtins", "itertools", "_csv"})
"""Modules whose iterators are nothing but iterators."""

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


class ReadOnce(NamedTuple):
    """Something among the arguments that can be read once."""

    argument: str
    value: Any

    @property
    def what(self) -> str:
        """What it is, for messages."""
        kind = type(self.value).__name__
        if _is_file(self.value):
            return f"an open file ({kind})"
        return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


class Pristine:
    """The arguments of a call as they were before its first attempt."""

    __slots__ = ("_arguments", "_shared", "replaced")

    def __init__(self, arguments: Arguments, shared: list[Any], replaced: bool) -> None:
        self._arguments = arguments
        self._shared = shared
        self.replaced = replaced
        """Whether the first attempt needs a copy, too: what was given has been read."""

    def fresh(self) -> Arguments:
        """A copy for one attempt."""
        return copy.deepcopy(self._arguments, {id(value): value for value in self._shared})


def kept(name: str, names: tuple[str, ...], arguments: Arguments, warn: Callable[[str], None]) -> Pristine:
    """The arguments of a call of `name`, to be given to each of its attempts. `names`: those of the positional ones.

    Raises `SDKUsageError` for what can be read once and not kept.
    """
    args, kwargs = arguments
    if not kwargs and _is_flat(map(type, args)):
        return Pristine(arguments, [], replaced=False)  # nobody can change them
    copies = _Copies(name, warn)
    once = read_once(names, arguments)
    for each in once:
        copies.replace(each)
    holders = {each.argument for each in once}
    copied = [(label, copies.of(label, value, label in holders)) for label, value in _named(names, arguments)]
    values = [value for _, value in copied]
    return Pristine(
        (tuple(values[: len(args)]), dict(zip(kwargs, values[len(args) :], strict=True))), copies.shared, bool(once)
    )


class _Copies:
    """Copies the arguments of a call, each part once."""

    def __init__(self, name: str, warn: Callable[[str], None]) -> None:
        self._name = name
        self._warn = warn
        self._memo: dict[int, Any] = {}
        self.shared: list[Any] = []

    def replace(self, once: ReadOnce) -> None:
        """Keep what can be read once, so that it can be read again."""
        value = once.value
        if _is_file(value):
            self._memo[id(value)] = self._rewound(once)
        elif issubclass(type(value), Iterator) and type(value).__module__ in _BUILTIN and not _is_group(value):
            self._memo[id(value)] = self._items(once)
        else:
            raise self._refusal(once)

    def of(self, argument: str, value: Any, holds_once: bool) -> Any:
        """A copy, or the argument itself where it cannot be copied."""
        memo = dict(self._memo)  # of a copy that fails nothing is kept
        try:
            copied = copy.deepcopy(value, memo)
        except Exception as error:  # __deepcopy__ of the user's objects was called
            why = f"{type(error).__name__}: {error}"
            if holds_once:
                raise SDKUsageError(
                    f"{self._name} may be tried again, and its argument `{argument}` holds something that can be read "
                    f"once and cannot be copied ({why}): pass a list, or the path of a file"
                ) from error
            self._warn(
                f"{self._name}: its arguments cannot be copied ({why}); a retry gets `{argument}` as the failed "
                "attempt left it"
            )
            self.shared.append(value)
            return value
        self._memo = memo
        return copied

    def _items(self, once: ReadOnce) -> _Items:
        items = list(itertools.islice(once.value, MOST_ITEMS + 1))
        if len(items) > MOST_ITEMS:
            raise self._refusal(once, f"has more than {MOST_ITEMS:,} items")
        for each in read_once((once.argument,), ((items,), {})):
            self.replace(each)
        if self._memo:
            items = self.of(once.argument, items, True)
        self._warn(
            f"{self._name} may be tried again, and its argument `{once.argument}` holds {once.what}, which can be read "
            "once: it was read into a list before the first attempt, and each attempt gets its items anew. Pass a list"
        )
        return _Items(items, isinstance(once.value, Generator))

    def _rewound(self, once: ReadOnce) -> _Rewound:
        try:
            if once.value.seekable():
                return _Rewound(once.value, once.value.tell())
        except (OSError, ValueError) as error:  # its position is not to be had in the middle of a loop over its lines
            raise self._refusal(once) from error
        raise self._refusal(once)

    def _refusal(self, once: ReadOnce, why: str = "can be read once") -> SDKUsageError:
        instead = "its path" if _is_file(once.value) else "a list of its items, or what makes it"
        return SDKUsageError(
            f"{self._name} may be tried again, and its argument `{once.argument}` holds {once.what}, which {why}: the "
            f"next attempt would find it empty and succeed with that. Pass {instead}, or take the retries away"
        )


class _Items:
    """Stands for an iterator among pristine arguments; a copy of it is a new iterator."""

    def __init__(self, items: list[Any], generates: bool) -> None:
        self._items = items
        self._generates = generates

    def __deepcopy__(self, memo: dict[int, Any]) -> Iterator[Any]:
        try:
            items = copy.deepcopy(self._items, memo)
        except Exception:  # noqa: BLE001 - __deepcopy__ of the user's objects was called; the iterator itself is new
            items = self._items
        return _generated(items) if self._generates else iter(items)


class _Rewound:
    """Stands for an open file among pristine arguments; a copy of it is the file, where it stood."""

    def __init__(self, file: Any, position: int) -> None:
        self._file = file
        self._position = position

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if not self._file.closed:  # one that an attempt has closed says so when it is read
            self._file.seek(self._position)
        return self._file


def _generated(items: list[Any]) -> Generator[Any, None, None]:
    yield from items


def read_once(names: tuple[str, ...], arguments: Arguments) -> list[ReadOnce]:
    """What can be read once among the arguments, at any depth; each thing once."""
    found = []
    seen: set[int] = set()
    for argument, value in _named(names, arguments):
        pending = [value]
        while pending and len(seen) < MOST_PARTS:
            part = pending.pop()
            if type(part) in FLAT or id(part) in seen:
                continue
            seen.add(id(part))
            if _can_be_read_once(part):
                found.append(ReadOnce(argument, part))
            else:
                pending += _parts(part)
    return found


def _named(names: tuple[str, ...], arguments: Arguments) -> Iterator[tuple[str, Any]]:
    args, kwargs = arguments
    for at, value in enumerate(args):
        yield names[at] if at < len(names) else f"argument {at}", value
    yield from kwargs.items()


def _can_be_read_once(value: Any) -> bool:
    """By its type alone: what user objects answer is not asked for."""
    kind = type(value)
    if issubclass(kind, _ENDLESS) or issubclass(kind, _IN_MEMORY):
        return False
    if _is_file(value):
        return _is_read(value)
    if issubclass(kind, Iterator) and kind.__module__ not in _BUILTIN and not _is_opaque(value):
        return False  # the user's own: it is copied by what it holds
    return issubclass(kind, (Iterator, AsyncIterator, Coroutine))


def _is_group(value: Any) -> bool:
    """Whether an iterator, read to its end, loses what its items hold."""
    return type(value).__name__ in ("groupby", "_grouper")


def _is_opaque(value: Any) -> bool:
    """Whether nothing is known of what an object holds."""
    return not is_local(type(value).__module__) and type(value).__module__ != "__main__"


def _is_file(value: Any) -> bool:
    return issubclass(type(value), io.IOBase) or type(value).__module__ == "tempfile"


def _is_read(file: Any) -> bool:
    """Whether a file is open to be read: what is only written to finds its place by itself."""
    try:
        return not file.closed and bool(file.readable())
    except (OSError, ValueError, AttributeError):
        return False


def _listed(base: Any, value: Any) -> list[Any]:
    return list(base.__iter__(value))


def _parts(value: Any) -> list[Any]:
    """What a container, a record or an instance of a user's class holds."""
    kind = type(value)
    if issubclass(kind, dict):
        return list(dict.values(value))
    for base in _SEQUENCES:
        if issubclass(kind, base):
            items = copied(functools.partial(_listed, base, value))
            return [] if _is_flat(map(type, items)) else items
    if kind is functools.partial:
        return [*value.args, *value.keywords.values()]
    if kind is types.MethodType or kind is types.BuiltinMethodType:
        return [value.__self__]
    if kind is types.SimpleNamespace:
        return list(vars(value).values())
    if _is_record(kind) or not _is_opaque(value):
        return list(state_of(value, shape_of_type(kind)).values())
    return []


def _is_record(kind: type) -> bool:
    """Whether its fields are its value: dataclasses, attrs classes, pydantic models."""
    return any(hasattr(kind, mark) for mark in ("__dataclass_fields__", "__attrs_attrs__", "__pydantic_fields__"))


class Unread:
    """What served calls of a run would have read, had they executed. At most `REMEMBERED` of them are held."""

    def __init__(self) -> None:
        self._values: deque[tuple[str, Any]] = deque(maxlen=REMEMBERED)

    def served(self, name: str, names: tuple[str, ...], arguments: Arguments) -> None:
        """A call was served."""
        self._values.extend((name, each.value) for each in read_once(names, arguments))

    def refuse(self, name: str, names: tuple[str, ...], arguments: Arguments) -> None:
        """Raises `SDKUsageError` for a call that is about to read from the start what was read in part when it ran."""
        if not self._values:
            return
        readers = {id(value): reader for reader, value in list(self._values)}
        for each in read_once(names, arguments):
            reader = readers.get(id(each.value))
            if reader is not None:
                raise SDKUsageError(
                    f"{name}: its argument `{each.argument}` holds {each.what} that {reader} read from when it ran. "
                    f"Now {reader} was served from its checkpoint and has read nothing, so {name} would begin with "
                    "what was not meant for it. Pass lists, or make one for each call"
                )
