"""What a global is: durable, code of the notebook, importable, plain data, a credential, or none of these.

Rules of this file
- `__main__` (cells, a script) and modules that cannot be imported again are kept by value; all else by name.
- Plain data is built of exact value types, so that keeping it never runs user code and never holds a resource.
- A credential is told by its name when it is text, or by its looks; when in doubt it is one.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import fractions
import os
import pathlib
import re
import sys
import types
import uuid
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, Protocol, TypeGuard

ATOMS: Final = frozenset({type(None), bool, int, float, complex, str, bytes, type(...), type(NotImplemented)})
VALUE_TYPES: Final = frozenset(
    {
        bytearray,
        range,
        slice,
        datetime.date,
        datetime.datetime,
        datetime.time,
        datetime.timedelta,
        datetime.timezone,
        decimal.Decimal,
        fractions.Fraction,
        uuid.UUID,
        pathlib.PurePosixPath,
        pathlib.PureWindowsPath,
        pathlib.PosixPath,
        pathlib.WindowsPath,
        re.Pattern,
    }
)
SEQUENCES: Final = frozenset({list, tuple, set, frozenset, deque})
MAPPINGS: Final = frozenset({dict, OrderedDict, defaultdict, Counter})
ARRAYS: Final = frozenset(
    {("numpy", "ndarray"), ("pandas", "DataFrame"), ("pandas", "Series"), ("pandas", "Index"), ("pandas", "RangeIndex")}
)
_DEPTH: Final = 50
_CREDENTIAL_NAME: Final = re.compile(r"key|token|secret|passw|pwd|credential", re.IGNORECASE)
_CREDENTIAL_FIELD: Final = re.compile(
    r"(api|access|private|auth|account)[_-]?key|(^|[_-])(token|secret|password|passwd|pwd|credentials?)($|[_-])",
    re.IGNORECASE,
)
_CREDENTIAL_LOOKS: Final = re.compile(
    r"\bsk-[A-Za-z0-9_-]{8,}|\bgh[pousr]_[A-Za-z0-9]{8,}|\bgithub_pat_\w{8,}|\b(AKIA|ASIA)[A-Z0-9]{12,}"
    r"|\beyJ[\w-]{5,}\.eyJ[\w-]{5,}\.[\w-]*|\bxox[abprs]-[\w-]{8,}|\bhf_[A-Za-z0-9]{16,}|\bAIza[\w-]{20,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----|://[^/\s:@]+:[^/\s@]+@"
)


class Spec(Protocol):
    """What `wrapper.__durable__` has to offer."""

    @property
    def fn(self) -> Callable[..., Any]: ...
    @property
    def options(self) -> dict[str, Any]: ...
    @property
    def kind(self) -> str: ...


def durable_spec(value: object) -> Spec | None:
    """The spec of a durable function's wrapper, or of a `@cls()` class itself; None for everything else."""
    if isinstance(value, type):
        found = vars(value).get("__durable__")
    else:
        found = getattr(value, "__durable__", None) if isinstance(value, Callable) else None  # type: ignore[arg-type]
    return found if hasattr(found, "fn") and hasattr(found, "options") else None


def home_module(value: object, namespace: Mapping[str, object]) -> str | None:
    """Name of the module from which a function or class can be imported again; None when it is kept by value."""
    name = getattr(value, "__module__", None)
    qualname = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    module = sys.modules.get(name) if isinstance(name, str) else None
    if module is None or name in {"__main__", "__mp_main__"} or vars(module) is namespace or not isinstance(qualname, str):
        return None
    found: object = module
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return name if found is value else None


def is_code(value: object) -> TypeGuard[types.FunctionType | type]:
    return isinstance(value, types.FunctionType | type)


def is_credential(name: str, value: object, secrets: Collection[str] = ()) -> bool:
    """Whether a global must never be stored: by name when it is or holds text, or by the looks of any text in it."""
    if name in secrets:
        return True
    texts = list(_texts(value, 0))
    if any(text and text == os.environ.get(secret) for _, text in texts for secret in secrets):
        return True
    if texts and _CREDENTIAL_NAME.search(name):
        return True
    return any(looks_secret(text) or (field and text and _CREDENTIAL_FIELD.search(field)) for field, text in texts)


def looks_secret(text: str) -> bool:
    return _CREDENTIAL_LOOKS.search(text) is not None


def redacted(source: str) -> str:
    """Source text with everything that looks like a credential masked."""
    return _CREDENTIAL_LOOKS.sub("***", source)


def _texts(value: object, depth: int) -> list[tuple[str, str]]:
    """(field name or "", text) of all text in plain data."""
    if isinstance(value, str):
        return [("", value)]
    if isinstance(value, bytes | bytearray):
        return [("", bytes(value).decode("utf-8", "replace"))]
    if depth > _DEPTH:
        return []
    if isinstance(value, Mapping):
        inner = [row for key, item in value.items() for row in _named(str(key), _texts(item, depth + 1))]
        return inner + [row for key in value for row in _texts(key, depth + 1)]
    if isinstance(value, list | tuple | set | frozenset | deque):
        return [row for item in value for row in _texts(item, depth + 1)]
    state = fields_of(value)
    return _texts(state, depth + 1) if state is not None else []


def _named(name: str, rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(field or name, text) for field, text in rows]


def fields_of(value: object) -> dict[str, object] | None:
    """Fields of a dataclass, pydantic or named tuple instance; None for any other value."""
    if isinstance(value, type):
        return None
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name, None) for field in dataclasses.fields(value)}
    if hasattr(type(value), "__pydantic_fields__"):
        return dict(vars(value))
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return dict(zip(value._fields, value, strict=True))
    return None


def is_plain(value: object, depth: int = 0) -> bool:
    """Whether a value is plain data, all the way down. Sizes are the caller's business."""
    kind = type(value)
    if kind in ATOMS or kind in VALUE_TYPES or isinstance(value, enum.Enum):
        return True
    if depth > _DEPTH:
        return False
    if kind in SEQUENCES:
        return all(is_plain(item, depth + 1) for item in value)  # type: ignore[attr-defined]
    if kind in MAPPINGS:
        return all(is_plain(key, depth + 1) and is_plain(item, depth + 1) for key, item in value.items())  # type: ignore[attr-defined]
    if kind.__module__.split(".")[0] in {"numpy", "pandas"}:
        return _is_plain_array(value)
    state = fields_of(value)
    return state is not None and all(is_plain(item, depth + 1) for item in state.values())


def _is_plain_array(value: Any) -> bool:
    kind = type(value)
    if (kind.__module__.split(".")[0], kind.__name__) in ARRAYS:
        return bool(getattr(getattr(value, "dtype", None), "kind", "?") != "O")
    return any(base.__name__ == "generic" for base in kind.__mro__)
