"""A stand-in for a notebook: cells that are remembered and executed in a namespace of their own.

Also run as a program: `python -m tests.code.notebook write|read FILE` writes the snapshots of `tests.code.cases`, or
restores them in a process that has none of their cells, and prints what their functions return.
"""

from __future__ import annotations

import functools
import json
import sys
import traceback
import types
from hashlib import blake2b
from typing import Any

from jupyter_durable.code.snapshot import Version, capture, restore
from jupyter_durable.code.texts import remember_source


class Spec:
    """What a durable wrapper carries, by the protocol of `jupyter_durable.code`."""

    kind = "function"

    def __init__(self, fn, options):
        self.fn = fn
        self.options = options


def durable(fn, options=None) -> Any:
    def wrapper(*args, **kwargs):
        return fn(*args, **kwargs)

    made: Any = functools.wraps(fn)(wrapper)
    made.__durable__ = Spec(fn, options or {})
    return made


def function(**options):
    return lambda fn: durable(fn, options)


function.__module__ = "jupyter_durable.function"


class Notebook:
    def __init__(self, *cells: str) -> None:
        self.module = types.ModuleType("__main__")
        self.names: dict[str, Any] = vars(self.module)
        self.names["function"] = function
        for text in cells:
            self.run(text)

    def run(self, text: str, filename: str | None = None) -> None:
        filename = filename or f"<cell {blake2b(text.encode(), digest_size=8).hexdigest()}>"
        remember_source(filename, text)
        exec(compile(text, filename, "exec", dont_inherit=True), self.names)

    def __getitem__(self, name: str) -> Any:
        return self.names[name]

    def snapshot(self, *roots: str, **options: Any) -> bytes:
        return capture({name: self.names[name] for name in roots}, self.names, **options)


def bring_back(data: bytes, live: dict[str, Any] | None = None) -> Version:
    return restore(data, redecorate=durable, live=live if live is not None else {})


def main(verb: str, filename: str) -> None:
    import pickle
    from pathlib import Path

    from tests.code.cases import CASES

    if verb == "write":
        made = {name: Notebook(*case.cells).snapshot(*case.roots) for name, case in CASES.items()}
        Path(filename).write_bytes(pickle.dumps(made))
        return
    answers: dict[str, Any] = {}
    for name, data in pickle.loads(Path(filename).read_bytes()).items():
        try:
            version = bring_back(data)
            missing = [list(row) for row in version.missing]
            answers[name] = [repr(eval(CASES[name].ask, version.namespace)), missing]
        except Exception:  # noqa: BLE001 - the test shows it
            answers[name] = [traceback.format_exc(), []]
    print(json.dumps(answers))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
