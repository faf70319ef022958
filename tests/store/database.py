"""A PostgreSQL server for the tests: Debian's, as it is installed, on its own data and a socket in a temporary folder.

Rules of this file
- It listens on the socket alone, syncs as a real one does, and is ended by its number, also when pytest is interrupted.
- It refuses to run as root, so where we are root it runs as `postgres`, whose it is, or as `nobody`.
"""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psycopg
import pytest

PROGRAMS: Final = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
START_SECONDS: Final = 120.0
_RUNS_AS: Final = ("postgres", "nobody")


class Server:
    """Started when it is made; `url` is that of its first database."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="jdpg-", dir="/tmp"))  # a socket's path has 107 bytes at most
        self._data = self._folder / "data"
        self._account = _account()
        if self._account is not None:
            os.chown(self._folder, self._account.pw_uid, self._account.pw_gid)
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self.close)
        done = self._run(
            "initdb", "-D", str(self._data), "-U", "tests", "-E", "UTF8", "--locale=C", "--auth=trust", "-N"
        )
        done.wait(START_SECONDS)
        if done.returncode != 0:
            raise RuntimeError(f"initdb failed: {(self._folder / 'log').read_text()}")
        self.start()

    @property
    def url(self) -> str:
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        return f"postgresql://tests@/{database}?host={self._folder}"

    def start(self) -> None:
        """Return when it answers."""
        options = {"listen_addresses": "", "unix_socket_directories": self._folder, "fsync": "on",
                   "synchronous_commit": "on", "shared_buffers": "32MB", "max_connections": "200"}  # fmt: skip
        said = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        self._process = self._run("postgres", "-D", str(self._data), *said)
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                psycopg.connect(self.url, connect_timeout=5).close()
                return
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"no server: {(self._folder / 'log').read_text()[-3000:]}") from None
                time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT: fast shutdown; SIGQUIT: at once, as after a power cut."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(START_SECONDS)
            self._process = None

    def close(self) -> None:
        atexit.unregister(self.close)
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        account = self._account
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(
                [PROGRAMS[-1] / program, *arguments],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self._folder, start_new_session=True,
                user=None if account is None else account.pw_uid, group=None if account is None else account.pw_gid,
                extra_groups=None if account is None else [], env={"PATH": os.defpath, "LC_ALL": "C"},
            )  # fmt: skip


def running() -> Iterator[Server]:
    """What a fixture yields; the tests fail where no server is installed."""
    if not PROGRAMS:
        pytest.fail("no PostgreSQL server is installed; scripts/_env installs it: apt-get install postgresql")
    server = Server()
    yield server
    server.close()


def _account() -> pwd.struct_passwd | None:
    """Whom it runs as; None for us."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    return next(known[name] for name in _RUNS_AS if name in known)
