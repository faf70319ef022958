"""What one walk has found, by name, without what the code changes itself.

Rules of this file
- A part is 16 bytes that say what stands under a name. What the code changes is its memory, not its code: it is no
  part, or counts with what it began as.
- Whose a name is, is told by its place: the namespace, cell or default that holds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from jupyter_durable.code.memory import Place
from jupyter_durable.code.plain import ATOMS
from jupyter_durable.code.seen import WATCHED_BYTES, Watched
from jupyter_durable.hashes import blake2b


class Parts:
    """The parts of one function or class."""

    def __init__(self) -> None:
        self.named: dict[str, bytes] = {}
        self.data: dict[str, bytes] = {}
        """Of those that are plain data, what they say."""
        self.places: dict[str, Place] = {}
        self.changed: dict[Place, bytes | None] = {}
        """What the code changes itself, and what it began as where the rest of the code does not say that."""
        self._bound: dict[str, tuple[Mapping[str, object], str, object]] = {}

    def add(self, name: str, data: bytes) -> None:
        """Two functions can stand under one name: one that was redefined, and the new one it calls."""
        while name in self.named:
            name += "'"
        self.named[name] = blake2b(data, digest_size=16).digest()

    def read_as(
        self, part: str, names: Mapping[str, object], name: str, value: object, place: Place | None = None
    ) -> None:
        """The code reads `value` by a name of `names`."""
        self._bound[part] = names, name, value
        if place is not None:
            self.places[part] = place

    def changes(self, changed: Iterable[str], names: Mapping[str, object]) -> None:
        """The code binds or fills what has these names."""
        self.changed |= {(id(names), name): None for name in changed}

    def is_memory(self, part: str) -> bool:
        """Whether the code changes itself what it reads by this name."""
        return self.places.get(part) in self.changed

    def leave_out_memory(self) -> None:
        """What the code changes is no part of it any more; what it began as is."""
        for name, place in self.places.items():
            if place in self.changed:
                if name in self.data:
                    del self.named[name]
                begun = self.changed[place]
                if begun is not None:
                    self.named.pop(name, None)
                    self.add(name, begun)

    def watched(self) -> tuple[Watched, ...]:
        """The plain data that is read by a name, but for what the code changes itself."""
        found = []
        for part, rendered in self.data.items():
            if part in self._bound and not self.is_memory(part):
                names, name, value = self._bound[part]
                inside = type(value) not in ATOMS and len(rendered) <= WATCHED_BYTES
                found.append(Watched(names, name, value, rendered if inside else None))
        return tuple(found)
