"""What a call prints in pieces is kept by lines, masked as a whole, and nothing of it is lost."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_durable import context
from jupyter_durable.client import this_engine
from jupyter_durable.code.credentials import masked
from jupyter_durable.core.model import Logged
from jupyter_durable.runner.printed import LONGEST, WAIT_SECONDS, Printing
from jupyter_durable_kernel.cells.printed import Tee
from tests.engine.conftest import Notebook

PW = "hunter2canary"
PEM = f"-----BEGIN RSA PRIVATE KEY-----\nMII{PW}\n{PW}AA==\n-----END RSA PRIVATE KEY-----\n"
WRITERS = (
    'print("password:", PW)',
    'print("api_key", PW, sep="=")',
    'print("a line"); print("secret", "=", PW, 3, sep=" ", end="\\n\\n")',
    'import pprint; pprint.pprint({"password": PW, "others": ["x" * 60, "y" * 60]})',
    'print("Authorization: Bearer", PW)',
    'sys.stdout.write("token="); sys.stdout.write(PW + "\\n")',
    'sys.stdout.write("token="); time.sleep(0.6); sys.stdout.write(PW + "\\n")',
    'print("password:"); print(PW)',
    'print("password: |"); print("  " + PW)',
    "for line in PEM.splitlines(): print(line)",
    "for line in PEM.splitlines(): print(line, file=sys.stderr, flush=True)",
    "for part in PEM: sys.stderr.write(part)",
    "print('key:', PEM)",
    "for line in PEM.splitlines(): print('   >', line)",
    'import logging; logging.StreamHandler(sys.stderr).emit(logging.makeLogRecord({"msg": "password: %s" % PW}))',
    'for part in ("pass", "word", "=", PW[:6], PW[6:], chr(10)): print(part, end="")',
    'import json; json.dump({"a": {"password": PW}}, sys.stdout)',
)
CODE = """
import sys, time
@function()
def says(n):
    print("before")
    exec(writer)
    print("after")
    if fails: raise ValueError("stop")
@application()
def main(n):
    says(n)
"""


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """With what keeps what calls print."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    before, tee = this_engine(), Tee(lambda: None)
    tee.install()
    made = Notebook(tmp_path / "store.db", monkeypatch)
    made.namespace |= {"PW": PW, "PEM": PEM}
    made.cell(CODE, key=None)
    yield made
    tee.remove()
    made.engine.store.close()
    context.engine.set(before)


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("writer", WRITERS)
def test_a_credential_that_is_printed_in_pieces_is_kept_nowhere(notebook: Notebook, writer: str, fails: bool) -> None:
    notebook.namespace |= {"writer": writer, "fails": fails}
    try:
        notebook.cell("main(1)")
    except ValueError:
        assert fails
    logs = notebook.engine.store.logs(notebook.last()._row.serial)
    kept = "".join(log.text for log in logs)
    assert kept.startswith("before\n")
    assert kept.endswith("after\n")
    assert "***" in kept
    assert PW[:8] not in kept
    assert "AA==" not in kept
    assert len(kept) > len("before\nafter\n***")


@pytest.mark.parametrize("said", [f'token="{PW} x"', f"-----BEGIN PRIVATE KEY-----\nMII{PW}", f"cookie: a={PW}"])
def test_attributes_of_progress_are_masked_each_and_the_others_stay(notebook: Notebook, said: str) -> None:
    notebook.namespace |= {"fails": False, "said": said}
    notebook.namespace["writer"] = (
        "RequestContext.get().progress.update(1, 3, 'm', {'a': said, said: 'y', 'password': PW, 'b': 'x'})\n"
        "time.sleep(0.2)"
    )
    notebook.cell("main(1)")
    progress = notebook.last().call("says", 0)._node.progress
    assert progress is not None
    attributes = json.loads(progress.attributes or "")
    assert attributes["b"] == "x"
    assert attributes["password"] == "***"
    assert len(attributes) == 4
    assert PW[:7] not in str(attributes)


class Told:
    """What is kept, and a clock."""

    def __init__(self) -> None:
        self.logs: list[Logged] = []
        self.printing = Printing(self.logs.append)

    def write(self, text: str, now: float = 0.0, stream: str = "stdout", call: int = 2) -> None:
        self.printing.add((call, 1), stream, text, now)

    @property
    def texts(self) -> list[str]:
        return [log.text for log in self.logs]


def test_lines_are_kept_when_they_end_and_what_waits_when_it_is_old_or_all_is_over() -> None:
    told = Told()
    for text in ("a", " ", "b", "\n", "c\nd"):
        told.write(text)
    assert told.texts == ["a b\n", "c\n"]
    told.printing.keep_old(WAIT_SECONDS / 2)
    assert len(told.logs) == 2
    told.printing.keep_old(WAIT_SECONDS * 2)
    assert told.texts[2:] == ["d"]
    told.write("e", 5.0)
    told.printing.end()
    assert told.texts[3:] == ["e"]
    assert told.logs[3].at == 5.0


def test_a_progress_bar_and_a_line_without_an_end_are_kept_as_they_grow() -> None:
    told = Told()
    for step in range(3):
        told.write(f"\r{step}%")
    told.printing.end()
    assert "".join(told.texts) == "\r0%\r1%\r2%"
    assert told.texts[0] == "\r"
    long = Told()
    for _ in range(100):
        long.write("x" * 1000)
    assert sum(map(len, long.texts)) >= 100_000 - LONGEST
    long.printing.end()
    assert "".join(long.texts) == "x" * 100_000


def test_streams_keep_their_order_and_threads_and_calls_do_not_tear_lines() -> None:
    told = Told()
    told.write("out ")
    told.write("err\n", stream="stderr")
    told.write("on\n")
    assert told.texts == ["out ", "err\n", "on\n"]
    torn = Told()
    torn.write("password:")
    other = threading.Thread(target=torn.write, args=("between\n",))
    other.start()
    other.join()
    torn.write("elsewhere\n", call=3)
    torn.write(f" {PW}\n")
    assert torn.texts == ["between\n", "elsewhere\n", "password: ***\n"]


@pytest.mark.parametrize("wait", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        "plain\ntext\r\n\nwithout an end",
        "the -----BEGIN PRIVATE KEY----- line\nand prose that follows it\nand more\n",
        "-----BEGIN PRIVATE KEY-----\n\nnot a key, which never ends",
        "password reset\nThe tokens: 512, max_tokens=100\n",
    ],
)
def test_nothing_but_credentials_is_lost_however_it_is_cut(text: str, wait: bool) -> None:
    for size in (1, 2, 3, 7, 1000):
        told = Told()
        for n, at in enumerate(range(0, len(text), size)):
            told.write(text[at : at + size], n)
            if wait:
                told.printing.keep_old(n + WAIT_SECONDS)
        told.printing.end()
        words = masked(text).replace("***", " ").split()
        assert [word for word in words if word not in "".join(told.texts)] == []


def bound(write: Callable[[str], None]) -> None:
    """A key that never ends."""
    write("-----BEGIN PRIVATE KEY-----\n")
    for _ in range(3000):
        write("prose of a line\n")


def test_a_key_that_never_ends_is_waited_for_up_to_a_bound() -> None:
    told = Told()
    bound(told.write)
    assert sum(map(len, told.texts)) > 40_000 - LONGEST
    told.printing.end()
    assert "".join(told.texts).count("prose of a line\n") == 3000
