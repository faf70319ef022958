"""Planted bugs of owning. Each is put into every process of a race by name; the races must find every one."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from jupyter_durable.client import accepting, finding, launching, ownership
from jupyter_durable.client.process import Process
from jupyter_durable.store.base import Filter, NotAsRead
from jupyter_durable.store.sqlite import care, journal, statements, writing
from jupyter_durable.store.sqlite.store import SqliteStore
from jupyter_durable.store.writer import Writer
from tests.crash.mutants import replace


def _begun_whoever_owns_it() -> None:
    """Acquiring does not compare the epoch that the decision was taken from."""
    begin = SqliteStore.begin

    def blind(self: SqliteStore, serial: int, *args: Any, epoch: int | None = None) -> Any:
        now = next(row.epoch for row in self.requests(Filter()) if row.serial == serial)
        return begin(self, serial, *args, epoch=now)

    replace(SqliteStore, "begin", blind)


def _settled_whoever_owns_it() -> None:
    """A request that looked ownerless is settled, although somebody has begun to run it since."""
    settle = SqliteStore.settle

    def blind(self: SqliteStore, serial: int, epoch: int, status: str, at: float) -> None:
        now = next(row.epoch for row in self.requests(Filter()) if row.serial == serial)
        settle(self, serial, now, status, at)

    replace(SqliteStore, "settle", blind)


def _accepted_beside_another() -> None:
    """A new request is accepted, although somebody has accepted one since none was found."""
    accept = SqliteStore.accept
    replace(SqliteStore, "accept", lambda self, new, calls=(), *, seen=None: accept(self, new, calls))


def _acted_on_without_deciding_anew() -> None:
    """After `NotAsRead` the request is read again, and who owns it by now is not asked."""
    acquired = launching._acquired

    def again(process: Process, row: Any, wanted: Any, spec: Any) -> Any:
        with contextlib.suppress(NotAsRead):
            return acquired(process, row, wanted, spec)
        return acquired(process, process.store.request(row.id), wanted._replace(take_over=True), spec)

    replace(launching, "_acquired", again)


def _the_lease_decides_of_the_living() -> None:
    """A process that lives loses its request when its lease has run out by the wall clock of another one."""

    holder = ownership.holder

    def in_its_lease(row: Any, now: float, *, ours: bool) -> Any:
        return holder(row, now, ours=ours) if ours or row.lease_until > now else None

    replace(ownership, "holder", in_its_lease)


def _stopped_is_gone() -> None:
    """A process that was stopped counts as dead."""
    replace(ownership, "_GONE", ("Z", "X", "T"))


def _zombies_live() -> None:
    """A zombie counts as alive."""
    replace(ownership, "_GONE", ("X",))


def _no_fence() -> None:
    """Writes of a run are taken whatever its epoch."""
    record = statements.RECORD.replace("AND epoch = ?", "AND ? > 0")
    fence = statements.FENCE.replace("AND epoch = ?", "AND ? > 0")
    for module in (statements, writing, journal):
        for name, sql in (("RECORD", record), ("FENCE", fence)):
            if hasattr(module, name):
                setattr(module, name, sql)


def _begun_anew_beside_the_owner() -> None:
    """A cell whose request somebody else runs begins another one in silence."""
    goes_on = finding._goes_on

    def silently(process: Process, row: Any, cell: Any) -> bool:
        return process.holder(row) is None and goes_on(process, row, cell)

    replace(finding, "_goes_on", silently)


def _submitted_twice() -> None:
    """Whoever submits with a known idempotency key begins the request, too."""
    accept = accepting.accept
    replace(accepting, "accept", lambda *args: (accept(*args)[0], True))
    _begun_whoever_owns_it()


def _swept_as_it_was_listed() -> None:
    """A sweep removes what it has listed, although somebody has begun to run it since."""

    def blind(cursor: sqlite3.Cursor, serial: int, moment: float) -> bool:
        cursor.execute("UPDATE request SET deleted = 1, epoch = epoch + 1 WHERE serial = ?", (serial,))
        return True

    run = Writer.run

    def slowly(self: Writer, body: Any) -> Any:
        time.sleep(0.02 * (getattr(body, "func", None) is blind))
        return run(self, body)

    replace(care, "_condemn_again", blind)
    replace(Writer, "run", slowly)


def _deleted_whoever_runs_it() -> None:
    """A request that nobody ran when it was looked at is deleted, although somebody has begun to run it since."""

    def blind(cursor: sqlite3.Cursor, serial: int) -> None:
        cursor.execute("UPDATE request SET deleted = 1, epoch = epoch + 1 WHERE serial = ?", (serial,))

    replace(care, "condemn", blind)


class Mutant(NamedTuple):
    """One planted bug, and the races in which it shows."""

    plant: Callable[[], None]
    owners: tuple[str, ...]
    deeds: tuple[str, ...]


MUTANTS: Final = {
    "begun whoever owns it": Mutant(_begun_whoever_owns_it, ("dead", "failed"), ("replay", "cell", "application")),
    "settled whoever owns it": Mutant(_settled_whoever_owns_it, ("dead", "zombie"), ("cancel",)),
    "accepted beside another": Mutant(_accepted_beside_another, ("none",), ("cell", "application")),
    "acted on without deciding anew": Mutant(_acted_on_without_deciding_anew, ("dead", "failed"), ("replay", "cell")),
    "the lease decides of the living": Mutant(_the_lease_decides_of_the_living, ("alive", "stopped"), ("replay",)),
    "stopped is gone": Mutant(_stopped_is_gone, ("stopped",), ("replay", "cell")),
    "zombies live": Mutant(_zombies_live, ("zombie",), ("replay", "cell")),
    "no fence": Mutant(_no_fence, ("taken over",), ("replay",)),
    "begun anew beside the owner": Mutant(_begun_anew_beside_the_owner, ("alive", "dead"), ("cell", "application")),
    "swept as it was listed": Mutant(_swept_as_it_was_listed, ("failed",), ("gc",)),
    "deleted whoever runs it": Mutant(_deleted_whoever_runs_it, ("dead", "zombie", "failed"), ("delete",)),
    "submitted twice": Mutant(_submitted_twice, ("none",), ("submit",)),
}


def plant(name: str | None) -> None:
    """Put a bug into this process."""
    if name is not None:
        MUTANTS[name].plant()
