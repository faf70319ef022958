"""Where calls stood, where arguments alone decide and what runs there were steer no call to the value of another one.

Rules of this file
- The application calls a function twice with equal arguments, which gives another number each time, is served a value
  by its place, and was found to match wrongly by place: every record that steers is there.
- Whatever stands in them, the output is right and nothing executes again, or an error of ours is raised.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import pytest

from jupyter_durable import DeserializationError, DurableError, context
from jupyter_durable.client import this_engine
from jupyter_durable.core.model import ArgumentsDecide, Reached
from jupyter_durable.runner.sealing import Sealer
from jupyter_durable.serializer.pickle import ValueSerializer
from jupyter_durable.serializer.signing import KEY_BYTES, KeySigner
from jupyter_durable.store.memory import MemoryStore
from tests.engine.conftest import Killed, Notebook

CODE: Final = """
@function()
def roll():
    ran("roll")
    return outside("roll")
@function()
def at(time):
    ran("at")
    return f"made at {time}"
@function()
def more():
    ran("more")
@function()
def f(x):
    ran(("f", x))
    return f"f of {x}"
@application()
def app(i):
    made = at(outside("run"))
    if outside("run") > 1:
        more()
    rolled = [roll(), roll()]
    found = [f(x) for x in outside("items")]
    die()
    return made, rolled, found
"""
OUTPUT: Final = ["made at 1", [1, 2], ["f of 9", "f of 1", "f of 2"]]
SIGNED: Final = {
    "reached": ("parent", "pass_no", "seq", "identity", "count", "flags", "mac"),
    "decided": ("parent", "name", "pass_no", "mac"),
}
TELLS: Final = {
    "run": ("run", "mode", "status", "started_at", "finished_at", "executed", "reused", "saved"),
    "request": ("run", "status", "error", "started_at", "finished_at", "cancel_requested", "lease_until", "pid"),
}


class Outside:
    """The world of one run: each has a time of its own, and all but the first another path."""

    def __init__(self, run: int) -> None:
        self._run = run
        self._rolled = 0

    def __call__(self, what: str) -> Any:
        if what == "roll":
            self._rolled += 1
            return self._rolled
        return self._run if what == "run" else [9, 1, 2][self._run == 1 :]

    def __reduce__(self) -> Any:
        raise TypeError("not to be stored")


@contextmanager
def opened(home: Path, run: int) -> Iterator[Notebook]:
    """A fresh kernel on the store of a folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_DATA_DIR", str(home))
        before = this_engine()
        notebook = Notebook(home / "store.db", patch)
        notebook.namespace["outside"] = Outside(run)
        if run > 2:
            notebook.namespace["die"] = lambda: None
        try:
            yield notebook
        finally:
            notebook.engine.store.close()
            context.engine.set(before)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A request whose process died twice, at the end of each run."""
    home = tmp_path_factory.mktemp("written")
    with opened(home, 1) as notebook:
        notebook.cell(CODE, key=None)
        notebook.cell("run_local_application(app, 0)", key=None)
    with opened(home, 2) as notebook:
        with suppress(Killed):
            notebook.last().replay()
        notebook.engine.active.clear()
        assert notebook.executed() == ["more", ("f", 9)]
    return home


def replayed(written: Path, home: Path, sql: str, mode: str) -> str:
    """What a replay in a fresh kernel comes to after a change: `right`, or the name of the error."""
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(written, home)
    with closing(sqlite3.connect(home / "store.db", isolation_level=None)) as connection:
        try:
            connection.execute(sql)
        except sqlite3.IntegrityError:
            return "refused"
    with opened(home, 3) as notebook:
        try:
            output = notebook.last().replay(mode=mode).output()
        except DurableError as error:
            assert notebook.executed() == [], sql
            return type(error).__name__
        assert output == OUTPUT, sql
        assert notebook.executed() == [], sql
        assert notebook.last().call("at").args_changed
        return "right"


@pytest.mark.parametrize("mode", ["adaptive", "strict"])
def test_what_was_not_changed_is_served_along_the_last_path(written: Path, tmp_path: Path, mode: str) -> None:
    """Nothing executes, and what was served by its place says so."""
    assert replayed(written, tmp_path / "home", "SELECT 1", mode) == "right"


def changes(table: str, column: str) -> Iterator[str]:
    """All rows at once, and the one with the largest value alone."""
    values = ("0", "1", "3", f"{column} + 1", f"{column} - 1", "NULL", "'f'", "'diverged'", "1 << 62", "-1", "x'00'")
    for value in values:
        yield f"UPDATE OR REPLACE {table} SET {column} = {value}"
        yield f"UPDATE OR REPLACE {table} SET {column} = {value} WHERE {column} = (SELECT max({column}) FROM {table})"


COLUMNS: Final = [(table, column) for tables in (SIGNED, TELLS) for table in tables for column in tables[table]]
MODES: Final = ("adaptive", "strict")
CHOSEN: Final = (
    "UPDATE reached SET identity = identity + 1",
    "UPDATE reached SET seq = seq + 1",
    "UPDATE reached SET flags = 0 WHERE flags",
    "UPDATE reached SET pass_no = pass_no + 65536",
    "UPDATE reached SET mac = NULL",
    "UPDATE decided SET name = 'at'",
    "UPDATE decided SET mac = NULL",
    "UPDATE request SET run = 0",
    "UPDATE request SET run = 1 << 62",
    "UPDATE run SET run = run + 1 WHERE run = 2",
    "UPDATE run SET status = 'diverged' WHERE run = 2",
)
"""One of each kind: another call, another place, no mark, another run, no signature, another function."""


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("sql", CHOSEN)
def test_what_steers_and_was_changed_serves_nothing_wrong(written: Path, tmp_path: Path, mode: str, sql: str) -> None:
    """Where calls stood, what was decided, which run comes next, and which one is no reference."""
    replayed(written, tmp_path / "home", sql, mode)


@pytest.mark.full
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_no_column_of_what_steers_serves_anything_wrong(
    written: Path, tmp_path: Path, mode: str, table: str, column: str
) -> None:
    """Each value is an error, or made no difference."""
    for sql in changes(table, column):
        replayed(written, tmp_path / "home", sql, mode)


@pytest.mark.parametrize("place", [Reached(1, 1, 0, 2, 1, 0), ArgumentsDecide(1, "f", 1)])
def test_only_a_request_of_before_places_were_signed_may_lack_their_signature(place: Any) -> None:
    """Its id, which is in every MAC, says so; a signature that is there has to be right in any case."""
    for id, may_lack in (("req_" + "0" * 12, True), ("req_" + "0" * 14, True), ("req_" + "0" * 16, False)):
        sealer = Sealer(id, MemoryStore(), ValueSerializer(), KeySigner(b"k" * KEY_BYTES))
        (signed,) = sealer.placed([place])
        assert sealer.sound([signed]) == [signed]
        for wrong in (place, signed._replace(parent=2), signed._replace(mac=b"\0" * len(signed.mac))):
            if may_lack and wrong.mac is None:
                assert sealer.sound([wrong]) == [wrong]
            else:
                with pytest.raises(DeserializationError, match=id):
                    sealer.sound([wrong])
