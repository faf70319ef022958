"""What the store in a database promises beyond the laws of all stores: what servers and networks do to it."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from jupyter_durable.core.model import Logged
from jupyter_durable.errors import (
    CheckpointError,
    DeserializationError,
    LeaseLost,
    SDKUsageError,
    StoreError,
    StoreVersionError,
)
from jupyter_durable.store import open_store
from jupyter_durable.store.base import BlobLost, Filter, Journal, Store
from jupyter_durable.store.postgres.address import parsed
from jupyter_durable.store.postgres.transactions import Session
from tests.store.database import Server
from tests.store.rows import BODY, ended, mark, new_request, outcome, started

Ask = Callable[..., list]
ROOT = Path(__file__).parents[2]
OURS = "application_name = 'jupyter-durable' AND pid <> pg_backend_pid()"


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    store = open_store(database, lambda text: None)
    yield store
    store.close()


# what is lost on the way


def test_connections_killed_at_random_moments_lose_nothing_and_record_nothing_twice(store: Store, psql: Ask) -> None:
    journal, over = started(store), threading.Event()
    killed = threading.Thread(target=kill_until, args=(over, psql, random.Random(7)))
    killed.start()
    try:
        told = [record(journal, identity) for identity in range(2, 2_002)]
    finally:
        over.set()
        killed.join()
    journal.flush()
    rows = {row.identity: row for row in everything(store, journal)}
    logs = [log.identity for log in store.logs(journal.lease.serial)]
    acknowledged = {identity for identity, error in enumerate(told, start=2) if error is None}
    assert acknowledged <= rows.keys()
    assert len(logs) == len(set(logs))
    assert set(logs) == {identity for identity in rows if identity % 2}
    assert len(acknowledged) > 1_900


def kill_until(over: threading.Event, psql: Ask, draw: random.Random) -> None:
    while not over.wait(draw.uniform(0.02, 0.5)):
        psql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {OURS} AND query <> ''")


def record(journal: Journal, identity: int) -> Exception | None:
    """Every second one with what it printed; why it was not acknowledged."""
    writes = [Logged(identity, BODY, 1.0, "stdout", "x")] if identity % 2 else []
    try:
        journal.record(outcome(identity), writes)
    except CheckpointError as error:
        return error
    return None


def everything(store: Store, journal: Journal) -> list:
    return store.children(journal.lease.serial, 1, 0, 1_000_000)


def test_a_server_that_goes_down_at_once_and_comes_back_loses_nothing_that_was_acknowledged(
    server: Server, store: Store
) -> None:
    journal, told, over = started(store), dict[int, Exception | None](), threading.Event()

    def work(first: int) -> None:
        identity = first
        while not over.is_set():
            told[identity] = record(journal, identity)
            identity += 1

    threads = [threading.Thread(target=work, args=(100_000 * n,)) for n in range(1, 5)]
    for thread in threads:
        thread.start()
    for _ in range(2):
        time.sleep(0.5)
        server.stop(signal.SIGQUIT)
        server.start()
    time.sleep(0.5)
    over.set()
    for thread in threads:
        thread.join()
    rows = {row.identity for row in everything(store, journal)}
    logs = [log.identity for log in store.logs(journal.lease.serial)]
    assert {identity for identity, error in told.items() if error is None} <= rows
    assert sorted(logs) == sorted(identity for identity in rows if identity % 2)


class Deaf:
    """Lets a COMMIT reach the server, and loses the answer with the connection."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = 0
        once, alone = Session._once, Session.alone

        def lose(session: Session) -> None:
            if self.left:
                self.left -= 1
                session.link.drop()
                raise psycopg.OperationalError("the answer was lost")

        def deaf_once(session: Session, act: Callable, done: list) -> object:
            result = once(session, act, done)
            lose(session)
            return result

        def deaf_alone(session: Session, sql: str, values: tuple) -> int:
            changed = alone(session, sql, values)
            lose(session)
            return changed

        monkeypatch.setattr(Session, "_once", deaf_once)
        monkeypatch.setattr(Session, "alone", deaf_alone)


