"""Stores that were made to do harm, among those that the server lists: they cost themselves, nobody else."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from time import process_time, thread_time

import pytest

from jupyter_durable.core.model import Logged
from jupyter_durable.errors import DurableError, SDKUsageError, StoreError
from jupyter_durable_kernel.view import as_json
from jupyter_durable_server import answers, lanes, stores
from jupyter_durable_server.asked import Detail, Page, Plan, Wanted
from jupyter_durable_server.lanes import Lane
from jupyter_durable_server.stores import ANY, Stores, UnknownRequest, name_of
from tests.server.conftest import Server
from tests.store import hostile

LOOKS: dict[str, Callable[[Stores, str, str], object]] = {
    "info": partial(answers.info, root=""),
    "snapshot": answers.snapshot,
    "page": partial(answers.page, wanted=Page(parent=1, offset=0)),
    "detail": partial(answers.detail, wanted=Detail(call=2)),
    "preview": partial(answers.preview, wanted=Plan()),
    "cancel": answers.cancel,
    "pin": partial(answers.pin, pinned=True),
    "replay": answers.replay,
    "delete": answers.delete,
}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "STATEMENT_SECONDS", 0.1)


def url(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.mark.usefixtures("quick")
def test_a_list_shows_the_sound_store_among_all_that_harm_and_each_of_them_gives_answers_or_typed_errors(
    tmp_path: Path,
) -> None:
    good = tmp_path / "good.db"
    hostile.sound(good, "req_00000000600d")
    paths: dict[str, Path] = {}
    for name, spoil in hostile.ALL.items():
        if name != "a name of 50 MB":
            paths[name] = tmp_path / f"{len(paths)}.db"
            hostile.sound(paths[name])
            spoil(paths[name])
    known = Stores(lambda: [*map(url, paths.values()), url(good)])
    for _ in range(2):
        listed = answers.listing(known, Wanted(limit=2000), "")
        json.dumps(listed)
        assert "req_00000000600d" in [each["id"] for each in listed["requests"]]
    for path in paths.values():
        for look in LOOKS.values():
            with suppress(UnknownRequest, DurableError):
                json.dumps(look(known, name_of(url(path)), hostile.ID))
    assert answers.info(known, ANY, "req_00000000600d", "")["status"] == "succeeded"


@pytest.mark.usefixtures("quick")
def test_a_store_that_took_too_long_says_so_and_is_tried_again_when_it_changed_or_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "circles.db"
    hostile.sound(path)
    hostile.pages_in_circles(path)
    known = Stores(lambda: [url(path)])
    wanted = Wanted(text="nothing", limit=100)
    (said,) = answers.listing(known, wanted, "")["problems"]
    assert "not read in 0.1 seconds" in said
    assert "tried again when it changes" in said
    began = process_time()
    assert answers.listing(known, wanted, "")["problems"] == [said]
    assert process_time() - began < 0.1  # nothing was read: that took so much of a processor
    assert answers.info(known, name_of(url(path)), hostile.ID, "")["id"] == hostile.ID  # asked for, and found by its id
    path.write_bytes(b"")
    assert answers.listing(known, wanted, "")["problems"] != [said]


@pytest.mark.filterwarnings("ignore:results that were recorded")
def test_results_that_a_damaged_log_lost_are_told_of_while_the_log_is_there(tmp_path: Path) -> None:
    """Whoever opened the store first had the error; the panel says it in each list."""
    path = tmp_path / "sound.db"
    hostile.sound(path)
    kept = tmp_path / "sound.db-wal.damaged-01234567"
    kept.write_bytes(b"a log")
    known = Stores(lambda: [url(path)])
    for _ in range(2):
        (said,) = answers.listing(known, Wanted(text="", limit=100), "")["problems"]
        assert str(kept) in said
    kept.unlink()
    assert answers.listing(known, Wanted(text="", limit=100), "")["problems"] == []


class Hanging:
    """A store whose file system hangs: nothing that is asked of it ends."""

    def __init__(self) -> None:
        self.go_on = threading.Event()

    def __call__(self, _: object) -> None:
        self.go_on.wait(100)


def test_what_a_foreign_text_is_masked_with_holds_the_interpreter_for_a_moment_only() -> None:
    """A pattern runs in one piece: nobody else in the server goes on until it is done."""
    for text in ("-eyJaaaaa", "://a", "token ", "bearer "):
        began = thread_time()
        as_json.logs_of([Logged(2, 1, 1.0, "stdout", text * 1_000_000)], 1_000)
        assert thread_time() - began < 2  # where each character begins a search it is minutes


def test_what_hangs_and_cannot_be_ended_is_waited_for_once_and_fills_no_thread_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "PATIENCE_SECONDS", 0.1)
    path, hangs, before = tmp_path / "hangs.db", Hanging(), threading.active_count()
    hostile.sound(path)
    known = Stores(lambda: [url(path)])
    for _ in range(lanes.MOST + 3):
        found, (said,) = known.each(hangs)
        assert found == []
        assert "has not answered" in said
    assert threading.active_count() < before + 5
    with pytest.raises(StoreError, match="has not answered"):
        answers.info(known, name_of(url(path)), hostile.ID, "")
    hangs.go_on.set()
    known.places()[0].soon.late = False
    with suppress(StoreError):  # what was asked before is done first
        answers.info(known, name_of(url(path)), hostile.ID, "")


def test_a_lane_gives_what_was_raised_to_who_asked_and_goes_on() -> None:
    lane = Lane("x", 1.0)

    def refuse() -> None:
        raise SDKUsageError("no")

    with pytest.raises(SDKUsageError, match="no"):
        lane.ask(refuse).result(10)
    assert lane.ask(lambda: 7).result(10) == 7
    lane.end()


def test_answers_that_are_kept_are_those_of_one_store(tmp_path: Path) -> None:
    """A copy of a store has requests with the same ids, and whatever somebody wrote into it."""
    one, other = tmp_path / "one.db", tmp_path / "other.db"
    hostile.sound(one, calls=3)
    hostile.sound(other, calls=4)
    known = Stores(lambda: [url(one), url(other)])
    counts = [len(answers.snapshot(known, name_of(url(path)), hostile.ID)["calls"]) for path in (one, other)]
    assert counts == [4, 5]


def test_json_of_any_depth_is_a_400(server: Server) -> None:
    for depth in (100, 100_000):
        for opening in (b"[", b'{"pinned":'):
            reply = server.ask("requests/any/req_0123456789ab/pin", opening * depth)
            assert (reply.status, reply.body["ours"]) == (400, True)


def test_others_are_answered_while_a_store_is_read_without_end_and_after_it_has_gone(
    server: Server, tmp_path: Path
) -> None:
    bad, good = tmp_path / "circles.db", tmp_path / "good.db"
    hostile.sound(bad)
    hostile.pages_in_circles(bad)
    hostile.sound(good, "req_00000000600d")
    server.default_store.parent.mkdir(parents=True, exist_ok=True)
    with (server.default_store.parent / "stores").open("a") as file:
        file.write(f"{url(bad)}\n{url(good)}\n")
    reading = threading.Thread(target=server.ask, args=("requests",), kwargs={"text": "nothing"})
    reading.start()
    assert server.ask(f"requests/{name_of(url(good))}/req_00000000600d/info").status == 200
    reading.join(60)
    assert "req_00000000600d" in [each["id"] for each in server.ask("requests", limit=2000).body["requests"]]
    bad.unlink()
    assert not any("circles" in said for said in server.ask("requests").body["problems"])
    good.unlink()
