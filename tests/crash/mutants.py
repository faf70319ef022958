"""Planted bugs. Each is put into the processes of a case by name; the harness must find every one.

The value of a mutant is the letters of the laws it may break, and the shapes in which it shows.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from jupyter_durable.client.engine import Engine
from jupyter_durable.core import model
from jupyter_durable.core.replay import NEW, AdaptiveMatcher
from jupyter_durable.runner import call as calls
from jupyter_durable.runner import scope, serving
from jupyter_durable.runner.call import ActiveCall
from jupyter_durable.runner.run import Run
from jupyter_durable.store import blobs
from jupyter_durable.store.pending import Pending
from jupyter_durable.store.sqlite import statements
from jupyter_durable.store.sqlite.journal import SqliteJournal
from jupyter_durable.store.sqlite.store import SqliteStore
from tests.crash.witness import witness


class Mutant(NamedTuple):
    """One planted bug."""

    plant: Callable[[], None]
    laws: str
    shapes: Sequence[str]


def plant(name: str | None) -> None:
    """Put a bug into this process."""
    if name is not None:
        MUTANTS[name].plant()


def replace(owner: Any, name: str, value: Any) -> None:
    """Change a method or a function of this process."""
    assert hasattr(owner, name)
    setattr(owner, name, value)


def _acknowledged_before_commit() -> None:
    """`record` returns at once; the row goes out with the next group."""

    def record(self: SqliteJournal, row: Any, writes: Sequence[Any] = ()) -> None:
        for write in (row, *writes):
            self.later(write)

    replace(SqliteJournal, "record", record)


def _accepted_before_commit() -> None:
    """`submit` returns before the request is durable."""
    real = Engine.submit

    class Early:
        def __init__(self, begin: Callable[[], Any]) -> None:
            self.id = "early"
            self._begin = begin

        def wait(self, timeout: float) -> Any:
            witness().point()
            return self._begin().wait(timeout)

    def submit(self: Any, *arguments: Any) -> Any:
        return Early(lambda: real(self, *arguments))

    replace(Engine, "submit", submit)


def _started_mark_not_durable() -> None:
    """A call with retries runs before its started mark is durable: an attempt that is killed is forgotten."""

    def mark(call: ActiveCall) -> None:
        call.marked = True

    replace(calls, "mark_durably", mark)


def _interrupted_attempts_do_not_count() -> None:
    """A replay tries an interrupted call from attempt 1."""
    enter = ActiveCall.enter

    def forget(self: ActiveCall, row: Any, args: Any, kwargs: Any) -> None:
        enter(self, row, args, kwargs)
        self.attempts = 0

    replace(ActiveCall, "enter", forget)


def _identity_not_kept() -> None:
    """A call that executes again gets a new identity: its finished children are not found."""
    enter = ActiveCall.enter
    replace(ActiveCall, "enter", lambda self, row, args, kwargs: enter(self, None, args, kwargs))


def _marks_of_callers_not_written() -> None:
    """Started marks are dropped: the children of a killed call hang on nothing."""
    later = SqliteJournal.later

    def drop(self: SqliteJournal, write: Any) -> None:
        if not (isinstance(write, model.CallRow) and write.status == "running"):
            later(self, write)

    replace(SqliteJournal, "later", drop)


def _digest_ignored() -> None:
    """All arguments look alike: a call is served the first record of its function."""
    replace(scope, "args_digest", lambda params, args, kwargs, how: (b"d" * 16, False))


def _value_of_another_call() -> None:
    """A call is served what the one before it was served."""
    real = Run.__init__

    def begin(self: Run, *arguments: Any) -> None:
        real(self, *arguments)
        served: list[Any] = []

        def swapped(row: Any) -> Any:
            served.append(self.sealer.open(row))
            return served[-2] if len(served) > 1 else served[-1]

        replace(self, "open_value", swapped)

    replace(Run, "__init__", begin)


def _blob_after_row() -> None:
    """The row names a blob that is renamed into place only later, and nobody looks whether it is there."""
    put = blobs.BlobFolder.put

    def late(self: blobs.BlobFolder, head: bytes, buffers: Any) -> bytes:
        aside = blobs.BlobFolder(self.path.parent / f"late-{secrets.token_hex(4)}")
        key = put(aside, head, buffers)

        def move() -> None:
            target = self._file(key)
            target.parent.mkdir(parents=True, exist_ok=True)
            time.sleep(0.01)
            witness().point()
            os.replace(aside._file(key), target)

        threading.Thread(target=move).start()
        return key

    replace(blobs.BlobFolder, "put", late)
    replace(blobs.BlobFolder, "ensure", lambda self, key: None)


def _root_not_in_the_end() -> None:
    """The end of a run says succeeded, and the outcome of the root comes in a transaction of its own."""
    finish = SqliteJournal.finish

    def late(self: SqliteJournal, end: Any) -> None:
        finish(self, end._replace(root=None))
        if end.root is not None:
            self._writer.run(lambda cursor: cursor.execute(
                statements.RECORD, (*end.root, self.lease.serial, self.lease.epoch + 1)))  # fmt: skip

    replace(SqliteJournal, "finish", late)


def _reused_state_not_applied() -> None:
    """A reused call does not write its state again."""
    replace(serving, "apply_writes", lambda parent, row: None)


def _half_is_not_found() -> None:
    """Every second recorded success is overlooked."""
    match = AdaptiveMatcher.match

    def lenient(self: AdaptiveMatcher, seq: int, kind: str, name: str, digest: bytes) -> Any:
        found = match(self, seq, kind, name, digest)
        return NEW if found.row is not None and found.row.status == "succeeded" and seq % 2 else found

    replace(AdaptiveMatcher, "match", lenient)


def _queued_write_forgotten() -> None:
    """A group commit drops the first of several queued writes."""
    take = Pending.take

    def forget(self: Pending) -> list[Any]:
        taken = take(self)
        return taken[1:] if len(taken) > 1 else taken

    replace(Pending, "take", forget)


def _set_asides_apart() -> None:
    """What a replay sets aside is written in a transaction after the one that begins it."""
    real = SqliteStore.begin

    def begin(self: SqliteStore, serial: int, owner: Any, run: Any, lease_until: float, **options: Any) -> Any:
        lease = real(self, serial, owner, run._replace(set_aside=()), lease_until, **options)

        def write(cursor: Any) -> None:
            for call in run.set_aside:
                cursor.execute(statements.SET_ASIDE_COPY, (serial, *call))
                cursor.execute(statements.SET_ASIDE_FLAG, (serial, *call))

        self._writer.run(write)
        return lease

    replace(SqliteStore, "begin", begin)


def _reached_not_written() -> None:
    """Where a replay served its calls is not kept."""
    replace(AdaptiveMatcher, "take_reached", lambda self: [])


MUTANTS: Final = {
    "acknowledged before the commit": Mutant(_acknowledged_before_commit, "ab", ("sequential", "reduce", "class")),
    "accepted before the commit": Mutant(_accepted_before_commit, "e", ("sequential",)),
    "started mark not durable before a retried call": Mutant(_started_mark_not_durable, "i", ("retries",)),
    "interrupted attempts do not count": Mutant(_interrupted_attempts_do_not_count, "i", ("retries",)),
    "identity not kept over replays": Mutant(_identity_not_kept, "ab", ("nested", "map", "class")),
    "marks of callers not written": Mutant(_marks_of_callers_not_written, "ab", ("nested", "map", "timeout")),
    "digest ignored": Mutant(_digest_ignored, "c", ("upgrade",)),
    "value of another call": Mutant(_value_of_another_call, "ac", ("sequential", "map")),
    "row before its blob": Mutant(_blob_after_row, "sf", ("sequential",)),
    "root outcome not in the end of the run": Mutant(_root_not_in_the_end, "s", ("sequential", "nested")),
    "state of reused calls not applied": Mutant(_reused_state_not_applied, "s", ("state",)),
    "every second record not found": Mutant(_half_is_not_found, "ab", ("sequential", "progress")),
    "set-asides not in the begin of the run": Mutant(_set_asides_apart, "r", ("set aside",)),
    "where calls were served is not written": Mutant(_reached_not_written, "ac", ("shifted",)),
    "a queued write is forgotten": Mutant(_queued_write_forgotten, "ab", ("nested", "async")),
}
