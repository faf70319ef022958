"""Arguments that a call changed: when the call is served from its checkpoint, that change does not happen.

Rules of this file
- Only what `shape_of` sees: lists, dicts, sets, arrays and frames. A look before the call, one after its success.
- What the call returns, by itself or as a part of its result, may be changed: the caller gets it from the checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from jupyter_durable.serializer.parts import FLAT

DEPTH: Final = 3
"""How deep in a result a changed argument is looked for."""
PARTS: Final = 1000

_is_flat: Final = FLAT.issuperset


class Watched:
    """Arguments that can change, as they were when the call began."""

    __slots__ = ("_seen",)

    def __init__(self, seen: list[tuple[str, Any, bytes]]) -> None:
        self._seen = seen

    def changed(self, result: Any) -> list[str]:
        """Names of the arguments that look different now and are no part of the result."""
        from jupyter_durable.serializer.shape import shape_of

        return [
            name for name, value, shape in self._seen if shape_of(value) != shape and not _within(value, result, DEPTH)
        ]


def watch(names: tuple[str, ...], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Watched | None:
    """A look at the arguments; None when none of them can change. `names` are those of the positional ones."""
    if not kwargs and _is_flat(map(type, args)):
        return None
    from jupyter_durable.serializer.shape import shape_of  # for what can change: flat arguments cannot

    seen = []
    for name, value in _named(names, args, kwargs):
        shape = shape_of(value)
        if shape is not None:
            seen.append((name, value, shape))
    return Watched(seen) if seen else None


def _named(names: tuple[str, ...], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for at, value in enumerate(args):
        yield names[at] if at < len(names) else f"argument {at}", value
    yield from kwargs.items()


def _within(value: Any, result: Any, depth: int) -> bool:
    if value is result:
        return True
    if not depth:
        return False
    if isinstance(result, dict):
        parts: Any = result.values()
    elif isinstance(result, (list, tuple)):
        parts = result
    else:
        parts = getattr(result, "__dict__", {}).values()
    return len(parts) <= PARTS and any(_within(value, part, depth - 1) for part in parts)
