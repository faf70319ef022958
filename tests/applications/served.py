"""Serves with a witness: what a server's process restores is written down outside of it.

Run as `python served.py DIR WITNESS [PORT]`. An audit hook notes in WITNESS each class
or function that an unpickler looks up, and each module that restores code or
values as it is imported.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

RESTORING = frozenset(
    {"cloudpickle", "jupyter_durable.serializer.pickle", "jupyter_durable.code.restore", "jupyter_durable.client"}
)


def watch(witness: str) -> None:
    """Note what this process restores."""

    def heard(event: str, given: tuple[object, ...]) -> None:
        if event == "pickle.find_class" or (event == "import" and given[0] in RESTORING):
            file = os.open(witness, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            os.write(file, f"{event} {given}\n".encode())
            os.close(file)

    sys.addaudithook(heard)


def main(folder: str, witness: str, port: str = "0") -> None:
    watch(witness)
    from jupyter_durable.server.serving import serve
    from jupyter_durable.server.settings import ServerSettings

    serve(ServerSettings(Path(folder), port=int(port)), lambda text: print(text, flush=True))


if __name__ == "__main__":
    main(*sys.argv[1:])
