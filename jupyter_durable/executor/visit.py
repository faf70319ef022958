"""Visits of threads to user code, the only time at which an error may be thrown into a thread.

Rules of this file
- `PyThreadState_SetAsyncExc` raises at the next bytecode that looks for it (the end of a call, the start of a function,
  a jump backwards): in our own code, or in that of `threading`, if nothing says when. So a thread is *open* to it only
  while it runs the user's function: `Visit.run` opens it, `left` closes it while user code has called into ours.
- Being open is a token. Who throws takes it, throws, waits a moment for the error to come up, else takes the error and
  gives the token back. Who closes takes the token too, or waits for the thrower. Taking is one C call and nothing is
  held, so closing can be cut off anywhere and done again. One token lets one error through.
- No error is left waiting for a thread that sits in C code: while it waits CPython 3.11 keeps all threads looking for
  it (a thread under a debugger does nothing else). It is thrown again and again.
- An error comes up in the frame in which its thread is seen, which waits at a bytecode or in C code. It is not thrown
  while that is a frame of a module whose locks belong to the whole process. The last steps before the function begins
  are no such frames, though they are ours: a thread that loses its turn there would begin at any time. There an error
  stays until it comes up.
- A thread of its own throws, so that nothing can be thrown at who throws.
"""

from __future__ import annotations

import _weakrefset
import contextlib
import functools
import os
import site
import sys
import threading
import time
import types
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from jupyter_durable.records import NamedTuple

FIRST_SECONDS: Final = 0.002
LAST_SECONDS: Final = 0.05
"""How long an error is under way before it is taken back, and the pause after that: at first and in the end."""
BEFORE_SECONDS: Final = 2.0
"""The same for a thread that is about to begin a function and waits for its turn. One of C never comes to it."""
LOOK_SECONDS: Final = 0.0005
OURS: Final = os.path.dirname(os.path.dirname(__file__)) + os.sep
# By their folders: a process that has no use for these modules need not import them.
_STANDARD: Final = os.path.dirname(os.__file__)
SPARED: Final = (
    *(os.path.join(_STANDARD, *parts, "") for parts in (("asyncio",), ("concurrent", "futures"), ("logging",))),
    *(str(module.__file__) for module in (threading, weakref, _weakrefset)),
    *(
        os.path.join(folder, name)
        for folder in site.getsitepackages()
        for name in ("ipykernel", "jupyter_durable", "opentelemetry", "tornado", "zmq")
    ),
    OURS,
    "<frozen importlib",
)
"""Where the code begins in whose frames nothing is thrown: what it locks is everybody's."""
WAIT: Final = threading.Condition.wait.__code__
"""The one of them that leaves all in good order, and in which a thread may be for long."""
START: Final = threading.Thread.start.__code__
"""But not where it waits for this: until a new thread runs, CPython knows it by the identity of its maker."""


class _Interpreter(NamedTuple):
    """What is asked of CPython itself."""

    throw: Callable[[int, int | None], int]
    state: Callable[[], int]
    frame: Callable[[int], types.FrameType]
    """Not `sys._current_frames`: it makes objects while it holds a lock of the interpreter, so it can stop all."""


@functools.cache
def _interpreter() -> _Interpreter:
    import ctypes  # for a process in which a thread visits user code, and loaded before the first one does

    number, pointer = ctypes.c_int, ctypes.c_void_p
    return _Interpreter(
        ctypes.PYFUNCTYPE(number, ctypes.c_ulong, pointer)(("PyThreadState_SetAsyncExc", ctypes.pythonapi)),
        ctypes.PYFUNCTYPE(pointer)(("PyThreadState_Get", ctypes.pythonapi)),
        ctypes.PYFUNCTYPE(ctypes.py_object, pointer)(("PyThreadState_GetFrame", ctypes.pythonapi)),
    )


