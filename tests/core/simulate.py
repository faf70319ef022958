"""A small engine over the matcher: random programs, edits, crashes at random commits, replays of replays.

It does to the matcher what the runner does, in the same order, with a journal in memory. The value of a call is a hash
of its function, its arguments and the values of its children, so a value that belongs to another call shows at once.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

from jupyter_durable.core.calltree import CallTree, walk
from jupyter_durable.core.model import ROOT, ArgumentsDecide, CallRow, Flag, Kind, Reached, Status
from jupyter_durable.core.replay import AdaptiveMatcher, Body, WrongMatch, carried, reusable
from tests.core.support import Records, row


class Crash(Exception):
    """The process is killed."""


class Spec(NamedTuple):
    """One call written in a body."""

    name: str
    argument: str
    own: bool = False
    """The caller's argument is an argument, too (loops over its input)."""
    chained: bool = False
    """The results of all calls before are an argument, too, in no order."""
    volatile: bool = False
    """So is the current time."""


Program = dict[str, tuple[Spec, ...]]
"""Bodies by function name. `root` is the root; a function without a body is a leaf."""


def hashed(*parts: object) -> str:
    return blake2b(repr(parts).encode(), digest_size=8).hexdigest()


def expected(program: Program, name: str = "root", argument: str = "") -> str:
    """What a run without any checkpoint returns. For programs without volatile arguments."""
    values: list[str] = []
    for spec in program.get(name, ()):
        values.append(expected(program, spec.name, _argument(spec, argument, values)))
    return hashed(name, argument, sorted(values))


def _argument(spec: Spec, own: str, values: list[str]) -> str:
    parts = [spec.argument]
    parts += [own] if spec.own else []
    parts += sorted(values) if spec.chained else []
    return "+".join(parts)


@dataclass
class World:
    """One request: its journal, and how many more commits it lives."""

    draw: random.Random
    rows: dict[int, CallRow] = field(default_factory=dict)
    reached: list[Reached] = field(default_factory=list)
    decided: list[ArgumentsDecide] = field(default_factory=list)
    run_no: int = 0
    commits_left: int = 10**9
    executions: int = 0
    waiting: list[CallRow | Reached] = field(default_factory=list)
    """Writes that are lost in a crash; else they are in the next commit, with or before its outcome."""
    matcher: type[AdaptiveMatcher] = AdaptiveMatcher
    weak: bool = False

    def run(self, program: Program, crash_after: int | None = None) -> str | None:
        """One run; None when it was killed."""
        self.run_no += 1
        self.waiting.clear()
        self.commits_left = 10**9 if crash_after is None else crash_after
        root = self.rows.get(ROOT) or row(ROOT, 0, "root", "", parent=0)
        if reusable(root) and ROOT in self.rows:
            root = root._replace(flags=root.flags | Flag.SET_ASIDE)
        try:
            return self._execute(program, root, _Place(self.run_no << 16, 0, "root", "", b""))
        except Crash:
            return None

    def marks(self) -> int:
        """How many calls of the tree, as it is shown, carry the mark `arguments changed`."""
        tree = CallTree()
        tree.apply([*self.rows.values(), *self.reached])
        root = tree.tree(self.run_no, live=False)
        assert root is not None
        return sum(node.args_changed for node in walk(root))

    def _commit(self, row: CallRow, reached: list[Reached]) -> None:
        if self.commits_left == 0:
            raise Crash
        self.commits_left -= 1
        for write in [*self.waiting, *reached, row]:
            if isinstance(write, CallRow):
                self.rows[write.identity] = write
            else:
                self.reached.append(write)
        self.waiting.clear()

    def _execute(self, program: Program, was: CallRow, place: _Place) -> str:
        """Execute a call under its identity, starting its body over while a match turns out to be wrong."""
        self.executions += 1
        started = was._replace(
            pass_no=place.pass_no,
            seq=place.seq,
            name=place.name,
            digest=place.digest,
            status=Status.RUNNING,
            flags=carried(was.flags) | (Flag.WEAK if self.weak and place.seq % 2 else 0),
            children=None,
        )
        self.waiting.append(started)
        if self.draw.random() < 0.3:
            self._commit(started, [])
        body = 0
        while True:
            body += 1
            pass_no = self.run_no << 16 | body
            rule = frozenset[str]() if started.flags & Flag.TAKEN_OVER else None
            view = Records([], self.reached_of(was.identity), [d for d in self.decided if d.parent == was.identity])
            view.rows = _Children(self.rows, was.identity)
            matcher = self.matcher(view, Body(pass_no, rule))
            try:
                values = self._body(program, matcher, was.identity, pass_no, place)
            except WrongMatch as wrong:
                self.decided.append(ArgumentsDecide(was.identity, wrong.name, pass_no))
                self.reached.extend(matcher.take_reached())
                assert body < 50, "the body starts over for ever"
                continue
            break
        value = hashed(place.name, place.argument, sorted(values))
        outcome = started._replace(status=Status.SUCCEEDED, value=value.encode(), children=len(values))
        self._commit(outcome, matcher.take_reached())
        return value

    def reached_of(self, parent: int) -> list[Reached]:
        return [one for one in self.reached if one.parent == parent]

    def _body(
        self, program: Program, matcher: AdaptiveMatcher, identity: int, pass_no: int, place: _Place
    ) -> list[str]:
        values: list[str] = []
        for seq, spec in enumerate(program.get(place.name, ())):
            argument = _argument(spec, place.argument, values)
            digest = hashed(argument, self.draw.random() if spec.volatile else 0).encode()
            matched = matcher.match(seq, Kind.FUNCTION, spec.name, digest)
            found = matched.row
            if found is not None and reusable(found):
                assert found.value is not None
                values.append(found.value.decode())
                matcher.reuse(seq, found, Flag.ARGS_CHANGED if matched.args_changed else 0)
                continue
            new = found or row(max([*self.rows, self._last]) + 1, seq, spec.name, "", parent=identity)
            self._last = max(self._last, new.identity)
            at = _Place(pass_no, seq, spec.name, argument, digest)
            self.waiting.extend(matcher.take_reached() if self.draw.random() < 0.5 else [])
            values.append(self._execute(program, new, at))
            if found is not None:
                matcher.ended(found)
        return values

    _last: int = ROOT


