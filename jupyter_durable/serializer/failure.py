"""Recorded failures: an exception as plain data, and back.

Rules of this file
- What is shown (type, text, frames, notes, causes) is text: a viewer never has to unpickle anything.
- The exception itself is kept as bytes only when it was loaded again, at write time, with the same type and text.
- No frames, no locals: a traceback is kept as file, line, name and source line.
- Whoever stores the data signs it: `decode_failure` unpickles, so it is only for data that was verified.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from types import TracebackType
from typing import Any, Final

from jupyter_durable.errors import DeserializationError, FunctionError, SerializationError
from jupyter_durable.serializer.base import PICKLE
from jupyter_durable.serializer.dual import as_function_error, original_of, str_of
from jupyter_durable.serializer.pickle import ValueSerializer

__all__ = ["as_function_error", "decode_failure", "encode_failure", "failure_text"]

MAX_FRAMES: Final = 60
MAX_CHAIN: Final = 20
MAX_TEXT: Final = 20_000

Failure = dict[str, Any]
_GROUPS: Final = (ExceptionGroup, BaseExceptionGroup)
_HEADING: Final = "Traceback of the recorded failure (most recent call last):"


def encode_failure(
    error: BaseException, user_frames_only: Callable[[str], bool], serializer: ValueSerializer | None = None
) -> Failure:
    """The exception, its causes and its frames as plain data.

    `user_frames_only(filename)` says whether frames of this file are the user's; the others are left out, unless
    none would remain. `serializer` resolves classes of `__main__`; None: in the running one.
    """
    return _Encoder(user_frames_only, serializer or ValueSerializer()).encode(error, 0)


class _Encoder:
    def __init__(self, is_users: Callable[[str], bool], serializer: ValueSerializer) -> None:
        self._is_users = is_users
        self._serializer = serializer

    def encode(self, error: BaseException, depth: int) -> Failure:
        kind = type(error)
        dual = original_of(error)
        data: Failure = {
            "module": kind.__module__,
            "type": kind.__qualname__,
            "text": _cut(str_of(error)),
            "frames": self._frames(error),
            "notes": [_cut(str(note)) for note in getattr(error, "__notes__", ())],
        }
        if depth < MAX_CHAIN:
            if dual is not None:
                data["dual"] = {"of": self.encode(dual[0], depth + 1), "call": dual[1]}
            elif kind in _GROUPS:
                group: Any = error
                members = [self.encode(member, depth + 1) for member in group.exceptions]
                data["group"] = {"message": group.message, "members": members}
            data |= self._chain(error, dual is not None, depth)
        if "dual" not in data and "group" not in data:
            data["value"] = _loadable(error, self._serializer)
        return data

    def _chain(self, error: BaseException, dual: bool, depth: int) -> Failure:
        """The cause, or the context that a traceback would show. The original of a dual is not told twice."""
        original = original_of(error)
        cause = error.__cause__
        if cause is not None and not (dual and original is not None and cause is original[0]):
            return {"cause": self.encode(cause, depth + 1)}
        if cause is None and error.__context__ is not None and not error.__suppress_context__:
            return {"context": self.encode(error.__context__, depth + 1)}
        return {}

    def _frames(self, error: BaseException) -> list[list[Any]]:
        every = [*_entries(error.__traceback__)]
        shown = _ends(every, self._is_of_user) or _ends(every, lambda _: True)
        return [
            [code.co_filename, line, code.co_name, linecache.getline(code.co_filename, line or 0).strip()]
            for code, line in ((entry.tb_frame.f_code, entry.tb_lineno) for entry in shown)
        ]

    def _is_of_user(self, entry: TracebackType) -> bool:
        return self._is_users(entry.tb_frame.f_code.co_filename)


def _entries(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _ends(entries: Sequence[TracebackType], wanted: Callable[[TracebackType], bool]) -> list[TracebackType]:
    """Those that are wanted; of many the first and the last.

    Of a runaway recursion its beginning and its end say all. Each call of it fails with a longer traceback, so what
    lies between is not looked at.
    """
    half = MAX_FRAMES // 2
    first = [*islice((at for at, entry in enumerate(entries) if wanted(entry)), half)]
    last = islice((at for at in range(len(entries) - 1, -1, -1) if wanted(entries[at])), half)
    return [entries[at] for at in sorted({*first, *last})]


def decode_failure(data: Failure, serializer: ValueSerializer | None = None) -> BaseException:
    """The exception of `encode_failure`: of its type when that can be rebuilt here, else a `FunctionError`.

    Its recorded traceback is its last note. A dual is a dual again. Only for data whose MAC was checked.
    """
    serializer = serializer or ValueSerializer()
    error = _rebuild(data, serializer)
    error.__notes__ = [*data["notes"], *([_traceback_text(data)] if data["frames"] else [])]
    if "cause" in data:
        error.__cause__ = decode_failure(data["cause"], serializer)
    elif "context" in data:
        error.__context__ = decode_failure(data["context"], serializer)
    return error


def _rebuild(data: Failure, serializer: ValueSerializer) -> BaseException:
    if "dual" in data:
        return as_function_error(decode_failure(data["dual"]["of"], serializer), data["dual"]["call"])
    if "group" in data:
        members = [decode_failure(member, serializer) for member in data["group"]["members"]]
        return BaseExceptionGroup(data["group"]["message"], members)
    if data.get("value") is not None:
        try:
            return _load(data["value"], serializer)
        except DeserializationError:
            pass  # its class has gone since: the text remains
    return FunctionError(f"{_type_name(data)}: {data['text']}" if data["text"] else _type_name(data))


def failure_text(data: Failure) -> str:
    """The recorded failure as Python would print it, causes first. Needs no class of the user's."""
    return "\n".join(_told(data))


