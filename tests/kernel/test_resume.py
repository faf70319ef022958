"""Running a cell again resumes its request: what had succeeded is not executed twice."""

from __future__ import annotations

import contextlib
import re
import time

import pytest

from tests.kernel.conftest import LOGGING, Kernel, Log, Start

DEFINITIONS = """%%durable
{imports}
def chained(x, n):
    _log(n)
    {seventh}
    return x + 1
"""
BODY = """%%durable {options}
total = 0
for n in range(10):
    total = chained(total, n)
"""
FAILING = "if n == 6: raise ValueError('the seventh')"
SLEEPING = "if n == 6: __import__('time').sleep(60)"
LAST = "__import__('jupyter_durable').get_request('last')"


def define(kernel: Kernel, seventh: str = "pass", imports: str = "") -> None:
    """Run the cell that defines the chained function."""
    kernel.run(LOGGING)
    ran = kernel.run(DEFINITIONS.format(seventh=seventh, imports=imports), "define")
    assert not ran.error, ran.error


def test_the_seventh_of_ten_raised_and_was_fixed(kernel: Kernel, log: Log) -> None:
    define(kernel, FAILING)
    ran = kernel.run(BODY.format(options="raised"), "body")
    assert "ValueError: the seventh" in ran.error
    assert log.take() == [str(n) for n in range(7)]
    define(kernel)
    ran = kernel.run(BODY.format(options="raised"), "body")
    assert not ran.error, ran.error
    assert log.take() == ["6", "7", "8", "9"]
    assert kernel.value("total") == 10
    assert "resumed req_" in ran.text
    assert "6 from checkpoint" in ran.text
    assert "reused with changed code" in ran.text


def test_a_comment_or_a_shifted_line_costs_nothing_and_is_no_change(kernel: Kernel, log: Log) -> None:
    define(kernel, FAILING)
    kernel.run(BODY.format(options="comment"), "comment")
    log.take()
    define(kernel, FAILING + "  # a comment", "\n\n# shifted\n")
    ran = kernel.run("# above\n".join(["", BODY.format(options="comment")]).lstrip("# above\n"), "comment")
    assert log.take() == ["6"]
    assert "6 from checkpoint" in ran.text
    assert "changed" not in ran.text


def test_a_helper_of_the_seventh_was_silently_wrong_and_fixed(kernel: Kernel, log: Log) -> None:
    kernel.run(LOGGING + "\ndef helper(x): return x")
    kernel.run(
        "%%durable\ndef summed(x, n):\n    _log(n)\n    return x + 1\n"
        "def seventh(x, n):\n    _log(n)\n    return helper(x)",
        "define",
    )
    body = (
        "%%durable helped\ntotal = 0\nfor n in range(10):\n"
        "    total = seventh(total, n) if n == 6 else summed(total, n)\nassert total == 10"
    )
    assert "AssertionError" in kernel.run(body).error
    assert len(log.take()) == 10
    kernel.run("def helper(x): return x + 1")
    ran = kernel.run(body)
    assert "AssertionError" in ran.error
    assert log.take() == []
    assert "1 reused with changed code: re-run them with %durable replay req_" in ran.text
    assert re.search(r"seventh\[0\] · from checkpoint · .* ms · △ code changed", ran.text)
    ran = kernel.run("%durable replay --rerun changed")
    assert not ran.stderr
    assert "✓" in ran.stdout
    assert log.take() == ["6", "7", "8", "9"]
    assert kernel.value(f"{LAST}.status") == "succeeded"


def test_the_kernel_is_killed_in_the_seventh_and_the_cells_run_again(start: Start, log: Log) -> None:
    kernel = start("killed.ipynb")
    define(kernel, SLEEPING)
    kernel.send(BODY.format(options=""), "body")
    _wait_for(log, 7)
    kernel.kill()
    assert log.take() == [str(n) for n in range(7)]
    kernel = start("killed.ipynb")
    define(kernel)
    ran = kernel.run(BODY.format(options=""), "body")
    assert not ran.error
    assert log.take() == ["6", "7", "8", "9"]
    assert kernel.value("total") == 10
    assert "6 from checkpoint" in ran.text


