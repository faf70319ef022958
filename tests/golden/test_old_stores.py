"""Stores that earlier versions wrote are read and replayed by this one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from jupyter_durable import context
from jupyter_durable.client import Request, this_engine
from tests.engine.conftest import Notebook
from tests.golden.written import CELL, DEFINITIONS, all_of, unpacked

ARCHIVES = sorted(Path(__file__).parent.glob("store-v*.zip"))


@pytest.fixture(params=ARCHIVES, ids=lambda path: path.stem)
def golden(request, tmp_path, monkeypatch):
    """A notebook in a fresh kernel, on a store that an earlier version wrote."""
    unpacked(request.param, tmp_path / "home")
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "home"))
    before = this_engine()
    made = Notebook(tmp_path / "home" / "store.db", monkeypatch)
    made.namespace["die"] = lambda: None
    yield made
    made.engine.store.close()
    context.engine.set(before)


def by_application(notebook: Notebook) -> dict[str, Request]:
    with closing(sqlite3.connect(notebook.path)) as connection:
        ids = connection.execute("SELECT application, id FROM request").fetchall()
    return {application: Request(notebook.engine, notebook.engine.store.request(id)) for application, id in ids}


def test_every_value_of_an_old_store_is_read(golden):
    """Outputs, arguments, state, failures and progress are there as they were."""
    requests = by_application(golden)
    assert {name: request.status for name, request in requests.items()} == {
        "succeeds": "succeeded", "fails": "failed", "dies": "interrupted", "cell": "failed", "remove": "succeeded",
    }  # fmt: skip
    assert requests["succeeds"].output() == all_of(1)
    assert requests["succeeds"].state == {"kept": 1}
    assert isinstance(requests["fails"].error, KeyError)
    for n, name in enumerate(("succeeds", "fails", "dies"), start=1):
        request = requests[name]
        assert request.call(name).inputs() == ((n,), {})
        assert request.call("large").output() == str(n) * 80_000
        assert request.call("binary").output() == bytearray([n]) * 80_000
        assert request.call("point").output().x == request.call("over").inputs()[0][0].x == n
        assert [call.output() for call in request.calls("step")] == [{"step": i} for i in (n, n + 100, 10, 11, 12)]
        assert [progress.message for progress in request.progress] == ["keeping"]
        with pytest.raises(ValueError, match=f"no {n}"):
            request.call("broken").output()


def test_requests_of_an_old_store_are_replayed_from_their_checkpoints(golden):
    """What had succeeded is served, with its state, by the recorded code; only failures execute again."""
    requests = by_application(golden)
    assert requests["dies"].replay().output() == all_of(3)
    assert golden.executed() == [("broken", 3)]
    assert requests["dies"].state == {"kept": 3}
    assert requests["fails"].replay().status == "failed"
    assert golden.executed() == [("broken", 2)]
    assert requests["succeeds"].replay(mode="strict").output() == all_of(1)
    assert golden.executed() == [("broken", 1)]
    golden.restart()
    requests = by_application(golden)
    assert requests["dies"].output() == all_of(3)
    assert requests["succeeds"].call("keep").inputs() == ((1,), {})


def test_a_cell_of_an_old_store_is_resumed(golden):
    """The cell goes on from what the older version recorded."""
    golden.cell(DEFINITIONS, key=None)
    with pytest.raises(ZeroDivisionError):
        golden.cell(CELL)
    assert golden.executed() == []
    assert (golden.namespace["kept"], golden.namespace["sums"], golden.namespace["made"].x) == (7, 3, 8)
    golden.cell(CELL.replace("1 / 0", "done = 1"))
    assert golden.executed() == []
    assert golden.last().status == "succeeded"


def test_a_request_of_an_old_store_is_forked(golden):
    """The copy is signed anew, and is served what the old one had."""
    fork = by_application(golden)["dies"].fork()
    assert fork.output() == all_of(3)
    assert golden.executed() == [("broken", 3)]
