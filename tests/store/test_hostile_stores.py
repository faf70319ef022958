"""Stores that were made to do harm: whoever looks at one gets an answer or a typed error, and soon."""

from __future__ import annotations

import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from itertools import chain
from pathlib import Path
from time import monotonic, thread_time

import pytest

from jupyter_durable.errors import DurableError, StoreError
from jupyter_durable.store import open_store
from jupyter_durable.store.base import Filter, Store
from jupyter_durable.store.migrations import VERSIONS
from jupyter_durable.store.sqlite import foreign
from jupyter_durable.store.sqlite.store import SqliteStore
from jupyter_durable.store.sqlite.watch import Watch
from jupyter_durable_server import lanes
from tests.store import hostile

SECONDS = 1.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "hostile.db"
    hostile.sound(found)
    return found


def looking(path: Path, seconds: float = SECONDS) -> Store:
    return open_store(f"sqlite:///{path}", limit=lambda: seconds)


@pytest.mark.parametrize("name", hostile.SCHEMAS)
def test_a_file_that_defines_what_we_do_not_is_refused_by_everybody_before_anything_is_read(
    path: Path, name: str
) -> None:
    hostile.SCHEMAS[name](path)
    before = path.read_bytes()
    for limit in (None, lambda: SECONDS):
        with pytest.raises(StoreError, match=r"hostile\.db"):
            open_store(f"sqlite:///{path}", limit=limit)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", hostile.FILES)
def test_what_is_no_store_is_refused_with_its_name(path: Path, name: str) -> None:
    hostile.FILES[name](path)
    with pytest.raises(StoreError, match=r"hostile\.db"):
        looking(path).requests(Filter())


def everything(store: Store) -> None:
    """Read what the panel and the command line read."""
    for row in store.requests(Filter()):
        store.runs(row.serial)
        store.progress(row.serial)
        store.logs(row.serial)
        for parent in range(3):
            store.children(row.serial, parent, 0, 1000)
            store.reached(row.serial, parent)
        for text in (row.application, row.error or "", row.kind):
            assert len(text) < 20_000


@pytest.mark.parametrize("name", hostile.ODD)
def test_what_is_odd_is_read_in_bounds_or_refused_with_a_typed_error(path: Path, name: str) -> None:
    hostile.ODD[name](path)
    with suppress(DurableError):
        store = looking(path)
        try:
            everything(store)
        finally:
            store.close()


def test_texts_are_cut_where_the_guarantees_say_for_who_only_looks(path: Path) -> None:
    """Names and errors at 16,384 characters, what was printed at once at 1 MiB; whoever runs requests reads all."""
    sizes = {"error": 16_384, "printed": 1 << 20}
    for more in (0, 1):
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("UPDATE request SET error = ?", ("ü" * (sizes["error"] + more),))
            connection.execute("DELETE FROM log")
            connection.execute(
                "INSERT INTO log (request, identity, pass_no, at, stream, text) VALUES (1, 2, 1, 1.0, 'stdout', ?)",
                ("ü" * (sizes["printed"] + more),),
            )
        for store, whole in ((looking(path), not more), (open_store(f"sqlite:///{path}"), True)):
            found = {"error": store.requests(Filter())[0].error or "", "printed": store.logs(1)[0].text}
            store.close()
            for what, text in found.items():
                assert text.count("ü") == sizes[what] + (more if whole else 0)
                assert text.endswith("ü" if whole else " … (too long)")


@pytest.mark.parametrize("limit", [None, lambda: SECONDS])
def test_every_connection_distrusts_the_file_before_it_reads_it(path: Path, limit: Callable[[], float] | None) -> None:
    store = SqliteStore(path, limit=limit)
    connection = store._link.connection
    asked = ("trusted_schema", "cell_size_check", "mmap_size")
    assert [connection.execute(f"PRAGMA {name}").fetchone() for name in asked] == [(0,), (1,), (0,)]
    assert connection.getlimit(sqlite3.SQLITE_LIMIT_ATTACHED) == 0
    store.close()


def test_what_a_schema_calls_is_not_called(tmp_path: Path) -> None:
    """A function of the program that opens a file, named in a view of the file."""
    called: list[int] = []
    with closing(sqlite3.connect(tmp_path / "foreign.db", isolation_level=None)) as connection:
        connection.create_function("outside", 0, lambda: called.append(1))
        connection.execute("CREATE VIEW v AS SELECT outside() AS x")
        connection.execute("SELECT x FROM v").fetchall()
        assert called == [1]
        foreign.restrict(connection)
        with pytest.raises(sqlite3.OperationalError, match="unsafe use of outside"):
            connection.execute("SELECT x FROM v").fetchall()
    assert called == [1]


