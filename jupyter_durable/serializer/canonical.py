"""The canonical bytes of a value: a walk over what it is made of.

Rules of this file
- Exact types count: a subclass is its base's content, and what it adds, under its own name.
- Dicts are sorted by the bytes of their keys, sets by those of their items.
- Sharing does not count: `[a, a]` is `[a, copy of a]`. Each object is walked once all the same, and what has many bytes
  stands as their hash in what holds it, so that the walk takes as long as there are objects.
- Objects that hold each other are numbered in the order in which they are met, from each one that is asked for: equal
  graphs are equal. In them sharing counts. A set of such objects has no order of its own, which makes the value weak.
- What has no canonical form is described by its own `__reduce_ex__` (`reduced`) and makes the value weak; where it
  cannot be, the nearest object that holds it and says itself what of it counts is so described. Where none does, it
  equals nothing, not even itself.
- Work is counted, not time, so that a value has the same digest on a busy machine. Bytes of buffers do not count.
- No user code runs but that `__reduce_ex__`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Final

from jupyter_durable.hashes import blake2b
from jupyter_durable.serializer.digesting import BUDGET_SECONDS, CodeOf, Digesting
from jupyter_durable.serializer.encoders import encoder_of
from jupyter_durable.serializer.parts import (
    FLAT,
    ITEMS,
    PAIRS,
    Encoded,
    Parts,
    atom,
    frame,
    known,
    wrapped,
    written,
)
from jupyter_durable.serializer.reduced import reduced, says_itself
from jupyter_durable.serializer.weights import weight_of

__all__ = ["BUDGET_SECONDS", "FLAT", "CodeOf", "Digesting", "OverBudgetError", "Walk", "frame", "short"]

INLINE: Final = 4096
"""Longer encodings stand as their hash in what holds them."""
WORK_A_SECOND: Final = 210_000
"""Units of work in a second of the budget: a walk takes three fifths of it, what comes after one that was given up the
rest, with room for a slower machine."""
OPENED: Final = 2
"""An object whose parts are walked one by one costs twice as much as one that is looked at at once."""
DESCRIBED: Final = 10
"""An object that is asked how to make it again costs so much more."""
FLAT_ITEMS: Final = 4
"""So many flat items that are looked at one by one cost a unit."""
FLAT_BYTES: Final = 512
"""So many bytes of text of flat items that are looked at together cost a unit."""
ATOM_BYTES: Final = 2048
"""So many bytes of one text that stands by itself cost a unit."""


class OverBudgetError(Exception):
    """The value has more parts than the budget allows."""


class _Node:
    """An object on its way: what it is made of, and the bytes of the parts that are known."""

    __slots__ = ("cyclic", "got", "index", "low", "made", "rest", "told", "value")

    def __init__(self, value: Any, made: Parts, index: int) -> None:
        self.value = value
        self.made = made
        self.rest = iter(made.parts)
        self.got: list[bytes | _Node] = []
        self.index = self.low = index
        """As Tarjan numbers them: the lowest that can be reached is where a cycle begins. -1: it is closed."""
        self.cyclic = False
        """Whether a part of it is on its way itself."""
        self.told = False
        """Whether it was asked what it says of itself to a pickler."""


class Walk:
    """One walk over one value. `weak` says afterwards whether something had no canonical bytes."""

    def __init__(self, how: Digesting | None = None) -> None:
        how = how if how is not None else Digesting()
        self.weak = False
        self._mute = False
        """Whether something was met just now of which nothing is known."""
        self.unknown = False
        """Whether something was met that equals nothing."""
        self.cyclic = False
        """Whether objects were met that hold each other."""
        self.reads = False
        """Whether what a class reads was looked at, with half of what was left of the budget by then."""
        self.code_of: CodeOf = how.code_of if how.code_of is not None else _no_code
        self.read_by = how.read_by
        self._how = how
        self._asked = frozenset[int]()
        """Classes for which this walk looks at what they read, by `id`."""
        self._left = self._whole = how.budget * WORK_A_SECOND
        self._met = 0
        self._known: dict[int, tuple[Any, bytes | _Node]] = {}
        """By `id`, with the object itself, which keeps its `id` from being another one's."""
        self._open: list[_Node] = []
        self._encoders = how.encoders
        self._aside = how.aside
        self._names: dict[type, bytes] = {}

    def bytes_of(self, value: Any) -> bytes:
        """The canonical bytes of `value`. Raises `OverBudgetError`."""
        top = _Node(None, Parts((value,), b"".join), -1)
        stack = [top]
        while True:
            node = stack[-1]
            got = node.got
            for part in node.rest:
                kind = type(part)
                if kind in FLAT:
                    if (kind is str or kind is bytes) and len(part) > FLAT_BYTES:
                        self._spend(written((part,)) // ATOM_BYTES)
                    made = atom(part)
                    if kind is int and len(made) > FLAT_BYTES:
                        self._spend(len(made) // FLAT_BYTES)
                    got.append(made)
                    continue
                found = self._look(kind, part, node)
                if found is None:
                    stack.append(self._open[-1])
                    break
                if self._mute and self._told_above(stack):
                    break
                got.append(found)
            else:
                if node is top:
                    return got[0]  # type: ignore[return-value]
                stack.pop()
                self._close(node, stack[-1])

    def _told_above(self, stack: list[_Node]) -> bool:
        """Nothing is known of a part: the nearest object that holds it and says itself what of it counts is asked.

        What was seen below that object is forgotten, and it stands on its way anew, as the pickler sees it.
        """
        self._mute = False
        for at in range(len(stack) - 1, 0, -1):
            node = stack[at]
            value = node.value
            if node.told or type(value) is Parts or not says_itself(value):
                continue
            node.told = True
            self._spend(DESCRIBED)
            made = reduced(value)
            if made is None:
                continue
            place = self._open.index(node)
            for each in self._open[place:]:
                self._known.pop(id(each.value), None)
            del self._open[place:], stack[at:]
            said = wrapped(b"R", made, self.name_of(type(value)))
            again = _Node(value, known(said) if isinstance(said, bytes) else said, node.index)
            again.told = True
            self._known[id(value)] = (value, again)
            self._open.append(again)
            stack.append(again)
            return True
        self.unknown = True
        return False

    @property
    def spent(self) -> float:
        """The work done so far."""
        return self._whole - self._left

    def know(self, value: Any, encoding: bytes, work: float) -> None:
        """Take the encoding of `value` from another walk, for the work that it took there."""
        self._known[id(value)] = (value, encoding)
        self._left -= work

    def known(self, value: Any) -> bytes:
        """The encoding of a value that was seen whole, as it stands in what holds it."""
        encoding = self._known[id(value)][1]
        assert isinstance(encoding, bytes)
        return encoding

    @property
    def spare(self) -> float:
        """The share of the budget that is left."""
        return max(self._left, 0) / self._whole

    def go_on(self, share: float) -> None:
        """After a walk that was given up: forget what was on its way, and take a share of the budget for other values.

        What was seen whole costs nothing any more.
        """
        for node in self._open:
            self._known.pop(id(node.value), None)
        self._open.clear()
        self._left = share * self._whole

    def _look(self, kind: type, part: Any, holder: _Node) -> bytes | _Node | None:
        """The bytes of a part, or an object that is on its way; None where it has been opened just now."""
        if kind is Parts:
            made = part
        else:
            seen = self._known.get(id(part))
            if seen is not None:
                return self._seen_again(part, seen[1], holder)
            made = self._made(kind, part)
            if type(made) is bytes:
                self._left -= 1 + len(made) // FLAT_BYTES
                if self._left < 0:
                    raise OverBudgetError
                if len(made) > INLINE:
                    made = short(made)
                self._known[id(part)] = (part, made)
                return made
        self._left -= OPENED + len(made.parts) // FLAT_ITEMS + made.written // FLAT_BYTES
        if self._left < 0:
            raise OverBudgetError
        node = _Node(part, made, self._met)
        self._met += 1
        self._open.append(node)
        if kind is not Parts:
            self._known[id(part)] = (part, node)
        return None

    def _seen_again(self, part: Any, known: bytes | _Node, holder: _Node) -> bytes | _Node:
        if type(known) is bytes:
            return known
        assert isinstance(known, _Node)
        if known.low >= 0:  # it is open: what holds it is part of a cycle
            holder.low = min(holder.low, known.index)
            holder.cyclic = True
            return known
        encoding = self._graph(known)
        self._known[id(part)] = (part, encoding)
        return encoding

    def _close(self, node: _Node, holder: _Node) -> None:
        """All parts of `node` are known."""
        if node.made.order and not _sorted(node):
            self.weak = True
        if node.low < node.index:
            holder.low = min(holder.low, node.low)
            holder.cyclic = True
            holder.got.append(node)
            return
        if self._open[-1] is node and not node.cyclic:
            encoding = node.made.whole(node.got)  # type: ignore[arg-type]
            if len(encoding) > INLINE and holder.index >= 0:
                encoding = short(encoding)
            self._open.pop()
        else:
            self.cyclic = True
            while node.low >= 0:
                self._open.pop().low = -1
            encoding = self._graph(node)
        if type(node.value) is not Parts:
            self._known[id(node.value)] = (node.value, encoding)
        holder.got.append(encoding)

    def _graph(self, root: _Node) -> bytes:
        """Objects that hold each other, as seen from `root`."""
        numbers: dict[_Node, int] = {root: 0}
        order = [root]
        encoded = []
        for node in order:  # grows while it is read
            self._spend(1 + len(node.got) // FLAT_ITEMS)
            got = []
            for each in node.got:
                if isinstance(each, bytes):
                    got.append(each)
                    continue
                if each not in numbers:
                    numbers[each] = len(order)
                    order.append(each)
                got.append(frame(b"^", b"%d" % numbers[each]))
            encoded.append(node.made.whole(got))
        return short(frame(b"Y", *encoded))

    def _spend(self, work: int) -> None:
        if self._left < work:
            raise OverBudgetError  # what is not done is not spent
        self._left -= work

    # what a value is made of

    def _made(self, kind: type, value: Any) -> Encoded:
        try:
            encode, weigh = self._encoders[kind]
        except KeyError:
            encode, weigh = self._encoders[kind] = encoder_of(kind, self._aside), weight_of(kind)
        if weigh is not None:
            self._spend(weigh(value))
        return self.described(value) if encode is None else encode(self, value)

    def described(self, value: Any) -> Encoded:
        """A value without a canonical form, as the pickler sees it."""
        self._spend(DESCRIBED)
        made = reduced(value)
        self.weak = True
        name = self.name_of(type(value))
        self._mute = made is None
        # What nothing is known of equals nothing.
        return frame(b"?", name, os.urandom(16)) if made is None else wrapped(b"R", made, name)

    def name_of(self, kind: type) -> bytes:
        """Module and qualified name of a class, with its code if it is one of the notebook."""
        known = self._names.get(kind)
        if known is None:
            module, name = _MODULE.__get__(kind), _QUALNAME.__get__(kind)
            code = self.code_of(kind)
            said = f"{module}.{name}".encode("utf-8", "surrogatepass")
            known = said if code is None else frame(b"#", said, code, *self._read(kind))
            self._names[kind] = known
        return known

    def _read(self, kind: type) -> list[bytes]:
        """What the methods of a class read, beside the plain data that its code counts with.

        A client that they use is no reason to call their instances incomparable: what cannot be compared, or is too
        large, counts by its type.
        """
        read = self.read_by(kind) if id(kind) not in self._asked else {}
        self.reads = self.reads or bool(read)
        return [
            frame(b"r", name.encode("utf-8", "surrogatepass"), _apart(self, kind, read[name])) for name in sorted(read)
        ]


_MODULE: Final = vars(type)["__module__"]
_QUALNAME: Final = vars(type)["__qualname__"]
"""Read past the metaclass, which may answer as it likes."""


def _no_code(_: Any) -> None:
    return None


def _sorted(node: _Node) -> bool:
    """Bring the parts of a set or a dict into the order of their bytes. False where they have none."""
    got, order = node.got, node.made.order
    parts = got if order == ITEMS else got[::2]
    if any(type(each) is _Node for each in parts):
        return False
    if order == ITEMS:
        got.sort()
    elif order == PAIRS:
        pairs = sorted(zip(parts, got[1::2], strict=True), key=_by_bytes)
        node.got = [part for pair in pairs for part in pair]
    return True


def _by_bytes(pair: Sequence[Any]) -> tuple[Any, ...]:
    key, item = pair
    return (key, item) if isinstance(item, bytes) else (key, b"")


def _apart(walk: Walk, kind: type, value: Any) -> bytes:
    """What a class reads, as it stands in its name."""
    own = Walk(walk._how)
    own._asked = walk._asked | {id(kind)}
    own._left = given = max(walk._left, 0) / 2
    try:
        found = short(own.bytes_of(value))
    except OverBudgetError:
        own.unknown = True
    walk._left -= given - max(own._left, 0)
    if own.unknown:
        return frame(b"?", f"{_MODULE.__get__(type(value))}.{_QUALNAME.__get__(type(value))}".encode())
    walk.weak = walk.weak or own.weak
    return found


def short(encoding: bytes) -> bytes:
    """An encoding as it stands in what holds it."""
    if len(encoding) <= INLINE:
        return encoding
    return b"#" + blake2b(encoding, digest_size=32).digest()
