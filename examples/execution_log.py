"""What really executed, kept outside of the store, so that nobody has to take the store's word for it.

Rules of this file
- One line for each execution: process id, what, with what. A line is one write to a file opened with O_APPEND, so lines
  of several processes never mix, and what was written survives a `kill -9`.
- Without the environment variable nothing is written: the notebooks run as well without a witness.
"""

from __future__ import annotations

import os

VARIABLE = "EXECUTION_LOG"
"""Environment variable that names the file."""


def executed(what: str, subject: object = "") -> None:
    """Note that `what` executes now with `subject`."""
    path = os.environ.get(VARIABLE)
    if path is None:
        return
    line = f"{os.getpid()}\t{what}\t{subject}\n"
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)
