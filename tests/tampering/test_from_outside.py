"""A store that was changed, seen by a Jupyter server and by the commands: every answer is right, or one sentence.

Rules of this file
- The store is made by a script in a process of its own (`made`), so that its recorded code needs nothing of a test.
- The oracle knows each value by its call. A call executes again only where what was changed is of a call.
- Commands run in this process, and a few in one of their own; the server is a real one, whose file is replaced.
"""

from __future__ import annotations

import ast
import json
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import CliRunner

from jupyter_durable import context
from jupyter_durable.cli.app import app
from jupyter_durable.client import Engine
from jupyter_durable.client.settings import Settings
from tests.server.conftest import Server, server
from tests.tampering.changing import Changed, all_columns

__all__ = ["server"]

CHOSEN: Final = ("nothing", "another type", "largest", "succeeded", "another row's value", "a bit turned")
"""Of the ways of changing a column: one of each kind."""
LOADS: Final = {f"load {n}" for n in range(4)}
EXECUTES_AGAIN: Final = {"call", "code", "request", "reached", "decided"}
"""Tables with signed columns: what their rows no longer vouch for may execute again."""
Answer = tuple[int, str]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the store of the script, run once."""
    folder = tmp_path_factory.mktemp("made") / "data"
    environment = environment_of(folder)
    script = Path(__file__).with_name("made.py")
    subprocess.run([sys.executable, script], env=environment, check=True, capture_output=True, timeout=300)
    return folder


def environment_of(folder: Path) -> dict[str, str]:
    """Of a process whose store is in a folder."""
    places = {"JUPYTER_DATA_DIR": folder, "RAN": folder / "ran", "MENDED": folder / "mended"}
    return {**os.environ, **{name: str(place) for name, place in places.items()}}


def store_of(folder: Path) -> Path:
    return folder / "durable" / "store.db"


def ids_of(folder: Path) -> dict[str, str]:
    """The requests by their applications."""
    with closing(sqlite3.connect(store_of(folder))) as connection:
        return dict(connection.execute("SELECT application, id FROM request").fetchall())


# commands


class Commands:
    """Commands on a changed store, and what their answers have to be."""

    def __init__(self, folder: Path, perform: Callable[..., Answer], counts: Counter[str]) -> None:
        self.folder = folder
        self._perform = perform
        self._counts = counts

    def asked(self, *words: str) -> Any:
        """What a command says with --json; None where it refuses, with a sentence."""
        code, out = self._perform(*words, "--json")
        assert code in (0, 1, 2), (words, code, out)
        self._counts["answered" if code == 0 else "refused"] += 1
        return json.loads(out) if code == 0 else None

    def look(self, ids: dict[str, str]) -> None:
        """Everything that only reads."""
        for word in ("list", "doctor", "store"):
            self.asked(word)
        for id in ids.values():
            for word in ("show", "tree", "logs", "preview"):
                self.asked(word, id)
        doubled = self.asked("output", ids["double"])
        assert doubled is None or doubled["value"] == 14, doubled
        for id, count in ((ids["report"], 4), (ids["double"], 1)):
            for n in range(count):
                given = self.asked("inputs", id, f"load[{n}]")
                value = self.asked("output", id, f"load[{n}]")
                if given is not None and value is not None and value["value"] is not None:
                    assert value["value"] == {"page": given["args"][0]["value"]}, (id, n)

    def replay(self, ids: dict[str, str], may_repeat: bool) -> None:
        """The failed request is mended."""
        before = (self.folder / "ran").read_text().splitlines()
        (self.folder / "mended").touch()
        replayed = self.asked("replay", ids["report"])
        executed = (self.folder / "ran").read_text().splitlines()[len(before) :]
        assert set(executed) <= {"total", *(LOADS if may_repeat else ())}, executed
        value = self.asked("output", ids["report"])
        if replayed is not None and value is not None:
            assert value["value"] == 6, value


def in_process(folder: Path) -> Callable[..., Answer]:
    """Performs a command here. What is no error of ours is raised."""

    def perform(*words: str) -> Answer:
        done = CliRunner().invoke(app, ["--store", f"sqlite:///{store_of(folder)}", *words])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert "Traceback" not in done.stderr, done.stderr
        return done.exit_code, done.stdout

    return perform


def as_process(folder: Path) -> Callable[..., Answer]:
    """Performs a command as a user does."""

    def perform(*words: str) -> Answer:
        command = [sys.executable, "-m", "jupyter_durable.cli", "--store", f"sqlite:///{store_of(folder)}", *words]
        done = subprocess.run(command, env=environment_of(folder), capture_output=True, text=True, timeout=300)
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout

    return perform


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[None]:
    """One that has seen nothing, for commands in this process."""
    before = context.engine.get()
    made = Engine(Settings(store=f"sqlite:///{tmp_path / 'other.db'}"))
    context.engine.set(made)
    yield
    context.engine.set(before)
    if made._store is not None:
        made._store.close()


def commanded(
    made: Path, folder: Path, case: tuple[str, str, str], how: Callable[[Path], Callable[..., Answer]]
) -> Counter[str]:
    """Change a copy of the store, and ask the commands."""
    counts: Counter[str] = Counter(changes=1)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(made, folder)
    ids = ids_of(folder)
    changed = Changed(store_of(folder).parent, *case)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment_of(folder).items():
            patch.setenv(name, value)
        try:
            commands = Commands(folder, how(folder), counts)
            commands.look(ids)
            commands.replay(ids, case[0] in EXECUTES_AGAIN)
        except BaseException as error:
            error.add_note(changed.said)
            raise
    return counts


@pytest.mark.usefixtures("engine")
def test_a_sample_of_changed_columns_is_answered_by_commands(made: Path, tmp_path: Path) -> None:
    """A value is its own, or there is a sentence."""
    for table, column in random.Random(3).sample(all_columns(), 4):
        commanded(made, tmp_path / "data", (table, column, "another row's value"), in_process)


@pytest.mark.full
@pytest.mark.timeout(1200)
@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(("table", "column"), all_columns())
def test_a_changed_column_is_answered_by_commands(
    made: Path, tmp_path: Path, record_property: Callable[[str, object], None], table: str, column: str
) -> None:
    """Each way of being another one."""
    counts: Counter[str] = Counter()
    for way in CHOSEN:
        counts += commanded(made, tmp_path / "data", (table, column, way), in_process)
    for name, number in counts.items():
        record_property(name, number)


@pytest.mark.full
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    "case", [("call", "value", "another row's value"), ("reached", "count", "largest"), ("request", "run", "smallest")]
)
def test_a_changed_column_is_answered_by_a_command_of_its_own_process(
    made: Path, tmp_path: Path, case: tuple[str, str, str]
) -> None:
    """The same as above, from the shell."""
    commanded(made, tmp_path / "data", case, as_process)


# the server


def copied(server: Server, made: Path) -> Path:
    """A folder with a copy of the store, beside that of the server."""
    beside = server.default_store.parent.with_name("beside")
    shutil.rmtree(beside, ignore_errors=True)
    shutil.copytree(store_of(made).parent, beside)
    return beside


def put(server: Server, folder: Path) -> None:
    """The store of a folder takes the place of the one that the server lists."""
    for path in server.default_store.parent.glob("store.db*"):
        path.unlink()
    os.replace(folder / "store.db", server.default_store)


def served(server: Server, made: Path, ids: dict[str, str], case: tuple[str, str, str]) -> Counter[str]:
    """Change a copy of the store, put it where the server finds it, and ask all that can be read."""
    counts: Counter[str] = Counter(changes=1)
    beside = copied(server, made)
    changed = Changed(beside, *case)
    put(server, beside)
    try:
        listed = answered(server, counts, "requests", limit=100)
        assert listed is not None
        for id in ids.values():
            at = f"requests/any/{id}"
            for what in ("snapshot", "preview", "info"):
                answered(server, counts, f"{at}/{what}")
            page = answered(server, counts, f"{at}/page", parent=1) or {"calls": []}
            for call in page["calls"]:
                right(call["name"], call.get("arguments", ""), call.get("output", ""))
            for n in range(1, 7):
                seen = answered(server, counts, f"{at}/detail", call=n)
                if seen is not None:
                    counts["details"] += 1
    except BaseException as error:
        error.add_note(changed.said)
        raise
    return counts


def answered(server: Server, counts: Counter[str], path: str, **query: Any) -> Any:
    """The answer of the server; None where it refuses, with a sentence."""
    reply = server.ask(path, **query)
    assert reply.status in (200, 400, 404, 409, 503), (path, query, reply)
    counts["answered" if reply.status == 200 else "refused"] += 1
    return reply.body if reply.status == 200 else None


def right(name: str, arguments: str, output: str) -> None:
    """What a row of the page shows of a call of `load` is the value of its argument, or says why it shows none."""
    given = re.fullmatch(r"\((\d+),?\)", arguments)
    if name == "load" and given is not None and output.startswith("{"):
        assert ast.literal_eval(output) == {"page": int(given[1])}, (arguments, output)


@pytest.fixture(scope="module")
def known(server: Server, made: Path) -> dict[str, str]:
    """The requests of the store that the server lists from now on, with its key."""
    folder = server.default_store.parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copy2(store_of(made).with_name("key"), folder / "key")
    put(server, copied(server, made))
    ids = ids_of(made)
    page = server.ask(f"requests/any/{ids['report']}/page", parent=1).body
    assert [call["output"] for call in page["calls"] if call["name"] == "load"] == [
        f"{{'page': {n}}}" for n in range(4)
    ]
    return ids


@pytest.mark.full
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("table", "column"), all_columns())
def test_a_changed_column_is_answered_by_the_server(
    server: Server,
    made: Path,
    known: dict[str, str],
    record_property: Callable[[str, object], None],
    table: str,
    column: str,
) -> None:
    """No answer is a 500, and no call shows the value of another one."""
    counts: Counter[str] = Counter()
    for way in CHOSEN:
        counts += served(server, made, known, (table, column, way))
    for name, number in counts.items():
        record_property(name, number)


def test_a_sample_of_changed_columns_is_answered_by_the_server(
    server: Server, made: Path, known: dict[str, str]
) -> None:
    """One change of each kind of table, and a value that is another call's."""
    for case in (
        ("call", "name", "-1"),
        ("call", "value", "zeros"),
        ("call", "value", "another row's value"),
        ("call", "value", "a bit turned"),
        ("reached", "count", "largest"),
        ("request", "status", "succeeded"),
    ):
        served(server, made, known, case)
