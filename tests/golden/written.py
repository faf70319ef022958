"""What a golden store holds, and how one is made: `python -m tests.golden.written FOLDER`, then commit its zip.

Rules of this file
- A golden store is made once, by the code of its version, and never again: what it holds was written by that code.
- It holds no path and no name of the machine that made it.
"""

from __future__ import annotations

import os
import sys
import zipfile
from pathlib import Path

import pytest

from jupyter_durable.client import left_over
from jupyter_durable.runner import failures
from tests.engine.conftest import Notebook

DEFINITIONS = """
class Point:
    def __init__(self, x): self.x = x

@function()
def step(i):
    ran(("step", i))
    return {"step": i}

@function()
def large(i):
    ran(("large", i))
    return str(i) * 80_000

@function()
def binary(i):
    ran(("binary", i))
    return bytearray([i]) * 80_000

@function()
def point(i):
    ran(("point", i))
    return Point(i)

@function()
def over(point):
    ran(("over", point.x))
    return step(point.x + 100)["step"]

@function()
def keep(i):
    ran(("keep", i))
    context = RequestContext.get()
    context.state.set("kept", i)
    context.progress.update(i, 10, "keeping", {"unit": "things"})
    context.metrics.counter("things", i)
    return i

@function()
def broken(i):
    ran(("broken", i))
    raise ValueError(f"no {i}")

@function(retries=1)
def second_time(i):
    ran(("second_time", i))
    if RequestContext.get().attempt == 1: raise OSError("the first time")
    return i

@function()
def add(total, i):
    ran(("add", i))
    return total + i

@cls()
class Adder:
    def __init__(self): self.base = 1000
    @function()
    def added(self, i):
        ran(("added", i))
        return self.base + i

def all_of(n):
    found = [step(n), len(large(n)), len(binary(n)), over(point(n)), keep(n), second_time(n), Adder().added(n)]
    found.append([each["step"] for each in step.map(range(10, 13))])
    found.append(add.reduce([1, 2, 3], 0))
    try:
        broken(n)
    except ValueError as error:
        found.append(str(error))
    return found

@application()
def succeeds(n):
    return all_of(n)

@application()
def fails(n):
    all_of(n)
    raise KeyError(n)

@application()
def dies(n):
    found = all_of(n)
    die()
    return found

@application()
def remove(n):
    ran(("remove", n))
    return "removed"
"""
CELL = "kept = keep(7)\nsums = add.reduce([1, 2], 0)\nmade = point(8)\n1 / 0"


def all_of(n: int) -> list[object]:
    """What `all_of` of the definitions gives."""
    return [{"step": n}, 80_000 * len(str(n)), 80_000, n + 100, n, n, n + 1000, [10, 11, 12], 6, f"no {n}"]


def write(notebook: Notebook) -> None:
    """A request that succeeded, one that failed, one whose process died, one of a cell that failed, and a removal."""
    notebook.cell(DEFINITIONS, key=None)
    notebook.cell("submitted = run_local_application(succeeds, 1)", key=None)
    notebook.cell("failed = run_local_application(fails, 2)", key=None)
    notebook.cell("run_local_application(dies, 3)", key=None)
    died = notebook.last()
    with pytest.raises(ZeroDivisionError):
        notebook.cell(CELL)
    notebook.cell("run_local_application(remove, 4)", key=None)
    left_over.settle_ownerless(notebook.engine, died.id)


def packed(folder: Path, archive: Path) -> None:
    """A store with its key as one file."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as made:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                made.writestr(zipfile.ZipInfo(str(path.relative_to(folder))), path.read_bytes(), zipfile.ZIP_DEFLATED)


def unpacked(archive: Path, folder: Path) -> None:
    """The same, with the modes that a key needs."""
    with zipfile.ZipFile(archive) as made:
        made.extractall(folder)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o700 if path.is_dir() else 0o600)


if __name__ == "__main__":
    home = Path(sys.argv[1])
    os.environ["JUPYTER_DATA_DIR"] = str(home)
    patch = pytest.MonkeyPatch()
    here = str(Path(__file__).parents[2])
    patch.setattr(failures, "ENGINE_FOLDERS", (*failures.ENGINE_FOLDERS, here))  # no frame of the maker in a traceback
    made = Notebook(home / "store.db", patch)
    write(made)
    made.engine.store.close()
    patch.undo()
