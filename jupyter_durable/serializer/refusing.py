"""The pickler of values: cloudpickle that refuses what it would change, and names the classes of `__main__`.

Rules of this file
- cloudpickle takes as long to import as twenty of our files: this is imported with the first value that is not plain.
"""

from __future__ import annotations

import operator
import pickle
from collections.abc import Callable
from typing import Any, Final

import cloudpickle

from jupyter_durable import static
from jupyter_durable.serializer.pickler import OUT_OF_BAND_BYTES, PROTOCOL, RefusedError, class_by_name, refusal

__all__ = ["NameOf", "RefusingPickler"]

MAIN: Final = "__main__"
NameOf = Callable[[type], str | None]
"""The name under which a class of the notebook is found again."""


class RefusingPickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Writes one value; buffers that stay outside are added to `buffers`, flat."""

    holds_exception = False
    """Whether an exception was met: these are loaded once before they are trusted."""

    def __init__(self, file: Any, buffers: list[memoryview], name_of: NameOf | None = None) -> None:
        def keep_in_band(buffer: pickle.PickleBuffer) -> bool:
            view = buffer.raw()
            if view.nbytes < OUT_OF_BAND_BYTES:
                return True
            buffers.append(view)
            return False

        super().__init__(file, protocol=PROTOCOL, buffer_callback=keep_in_band)
        self._name_of = name_of or _own_name

    def reducer_override(self, obj: Any) -> Any:
        reason = refusal(obj)
        if reason is not None:
            raise RefusedError(reason)
        if static.is_a(obj, type):
            return self._class(obj)
        if isinstance(obj, BaseException):
            self.holds_exception = True
        return super().reducer_override(obj)

    def _class(self, cls: type) -> Any:
        """A class of the notebook by its name; one that nothing there holds is written as it is."""
        if static.importable(cls) in (None, MAIN):
            name = self._name_of(cls)
            if name is not None:
                return class_by_name, (MAIN, name)
            generic = static.members(cls).get("__pydantic_generic_metadata__") or {}
            if generic.get("origin") is not None:  # `Page[Row]`: made anew by indexing
                args = generic["args"]
                return operator.getitem, (generic["origin"], args if len(args) > 1 else args[0])
        return super().reducer_override(cls)


def _own_name(cls: type) -> str | None:
    """The name of a class of `__main__` where nobody knows better: what it calls itself."""
    name = static.qualname(cls) or ""
    return name if static.module_name(cls) == MAIN and "<locals>" not in name else None
