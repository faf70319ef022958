"""Where a request ended: named in words, by the kernel as by the page."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_durable_kernel.view.as_json import MIME
from jupyter_durable_kernel.view.saved_forms import TEXT
from tests.kernel.conftest import Kernel

CELL = """from jupyter_durable import application, function
@function()
def part(n):
    if n == 3:
        raise RuntimeError("no\\nanswer")
    return n
@function()
def outer(n):
    return part(n)
@application()
@function()
def whole(last: int) -> int:
    try:
        part(3)
    except RuntimeError:
        pass
    for n in range(1, last):
        outer(n)
    raise OSError("no room")"""


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    home = tmp_path_factory.mktemp("ended")
    made = Kernel(Path(sys.executable), {"JUPYTER_DATA_DIR": str(home)}, "jupyter_durable_kernel")
    ran = made.run(CELL)
    assert not ran.error, ran.error
    yield made
    made.close()


@pytest.mark.parametrize(
    ("call", "counts", "error"),
    [
        # Not part[0], which failed likewise and was dealt with, nor outer[2], which only passed the error on.
        ("whole(9)", "7 ran · 2 failed", "part[3]: RuntimeError: no answer"),
        ("whole(2)", "3 ran · 1 failed", "OSError: no room"),
    ],
)
def test_plain_text_names_the_innermost_call_whose_error_it_was(
    kernel: Kernel, call: str, counts: str, error: str
) -> None:
    bundle = next(iter(kernel.run(call).outputs.values()))
    assert bundle[TEXT].split("\n")[1:3] == [counts, error]


def test_a_long_traceback_keeps_its_first_frames_and_the_error(kernel: Kernel) -> None:
    frames = "\n".join(f"def frame{n}(x):\n    return frame{n + 1}(x)" for n in range(90))
    kernel.run(f"{frames}\ndef frame90(x):\n    raise OSError('the end')")
    kernel.run("@function()\ndef deep(x):\n    return frame0(x)")
    bundle: Any = next(iter(kernel.run("deep(1)").outputs.values()))
    (call,) = [call for call in bundle[MIME]["calls"] if call["name"] == "deep"]
    assert len(call["error"]) <= 2_000
    assert call["error"].split("\n")[0] == "Traceback (most recent call last):"
    assert "in deep" in call["error"]
    assert call["error"].rstrip().endswith("OSError: the end")
