"""Digests of arguments that are walked, as all but short flat ones are.

Rules of this file
- It knows all types, so it is imported with the first argument that is walked: most processes never have one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from jupyter_durable.core.model import Flag
from jupyter_durable.hashes import blake2b
from jupyter_durable.serializer.canonical import OverBudgetError, Walk, short
from jupyter_durable.serializer.digesting import DIGEST_BYTES, Digesting
from jupyter_durable.serializer.parts import frame
from jupyter_durable.serializer.pickled import Pickling

__all__ = ["too_large", "walked"]

REST: Final = 1 / 8
"""The share of the budget in which arguments are looked at one by one, after all of them were too large."""
_WALKED: Final = b"\0"
"""Begins what the walk made; `ascii` of a tuple begins with a parenthesis, so the two never meet."""


def too_large(
    named: Mapping[str, Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], how: Digesting | None
) -> list[str]:
    """Names of the arguments, all of which are `named`, that are too large for a walk."""
    walk = Walk(how)
    try:
        walk.bytes_of((args, dict(kwargs)) if kwargs else args)
    except OverBudgetError:
        found = _one_by_one(walk, tuple(named.values()))
        return [name for name, known in zip(named, found, strict=True) if known is None]
    return []


def walked(parts: tuple[Any, ...], how: Digesting | None, said: bytes = b"") -> tuple[bytes, int]:
    """The digest of arguments; one by one, where they are over the budget. `said`: the names of the last of them.

    The names stand outside, or `f(1, b=[[2]])` would be `f((1,), {"b": [[2]]})`, and `f(a=large)` be `f(b=large)`.
    """
    if how is not None and how.together is not None:
        seen = how.together.bytes_of(parts)
        if seen is not None:
            return blake2b(_WALKED + said + seen, digest_size=DIGEST_BYTES).digest(), False
    walk = Walk(how)
    try:
        data = walk.bytes_of(parts)
        flags: int = Flag.WEAK if walk.weak else False
    except OverBudgetError:
        pickling = Pickling(how if how is not None else Digesting(), walk.spare)
        found = _one_by_one(walk, parts)
        data = frame(
            b"P",
            *[_pickled(part, pickling) if known is None else known for part, known in zip(parts, found, strict=True)],
        )
        flags = Flag.WEAK if walk.weak else False  # of what was walked: several may be too large only together
        if None in found:
            flags = Flag.WEAK | Flag.TOO_LARGE
    return blake2b(_WALKED + said + data, digest_size=DIGEST_BYTES).digest(), flags


def _one_by_one(walk: Walk, parts: tuple[Any, ...]) -> list[bytes | None]:
    """The canonical bytes of each part of what was over the budget; None for what is too large.

    One alone is what was too large. Of several each may be: what was seen whole costs nothing, and the others have
    equal shares of the rest, so that none is too large because of where it stands.
    """
    if len(parts) == 1:
        return [None]
    return [_again(walk, part, REST / len(parts)) for part in parts]


def _again(walk: Walk, part: Any, share: float) -> bytes | None:
    walk.go_on(share)
    try:
        return short(walk.bytes_of(part))
    except OverBudgetError:
        return None


def _pickled(value: Any, pickling: Pickling) -> bytes:
    """The pickled bytes as a hash. What cannot be pickled in time equals nothing."""
    found = pickling.digest(value)
    return frame(b"P", os.urandom(16) if found is None else found)
