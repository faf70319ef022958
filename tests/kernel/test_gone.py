"""A real kernel whose store is deleted, replaced or moved under it: the cell says so, and it goes on elsewhere."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kernel.conftest import LOGGING, Kernel, Log, Start

CELL = """%%durable
import time
def step(n):
    _log(n)
    return n * 10
found = [step(n) for n in range(3)]
time.sleep({seconds})
if {fails}:
    raise RuntimeError("not yet")
more = step(7)
print(found, more)
"""


def deleted(path: Path) -> None:
    path.unlink()


def folder_moved(path: Path) -> None:
    path.parent.rename(path.parent.with_name(path.parent.name + "-moved"))


def replaced(path: Path) -> None:
    shutil.copy(path, path.with_name("other"))
    path.with_name("other").replace(path)


@pytest.fixture(scope="module")
def kernel(start: Start) -> Kernel:
    made = start()
    made.run(LOGGING)
    return made


@pytest.fixture
def store(kernel: Kernel, tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "under" / "store.db"
    ran = kernel.run(f"%durable store sqlite:///{path}")
    assert not ran.error, ran.error
    yield path
    kernel.run(f"%durable copy {tmp_path}/last.db")
    kernel.run(f"%durable store sqlite:///{tmp_path}/last.db")


@pytest.mark.parametrize("way", [deleted, folder_moved, replaced])
def test_a_cell_whose_store_goes_while_it_runs_says_so_and_goes_on_with_the_copy(
    kernel: Kernel, log: Log, store: Path, tmp_path: Path, way: Callable[[Path], None]
) -> None:
    """Nothing that was acknowledged before executes again."""
    id = f"gone-{way.__name__}"
    first = kernel.run(CELL.format(seconds=0, fails=True), id)
    assert "not yet" in first.error
    assert log.take() == ["0", "1", "2"]
    way(store)
    ran = kernel.run(CELL.format(seconds=0, fails=False), id)
    assert "StoreGone" in ran.error
    assert "while it was in use" in ran.error
    assert "%durable copy NEW.db" in ran.error
    refused = kernel.run(f"%durable store sqlite:///{tmp_path}/new.db")
    assert "keep it first" in refused.error + refused.stderr
    kept = kernel.run(f"%durable copy {tmp_path}/new.db")
    assert f"copied to {tmp_path}/new.db" in kept.stdout, kept.error + kept.stderr
    assert not kernel.run(f"%durable store sqlite:///{tmp_path}/new.db").error
    log.take()
    again = kernel.run(CELL.format(seconds=0, fails=False), id)
    assert "[0, 10, 20] 70" in again.stdout, again.error
    assert log.take() == ["7"]


def test_a_store_that_goes_while_a_cell_runs_is_seen_before_the_end_of_it(
    kernel: Kernel, log: Log, store: Path, tmp_path: Path
) -> None:
    """The cell deletes it itself: its end is not acknowledged."""
    cell = CELL.format(seconds=0, fails=False).replace("time.sleep(0)", f"__import__('os').unlink({str(store)!r})")
    ran = kernel.run(cell, "gone-in-the-middle")
    said = " ".join((ran.error + ran.stderr + ran.text).split())
    assert "was deleted while it was in use" in said, said[-700:]
    assert not kernel.run(f"%durable copy {tmp_path}/new.db").error
    assert not kernel.run(f"%durable store sqlite:///{tmp_path}/new.db").error
    log.take()
    again = kernel.run(cell.replace("__import__", "0 and __import__"), "gone-in-the-middle")
    assert "[0, 10, 20] 70" in again.stdout, again.error
    assert log.take() == []


STOPPED = """%%durable
import os, time
def step(n):
    _log(n)
    return n * 10
found = [step(n) for n in range(3)]
open({there!r}, "w").close()
end = time.monotonic() + 150
while not os.path.exists({go!r}) and time.monotonic() < end:
    time.sleep(0.01)
_log("waited")
print(found, step(7))
"""


@pytest.mark.parametrize("way", [deleted, folder_moved, replaced])
def test_a_cell_that_is_running_while_another_process_takes_its_store_is_stopped_and_goes_on_with_the_copy(
    kernel: Kernel, log: Log, store: Path, tmp_path: Path, way: Callable[[Path], None]
) -> None:
    """Its code asks for nothing: the renewal of the lease sees it."""
    there, go = tmp_path / "there", tmp_path / "go"
    cell = STOPPED.format(there=str(there), go=str(go))
    id = f"stopped-{way.__name__}"
    sent = kernel.send(cell, id)
    end = time.monotonic() + 100
    while not there.exists():
        assert time.monotonic() < end
        time.sleep(0.02)
    way(store)
    ran = kernel.result(sent, 140)
    said = " ".join((ran.error + ran.stderr + ran.text).split())
    assert "while it was in use" in said, said[-700:]
    assert "%durable copy NEW.db" in said
    assert log.take() == ["0", "1", "2"]
    go.touch()
    assert not kernel.run(f"%durable copy {tmp_path}/new.db").error
    assert not kernel.run(f"%durable store sqlite:///{tmp_path}/new.db").error
    again = kernel.run(cell, id)
    assert "[0, 10, 20] 70" in again.stdout, again.error
    assert log.take() == ["waited", "7"]
