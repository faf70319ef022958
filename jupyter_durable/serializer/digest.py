"""Digests of arguments: equal values give equal digests, in any process, under any hash seed.

Rules of this file
- Flat arguments, and builtin containers of flat values, take one short path: `ascii` of the tuple, dicts sorted, then
  BLAKE2b. It tells 1, True, 1.0 and "1" apart.
- Everything else is walked by `canonical`. What has no canonical bytes is described as the pickler sees it, and the
  digest is called weak (`Flag.WEAK`): equal weak digests prove equal arguments, other ones prove nothing.
- A walk that would take longer than the budget is given up. Then each argument is walked by itself, and what is too
  large counts by its pickled bytes, or, where these are too many, equals nothing (`Flag.TOO_LARGE`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any, Final

from jupyter_durable.core.model import Flag
from jupyter_durable.serializer.canonical import Digesting, OverBudgetError, Walk
from jupyter_durable.serializer.parts import FLAT, frame, odd_nan
from jupyter_durable.serializer.pickled import pickled_digest
from jupyter_durable.serializer.shape import shape_of

__all__ = ["DIGEST_BYTES", "Digesting", "args_digest", "named_arguments", "over_budget", "shape_of", "value_digest"]

DIGEST_BYTES: Final = 16
_is_flat: Final = FLAT.issuperset
_is_text: Final = frozenset({str}).issuperset
_WALKED: Final = b"\0"
"""Begins what the walk made; `ascii` of a tuple begins with a parenthesis, so the two never meet."""


def args_digest(
    names: tuple[str, ...], args: tuple[Any, ...], kwargs: Mapping[str, Any], how: Digesting | None = None
) -> tuple[bytes, int]:
    """16 bytes over the arguments of a call, and `Flag.WEAK`, `Flag.TOO_LARGE` or False.

    `names` are the parameters that take positional arguments, in order. Keywords that continue the positional
    arguments are moved among them, so that `f(1, b=2)` equals `f(1, 2)`; the others are sorted by name. Defaults
    are not applied.
    """
    if kwargs:
        args, kwargs = _in_position(names, args, kwargs)
        if kwargs:
            return _with_keywords(args, kwargs, how)
    shallow = args if _is_flat(map(type, args)) else _shallow(args)
    if shallow is not None:
        try:
            text = ascii(shallow)
        except ValueError:
            return _walked(args, args, how)  # an integer of more digits than Python turns into text
        if "nan" not in text or not any(map(odd_nan, _leaves(args))):
            return blake2b(text.encode(), digest_size=16).digest(), False
    return _walked(args, args, how)


def value_digest(value: object, how: Digesting | None = None) -> tuple[bytes, int]:
    """16 bytes over one value, and its flags."""
    return args_digest((), (value,), {}, how)


def over_budget(
    names: tuple[str, ...], args: tuple[Any, ...], kwargs: Mapping[str, Any], how: Digesting | None = None
) -> list[str]:
    """Names of the arguments that are too large for a walk."""
    named = named_arguments(names, args, kwargs)
    return [name for name, value in named.items() if _within_budget(value, how) is None]


def named_arguments(names: tuple[str, ...], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments by the names of their parameters; `argument 2` where there is no name."""
    named = {names[at] if at < len(names) else f"argument {at}": value for at, value in enumerate(args)}
    return {**named, **kwargs}


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


def _with_keywords(args: tuple[Any, ...], kwargs: Mapping[str, Any], how: Digesting | None) -> tuple[bytes, int]:
    named = sorted(kwargs.items())
    values = (*args, *[value for _, value in named])
    if _is_flat(map(type, values)):
        try:
            text = ascii((args, named))
        except ValueError:
            return _walked((args, dict(named)), values, how)  # as above
        if "nan" not in text or not any(map(odd_nan, values)):
            return blake2b(text.encode(), digest_size=16).digest(), False
    return _walked((args, dict(named)), values, how)


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


def _leaves(args: tuple[Any, ...]) -> Iterator[Any]:
    """The flat values of arguments that are `_shallow`."""
    for value in args:
        kind = type(value)
        if kind is dict:
            yield from value.values()
        elif kind in FLAT:
            yield value
        else:
            yield from value


def _walked(value: tuple[Any, ...], parts: tuple[Any, ...], how: Digesting | None) -> tuple[bytes, int]:
    """The digest of a value; of its parts, one by one, where it is over the budget."""
    walk = Walk(how)
    try:
        data = walk.bytes_of(value)
        flags: int = Flag.WEAK if walk.weak else False
    except OverBudgetError:
        # One part is what was too large; of several each may be, and what is not is known by its canonical bytes.
        alone = len(parts) == 1
        data = frame(b"P", *[(not alone and _within_budget(part, how)) or _pickled(part, how) for part in parts])
        flags = Flag.WEAK | Flag.TOO_LARGE
    return blake2b(_WALKED + data, digest_size=DIGEST_BYTES).digest(), flags


def _within_budget(value: Any, how: Digesting | None) -> bytes | None:
    try:
        return Walk(how).bytes_of(value)
    except OverBudgetError:
        return None


def _pickled(value: Any, how: Digesting | None) -> bytes:
    """The pickled bytes as a hash. What cannot be pickled in time equals nothing."""
    found = pickled_digest(value, how if how is not None else Digesting())
    return frame(b"P", os.urandom(16) if found is None else found)