def test_a_commit_whose_answer_is_lost_is_found_and_not_made_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, deaf = started(store), Deaf(monkeypatch)
    deaf.left = 1
    journal.record(outcome(2))
    deaf.left = 1
    journal.record(outcome(3), [Logged(3, BODY, 1.0, "stdout", "x")])
    deaf.left = 1
    journal.later(Logged(3, BODY, 2.0, "stdout", "y"))
    journal.flush()
    deaf.left = 1
    journal.finish(ended(outcome(1, 0)))
    deaf.left = 1
    row, fresh = store.accept(new_request("r2"))
    assert (row.id, fresh) == ("r2", True)
    assert [row.identity for row in everything(store, journal)] == [2, 3]
    assert [log.text for log in store.logs(journal.lease.serial)] == ["x", "y"]
    assert store.request("r1").status == "succeeded"


SLOW_COMMIT = """
CREATE FUNCTION {0}.wait() RETURNS trigger LANGUAGE plpgsql
AS 'BEGIN PERFORM pg_advisory_xact_lock(1, 1); RETURN NULL; END';
CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON {0}.log
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION {0}.wait();
"""


def test_a_commit_that_is_still_on_its_way_when_the_connection_is_lost_is_ended_before_it_is_looked_for(
    server: Server, store: Store, database: str
) -> None:
    journal, told = started(store), list[BaseException | None]()
    with psycopg.connect(server.url, autocommit=True) as other:
        other.execute(SLOW_COMMIT.format(database.rpartition("=")[2]))
        other.execute("SELECT pg_advisory_lock(1, 1)")
        journal.post(outcome(2), told.append, [Logged(2, BODY, 1.0, "stdout", "x")])
        until(lambda: waiting_for_a_lock(other) == 1)
        link = store._writing  # type: ignore[attr-defined]
        backends = link._last
        with socket.socket(fileno=os.dup(link._connection.pgconn.socket)) as cut:
            cut.shutdown(socket.SHUT_RDWR)
        until(lambda: bool(told) or (link._last != backends and waiting_for_a_lock(other) == 1))
        assert told == []
        other.execute("SELECT pg_advisory_unlock(1, 1)")
    journal.flush()
    assert told == [None]
    assert [log.text for log in store.logs(journal.lease.serial)] == ["x"]


def until(there: Callable[[], bool]) -> None:
    end = time.monotonic() + 100
    while not there():
        assert time.monotonic() < end
        time.sleep(0.01)


def waiting_for_a_lock(connection: psycopg.Connection) -> int:
    waits = f"SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND {OURS}"
    return next(count for (count,) in connection.execute(waits))


def test_another_outcome_of_the_same_call_is_not_taken_for_the_one_whose_answer_was_lost(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = started(store)
    journal.record(outcome(2, value=b"first"))
    Deaf(monkeypatch).left = 1
    with pytest.raises(StoreError, match="already has a durable outcome"):
        journal.record(outcome(2, value=b"second"))


def test_while_the_database_is_down_everybody_is_told_and_work_goes_on_when_it_is_back(
    server: Server, database: str
) -> None:
    store = open_store(database, lambda text: None)
    journal = started(store)
    server.stop()
    try:
        store._writing.patience = store._reading.patience = store._apart.patience = 0.0  # type: ignore[attr-defined]
        for use in (lambda: journal.record(outcome(2)), lambda: later(journal)):
            with pytest.raises(CheckpointError, match=r"look whether the database is up.*kept in memory"):
                use()
        with pytest.raises(CheckpointError, match="kept in memory"):
            store.put_blob(b"head", [b"x"])
        with pytest.raises(StoreError, match="look whether the database is up"):
            store.request("r1")
        with pytest.raises(StoreError, match="look whether the database is up"):
            open_store(database)
    finally:
        server.start()
    journal.record(outcome(2))
    assert {row.identity for row in everything(store, journal)} == {2, 9}
    store.close()


def later(journal: Journal) -> None:
    journal.later(mark(9))
    journal.flush()


def test_what_the_database_cannot_hold_fails_alone(store: Store) -> None:
    journal, told = started(store), dict[int, BaseException | None]()
    for identity in range(2, 8):
        name = "bad\0name" if identity == 4 else "f"
        journal.post(outcome(identity, name=name), lambda error, i=identity: told.__setitem__(i, error))  # type: ignore[misc]
    journal.flush()
    assert {identity for identity, error in told.items() if error is not None} == {4}
    assert type(told[4]) is CheckpointError
    journal.later(Logged(2, BODY, 1.0, "stdout", "a\0b"))
    journal.flush()
    assert [log.text for log in store.logs(journal.lease.serial)] == [r"a\x00b"]


def test_a_group_of_thousands_is_written_in_batches(store: Store) -> None:
    journal, told = started(store), list[BaseException | None]()
    for identity in range(2, 4_002):
        journal.post(outcome(identity, value=b"v" * 2_000), told.append)
    journal.flush()
    assert told == [None] * 4_000
    assert len(everything(store, journal)) == 4_000


# several processes

RACER = """
import sys
from jupyter_durable.core.model import Owner
from jupyter_durable.store import open_store
from jupyter_durable.store.base import NotAsRead
from tests.store.rows import new_run
store = open_store(sys.argv[1])
sys.stdout.write("ready\\n"); sys.stdout.flush()
for line in sys.stdin:
    row = store.request(line.strip())
    try:
        store.begin(row.serial, Owner("h", "b", "n", int(sys.argv[2]), "s"), new_run(), 100.0)
        print("got", flush=True)
    except NotAsRead:
        print("refused", flush=True)
store.close()
"""


def test_of_processes_that_race_for_a_request_one_gets_it(store: Store, database: str) -> None:
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, database, str(number)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )
        for number in range(3)
    ]  # fmt: skip
    assert [said(racer) for racer in racers] == ["ready"] * 3
    for turn in range(20):
        store.accept(new_request(f"turn-{turn}-"))
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write(f"turn-{turn}-\n")
            racer.stdin.flush()
        assert sorted(said(racer) for racer in racers) == ["got", "refused", "refused"]
    for racer in racers:
        racer.communicate(timeout=100)
        assert racer.returncode == 0


