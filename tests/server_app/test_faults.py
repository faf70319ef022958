"""Laws m and n: a bad network and a server that is killed change nothing: what was acknowledged is there, and once."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jupyter_durable.store import open_store
from jupyter_durable.store.base import Store
from tests.server_app.load import flaws, write_all
from tests.server_app.proxy import FAULTS, bad_network
from tests.server_app.serving import Serving


@pytest.mark.parametrize("calls", [75, pytest.param(2500, marks=[pytest.mark.full, pytest.mark.timeout(3600)])])
def test_a_network_with_bad_connections_loses_nothing_and_does_nothing_twice(
    serving: Serving, another: Callable[[], Store], calls: int
) -> None:
    with bad_network(serving.port, seed=calls) as proxy:
        store = _open_through(f"http://127.0.0.1:{proxy.port}")
        failures = write_all(store, 4, calls, lambda: None)
        store.close()
    assert failures == []
    assert flaws(another(), 4, calls) == []
    bad = sum(count for fault, count in proxy.seen.items() if fault != "none")
    assert bad >= sum(proxy.seen.values()) / 2
    assert set(FAULTS) <= set(proxy.seen)


def _open_through(url: str) -> Store:
    """Opening asks once, and says so when nobody answers; here it may take a few tries."""
    from jupyter_durable.errors import StoreError

    for _ in range(1000):
        try:
            return open_store(url)
        except StoreError:
            continue
    raise AssertionError("the proxy lets nobody through")


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serving]:
    """A server for this test alone, which it kills."""
    server = Serving(tmp_path / "server").start()
    monkeypatch.setenv("JUPYTER_DURABLE_TOKEN", server.token("admin"))
    yield server
    server.kill()


@pytest.mark.parametrize("kills", [5, pytest.param(100, marks=pytest.mark.full)])
def test_a_server_that_is_killed_and_started_again_loses_nothing_and_does_nothing_twice(
    own: Serving, kills: int
) -> None:
    store = open_store(own.url)
    chance = random.Random(kills)
    acknowledged = 0
    enough, done = threading.Event(), threading.Event()
    wanted = 0
    calls = 40 * kills

    def told() -> None:
        nonlocal acknowledged
        acknowledged += 1
        if acknowledged >= wanted:
            enough.set()

    failures: list[BaseException] = []

    def work() -> None:
        failures.extend(write_all(store, 3, calls, told))
        done.set()
        enough.set()

    worker = threading.Thread(target=work)
    worker.start()
    killed = 0
    while killed < kills and not done.is_set():
        enough.clear()
        wanted = acknowledged + chance.randrange(1, 60)
        enough.wait(300)
        threading.Event().wait(chance.random() / 50)  # anywhere between two commits, or in one
        own.kill()
        own.start()
        killed += 1
    worker.join(600)
    assert not worker.is_alive()
    assert failures == []
    assert killed == kills
    assert acknowledged == 3 * calls
    assert flaws(store, 3, calls) == []
    store.close()


SCRIPT = """
import sys
from jupyter_durable import application, function, run_local_application

@function()
def stage(n: int) -> int:
    with open(sys.argv[1], "a") as log:
        log.write(f"{n}\\n")
    return n

@application()
def pipeline(count: int) -> int:
    first = sum(stage(n) for n in range(count))
    return first + sum(stage.map(range(count, 2 * count)))

print(run_local_application(pipeline, int(sys.argv[2])).output())
"""


@pytest.mark.parametrize("kills", [5, pytest.param(100, marks=pytest.mark.full)])
def test_no_call_executes_twice_while_the_server_is_killed_under_its_request(
    own: Serving, tmp_path: Path, kills: int
) -> None:
    count = 60 * kills
    log = tmp_path / "log"
    log.touch()
    (tmp_path / "script.py").write_text(SCRIPT)
    with subprocess.Popen(
        [sys.executable, "script.py", str(log), str(count)], cwd=tmp_path, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "JUPYTER_DURABLE_STORE": own.url, "JUPYTER_DATA_DIR": str(tmp_path / "data")},
    ) as process:  # fmt: skip
        killed = 0
        while process.poll() is None and killed < kills:
            if len(log.read_bytes().split()) >= killed * 2 * count // (kills + 1) + 1:
                own.kill()
                own.start()
                killed += 1
            threading.Event().wait(0.01)
        said, _ = process.communicate(timeout=600)
    assert (process.returncode, said.strip(), killed) == (0, str(sum(range(2 * count))), kills)
    assert sorted(map(int, log.read_text().split())) == list(range(2 * count))
