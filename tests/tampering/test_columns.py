"""Every column of every table of a store is changed in every way, and the store is read and replayed.

Rules of this file
- The oracle knows each value by its call: a value that is served is its own, only the functions that were asked for
  execute, and what is refused is refused with an error of ours.
- Columns are those of the schema: one that nobody has listed fails.
- The long tier is cut by columns: each of its tests is thirty changes, of a second at most where the machine is free.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from jupyter_durable import DurableError, context
from jupyter_durable.client import Request, this_engine
from tests.engine.conftest import Notebook
from tests.golden.written import all_of, write
from tests.tampering.changing import WAYS, Changed, all_columns, columns_of

SHOWN: Final = {
    "attempt": "what a failed attempt said, and when: shown, never decided from",
    "history": "what was set aside: kept to be looked at, never served",
    "log": "what a call printed: shown",
    "metric": "what a call measured: shown",
    "progress": "how far a call was: shown",
    "run": "when runs began and ended, and how: shown",
}
"""Tables that are not signed, and why: whatever stands in them, no call is served the value of another one."""
SIGNED: Final = {
    "call": {
        "parent", "identity", "pass_no", "seq", "kind", "name", "status", "flags", "digest", "code", "attempts",
        "codec", "value", "blob", "mac", "inputs", "writes", "children", "result", "below", "files", "metrics",
    },
    "request": {
        "id", "application", "kind", "code_key", "cell", "idempotency_key", "forked_from", "rule", "headers",
        "input_digest", "input", "mac",
    },
    "code": {"key", "data", "mac"},
    "reached": {"parent", "pass_no", "seq", "identity", "count", "flags", "mac"},
    "decided": {"parent", "name", "pass_no", "mac"},
}  # fmt: skip
"""Columns that are signed."""
NOT_SIGNED: Final = {
    "call": {
        "request": "the id of the request is signed with each row",
        "started_at": "a time, shown",
        "duration": "a time, shown",
    },
    "reached": {"request": "the id of the request is signed with each row"},
    "decided": {"request": "the id of the request is signed with each row"},
    "request": {
        "serial": "a number of the file; the id is what counts",
        **dict.fromkeys(("epoch", "lease_until", "lease_boot", "cancel_requested"), "who may write now"),
        "run": "what is recorded has a say in the number of the next run",
        **dict.fromkeys(("host", "boot_id", "pid_namespace", "pid", "pid_started"), "who runs it now"),
        **dict.fromkeys(("accepted_at", "started_at", "finished_at"), "a time, shown"),
        "pinned": "whether garbage collection may take it",
        "deleted": "whether it is being deleted",
        "status": "what it is told by; whether it succeeded, and with what, its root call vouches for",
        "error": "a line for lists",
        "notebook": "where it is found; moves with the file",
    },
}


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with requests of every kind, written by this version."""
    home = tmp_path_factory.mktemp("written")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_DATA_DIR", str(home))
        before = this_engine()
        made = Notebook(home / "store.db", patch)
        write(made)
        made.engine.store.close()
        context.engine.set(before)
    return home


def test_every_column_is_listed(written):
    """A new column is signed, or it is said why it need not be."""
    with closing(sqlite3.connect(written / "store.db")) as connection:
        found = columns_of(connection)
    assert found.keys() == SIGNED.keys() | SHOWN.keys()
    for table, signed in SIGNED.items():
        known = signed | NOT_SIGNED.get(table, {}).keys()
        assert set(found[table]) == known, table


def executions_of(n: int) -> set[Any]:
    """All that `all_of(n)` may execute."""
    names = ("step", "large", "binary", "point", "over", "keep", "broken", "second_time", "added")
    return (
        {(name, n) for name in names} | {("step", i) for i in (n + 100, 10, 11, 12)} | {("add", i) for i in (1, 2, 3)}
    )


NUMBER: Final = {"succeeds": 1, "fails": 2, "dies": 3, "remove": 4}


