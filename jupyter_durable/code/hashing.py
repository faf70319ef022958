"""The code hash: what of the code decides about a function's results.

Rules of this file
- What counts is said in `walk`. A hash is over named parts, so that "what changed" can name a helper.
- Nothing is remembered here unless asked for: `CodeHashes` remembers, by identity, until told to forget.
- Other threads may change what is walked: then it is walked anew.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import partial
from types import FunctionType, MappingProxyType
from typing import Any

from jupyter_durable import static
from jupyter_durable.code.classify import home_module
from jupyter_durable.code.modules import is_local
from jupyter_durable.code.seen import Seen, Watched, holds, seen_alike
from jupyter_durable.code.walk import Walk
from jupyter_durable.hashes import blake2b
from jupyter_durable.records import NamedTuple


def code_hash(fn: Callable[..., Any] | type, namespace: Mapping[str, object] | None = None) -> bytes:
    """16 bytes over a function (or class) and everything of the notebook it uses.

    `namespace` is where names of classes without methods are looked up; functions know their own.
    """
    return _combined(explain(fn, namespace))


def class_hash(cls: type, namespace: Mapping[str, object] | None = None) -> bytes:
    """What makes two definitions the same class: its statement with all methods, its bases, and the code they use.

    Data globals do not count: a class reads the live ones, whichever version it belongs to.
    """
    return _combined(static.copied(lambda: Walk(namespace, for_class=True).parts(cls)))


def explain(fn: Callable[..., Any] | type, namespace: Mapping[str, object] | None = None) -> dict[str, bytes]:
    """The named parts a code hash is made of, each with 16 bytes of its own.

    The function itself stands under its qualified name, helpers and globals under the name they are used by,
    those of local modules as `module.name`.
    """
    return static.copied(lambda: Walk(namespace).parts(fn))


def changed(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> list[str]:
    """Names of the parts that differ, were added or are gone, sorted."""
    return sorted(name for name in {*old, *new} if old.get(name) != new.get(name))


class _Known(NamedTuple):
    value: object
    """Kept alive, so that its id is its own."""
    hash: bytes | None
    seen: Seen | None
    """What the hash was made of; None: it is final."""
    read: Mapping[str, object] = MappingProxyType({})
    """What the code reads and is not in the hash, since it is no plain data."""


class _Explained(NamedTuple):
    value: object
    parts: dict[str, bytes]
    watched: tuple[Watched, ...]


class CodeHashes:
    """Code hashes remembered by identity, for callers that ask often.

    Plain data that the code reads is looked at whenever a hash is asked for. A helper can change while the function
    that uses it stays the same object: call `forget` when a cell has run.
    """

    def __init__(self, namespace: Mapping[str, object] | None = None) -> None:
        self._namespace = namespace
        self._explained: dict[int, _Explained] = {}
        self._arguments: dict[int, _Known] = {}

    def explain(self, fn: Callable[..., Any] | type) -> dict[str, bytes]:
        """As the function of this name."""
        return self._known(fn).parts

    def holds(self, fn: Callable[..., Any] | type) -> Callable[[], bool] | None:
        """What tells whether the hash of a function is still that of its code; None where it reads no data."""
        watched = self._known(fn).watched
        return partial(holds, watched) if watched else None

    def _known(self, fn: Callable[..., Any] | type) -> _Explained:
        known = self._explained.get(id(fn))
        if known is None or not holds(known.watched):
            known = self._explained[id(fn)] = static.copied(lambda: self._walked_through(fn))
        return known

    def _walked_through(self, fn: Callable[..., Any] | type) -> _Explained:
        walk = Walk(self._namespace)
        return _Explained(fn, walk.parts(fn), walk.watched())

    def of(self, fn: Callable[..., Any] | type) -> bytes:
        """As `code_hash`."""
        return _combined(self.explain(fn))

    def as_argument(self, value: FunctionType | type) -> bytes | None:
        """The hash of a function or a class that is passed to a call, with what it reads as it is now.

        None for what counts by its name: what an installed library holds, and what is builtin.
        """
        known = self._arguments.get(id(value))
        if known is None or (known.seen is not None and not static.copied(partial(seen_alike, known.seen))):
            known = self._arguments[id(value)] = static.copied(lambda: self._walked(value))
        return known.hash

    def read_by(self, value: FunctionType | type) -> Mapping[str, object]:
        """What a function or a class that `as_argument` was asked for reads beside: frames, instances, large data."""
        known = self._arguments.get(id(value))
        return (known if known is not None else static.copied(lambda: self._walked(value))).read

    def _walked(self, value: FunctionType | type) -> _Known:
        if _is_library(value, self._namespace or {}):
            return _Known(value, None, None)
        walk = Walk(self._namespace, for_argument=True)
        return _Known(value, _combined(walk.parts(value)), walk.seen, walk.read())

    def forget(self) -> None:
        """What was remembered may have changed."""
        self._explained.clear()
        self._arguments.clear()


def _is_library(value: FunctionType | type, namespace: Mapping[str, object]) -> bool:
    """Whether a function or a class is found in an installed module; of a class what it says is enough."""
    home = home_module(value, namespace)
    if home is None and static.is_a(value, type):
        said = static.module_name(value)
        home = said if said in sys.modules and said not in {"__main__", "types"} else None  # `types.new_class` made it
    return home is not None and not is_local(home)


def _combined(parts: Mapping[str, bytes]) -> bytes:
    whole = blake2b(digest_size=16)
    for name, part in sorted(parts.items()):
        whole.update(b"%d:%s%s" % (len(name.encode()), name.encode(), part))
    return whole.digest()
