"""What has no canonical form: as the pickler sees it.

Rules of this file
- An object is described by what its own `__reduce_ex__` answers, in parts that are walked as any others. Equal answers
  make equal objects; other ones prove nothing, since an object may say one thing in many ways.
- A type written in C says nothing of what a subclass of it adds: attributes and slots stand beside its answer.
- What is one object of its name in every process counts by that: a logger, whatever handles what it is told.
- What a pickler would refuse or change, and an `object()`, which is only itself, cannot be described.
"""

from __future__ import annotations

import copyreg
import sys
from types import FunctionType, ModuleType
from typing import Any, Final

from jupyter_durable import static
from jupyter_durable.serializer.instances import shape_of_type, state_of
from jupyter_durable.serializer.parts import Encode, Encoded, Names, Parts, frame, tagged
from jupyter_durable.serializer.pickler import PROTOCOL, refusal

__all__ = ["found_by_name", "reduced", "says_itself"]

_SAYING: Final = ("__getstate__", "__reduce__", "__reduce_ex__")


def says_itself(value: Any) -> bool:
    """Whether the class of an object says, in Python, what of it counts.

    A response of `requests` that was not read yet is not asked: it would be read by that.
    """
    kind = type(value)
    found = (next((vars(owner)[name] for owner in kind.__mro__ if name in vars(owner)), None) for name in _SAYING)
    says = kind in copyreg.dispatch_table or any(isinstance(each, FunctionType) for each in found)
    return says and bool(static.attributes(value).get("_content_consumed", True))


def found_by_name(kind: type) -> Encode | None:
    """The encoder of a type whose instances are kept by name."""
    logging = sys.modules.get("logging")
    logger = vars(logging).get("Logger") if logging is not None else None
    return _logger if logger is not None and logger in kind.__mro__ else None


def _logger(names: Names, value: Any) -> Encoded:
    name = vars(value).get("name")
    found = value.root if name == value.root.name else value.manager.loggerDict.get(name)
    return (
        frame(b"N", f"logging.getLogger:{name}".encode("utf-8", "backslashreplace"))
        if found is value
        else (names.described(value))
    )


def reduced(value: Any) -> Encoded | None:
    """The object as how to make it again; None where it does not say so."""
    kind = type(value)
    if kind is object or refusal(value) is not None:
        return None
    reduce = copyreg.dispatch_table.get(kind)
    try:
        answer = reduce(value) if reduce is not None else value.__reduce_ex__(PROTOCOL)
        if isinstance(answer, str):
            return _global(value, answer)
        if type(answer) is not tuple or not 2 <= len(answer) <= 6:
            return None
        make, arguments, *rest = answer
        # Items and pairs are iterators; which of the rest is which is a matter of its place.
        rest = [[*each] if at in (1, 2) and each is not None else each for at, each in enumerate(rest)]
    # `__reduce_ex__` and `__getstate__` of the user's classes may raise anything.
    except Exception:  # noqa: BLE001
        return None
    added = _unsaid(kind, value) if reduce is None else None
    return Parts((make, arguments, *rest, *([added] if added else [])), tagged(b"="))


def _unsaid(kind: type, value: Any) -> dict[str, Any] | None:
    """Attributes and slots that a class in Python adds to one in C that describes itself; None where it says them."""
    for name in ("__reduce_ex__", "__reduce__"):
        owner = next(owner for owner in kind.__mro__ if name in vars(owner))
        if owner is not object:
            break
    if owner is object or isinstance(vars(owner)[name], FunctionType):
        return None
    return state_of(value, shape_of_type(kind, owner))


def _global(value: Any, name: str) -> bytes | None:
    """What is found under this name in a module; None where it is not, and the name proves nothing."""
    modules = [*sys.modules.items()]
    # By `vars`: a module may answer a look-up by importing another one.
    holders = [module for module, held in modules if type(held) is ModuleType and vars(held).get(name) is value]
    said = getattr(value, "__module__", None)
    module = said if said in holders else min(holders, default=None)
    return None if module is None else frame(b"N", f"{module}.{name}".encode("utf-8", "backslashreplace"))