def test_the_kernel_is_killed_and_a_fresh_one_replays_without_the_cells(start: Start, log: Log, directory) -> None:
    kernel = start("replayed.ipynb")
    seventh = "if n == 6 and not os.environ.get('AGAIN'): __import__('time').sleep(60)"
    define(kernel, seventh)
    kernel.send(BODY.format(options=""), "body")
    _wait_for(log, 7)
    kernel.kill()
    log.take()
    kernel = start("replayed.ipynb", bare=True)
    kernel.run("import os; os.environ['AGAIN'] = '1'")
    for cell in (
        "%load_ext jupyter_durable",
        f"import jupyter_durable; jupyter_durable.configure(store='sqlite:///{directory}/store.db')",
        "request = jupyter_durable.get_request('last').replay()",
    ):
        ran = kernel.run(cell)
        assert not ran.error, ran.error
    assert log.take() == ["6", "7", "8", "9"]
    assert kernel.value("request.status") == "succeeded"
    assert kernel.value("(request.runs[-1].reused, request.runs[-1].executed)") == (6, 4)
    assert kernel.value("sorted({'total', 'chained', '_log'} & set(globals()))") == []


@pytest.mark.parametrize(
    ("seventh", "prefix"),
    [
        ("time.sleep(30)", ""),
        ("await asyncio.sleep(30)", "async "),
        ("while True: n += 1 - 1", ""),
    ],
    ids=["sleeping", "awaiting", "computing"],
)
def test_an_interrupt_settles_the_cell_at_once_and_the_next_run_resumes(
    kernel: Kernel, log: Log, seventh: str, prefix: str
) -> None:
    kernel.run(LOGGING + "\nimport time, asyncio")
    name = f"interrupted_{prefix.strip()}{len(seventh)}"
    cell = (
        f"%%durable {name}\n{prefix}def {name}(n):\n    _log(n)\n    if n == 2 and not globals().get('go_on'): "
        + ("\n        " if "while" in seventh else "")
        + f"{seventh}\n    return n\n"
        f"got = [{'await ' if prefix else ''}{name}(n) for n in range(4)]"
    )
    kernel.run("go_on = False")
    id = kernel.send(cell, name)
    _wait_for(log, 3)
    time.sleep(0.2)
    began = time.monotonic()
    kernel.interrupt()
    ran = kernel.result(id)
    assert time.monotonic() - began < 15, "it waited for the calls to end"
    assert "KeyboardInterrupt" in ran.error or "CancelledError" in ran.error
    assert "resume: run the cell again" in ran.error
    assert kernel.value(f"{LAST}.status") == "cancelled"
    assert "cancelled" in ran.text
    log.take()
    kernel.run("go_on = True")
    ran = kernel.run(cell, name)
    assert not ran.error, ran.error
    assert log.take() == ["2", "3"]
    assert kernel.value("got") == [0, 1, 2, 3]


def test_an_interrupt_of_a_map_settles_its_items(kernel: Kernel, log: Log) -> None:
    kernel.run(LOGGING + "\nimport time\ngo_on = False")
    cell = (
        "%%durable\ndef item(n):\n    _log(n)\n    if n > 3 and not go_on: time.sleep(30)\n    return n\n"
        "got = item.map(range(8))"
    )
    id = kernel.send(cell, "map")
    _wait_for(log, 8)
    time.sleep(0.2)
    began = time.monotonic()
    kernel.interrupt()
    kernel.result(id)
    assert time.monotonic() - began < 15, "it waited for the calls to end"
    log.take()
    kernel.run("go_on = True")
    ran = kernel.run(cell, "map")
    assert not ran.error, ran.error
    assert sorted(log.take()) == ["4", "5", "6", "7"]
    assert kernel.value("got") == list(range(8))


def test_two_kernels_on_one_store_keep_to_their_requests(start: Start, log: Log) -> None:
    one, other = start("one.ipynb"), start("two.ipynb")
    for kernel in (one, other):
        kernel.run(LOGGING + "\nimport time")
        kernel.run("%%durable\ndef slow(n):\n    _log(n)\n    time.sleep(0.05)\n    return n")
    ids = [kernel.send("%%durable\nfor n in range(10): slow(n)\nraise ValueError", "c") for kernel in (one, other)]
    first, second = (kernel.result(id) for kernel, id in zip((one, other), ids, strict=True))
    assert "10 ran" in first.text
    assert "10 ran" in second.text
    assert len(log.take()) == 20
    ran = one.run("%%durable\nfor n in range(10): slow(n)", "c")
    assert "10 from checkpoint" in ran.text
    assert log.take() == []


def test_a_request_that_another_kernel_runs_is_not_taken(start: Start, log: Log) -> None:
    one, other = start("same.ipynb"), start("same.ipynb")
    for kernel in (one, other):
        kernel.run(LOGGING + "\nimport time")
    cell = "%%durable\ndef held(n):\n    _log(n)\n    time.sleep(1)\n    return n\nheld(1)"
    id = one.send(cell, "held")
    _wait_for(log, 1)
    running = other.run("%durable list --status running").stdout
    assert "running" in running
    ran = other.run("%durable replay")
    assert "process" in ran.stderr
    assert "Traceback" not in ran.error
    one.result(id)