def said(racer: subprocess.Popen[str]) -> str:
    assert racer.stdout is not None
    return racer.stdout.readline().strip()


def test_an_outcome_that_meets_a_take_over_on_its_way_is_refused(server: Server, store: Store, database: str) -> None:
    """It is sent while the other's transaction is open, which is seen by nobody yet."""
    journal, told = started(store), list[BaseException | None]()
    with psycopg.connect(server.url) as other, psycopg.connect(server.url, autocommit=True) as looking:
        other.execute(f"UPDATE {database.rpartition('=')[2]}.request SET epoch = epoch + 1, pid = 200, host = 'there'")
        journal.post(outcome(2), told.append)
        until(lambda: waiting_for_a_lock(looking) == 1 or bool(told))
        assert told == []
        other.commit()
    with pytest.raises(LeaseLost, match="process 200 on there"):
        journal.record(outcome(3))
    assert [type(error) for error in told] == [LeaseLost]
    assert everything(store, journal) == []


def test_a_lease_is_read_by_the_clock_of_who_reads_it(store: Store, psql: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = started(store)
    journal.renew(1_000.0)
    assert store.request("r1").lease_until == 1_000.0
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 3_600)
    assert store.request("r1").lease_until == pytest.approx(4_600.0, abs=60)
    journal.renew(4_600.0)
    assert store.request("r1").lease_until == 4_600.0


# large values


def test_a_damaged_large_value_is_told_and_mended_when_it_is_written_again(store: Store, psql: Ask) -> None:
    key = store.put_blob(b"head", [b"x" * 2_000_000])
    psql("UPDATE blob_part SET data = overlay(data placing 'yy' from 10) WHERE part = 1")
    with pytest.raises(DeserializationError, match="damaged"):
        store.get_blob(key)
    assert [finding.level for finding in store.check()][-1] == "error"
    assert store.put_blob(b"head", [b"x" * 2_000_000]) == key
    assert bytes(store.get_blob(key)[1][0]) == b"x" * 2_000_000
    assert {finding.level for finding in store.check()} == {"ok"}


def test_a_sweep_takes_old_values_that_no_row_names_and_no_row_names_one_that_is_gone(store: Store, psql: Ask) -> None:
    journal = started(store)
    named, loose, young = (store.put_blob(b"h", [text]) for text in (b"named", b"loose", b"young"))
    journal.record(outcome(2, value=None, blob=named))
    psql("UPDATE blob SET written_at = clock_timestamp() - interval '2 days' WHERE key <> %s", young)
    assert store.gc(older_than=1e9, now=0.0, dry_run=True).blobs == 1
    assert store.gc(older_than=1e9, now=0.0, dry_run=False).blobs == 1
    assert {key for (key,) in psql("SELECT key FROM blob")} == {named, young}
    with pytest.raises(BlobLost, match="executes the call again"):
        journal.record(outcome(3, value=None, blob=loose))
    journal.record(outcome(4))


