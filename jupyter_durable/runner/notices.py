"""What a run tells its user once, above all why calls are not found again.

Rules of this file
- A call that executes although a result is recorded at its place is explained: what in its arguments differs. One that
  was inserted is not: the next one is found by its arguments, so two such calls, or the end of the body, are awaited.
- An argument that is too large to be compared is named when it is first met.
- Nothing here decides anything, and no value is told.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from jupyter_durable.core.model import CallRow
from jupyter_durable.core.replay import reusable
from jupyter_durable.errors import DeserializationError
from jupyter_durable.records import NamedTuple
from jupyter_durable.runner.body import Body
from jupyter_durable.runner.sealing import Sealer, preview
from jupyter_durable.serializer.digest import named_arguments, over_budget
from jupyter_durable.serializer.digesting import Digesting
from jupyter_durable.serializer.pickler import describe
from jupyter_durable.spec import Spec

if TYPE_CHECKING:
    from jupyter_durable.serializer.differ import Comparing, Difference

REMEDY: Final = (
    "What is another one in each run keeps a call from being found: leave it out of the arguments, or take it from "
    "jupyter_durable.now(), random() or uuid4(), which are recorded"
)
UNKNOWN: Final = (
    "It can be compared with nothing, so the call is never found by its arguments: pass what is needed of it, or let "
    "the function read it as a global"
)
SMALLER: Final = (
    "pass what is needed of it, let the function read it as a global, or raise `configure(digest_budget=…)`"
)


class _Missed(NamedTuple):
    """A call that was new although a result stands at its place."""

    identity: int
    """That of the recorded call."""
    text: str


Recorded = Callable[[int, int], CallRow | None]
"""Reads a call from the journal: its caller's identity and its own. None where there is none."""


class Notices:
    """What one run has to say."""

    def __init__(
        self,
        tell: Callable[[str], None],
        recorded: Recorded,
        sealer: Sealer,
        digesting: Digesting,
        *,
        by_place: bool,
    ) -> None:
        self._tell_user = tell
        self._by_place = by_place
        self._recorded_call = recorded
        self._sealer = sealer
        self._digesting = digesting
        self._lock = threading.Lock()
        self._warned: set[str] = set()
        self._told: set[tuple[str, str]] = set()
        self.missed: dict[tuple[int, str], _Missed] = {}
        """By caller and function: told when another one is missed, or when the body has ended."""

    def warn(self, text: str) -> None:
        """Tell the user something, once in this run."""
        with self._lock:
            if text in self._warned:
                return
            self._warned.add(text)
        self._tell_user(text)

    def too_large(self, spec: Spec, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """An argument is over the budget of a digest."""
        if not self._first("large", spec.name):
            return
        limit = f"{self._digesting.budget * 1000:g} ms"
        for name in over_budget(spec.params, args, kwargs, self._digesting):
            self.warn(
                f"{spec.name}: its argument `{name}` has too many parts to be compared within {limit}; where its "
                f"pickled bytes are others, too, a replay finds the call by its place only. To have it found: {SMALLER}"
            )

    def ran_again(
        self, caller: int, identity: int, spec: Spec, arguments: tuple[tuple[Any, ...], Any], *, sure: bool
    ) -> None:
        """A call executes although the record `identity` stands at its place below `caller`, an identity too.

        `sure`: it takes that record over.
        """
        # A fork with another input has other arguments because it was told to.
        if ("again", spec.name) in self._told or not self._by_place:
            return
        key = caller, spec.name
        before = self.missed.pop(key, None)
        if before is not None:
            self._tell(spec.name, before)
            return
        row = self._recorded_call(caller, identity)
        text = self._why(row, spec, *arguments) if row is not None and reusable(row) else None
        if text is None:
            return
        if sure:
            self._tell(spec.name, _Missed(identity, text))
        else:
            self.missed[key] = _Missed(identity, text)

    def ended(self, caller: int, body: Body) -> None:
        """The body of `caller` has ended: what is recorded and was not claimed was missed."""
        for key in [key for key in self.missed if key[0] == caller]:
            missed = self.missed.pop(key)
            if body.matcher is None:
                continue
            with body.lock:
                claimed = body.matcher.is_claimed(missed.identity)
            if not claimed:
                self._tell(key[1], missed)

    def _tell(self, name: str, missed: _Missed) -> None:
        if self._first("again", name):
            self.warn(missed.text)

    def _first(self, what: str, name: str) -> bool:
        """Whether this is the first time; two threads may both say so, and `warn` says it once."""
        if (what, name) in self._told:
            return False
        self._told.add((what, name))
        return True

    def _why(self, row: CallRow, spec: Spec, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str | None:
        from jupyter_durable.serializer.differ import (
            Comparing,
            incomparable,
        )  # for a call that was to be served and is not

        now = named_arguments(spec.params, args, kwargs)
        try:
            then, only_previews = self._recorded(row, spec)
        except DeserializationError:
            then, only_previews = {}, True
        by = Comparing(self._digesting)
        found = [] if only_previews else _differences(then, now, by)
        if found:
            told = ", ".join(f"`{each.path}` ({each.kind})" for each in found)
            return f"{spec.name} ran again: of the arguments recorded at its place differs {told}. {REMEDY}"
        hidden = [incomparable(name, value, by) for name, value in now.items()]
        told = ", ".join(f"`{each.path}` ({each.kind})" for each in hidden if each is not None)
        if told:
            return f"{spec.name} ran again: nobody can tell whether {told} is the recorded one. {UNKNOWN}"
        others = [name for name, value in now.items() if name in then and preview(value) != str(then[name])]
        told = ", ".join(f"`{name}` ({describe(now[name])})" for name in others or now)
        return f"{spec.name} ran again: of the arguments recorded at its place differs {told}. {REMEDY}"

    def _recorded(self, row: CallRow, spec: Spec) -> tuple[dict[str, Any], bool]:
        """The recorded arguments by name, and whether only texts of them are kept. Raises `DeserializationError`."""
        if row.inputs is None:
            return {}, True
        (args, kwargs), only_previews = self._sealer.inputs(row)
        return named_arguments(spec.params, args, kwargs), only_previews


def _differences(then: Mapping[str, Any], now: Mapping[str, Any], by: Comparing) -> list[Difference]:
    from jupyter_durable.serializer.differ import difference

    return [
        found
        for name, value in now.items()
        if name in then and (found := difference(name, then[name], value, by)) is not None
    ]
