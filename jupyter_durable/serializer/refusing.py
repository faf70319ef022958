"""The pickler of values: cloudpickle that refuses what it would change, and names the classes of `__main__`.

Rules of this file
- cloudpickle takes as long to import as twenty of our files: this is imported with the first value that is not plain.
- What a class of the user's own says to a pickler may not load, or load as something else: the pickler notes that it
  met one, and whoever stores the value loads it once while it is still there. What libraries say is believed.
"""

from __future__ import annotations

import copyreg
import enum
import operator
import pickle
from collections.abc import Callable
from types import FunctionType
from typing import Any, Final

import cloudpickle

from jupyter_durable import static
from jupyter_durable.errors import FunctionError
from jupyter_durable.serializer.dual import str_of
from jupyter_durable.serializer.pickler import (
    OUT_OF_BAND_BYTES,
    PROTOCOL,
    RefusedError,
    class_by_name,
    refusal,
    with_links,
)

__all__ = ["KEPT", "LEFT", "TOLD", "IsLocal", "NameOf", "RefusingPickler"]

MAIN: Final = "__main__"
NameOf = Callable[[type], str | None]
"""The name under which a class of the notebook is found again."""
IsLocal = Callable[[str], bool]
"""Whether a module is the user's own."""
LEFT, TOLD, KEPT = range(3)
"""What becomes of causes and contexts of exceptions: left out, as a `FunctionError` of their text, or as they are."""
_SAYS: Final = ("__getstate__", "__reduce__", "__reduce_ex__")
_FILLING: Final = frozenset(
    {"__new__", "__setattr__", "__setitem__", "__setstate__", "__getnewargs__", "__getnewargs_ex__", "append", "extend"}
)
"""What is called where an object is made again."""
_BELIEVED: Final = frozenset({"numpy", "pandas", "polars", "pyarrow"})
_MADE_IN_PYTHON: Final = 1 << 9
"""The flag of a class that was made while the program ran."""


class RefusingPickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Writes one value; buffers that stay outside are added to `buffers`, flat."""

    doubtful: type | None = None
    """A class met whose instances are loaded once before they are trusted: an exception's, or one of the user's own."""
    adding: type | None = None
    """One of the user's own that adds to what is written in C, whose word to a pickler does not know of that."""
    linked = False
    """Whether an exception with a cause or a context was met."""

    def __init__(
        self,
        file: Any,
        buffers: list[memoryview],
        name_of: NameOf | None = None,
        is_local: IsLocal | None = None,
        links: int = LEFT,
    ) -> None:
        def keep_in_band(buffer: pickle.PickleBuffer) -> bool:
            view = buffer.raw()
            if view.nbytes < OUT_OF_BAND_BYTES:
                return True
            buffers.append(view)
            return False

        super().__init__(file, protocol=PROTOCOL, buffer_callback=keep_in_band)
        self._name_of = name_of or _own_name
        self._is_local = is_local or MAIN.__eq__
        self._links = links
        self._met: set[type] = set()
        self._masked: set[type] = set()
        self._says_itself = False
        self._is_told = False
        """Whether a class is told what it is made of (`__setstate__`): a figure that is loaded may show itself."""

    def reducer_override(self, obj: Any) -> Any:
        reason = refusal(obj)
        if reason is not None:
            raise RefusedError(reason)
        if static.is_a(obj, type):
            return self._class(obj)
        kind = type(obj)
        if kind not in self._met:
            self._meet(kind)
        if self._links and static.is_a(obj, BaseException):
            return self._linked(obj)
        if kind in self._masked and obj.hardmask:
            return kind.harden_mask, (obj.view().soften_mask(),)  # numpy's own pickle leaves that out
        return super().reducer_override(obj)

    @property
    def compared(self) -> bool:
        """Whether what is loaded has to be equal: no class says for itself what of it is kept."""
        return self.adding is not None and not self._says_itself and self.is_loaded

    @property
    def is_loaded(self) -> bool:
        """Whether the value is loaded once before it is trusted."""
        doubtful = self.doubtful
        return doubtful is not None and (not self._is_told or issubclass(doubtful, BaseException))

    def _meet(self, kind: type) -> None:
        self._met.add(kind)
        if not kind.__flags__ & _MADE_IN_PYTHON:
            if issubclass(kind, BaseException):
                self.doubtful = kind
            return
        module = static.module_name(kind) or ""
        if static.inherited(kind, "harden_mask") is not None:
            self._masked.add(kind)
        if module.partition(".")[0] in _BELIEVED:
            return
        self._says_itself |= any(static.is_a(static.inherited(kind, name), FunctionType) for name in _SAYS)
        self._is_told |= static.is_a(static.inherited(kind, "__setstate__"), FunctionType)
        local = module == MAIN or self._is_local(module)
        if issubclass(kind, BaseException) or (local and self.doubtful is None):
            self.doubtful = kind
        if local and _may_differ(kind):
            self.adding = kind

    def _linked(self, error: BaseException) -> Any:
        """An exception with what it says of itself, its cause and its context, which its class does not say."""
        links = (error.__cause__, error.__context__)
        if links == (None, None) and not error.__suppress_context__:
            return super().reducer_override(error)
        self.linked = True
        reduce = copyreg.dispatch_table.get(type(error))
        answer: Any = reduce(error) if reduce is not None else error.__reduce_ex__(PROTOCOL)
        if isinstance(answer, str) or len(answer) > 5:
            return answer
        make, arguments, state, *rest = (*answer, None, None, None)[:5]
        said = links if self._links == KEPT else tuple(map(_told, links))
        return make, arguments, (state, *said, error.__suppress_context__), *rest, with_links

    def _class(self, cls: type) -> Any:
        """A class of the notebook by its name; one that nothing there holds is written as it is."""
        if static.importable(cls) in (None, MAIN):
            name = self._name_of(cls)
            if name is not None:
                return class_by_name, (MAIN, name)
            generic = static.members(cls).get("__pydantic_generic_metadata__") or {}
            if generic.get("origin") is not None:  # `Page[Row]`: made anew by indexing
                args = generic["args"]
                return operator.getitem, (generic["origin"], args if len(args) > 1 else args[0])
        return super().reducer_override(cls)


def _own_name(cls: type) -> str | None:
    """The name of a class of `__main__` where nobody knows better: what it calls itself."""
    name = static.qualname(cls) or ""
    return name if static.module_name(cls) == MAIN and "<locals>" not in name else None


def _may_differ(kind: type) -> bool:
    """Whether a class adds to one in C that describes itself, or has a say in how it is filled."""
    bases = static.mro(kind)[:-1]
    if issubclass(kind, enum.Enum):
        return False
    if all(base.__flags__ & _MADE_IN_PYTHON for base in bases):  # slots are filled by `__setattr__`
        sets = static.inherited(kind, "__setattr__") is not vars(object)["__setattr__"]
        return sets and any("__slots__" in static.members(base) for base in bases)
    if any(static.inherited(kind, name) is not vars(object)[name] for name in ("__reduce__", "__reduce_ex__")):
        return True
    made = [static.members(base) for base in bases if base.__flags__ & _MADE_IN_PYTHON]
    # What makes a namedtuple is generated.
    return any(not _FILLING.isdisjoint(members) for members in made if "_field_defaults" not in members)


def _told(error: BaseException | None) -> FunctionError | None:
    return None if error is None else FunctionError(f"{static.type_name(error)}: {str_of(error)}")
