"""What must never be stored: credentials, told by name or by looks.

Rules of this file
- A global that is or holds text under a name like `key`, `token`, `secret`, `password` is one: when in doubt it is.
- Inside of code, where such names are common (`sort_key="date"`), only the clear ones count, and everything that looks
  like an issued key.
- Source that is kept to be shown (the statement that made a client) is masked, not dropped.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Callable, Collection, Iterator
from typing import Any, Final, TypeGuard

from jupyter_durable import static
from jupyter_durable.code.masking import LOOKS, pattern
from jupyter_durable.code.masking import MASK as MASK
from jupyter_durable.code.masking import ends_openly as ends_openly
from jupyter_durable.code.masking import looks_secret as looks_secret
from jupyter_durable.code.masking import masked as masked
from jupyter_durable.code.plain import fields_of, is_header, items_of, mapping_of, texts_in
from jupyter_durable.code.texts import parsed

_NAME: Final = pattern(r"key|token|secret|passw|pwd|credential|authorization", re.IGNORECASE)
_FIELD: Final = pattern(
    r"(api|access|private|auth|account|secret)[_-]?key|(^|[_-])(auth|access|bearer|api)?_?token$"
    r"|(^|[_-])(secret|password|passwd|pwd|credentials?)($|[_-])|^(proxy[_-])?authorization$",
    re.IGNORECASE,
)
_COOKIE: Final = pattern(r"(^|[_-])cookies?$", re.IGNORECASE)
"""One where `name=value` stands in it."""
_VARIABLE: Final = pattern(r"[A-Z]+(_[A-Z]+)+")
_SHORT: Final = 8
"""Literals under this many characters in code are words (`token="<pad>"`), not credentials."""


def is_credential(name: str, value: object, secrets: Collection[str] = ()) -> bool:
    """Whether a global must never be stored: named in `secrets`, of a telling name, or with telling text in it."""
    if name in secrets:
        return True
    texts = list(texts_in(value))
    if texts and _NAME().search(name):
        return True
    hidden = {os.environ.get(secret) for secret in secrets} - {None, ""}
    return any(text in hidden or looks_secret(text) or is_secret_field(field, text) for field, text in texts)


def shown(statement: str, name: str, value: object, secrets: Collection[str] = ()) -> str:
    """The statement that made a credential, to be shown: nothing of the value is in it."""
    masked = redacted(statement)
    alone = not static.is_a(value, (dict, list, tuple))
    hidden = [text for field, text in texts_in(value) if alone or looks_secret(text) or is_secret_field(field, text)]
    left = any(len(text) > 2 and text in masked for text in hidden)
    return redacted(statement, all_text=True) if left or name in secrets or _NAME().search(name) else masked


def masked_field(name: str, text: str) -> str:
    """The text of a field, to be shown."""
    return MASK if is_secret_field(name, text) else masked(text)


def tells(name: str, value: object) -> bool:
    """Whether what stands under that name is masked where it is shown: a credential, and what holds some text."""
    if is_secret_field(name, value):
        return True
    return is_telling(name) and any(text for _, text in texts_in(value))


def is_telling(name: str) -> bool:
    """Whether what is text under that name is a credential."""
    return _FIELD().search(name) is not None


def without_credentials(value: Any) -> Any:
    """A value as JSON has it, to be shown."""
    if static.is_a(value, str):
        return masked(str.__str__(value))
    rows = mapping_of(value)
    fields = fields_of(value) if rows is None and static.is_a(value, tuple) else None
    if rows is not None:
        return {_shown_key(key): _shown_under(key, item) for key, item in rows.items()}
    if fields is not None:
        return [_shown_under(name, item) for name, item in fields.items()]
    if type(value) in (tuple, list) and is_pair(value):
        return [value[0], MASK]
    items = items_of(value) if static.is_a(value, (list, tuple)) else None
    return value if items is None else [without_credentials(item) for item in items]


def _shown_key(key: Any) -> Any:
    return masked(key) if type(key) is str else key


def _shown_under(name: Any, value: Any) -> Any:
    return MASK if type(name) is str and tells(name, value) else without_credentials(value)


def is_pair(value: tuple[Any, ...] | list[Any]) -> bool:
    """Whether this is the name of a credential and its value. `("token", "NN")` is a word and its tag, and
    `["password", "email"]` names columns."""
    if len(value) != 2:
        return False
    name = value[0].decode("latin-1") if type(value[0]) is bytes else value[0]
    if type(name) is not str:
        return False
    return is_header(name) or (type(value) is tuple and name.lower() != "token" and tells(name, value[1]))


def is_secret_field(name: str, value: object) -> bool:
    """Whether a parameter, variable or field of that name, with that value, is a credential."""
    if static.is_a(value, str):
        return str.__len__(value) > 0 and (_FIELD().search(name) is not None or _is_cookie(name, value))
    return static.is_a(value, bytes) and is_secret_field(name, bytes.decode(value[:1000], "latin-1"))


def _is_cookie(name: str, text: str) -> bool:
    return _COOKIE().search(name) is not None and str.__contains__(text, "=")


def holds_credential(source: str) -> bool:
    """Whether source text has a credential written into it."""
    return looks_secret(source) or any(len(node.value) >= _SHORT for node in _telling(parsed(source), _FIELD))


def redacted(source: str, *, all_text: bool = False) -> str:
    """Source text with every credential written into it masked.

    `all_text` masks every text literal but names of environment variables: for a statement that made a credential.
    """
    lines = [line.encode("utf-8", "surrogatepass") for line in source.split("\n")]
    found = _literals(parsed(source)) if all_text else _telling(parsed(source), _NAME)
    for node in sorted(found, key=lambda node: (node.lineno, node.col_offset), reverse=True):
        first, last = lines[node.lineno - 1], lines[(node.end_lineno or node.lineno) - 1]
        mask = repr(MASK if isinstance(node.value, str) else MASK.encode()).encode()
        masked = first[: node.col_offset] + mask + last[node.end_col_offset or 0 :]
        lines[node.lineno - 1 : node.end_lineno] = [masked]
    return LOOKS().sub(MASK, b"\n".join(lines).decode("utf-8", "surrogatepass"))


class _Literal(ast.Constant):
    value: str | bytes


def _is_literal(node: ast.AST | None) -> TypeGuard[_Literal]:
    return isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")


def _literals(tree: ast.AST | None) -> Iterator[_Literal]:
    for node in ast.walk(tree) if tree is not None else ():
        if _is_literal(node) and not _VARIABLE().fullmatch(_text(node.value)):
            yield node


def _telling(tree: ast.AST | None, pattern: Callable[[], re.Pattern[str]]) -> Iterator[_Literal]:
    """Text literals that are given to a telling name: by assignment, keyword, default or field."""
    for node in ast.walk(tree) if tree is not None else ():
        for name, value in _given(node):
            if _is_literal(value) and (pattern().search(name) or _is_cookie(name, _text(value.value))):
                yield value


def _given(node: ast.AST) -> Iterator[tuple[str, ast.expr | None]]:
    if isinstance(node, ast.keyword) and node.arg:
        yield node.arg, node.value
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            yield from _target(target, node.value)
    elif isinstance(node, ast.AnnAssign | ast.NamedExpr):
        yield from _target(node.target, node.value)
    elif isinstance(node, ast.Dict):
        for key, item in zip(node.keys, node.values, strict=True):
            if _is_literal(key):
                yield _text(key.value), item
    elif isinstance(node, ast.Tuple) and len(node.elts) == 2 and _is_literal(node.elts[0]):
        name = _text(node.elts[0].value)
        if is_header(name):
            yield name, node.elts[1]
    elif isinstance(node, ast.arguments):
        positional = [*node.posonlyargs, *node.args]
        given = zip(positional[len(positional) - len(node.defaults) :], node.defaults, strict=True)
        for argument, default in [*given, *zip(node.kwonlyargs, node.kw_defaults, strict=True)]:
            yield argument.arg, default


def _target(target: ast.expr, value: ast.expr | None) -> Iterator[tuple[str, ast.expr | None]]:
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Attribute):
        yield target.attr, value
    elif isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
        yield str(target.slice.value), value
