"""What an instance of a class written in Python holds: its attributes and slots.

Rules of this file
- No user code runs: what an instance holds is read from `__dict__` and slots, past properties and `__getattribute__`.
- All that a reader can see counts. What a `cached_property` keeps does not: it is there if somebody has asked for it.
  Where code of the class assigns that name, or a subclass has something else under it, it is an attribute as any other.
- A class with a part written in C keeps state that cannot be seen from here: `Shape.whole` is False.
"""

from __future__ import annotations

import dis
import functools
import types
from collections.abc import Iterator
from typing import Any, Final

from jupyter_durable.records import NamedTuple

__all__ = ["Shape", "builtin_base", "plain", "shape_of_type", "state_of"]

_ASIDE: Final = frozenset({"_attrs_cached_hash"})
"""Attributes that keep a hash, which is another one in each process."""
_REMEMBERED: Final = {
    "pandas": frozenset({"_cache"}),
    "scipy": frozenset({"_has_canonical_format", "_has_sorted_indices"}),
    "sklearn": frozenset({"_stop_words_id"}),
}
"""What objects of libraries remember of what else they hold, or where it lies in memory."""
_MAKING: Final = frozenset({"__init__", "__new__", "__post_init__", "__attrs_post_init__"})
_TAKES_KEYWORDS: Final = 0x08
"""The flag of code that has `**` among its parameters."""
_WRAPPERS: Final = 20
_SETATTR: Final = frozenset({"setattr", "__setattr__"})
_SETTERS: Final = _SETATTR | {"update"}
_DICTS: Final = frozenset({"__dict__", "vars"})
_STORE_ATTRIBUTE: Final = dis.opmap["STORE_ATTR"]
_STORE_ITEM: Final = dis.opmap["STORE_SUBSCR"]
_POINTER: Final = 8
_READERS: Final = (types.GetSetDescriptorType, types.MemberDescriptorType)
_HIDDEN: Final = ("__dict__", "__weakref__")
_MADE_IN_PYTHON: Final = 1 << 9
"""The flag of a class that was made while the program ran."""


class Shape(NamedTuple):
    """Where the instances of a class keep their state."""

    slots: tuple[tuple[str, types.MemberDescriptorType], ...]
    attributes: Any
    """What reads `__dict__`; None where there is none. A class may have another answer to that name."""
    caches: frozenset[str]
    """Attributes that do not count."""
    whole: bool
    """Whether attributes and slots are all there is."""


def shape_of_type(kind: type, base: type = object) -> Shape:
    """The shape of a class; slots of `base` and its bases are left out."""
    slots: list[tuple[str, types.MemberDescriptorType]] = []
    attributes = None
    caches: set[str] = set()
    met: set[str] = set()
    aside = _ASIDE
    for owner in kind.__mro__:
        found = vars(owner).get("__dict__")
        if attributes is None and isinstance(found, _READERS):
            attributes = found
        if base is not object and owner in base.__mro__:
            continue
        aside |= _REMEMBERED.get(owner.__module__.partition(".")[0], frozenset())
        fields = vars(owner).get("__attrs_attrs__")
        for name, member in vars(owner).items():
            if isinstance(member, types.MemberDescriptorType) and name not in _HIDDEN:
                # One of a base that has the same name is another slot.
                slots.append((f"{owner.__qualname__}.{name}" if name in met else name, member))
                if fields is not None and name not in met and name not in {field.name for field in fields}:
                    caches.add(name)  # `attrs` makes a slot of a `cached_property`
            elif isinstance(member, functools.cached_property) and name not in met:
                caches.add(name)
        met.update(vars(owner))
    if caches:
        caches -= _assigned(kind, caches)
    return Shape(tuple(slots), attributes, aside | caches, _seen_whole(kind, base, len(slots)))


def _assigned(kind: type, names: set[str]) -> set[str]:
    """Those of the names that code of a class or its bases assigns, or may assign where it makes an instance."""
    found: set[str] = set()
    for owner in kind.__mro__:
        found |= {field.name for field in vars(owner).get("__attrs_attrs__", ())} & names
        for name, member in vars(owner).items():
            for function in _functions(member):
                code = function.__code__
                written = names if name in _MAKING and _any_name(code) else _written(code) & names
                # A `cached_property` that keeps its own value is one all the same.
                found |= written - {name} if isinstance(member, functools.cached_property) else written
    return found


