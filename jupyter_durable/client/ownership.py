"""Who owns a request, and whether that owner is still alive.

Rules of this file
- Only an owner on this boot of this machine and in this pid namespace can be probed; containers share boot ids, so the
  three must match. Of any other owner only the time of its lease decides.
- A process is known by its number and its start time, so that a number that was given again is not mistaken for it.
  A zombie is gone.
"""

from __future__ import annotations

import functools
import os
import socket
from pathlib import Path

from jupyter_durable.core.model import Owner


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _pid_namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _process_start(pid: int) -> str | None:
    """When a process started, as the kernel counts; None when it is gone or a zombie, "" where that is not known."""
    if not Path("/proc/self/stat").exists():
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        except PermissionError:
            return ""
        return ""
    text = _read(f"/proc/{pid}/stat")
    if not text:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in ("Z", "X") else fields[19]


@functools.cache
def _this_owner(pid: int) -> Owner:
    boot = _read("/proc/sys/kernel/random/boot_id")
    return Owner(socket.gethostname(), boot, _pid_namespace(), pid, _process_start(pid) or "")


def this_owner() -> Owner:
    """This process."""
    return _this_owner(os.getpid())


def alive(owner: Owner) -> bool | None:
    """Whether the owner's process lives; None when that cannot be told from here."""
    here = this_owner()
    if (owner.host, owner.boot_id, owner.pid_namespace) != (here.host, here.boot_id, here.pid_namespace):
        return None
    started = _process_start(owner.pid)
    return started is not None and (not started or not owner.pid_started or started == owner.pid_started)


def described(owner: Owner) -> str:
    """An owner in words."""
    return f"process {owner.pid} on {owner.host}"
