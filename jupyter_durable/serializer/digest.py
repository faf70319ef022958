"""Digests of arguments: equal values give equal digests, in any process, under any hash seed.

Rules of this file
- Flat arguments, and builtin containers of flat values, take one short path: `ascii` of the tuple, dicts sorted, then
  BLAKE2b. It tells 1, True, 1.0 and "1" apart.
- Everything else is walked by `canonical`, without a memo: whether two parts are one object does not count.
- Never pickle bytes: they differ for equal values.
- What has no stable bytes contributes its type, and the digest is called weak: equal weak digests prove nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

from jupyter_durable.serializer.canonical import FLAT, Walk
from jupyter_durable.serializer.shape import shape_of

__all__ = ["DIGEST_BYTES", "args_digest", "shape_of", "value_digest"]

DIGEST_BYTES: Final = 16
_is_flat: Final = FLAT.issuperset
_is_text: Final = frozenset({str}).issuperset
_WALKED: Final = b"\0"
"""Begins what the walk made; `ascii` of a tuple begins with a parenthesis, so the two never meet."""


def args_digest(names: tuple[str, ...], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[bytes, bool]:
    """16 bytes over the arguments of a call, and whether they are weak.

    `names` are the parameters that take positional arguments, in order. Keywords that continue the positional
    arguments are moved among them, so that `f(1, b=2)` equals `f(1, 2)`; the others are sorted by name. Defaults
    are not applied.
    """
    if kwargs:
        args, kwargs = _in_position(names, args, kwargs)
        if kwargs:
            return _with_keywords(args, kwargs)
    shallow = args if _is_flat(map(type, args)) else _shallow(args)
    if shallow is not None:
        try:
            return blake2b(ascii(shallow).encode(), digest_size=16).digest(), False
        except ValueError:
            pass  # an integer of more digits than Python turns into text
    return _walked(args)


def value_digest(value: object) -> tuple[bytes, bool]:
    """16 bytes over one value, and whether they are weak."""
    return args_digest((), (value,), {})


def _in_position(
    names: tuple[str, ...], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    rest = dict(kwargs)
    moved = []
    for name in names[len(args) :]:
        if name not in rest:
            break
        moved.append(rest.pop(name))
    return (*args, *moved), rest


def _with_keywords(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[bytes, bool]:
    named = sorted(kwargs.items())
    if _is_flat(map(type, args)) and _is_flat(map(type, kwargs.values())):
        try:
            return blake2b(ascii((args, named)).encode(), digest_size=16).digest(), False
        except ValueError:
            pass  # as above
    return _walked((args, dict(named)))


def _shallow(args: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """Arguments that are flat, or lists, tuples and dicts with flat content: `ascii` is their value, once sorted."""
    found = []
    for value in args:
        kind = type(value)
        if kind is dict and _is_text(map(type, value)) and _is_flat(map(type, value.values())):
            found.append(dict(sorted(value.items())))
        elif kind in FLAT or ((kind is list or kind is tuple) and _is_flat(map(type, value))):
            found.append(value)
        else:
            return None
    return tuple(found)


def _walked(value: tuple[Any, ...]) -> tuple[bytes, bool]:
    walk = Walk()
    try:
        data = _WALKED + walk.bytes_of(value)
    except RecursionError:  # the caller stands so deep that there is no room for a walk
        data = _WALKED + ascii([type(part).__qualname__ for part in value]).encode()
        walk.weak = True
    return blake2b(data, digest_size=DIGEST_BYTES).digest(), walk.weak
