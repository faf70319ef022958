"""Planted bugs of the matchers. Each must be found by one of the laws, or the laws are worth nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from jupyter_durable.core.index import Index
from jupyter_durable.core.model import Flag
from jupyter_durable.core.places import Places
from jupyter_durable.core.replay import AdaptiveMatcher
from jupyter_durable.core.strict import StrictMatcher

__all__ = ["MUTANTS", "planted"]

first, claim = Index.first, Index.claim
by_place, match = AdaptiveMatcher._by_place, AdaptiveMatcher.match
index_init = Index.__init__


def claim_is_shared(self, position):
    found = claim(self, position)
    self._claimed[position] = 0
    return found


def place_before_arguments(self, seq, kind, name, digest):
    if self._index is None:
        return match(self, seq, kind, name, digest)
    found = by_place(self, seq, kind, name, digest)
    return found if found.row else match(self, seq, kind, name, digest)


def digest_ignored(self, kind, name, digest):
    code = self._codes.get((kind, name))
    return next((n for n, c in enumerate(self._code) if c == code and not self._claimed[n]), None)


def wrong_match_forgotten(self, seq, kind, name, digest):
    self._taken.clear()
    return by_place(self, seq, kind, name, digest)


def _without(**fields: Any) -> Callable[..., None]:
    def init(self, *args):
        index_init(self, *args)
        for name, value in fields.items():
            setattr(self, name, value)

    return init


def duplicates_backwards(self, kind, name, digest):
    position = first(self, kind, name, digest)
    if position is None:
        return None
    code = self._codes[kind, name]
    same = self._by_key[digest + code.to_bytes(4, "big")]
    return position if isinstance(same, int) else max(n for n in same if not self._claimed[n])


def oldest_pass(self, seq):
    at = [
        (stretch.pass_no, stretch.identity + seq - stretch.seq)
        for _, _, run in self._stretches
        for stretch in run
        if stretch.seq <= seq < stretch.seq + stretch.count
    ]
    if seq < len(self._passes) and self._passes[seq] >= 0:
        at.append((self._passes[seq], self._identities[seq]))
    return min(at, default=(-1, 0))


def reached_ignored(self, stretches):
    del self, stretches


def items_in_turn(self, first_seq, name, digests):
    return [self.match(first_seq + n, "map_item", name, digest) for n, digest in enumerate(digests)]


def not_taken_over(self, *args):
    found = by_place(self, *args)
    return found._replace(row=found.row._replace(flags=found.row.flags & ~Flag.TAKEN_OVER)) if found.row else found


def moved_forgotten(self, recorded, pass_no, claimed_up_to, _moved):
    index_init(self, recorded, pass_no, claimed_up_to, ())


def weak_served(self, position):
    found = claim(self, position)
    return found._replace(flags=self._flags[position]) if found.flags & Flag.WEAK else found


def nothing(self, *_args):
    del self


def place_rule_ignored(self, name):
    return bool(self) or bool(name)


def any_function(self, seq, kind, name):
    position = self._position(self._places.at(seq))
    return None if position is None or self._claimed[position] else position


MUTANTS: dict[str, list[tuple[type, str, Any]]] = {
    "a claim is not exclusive": [(Index, "claim", claim_is_shared)],
    "rule (2) before rule (1)": [(AdaptiveMatcher, "match", place_before_arguments)],
    "the digest is ignored": [(Index, "first", digest_ignored)],
    "WrongMatch is not raised": [(AdaptiveMatcher, "_by_place", wrong_match_forgotten)],
    "ArgumentsDecide is ignored": [(Index, "__init__", _without(_by_arguments_only=frozenset()))],
    "places of suspect passes count": [(Index, "_found_suspect", lambda self: frozenset())],
    "what a suspect pass executed counts by place": [(Index, "__init__", _without(_suspect=frozenset()))],
    "equal calls are claimed backwards": [(Index, "first", duplicates_backwards)],
    "the first run that reached a place counts": [(Places, "last", oldest_pass)],
    "reused calls stand nowhere": [(Places, "reached", reached_ignored)],
    "items of a map are matched in turn": [(AdaptiveMatcher, "match_items", items_in_turn)],
    "an identity taken over is not marked": [(AdaptiveMatcher, "_by_place", not_taken_over)],
    "a map in a loop takes the items of another": [(Index, "only_one", lambda self, position: True)],
    "where executed calls stood is forgotten": [(Index, "__init__", moved_forgotten)],
    "a weak digest of a suspect pass is served": [(Index, "claim", weak_served)],
    "rule (2) after a set-aside call has ended": [(AdaptiveMatcher, "ended", nothing)],
    "the place rule of a cell is ignored": [(AdaptiveMatcher, "_allowed", place_rule_ignored)],
    "rule (2) takes any function": [(Index, "at_place", any_function)],
    "strict: arguments of a sibling": [(StrictMatcher, "_refuse_sibling", nothing)],
    "strict: nothing is looked at in the end": [(StrictMatcher, "end", nothing)],
    "strict: the first run that reached a place counts": [(Places, "last", oldest_pass)],
}


@contextmanager
def planted(name: str) -> Iterator[None]:
    """The bug is there inside of the `with`."""
    with ExitStack() as stack:
        for owner, attribute, bug in MUTANTS[name]:
            stack.callback(setattr, owner, attribute, getattr(owner, attribute))
            setattr(owner, attribute, bug)
        yield
