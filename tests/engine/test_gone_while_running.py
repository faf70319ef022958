"""The store, or the signing key, goes while a request runs: it is stopped at once, whatever its code is doing.

Rules of this file
- Another process takes the file away, from within the body of the request. The body would go on for much longer than
  the promise says, and says so when it did.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_durable import StoreGone, application, configure, function
from jupyter_durable.client import copy_store, get_request, this_engine
from jupyter_durable.client.engine import Engine
from jupyter_durable.client.settings import Settings
from jupyter_durable.store import default_url
from jupyter_durable.store.sqlite.link import CHECKPOINT_EVERY

EXECUTED: list[Any] = []
TAKEN = "import os, sys; os.rename(sys.argv[1], sys.argv[1] + '.away')"
REPLACED = TAKEN + "; import shutil; shutil.copy(sys.argv[1] + '.away', sys.argv[1])"
OTHER_KEY = TAKEN + "; fd = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY, 0o600); os.write(fd, os.urandom(32))"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of store and key, of an engine that has the process to itself."""
    from jupyter_durable.context import engine

    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    before = engine.get()
    engine.set(Engine(Settings(store=default_url())))
    this_engine().warn = lambda text: None
    EXECUTED.clear()
    yield tmp_path / "data" / "durable"
    engine.set(before)


@function()
def one_more(n: int) -> int:
    EXECUTED.append(n)
    return n


@application()
@function()
def loses_it(program: str, path: str, then: str) -> int:
    one_more(-1)
    if not Path(f"{path}.away").exists():
        subprocess.run([sys.executable, "-c", program, path], check=True)
    if then == "sleeps":
        end = time.monotonic() + 100
        while time.monotonic() < end:
            time.sleep(0.01)
        EXECUTED.append("never stopped")
    return sum(one_more(n) for n in range(5 * CHECKPOINT_EVERY)) if then == "calls" else 7


WAYS: dict[str, tuple[str, str]] = {
    "store taken": ("store.db", TAKEN),
    "store replaced": ("store.db", REPLACED),
    "key taken": ("key", TAKEN),
    "key replaced": ("key", OTHER_KEY),
}
ran = pytest.mark.parametrize("way", WAYS)


def lost(data: Path, way: str, then: str) -> None:
    """Run the request; it is stopped with the error that names what is gone."""
    name, program = WAYS[way]
    with pytest.raises(StoreGone, match=rf"(?s)durable/{name}.*%durable copy"):
        loses_it(program, str(data / name), then)


@ran
def test_a_request_that_sleeps_is_stopped_by_the_renewal_of_its_lease(data: Path, way: str) -> None:
    """Every 5 seconds; the code itself asks for nothing."""
    lost(data, way, "sleeps")
    assert EXECUTED == [-1]


@ran
def test_a_request_that_calls_is_stopped_by_a_checkpoint(data: Path, way: str) -> None:
    lost(data, way, "calls")
    assert 0 < len(EXECUTED) <= 2 * CHECKPOINT_EVERY


@ran
def test_an_end_is_not_told(data: Path, way: str) -> None:
    lost(data, way, "ends")


@ran
def test_what_was_refused_is_committed_to_the_copy_by_the_next_replay(data: Path, tmp_path: Path, way: str) -> None:
    """The result of the call whose record was refused is in memory: it does not execute again."""
    lost(data, way, "calls")
    first = EXECUTED.copy()
    id = get_request("last").id
    made = copy_store(str(tmp_path / "new.db"))
    configure(store=f"sqlite:///{made}")
    EXECUTED.clear()
    request = get_request(id).replay()
    assert request.output() == sum(range(5 * CHECKPOINT_EVERY))
    assert sorted(first + EXECUTED) == [-1, *range(5 * CHECKPOINT_EVERY)]
    this_engine().store.close()
