"""A real server in a process of its own, on loopback, which can be killed and started again at the same place."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO

from jupyter_durable.server.tokens import TokenFile

PATIENCE = 120.0


class Serving:
    """`jupyter durable serve` on a folder."""

    def __init__(self, folder: Path, *options: str, command: list[str] | None = None) -> None:
        self.folder = folder
        self.options = options
        self._command = command
        self.port = 0
        self.log: list[str] = []
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def token(self, scope: str = "write", namespace: str = "default", seconds: float | None = None) -> str:
        return TokenFile(self.folder).create(namespace, scope, time.time(), seconds)[0]

    def start(self) -> Serving:
        """Also after it ended by itself, or was killed by somebody else."""
        self.kill()
        serve = [sys.executable, "-m", "jupyter_durable.cli", "serve", "--data", str(self.folder)]
        command = self._command or [*serve, "--port", str(self.port), *self.options]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        listens = threading.Event()
        assert self._process.stderr is not None
        self._reader = threading.Thread(target=self._read, args=(self._process.stderr, listens), daemon=True)
        self._reader.start()
        if not listens.wait(PATIENCE) or not self.port:
            self.kill()
            raise AssertionError(f"the server does not listen: {self.log}")
        return self

    def _read(self, stream: IO[str], listens: threading.Event) -> None:
        for line in stream:
            self.log.append(line)
            found = re.match(r"serving on https?://[^ ]+:(\d+)$", line.strip())
            if found is not None:
                self.port = int(found[1])
                listens.set()
        listens.set()

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """End it as systemd would; its exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(number)
        code = process.wait(PATIENCE)
        assert self._reader is not None
        assert process.stderr is not None
        self._reader.join(PATIENCE)
        process.stderr.close()
        return code
