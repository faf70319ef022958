"""Commands on stores that were made to do harm: an answer or one sentence, clean text, and Ctrl-C is heard."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest

from jupyter_durable import context
from jupyter_durable.cli import verb
from jupyter_durable.client import Engine, this_engine
from jupyter_durable.client.settings import Settings
from jupyter_durable.core.escaping import escaped
from tests.cli.conftest import Terminal
from tests.store import hostile

LOOKING = ("list", "show", "tree", "logs", "doctor", "store", "preview")
UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


@pytest.fixture
def spoiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """Commands on a store that is to be spoiled, with an engine that has seen nothing."""
    monkeypatch.setattr(verb, "LOOK_SECONDS", 0.2)
    before = context.engine.get()
    engine = Engine(Settings(store=f"sqlite:///{tmp_path / 'other.db'}"))
    context.engine.set(engine)
    hostile.sound(tmp_path / "store.db")
    yield Terminal(tmp_path)
    context.engine.set(before)
    if engine._store is not None:
        engine._store.close()


@pytest.mark.parametrize("name", hostile.ALL)
def test_a_command_gives_an_answer_or_a_sentence_in_clean_text(spoiled: Terminal, name: str) -> None:
    """What is raised is raised by `Terminal`: an error that is none of ours fails here."""
    hostile.ALL[name](spoiled.directory / "store.db")
    for word in LOOKING if name != "a name of 50 MB" else ("list",):
        for how in ([], ["--json"]):
            answer = spoiled(word, *how)
            assert answer.code in (0, 1, 2), answer
            assert not UNSAFE.search(answer.out + answer.err), answer
            assert len(answer.out) < 300_000
            if how and answer.code == 0:
                json.loads(answer.out)


def test_json_keeps_the_text_and_escapes_what_a_terminal_would_obey(spoiled: Terminal) -> None:
    hostile.ODD["marks and lines in texts"](spoiled.directory / "store.db")
    answer = spoiled("list", "--json")
    assert json.loads(answer.out)[0]["application"] == "\u202e\x9b\x1b\n\u2028"
    assert "\\u202e\\u009b\\u001b\\n\\u2028" in answer.out


def test_each_command_names_a_damaged_log_that_was_kept_as_long_as_it_is_there(spoiled: Terminal) -> None:
    """Results may be missing: whoever opened the store first had the error, all others have a note on stderr."""
    kept = spoiled.directory / "store.db-wal.damaged-01234567"
    kept.write_bytes(b"a log")
    for words in (["list"], ["list", "--json"], ["show", hostile.ID], ["list"]):
        context.engine.set(Engine(Settings(store="")))
        answer = spoiled(*words)
        assert answer.code == 0, answer
        assert answer.err.startswith("Note: ")
        assert str(kept) in answer.err
        assert str(kept) not in answer.out
        this_engine().store.close()
    kept.unlink()
    context.engine.set(Engine(Settings(store="")))
    assert spoiled("list").err == ""
    this_engine().store.close()


def test_every_character_that_is_not_seen_is_escaped_and_letters_of_all_scripts_are_not() -> None:
    unseen = [*range(0x20), *range(0x7F, 0xA0), 0x61C, *range(0x200B, 0x2010), *range(0x2028, 0x202F), 0xFEFF, 0xE0041]
    unseen += [*range(0x2060, 0x2070), 0xD800]
    assert all(escaped(chr(code)).isascii() for code in unseen)
    assert escaped("Größe 数量 عدد ✓ — 🙂") == "Größe 数量 عدد ✓ — 🙂"


def test_ctrl_c_ends_a_command_that_reads_without_end_and_it_says_so(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    hostile.sound(path)
    hostile.pages_in_circles(path)
    command = [sys.executable, "-m", "jupyter_durable.cli", "--store", f"sqlite:///{path}", "list", "--text", "nothing"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"}) as it:
        end = monotonic() + 60
        while not (tmp_path / "store.db-shm").exists():  # it has opened the store
            assert monotonic() < end
            sleep(0.02)
        sleep(0.5)  # most of that in the statement; an interrupt before it does as well
        it.send_signal(signal.SIGINT)
        _, said = it.communicate(timeout=15)
    assert (it.returncode, said) == (130, "Error: interrupted\n")
