"""Which encoder the values of a type have.

Rules of this file
- What is found here may be kept by type: it names no code of the notebook.
"""

from __future__ import annotations

from typing import Any

from jupyter_durable.serializer import arrays, frames
from jupyter_durable.serializer.instances import Shape, builtin_base, shape_of_type, state_of
from jupyter_durable.serializer.kinds import BASES, CONTAINERS, EXACT, STATELESS, WITH_ATTRIBUTES
from jupyter_durable.serializer.parts import Encode, Encoded, Names, group, mapping, wrapped
from jupyter_durable.serializer.reduced import found_by_name

__all__ = ["encoder_of", "record_shape"]


def encoder_of(kind: type, aside: frozenset[str]) -> Encode | None:
    """The encoder of a type; None where it has no canonical form. `aside`: attributes that do not count."""
    special = _special(kind)
    if special is not None:
        return special
    shape = shape_of_type(kind)
    return _instance(shape._replace(caches=shape.caches | aside)) if shape.whole else None


def record_shape(kind: type) -> Shape | None:
    """The shape of a type whose instances are their attributes and nothing else; None for any other one."""
    if _special(kind) is not None:
        return None
    shape = shape_of_type(kind)
    return shape if shape.whole else None


def _special(kind: type) -> Encode | None:
    """The encoder of a type that has one of its own."""
    exact = EXACT.get(kind)
    if exact is not None:
        return exact
    special = found_by_name(kind) or frames.scalar(kind) or _of_base(kind)
    if special is not None:
        return _with_name(b"T", special)
    special = arrays.encoder(kind) or frames.encoder(kind)
    return None if special is None else _with_name(b"A", special)


def _of_base(kind: type) -> Encode | None:
    """The encoder of a subclass of a type of the standard library."""
    mro = kind.__mro__
    base, encode = next(((base, encode) for base, encode in BASES if base in mro), (object, None))
    if encode is None or kind is base or base in STATELESS:
        return encode
    shape = shape_of_type(kind, builtin_base(kind) if base is BaseException else base)
    if base in WITH_ATTRIBUTES:
        shape = shape._replace(attributes=None)
    if not shape.whole:
        return None

    def with_state(names: Names, value: Any) -> Encoded:
        state = state_of(value, shape)
        content = encode(names, value)
        return group(b"W", content, mapping(state)) if state or base in CONTAINERS else content

    return with_state


def _with_name(tag: bytes, encode: Encode) -> Encode:
    return lambda names, value: wrapped(tag, encode(names, value), names.name_of(type(value)))


def _instance(shape: Shape) -> Encode:
    return lambda names, value: wrapped(b"O", mapping(state_of(value, shape)), names.name_of(type(value)))
