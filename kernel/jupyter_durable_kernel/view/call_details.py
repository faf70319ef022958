"""A closer look at one call: its values as text, tables and images, made in the kernel.

Rules of this file
- Only types that are known are read; no method of a user's object is called.
- Credentials are masked, by the name they stand under and by their looks.
- Little is sent, however large a value is.
"""

from __future__ import annotations

import base64
import functools
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from jupyter_durable.client import versions
from jupyter_durable.client.request import Call
from jupyter_durable.code.credentials import MASK, is_pair, is_telling, looks_secret, masked, tells, without_credentials
from jupyter_durable.core.calltree import CallNode
from jupyter_durable.core.model import Attempted, Status
from jupyter_durable.core.nodes import GROUPS
from jupyter_durable.errors import DurableError
from jupyter_durable_kernel.view.as_json import logs_of
from jupyter_durable_kernel.view.error_places import failure_text_of, placed
from jupyter_durable_kernel.view.short_values import name_of, preview, shortened, shortened_trace

TEXT: Final = 6_000
ROWS: Final = 8
COLUMNS: Final = 12
LINES: Final = 60
IMAGE_BYTES: Final = 400_000
LOG: Final = 16_000
ATTEMPTS: Final = 20
"""Attempts told of one call, its last ones."""
ATTEMPT_ERROR: Final = 1_000
_IMAGES: Final = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
_BRACKETS: Final[Mapping[Any, str]] = {dict: "{}", list: "[]", tuple: "()"}
Look = dict[str, Any]


def detail(call: Call) -> Look:
    """Inputs, output, error, log and attempts of a call, and its input as JSON where it has such a form."""
    node = call._node
    made: Look = {
        "inputs": [],
        "output": None,
        "error": "",
        "logs": logs_of(node.logs, LOG),
        "input_text": "",
        "attempts": [],
    }
    if node.kind in GROUPS:
        return made
    given = _read(call.inputs)
    if given is not None:
        args, kwargs = given
        params = _params(node.name)
        made["inputs"] = _inputs(params, args, kwargs)
        made["input_text"] = _as_json(params, args, kwargs)
    if node.status == Status.SUCCEEDED:
        output = _read(lambda: (call.output(),))
        made["output"] = look(output[0]) if output is not None else _text("(cannot be read here)")
    if node.status == Status.FAILED:
        made["error"] = shortened_trace(masked(placed(_read(lambda: call.error_text) or "")), TEXT)
    made["attempts"] = _attempts(call, made["error"])
    return made


def _attempts(call: Call, error: str) -> list[Look]:
    """What each attempt of the run that executed the call came to; nothing for a call that had one."""
    node, stored = call._node, call._stored
    if node.attempts < 2:
        return []
    rows = stored.process.store.attempts(stored.row.serial, node.identity)
    known = [row for row in rows if row.pass_no == node.row.pass_no]
    before = [row for row in known if row.attempt < node.attempts][-ATTEMPTS:]
    last = next((row for row in known if row.attempt == node.attempts), None)
    found = []
    for row in before:
        told = _read(functools.partial(failure_text_of, row.error)) or ""
        found.append(_attempt((row.attempt, Status.FAILED, told), row.started_at, row.duration))
    return [*found, _last_attempt(node, error, last)]


def _last_attempt(node: CallNode, error: str, recorded: Attempted | None) -> Look:
    """While it runs, only that there is one is known: the call's own start is that of its first attempt."""
    told = (node.attempts, node.status, error)
    if recorded is not None:
        return _attempt(told, recorded.started_at, recorded.duration)
    made = _attempt(told, None, None)
    return {**made, "ended_at": None if node.duration is None else node.started_at + node.duration}


def _attempt(told: tuple[int, str, str], started_at: float | None, duration: float | None) -> Look:
    """`told` is number, status and error; times are Unix seconds and seconds."""
    number, status, error = told
    ended_at = None if started_at is None or duration is None else started_at + duration
    times = {"started_at": started_at, "duration": duration, "ended_at": ended_at}
    return {"number": number, "status": status, "error": shortened_trace(error, ATTEMPT_ERROR), **times}


def _read(body: Callable[[], Any]) -> Any:
    """A value, or None when it cannot be had: not kept, foreign, damaged, or of a class that is gone."""
    try:
        return body()
    except DurableError:
        return None
    # Loading runs code of the user's classes, which may raise anything.
    except Exception:  # noqa: BLE001
        return None


def _params(name: str) -> tuple[str, ...]:
    """Names of the parameters of a function, where it is defined here."""
    try:
        return versions.live_code(None).spec(name).params
    except DurableError:
        return ()


def _inputs(params: tuple[str, ...], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Look]:
    names = [params[n] if n < len(params) else f"[{n}]" for n in range(len(args))]
    given = [*zip(names, args, strict=True), *kwargs.items()]
    return [{"name": name, "value": _text(MASK) if _hidden(name, value) else look(value)} for name, value in given]