def test_deleting_a_request_removes_the_values_that_only_it_named(store: Store, psql: Ask) -> None:
    own, shared = store.put_blob(b"h", [b"own"]), store.put_blob(b"h", [b"shared"])
    for id, keys in (("a", (own, shared)), ("b", (shared,))):
        journal = started(store, id)
        for identity, key in enumerate(keys, start=2):
            journal.record(outcome(identity, value=None, blob=key))
        journal.finish(ended(outcome(1, 0)))
    psql("UPDATE blob SET written_at = clock_timestamp() - interval '2 days'")
    store.delete(store.request("a").serial)
    assert [key for (key,) in psql("SELECT key FROM blob")] == [shared]
    assert [row.id for row in store.requests(Filter())] == ["b"]


# what is there already, and what may be shown


def test_a_newer_store_is_refused(store: Store, psql: Ask, database: str) -> None:
    psql("UPDATE version SET version = 99")
    with pytest.raises(StoreVersionError, match="upgrade jupyter-durable"):
        open_store(database)


def test_a_store_that_lacks_a_table_is_refused_and_not_mended(store: Store, psql: Ask, database: str) -> None:
    psql("DROP TABLE reached")
    with pytest.raises(StoreError, match="lacks the table reached"):
        open_store(database)
    with pytest.raises(StoreError, match="a table of the store is missing"):
        store.reached(1, 1)
    assert psql("SELECT to_regclass('reached')") == [(None,)]


def test_a_schema_of_another_program_is_not_touched(server: Server, database: str) -> None:
    schema = database.rpartition("=")[2]
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
        connection.execute(f"CREATE TABLE {schema}.request (mine text)")
        with pytest.raises(StoreError, match="another program"):
            open_store(database)
        connection.execute(f"SELECT mine FROM {schema}.request")


def test_several_processes_that_make_the_store_at_once_make_one(database: str) -> None:
    opened: list[Store] = []
    threads = [threading.Thread(target=lambda: opened.append(open_store(database))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 6
    opened[0].accept(new_request("a"))
    assert {store.request("last").id for store in opened} == {"a"}
    for store in opened:
        store.close()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:hunter2@host:1/db", "postgresql://me@host:1/db"),
        ("postgres://me:hun%74er2@a:1,b:2/db?schema=s", "postgres://me@a:1,b:2/db?schema=s"),
        ("postgresql://host/db?user=me&password=hunter2", "postgresql://host/db?user=me"),
    ],
)
def test_no_password_is_shown(url: str, shown: str) -> None:
    address = parsed(url)
    assert address.shown == shown
    assert "hunter2" in address.conninfo
    assert "hunter2" not in address.said(psycopg.OperationalError("connection failed: hunter2"))


def test_an_unreachable_database_is_told_without_the_password() -> None:
    with pytest.raises(StoreError, match="look whether the database is up") as caught:
        open_store("postgresql://me:hunter2@127.0.0.1:1/db")
    assert "hunter2" not in "".join(str(each) for each in (caught.value, caught.value.__cause__))


@pytest.mark.parametrize("url", ["postgresql://me:hunter2@[host/db", "postgresql://h/db?schema=&password=hunter2",
                                 "postgresql://h/db?no_such_word=hunter2"])  # fmt: skip
def test_a_url_that_is_none_is_refused_without_what_stands_in_it(url: str) -> None:
    with pytest.raises(SDKUsageError) as caught:
        open_store(url)
    assert "hunter2" not in str(caught.value)


def test_without_psycopg_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(SDKUsageError, match=r"pip install 'jupyter-durable\[postgres\]'"):
        open_store("postgresql://host/db")


def test_who_only_looks_makes_no_store(database: str, psql: Ask) -> None:
    with pytest.raises(StoreError, match="there is no store in the schema"):
        open_store(database, limit=lambda: 1.0)
    assert psql("SELECT to_regnamespace(%s)", database.rpartition("=")[2]) == [(None,)]