def _functions(member: Any) -> Iterator[types.FunctionType]:
    """The functions of a member of a class, with those that decorators wrap."""
    if isinstance(member, (classmethod, staticmethod, property, functools.cached_property)):
        held = [getattr(member, name, None) for name in ("__func__", "fget", "fset", "func")]
    else:
        held = [member]
    for each in held:
        for _ in range(_WRAPPERS):
            if not isinstance(each, types.FunctionType):
                break
            yield each
            each = vars(each).get("__wrapped__")


def _any_name(code: types.CodeType) -> bool:
    """Whether code sets attributes whose names it does not say: those of its keywords, or of what it goes through."""
    names = frozenset(code.co_names)
    sets = not _SETATTR.isdisjoint(names) or ("update" in names and not _DICTS.isdisjoint(names))
    return sets and bool(code.co_flags & _TAKES_KEYWORDS or dis.opmap["FOR_ITER"] in code.co_code[::2])


def _written(code: types.CodeType) -> set[str]:
    """Names of attributes that code assigns, as far as it says their names."""
    steps = frozenset(code.co_code[::2])
    found: set[str] = set()
    if _STORE_ATTRIBUTE in steps:
        found |= {each.argval for each in dis.get_instructions(code) if each.opcode == _STORE_ATTRIBUTE}
    by_text = "__dict__" in found or not _SETTERS.isdisjoint(code.co_names)
    if by_text or (_STORE_ITEM in steps and not _DICTS.isdisjoint(code.co_names)):
        texts = [text for each in code.co_consts for text in (each if isinstance(each, tuple) else (each,))]
        found |= {text for text in texts if isinstance(text, str)}
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            found |= _written(inner)
    return found


def _seen_whole(kind: type, base: type, slots: int) -> bool:
    """Whether the instances of `kind` are as large as what can be seen of them, as `copyreg` asks, too."""
    if base is object and (kind.__itemsize__ or not _has_state(kind)):
        return False
    pointers = slots + sum(_adds(kind, base, offset) for offset in ("__dictoffset__", "__weakrefoffset__"))
    return kind.__itemsize__ == base.__itemsize__ and kind.__basicsize__ <= base.__basicsize__ + _POINTER * pointers


def _adds(kind: type, base: type, offset: str) -> bool:
    """Whether this pointer is part of the size of `kind` and not of that of `base`."""
    if getattr(base, offset):
        return False
    found = getattr(kind, offset)
    return bool(found) if base.__itemsize__ else found > 0


def _has_state(kind: type) -> bool:
    return bool(kind.__dictoffset__) or any("__slots__" in vars(owner) for owner in kind.__mro__)


def builtin_base(kind: type) -> type:
    """The class of the interpreter whose layout the instances of `kind` have: that of an exception has members."""
    while kind.__flags__ & _MADE_IN_PYTHON or kind.__module__ != "builtins":
        assert kind.__base__ is not None
        kind = kind.__base__
    return kind


def plain(attributes: dict[Any, Any]) -> dict[Any, Any]:
    """A `__dict__` as a dict: somebody may have put a subclass there, which may answer as it likes."""
    return attributes if type(attributes) is dict else dict(dict.items(attributes))


def state_of(value: Any, shape: Shape) -> dict[str, Any]:
    """Attributes and slots of an instance of that shape."""
    state = {} if shape.attributes is None else dict(plain(shape.attributes.__get__(value)))
    if shape.slots:
        for name, _ in shape.slots:
            if name in state:
                state[f"__dict__.{name}"] = state.pop(name)
        state.update(_slots(value, shape))
    if shape.caches.isdisjoint(state):
        return state
    return {name: item for name, item in state.items() if name not in shape.caches}


def _slots(value: Any, shape: Shape) -> Iterator[tuple[str, Any]]:
    for name, member in shape.slots:
        try:
            yield name, member.__get__(value, type(value))
        except AttributeError:
            continue
