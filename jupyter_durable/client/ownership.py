"""Who owns a request, and whether that owner is still alive.

Rules of this file
- Only an owner on this boot of this machine and in this pid namespace can be probed; containers share boot ids, so both
  must match. A name of the machine counts only where these are not known: it changes with the network. Such an owner
  holds its request for as long as its process lives, however long it is silent (it may be stopped, or the machine
  asleep). Of any other owner only the time of its lease decides, by the clock of the boot where it is ours.
- A process is known by its number and its start time, so that a number that was given again is not mistaken for it.
  A zombie is gone. Where /proc shows other numbers than ours (that of another pid namespace) or none, a number that is
  in use is the owner, since the living keep their requests.
- What is said here of a row holds for that row. Whoever acts on it passes its epoch on, and decides anew when the
  store answers `NotAsRead`.
"""

from __future__ import annotations

import _socket  # for the name of this machine; the module `socket` costs several times as much
import errno
import functools
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from jupyter_durable.client.words import moment
from jupyter_durable.clock import boot_time
from jupyter_durable.core.model import Owner, RequestRow, Status
from jupyter_durable.errors import SDKUsageError, StoreError
from jupyter_durable.files import remedy
from jupyter_durable.records import NamedTuple
from jupyter_durable.runner.settings import LEASE_SECONDS
from jupyter_durable.store.base import NotAsRead

T = TypeVar("T")
_OPEN: Final = (Status.QUEUED, Status.RUNNING, Status.WAITING)
_GONE: Final = ("Z", "X")
_STOPPED: Final = ("T", "t")


class _Process(NamedTuple):
    """What the kernel says of a process."""

    state: str
    """A letter, as in /proc/PID/stat; "" where that is not known."""
    started: str


def _read(path: str) -> str:
    """What the kernel says there; "" for nothing. Raises `StoreError` where it cannot be asked: that says nothing."""
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise StoreError(f"who runs a request cannot be told: {error.strerror}; {remedy(error)}") from error
        return ""


def _pid_namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _process(pid: int) -> _Process | None:
    """A process by its number; None when it is gone or a zombie."""
    return _listed(str(pid)) if _numbers_are_ours() else _signalled(pid)


def _numbers_are_ours() -> bool:
    """Whether /proc is that of our pid namespace. A sandbox may have kept that of the machine around it."""
    try:
        return os.readlink("/proc/self") == str(os.getpid())
    except OSError:
        return False


def _listed(name: str) -> _Process | None:
    text = _read(f"/proc/{name}/stat")
    if not text:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in _GONE else _Process(fields[0], fields[19])


def _signalled(pid: int) -> _Process | None:
    try:
        os.kill(pid, 0)
    except PermissionError:
        pass
    except (ProcessLookupError, OverflowError, TypeError):  # a damaged file may have what is no number
        return None
    return _Process("", "")


@functools.cache
def _this_owner(pid: int) -> Owner:
    boot = _read("/proc/sys/kernel/random/boot_id")
    process = _listed("self")  # whatever number it has there
    return Owner(_socket.gethostname(), boot, _pid_namespace(), pid, process.started if process is not None else "")


def this_owner() -> Owner:
    """This process."""
    return _this_owner(os.getpid())


def _probed(owner: Owner) -> bool:
    """Whether the owner's process can be seen from here."""
    here = this_owner()
    known = here.boot_id and here.pid_namespace
    return (owner.boot_id, owner.pid_namespace) == (here.boot_id, here.pid_namespace) and (
        bool(known) or owner.host == here.host
    )


def _found(owner: Owner) -> _Process | None:
    process = _process(owner.pid)
    if process is None or (process.started and owner.pid_started and process.started != owner.pid_started):
        return None
    return process


def alive(owner: Owner) -> bool | None:
    """Whether the owner's process lives; None when that cannot be told from here."""
    return _found(owner) is not None if _probed(owner) else None


def holder(row: RequestRow, now: float, *, ours: bool) -> Owner | None:
    """Who runs the request of a row; None when nobody does, as far as can be told at `now` (Unix seconds).

    `ours`: this process runs it. A request that this process owns and does not run was left by an interrupt.
    """
    owner = row.owner
    if owner is None or owner == this_owner():
        return owner if ours else None
    lives = alive(owner)
    return owner if lives or (lives is None and _in_its_lease(row, owner, now)) else None


def _in_its_lease(row: RequestRow, owner: Owner, now: float) -> bool:
    """Whether the lease of an owner that cannot be probed has not run out: by the time since boot where we share it,
    as containers of one machine do, since the wall clock may have been set."""
    boot = boot_time() if owner.boot_id and owner.boot_id == this_owner().boot_id else None
    if boot is not None and row.lease_boot is not None:
        return row.lease_boot > boot
    return row.lease_until > now


def status(row: RequestRow, now: float, *, ours: bool) -> str:
    """The status of a request; one whose owner is gone reads `interrupted` at once.

    So does one that was accepted and not begun within the time of a lease: who accepted it is gone.
    """
    if ours or row.status not in _OPEN:
        return row.status
    if row.status == Status.QUEUED:
        # Also when it was accepted in the future: the clock was set back, and it would be queued until then. Whoever
        # accepted it loses nothing: of those that begin what they read as queued one does.
        return Status.INTERRUPTED if abs(now - row.accepted_at) > LEASE_SECONDS else row.status
    return row.status if holder(row, now, ours=ours) is not None else Status.INTERRUPTED


def described(owner: Owner, since: float | None = None) -> str:
    """An owner in words: who, since when (Unix seconds), and what keeps it from answering."""
    began = "" if since is None else f" since {_clock_time(since)}"
    process = _found(owner) if _probed(owner) else None
    stopped = process is not None and process.state in _STOPPED
    remedy = f" (stopped: `kill -CONT {owner.pid}` lets it go on)" if stopped else ""
    return f"process {owner.pid} on {owner.host}{began}{remedy}"


def _clock_time(at: float) -> str:
    told = moment(at)
    return told.removeprefix(time.strftime("%Y-%m-%d "))


class RunsHere(SDKUsageError):
    """This process runs the request, or is about to."""


def as_read(act: Callable[[], T]) -> T:
    """What `act` gives: it reads a request, decides, and acts. When somebody acted in between, it decides anew."""
    while True:
        try:
            return act()
        except NotAsRead:
            continue
