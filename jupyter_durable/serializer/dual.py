"""Dual exceptions: a child's failure as its caller sees it, a `FunctionError` that is also of the original type.

Rules of this file
- One dual class per original type, found again among its subclasses: it lives as long as somebody uses it.
- A dual is built through `__reduce_ex__` of the original and is used only when its `str()` is that of the original.
- A type that refuses gives way to its nearest base that works, at last to a plain `FunctionError`.
- Never dual twice. What is not a failure of the function (interrupts, the store, `RequestError`) passes as it is.
"""

from __future__ import annotations

import copyreg
import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

from jupyter_durable.errors import Cancelled, FunctionError, ReplayError, RequestError, StoreError

__all__ = ["as_function_error", "original_of"]

_VERBATIM: Final = (RequestError, StoreError, Cancelled, ReplayError, FunctionError)
# Inside a generator or coroutine these would end it silently, or become a RuntimeError.
_NEVER_DUAL: Final = (StopIteration, StopAsyncIteration)
_MARK: Final = "__durable_dual__"
_BUILDING: Final = threading.Lock()


def as_function_error(original: BaseException, call_text: str = "") -> BaseException:
    """The exception that the caller of a failed call gets; `call_text` says which call, and becomes a note.

    Both a `FunctionError` and of the type of `original`, which is its `__cause__`. Returned as they are:
    KeyboardInterrupt, SystemExit, CancelledError and all that is no `Exception`, `RequestError`, store errors,
    `Cancelled`, `ReplayError`, and what is a `FunctionError` already.
    """
    if not isinstance(original, Exception) or isinstance(original, _VERBATIM):
        return original
    dual = next(_candidates(original))
    dual.__cause__ = original
    if type(dual) is not FunctionError:  # a plain one is pickled as it is, without its cause
        vars(dual)[_MARK] = (original, call_text)
    if call_text:
        dual.add_note(call_text)
    return dual


def original_of(error: BaseException) -> tuple[BaseException, str] | None:
    """What a dual was made of: the original and the text of the call. None for any other exception."""
    made: tuple[BaseException, str] | None = vars(error).get(_MARK)
    return made


def _candidates(original: Exception) -> Iterator[Exception]:
    """Every way to build it that keeps the text, best first; a plain `FunctionError` at the end."""
    text = str_of(original)
    if not isinstance(original, _NEVER_DUAL):
        for kind in type(original).__mro__:
            if kind in (Exception, object):
                break
            if issubclass(kind, Exception):
                for build in _ways(original, kind, text):
                    dual = _attempt(build, text)
                    if dual is not None:
                        yield _noted(dual, original)
    yield _noted(FunctionError(text), original)


def _noted(dual: Exception, original: Exception) -> Exception:
    notes = getattr(original, "__notes__", ())
    if notes:
        dual.__notes__ = list(notes)  # its own list: a note on one must not show on the other
    return dual


def _attempt(build: Callable[[], Exception], text: str) -> Exception | None:
    try:
        dual = build()
        return dual if isinstance(dual, FunctionError) and str(dual) == text else None
    # Constructors, `__init_subclass__` and `__str__` of the user's exceptions may raise anything.
    except Exception:  # noqa: BLE001
        return None


def _ways(original: Exception, kind: type[Exception], text: str) -> Iterator[Callable[[], Exception]]:
    if kind is type(original):
        yield lambda: _reduced(original, _dual_class(kind))
    # Without `__init__`: it may take other arguments than it hands to its base.
    yield lambda: _bare(original, _dual_class(kind), original.args)
    yield lambda: _dual_class(kind)(*original.args)
    yield lambda: _bare(original, _dual_class(kind), (text,))


def _reduced(original: Exception, dual_class: type[Exception]) -> Exception:
    reduced = original.__reduce_ex__(4)
    if isinstance(reduced, str):
        raise TypeError(reduced)
    build, args, *rest = reduced
    kind = type(original)
    if build is kind:
        dual = dual_class(*args)
    elif build is copyreg.__newobj__ and args[0] is kind:  # type: ignore[attr-defined]
        dual = dual_class.__new__(dual_class, *args[1:])
    elif isinstance(build, functools.partial) and build.func is kind:
        dual = dual_class(*build.args, *args, **build.keywords)
    elif getattr(build, "__self__", None) is kind:  # a class method, as pydantic's ValidationError has it
        dual = getattr(dual_class, build.__name__)(*args)
    else:
        raise TypeError(build)
    _restore(dual, rest[0] if rest else None)
    return dual


def _bare(original: Exception, dual_class: type[Exception], args: tuple[Any, ...]) -> Exception:
    dual = dual_class.__new__(dual_class, *args)
    dual.args = args
    vars(dual).update(vars(original))
    if isinstance(original, OSError) and isinstance(dual, OSError) and original.filename is not None:
        dual.filename = original.filename  # urllib's HTTPError assigns it; None would show in the text
    return dual


def _restore(error: Exception, state: Any) -> None:
    if not state:
        return
    if isinstance(state, dict):
        vars(error).update(state)
    else:
        error.__setstate__(state)


def _dual_class(kind: type[Exception]) -> type[Exception]:
    with _BUILDING:
        for known in type.__subclasses__(kind):
            if _MARK in vars(known):
                return known
        return _build_class(kind)


def _build_class(kind: type[Exception]) -> type[Exception]:
    namespace: dict[str, Any] = {
        "__module__": kind.__module__,
        "__qualname__": kind.__qualname__,
        "__doc__": kind.__doc__,
        "__reduce_ex__": _reduce_dual,
    }
    if not hasattr(kind, "message"):
        # Hides the read-only property of DurableError: many exceptions assign `self.message`.
        namespace["message"] = _Message()
    # The original first: its methods and attributes are what its users expect.
    metaclass: Any = type(kind)
    built: type[Exception] = metaclass(kind.__name__, (kind, FunctionError), namespace)
    # Last: a class whose `__init_subclass__` refused may still be among the subclasses, and must not be taken.
    setattr(built, _MARK, None)
    return built


class _Message:
    """`message` as all our errors have it; an assigned one takes precedence, since there is no `__set__`."""

    def __get__(self, error: BaseException | None, owner: type) -> Any:
        return self if error is None else str(error.args[0]) if error.args else ""


def _reduce_dual(self: Exception, protocol: Any) -> tuple[Any, ...]:
    del protocol
    made = original_of(self)
    if made is None:
        return FunctionError, (str_of(self),)
    return as_function_error, made, {"__notes__": list(getattr(self, "__notes__", ()))}


def str_of(error: BaseException) -> str:
    """`str(error)`, or its type where that raises."""
    try:
        return str(error)
    # `__str__` of a user's exception may raise anything.
    except Exception:  # noqa: BLE001
        return f"<{type(error).__qualname__} whose text cannot be made>"