def _as_json(params: tuple[str, ...], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """The arguments as JSON that can be edited: a list, or an object where some were passed by name.

    Empty where JSON has no such values, or they hold a secret.
    """
    if kwargs and len(params) < len(args):
        return ""
    shape = {**dict(zip(params, args, strict=False)), **kwargs} if kwargs else list(args)
    write = functools.partial(json.dumps, indent=1, ensure_ascii=False, allow_nan=False)
    try:
        text = write(shape)
        if len(text) > TEXT or masked(text) != text or write(without_credentials(shape)) != text:
            return ""
    except (TypeError, ValueError, RecursionError):
        return ""
    named = zip(params, args, strict=False)
    return "" if any(tells(name, value) for name, value in named) else text


def _hidden(name: str, value: Any) -> bool:
    """Whether a value is masked for its name: text, what holds some, and arrays and tables that are no numbers."""
    if type(value).__module__.partition(".")[0] not in ("numpy", "pandas"):
        return tells(name, value)
    return is_telling(name) and getattr(getattr(value, "dtype", None), "kind", "O") not in "biufcmM"


def look(value: Any) -> Look:
    """A value as the page shows it."""
    kind = type(value)
    package = kind.__module__.partition(".")[0]
    if package == "pandas" and kind.__name__ in ("DataFrame", "Series"):
        return _frame(value if kind.__name__ == "DataFrame" else value.to_frame(), kind.__name__)
    if package == "numpy" and kind.__name__ == "ndarray":
        return _array(value)
    if package == "PIL":
        return _picture(value)
    if kind is bytes:
        return _bytes(value)
    if kind is str:
        return _text(MASK if looks_secret(value) else value)
    return _text("\n".join(_lines(value, 0, [])))


def _text(text: str) -> Look:
    return {"type": "text", "text": shortened(masked(text[: 2 * TEXT]), TEXT)}


def _lines(value: Any, depth: int, out: list[str], name: str = "") -> list[str]:
    """Builtin collections over several lines, everything else in a few words."""
    kind: Any = type(value)
    pad = "  " * depth
    opened = _BRACKETS.get(kind)
    small = preview(value) if opened is None or len(value) == 0 or depth > 3 else ""
    if len(out) > LINES:
        return out
    if kind is tuple and is_pair(value):
        small = preview(value)
    if opened is None or small or (kind is not dict and all(_plain(item) for item in value) and len(value) <= 12):
        out.append(f"{pad}{name}{small or _in_line(value, opened or '')}")
        return out
    out.append(f"{pad}{name}{opened[0]}")
    items = value.items() if kind is dict else ((None, item) for item in value)
    for n, (key, item) in enumerate(items):
        if len(out) > LINES:
            out.append(f"{pad}  … {len(value) - n:,} more")
            break
        label = "" if key is None else f"{preview(key, 0)}: "
        masked = key is not None and tells(name_of(key), item)
        _lines(MASK if masked else item, depth + 1, out, label)
    out.append(f"{pad}{opened[1]}")
    return out


def _plain(value: Any) -> bool:
    return value is None or type(value) in (int, float, bool)


def _in_line(value: Any, brackets: str) -> str:
    return brackets[0] + ", ".join(preview(item) for item in value) + brackets[1]


def _frame(frame: Any, kind: str) -> Look:
    """The first rows of a table; cells that are objects in a few words."""
    part = frame.iloc[:ROWS, :COLUMNS]
    columns = [str(preview(name)).strip("'") for name in part.columns]
    labels = [_words(name) for name in part.columns]
    indexed = [word for name in part.index.names for word in _words(name)]
    rows = [
        [
            _named(indexed, index),
            *(_named([*label, *_words(index)], cell) for label, cell in zip(labels, row, strict=True)),
        ]
        for index, row in zip(part.index, part.itertuples(index=False, name=None), strict=True)
    ]
    shape = f"{frame.shape[0]:,} rows × {frame.shape[1]:,} columns" if kind == "DataFrame" else f"{len(frame):,} values"
    return {"type": "table", "columns": ["", *columns], "rows": rows, "note": f"{kind}, {shape}"}


def _words(label: Any) -> list[str]:
    """What a label of a row or a column is made of: it may have several levels."""
    return [name_of(part) for part in (label if type(label) is tuple else (label,))]


def _named(names: Iterable[str], value: Any) -> str:
    """A cell under such names."""
    return MASK if any(_hidden(name, value) for name in names) else _cell(value)


def _cell(value: Any) -> str:
    kind = type(value)
    if kind is str:
        return MASK if looks_secret(value) else shortened(masked(value[:400]), 80)
    if kind.__module__.partition(".")[0] in ("numpy", "pandas", "datetime"):
        return shortened(masked(str(value)), 80)
    return f"{value:.6g}" if kind is float else shortened(preview(value), 80)


def _array(array: Any) -> Look:
    head = f"{array.dtype}, shape {' × '.join(f'{size:,}' for size in array.shape) or 'scalar'}"
    if array.dtype.kind == "O" or any(is_telling(name) for name in array.dtype.names or ()):
        return _text(head)
    facts = ""
    if array.size and array.dtype.kind in "biuf":
        facts = f", from {array.min():.6g} to {array.max():.6g}"
    corner = array[tuple(slice(0, 6) for _ in array.shape)] if array.ndim <= 2 else array.reshape(-1)[:12]
    return _text(f"{head}{facts}\n{corner}")


def _picture(image: Any) -> Look:
    """A Pillow image, small."""
    import io

    size = getattr(image, "size", None)
    try:
        small = image.copy()
        small.thumbnail((480, 480))
        data = io.BytesIO()
        small.save(data, "PNG")
    # Pillow cannot save every mode as PNG, and says so in many ways.
    except (OSError, ValueError, AttributeError, KeyError):
        return _text(f"<{type(image).__name__}>")
    return _image("image/png", data.getvalue(), f"image, {size[0]:,} × {size[1]:,}" if size else "image")


def _bytes(value: bytes) -> Look:
    for magic, mime in _IMAGES.items():
        if value.startswith(magic) and len(value) <= IMAGE_BYTES:
            return _image(mime, value, f"{mime}, {len(value):,} bytes")
    whole = repr(value[:400])  # masked before it is cut
    shown = repr(value[:64]) if masked(whole) == whole else shortened(masked(whole), 80)
    return _text(f"{len(value):,} bytes\n{shown}")


def _image(mime: str, data: bytes, note: str) -> Look:
    return {"type": "image", "mime": mime, "data": base64.b64encode(data).decode(), "note": note}