def test_after_a_success_a_cell_starts_anew_and_with_once_it_goes_on(kernel: Kernel, log: Log) -> None:
    kernel.run(LOGGING)
    kernel.run("%%durable\ndef paid(n):\n    _log(n)\n    return n")
    body = "%%durable {options}\nvalues = [paid(n) for n in range(3)]"
    for options, executed in (("", 3), ("", 3), ("--once", 0), ("--fresh", 3), ("--once", 0)):
        ran = kernel.run(body.format(options=options), "once")
        assert not ran.error
        assert len(log.take()) == executed, options
        assert ("resumed req_" in ran.text) == (executed == 0)
        assert kernel.value("values") == [0, 1, 2]
    kernel.run("%%durable\ndef paid(n):\n    _log(n)\n    return n + 1")
    kernel.run(body.format(options="--once"), "once")
    assert kernel.value("values") == [1, 2, 3]
    assert len(log.take()) == 3


def test_once_for_the_whole_notebook(kernel: Kernel, log: Log) -> None:
    kernel.run(LOGGING)
    kernel.run("%%durable\ndef bought(n):\n    _log(n)\n    return n")
    kernel.run("got = bought(1)", "plain")
    assert "once is on" in kernel.run("%durable once on").stdout
    ran = kernel.run("got = bought(1)", "plain")
    assert "once is off" in kernel.run("%durable once off").stdout
    assert log.take() == ["1"]
    assert kernel.value("got") == 1
    assert "1 from checkpoint" in ran.text


def test_a_name_finds_the_request_wherever_the_cell_stands(kernel: Kernel, log: Log) -> None:
    define(kernel, FAILING)
    kernel.run(BODY.format(options="named"), "here")
    log.take()
    ran = kernel.run(BODY.format(options="named"), "there")
    assert log.take() == ["6"]
    assert "6 from checkpoint" in ran.text


def test_without_cell_ids_the_text_of_the_cell_finds_its_request(kernel: Kernel, log: Log) -> None:
    define(kernel, FAILING)
    body = "for n in range(10): chained(0, n)"
    kernel.run(body)
    log.take()
    ran = kernel.run(body + "  # a comment")
    assert log.take() == ["6"]
    assert "6 from checkpoint" in ran.text


def test_a_notebook_that_was_moved_finds_its_requests_and_a_copy_does_not(start: Start, log: Log, directory) -> None:
    for name, there in (("moved", False), ("copied", True)):
        path = directory / f"{name}.ipynb"
        path.write_text("{}")
        kernel = start(path.name)
        define(kernel, FAILING)
        kernel.run(BODY.format(options=""), "moving")
        kernel.close()
        log.take()
        (directory / f"{name}-2.ipynb").write_text("{}")
        if not there:
            path.unlink()
        kernel = start(f"{name}-2.ipynb")
        define(kernel)
        kernel.run(BODY.format(options=""), "moving")
        assert len(log.take()) == (10 if there else 4)
        kernel.close()


def test_an_application_called_in_a_cell_resumes_when_its_input_is_equal(kernel: Kernel, log: Log) -> None:
    kernel.run(LOGGING + "\nfrom jupyter_durable import application, function\nready = False")
    kernel.run(
        "@function()\ndef part(n):\n    _log(n)\n    return n\n\n@application()\n@function()\n"
        "def report(n: int) -> int:\n    total = part(n) + part(n + 1)\n    assert ready\n    return total"
    )
    ran = kernel.run("print(report(5))", "app")
    assert "AssertionError" in ran.error
    assert "failed" in ran.text
    assert log.take() == ["5", "6"]
    kernel.run("ready = True")
    kernel.run("print(report(6))", "app")
    assert log.take() == ["6", "7"]
    ran = kernel.run("print(report(5))", "app")
    assert ran.stdout == "11\n"
    assert log.take() == []
    assert "2 from checkpoint" in ran.text


def test_a_restart_marks_what_runs_as_interrupted_at_once(start: Start, log: Log) -> None:
    kernel = start("restart.ipynb", bare=True, module="jupyter_durable_kernel")
    define(kernel, SLEEPING)
    kernel.send(BODY.format(options=""), "body")
    _wait_for(log, 7)
    kernel.client.shutdown()
    with contextlib.suppress(Exception):
        kernel.manager.finish_shutdown(waittime=10)
    kernel.close()
    other = start("other.ipynb")
    assert other.value(f"{LAST}._now().status") == "interrupted"


def _wait_for(log: Log, lines: int) -> None:
    end = time.monotonic() + 30
    while len(log.path.read_text().split()) < lines:
        assert time.monotonic() < end, log.path.read_text()
        time.sleep(0.02)
