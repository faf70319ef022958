"""Values in a few words.

Rules of this file
- No method of a user's object is called: a repr may be slow, or load what was left on a server.
- Credentials are masked: by the name they stand under, and by their looks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from jupyter_durable.code.credentials import MASK, is_pair, looks_secret, masked, tells
from jupyter_durable.function import Results

LENGTH: Final = 90
"""Characters of one preview."""
_ITEMS: Final = 4
_DEPTH: Final = 2


def arguments(args: tuple[Any, ...], kwargs: Mapping[str, Any], names: Sequence[str] = (), length: int = LENGTH) -> str:
    """`(1, 'a text', k=…)`; `names` are those of the parameters, as far as they are known."""
    parts = [MASK if n < len(names) and tells(names[n], value) else preview(value) for n, value in enumerate(args)]
    parts += [f"{name}={MASK if tells(name, value) else preview(value)}" for name, value in kwargs.items()]
    return "(" + shortened(masked(", ".join(parts)), length) + ")"


def preview(value: Any, depth: int = _DEPTH) -> str:
    """A value in a few words."""
    kind = type(value)
    if kind is str:
        return MASK if looks_secret(value) else repr(shortened(masked(value[:400]), 60))
    if kind is bytes:
        return f"<{len(value)} bytes>" if len(value) > 24 else masked(repr(value))
    if value is None or kind in (int, float, bool, complex):
        return shortened(repr(value), 40)
    if kind in (list, tuple, set, frozenset, dict):
        return _collection(value, kind, depth)
    if kind is Results:
        return _collection(value, list, depth)
    return _described(value, kind)


def _collection(value: Any, kind: type, depth: int) -> str:
    count = len(value)
    if count > _ITEMS or depth == 0:
        return f"<{kind.__name__} of {count:,}>" if kind in (set, frozenset, dict) else f"[{count:,} items]"
    if kind is dict:
        items = [
            f"{preview(key, 0)}: {MASK if tells(name_of(key), item) else preview(item, depth - 1)}"
            for key, item in value.items()
        ]
        return "{" + ", ".join(items) + "}"
    if kind is tuple and is_pair(value):
        return f"({preview(value[0], 0)}, {MASK})"
    inner = ", ".join(preview(item, depth - 1) for item in value)
    if kind is tuple:
        return f"({inner}{',' if count == 1 else ''})"
    return f"[{inner}]" if kind is list else "{" + inner + "}"


def name_of(key: Any) -> str:
    """The name that a key of a table is, "" for what is no name: no method of it is called."""
    return key.decode("latin-1") if type(key) is bytes else key if type(key) is str else ""


def _described(value: Any, kind: type) -> str:
    """An object by its type, with the shape of an array or frame."""
    shape = value.shape if kind.__module__.partition(".")[0] in ("numpy", "pandas", "polars", "torch") else None
    if isinstance(shape, tuple) and all(isinstance(size, int) for size in shape):
        return f"<{kind.__name__} {' × '.join(f'{size:,}' for size in shape)}>" if shape else f"<{kind.__name__}>"
    return f"<{kind.__qualname__}>"


def shortened(text: str, length: int) -> str:
    """At most `length` characters."""
    return text if len(text) <= length else text[: length - 1] + "…"


def shortened_trace(trace: str, length: int) -> str:
    """At most `length` characters of a traceback: where the user's code was, and the error itself, which stand at its
    ends."""
    head = length // 4
    return trace if len(trace) <= length else f"{trace[:head]}\n  …\n{trace[head + 5 - length :]}"