class _Thread:
    """A thread in user code, and its visits, the innermost one last. Changed by that thread; others take `tokens`."""

    __slots__ = ("id", "is_open", "raised", "state", "tokens", "visits")

    def __init__(self) -> None:
        self.id = threading.get_ident()
        self.state = _interpreter().state()
        self.visits: list[Visit] = []
        self.is_open = False
        self.tokens: list[None] = []
        self.raised = False
        """Set by who has taken the token: an error has come up, so the token does not come back."""

    def open(self) -> None:
        """User code goes on. Raises what it was to be left with while it was in ours."""
        self.raised = False
        self.is_open = True
        self.tokens.append(None)
        for visit in self.visits:
            if visit.error is not None and not visit.told:
                self.close()
                visit.told = True
                raise visit.error

    def close(self) -> None:
        """User code was left: nothing comes up after this. Can be done again after it was cut off."""
        while self.is_open:
            if self.tokens:
                with contextlib.suppress(IndexError):  # a thrower was faster
                    self.tokens.pop()
                    self.is_open = False
            elif self.raised:
                self.is_open = False
            else:
                time.sleep(0)


class _Here(threading.local):
    """The calling thread while it is in user code."""

    thread: _Thread | None = None


_here: Final = _Here()


class Visit:
    """One stay in a user's function. It can be ended before it has begun."""

    __slots__ = ("error", "thread", "told")

    def __init__(self) -> None:
        self.error: type[BaseException] | None = None
        """What the function is to be left with."""
        self.told = False
        """Whether that was raised."""
        self.thread: _Thread | None = None

    @property
    def is_here(self) -> bool:
        """Whether it takes place in the calling thread."""
        return self.thread is not None and self.thread.id == threading.get_ident()

    def run(self, body: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call `body`, the user's function, in this thread."""
        __tracebackhide__ = True
        outer = _here.thread
        thread = self.thread = outer if outer is not None else _Thread()
        was_open = thread.is_open
        thread.close()
        _here.thread = thread
        thread.visits.append(self)
        try:
            try:
                thread.open()
                return body(*args, **kwargs)
            finally:
                thread.close()
        finally:
            thread.close()  # the error may have come up in the first `close`; it comes up once
            thread.visits.remove(self)
            _here.thread = outer
            if was_open:
                thread.open()


RUN: Final = Visit.run.__code__
OPEN: Final = _Thread.open.__code__
CLOSE: Final = _Thread.close.__code__


@contextlib.contextmanager
def left(visit: Visit | None) -> Iterator[None]:
    """While the user code of `visit`, the one of the running call, has called into ours in this thread."""
    thread = visit.thread if visit is not None and visit.is_here else None
    if thread is None or not thread.is_open:
        yield
        return
    thread.close()
    try:
        yield
    finally:
        thread.open()


def close_here() -> None:
    """Nothing is thrown into this thread until user code next comes back from ours: it runs a loop of several calls."""
    if _here.thread is not None:
        _here.thread.close()


def throw(visits: Iterable[Visit], error: type[BaseException], seen: threading.Event | None = None) -> None:
    """Leave these stays with `error`, soon; those in the calling thread when they next call into ours.

    `seen` is set when all of them were told, or were seen in user code: what has not begun then never does.
    """
    throws: list[_Throw] = []
    for visit in visits:
        if visit.error is None:
            visit.error = error
            if visit.thread is not None and not visit.is_here:
                throws.append(_Throw(visit, error))
    if throws:
        threading.Thread(target=_throw_all, args=(throws, seen), name="durable-throw", daemon=True).start()
    elif seen is not None:
        seen.set()


class _Throw:
    """One error on its way to one visit."""

    __slots__ = ("_error", "_sent", "_thread", "is_before", "over", "seen", "visit")

    def __init__(self, visit: Visit, error: type[BaseException]) -> None:
        self.visit = visit
        self.over = False
        """It has come up, or the visit has ended, or `_Thread.open` raises it."""
        self.seen = False
        """Its thread was seen in the function, or it is over."""
        self.is_before = False
        """It is thrown at a thread whose function is about to begin."""
        self._sent = False
        self._thread: _Thread | None = None
        """Whose token is taken."""

        class Thrown(error):  # type: ignore[misc, valid-type]
            def __init__(self) -> None:
                visit.told = True  # an instance is made when it comes up, and before user code can handle it

        Thrown.__name__ = Thrown.__qualname__ = error.__name__
        self._error = Thrown

    @property
    def is_under_way(self) -> bool:
        """Whether it may come up at any moment."""
        return self._sent and not self.visit.told

    def throw(self) -> None:
        """Take the token, and throw where that can be now."""
        visit, thread = self.visit, self.visit.thread
        try:
            if thread is not None and not visit.told:
                thread.tokens.pop()
                self._thread = thread  # it cannot leave user code before `settle`
        except IndexError:  # closed
            pass
        if self._thread is None or visit.told or visit not in self._thread.visits:
            self.over = self.seen = True
            return
        new, identity = id(self._error), self._thread.id
        interpreter = _interpreter()
        # From looking to throwing there is one call, of C: hardly ever another thread gets its turn between.
        frame = interpreter.frame(self._thread.state)
        self.is_before = before = _is_before(frame)
        if before or not _is_spared(frame):
            self._sent = bool(interpreter.throw(identity, new))
            self.seen = self._sent and not before

    def settle(self) -> None:
        """What has not come up is taken back, and with it the token is given back."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        if self.is_under_way:
            _interpreter().throw(thread.id, None)
        if self._sent and self.visit.told:
            self.over = self.seen = True
            thread.raised = True
        else:
            thread.tokens.append(None)
        self._sent = False


def _is_before(frame: types.FrameType) -> bool:
    """Whether this is a frame of ours in which a function is about to begin, the innermost one of an open thread.

    It may be that of a method which passes the call on, and that of `Visit.run` after its function, too.
    """
    code, caller = frame.f_code, frame.f_back
    if code is RUN or code is OPEN:
        return True
    ours = code.co_filename.startswith(OURS)
    return ours and code is not CLOSE and caller is not None and caller.f_code is RUN


def _is_spared(frame: types.FrameType) -> bool:
    """Whether nothing may come up in this frame, the innermost one of a thread that is open."""
    if frame.f_code is WAIT:
        return frame.f_back.f_back.f_code is START  # type: ignore[union-attr]  # it is called by one that is called
    return frame.f_code.co_filename.startswith(SPARED)


class _TakenBack(BaseException):
    """Thrown at oneself: CPython 3.11 goes on looking for an error that was taken back until one has come up."""


def _throw_all(throws: list[_Throw], seen: threading.Event | None) -> None:
    _trace_no_more()
    seconds = FIRST_SECONDS
    while throws:
        for each in throws:
            each.throw()
        began, sent = time.monotonic(), throws
        while sent:
            waited = [each for each in sent if each.is_under_way and _is_awaited(each, began, seconds)]
            for each in sent:
                if each not in waited:
                    each.settle()
            sent = waited
            time.sleep(LOOK_SECONDS if sent else 0)
        _look_no_more()
        if seen is not None and all(each.seen for each in throws):
            seen.set()
        throws = [each for each in throws if not each.over]
        time.sleep(seconds if throws else 0)
        seconds = min(2 * seconds, LAST_SECONDS)


def _is_awaited(each: _Throw, began: float, seconds: float) -> bool:
    """Whether it stays under way. Where a function is about to begin nothing is taken back: it would begin."""
    return time.monotonic() < began + (BEFORE_SECONDS if each.is_before else seconds)


def _trace_no_more() -> None:
    """A debugger would hold who throws. CPython refuses to change what traces while another thread does."""
    while sys.gettrace() is not None:
        try:
            sys.settrace(None)
        except RuntimeError:
            time.sleep(LOOK_SECONDS)


def _look_no_more() -> None:
    try:
        _interpreter().throw(threading.get_ident(), id(_TakenBack))
        while True:
            pass
    except _TakenBack:
        return