def test_a_cell_that_runs_beyond_its_page_is_seen_when_the_page_is(tmp_path: Path) -> None:
    path = tmp_path / "foreign.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t (x)")
        connection.execute("INSERT INTO t VALUES (zeroblob(100))")
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    data = bytearray(path.read_bytes())
    data[size + 8 : size + 10] = (size - 4).to_bytes(2)  # where the only cell of the table begins
    data[2 * size - 4 :] = b"\x40\x01\x03\x00"  # 64 bytes long
    path.write_bytes(data)
    for restricted in (False, True):
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            if restricted:
                foreign.restrict(connection)
                with pytest.raises(sqlite3.DatabaseError, match="malformed"):
                    connection.execute("SELECT count(*) FROM t").fetchall()
            else:
                assert connection.execute("SELECT count(*) FROM t").fetchall() == [(1,)]


def test_a_table_whose_pages_lead_in_circles_is_given_up_with_a_sentence(path: Path) -> None:
    hostile.pages_in_circles(path)
    store = looking(path, 0.2)
    with pytest.raises(StoreError, match=r"not read in 0\.2 seconds"):
        store.requests(Filter(text="nothing"))
    store.close()


@pytest.mark.parametrize("name", hostile.SLOW)
def test_no_statement_takes_much_longer_than_it_may_however_few_steps_it_has(path: Path, name: str) -> None:
    hostile.SLOW[name](path)
    store = looking(path, 0.1)
    began = thread_time()
    with suppress(StoreError):
        store.logs(1)
    assert thread_time() - began < 1  # a tenth is what it may; unwatched they take minutes
    store.close()


def test_a_statement_that_waits_for_a_processor_is_not_given_up_and_one_that_uses_it_is() -> None:
    watch = Watch(0.05)
    threading.Event().wait(0.1)
    assert not watch()
    until = thread_time() + 0.06
    while thread_time() < until:
        pass
    assert watch()


def test_a_sound_store_with_a_hundred_thousand_lines_and_calls_is_read_in_a_fraction_of_the_limit(path: Path) -> None:
    hostile.printed(100_000, "printf('%.80c', 'p')")(path)
    hostile.more_calls(path, 100_000)
    store = looking(path, lanes.STATEMENT_SECONDS / 2)
    assert len(store.logs(1)) == 100_000
    assert len(store.children(1, 1, 0, 10_000)) == 10_000
    assert store.requests(Filter(text="nothing")) == []
    store.close()


@pytest.mark.parametrize("limited", [True, False])
def test_an_interrupt_ends_a_statement_that_never_would(path: Path, limited: bool) -> None:
    """As Ctrl-C does, and ■: what the handler of the signal raises comes out of the reading."""
    hostile.pages_in_circles(path)
    store = open_store(f"sqlite:///{path}", limit=(lambda: 60.0) if limited else None)
    threading.Timer(0.2, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT)).start()
    began = monotonic()
    with pytest.raises(KeyboardInterrupt):
        store.requests(Filter(text="nothing"))
    assert monotonic() - began < 30
    assert store.requests(Filter(limit=1))  # and the connection can be used
    store.close()


def test_a_schema_that_is_changed_under_an_open_store_is_looked_at_again(path: Path) -> None:
    store = looking(path)
    assert store.requests(Filter())
    hostile.SCHEMAS["endless view in place of the requests"](path)
    with pytest.raises(StoreError, match="the view 'request'"):
        store.requests(Filter())


@pytest.fixture
def held(path: Path) -> Iterator[Path]:
    """A store that another connection keeps for itself."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("PRAGMA journal_mode = DELETE")
        other.execute("BEGIN EXCLUSIVE")
        yield path


def test_who_looks_does_not_wait_for_ever_for_who_keeps_the_file(held: Path) -> None:
    with pytest.raises(StoreError, match=r"hostile\.db.*(locked|process)"):
        looking(held, 0.5)


@pytest.mark.parametrize("version", range(len(VERSIONS) + 1))
def test_the_schema_of_every_version_is_that_which_the_migrations_make(version: int) -> None:
    """Versions that are released are never edited: their digests stand in the code."""
    with closing(sqlite3.connect(":memory:")) as made:
        for statement in chain.from_iterable(VERSIONS[:version]):
            made.execute(statement)
        assert foreign.SCHEMAS[version] == foreign.digest_of(made.execute(foreign.OBJECTS).fetchall())


def test_quotes_and_blanks_of_other_writers_and_statistics_do_not_count(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("ANALYZE")
        other.execute("PRAGMA writable_schema = ON")
        other.execute("UPDATE sqlite_master SET sql = replace(sql, 'key BLOB', '[key]   BLOB') WHERE name = 'code'")
    looking(path).close()