class _Place(NamedTuple):
    """Where a call stands and what it is called with."""

    pass_no: int
    seq: int
    name: str
    argument: str
    digest: bytes


class _Children(dict[int, CallRow]):
    """The rows of one parent, live."""

    def __init__(self, rows: dict[int, CallRow], parent: int) -> None:
        self._rows, self._parent = rows, parent

    def __iter__(self):
        return iter([identity for identity, one in self._rows.items() if one.parent == self._parent])

    def __getitem__(self, identity: int) -> CallRow:
        return self._rows[identity]


def random_program(draw: random.Random, *, chained: bool = True) -> Program:
    """Two or three levels; the arguments of the calls of a body are distinct, as those of a set are."""
    leaf = tuple(Spec(draw.choice("kl"), a, own=draw.random() < 0.8) for a in draw.sample("uvw", draw.randrange(1, 4)))
    names = draw.choice(["f", "f", "fg"])
    loop = tuple(Spec(draw.choice(names), a) for a in draw.sample("abcdefgh", draw.randrange(2, 6)))
    tail = (Spec("end", "z", chained=True),) if chained and draw.random() < 0.5 else ()
    return {"root": loop + tail, "f": leaf, "g": tuple(spec._replace(chained=chained) for spec in leaf[:2])}


def edited(draw: random.Random, program: Program, kind: str) -> Program:
    """One edit of the body of the root. A call that takes the results of all others stays the last one."""
    body = [spec for spec in program["root"] if not spec.chained]
    tail = [spec for spec in program["root"] if spec.chained]
    at = draw.randrange(len(body))
    match kind:
        case "reorder":
            draw.shuffle(body)
        case "swap":
            other = draw.randrange(len(body))
            body[at], body[other] = body[other], body[at]
        case "insert used name":
            body.insert(draw.randrange(len(body) + 1), body[at]._replace(argument=draw.choice("mnop")))
        case "insert new name":
            body.insert(draw.randrange(len(body) + 1), Spec("new", "q"))
        case "delete":
            del body[at]
        case "rename":
            body[at] = body[at]._replace(name="renamed")
        case "change":
            body[at] = body[at]._replace(argument=draw.choice("mnop"))
        case "volatile":
            body[at] = body[at]._replace(volatile=True)
        case _:
            pass
    return {**program, "root": (*body, *tail)}


class Outcome(NamedTuple):
    """What a trial shows."""

    wrong: bool
    """The final result is not that of the program."""
    marks: int
    executions: int


STABLE = ("crash only", "reorder", "swap", "insert used name", "insert new name", "delete", "rename")
"""Edits after which every call either has the arguments it had or is new."""
DRIFTING = ("change", "volatile")


def trial(seed: int, kind: str, matcher: type[AdaptiveMatcher] = AdaptiveMatcher, *, chained: bool = False) -> Outcome:
    """Run, kill, edit, replay, kill, replay …, and let the last replay finish."""
    draw = random.Random(f"{kind} {seed}")
    world = World(draw, matcher=matcher, weak=draw.random() < 0.2)
    program = random_program(draw, chained=chained)
    world.run(program, draw.choice([None, draw.randrange(25)]))
    program = edited(draw, program, kind)
    for _replay in range(draw.randrange(3)):
        world.run(program, draw.randrange(20))
        if kind in ("reorder", "swap"):
            program = edited(draw, program, kind)
    result = world.run(program)
    right = {name: tuple(spec._replace(volatile=False) for spec in body) for name, body in program.items()}
    return Outcome(result != expected(right), world.marks(), world.executions)
