"""How values are looked at for a digest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

if TYPE_CHECKING:
    from jupyter_durable.serializer.parts import Encode
    from jupyter_durable.serializer.weights import Weigh

__all__ = ["BUDGET_SECONDS", "DIGEST_BYTES", "CodeOf", "Digesting", "ReadBy"]

CodeOf: TypeAlias = Callable[[Any], bytes | None]
"""The code of a function or class of the notebook or of a local module; None where its name says it all."""

ReadBy: TypeAlias = Callable[[Any], Mapping[str, object]]
"""What such a function or class reads, beside the plain data that its code counts with."""


class Together(Protocol):
    """Several values that are looked at in one go."""

    def bytes_of(self, parts: tuple[Any, ...]) -> bytes | None:
        """The canonical bytes of `parts`, made with what is known of the others; None where that says nothing."""


BUDGET_SECONDS: Final = 0.05
DIGEST_BYTES: Final = 16


class Digesting:
    """How values are looked at. One of them serves many walks, which then know the types they have met.

    `code_of`: the code of functions and classes of the notebook, which count by it and by what `read_by` says.
    `budget`: about how many seconds a walk may take; it is counted in work, so that equal values are judged alike.
    `aside`: attributes of instances that do not count.
    """

    __slots__ = ("aside", "budget", "code_of", "encoders", "read_by", "together")

    def __init__(
        self,
        code_of: CodeOf | None = None,
        budget: float = BUDGET_SECONDS,
        aside: frozenset[str] = frozenset(),
        read_by: ReadBy | None = None,
    ) -> None:
        self.code_of = code_of
        self.read_by: ReadBy = read_by if read_by is not None else _nothing
        self.budget = budget
        self.aside = aside
        self.encoders: dict[type, tuple[Encode | None, Weigh | None]] = {}
        """By type, no encoder where it has no canonical form, with what it costs to begin one that costs much."""
        self.together: Together | None = None
        """Where several values are looked at in one go."""


def _nothing(_: Any) -> Mapping[str, object]:
    return {}
