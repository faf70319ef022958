"""A request, a call or a preview as the value of a cell."""

from __future__ import annotations

from tests.kernel.conftest import Kernel, Start

APP = """
from jupyter_durable import application, function, get_request, run_local_application
@function()
def part(n: int) -> int:
    if n == 2:
        raise ValueError('<i>two</i>')
    return n
@application()
@function()
def whole(n: int) -> int:
    return part(n - 1) + part(n)
"""


def shown(kernel: Kernel, code: str) -> dict[str, str]:
    """What the value of a cell is shown as."""
    ran = kernel.run(code)
    assert not ran.error, ran.error
    return list(ran.outputs.values())[-1]


def test_a_request_is_shown_as_its_view(kernel: Kernel) -> None:
    kernel.run(APP + "run_local_application(whole, 2)\nNone")
    made = shown(kernel, "get_request('last')")
    assert set(made) == {"text/plain", "text/html", "application/vnd.jupyter-durable.request+json"}
    assert "ValueError: &lt;i&gt;two&lt;/i&gt;" in made["text/html"]
    assert "✕ whole failed" in made["text/plain"]
    assert "✕ part[1]" in made["text/plain"]


def test_a_preview_is_shown_as_its_table(kernel: Kernel) -> None:
    kernel.run(APP + "run_local_application(whole, 2)\nNone")
    made = shown(kernel, "get_request('last').preview()")
    assert set(made) == {"text/plain", "text/html"}
    assert "<b>1 reused · 1 executed</b>" in made["text/html"]
    assert "<code>part[1]</code>" in made["text/html"]
    lines = made["text/plain"].split("\n")
    assert lines[0] == "1 reused · 1 executed"
    assert [line.split() for line in lines[1:4]] == [
        ["whole[0]", "executed:", "failed"],
        ["part[0]", "reused"],
        ["part[1]", "executed:", "failed"],
    ]


def test_without_the_extension_it_is_one_line(start: Start) -> None:
    kernel = start(bare=True)
    kernel.run("%load_ext jupyter_durable")
    kernel.run(APP + "run_local_application(whole, 1)\nNone")
    kernel.run("%unload_ext jupyter_durable")
    made = shown(kernel, "get_request('last')")
    assert set(made) == {"text/plain"}
    assert " whole succeeded · run 1 · " in made["text/plain"]
