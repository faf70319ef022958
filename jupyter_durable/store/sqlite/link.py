"""The one connection of a store to its file.

Rules of this file
- One stdlib connection for everything, guarded by `lock`; a second one, of the same library, only runs checkpoints.
- No automatic checkpoint. SQLite before 3.51.3 (3.50.7, 3.44.6) can corrupt the file when one connection checkpoints
  while another writes, so: take the write lock, PASSIVE on the second connection, let go. Safe on every version.
- It is opened by `opening` alone, at first as after an error. For who only looks at a file of somebody else's, the file
  is foreign again when its schema has changed.
- The live files are never opened by anything else in this process: POSIX locks would be lost, and commits with them.
- An fsync that failed is never repeated: the connection is closed and opened again (`reopen`).
- Where the files no longer stand where they were opened, nothing is written any more: every write is a `StoreGone`,
  reading goes on, and `copy` keeps what is open here. Looked at by the store's thread (`check_place`), never by a call.
- After a fork the child forgets the connections without closing them; every use is a `StoreError`.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from jupyter_durable.errors import StoreError, StoreGone
from jupyter_durable.files import make_folder, new_file, sync_directory
from jupyter_durable.store.mounts import is_network
from jupyter_durable.store.place import Place
from jupyter_durable.store.sqlite.faults import read_failed, write_failed
from jupyter_durable.store.sqlite.frames import kept_logs
from jupyter_durable.store.sqlite.making import has_two_names, make_private, two_names, why_read_only
from jupyter_durable.store.sqlite.opening import Opener
from jupyter_durable.store.sqlite.patience import LIVING_SECONDS, Patience, Tell, log
from jupyter_durable.store.sqlite.watch import STEPS, Limit, Watch

CHECKPOINT_EVERY: Final = 200
"""Commits between checkpoints: a recycled WAL halves the cost of a commit, and a fresh one is not recycled yet."""
WORK_SECONDS: Final = 600.0
"""How long a check of the whole file may take where there is a limit."""
WAITS: Final = 5.0
"""How many times longer than a statement takes who only looks waits for who holds the file: it may be a sound one."""


class _Forked:
    """Called in the child after a fork; lives as long as the process, and keeps the connections unclosed."""

    def __init__(self, link: Link) -> None:
        self.link = weakref.ref(link)
        self.kept: object = None

    def __call__(self) -> None:
        link = self.link()
        if link is not None:
            self.kept = link.drop()


class _Unusable:
    """Stands in for the lock and cursor of a store that cannot be used: whatever is asked of it fails."""

    def __init__(self, message: str, kind: type[StoreError] = StoreError) -> None:
        self._message = message
        self._kind = kind

    def _refuse(self, *_: object) -> NoReturn:
        raise self._kind(self._message)

    __enter__ = __exit__ = locked = execute = executemany = set_progress_handler = _refuse


class _Broken:
    """Stands in for a connection that could not be opened again: every use reports the error, the next may mend it."""

    in_transaction = False

    def __init__(self, text: str) -> None:
        self._text = text

    def execute(self, *_: object) -> NoReturn:
        error = sqlite3.OperationalError(self._text)
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR
        raise error

    executemany = set_progress_handler = execute

    def close(self) -> None:
        return None


class Link:
    """The connection, its lock, and how it is checkpointed, copied, reopened and dropped."""

    def __init__(
        self, path: Path, *, network: bool | None = None, tell: Tell = log, limit: Limit | None = None
    ) -> None:
        self.path = path
        self.tell = tell
        """Told when another process has to be waited for, and of logs that were damaged."""
        self.limit = limit
        """Set by who only looks."""
        self.name = str(path)
        # Typed loosely: replaced by stand-ins that refuse after a fork or a close, so that the hot path need not ask.
        self.lock: Any = threading.Lock()
        self.cursor: Any = None
        self.connection: Any = None
        self.commits = 0
        """Commits since the last checkpoint."""
        self.unusable: str | None = None
        self.gone: str | None = None
        """What happened to the files, when they are not where they were opened."""
        self.copied = False
        """Whether all that is open was copied since the files are gone."""
        self.running: Callable[[], Sequence[str]] = tuple
        """The requests that this process writes."""
        self.beside: list[Callable[[], str | None]] = []
        """Say what happened to what else belongs to the store."""
        self._second: sqlite3.Connection | None = None
        self._to_empty = False
        """Whether the log still holds what was deleted, because others read it."""
        self._linked = False
        """Whether it was told that the file has another name. Who comes by that one is refused."""
        self._network = is_network(path.parent) if network is None else network
        self._opener = Opener(path, network=self._network, limit=limit)
        make_private(path)
        try:
            self._open()
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise (why_read_only(path) or read_failed(self.name, error)) from error
        for text in kept_logs(path):  # the error was for who opened it first
            tell(text)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_Forked(self))
        if self._network:
            warnings.warn(
                f"{path} is on a network file system: each checkpoint is slower there, and several kernels wait for"
                " each other. Keep the store on a local disk (configure(store=...)), or use the remote backend",
                UserWarning,
                stacklevel=2,
            )

    def patience(self) -> Patience:
        """For one piece of work."""
        return Patience(self.path, self.tell, LIVING_SECONDS if self.limit is None else WAITS * self.limit())

    def watch(self) -> Watch:
        """For one statement that reads."""
        return Watch(None if self.limit is None else self.limit())

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """While the store's thread works on a file that somebody only looks at, which may be foreign."""
        if self.limit is None:
            yield
            return
        try:
            self.connection.set_progress_handler(Watch(self.limit()), STEPS)
            yield
        finally:
            self.connection.set_progress_handler(None, 0)

    def give_up(self) -> None:
        """End what runs on a file that somebody only looks at: closing it must not wait for what never ends."""
        if self.limit is not None:
            self.connection.interrupt()

    def refuse_changed_schema(self) -> None:
        """Look again where the schema is another one by now. The caller holds `lock`."""
        self._opener.refuse_changed_schema(self.connection)

    def _open(self) -> None:
        connection = self._opener.open(self.patience())
        self.connection = connection
        self.cursor = connection.cursor()
        self._place = Place(self.path, () if self._network else ("-wal", "-shm"), self.beside)

    def checkpoint(self) -> tuple[int, int]:
        """Move the WAL into the file: (frames in the WAL, frames moved). The caller holds `lock`; store thread only.

        Called by count, never in a loop: two processes in tight loops starve the restart of the log.
        """
        self.commits = 0
        if self._network or self._place.changed() is not None:
            return 0, 0
        if self._second is None:
            self._second = sqlite3.connect(self.name, timeout=0, isolation_level=None, check_same_thread=False)
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            _, frames, moved = self._second.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        finally:
            self.connection.execute("ROLLBACK")
        if self._to_empty:
            self._empty_log(self._second)  # which does not wait for who reads
        return int(frames), int(moved)

    def check_place(self) -> None:
        """Whether the files stand where they were opened; the caller holds `lock`. Raises `StoreGone`."""
        what = self._place.changed()
        if what is not None:
            self.gone = what
            error = StoreGone(_gone_text(what, self.running()))
            self.cursor = _Unusable(str(error), StoreGone)
            raise error
        if self.gone is not None:
            self.gone, self.copied = None, False
            self.cursor = self.connection.cursor()
        with contextlib.suppress(OSError):  # as in `place`: what cannot be looked at
            if not self._linked and has_two_names(self.path):
                self._linked = True
                self.tell(two_names(self.path))

    def failed(self, error: BaseException) -> StoreError:
        """The error for whoever waits for a write: what happened to the files explains all others."""
        what = self._place.changed()
        return write_failed(self.name, error) if what is None else StoreGone(_gone_text(what, self.running()))

    def now_at(self) -> str:
        """Where the file is that is open here."""
        return self._place.now_at() or self.name

    def copy(self, path: Path) -> None:
        """Write all that is readable here into a new file, durably; the caller holds `lock`.

        Raises `sqlite3.Error`, `OSError`, and `StoreError` when the copy is damaged; then there is none.
        """
        make_folder(path.parent)
        os.close(new_file(path))
        try:
            before = self.connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 1)  # the new file, for this statement
            try:
                self.connection.execute("VACUUM INTO ?", (str(path),))
            finally:
                self.connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, before)
            with contextlib.closing(sqlite3.connect(path)) as made:
                (said,) = made.execute("PRAGMA integrity_check(1)").fetchone()
            if said != "ok":
                raise StoreError(f"the store {self.name} could not be copied whole: {said}")
            descriptor = os.open(path, os.O_RDWR)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            sync_directory(path.parent)
        except BaseException:
            path.unlink()
            raise

    def empty_log(self) -> None:
        """Move the WAL into the file and cut it to nothing, so that nothing that was deleted is left in it.

        The caller holds `lock`. This takes the write lock itself; where others go on reading it is left to the next
        checkpoint that finds nobody.
        """
        if not self._network:
            self._empty_log(self.connection)

    def _empty_log(self, connection: sqlite3.Connection) -> None:
        self._to_empty = True
        with contextlib.suppress(sqlite3.Error):  # what was deleted is: this only cleans up after it
            (busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            self._to_empty = bool(busy)

    def reopen(self) -> None:
        """Close and open again, and move all that is readable now into the file, which syncs it anew.

        Raises `sqlite3.Error` when that fails: nothing may be acknowledged then. Raises `StoreGone` when what would be
        opened is not what is open.
        """
        self.check_place()
        self._close_both()
        self.connection = self.cursor = _Broken(f"{self.name} could not be opened again after an input/output error")
        self._open()
        frames, moved = self.checkpoint()
        if frames != moved:
            raise sqlite3.OperationalError("a checkpoint after an input/output error could not be completed")

    def close(self) -> None:
        """Checkpoint and close. The caller holds `lock`."""
        if self.unusable is None:
            with contextlib.suppress(sqlite3.Error):  # what is in the WAL is durable there; the next opening reads it
                self.checkpoint()
            self._close_both()
            self._refuse(f"the store {self.name} is closed; open it again")

    def drop(self) -> object:
        """Forget everything without closing it; what must stay alive."""
        kept = (self.connection, self.cursor, self._second, self.lock)
        self._second = None
        if self.unusable is None:
            self._refuse(f"the store {self.name} was opened before a fork; open it again in this process")
        return kept

    def _refuse(self, message: str) -> None:
        self.unusable = message
        self.connection = self.cursor = self.lock = _Unusable(message)

    def _close_both(self) -> None:
        second, self._second = self._second, None
        if second is not None:
            second.close()
        with contextlib.suppress(sqlite3.Error):  # an open transaction on a failing disk; the handle is gone anyway
            self.connection.close()


def _gone_text(what: str, running: Sequence[str]) -> str:
    stopped = f" Stopped: request {', '.join(running)}." if running else " Nothing was begun."
    return (
        f"{what}. Nothing more is written there.{stopped} Put it back and go on, or keep what is still open here "
        "before this process ends: `%durable copy NEW.db` (in a script copy_store('NEW.db')), then `%durable store "
        "sqlite:///NEW.db` goes on with it"
    )
