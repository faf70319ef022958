"""Digests of arguments: equal values give equal digests, in any process, under any hash seed.

Rules of this file
- Flat arguments, and builtin containers of flat values, take one short path: `ascii` of the tuple, dicts sorted, then
  BLAKE2b. It tells 1, True, 1.0 and "1" apart.
- Everything else is walked by `canonical`. What has no canonical bytes is described as the pickler sees it, and the
  digest is called weak (`Flag.WEAK`): equal weak digests prove equal arguments, other ones prove nothing.
- A walk that would take longer than the budget is given up. Then each argument is known by itself as far as it was
  walked or a small rest of the budget goes, and what is too large counts by its pickled bytes, or, where these are too
  many, equals nothing (`Flag.TOO_LARGE`). All that comes after the walk has one budget, however many arguments there
  are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from blake3 import blake3

from jupyter_durable.hashes import blake2b
from jupyter_durable.serializer.digesting import DIGEST_BYTES, Digesting
from jupyter_durable.serializer.parts import FEW, FLAT, MANY, ROOM, frame, is_plain, odd_nan, room_after

__all__ = ["DIGEST_BYTES", "Digesting", "args_digest", "named_arguments", "over_budget", "value_digest"]

_is_number: Final = (FLAT - {str, bytes}).issuperset
NAME: Final = 2048
"""Longer keys of a dict are walked."""


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
    if (len(args) <= FEW and _is_number(map(type, args))) or is_plain(args):
        shallow = args
    else:
        found = _shallow(args)
        if found is None:
            return _walked(args, how)
        shallow = found
    try:
        text = ascii(shallow)
    except ValueError:
        return _walked(args, how)  # an integer of more digits than Python turns into text
    if "nan" not in text or not any(map(odd_nan, _leaves(args))):
        return blake2b(text.encode(), digest_size=16).digest(), False
    return _walked(args, how)


def value_digest(value: object, how: Digesting | None = None) -> tuple[bytes, int]:
    """16 bytes over one value, and its flags."""
    return args_digest((), (value,), {}, how)


def over_budget(
    names: tuple[str, ...], args: tuple[Any, ...], kwargs: Mapping[str, Any], how: Digesting | None = None
) -> list[str]:
    """Names of the arguments that are too large for a walk."""
    from jupyter_durable.serializer.walked import too_large

    if kwargs:
        args, kwargs = _in_position(names, args, kwargs)
    return too_large(named_arguments(names, args, dict(sorted(kwargs.items()))), args, kwargs, how)


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
    said = frame(b"k", *[name.encode("utf-8", "surrogatepass") for name, _ in named])
    if len(said) > ROOM:
        return _walked(values, how, frame(b"k", blake3(said).digest()))
    if (len(values) <= FEW and _is_number(map(type, values))) or is_plain(values):
        try:
            text = ascii((args, named))
        except ValueError:
            return _walked(values, how, said)  # as above
        if "nan" not in text or not any(map(odd_nan, values)):
            return blake2b(text.encode(), digest_size=16).digest(), False
    return _walked(values, how, said)


def _shallow(args: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """Arguments that are flat, or short lists, tuples and dicts with flat content: `ascii` is their value, once sorted.

    What is long, also only in sum, is walked, which ends.
    """
    found = []
    for value in args:
        kind = type(value)
        if kind in FLAT and is_plain((value,)):
            found.append(value)
        elif kind is dict and len(value) <= MANY and _are_names(value) and is_plain(value.values()):
            found.append(dict(sorted(value.items())))
        elif (kind is list or kind is tuple) and len(value) <= MANY and is_plain(value):
            found.append(value)
        else:
            return None
    if len(args) > FEW:
        names = [name for value in args if type(value) is dict for name in value]
        if room_after(names, room_after(_leaves(args), ROOM)) < 0:
            return None
    return tuple(found)


def _are_names(keys: Mapping[Any, Any]) -> bool:
    """Whether all keys are texts, and none is long."""
    for key in keys:  # noqa: SIM110  a generator takes twice as long
        if type(key) is not str or len(key) > NAME:
            return False
    return True


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


def _walked(parts: tuple[Any, ...], how: Digesting | None, said: bytes = b"") -> tuple[bytes, int]:
    """The digest of arguments that are not flat."""
    from jupyter_durable.serializer.walked import walked  # it knows all types, which flat arguments do not need

    return walked(parts, how, said)
