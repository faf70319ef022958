"""The signing key changes under a running process: nothing is signed that could not be loaded later."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jupyter_durable import StoreGone, application, configure, function
from jupyter_durable.client import copy_store, get_request, this_engine
from jupyter_durable.client.engine import Engine
from jupyter_durable.client.settings import Settings
from jupyter_durable.serializer.signing import KeyFile
from jupyter_durable.store import default_url


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The key file of an engine that has the process to itself."""
    from jupyter_durable.context import engine

    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    before = engine.get()
    engine.set(Engine(Settings(store=default_url())))
    yield tmp_path / "data" / "durable" / "key"
    engine.set(before)


def deleted(path: Path) -> None:
    path.unlink()


def replaced(path: Path) -> None:
    path.unlink()
    KeyFile(path).keys()


def damaged(path: Path) -> None:
    path.write_bytes(b"short")


def linked(path: Path) -> None:
    path.rename(path.with_name("other"))
    path.symlink_to(path.with_name("other"))


@function()
def add_with_key(a: int) -> int:
    return a + 1


@application()
@function()
def adds_with_key(a: int) -> int:
    return add_with_key(a) + add_with_key(a)


@pytest.mark.parametrize("way", [deleted, replaced, damaged, linked])
def test_a_request_does_not_begin_or_end_without_the_key_it_is_signed_with(
    key: Path, way: Callable[[Path], None]
) -> None:
    assert adds_with_key(1) == 4
    way(key)
    with pytest.raises(StoreGone, match=r"the signing key .*could not be loaded later.*%durable copy"):
        adds_with_key(2)


def test_a_copy_puts_the_key_back_so_that_it_can_be_loaded(key: Path, tmp_path: Path) -> None:
    assert adds_with_key(1) == 4
    first = get_request("last").id
    replaced(key)
    with pytest.raises(StoreGone):
        adds_with_key(2)
    this_engine().warn = lambda text: None
    made = copy_store(str(tmp_path / "new.db"))
    configure(store=f"sqlite:///{made}")
    assert adds_with_key(2) == 6
    other = Engine(Settings(store=f"sqlite:///{made}"))
    from jupyter_durable.client.request import Request

    assert Request(other, other.store.request(first)).output() == 4
    other.store.close()
    this_engine().store.close()


def test_a_key_that_was_rotated_or_trusts_another_one_is_still_there(key: Path, tmp_path: Path) -> None:
    assert adds_with_key(1) == 4
    KeyFile(key).rotate()
    assert adds_with_key(2) == 6
    KeyFile(tmp_path / "theirs" / "key").keys()
    KeyFile(key).trust(tmp_path / "theirs" / "key")
    assert adds_with_key(3) == 8
    os.utime(key)
    assert adds_with_key(4) == 10
