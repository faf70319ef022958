"""Pickling of the plain data that code reads: classes of the notebook by name.

Rules of this file
- It is imported with the first such value, since it needs cloudpickle.
"""

from __future__ import annotations

from types import FunctionType
from typing import Any

import cloudpickle

from jupyter_durable import static
from jupyter_durable.code.classify import home_module, name_of, variable_of
from jupyter_durable.code.pickling import FIND_CLASS, DefinitionPickler, Table, Unstorable
from jupyter_durable.static import is_a


def dump_data(table: Table, value: object) -> bytes:
    """Pickle of one plain-data global; its classes stay references to the namespace. Raises `Unstorable`."""
    return table.write(_DataPickler, value)


class _DataPickler(DefinitionPickler, cloudpickle.Pickler):  # type: ignore[misc]
    """Writes plain data: classes of the notebook by reference, nothing else of the notebook at all."""

    def reducer_override(self, value: Any) -> Any:
        if is_a(value, type) and home_module(value, self._table.namespace) is None:
            name, variable = name_of(value, self._table.namespace), variable_of(value, self._table.namespace)
            if name is None or variable is None:
                raise Unstorable(f"{static.qualname(value)} has no name of its own")
            self._table.referred.add(variable)
            return FIND_CLASS, (name,)
        if type(value) is FunctionType and home_module(value, self._table.namespace) is None:
            raise Unstorable("holds a function")
        return cloudpickle.Pickler.reducer_override(self, value)