class Looked:
    """A changed store, looked at in every way."""

    def __init__(self, notebook: Notebook, counts: Counter[str]) -> None:
        self.notebook = notebook
        self.counts = counts

    def typed(self, what: Any) -> Any:
        """What is served; None where it was refused with an error of ours."""
        try:
            found = what()
        except DurableError:
            self.counts["refused"] += 1
            return None
        except (ValueError, KeyError) as error:
            if str(error).strip("'") not in {"no 1", "no 2", "no 3", "2"}:  # what the functions themselves raise
                raise
            return None
        self.counts["served"] += 1
        return found

    def requests(self, ids: dict[str, str]) -> dict[str, Request]:
        """The requests by what they were, as far as they are found."""
        store = self.notebook.engine.store
        rows = {application: self.typed(lambda id=id: store.request(id)) for application, id in ids.items()}
        return {name: Request(self.notebook.engine, row) for name, row in rows.items() if row is not None}

    def read(self, requests: dict[str, Request]) -> None:
        """Outputs, arguments, state, tree."""
        for application, request in requests.items():
            n = NUMBER.get(application, 0)
            output = self.typed(request.output)
            assert output in (None, all_of(n), "removed" if application == "remove" else None), (application, output)
            if output is None and application in ("succeeds", "remove"):
                self.counts["outputs refused"] += 1
            state = self.typed(lambda request=request: request.state)
            assert state in (None, {}, {"kept": n}), state
            self.typed(request.tree)
            self.typed(request.preview)
            self.typed(lambda request=request: str(request))
            for call in self.typed(request.calls) or []:
                self.one(call, n)

    def one(self, call: Any, n: int) -> None:
        """A value of a call is that of its function and its arguments."""
        given = self.typed(call.inputs)
        value = self.typed(call.output)
        if given is None or value is None:
            return
        assert value == expected(call._stored.call_row(call._node).name, list(given[0])), (
            call,
            given,
            value,
        )

    def replay(self, requests: dict[str, Request]) -> None:
        """Only the functions of a request execute, with its arguments; what it gives is its own."""
        for application, request in requests.items():
            self.notebook.executed()
            replayed = self.typed(request.replay)
            n = NUMBER.get(application, 0)
            allowed = executions_of(n) if application in ("succeeds", "fails", "dies") else {("remove", 4)}
            if application == "cell":
                allowed = {("keep", 7), ("point", 8), ("add", 1), ("add", 2)}
            executed = set(self.notebook.executed())
            assert executed <= allowed, (application, executed - allowed)
            if replayed is not None and (output := self.typed(replayed.output)) is not None:
                assert output == (all_of(n) if application != "remove" else "removed")
                state = self.typed(lambda replayed=replayed: replayed.state)
                assert state in (None, {"kept": n} if application != "remove" else {}), state


def expected(name: str, args: list[Any]) -> Any:
    """What the functions of the golden store give."""
    given = args[-1]
    return {
        "step": lambda: {"step": given},
        "large": lambda: str(given) * 80_000,
        "binary": lambda: bytearray([given]) * 80_000,
        "add": lambda: args[0] + given,
        "Adder.added": lambda: 1000 + given,
        "over": lambda: given.x + 100,
        "point": lambda: Same(given),
        "keep": lambda: given,
        "second_time": lambda: given,
    }[name]()


class Same:
    """Equal to a point of this number."""

    def __init__(self, x: int) -> None:
        self.x = x

    def __eq__(self, other: object) -> bool:
        return getattr(other, "x", None) == self.x

    def __hash__(self) -> int:
        return hash(self.x)


def look(written: Path, home: Path, cases: list[tuple[str, str, str, int]], counts: Counter[str]) -> None:
    """Change a copy of the store and look at it, for each case."""
    with closing(sqlite3.connect(written / "store.db")) as connection:
        ids = dict(connection.execute("SELECT application, id FROM request").fetchall())
    for case in cases:
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(written, home)
        changed = Changed(home, *case)
        counts["changes"] += 1
        counts[case[2]] += changed.made
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("JUPYTER_DATA_DIR", str(home))
            before = this_engine()
            notebook = None
            try:
                notebook = Notebook(home / "store.db", patch)
                notebook.namespace["die"] = lambda: None
                looked = Looked(notebook, counts)
                requests = looked.requests(ids)
                looked.read(requests)
                looked.replay(requests)
            except BaseException as error:
                error.add_note(changed.said)
                raise
            finally:
                if notebook is not None:
                    looked.typed(lambda notebook=notebook: notebook.engine.store.close())
                context.engine.set(before)


def test_a_sample_of_changed_columns_serves_nothing_that_is_not_its_own(written, tmp_path):
    """Each way of being another one, of a signed column that takes it; those that are drawn more often."""
    draw, signed = (
        random.Random(7),
        [(table, column) for table, columns in SIGNED.items() for column in sorted(columns)],
    )
    counts: Counter[str] = Counter()
    for way in WAYS:
        for seed in range(5):
            look(written, tmp_path / "home", [(*draw.choice(signed), way, seed)], counts)
            if counts[way]:
                break
        assert counts[way], f"no change was made: {way}"


@pytest.mark.full
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("table", "column"), all_columns())
def test_a_changed_column_serves_nothing_that_is_not_its_own(
    written, tmp_path, record_property, table: str, column: str
):
    """Each way of being another one."""
    counts: Counter[str] = Counter()
    try:
        look(written, tmp_path / "home", [(table, column, way, 0) for way in WAYS], counts)
    finally:
        for name, number in counts.items():
            record_property(name, number)
