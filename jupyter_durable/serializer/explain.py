"""Why a value cannot be stored, in words: the path of the first part that refuses.

Rules of this file
- It runs only after a value was refused, and looks at a bounded number of parts.
- It reads attributes from `__dict__` and slots; it never calls a property.
"""

from __future__ import annotations

import io
import types
from collections import deque
from collections.abc import Iterator
from typing import Any, Final

from jupyter_durable.errors import SerializationError
from jupyter_durable.serializer.pickler import describe, reason_of, refusal
from jupyter_durable.serializer.refusing import RefusingPickler

__all__ = ["explain", "parts_of"]

MAX_PARTS: Final = 10_000
"""How many parts of a value are looked at."""
KEY_LENGTH: Final = 40
PATH_LENGTH: Final = 200

_LEAVES: Final = (type(None), bool, int, float, complex, str, bytes, bytearray, type, types.ModuleType)


def explain(value: object, root: str = "result", error: BaseException | None = None) -> str:
    """Say which part of `value` cannot be stored: "`result['client']._lock (threading.Lock)` cannot be stored".

    `error` is why the whole was refused, for the case that no part is found that refuses by itself.
    """
    path, part, reason = _first_refusing(value, root) or (root, value, None)
    reason = reason or (reason_of(error) if error is not None else "it cannot be pickled")
    if len(path) > PATH_LENGTH:  # what nests too deep has thousands of steps
        path = f"{path[: PATH_LENGTH // 2]}…{path[-PATH_LENGTH // 2 :]}"
    return f"{path} ({describe(part)}) cannot be stored: {reason}"


def _first_refusing(value: object, root: str) -> tuple[str, object, str] | None:
    """Breadth first, the part nearest to the root that refuses although none of its own parts does."""
    found: tuple[str, object, str] | None = None
    queue: deque[tuple[str, Any]] = deque([(root, value)])
    seen: set[int] = set()
    while queue and len(seen) < MAX_PARTS:
        path, part = queue.popleft()
        if isinstance(part, _LEAVES) or id(part) in seen:
            continue
        seen.add(id(part))
        reason = _why(part)
        if reason is None:
            continue
        # This part refuses: the cause is it, or one of its own parts. What else waits is not needed any more.
        found = (path, part, reason)
        queue = deque(() if _says_so_itself(part) else parts_of(path, part))
    return found


def _why(part: object) -> str | None:
    fixed = refusal(part)
    if fixed is not None:
        return fixed
    try:
        RefusingPickler(io.BytesIO(), []).dump(part)
    # `__reduce__` and `__getstate__` of the user's classes may raise anything.
    except Exception as error:  # noqa: BLE001
        return reason_of(error)
    return None


def _says_so_itself(part: Any) -> bool:
    """Whether its own `__reduce__` refuses with a reason for users; what it is made of is none of theirs."""
    try:
        part.__reduce_ex__(4)
    except SerializationError:
        return True
    except Exception:  # noqa: BLE001 - `__reduce__` of the user's classes may raise anything
        return False
    return False


def parts_of(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The parts of a value, each with the path to it, which begins with `path`."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield f"{path}[{_short(key)}]", item
        for key in value:
            yield f"{path} key {_short(key)}", key
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield f"{path}[{index}]", item
    elif isinstance(value, (set, frozenset, deque)):
        for item in value:
            yield f"{path} item {_short(item)}", item
    elif isinstance(value, types.FunctionType):
        yield from _function_parts(path, value)
    elif isinstance(value, types.MethodType):
        yield f"{path}.__self__", value.__self__
    yield from _attributes(path, value)


def _function_parts(path: str, value: types.FunctionType) -> Iterator[tuple[str, Any]]:
    for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=False):
        if cell != types.CellType():
            yield f"{path} closure {name}", cell.cell_contents
    for name in value.__code__.co_names:
        if name in value.__globals__:
            yield f"{path} global {name}", value.__globals__[name]


def _attributes(path: str, value: object) -> Iterator[tuple[str, Any]]:
    if isinstance(value, (types.FunctionType, types.MethodType)):
        return
    try:
        attributes = object.__getattribute__(value, "__dict__")
    except AttributeError:
        attributes = {}
    for name, item in attributes.items():
        yield f"{path}.{name}", item
    for kind in type(value).__mro__:
        slots = vars(kind).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            slot = vars(kind).get(f"_{kind.__name__.lstrip('_')}{name}" if _private(name) else name)
            if isinstance(slot, types.MemberDescriptorType):
                try:
                    yield f"{path}.{name}", slot.__get__(value)
                except AttributeError:
                    continue


def _private(name: str) -> bool:
    return name.startswith("__") and not name.endswith("__")


def _short(key: object) -> str:
    text = repr(key) if isinstance(key, _LEAVES) else describe(key)
    return text if len(text) <= KEY_LENGTH else text[: KEY_LENGTH - 1] + "…"