def _told(data: Failure) -> Iterator[str]:
    before = data.get("cause") or data.get("dual", {}).get("of")
    if before is not None:
        yield from _told(before)
        yield "\nThe above exception was the direct cause of the following exception:\n"
    elif "context" in data:
        yield from _told(data["context"])
        yield "\nDuring handling of the above exception, another exception occurred:\n"
    if data["frames"]:
        yield _traceback_text(data, "Traceback (most recent call last):")
    yield f"{_type_name(data)}: {data['text']}" if data["text"] else _type_name(data)
    yield from data["notes"]


def _traceback_text(data: Failure, heading: str = _HEADING) -> str:
    lines = [heading]
    for file, line, name, source in data["frames"]:
        lines.append(f'  File "{file}", line {line}, in {name}')
        if source:
            lines.append(f"    {source}")
    return "\n".join(lines)


def _type_name(data: Failure) -> str:
    return data["type"] if data["module"] in ("builtins", "__main__") else f"{data['module']}.{data['type']}"


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def _loadable(error: BaseException, serializer: ValueSerializer) -> bytes | None:
    """The exception as bytes that were loaded again; None when no way of writing it down can be loaded."""
    for parts in _writings(error):
        try:
            head = _in_one_piece(serializer, parts)
            again = _load(head, serializer)
        except (SerializationError, DeserializationError):
            continue
        if type(again) is type(error) and str_of(again) == str_of(error):
            return head
    return None


def _writings(error: BaseException) -> Iterator[object]:
    """As its class wants it; else without `__init__`; else also without the attributes, one of which refuses."""
    state = {name: value for name, value in vars(error).items() if name != "__notes__"}
    yield error
    yield type(error), error.args, state
    yield type(error), error.args, {}


def _in_one_piece(serializer: ValueSerializer, parts: object) -> bytes:
    encoded = serializer.encode(parts, links=False)  # they are recorded beside it
    if encoded.codec != PICKLE or encoded.buffers:
        raise SerializationError("too large for a recorded failure")
    return encoded.head


def _load(head: bytes, serializer: ValueSerializer) -> BaseException:
    loaded = serializer.decode(PICKLE, head, [])
    if isinstance(loaded, tuple):
        kind, args, state = loaded
        try:
            loaded = kind.__new__(kind, *args)
            loaded.args = args
            vars(loaded).update(state)
        # `__new__` of a user's exception may raise anything.
        except Exception as error:
            raise DeserializationError(f"{kind.__qualname__} cannot be rebuilt: {error}") from error
    if not isinstance(loaded, BaseException):
        raise DeserializationError("the recorded failure holds no exception")
    return loaded
