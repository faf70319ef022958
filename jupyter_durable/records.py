"""`NamedTuple`, as `typing` has it but for what it does to annotations: a record is made at a fifth of the cost.

Rules of this file
- `typing` compiles the annotation of each field to check that it is one. A first call makes seventy records, and mypy
  checks them: here annotations stay the texts that they are under `from __future__ import annotations`.
- Fields with defaults come last, which mypy sees to. Nothing else is a base beside it.
"""

from __future__ import annotations

from collections import namedtuple
from typing import TYPE_CHECKING

__all__ = ["NamedTuple"]

if TYPE_CHECKING:
    from typing import NamedTuple
else:

    class _Records(type):
        def __new__(cls, name, bases, members):
            if not bases:
                return super().__new__(cls, name, bases, members)
            fields = members.pop("__annotations__", {})
            defaults = [members.pop(field) for field in fields if field in members]
            made = namedtuple(name, fields, defaults=defaults, module=members.pop("__module__"))
            made.__annotations__ = made.__new__.__annotations__ = fields
            for key, value in members.items():
                setattr(made, key, value)
            return made

    class NamedTuple(metaclass=_Records):
        """The base of records."""
