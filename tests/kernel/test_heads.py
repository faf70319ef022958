"""The head of a cell: beside `%%durable` another magic works, or a sentence says why it does not."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from tests.kernel.conftest import LOGGING, Kernel, Log, Ran

BODY = "def {name}(x):\n    _log(x)\n    print('in', x)\n    return x\nprint('body')\n{name}(1)\n{name}(2)"
_numbers = itertools.count()


@pytest.fixture(scope="module", autouse=True)
def _logging(kernel: Kernel) -> None:
    kernel.run(LOGGING)


def headed(kernel: Kernel, head: str, body: str = BODY) -> Ran:
    """Run a cell with that head, which defines a function and calls it twice."""
    return kernel.run(f"{head}\n{body.format(name=f'headed_{next(_numbers)}')}")


HEADS = {
    "# What it does\n\n# and why\n%%durable": 5,
    "\n   \n\n%%durable": 2,
    "%%durable;": 2,
    "%%durable --retries 1 ;  # don't ask": 2,
    "  %%durable": 2,
}
"""Heads, with the line of what stands below them; IPython takes empty lines away."""


@pytest.mark.parametrize("head", HEADS)
def test_comments_empty_lines_and_a_semicolon_change_nothing(kernel: Kernel, log: Log, head: str) -> None:
    """The functions are durable, and lines keep their numbers."""
    ran = kernel.run(f"{head}\n{BODY.format(name='spaced')}")
    assert not ran.error
    assert log.take() == ["1", "2"]
    assert kernel.value("spaced.__wrapped__.__code__.co_firstlineno") == HEADS[head]
    assert "2 ran" in ran.text


@pytest.mark.parametrize("head", ["%%time\n%%durable", "%%durable\n%%time"])
def test_time_beside_it_times_the_cell(kernel: Kernel, log: Log, head: str) -> None:
    """In either order: one execution, durable, the value shown, and the times at its end."""
    ran = headed(kernel, head)
    assert not ran.error
    assert log.take() == ["1", "2"]
    assert ran.kinds == ["view", "display_data", "stdout", "execute_result", "stdout"]
    assert "CPU times: user " in ran.saved[-1].text
    assert "\nWall time: " in ran.saved[-1].text
    failed = headed(kernel, head, BODY + "\n1 / 0")
    assert "ZeroDivisionError" in failed.error
    assert failed.status == "error"
    assert "Wall time: " in failed.stdout


@pytest.mark.parametrize(
    "head", ["%%capture kept\n%%durable", "%%durable\n%%capture kept", "%%capture kept\n%%time\n%%durable"]
)
def test_capture_beside_it_keeps_what_the_cell_puts_out(kernel: Kernel, log: Log, head: str) -> None:
    """All of it, and nothing but the view and a remark stands under the cell."""
    ran = headed(kernel, head)
    assert not ran.error
    assert log.take() == ["1", "2"]
    assert ran.kinds == ["view", "display_data"]
    stdout, outputs = kernel.value("(kept.stdout, [each.data['text/plain'] for each in kept.outputs])")
    assert stdout.startswith("body\nin 1\nin 2\n")
    assert ("Wall time" in stdout) == ("%%time" in head)
    assert outputs == ["2"]
    assert kernel.run("print('seen')\n1").kinds == ["stdout", "execute_result"]


def test_a_captured_cell_that_fails_shows_its_error_and_can_be_resumed(kernel: Kernel, log: Log) -> None:
    """Only what failed runs again."""
    kernel.run("%%durable\ndef kept_call(x):\n    _log(x)\n    return x\nstop = True")
    cell = "%%capture kept\n%%durable captured\nkept_call(1)\nprint('on')\nassert not stop, 'stop'\nkept_call(2)"
    failed = kernel.run(cell)
    assert "AssertionError: stop" in failed.error
    kernel.run("stop = False")
    log.take()
    ran = kernel.run(cell)
    assert not ran.error
    assert log.take() == ["2"]
    assert kernel.value("kept.stdout") == "on\n"


def test_options_of_capture_are_ipythons(kernel: Kernel) -> None:
    """What is not to be captured is shown."""
    ran = headed(kernel, "%%capture --no-stdout --no-display kept\n%%durable")
    assert ran.stdout == "body\nin 1\nin 2\n"
    assert ran.kinds[-1] == "execute_result"


REFUSED = {
    "%%timeit\n%%durable": "%%timeit and %%durable cannot share a cell",
    "%%prun\n%%durable": "%%prun and %%durable cannot share a cell",
    "%%bash\n%%durable": "%%bash and %%durable cannot share a cell",
    "%%durable\n%%script sh": "%%script and %%durable cannot share a cell",
    "%%nobody_knows\n%%durable": "%%nobody_knows and %%durable cannot share a cell",
    "%%time\n%%timeit\n%%durable": "%%timeit and %%durable cannot share a cell",
    "# comment\n%%bash\n%%durable": "%%bash and %%durable cannot share a cell",
    "%%durable\n%%durable": "%%durable stands twice",
    "%%time\n%%time\n%%durable": "%%time stands twice",
    "%%time 1 + 1\n%%durable": "%%time beside %%durable stands alone in its line, not with '1 + 1'",
    "%%capture --odd\n%%durable": "%%capture: unrecognized arguments: --odd",
    "%%durable --retry 3": "unknown option '--retry'; did you mean --retries?",
    "%%durable --Once": "did you mean --once?",
    "%%durable --zzz": "unknown option '--zzz'; known are --plain",
    "import os\n%%durable": "%%durable must be the first line of the cell",
    "%%durable\nx = 1\n%%bash": "%%bash stands in the middle of a %%durable cell",
}


@pytest.mark.parametrize("head", REFUSED)
def test_what_cannot_be_is_said_in_one_line_and_nothing_runs(kernel: Kernel, log: Log, head: str) -> None:
    """A cell that would silently not be durable does not run at all."""
    ran = headed(kernel, head)
    assert REFUSED[head] in ran.error
    assert len(ran.error.splitlines()) == 1
    assert ran.status == "error"
    assert (ran.stdout, log.take()) == ("", [])


def test_a_cell_that_is_a_text_may_hold_anything(kernel: Kernel, directory: Path) -> None:
    """`%%writefile` writes `%%durable` like any other line."""
    kernel.run(f"%%writefile {directory}/written.py\n%%durable\nx = 1")
    assert (directory / "written.py").read_text() == "%%durable\nx = 1\n"


def test_lines_of_the_shell_and_of_magics_work_inside(kernel: Kernel, log: Log) -> None:
    """`!`, `%` and their values, beside durable calls."""
    ran = headed(
        kernel,
        "%%durable",
        "!echo shell\nfound = !echo value\n%time 1 + 1\n%env NOTHING=1\nkeep = %pwd\n" + BODY + "\nprint(found)",
    )
    assert not ran.error
    assert log.take() == ["1", "2"]
    for text in ("shell", "Wall time", "['value']"):
        assert text in ran.stdout


@pytest.mark.parametrize("head", ["%%time", "%%capture"])
def test_a_plain_cell_that_a_magic_runs_fails_with_its_error(kernel: Kernel, log: Log, head: str) -> None:
    """The error that a magic shows is the cell's: running it again resumes, and the view came first."""
    kernel.run("%%durable\ndef timed_call(x):\n    _log(x)\n    print('in', x)\n    return x\nstop = True")
    cell = f"{head}\nprint('a')\ntimed_call(1)\nassert not stop\ntimed_call(2)"
    failed = kernel.run(cell, head)
    assert "AssertionError" in failed.error
    assert failed.kinds[0] == "view"
    kernel.run("stop = False")
    log.take()
    assert not kernel.run(cell, head).error
    assert log.take() == ["2"]


def test_a_line_magic_with_the_options_of_a_cell_names_the_cell_magic(kernel: Kernel) -> None:
    """One `%` too few is a slip that would leave every function plain."""
    assert "%%durable" in kernel.run("%durable --retries 2\ndef f(): pass").stderr
